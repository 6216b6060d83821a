/* A graph of three stages, turned by a seed on one thread and run by threads: every batch
 * makes its round once, whatever holds, blocks, fails, or is dropped in mid-run. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "pipeline/error.h"
#include "pipeline/graph.h"
#include "pipeline/ledger.h"
#include "pipeline/log.h"
#include "pipeline/metric.h"

enum { SCANS, RESULTS, HELD_MAX = 8 };

static const char *const kinds[] = {"SCANS", "RESULTS"};

/* What a test asks of the stages, and what they saw. */
static struct {
    int64_t          total;        /* numbers the source emits; then it stops the graph  */
    _Atomic int64_t  finished;     /* told to the source, outcome done                   */
    _Atomic int64_t  returned_bad; /* told to the source, outcome failed                 */
    _Atomic int64_t  received;     /* seen by the sink                                   */
    _Atomic bool     stuck;        /* the sink keeps what it has                         */
    int64_t          fatal_at;     /* work says FATAL at this number; -1 = never         */
    int64_t          tick_fatal_at;
    bool             random;       /* stages hold and keep as a seed decides             */
    _Atomic int      blocked_calls;
    struct graph    *graph;
} test;

static uint64_t random_state;

static uint32_t pick(uint32_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 33) % below;
}

struct source {
    struct pool   *pools[GRAPH_WORKERS_MAX];
    struct ledger *ledger;
    int64_t        next;
    bool           stopped;
};

static int source_init(struct stage *stage, const struct config *config)
{
    static const struct batch_shape shape = {.kind = SCANS, .head_size = sizeof(int64_t)};
    struct source *self = stage_state(stage);

    (void)config;
    for (uint32_t i = 0; i < stage_outputs(stage); i++)
        self->pools[i] = stage_pool(stage, i, &shape);
    self->ledger = ledger_create(1024, 0);
    return 0;
}

static int source_tick(struct stage *stage, uint64_t now_ns)
{
    struct source *self = stage_state(stage);

    (void)now_ns;
    if (self->next == test.tick_fatal_at)
        return error_set("the broker has fenced us");
    if (self->next == test.total && !self->stopped) {
        self->stopped = true;
        graph_stop(test.graph);
        return 1;
    }
    if (self->next >= test.total || self->stopped || (test.random && pick(3) == 0))
        return 0;
    uint32_t      output = (uint32_t)self->next % stage_outputs(stage);
    struct batch *batch = pool_take(self->pools[output]);
    assert_non_null(batch); /* there was room, so there is one at home */
    batch->offset_first = self->next;
    *(int64_t *)batch->head = self->next;
    ledger_open(self->ledger, self->next++);
    stage_emit(stage, output, &batch);
    assert_null(batch);
    return 1;
}

static int source_blocked(struct stage *stage, uint64_t now_ns)
{
    (void)stage;
    (void)now_ns;
    atomic_fetch_add(&test.blocked_calls, 1);
    return 0;
}

static void source_return(struct stage *stage, struct batch *batch)
{
    struct source *self = stage_state(stage);

    if (batch->outcome == OUTCOME_DONE) {
        assert_int_equal(*(int64_t *)batch->head, batch->offset_first * 3);
        atomic_fetch_add(&test.finished, 1);
    } else {
        atomic_fetch_add(&test.returned_bad, 1);
    }
    ledger_close(self->ledger, batch->offset_first);
    pool_give(batch->pool, &batch);
}

static int source_drain(struct stage *stage, uint64_t now_ns)
{
    (void)now_ns;
    ((struct source *)stage_state(stage))->stopped = true;
    return 0;
}

static void source_fini(struct stage *stage)
{
    struct source *self = stage_state(stage);

    for (uint32_t i = 0; i < stage_outputs(stage); i++)
        pool_destroy(self->pools[i]);
    ledger_destroy(self->ledger);
}

/* Works on a batch and forwards it, or makes another that keeps it. */
struct work {
    struct pool  *pool;
    struct batch *held; /* one that waits for company, until drained */
};

static int work_init(struct stage *stage, const struct config *config)
{
    static const struct batch_shape shape = {.kind = RESULTS, .head_size = sizeof(int64_t)};

    (void)config;
    ((struct work *)stage_state(stage))->pool = stage_pool(stage, 0, &shape);
    return 0;
}

