/* outlet_gate.h - the stage checkpoint between a worker that says what a test wants, a Kafka
 * that keeps what it is given until told, and a Redis that holds one mark a partition and
 * fails as told. */
#ifndef TESTS_UNIT_OUTLET_GATE_H
#define TESTS_UNIT_OUTLET_GATE_H

#include <stdio.h>
#include <string.h>

#include "pipeline/clock.h"
#include "pipeline/env.h"
#include "pipeline/graph.h"
#include "pipeline/log.h"
#include "pipeline/metric.h"
#include "stages/board.h"
#include "stages/kinds.h"
#include "stages/outlet/outlet.h"
#include "stages/outlet/output.h"
#include "stages/outlet/request.h"
#include "stages/ports.h"

enum { PARTITIONS = 4, QUEUE = 64, TO_CHECKPOINT_OUTPUTS = 0, TO_WRITES = 1 };

/* The rooms of the real ones are above this one. */
struct ports ports;
struct board_row board[BOARD_PARTITIONS_MAX];

/* ── The worker ───────────────────────────────────────────────────────────── */

static struct {
    struct pool  *outputs, *writes;
    struct batch *next[QUEUE];
    uint32_t      first, last;
    struct back_output { uint64_t ordinal; enum outcome outcome; } outputs_back[QUEUE];
    struct request requests_back[QUEUE];
    uint32_t      outputs_count, requests_count;
    uint32_t      assignment[PARTITIONS];
} worker;

static int worker_init(struct stage *stage, const struct config *config)
{
    static const struct batch_shape
        outputs = {.kind = KIND_OUTPUTS, .head_size = sizeof(struct outputs),
                   .record_size = sizeof(struct output), .capacity = 4},
        writes = {.kind = KIND_WRITES, .head_size = sizeof(struct request)};

    (void)config;
    worker.outputs = stage_pool(stage, TO_CHECKPOINT_OUTPUTS, &outputs);
    worker.writes = stage_pool(stage, TO_WRITES, &writes);
    return 0;
}

static int worker_tick(struct stage *stage, uint64_t now_ns)
{
    (void)now_ns;
    if (worker.first == worker.last)
        return 0;
    struct batch **batch = &worker.next[worker.first++ % QUEUE];

    stage_emit(stage, (*batch)->kind == KIND_OUTPUTS ? TO_CHECKPOINT_OUTPUTS : TO_WRITES, batch);
    return 1;
}

static void worker_return(struct stage *stage, struct batch *batch)
{
    (void)stage;
    if (batch->kind == KIND_OUTPUTS) {
        assert_null(batch->kept);
        worker.outputs_back[worker.outputs_count++] = (struct back_output){
            ((struct outputs *)batch->head)->ordinal, batch->outcome};
    } else {
        worker.requests_back[worker.requests_count++] = *(struct request *)batch->head;
    }
    assert_true(worker.outputs_count < QUEUE && worker.requests_count < QUEUE);
    pool_give(batch->pool, &batch);
}

static void worker_fini(struct stage *stage)
{
    (void)stage;
    pool_destroy(worker.outputs);
    pool_destroy(worker.writes);
}

static const struct stage_type type_worker = {
    .name = "worker", .state_size = 1, .outputs_min = 2, .outputs_max = 2, .burst = 1,
    .init = worker_init, .on_tick = worker_tick, .on_return = worker_return,
    .fini = worker_fini};

/* ── Kafka and Redis ──────────────────────────────────────────────────────── */

enum fault { NONE, UNSENT, LOST_APPLIED, LOST_NOT_APPLIED, REFUSED, TOUCHED };

static struct keeper {
    struct batch *held[QUEUE];
    uint32_t      count, finish;
    enum outcome  outcome;
} kafka;

static struct {
    struct batch *held[QUEUE];
    uint32_t      count, asked, reads, writes;
    bool          hold;
    enum fault    fault;      /* of the next request */
    char          marks[PARTITIONS][MARK_TEXT_MAX];
    struct request last;
} redis;

static enum stage_verdict kafka_on_batch(struct stage *stage, struct batch *batch, uint64_t now_ns)
{
    (void)stage, (void)now_ns;
    kafka.held[kafka.count++] = batch;
    return STAGE_TAKEN;
}

