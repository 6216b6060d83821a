/* What the whole is made of: settings, the board, and the table of stages and links. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/config.h"
#include "pipeline/error.h"
#include "pipeline/log.h"
#include "stages/board.h"
#include "stages/kinds.h"
#include "stages/ports.h"
#include "stages/settings.h"
#include "stages/topology.h"

struct ports ports; /* the room of the real ones is above this one */

/* ── Settings ─────────────────────────────────────────────────────────────── */

static struct config *config_of(const char *const *assignments)
{
    size_t count;
    const struct config_row *rows = settings_rows(&count);
    struct config *config = config_create(rows, count);

    for (; assignments != NULL && *assignments != NULL; assignments++)
        assert_int_equal(config_set(config, *assignments), 0);
    assert_int_equal(config_finish(config), 0);
    return config;
}

static uint64_t hash_with(const char *assignment)
{
    const char *const assignments[] = {assignment, NULL};
    struct config *config = config_of(assignments);
    uint64_t hash = settings_hash(config);

    config_destroy(config);
    return hash;
}

/* Every setting has a default that holds, a sentence, and its path once. */
static void every_row(void **state)
{
    size_t count;
    const struct config_row *rows = settings_rows(&count);

    (void)state;
    config_destroy(config_of(NULL));
    for (size_t i = 0; i < count; i++) {
        assert_non_null(rows[i].help);
        assert_true(strlen(rows[i].help) > 5);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(rows[i].path, rows[k].path);
    }
}

/* A change of what outputs say gives another hash; a change of how the work is done, none. */
static void hashes(void **state)
{
    static const char *const says[] = {
        "clock.mode=event", "clock.tolerance=1s", "kafka.topics.scans=x", "retention.linger=2d",
        "model.shrink=3", "alerts.source=/x", "detectors.stalled.domestic_min=13h",
        "detectors.stalled.enabled=false", "services.economy.detectors.stalled.enabled=false",
        "kafka.topics.alerts=x", "retention.idle=50d"};
    static const char *const works[] = {
        "kafka.brokers=elsewhere:9092", "kafka.instance=a", "kafka.buffer=1GiB",
        "kafka.accept_gap=true", "rdkafka.linger.ms=5", "redis.address=elsewhere:1",
        "redis.connections=2", "checkpoint.interval=2s", "progress.interval=2s",
        "runners.workers=4", "memory.max=1GiB", "http.listen=", "log.level=debug"};
    uint64_t hash = hash_with(NULL);

    (void)state;
    assert_int_equal(hash_with(NULL), hash);
    for (size_t i = 0; i < sizeof says / sizeof says[0]; i++)
        if (hash_with(says[i]) == hash)
            fail_msg("%s leaves the hash", says[i]);
    for (size_t i = 0; i < sizeof works / sizeof works[0]; i++)
        if (hash_with(works[i]) != hash)
            fail_msg("%s changes the hash", works[i]);
    assert_int_not_equal(hash_with(says[0]), hash_with(says[1]));
}

static void refused(void **state)
{
    static const char *const wrong[] = {"redis.connections=17", "redis.connections=0",
                                        "checkpoint.interval=9ms", "clock.mode=wall",
                                        "runners.workers=17", "checkpoint.records_max=99",
                                        "log.level=loud", "kafka.grup=x"};
    size_t count;
    const struct config_row *rows = settings_rows(&count);

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct config *config = config_create(rows, count);

        if (config_set(config, wrong[i]) == 0 && config_finish(config) == 0)
            fail_msg("%s is taken", wrong[i]);
        error_clear();
        config_destroy(config);
    }
}

/* ── The board ────────────────────────────────────────────────────────────── */

/* Out of the group there is no partition that could say so: the instance does.  One to which the
 * group gives nothing is in it. */
static void out_of_the_group(void **state)
{
    (void)state;
    assert_non_null(board_stuck(9000000));   /* it has not answered yet */
    board_lost_ms = 0;
    assert_null(board_stuck(9000000));
    board_lost_ms = 1000000;
    assert_null(board_stuck(1000000 + 29999));
    assert_non_null(board_stuck(1000000 + 30000));
    board_lost_ms = 0;
    assert_null(board_stuck(9000000));
}

