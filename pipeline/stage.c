/* stage.c - one stage's turn: returned batches, its tick, new batches, its drain.
 *
 * Here stands the one `if` that is back-pressure (outputs_ready), and the order
 * in which a stage comes to its end.  A turn is bounded: every batch that is
 * back, and a few from each input, none of which may push itself before others.
 */
#include "pipeline/stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/check.h"
#include "pipeline/error.h"
#include "pipeline/graph_parts.h"
#include "pipeline/link.h"
#include "pipeline/metric.h"
#include "pipeline/runner.h"

enum { TURN_BATCHES_MAX = 4, LINE_BYTES = 64 };

static const struct metric_info
    taken_info = {"stage_batches_taken_total",
                  "Batches a stage took from its inputs.", METRIC_COUNTER},
    emitted_info = {"stage_batches_emitted_total",
                    "Batches a stage gave to its outputs.", METRIC_COUNTER},
    returned_info = {"stage_batches_returned_total",
                     "Batches that came back to the stage that emitted them.", METRIC_COUNTER},
    held_info = {"stage_holds_total",
                 "Times a stage left a batch at the head of its input.", METRIC_COUNTER},
    seconds_info = {"batch_seconds",
                    "From a stage's giving a batch on until it is back, so until what it caused "
                    "is done; of source_kafka, the whole way.", METRIC_HISTOGRAM},
    blocked_info = {"stage_blocked_turns_total",
                    "Turns in which a stage could not go on, an output being full.",
                    METRIC_COUNTER};

struct stage *stage_create(struct graph *graph, const struct graph_stage *row, uint32_t index)
{
    CHECK(graph != NULL);
    CHECK(row != NULL && row->type != NULL);
    size_t        size = (row->type->state_size / LINE_BYTES + 1) * LINE_BYTES;
    struct stage *stage = calloc(1, sizeof *stage);

    CHECK(stage != NULL);
    stage->magic = STAGE_MAGIC;
    stage->type = row->type;
    stage->index = index;
    stage->graph = graph;
    (void)snprintf(stage->name, sizeof stage->name, row->copies == 0 ? "%s.%u" : "%s",
                   row->type->name, index);
    stage->state = aligned_alloc(LINE_BYTES, size);
    CHECK(stage->state != NULL);
    memset(stage->state, 0, size);
    return stage;
}

void stage_destroy(struct stage *stage)
{
    CHECK_MAGIC(stage, STAGE_MAGIC);
    stage->magic = 0;
    free(stage->state);
    free(stage->inputs);
    free(stage->outputs);
    free(stage);
}

void stage_open_metrics(struct stage *stage)
{
    char labels[STAGE_NAME_SIZE + 16];

    CHECK_MAGIC(stage, STAGE_MAGIC);
    (void)snprintf(labels, sizeof labels, "stage=\"%s\"", stage->name);
    stage->taken_total = metric_open(&taken_info, labels);
    stage->emitted_total = metric_open(&emitted_info, labels);
    stage->returned_total = metric_open(&returned_info, labels);
    stage->held_total = metric_open(&held_info, labels);
    stage->blocked_total = metric_open(&blocked_info, labels);
    stage->batch_seconds = metric_open(&seconds_info, labels);
    CHECK(stage->blocked_total != NULL);
}

/* The graph learns of it; the stage is from now on only drained. */
static void fail(struct stage *stage)
{
    CHECK_MAGIC(stage, STAGE_MAGIC);
    CHECK(stage->phase != PHASE_HALT);
    if (!stage->failed)
        graph_fail(stage->graph, stage);
    stage->failed = true;
}

/* Back-pressure: may the stage be called, so that all it may emit has room? */
static bool outputs_ready(struct stage *stage)
{
    CHECK_MAGIC(stage, STAGE_MAGIC);
    for (uint32_t i = 0; i < stage->outputs_count; i++) {
        if (!link_ready(stage->outputs[i], stage->type->burst)) {
            metric_add(stage->blocked_total, 1);
            return false;
        }
    }
    return true;
}

