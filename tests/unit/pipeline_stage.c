/* One stage at a time: what it may rely on, turn by turn, and what it must not do. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "pipeline/graph.h"
#include "pipeline/log.h"

enum { KIND };

/* What the stages do in a test, and what they saw. */
static struct {
    int  to_emit;                 /* by each feeder */
    bool hold;
    char seen[64];                /* index of the feeder each batch came from */
    int  seen_count;
    int  ticks, blocked;
} test;

struct feeder {
    struct pool *pool;
    int          emitted;
};

static int feeder_init(struct stage *stage, const struct config *config)
{
    static const struct batch_shape shape = {.kind = KIND};

    (void)config;
    ((struct feeder *)stage_state(stage))->pool = stage_pool(stage, 0, &shape);
    return 0;
}

static int feeder_tick(struct stage *stage, uint64_t now_ns)
{
    struct feeder *self = stage_state(stage);

    (void)now_ns;
    test.ticks++;
    if (self->emitted >= test.to_emit)
        return 0;
    struct batch *batch = pool_take(self->pool);
    assert_non_null(batch);
    batch->partition = (int32_t)stage_index(stage);
    batch->offset_first = self->emitted++;
    stage_emit(stage, 0, &batch);
    return 1;
}

static int feeder_blocked(struct stage *stage, uint64_t now_ns)
{
    (void)stage;
    (void)now_ns;
    test.blocked++;
    return 0;
}

static void feeder_fini(struct stage *stage)
{
    pool_destroy(((struct feeder *)stage_state(stage))->pool);
}

/* Without on_return: the engine gives the batch to its pool. */
static const struct stage_type feeder_type = {
    .name = "feeder", .state_size = sizeof(struct feeder), .outputs_min = 1, .outputs_max = 1,
    .burst = 1, .init = feeder_init, .on_tick = feeder_tick, .on_blocked = feeder_blocked,
    .fini = feeder_fini,
};

static enum stage_verdict eater_batch(struct stage *stage, struct batch *batch, uint64_t now_ns)
{
    (void)now_ns;
    if (test.hold)
        return STAGE_HOLD;
    test.seen[test.seen_count++ % 64] = (char)('0' + batch->partition);
    stage_finish(stage, &batch, OUTCOME_DONE);
    return STAGE_TAKEN;
}

static const struct stage_type eater_type = {
    .name = "eater", .inputs_min = 1, .inputs_max = 4, .on_batch = eater_batch,
};

static const struct graph_stage stages[] = {{&feeder_type, "worker", 0}, {&eater_type, "out", 1}};
static const struct graph_link  links[] = {{"feeder", "eater", KIND, 8, 8}};

static struct graph *create(uint32_t workers)
{
    static struct graph_plan plan = {
        .stages = stages, .stages_count = 2, .links = links, .links_count = 1,
    };

    memset(&test, 0, sizeof test);
    plan.workers = workers;
    struct graph *graph = graph_create(&plan, NULL);
    assert_non_null(graph);
    return graph;
}

static void end(struct graph *graph)
{
    graph_stop(graph);
    for (int i = 0; i < 100 && !graph_halted(graph); i++)
        for (uint32_t stage = 0; stage < graph_stages(graph); stage++)
            (void)graph_step(graph, stage, 1);
    assert_true(graph_halted(graph));
    assert_false(graph_failed(graph));
    graph_destroy(graph);
}

static void inputs_take_turns(void **state)
{
    struct graph *graph = create(3);

    (void)state;
    test.to_emit = 8;
    for (int i = 0; i < 8; i++)
        for (uint32_t feeder = 0; feeder < 3; feeder++)
            assert_int_equal(graph_step(graph, feeder, 1), 1);
    assert_int_equal(graph_step(graph, 3, 1), 12); /* four of each, another first each turn */
    assert_int_equal(graph_step(graph, 3, 1), 12);
    assert_int_equal(graph_step(graph, 3, 1), 0);
    assert_memory_equal(test.seen, "000011112222111122220000", 24);
    end(graph);
}

static void a_held_batch_stays_at_the_head(void **state)
{
    struct graph *graph = create(1);

    (void)state;
    test.to_emit = 3;
    test.hold = true;
    for (int i = 0; i < 3; i++)
        (void)graph_step(graph, 0, 1);
    for (int i = 0; i < 10; i++)
        assert_int_equal(graph_step(graph, 1, 1), 0);
    test.hold = false;
    assert_int_equal(graph_step(graph, 1, 1), 3);
    assert_int_equal(test.seen_count, 3);
    end(graph);
}

static void blocked_instead_of_ticked(void **state)
{
    struct graph *graph = create(1);

    (void)state;
    test.to_emit = 100;
    test.hold = true;
    for (int i = 0; i < 20; i++)
        (void)graph_step(graph, 0, 1);
    assert_int_equal(test.ticks, 8); /* as many as the link lets out */
    assert_int_equal(test.blocked, 12);
    test.hold = false;
    (void)graph_step(graph, 1, 1);
    (void)graph_step(graph, 0, 1);
    assert_int_equal(test.ticks, 9);
    test.to_emit = 0;
    end(graph);
}