static void health(void **state)
{
    struct board_row *row = &board[7];
    const char *why = "";

    (void)state;
    board_clear(7);
    assert_true(board_healthy(7, 1000000, &why));      /* not ours */
    row->phase = PHASE_CLAIMING;
    row->moved_ms = 1000000;
    assert_true(board_healthy(7, 1000000 + 29999, &why));
    assert_false(board_healthy(7, 1000000 + 30000, &why));
    row->phase = PHASE_RUNNING;
    row->position = 5;
    row->high = 6;
    assert_true(board_healthy(7, 1000000 + 29999, &why));
    assert_null(why);
    assert_false(board_healthy(7, 1000000 + 30000, &why));
    assert_non_null(why);                              /* never without a word */
    row->waits = "waits for X";
    assert_true(board_healthy(7, 1000000, &why));
    assert_string_equal(why, "waits for X");
    assert_false(board_healthy(7, 1000000 + 30000, &why));
    assert_string_equal(why, "waits for X");
    board_held = "no memory";
    assert_false(board_healthy(7, 1000000 + 30000, &why));
    assert_string_equal(why, "no memory");
    board_held = NULL;
    row->why = "stopped by Y";
    assert_false(board_healthy(7, 1000000 + 30000, &why));
    assert_string_equal(why, "stopped by Y");
    row->position = 6;                                 /* read to its end: nothing need move */
    assert_true(board_healthy(7, 9000000, &why));
    row->phase = PHASE_STOPPED;
    assert_false(board_healthy(7, 1000000, &why));
    board_clear(7);
    assert_true(row->phase == PHASE_NONE && row->position == 0 && row->why == NULL);
    assert_true(row->high == 0 && row->moved_ms == 0);
}

static void phases(void **state)
{
    static const char *const names[] = {"none",    "claiming",  "loading",
                                        "running", "releasing", "stopped"};

    (void)state;
    for (int i = PHASE_NONE; i <= PHASE_STOPPED; i++)
        assert_string_equal(phase_name((enum phase)i), names[i]);
}

/* ── The topology, with clients that never have anything ──────────────────── */

static int  clients;
static bool no_redis;

static bool no_event(void *self, struct consumer_event *event)
{
    (void)self, (void)event;
    return false;
}
static int32_t no_count(void *self) { (void)self; return 0; }
static int  no_assign(void *self, const int32_t *p, const int64_t *o, int n)
{
    (void)self, (void)p, (void)o, (void)n;
    return 0;
}
static void gone(void *self) { (void)self; clients--; }

static const struct consumer_ops consumer_ops = {
    .poll = no_event, .partition_count = no_count, .assign = no_assign, .close = gone};

static int consumer_open(const struct config *config, void (*wake)(void *), void *wake_self,
                         struct consumer *consumer)
{
    (void)config, (void)wake, (void)wake_self;
    *consumer = (struct consumer){.ops = &consumer_ops};
    clients++;
    return 0;
}

static bool no_ack(void *self, struct producer_ack *ack)
{
    (void)self, (void)ack;
    return false;
}
static const char *not_fatal(void *self) { (void)self; return ""; }
static int none_left(void *self) { (void)self; return 0; }

static const struct producer_ops producer_ops = {
    .poll = no_ack, .fatal = not_fatal, .flush_left = none_left, .close = gone};

static int producer_open(const struct config *config, void (*wake)(void *), void *wake_self,
                         bool (*header)(const void *, size_t, const char **, const void **,
                                        size_t *),
                         struct producer *producer)
{
    (void)config, (void)wake, (void)wake_self, (void)header;
    *producer = (struct producer){.ops = &producer_ops};
    clients++;
    return 0;
}

static void io_open(void *self, uint32_t i) { (void)self, (void)i; }
static enum redis_io_state io_state(void *self, uint32_t i)
{
    (void)self, (void)i;
    return REDIS_IO_OPENING;
}

static const struct redis_io_ops redis_ops = {
    .open = io_open, .state = io_state, .close = io_open, .destroy = gone};

