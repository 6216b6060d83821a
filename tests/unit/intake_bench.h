/* intake_bench.h - source_kafka between the models of its tests, and their common steps. */
#ifndef TESTS_UNIT_INTAKE_BENCH_H
#define TESTS_UNIT_INTAKE_BENCH_H

#include "intake_log.h"
#include "intake_peer.h"
#include "pipeline/log.h"
#include "stages/scan/scan.h"

static struct {
    struct config *config;
    struct graph  *graph;
    bool           stopped;
} bench;

static void begin(const char *setting)
{
    memset(&broker, 0, sizeof broker);
    memset(&decode, 0, sizeof decode);
    memset(board, 0, sizeof board);
    broker.partitions = LOGS;
    for (int p = 0; p < LOGS; p++) {
        broker.logs[p].high = 100;
        broker.logs[p].at = broker.logs[p].group = -1;
    }
    wall_ms = 1000000;
    clock_use(&model_clock);
    log_open(LOG_LEVEL_ERROR, LOG_FORM_TEXT);
    ports.consumer_open = model_open;
    bench.config = config_create(rows, sizeof rows / sizeof rows[0]);
    if (setting != NULL)
        assert_int_equal(config_set(bench.config, setting), 0);
    assert_int_equal(config_finish(bench.config), 0);
    bench.graph = graph_create(&plan, bench.config);
    bench.stopped = false;
    assert_non_null(bench.graph);
}

static void stop(void)
{
    if (!bench.stopped) /* a second time would give the drain up */
        graph_stop(bench.graph);
    bench.stopped = true;
}

static void step(int64_t ms)
{
    for (int64_t i = 0; i < ms; i++) {
        wall_ms++;
        for (uint32_t s = 0; s < 2; s++)
            (void)graph_step(bench.graph, s, now());
    }
}

static void assign(int32_t count)
{
    for (int32_t p = 0; p < count; p++)
        broker.given[p] = p;
    tell((struct consumer_event){.kind = CONSUMER_ASSIGNED, .count = count,
                                 .partitions = broker.given});
    step(5);
}

static void answer_start(int32_t partition, int64_t offset)
{
    struct passage *passage = wanted(PASSAGE_ASSIGN, partition);
    uint32_t        length;

    passage->answer = ANSWER_START;
    passage->offset = offset;
    passage->epoch = 78;
    passage->check_valid = offset > 0;
    passage->check_kafka_ms = (offset - 1) * 10;
    const char *key = key_of(offset > 0 ? offset - 1 : 0, &length);

    passage->check_home = parcel_home(key, length);
    home((uint32_t)find(PASSAGE_ASSIGN, partition));
    step(5);
}

static inline void answer(enum passage_event event, int32_t partition,
                          enum passage_answer what, int64_t offset)
{
    struct passage *passage = wanted(event, partition);

    passage->answer = (uint8_t)what;
    passage->offset = offset;
    passage->epoch = 78;
    home((uint32_t)find(event, partition));
    step(5);
}

/* The scans of a partition are through. */
static inline void through(int32_t partition)
{
    while (find(PASSAGE_SCANS, partition) >= 0)
        home((uint32_t)find(PASSAGE_SCANS, partition));
    step(5);
}

/* Everything home, drained, and nothing left anywhere. */
static void end(void)
{
    stop();
    decode.holding = false;
    for (int i = 0; i < 60 * SECOND && !graph_halted(bench.graph); i++) {
        step(1);
        while (decode.count > 0)
            home(0);
    }
    assert_true(graph_halted(bench.graph));
    assert_false(graph_failed(bench.graph));
    assert_int_equal(broker.out, 0);
    graph_destroy(bench.graph);
    assert_int_equal(broker.closed, 1);
    config_destroy(bench.config);
    clock_use(NULL);
}

static inline void give_up(void)
{
    graph_destroy(bench.graph);
    config_destroy(bench.config);
    clock_use(NULL);
}

#endif