static int take_returned(struct stage *stage)
{
    int work = 0;

    CHECK_MAGIC(stage, STAGE_MAGIC);
    stage->quiet = true; /* on_return is called whether there is room or not */
    for (uint32_t i = 0; i < stage->outputs_count; i++) {
        struct batch *batch = link_returned(stage->outputs[i]);

        for (; batch != NULL; batch = link_returned(stage->outputs[i])) {
            uint64_t since_ns = batch->since_ns[batch->hops];

            metric_observe(stage->batch_seconds,
                           stage->now_ns > since_ns ? stage->now_ns - since_ns : 0);
            if (stage->type->on_return != NULL)
                stage->type->on_return(stage, batch);
            else
                pool_give(batch->pool, &batch);
            work++;
        }
    }
    stage->quiet = false;
    metric_add(stage->returned_total, (uint64_t)work);
    CHECK(work >= 0);
    return work;
}

static int tick(struct stage *stage, uint64_t now_ns)
{
    int (*call)(struct stage *, uint64_t) = stage->type->on_tick;

    CHECK_MAGIC(stage, STAGE_MAGIC);
    CHECK(stage->phase != PHASE_HALT);
    bool quiet = stage->phase == PHASE_RETURN;
    if (stage->tick_off || (call == NULL && stage->type->on_blocked == NULL)
        || (quiet && stage->outputs_count > 0 && stage->type->on_drain == NULL))
        return 0;
    if (!quiet && !outputs_ready(stage)) {
        call = stage->type->on_blocked;
        quiet = true;
    }
    if (call == NULL)
        return 0;
    stage->quiet = quiet;
    int work = call(stage, now_ns);
    stage->quiet = false;
    CHECK(work >= -1);
    if (work >= 0)
        return work;
    stage->tick_off = true;
    fail(stage);
    return 1;
}

/* Takes one batch; 1, or 0 when there is none or the stage does not want it. */
static int take_batch(struct stage *stage, struct link *input, uint64_t now_ns)
{
    struct batch *batch = link_peek(input);

    CHECK_MAGIC(stage, STAGE_MAGIC);
    if (batch == NULL)
        return 0;
    if (stage->failed) {
        CHECK_MAGIC(batch, BATCH_MAGIC);
        batch->outcome = OUTCOME_FAILED;
        link_finish(input, &batch);
        link_pop(input);
        return 1;
    }
    switch (stage->type->on_batch(stage, batch, now_ns)) {
    case STAGE_TAKEN:
        link_pop(input);
        metric_add(stage->taken_total, 1);
        return 1;
    case STAGE_HOLD:
        metric_add(stage->held_total, 1);
        return 0;
    case STAGE_FATAL:
        break;
    }
    fail(stage);
    return 1;
}

/* A few from each input; who comes first changes each turn, or is the one for which there
 * was no room last time. */
static int take_batches(struct stage *stage, uint64_t now_ns)
{
    int      work = 0;
    uint32_t first = stage->input_next;

    CHECK_MAGIC(stage, STAGE_MAGIC);
    CHECK(first < stage->inputs_count || stage->inputs_count == 0);
    for (uint32_t i = 0; i < stage->inputs_count; i++) {
        uint32_t     which = (first + i) % stage->inputs_count;
        struct link *input = stage->inputs[which];

        for (int taken = 0; taken < TURN_BATCHES_MAX; taken++) {
            if (link_peek(input) == NULL)
                break;
            if (!outputs_ready(stage)) {
                stage->input_next = which;
                return work;
            }
            if (take_batch(stage, input, now_ns) == 0)
                break;
            work++;
        }
    }
    if (stage->inputs_count > 0)
        stage->input_next = (first + 1) % stage->inputs_count;
    return work;
}

static bool inputs_over(const struct stage *stage)
{
    CHECK_MAGIC(stage, STAGE_MAGIC);
    CHECK(stage->phase == PHASE_RUN);
    if (stage->inputs_count == 0)
        return graph_stopping(stage->graph);
    for (uint32_t i = 0; i < stage->inputs_count; i++)
        if (!link_finished(stage->inputs[i]))
            return false;
    return true;
}

/* One call of on_drain; closes the outputs when it holds nothing any more.  Work is what it
 * emitted: holding something is no reason to call it again at once. */