static void work_emit(struct stage *stage, struct batch *in)
{
    struct work  *self = stage_state(stage);
    struct batch *out = pool_take(self->pool);

    assert_non_null(out);
    out->kept = in;
    *(int64_t *)out->head = *(int64_t *)in->head * 3;
    stage_emit(stage, 0, &out);
}

static enum stage_verdict work_batch(struct stage *stage, struct batch *batch, uint64_t now_ns)
{
    struct work *self = stage_state(stage);

    (void)now_ns;
    if (batch->offset_first == test.fatal_at) {
        (void)error_set("the record's version is unknown");
        return STAGE_FATAL;
    }
    if (test.random && pick(4) == 0)
        return STAGE_HOLD;
    if (self->held != NULL)
        work_emit(stage, self->held);
    self->held = batch;
    return STAGE_TAKEN;
}

static void work_return(struct stage *stage, struct batch *batch)
{
    struct batch *in = batch->kept;

    *(int64_t *)in->head = *(int64_t *)batch->head;
    enum outcome outcome = batch->outcome;
    pool_give(((struct work *)stage_state(stage))->pool, &batch);
    stage_finish(stage, &in, outcome);
    assert_null(in);
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

static void work_fini(struct stage *stage)
{
    pool_destroy(((struct work *)stage_state(stage))->pool);
}

/* Answers later, in any order, as a broker does. */
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
    atomic_fetch_add(&test.received, 1);
    return STAGE_TAKEN;
}

static int sink_tick(struct stage *stage, uint64_t now_ns)
{
    struct sink *self = stage_state(stage);

    (void)now_ns;
    if (self->count == 0 || atomic_load(&test.stuck) || (test.random && pick(2) == 0))
        return 0;
    uint32_t which = test.random ? pick(self->count) : 0;
    stage_finish(stage, &self->held[which], OUTCOME_DONE);
    self->held[which] = self->held[--self->count];
    return 1;
}

static int sink_drain(struct stage *stage, uint64_t now_ns)
{
    (void)now_ns;
    return (int)((struct sink *)stage_state(stage))->count;
}

static const struct stage_type source_type = {
    .name = "source", .state_size = sizeof(struct source), .outputs_min = 1, .outputs_max = 16,
    .burst = 1, .init = source_init, .on_tick = source_tick, .on_blocked = source_blocked,
    .on_return = source_return, .on_drain = source_drain, .fini = source_fini,
};
static const struct stage_type work_type = {
    .name = "work", .state_size = sizeof(struct work), .inputs_min = 1, .inputs_max = 1,
    .outputs_min = 1, .outputs_max = 1, .burst = 1, .init = work_init, .on_batch = work_batch,
    .on_return = work_return, .on_drain = work_drain, .fini = work_fini,
};
static const struct stage_type sink_type = {
    .name = "sink", .state_size = sizeof(struct sink), .inputs_min = 1, .inputs_max = 16,
    .on_batch = sink_batch, .on_tick = sink_tick, .on_drain = sink_drain,
};
static const struct graph_stage stages[] = {
    {&source_type, "in", 1}, {&work_type, "worker", 0}, {&sink_type, "out", 1},
};
static const struct graph_link links[] = {
    {"source", "work", SCANS, 4, 8}, {"work", "sink", RESULTS, 2, 4},
};

static struct graph_plan plan = {
    .stages = stages, .stages_count = 3, .links = links, .links_count = 2, .kinds = kinds,
    .workers = 2,
};

static struct graph *create(int64_t total, uint32_t workers, int64_t drain_ms_max)
{
    memset(&test, 0, sizeof test);
    test.total = total;
    test.fatal_at = -1;
    test.tick_fatal_at = -1;
    plan.workers = workers;
    plan.drain_ms_max = drain_ms_max;
    plan.fused = 0;
    error_clear();
    test.graph = graph_create(&plan, NULL);
    assert_non_null(test.graph);
    return test.graph;
}

/* Turns stages as the seed decides until all have halted. */
static void step_to_end(struct graph *graph)
{
    for (int step = 0; step < 1000000; step++) {
        (void)graph_step(graph, pick(graph_stages(graph)), (uint64_t)step);
        if (graph_halted(graph))
            return;
    }
    fail_msg("it did not come to its end");
}

