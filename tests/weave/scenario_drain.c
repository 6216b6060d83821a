/* drain: the engine's own lanes turn a graph and are told to stop at any moment.
 *
 * Lanes sleep as runners do, but without a time limit.  Always: every batch makes its
 * round once; the graph comes to its end by itself; nothing is out then, or, after a
 * fatal batch, everything came back done or failed.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fiber.h"
#include "pipeline/check.h"
#include "pipeline/clock.h"
#include "pipeline/error.h"
#include "pipeline/graph_parts.h"
#include "pipeline/ledger.h"
#include "pipeline/runner.h"
#include "pipeline/weave.h"
#include "scenario.h"

enum { SCANS, RESULTS, HELD_MAX = 3 };

static struct {
    struct graph *graph;
    uint32_t      stop_after; /* marks the stopper waits */
    int64_t       fatal_at;   /* -1 = never */
    int64_t       emitted, done, bad;
    int64_t       watermark;
} run;

struct source {
    struct pool   *pools[2];
    struct ledger *ledger;
    bool           stopped;
};

static int source_init(struct stage *stage, const struct config *config)
{
    static const struct batch_shape shape = {.kind = SCANS};
    struct source *self = stage_state(stage);

    (void)config;
    for (uint32_t i = 0; i < stage_outputs(stage); i++)
        self->pools[i] = stage_pool(stage, i, &shape);
    self->ledger = ledger_create(16, 0);
    return 0;
}

static int source_tick(struct stage *stage, uint64_t now_ns)
{
    struct source *self = stage_state(stage);

    (void)now_ns;
    if (self->stopped || run.emitted == 12)
        return 0; /* then it sleeps until the stop */
    uint32_t      output = (uint32_t)run.emitted % stage_outputs(stage);
    struct batch *batch = pool_take(self->pools[output]);
    if (batch == NULL) {
        weave_fail("there was room, but no batch was at home");
        return 0;
    }
    batch->offset_first = run.emitted++;
    ledger_open(self->ledger, batch->offset_first);
    stage_emit(stage, output, &batch);
    return 1;
}

static void source_return(struct stage *stage, struct batch *batch)
{
    struct source *self = stage_state(stage);

    if (batch->outcome == OUTCOME_DONE)
        run.done++;
    else
        run.bad++;
    ledger_close(self->ledger, batch->offset_first);
    run.watermark = ledger_watermark(self->ledger);
    pool_give(batch->pool, &batch);
}

static int source_drain(struct stage *stage, uint64_t now_ns)
{
    struct source *self = stage_state(stage);

    (void)now_ns;
    self->stopped = true;
    return 0;
}

static void source_fini(struct stage *stage)
{
    struct source *self = stage_state(stage);

    for (uint32_t i = 0; i < stage_outputs(stage); i++)
        pool_destroy(self->pools[i]);
    ledger_destroy(self->ledger);
}

/* Forwards most; every third it keeps under one of its own. */
struct work {
    struct pool  *pool;
    struct batch *held;
};

static int work_init(struct stage *stage, const struct config *config)
{
    static const struct batch_shape shape = {.kind = SCANS};

    (void)config;
    ((struct work *)stage_state(stage))->pool = stage_pool(stage, 0, &shape);
    return 0;
}

static void work_emit(struct stage *stage, struct batch *in)
{
    struct work *self = stage_state(stage);

    if (in->offset_first % 3 != 0) {
        stage_emit(stage, 0, &in);
        return;
    }
    struct batch *out = pool_take(self->pool);
    if (out == NULL) {
        weave_fail("there was room, but no batch was at home");
        return;
    }
    out->kept = in;
    stage_emit(stage, 0, &out);
}

static enum stage_verdict work_batch(struct stage *stage, struct batch *batch, uint64_t now_ns)
{
    struct work *self = stage_state(stage);

    (void)now_ns;
    if (batch->offset_first == run.fatal_at) {
        (void)error_set("planted");
        return STAGE_FATAL;
    }
    if (self->held != NULL)
        work_emit(stage, self->held);
    self->held = batch;
    return STAGE_TAKEN;
}

static void work_return(struct stage *stage, struct batch *batch)
{
    struct work *self = stage_state(stage);
    enum outcome outcome = batch->outcome;
    struct batch *in = batch->kept;

    if (in == NULL) { /* a forwarded one */
        stage_finish(stage, &batch, outcome);
        return;
    }
    pool_give(self->pool, &batch);
    stage_finish(stage, &in, outcome);
}

static int work_drain(struct stage *stage, uint64_t now_ns)
{
    struct work *self = stage_state(stage);

    (void)now_ns;
    if (self->held == NULL)
        return 0;
    work_emit(stage, self->held);
    self->held = NULL;
    return 1;
}

/* Where nothing comes any more what is held would wait for ever: the real engine has time,
 * here it is emitted when the seed says so. */
static int work_tick(struct stage *stage, uint64_t now_ns)
{
    struct work *self = stage_state(stage);

    (void)now_ns;
    if (self->held == NULL)
        return 0;
    if (fiber_pick(3) == 0) {
        work_emit(stage, self->held);
        self->held = NULL;
    }
    return 1;
}