static int drain(struct stage *stage, uint64_t now_ns)
{
    uint64_t emitted = stage->emitted;

    CHECK_MAGIC(stage, STAGE_MAGIC);
    CHECK(stage->phase == PHASE_DRAIN);
    if (!outputs_ready(stage))
        return 0;
    stage->held = stage->type->on_drain != NULL ? stage->type->on_drain(stage, now_ns) : 0;
    if (stage->held < 0) {
        stage->held = 0;
        fail(stage);
    }
    if (stage->held > 0)
        return stage->emitted != emitted;
    for (uint32_t i = 0; i < stage->outputs_count; i++)
        link_close(stage->outputs[i]);
    stage->phase = PHASE_RETURN;
    return 1;
}

/* Is all it emitted back, and all it took finished? */
static bool settled(const struct stage *stage)
{
    CHECK_MAGIC(stage, STAGE_MAGIC);
    CHECK(stage->phase == PHASE_RETURN);
    for (uint32_t i = 0; i < stage->outputs_count; i++)
        if (link_outstanding(stage->outputs[i]) > 0)
            return false;
    for (uint32_t i = 0; i < stage->inputs_count; i++)
        if (link_held(stage->inputs[i]) > 0)
            return false;
    return true;
}

int stage_turn(struct stage *stage, uint64_t now_ns)
{
    CHECK_MAGIC(stage, STAGE_MAGIC);
    if (stage->phase == PHASE_HALT)
        return -1;
    stage->now_ns = now_ns;
    int work = take_returned(stage);

    if (stage->phase == PHASE_RUN && inputs_over(stage)) {
        stage->phase = PHASE_DRAIN;
        work++;
    }
    work += tick(stage, now_ns);
    if (stage->phase == PHASE_RUN)
        work += take_batches(stage, now_ns);
    else if (stage->phase == PHASE_DRAIN)
        work += drain(stage, now_ns);
    if (stage->phase == PHASE_RETURN && settled(stage)) {
        stage->phase = PHASE_HALT;
        work++;
    }
    CHECK(work >= 0);
    return work;
}

void *stage_state(struct stage *stage)
{
    CHECK_MAGIC(stage, STAGE_MAGIC);
    CHECK(stage->state != NULL);
    return stage->state;
}

const char *stage_name(const struct stage *stage)
{
    CHECK_MAGIC(stage, STAGE_MAGIC);
    CHECK(stage->name[0] != '\0');
    return stage->name;
}

uint32_t stage_index(const struct stage *stage)
{
    CHECK_MAGIC(stage, STAGE_MAGIC);
    CHECK(stage->index < GRAPH_WORKERS_MAX);
    return stage->index;
}

uint32_t stage_inputs(const struct stage *stage)
{
    CHECK_MAGIC(stage, STAGE_MAGIC);
    return stage->inputs_count;
}

uint32_t stage_outputs(const struct stage *stage)
{
    CHECK_MAGIC(stage, STAGE_MAGIC);
    return stage->outputs_count;
}

void stage_emit(struct stage *stage, uint32_t output, struct batch **batch)
{
    CHECK_MAGIC(stage, STAGE_MAGIC);
    CHECK(output < stage->outputs_count);
    CHECK(!stage->quiet); /* in on_return, on_blocked, or after on_drain returned 0 */
    CHECK(batch != NULL && (*batch)->hops < BATCH_HOPS_MAX);
    (*batch)->since_ns[(*batch)->hops] = stage->now_ns;
    link_push(stage->outputs[output], batch);
    stage->emitted++;
    metric_add(stage->emitted_total, 1);
}

void stage_finish(struct stage *stage, struct batch **batch, enum outcome outcome)
{
    CHECK_MAGIC(stage, STAGE_MAGIC);
    CHECK(batch != NULL);
    CHECK_MAGIC(*batch, BATCH_MAGIC);
    CHECK((*batch)->hops > 0); /* else it came over no link: give it to its pool */
    (*batch)->outcome = outcome;
    link_finish(batch_via(*batch), batch);
}

void stage_wake(struct stage *stage)
{
    CHECK_MAGIC(stage, STAGE_MAGIC);
    CHECK(stage->wake != NULL);
    wake_up(stage->wake);
}

struct pool *stage_pool(struct stage *stage, uint32_t output, const struct batch_shape *shape)
{
    CHECK_MAGIC(stage, STAGE_MAGIC);
    CHECK(output < stage->outputs_count);
    CHECK(shape != NULL && shape->kind == link_kind(stage->outputs[output]));
    return pool_create(shape, link_outstanding_max(stage->outputs[output]));
}