static int kafka_on_tick(struct stage *stage, uint64_t now_ns)
{
    int work = 0;

    (void)now_ns;
    for (; kafka.finish > 0 && kafka.count > 0; kafka.finish--, work++) {
        stage_finish(stage, &kafka.held[0], kafka.outcome);
        memmove(kafka.held, kafka.held + 1, --kafka.count * sizeof *kafka.held);
    }
    return work;
}

static enum stage_verdict redis_on_batch(struct stage *stage, struct batch *batch, uint64_t now_ns)
{
    (void)stage, (void)now_ns;
    redis.held[redis.count++] = batch;
    redis.asked++;
    redis.last = *(struct request *)batch->head;
    return STAGE_TAKEN;
}

/* As store_redis answers: the mark found, or none, and why. */
static enum request_answer compare(struct request *request, const char *mark)
{
    request->mark = (struct mark){.partitions = 0};
    request->text[0] = '\0';
    if (strcmp(request->expected, mark) == 0)
        return REQUEST_APPLIED;
    if (mark[0] == '\0')
        (void)snprintf(request->text, sizeof request->text, "absent");
    else
        assert_int_equal(mark_parse(mark, strlen(mark), &request->mark), 0);
    return REQUEST_DIFFERS;
}

static enum request_answer carry_out(struct request *request, char *mark)
{
    enum fault fault = redis.fault;
    enum request_answer answer;

    redis.fault = NONE;
    if (fault == UNSENT)
        return REQUEST_UNSENT;
    if (fault == LOST_NOT_APPLIED)
        return REQUEST_UNKNOWN;
    if (fault == REFUSED) {
        (void)snprintf(request->text, sizeof request->text, "OOM");
        return REQUEST_REFUSED;
    }
    if (request->kind == REQUEST_READ) {
        redis.reads++;
        return REQUEST_APPLIED;
    }
    answer = compare(request, mark);
    if (fault == TOUCHED && answer == REQUEST_APPLIED)
        return REQUEST_DIFFERS;
    if (answer == REQUEST_APPLIED && request->kind == REQUEST_CUT) {
        assert_true(request->guarded);
        memcpy(mark, request->wanted, MARK_TEXT_MAX);
        redis.writes++;
    }
    return fault == LOST_APPLIED ? REQUEST_UNKNOWN : answer;
}

static int redis_on_tick(struct stage *stage, uint64_t now_ns)
{
    int work = (int)redis.count;

    (void)now_ns;
    if (redis.hold)
        return 0;
    for (uint32_t i = 0; i < redis.count; i++) {
        struct request *request = redis.held[i]->head;

        request->answer = (uint8_t)carry_out(request, redis.marks[redis.held[i]->partition]);
        stage_finish(stage, &redis.held[i], OUTCOME_DONE);
    }
    redis.count = 0;
    return work;
}

static const struct stage_type
    type_kafka = {.name = "kafka", .state_size = 1, .inputs_min = 1, .inputs_max = 1, .burst = 1,
                  .on_batch = kafka_on_batch, .on_tick = kafka_on_tick},
    type_redis = {.name = "redis", .state_size = 1, .inputs_min = 1, .inputs_max = 1, .burst = 1,
                  .on_batch = redis_on_batch, .on_tick = redis_on_tick};

/* ── The graph ────────────────────────────────────────────────────────────── */

static const struct graph_stage stages[] = {
    {&type_worker, "worker", 0}, {&stage_checkpoint, "worker", 0}, {&type_redis, "out", 1},
    {&type_kafka, "out", 1}};
static const struct graph_link links[] = {
    {"worker", "checkpoint", KIND_OUTPUTS, 32, 32}, {"worker", "checkpoint", KIND_WRITES, 32, 32},
    {"checkpoint", "kafka", KIND_OUTPUTS, 32, 32}, {"checkpoint", "redis", KIND_WRITES, 32, 32}};
static const char *const kinds[KINDS] = {"raw", "scans", "rejects", "outputs", "writes"};
static const struct graph_plan plan = {
    .stages = stages, .stages_count = 4, .links = links, .links_count = 4, .kinds = kinds,
    .workers = 1, .fused = 1};

static struct graph *graph;
static uint64_t      now_ns, boot_ns;
static int64_t       wall_ms;

