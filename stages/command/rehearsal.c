/* rehearsal.c - track between a source that emits what it is given and a sink that says yes to
 * everything: each output is acknowledged, each cut applied, and all is forgotten. */
#include "stages/command/rehearsal.h"

#include <stdlib.h>

#include "pipeline/check.h"
#include "pipeline/clock.h"
#include "pipeline/graph.h"
#include "stages/intake/passage.h"
#include "stages/kinds.h"
#include "stages/outlet/redis_replies.h"
#include "stages/outlet/request.h"
#include "stages/track.h"
#include "stages/track_parts.h"

enum { HELD_MAX = 256, STAGE_TRACK = 1 };

static struct {
    struct graph *graph;
    struct pool  *pool;
    struct batch *next;             /* the source emits it     */
    struct batch *held[HELD_MAX];   /* the sink answers them   */
    uint32_t      held_count;
    struct mark   mark;
    int64_t       offset;
} rehearsal;

/* ── The source ───────────────────────────────────────────────────────────── */

static int source_init(struct stage *stage, const struct config *config)
{
    static const struct batch_shape shape = {
        .kind = KIND_SCANS, .head_size = sizeof(struct passage),
        .record_size = sizeof(struct scan), .capacity = 1};

    (void)config;
    rehearsal.pool = stage_pool(stage, 0, &shape);
    return 0;
}

static int source_on_tick(struct stage *stage, uint64_t now_ns)
{
    (void)now_ns;
    if (rehearsal.next == NULL)
        return 0;
    stage_emit(stage, 0, &rehearsal.next);
    return 1;
}

static void source_fini(struct stage *stage)
{
    (void)stage;
    pool_destroy(rehearsal.pool);
}

static const struct stage_type type_source = {
    .name = "source", .state_size = 1, .outputs_min = 1, .outputs_max = 1, .burst = 1,
    .init = source_init, .on_tick = source_on_tick, .fini = source_fini};

/* ── The sink ─────────────────────────────────────────────────────────────── */

/* Nothing is stored. */
static void answer_read(struct request *request)
{
    struct redis_replies replies = {.list = NULL};

    redis_replies_open(&replies);
    redis_replies_build(&replies, request->commands);
    for (uint32_t i = 0; i < request->commands; i++)
        CHECK(redis_replies_feed(&replies, "*0\r\n", 4) == 1);
    redis_replies_take(&replies, request);
    redis_replies_close(&replies);
}

static void answer(struct request *request)
{
    struct mark *mark = &rehearsal.mark;

    if (request->kind == REQUEST_CLAIM) {
        *mark = (struct mark) {.partitions = request->partitions, .buckets = request->buckets,
                               .offset = request->first_offset, .epoch = 1, .owner = 1,
                               .kafka_ms = -1, .home = -1};
        request->fresh = true;
    } else if (request->kind == REQUEST_READ) {
        answer_read(request);
    } else if (request->kind == REQUEST_CUT) {
        struct mark was = *mark;

        *mark = request->mark;
        mark->partitions = was.partitions;
        mark->buckets = was.buckets;
        mark->epoch = was.epoch;
        mark->owner = was.owner;
        mark->sequence = was.sequence + 1;
    }
    request->answer = REQUEST_APPLIED;
    request->mark = *mark;
}

static enum stage_verdict sink_on_batch(struct stage *stage, struct batch *batch,
                                        uint64_t now_ns)
{
    (void)stage, (void)now_ns;
    if (rehearsal.held_count == HELD_MAX)
        return STAGE_HOLD;
    rehearsal.held[rehearsal.held_count++] = batch;
    return STAGE_TAKEN;
}

static int sink_on_tick(struct stage *stage, uint64_t now_ns)
{
    uint32_t count = rehearsal.held_count;

    (void)now_ns;
    rehearsal.held_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (rehearsal.held[i]->kind == KIND_WRITES)
            answer(rehearsal.held[i]->head);
        stage_finish(stage, &rehearsal.held[i], OUTCOME_DONE);
    }
    return (int)count;
}

static const struct stage_type type_sink = {
    .name = "sink", .state_size = 1, .inputs_min = 2, .inputs_max = 2, .burst = 1,
    .on_batch = sink_on_batch, .on_tick = sink_on_tick};

/* ── The graph ────────────────────────────────────────────────────────────── */

static const struct graph_stage stages[] = {
    {&type_source, "in", 1}, [STAGE_TRACK] = {&stage_track, "worker", 0},
    {&type_sink, "out", 1}};
static const struct graph_link links[] = {
    {"source", "track", KIND_SCANS, 64, 128},
    {"track", "sink", KIND_OUTPUTS, 64, 256},
    {"track", "sink", KIND_WRITES, 64, 256}};
static const char *const kinds[KINDS] = {"raw", "scans", "rejects", "outputs", "writes"};
static const struct graph_plan plan = {
    .stages = stages, .stages_count = 3, .links = links, .links_count = 3, .kinds = kinds,
    .workers = 1, .fused = 1};

/* Turns all stages until none has work. */
static void turn(void)
{
    int work = 1;

    while (work > 0) {
        work = 0;
        for (uint32_t s = 0; s < graph_stages(rehearsal.graph); s++)
            work += graph_step(rehearsal.graph, s, clock_monotonic_ns()) > 0;
    }
}

static struct batch *batch_begin(enum passage_event event)
{
    struct batch *batch = pool_take(rehearsal.pool);

    CHECK(batch != NULL);
    batch->partition = 0;
    batch->assignment = 1;
    batch->count = 0;
    batch->offset_first = batch->offset_next = rehearsal.offset;
    *(struct passage *)batch->head = (struct passage) {
        .event = (uint8_t)event, .group = GROUP_START, .partitions = 1,
        .high = rehearsal.offset, .settled = rehearsal.offset};
    return batch;
}

int rehearsal_open(const struct config *config)
{
    rehearsal.held_count = 0;
    rehearsal.offset = 0;
    rehearsal.graph = graph_create(&plan, config);
    if (rehearsal.graph == NULL)
        return -1;
    rehearsal.next = batch_begin(PASSAGE_ASSIGN);
    turn();
    CHECK(rehearsal_partition()->phase == LIFE_RUNNING);
    return 0;
}

void rehearsal_scan(const struct scan *scan)
{
    struct batch   *batch = batch_begin(PASSAGE_SCANS);
    struct passage *passage = batch->head;
    struct scan    *copy = batch->records;

    *copy = *scan;
    copy->offset = rehearsal.offset++;
    copy->kafka_ms = scan->time_ms;
    batch->count = 1;
    batch->offset_next = passage->settled = passage->high = rehearsal.offset;
    rehearsal.next = batch;
    turn();
    CHECK(rehearsal_partition()->position == rehearsal.offset);
}

const struct partition *rehearsal_partition(void)
{
    const struct track *t = stage_state(graph_stage(rehearsal.graph, STAGE_TRACK));

    return t->partitions[0];
}

void rehearsal_close(void)
{
    graph_destroy(rehearsal.graph);
    rehearsal.graph = NULL;
}