static int redis_open(const struct config *config, uint32_t streams, struct redis_io *io)
{
    (void)config, (void)streams;
    if (no_redis)
        return error_set("no Redis today");
    *io = (struct redis_io){.ops = &redis_ops};
    clients++;
    return 0;
}

static void ports_set(void)
{
    log_open(LOG_LEVEL_ERROR, LOG_FORM_TEXT);
    ports = (struct ports){.consumer_open = consumer_open, .producer_open = producer_open,
                           .redis_open = redis_open};
    clients = 0;
}

/* Every number of workers makes a graph that passes the engine's checks, steps and stops. */
static void every_width(void **state)
{
    static const char *const widths[] = {"runners.workers=1", "runners.workers=3",
                                         "runners.workers=16"};

    (void)state;
    ports_set();
    for (int i = 0; i < 3; i++) {
        const char *const assignments[] = {widths[i], "kafka.topics.scans=scans", NULL};
        struct config *config = config_of(assignments);
        const struct graph_plan *plan = topology_plan(config);
        struct graph *graph = graph_create(plan, config);

        if (graph == NULL)
            fail_msg("%s: %s", widths[i], error_text());
        assert_int_equal(graph_stages(graph), 5 + 2 * plan->workers);
        assert_int_equal(clients, 3);
        for (uint64_t t = 1; t < 20; t++)
            for (uint32_t s = 0; s < graph_stages(graph); s++)
                assert_true(graph_step(graph, s, t * 1000000000) >= 0);
        graph_stop(graph);
        for (uint64_t t = 20; t < 2000 && !graph_halted(graph); t++)
            for (uint32_t s = 0; s < graph_stages(graph); s++)
                (void)graph_step(graph, s, t * 1000000000);
        assert_true(graph_halted(graph));
        assert_false(graph_failed(graph));
        graph_destroy(graph);
        assert_int_equal(clients, 0);
        config_destroy(config);
    }
}

/* A client that cannot be had: said, and what was opened before is given back. */
static void no_start(void **state)
{
    struct config *config = config_of(NULL);

    (void)state;
    ports_set();
    no_redis = true;
    assert_null(graph_create(topology_plan(config), config));
    no_redis = false;
    assert_non_null(strstr(error_text(), "no Redis today"));
    assert_int_equal(clients, 0);
    error_clear();
    config_destroy(config);
}

static void printed(void **state)
{
    static const char *const wanted[] = {
        "digraph", "worker × 2", "\"source_kafka\" -> \"decode\" [label=\"raw",
        "\"decode\" -> \"track\" [label=\"scans", "\"decode\" -> \"dead_letter\" [label=\"rejects",
        "\"dead_letter\" -> \"sink_kafka\" [label=\"outputs",
        "\"track\" -> \"checkpoint\" [label=\"outputs",
        "\"track\" -> \"checkpoint\" [label=\"writes",
        "\"checkpoint\" -> \"sink_kafka\" [label=\"outputs",
        "\"checkpoint\" -> \"store_redis\" [label=\"writes"};
    static const char *const assignments[] = {"runners.workers=2", NULL};
    struct config *config = config_of(assignments);
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);

    (void)state;
    graph_print(topology_plan(config), file);
    assert_int_equal(fclose(file), 0);
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        if (strstr(text, wanted[i]) == NULL)
            fail_msg("no %s in %s", wanted[i], text);
    free(text);
    config_destroy(config);
}

/* What the settings say of runners is what the plan says. */
static void plans(void **state)
{
    static const char *const assignments[] = {"runners.workers=5", "runners.fused=true",
                                              "runners.drain_max=7s", NULL};
    struct config *config = config_of(assignments);
    const struct graph_plan *plan = topology_plan(config);

    (void)state;
    assert_int_equal(plan->workers, 5);
    assert_true(plan->fused);
    assert_int_equal(plan->drain_ms_max, 7000);
    config_destroy(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row), cmocka_unit_test(hashes), cmocka_unit_test(refused),
        cmocka_unit_test(health), cmocka_unit_test(out_of_the_group),
        cmocka_unit_test(phases), cmocka_unit_test(every_width),
        cmocka_unit_test(no_start), cmocka_unit_test(printed), cmocka_unit_test(plans),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