static void stepped_by_a_seed(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        random_state = seed * 0x9E3779B97F4A7C15u;
        struct graph *graph = create(100, 1 + (uint32_t)(seed % 3), 0);

        test.random = true;
        step_to_end(graph);
        assert_false(graph_failed(graph));
        assert_int_equal(atomic_load(&test.finished), 100);
        assert_int_equal(atomic_load(&test.received), 100);
        struct source *source = stage_state(graph_stage(graph, 0));
        assert_int_equal(ledger_watermark(source->ledger), 100);
        assert_int_equal(graph_step(graph, 0, 0), -1);
        graph_destroy(graph);
    }
}

static void dropped_at_any_step(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        random_state = seed * 0x9E3779B97F4A7C15u;
        struct graph *graph = create(20, 2, 0);

        test.random = true;
        for (uint64_t step = 0; step < seed; step++)
            (void)graph_step(graph, pick(graph_stages(graph)), step);
        graph_destroy(graph); /* a crash: batches are everywhere */
    }
}

static void counters_conserve(void **state)
{
    int64_t taken = metric_sum("stage_batches_taken_total");
    int64_t emitted = metric_sum("stage_batches_emitted_total");
    int64_t returned = metric_sum("stage_batches_returned_total");

    (void)state;
    random_state = 7;
    struct graph *graph = create(50, 2, 0);
    step_to_end(graph);
    graph_destroy(graph);
    assert_int_equal(metric_sum("stage_batches_emitted_total") - emitted, 100);
    assert_int_equal(metric_sum("stage_batches_taken_total") - taken, 100);
    assert_int_equal(metric_sum("stage_batches_returned_total") - returned, 100);
}

static void back_pressure_blocks_the_source_alone(void **state)
{
    struct graph *graph = create(100, 1, 0);

    (void)state;
    atomic_store(&test.stuck, true);
    for (uint64_t step = 0; step < 300; step++)
        assert_int_not_equal(graph_step(graph, (uint32_t)(step % 3), step), -1);
    /* work→sink lets 4 out; beside them work keeps one, and 4 wait: 8 may be out at once */
    assert_int_equal(atomic_load(&test.received), 4);
    assert_true(atomic_load(&test.blocked_calls) > 50);
    struct source *source = stage_state(graph_stage(graph, 0));
    assert_int_equal(source->next, 8);
    atomic_store(&test.stuck, false);
    random_state = 3;
    step_to_end(graph);
    assert_int_equal(atomic_load(&test.finished), 100);
    graph_destroy(graph);
}

static void a_stepped_ceiling_names_who_holds(void **state)
{
    struct graph *graph = create(3, 1, 1000);
    uint64_t      now_ns = 1;

    (void)state;
    atomic_store(&test.stuck, true);
    while (!graph_halted(graph)) {
        for (uint32_t i = 0; i < 3; i++)
            (void)graph_step(graph, i, now_ns);
        now_ns += 10000000;
        assert_true(now_ns < 2000000000u);
    }
    assert_true(now_ns > 1000000000u);
    assert_true(graph_failed(graph));
    assert_non_null(strstr(error_text(), "the drain took longer than 1000 ms"));
    assert_non_null(strstr(error_text(), "source: 3 batches out on source→work.0, 0 not taken"));
    assert_non_null(strstr(error_text(), "work.0: 3 batches out on work.0→sink, 0 not taken"));
    assert_non_null(strstr(error_text(), "sink: holds 3"));
    assert_int_equal(graph_step(graph, 0, now_ns), -1);
    graph_destroy(graph);
}

/* Threads. */

static void threads_drain_clean(void **state)
{
    (void)state;
    for (uint32_t workers = 1; workers <= 4; workers++) {
        for (int fused = 0; fused <= 1; fused++) {
            struct graph *graph = create(5000, workers, 30000);

            graph_destroy(graph);
            plan.fused = fused;
            test.graph = graph = graph_create(&plan, NULL);
            int result = graph_run(graph);
            if (result != 0)
                print_message("%s\n", error_text());
            assert_int_equal(result, 0);
            assert_int_equal(atomic_load(&test.finished), 5000);
            assert_int_equal(atomic_load(&test.received), 5000);
            assert_true(graph_halted(graph));
            assert_true(graph_turned_ns(graph, 0) > 0);
            graph_destroy(graph);
        }
    }
}