static void without_on_drain_it_is_not_ticked_at_the_end(void **state)
{
    struct graph *graph = create(1);

    (void)state;
    test.hold = true;
    test.to_emit = 2;
    (void)graph_step(graph, 0, 1);
    graph_stop(graph);
    (void)graph_step(graph, 0, 1); /* the turn in which it drains */
    int ticks = test.ticks;
    for (int i = 0; i < 5; i++)
        assert_int_equal(graph_step(graph, 0, 1), 0);
    assert_int_equal(test.ticks, ticks);
    test.hold = false;
    while (!graph_halted(graph))
        for (uint32_t stage = 0; stage < 2; stage++)
            (void)graph_step(graph, stage, 1);
    graph_destroy(graph);
}

/* What a stage must not do aborts at once. */

static void emit_on_return(struct stage *stage, struct batch *batch)
{
    stage_emit(stage, 0, &batch);
}

static int say_drained(struct stage *stage, uint64_t now_ns)
{
    (void)stage;
    (void)now_ns;
    return 0;
}

static int emit_too_many(struct stage *stage, uint64_t now_ns)
{
    for (int i = 0; i < 5; i++) /* its burst is 1, and the link takes 4 */
        (void)feeder_tick(stage, now_ns);
    return 1;
}

static void run_mistake(int which)
{
    struct stage_type  wrong = feeder_type;
    struct graph_stage rows[] = {{&wrong, "in", 1}, {&eater_type, "out", 1}};
    struct graph_link  link = {"feeder", "eater", KIND, which == 2 ? 4 : 8, 8};
    struct graph_plan  plan = {
        .stages = rows, .stages_count = 2, .links = &link, .links_count = 1, .workers = 1,
    };

    memset(&test, 0, sizeof test);
    test.to_emit = 100;
    if (which == 0)
        wrong.on_return = emit_on_return;
    else if (which == 1)
        wrong.on_drain = say_drained; /* and goes on emitting in on_tick */
    else
        wrong.on_tick = emit_too_many;
    struct graph *graph = graph_create(&plan, NULL);
    for (int i = 0; i < 20; i++) {
        if (i == 5 && which == 1)
            graph_stop(graph);
        test.hold = which == 1;
        (void)graph_step(graph, (uint32_t)i % 2, 1);
    }
}

static void mistakes_abort(void **state)
{
    (void)state;
    for (int which = 0; which < 3; which++) {
        int   status = 0;
        pid_t child = fork();

        assert_true(child >= 0);
        if (child == 0) {
            (void)signal(SIGABRT, SIG_DFL);
            close(STDERR_FILENO);
            run_mistake(which);
            _exit(0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    }
}

/* A wake from a library's thread is seen at once, though the runner sleeps long by then. */
static struct {
    _Atomic uint64_t woken_ns, seen_ns;
    _Atomic bool     end;
    struct stage    *stage;
    struct graph    *graph;
} library;

static uint64_t now(void)
{
    struct timespec time;

    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static int idle_init(struct stage *stage, const struct config *config)
{
    (void)config;
    library.stage = stage;
    return 0;
}

static int idle_tick(struct stage *stage, uint64_t now_ns)
{
    (void)stage;
    (void)now_ns;
    if (atomic_load(&library.woken_ns) != 0 && atomic_load(&library.seen_ns) == 0)
        atomic_store(&library.seen_ns, now());
    return 0;
}

static void *wake_later(void *self)
{
    const struct timespec pause = {.tv_nsec = 300000000};

    for (int i = 0; i < 5; i++) {
        (void)nanosleep(&pause, NULL);
        atomic_store(&library.seen_ns, 0);
        atomic_store(&library.woken_ns, now());
        stage_wake(library.stage);
        while (atomic_load(&library.seen_ns) == 0)
            (void)nanosleep(&(struct timespec) {.tv_nsec = 100000}, NULL);
        *(uint64_t *)self += atomic_load(&library.seen_ns) - atomic_load(&library.woken_ns);
        atomic_store(&library.woken_ns, 0);
    }
    graph_stop(library.graph);
    return NULL;
}

static void a_library_wakes_a_stage(void **state)
{
    static const struct stage_type  idle = {.name = "idle", .init = idle_init,
                                            .on_tick = idle_tick};
    static const struct graph_stage rows[] = {{&idle, "in", 1}};
    static const struct graph_plan  alone = {.stages = rows, .stages_count = 1, .workers = 1};
    struct graph *graph = graph_create(&alone, NULL);
    pthread_t     thread;
    uint64_t      took_ns = 0;

    (void)state;
    assert_non_null(graph);
    library.graph = graph;
    assert_int_equal(pthread_create(&thread, NULL, wake_later, &took_ns), 0);
    assert_int_equal(graph_run(graph), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    print_message("%llu us to wake a stage\n", (unsigned long long)(took_ns / 5000));
    assert_true(took_ns / 5 < 20000000);
    graph_destroy(graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inputs_take_turns),
        cmocka_unit_test(a_held_batch_stays_at_the_head),
        cmocka_unit_test(blocked_instead_of_ticked),
        cmocka_unit_test(without_on_drain_it_is_not_ticked_at_the_end),
        cmocka_unit_test(mistakes_abort),
        cmocka_unit_test(a_library_wakes_a_stage),
    };
    log_open(LOG_LEVEL_ERROR, LOG_FORM_AUTO);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