static void work_fini(struct stage *stage)
{
    pool_destroy(((struct work *)stage_state(stage))->pool);
}

struct sink {
    struct batch *held[HELD_MAX];
    uint32_t      count;
};

static enum stage_verdict sink_batch(struct stage *stage, struct batch *batch, uint64_t now_ns)
{
    struct sink *self = stage_state(stage);

    (void)now_ns;
    if (self->count == HELD_MAX)
        return STAGE_HOLD;
    self->held[self->count++] = batch;
    return STAGE_TAKEN;
}

static int sink_tick(struct stage *stage, uint64_t now_ns)
{
    struct sink *self = stage_state(stage);

    (void)now_ns;
    if (self->count > 0 && fiber_pick(2) == 0) {
        uint32_t which = fiber_pick(self->count);

        stage_finish(stage, &self->held[which], OUTCOME_DONE);
        self->held[which] = self->held[--self->count];
        return 1;
    }
    return self->count > 0; /* an answer is on its way: it does not sleep */
}

static int sink_drain(struct stage *stage, uint64_t now_ns)
{
    (void)now_ns;
    return (int)((struct sink *)stage_state(stage))->count;
}

static const struct stage_type source_type = {
    .name = "source", .state_size = sizeof(struct source), .outputs_min = 1, .outputs_max = 2,
    .burst = 1, .init = source_init, .on_tick = source_tick, .on_return = source_return,
    .on_drain = source_drain, .fini = source_fini,
};
static const struct stage_type work_type = {
    .name = "work", .state_size = sizeof(struct work), .inputs_min = 1, .inputs_max = 1,
    .outputs_min = 1, .outputs_max = 1, .burst = 1, .init = work_init, .on_batch = work_batch,
    .on_tick = work_tick, .on_return = work_return, .on_drain = work_drain, .fini = work_fini,
};
static const struct stage_type sink_type = {
    .name = "sink", .state_size = sizeof(struct sink), .inputs_min = 1, .inputs_max = 2,
    .on_batch = sink_batch, .on_tick = sink_tick, .on_drain = sink_drain,
};
static const struct graph_stage stages[] = {
    {&source_type, "in", 1}, {&work_type, "worker", 0}, {&sink_type, "out", 1},
};

static void turn_lane(void *self)
{
    struct lane *lane = self;

    for (;;) {
        uint32_t value = wake_value(lane->wake);
        int      work = lane_turn(lane);

        if (work < 0)
            return;
        if (work == 0)
            fiber_sleep(lane->wake, value);
        weave_point();
    }
}

static void stop_some_time(void *self)
{
    (void)self;
    for (uint32_t i = 0; i < run.stop_after; i++)
        weave_point();
    graph_stop(run.graph);
}

static uint64_t still_ns(void *self)
{
    (void)self;
    return 1;
}

static int64_t still_ms(void *self)
{
    (void)self;
    return 1;
}

static void check_end(void)
{
    if (!graph_halted(run.graph))
        weave_fail("it did not come to its end");
    else if (run.done + run.bad != run.emitted)
        weave_fail("not every batch came back");
    else if (run.watermark != run.emitted)
        weave_fail("the watermark did not reach the end");
    else if ((graph_failed(run.graph) != 0) != (run.bad > 0))
        weave_fail("failed batches without a failure, or a failure without any");
}

static void weave_drain(uint64_t seed)
{
    static const struct clock_source still = {still_ns, still_ms, still_ns, NULL};
    const struct graph_link links[] = {
        {"source", "work", SCANS, 1u << seed % 3, 1 + (uint32_t)(seed / 3 % 4)},
        {"work", "sink", SCANS, 1u << seed / 5 % 2, 1 + (uint32_t)(seed / 7 % 3)},
    };
    const struct graph_plan plan = {
        .stages = stages, .stages_count = 3, .links = links, .links_count = 2,
        .workers = 1 + (uint32_t)(seed / 2 % 2),
    };
    struct fiber_body bodies[FIBERS_MAX];
    uint32_t          count = 0;

    clock_use(&still);
    run.emitted = run.done = run.bad = run.watermark = 0;
    run.stop_after = (uint32_t)(seed / 13 % 200);
    run.fatal_at = seed % 4 == 0 ? (int64_t)(seed / 4 % 12) : -1;
    run.graph = graph_create(&plan, NULL);
    CHECK(run.graph != NULL);
    for (; count < run.graph->lanes_count; count++)
        bodies[count] = (struct fiber_body) {turn_lane, &run.graph->lanes[count]};
    bodies[count++] = (struct fiber_body) {stop_some_time, NULL};
    if (!fibers_run(bodies, count, seed))
        weave_fail("all lanes sleep: a wake-up is missing");
    check_end();
    graph_destroy(run.graph);
    clock_use(NULL);
}

const struct scenario scenario_drain = {
    .name    = "drain",
    .summary = "a graph's lanes, stopped at any moment",
    .run     = weave_drain,
};