static void a_fatal_batch_drains_and_fails(void **state)
{
    struct graph *graph = create(5000, 2, 30000);

    (void)state;
    test.fatal_at = 1001; /* on work.1 */
    assert_int_equal(graph_run(graph), -1);
    assert_string_equal(error_text(), "work.1: the record's version is unknown");
    assert_true(graph_failed(graph));
    struct source *source = stage_state(graph_stage(graph, 0));
    assert_true(source->next < 5000);
    assert_true(atomic_load(&test.returned_bad) > 0);
    assert_int_equal(atomic_load(&test.finished) + atomic_load(&test.returned_bad),
                     source->next);
    assert_int_equal(ledger_count(source->ledger), 0); /* all came back, done or failed */
    graph_destroy(graph);
}

static void a_fatal_tick_drains_and_fails(void **state)
{
    struct graph *graph = create(5000, 2, 30000);

    (void)state;
    test.tick_fatal_at = 777;
    assert_int_equal(graph_run(graph), -1);
    assert_string_equal(error_text(), "source: the broker has fenced us");
    assert_int_equal(atomic_load(&test.finished), 777);
    graph_destroy(graph);
}

static void a_ceiling_ends_it(void **state)
{
    struct graph *graph = create(50, 2, 300);

    (void)state;
    atomic_store(&test.stuck, true);
    graph_stop(graph); /* before it runs: it drains at once */
    graph_destroy(graph);
    graph = create(4, 2, 300);
    atomic_store(&test.stuck, true);
    assert_int_equal(graph_run(graph), -1);
    assert_non_null(strstr(error_text(), "the drain took longer than 300 ms"));
    assert_non_null(strstr(error_text(), "work.0: 2 batches out on work.0→sink, 0 not taken"));
    assert_non_null(strstr(error_text(), "sink: holds 4"));
    assert_true(graph_halted(graph));
    graph_destroy(graph);
}

static void *stop_twice(void *self)
{
    const struct timespec pause = {.tv_nsec = 50000000};

    (void)nanosleep(&pause, NULL);
    graph_stop(self);
    (void)nanosleep(&pause, NULL);
    graph_stop(self);
    return NULL;
}

static void a_second_stop_gives_up(void **state)
{
    struct graph *graph = create(INT64_MAX, 2, 0);
    pthread_t     thread;

    (void)state;
    atomic_store(&test.stuck, true);
    assert_int_equal(pthread_create(&thread, NULL, stop_twice, graph), 0);
    assert_int_equal(graph_run(graph), -1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_non_null(strstr(error_text(), "the drain was given up by a second stop"));
    graph_destroy(graph);
}

/* A callback that blocks: nothing can be done about it, but it is named. */
static int block_tick(struct stage *stage, uint64_t now_ns)
{
    const struct timespec pause = {.tv_sec = 3, .tv_nsec = 300000000};

    (void)stage;
    (void)now_ns;
    (void)nanosleep(&pause, NULL);
    graph_stop(test.graph);
    return 0;
}

static void a_callback_that_blocks_is_named(void **state)
{
    static const struct stage_type  block = {.name = "block", .on_tick = block_tick};
    static const struct graph_stage rows[] = {{&block, "in", 1}};
    static const struct graph_plan  alone = {.stages = rows, .stages_count = 1, .workers = 1};
    char text[1024] = "";
    int  ends[2], saved = dup(STDERR_FILENO);

    (void)state;
    test.graph = graph_create(&alone, NULL);
    assert_non_null(test.graph);
    assert_int_equal(pipe(ends), 0);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    int result = graph_run(test.graph);
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    assert_int_equal(result, 0);
    assert_true(read(ends[0], text, sizeof text - 1) > 0);
    assert_non_null(strstr(text, "in has not come back from block for 2 s"));
    close(ends[0]);
    close(ends[1]);
    close(saved);
    graph_destroy(test.graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stepped_by_a_seed),
        cmocka_unit_test(dropped_at_any_step),
        cmocka_unit_test(counters_conserve),
        cmocka_unit_test(back_pressure_blocks_the_source_alone),
        cmocka_unit_test(a_stepped_ceiling_names_who_holds),
        cmocka_unit_test(threads_drain_clean),
        cmocka_unit_test(a_fatal_batch_drains_and_fails),
        cmocka_unit_test(a_fatal_tick_drains_and_fails),
        cmocka_unit_test(a_ceiling_ends_it),
        cmocka_unit_test(a_second_stop_gives_up),
        cmocka_unit_test(a_callback_that_blocks_is_named),
    };
    log_open(LOG_LEVEL_ERROR, LOG_FORM_AUTO);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