static uint64_t monotonic(void *self) { (void)self; return now_ns; }
static uint64_t boot(void *self) { (void)self; return boot_ns; }
static int64_t wall(void *self) { (void)self; return wall_ms; }
static const struct clock_source source = {monotonic, wall, boot, NULL};

static void turn(void)
{
    for (int i = 0; i < 12; i++)
        for (uint32_t s = 0; s < graph_stages(graph); s++)
            (void)graph_step(graph, s, now_ns);
}

static void pass_ms(uint32_t ms)
{
    for (uint32_t i = 0; i < ms; i += 10) {
        now_ns += 10000000, boot_ns += 10000000, wall_ms += 10;
        turn();
    }
}

static int setup(void **state)
{
    (void)state;
    memset(&worker, 0, sizeof worker);
    memset(&kafka, 0, sizeof kafka);
    memset(&redis, 0, sizeof redis);
    now_ns = boot_ns = 5000000000;
    wall_ms = 1731312000000;
    clock_use(&source);
    env_seed(4711);
    log_open(LOG_LEVEL_ERROR, LOG_FORM_TEXT);
    graph = graph_create(&plan, NULL);
    return graph == NULL;
}

static void finish(uint32_t count, enum outcome outcome)
{
    kafka.finish = count;
    kafka.outcome = outcome;
    turn();
}

static struct batch *add(struct pool *pool, int32_t partition)
{
    struct batch *batch = pool_take(pool);

    batch->partition = partition;
    batch->assignment = worker.assignment[partition];
    worker.next[worker.last++ % QUEUE] = batch;
    return batch;
}

static struct request *ask(int32_t partition, enum request_kind kind)
{
    struct request *request = add(worker.writes, partition)->head;

    request->kind = (uint8_t)kind;
    return request;
}

static void say(int32_t partition, enum output_mode mode, uint64_t ordinal)
{
    struct outputs *head = add(worker.outputs, partition)->head;

    head->mode = (uint8_t)mode;
    head->ordinal = ordinal;
    turn();
}

static void cut(uint64_t ordinal, uint64_t outputs, int64_t offset)
{
    struct request *request = ask(1, REQUEST_CUT);

    request->ordinal = ordinal;
    request->outputs = outputs;
    request->mark = (struct mark){.offset = offset, .records = 3, .kafka_ms = 5, .home = 6};
    turn();
}

static const struct request *answered(void)
{
    assert_true(worker.requests_count > 0);
    return &worker.requests_back[worker.requests_count - 1];
}

static struct mark mark_of(int32_t partition)
{
    struct mark mark;

    assert_int_equal(mark_parse(redis.marks[partition], strlen(redis.marks[partition]), &mark), 0);
    return mark;
}

static void put_mark(int32_t partition, uint64_t epoch, uint64_t sequence, int64_t offset)
{
    const struct mark mark = {.partitions = 4, .buckets = 8, .epoch = epoch, .owner = 99,
                              .sequence = sequence, .offset = offset, .records = 17,
                              .kafka_ms = -1, .home = -1};

    mark_print(&mark, redis.marks[partition]);
}

static void claim(int32_t partition)
{
    worker.assignment[partition]++;
    struct request *request = ask(partition, REQUEST_CLAIM);

    request->partitions = 4;
    request->buckets = 8;
    request->first_offset = 40;
    turn();
}

static void owned(void)
{
    claim(1);
    assert_int_equal(answered()->answer, REQUEST_APPLIED);
    redis.asked = redis.writes = 0;
}

static int teardown(void **state)
{
    (void)state;
    redis.hold = false;
    for (int32_t partition = 0; partition < PARTITIONS; partition++)
        if (worker.assignment[partition] != 0)
            (void)ask(partition, REQUEST_RELEASE);
    turn();
    finish(QUEUE, OUTCOME_DONE);
    assert_int_equal(pool_free(worker.writes), pool_size(worker.writes));
    assert_int_equal(pool_free(worker.outputs), pool_size(worker.outputs));
    graph_stop(graph);
    for (int i = 0; i < 10; i++)
        turn();
    assert_true(graph_halted(graph) && !graph_failed(graph));
    graph_destroy(graph);
    clock_use(NULL);
    env_seed(0);
    return 0;
}

#endif
