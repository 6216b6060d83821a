/* track_bench.h - the stage track between a source that says what a test wrote and a gate
 * that answers as checkpoint does, out of a small Redis: keys, fields, values. */
#ifndef TESTS_UNIT_TRACK_BENCH_H
#define TESTS_UNIT_TRACK_BENCH_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/clock.h"
#include "pipeline/config.h"
#include "pipeline/graph.h"
#include "pipeline/log.h"
#include "stages/board.h"
#include "stages/intake/passage.h"
#include "stages/kinds.h"
#include "stages/outlet/output.h"
#include "stages/outlet/request.h"
#include "stages/parcel/record.h"
#include "stages/ports.h"
#include "stages/scan/format.h"
#include "stages/settings.h"
#include "stages/track.h"
#include "tests/unit/track_redis.h"

#ifndef BENCH_PARTITIONS
#define BENCH_PARTITIONS 4
#define BENCH_SEEN 1024
#define BENCH_OUTPUTS 64   /* batches of outputs that may be out at once */
#endif

enum { PARTITIONS = BENCH_PARTITIONS, BUCKETS = 8, SEEN_MAX = BENCH_SEEN, HELD = 256,
       TEXTS = 4096, TEXT_BYTES = 320, BODY_MAX = 1 << 20, T0 = 1731312000, HOURS = 3600,
       DAYS = 86400 };

struct ports ports; /* the room of the real ones is above this one */

static struct {
    struct { bool there; struct mark mark; } marks[PARTITIONS];
    bool     hold_cuts, hold_outputs;
    uint32_t fail;                    /* so many batches of outputs are not acknowledged  */
    uint8_t  answer;                  /* of the next cut or look; 0 = APPLIED             */
    uint64_t applied[PARTITIONS];     /* ordinal of the last cut                          */
    struct batch *held[HELD];
    uint32_t held_count;

    struct seen { int32_t partition; struct request request; } requests[SEEN_MAX];
    uint32_t requests_count;
    char     body[BODY_MAX];          /* of the last CUT                                  */
    size_t   body_length;
    struct told {
        int32_t  partition;
        uint8_t  topic, mode;
        uint64_t ordinal, alert;
        uint64_t applied;             /* cut applied in Redis when it came                     */
        uint16_t sequence;
        char     key[64], value[VALUE_MAX];
        char     trace[64];           /* header traceparent                               */
    } told[SEEN_MAX];
    uint32_t told_count;
} gate;

static struct {
    struct config *config;
    struct graph  *graph;
    struct pool   *pool;
    struct batch  *next;              /* the source emits it                              */
    uint64_t       now_ns;
    int64_t        wall_ms;
    uint32_t       assignment[PARTITIONS];
    int64_t        offset[PARTITIONS];
    struct home { int32_t partition; struct passage passage; } home[SEEN_MAX];
    uint32_t       home_count, texts;
} bench;

static char texts[TEXTS][TEXT_BYTES];

/* ── The gate ─────────────────────────────────────────────────────────────── */

static void answer_claim(struct request *request, int32_t partition)
{
    struct mark *mark = &gate.marks[partition].mark;

    request->fresh = !gate.marks[partition].there;
    if (request->fresh)
        *mark = (struct mark){.partitions = request->partitions, .buckets = request->buckets,
                              .offset = request->first_offset, .epoch = 1000,
                              .kafka_ms = -1, .home = -1};
    mark->epoch++;
    mark->owner = 7;
    mark->sequence = 0;
    gate.marks[partition].there = true;
    gate.applied[partition] = 0;
    request->answer = REQUEST_APPLIED;
}

static void answer_read(struct request *request)
{
    static struct command command;
    const char *at = request->body->bytes, *end = at + request->body->used;

    struct redis_replies replies = {.list = NULL};

    redis_replies_open(&replies);
    redis_replies_build(&replies, request->commands);
    while (command_read(&at, end, &command))
        command_answer(&command, &replies);
    redis_replies_take(&replies, request);
    redis_replies_close(&replies);
    request->answer = REQUEST_APPLIED;
}

static void answer_cut(struct request *request, int32_t partition)
{
    static struct command command;
    struct mark *mark = &gate.marks[partition].mark, was = *mark;
    const char *at = request->body->bytes, *end = at + request->body->used;
    uint32_t commands = 0;

    for (; command_read(&at, end, &command); commands++)
        command_run(&command);
    assert_int_equal(commands, request->commands);
    *mark = request->mark;
    mark->partitions = was.partitions;
    mark->buckets = was.buckets;
    mark->epoch = was.epoch;
    mark->owner = was.owner;
    mark->sequence = was.sequence + 1;
    gate.applied[partition] = request->ordinal;
    request->answer = REQUEST_APPLIED;
}

static void answer(struct stage *stage, struct batch *batch)
{
    struct request *request = batch->head;

    if (gate.answer != 0 && (request->kind == REQUEST_CUT || request->kind == REQUEST_LOOK)) {
        request->answer = gate.answer;
        gate.answer = 0;
    } else if (request->kind == REQUEST_CLAIM) {
        answer_claim(request, batch->partition);
    } else if (request->kind == REQUEST_READ) {
        answer_read(request);
    } else if (request->kind == REQUEST_CUT) {
        answer_cut(request, batch->partition);
    } else {
        request->answer = REQUEST_APPLIED;
    }
    request->mark = gate.marks[batch->partition].mark;
    stage_finish(stage, &batch, OUTCOME_DONE);
}

static void see_outputs(const struct batch *batch)
{
    const struct outputs *head = batch->head;
    const struct output *output = batch->records;

    for (uint32_t i = 0; i < batch->count; i++, output++) {
        struct told *told = &gate.told[gate.told_count++];

        assert_true(gate.told_count < SEEN_MAX && output->length < VALUE_MAX);
        *told = (struct told){.partition = batch->partition, .topic = output->topic,
                              .mode = head->mode, .ordinal = head->ordinal,
                              .applied = gate.applied[batch->partition],
                              .alert = output->alert,
                              .sequence = output->sequence};
        memcpy(told->key, output->key, output->key_length);
        memcpy(told->value, output->value, output->length);
        for (uint8_t h = 0; h < output->headers_count; h++)
            if (strcmp(output->headers[h].name, "traceparent") == 0)
                memcpy(told->trace, output->headers[h].value, output->headers[h].length);
    }
}

static void see_request(const struct batch *batch)
{
    const struct request *request = batch->head;

    gate.requests[gate.requests_count++] = (struct seen){batch->partition, *request};
    assert_true(gate.requests_count < SEEN_MAX);
    if (request->kind != REQUEST_CUT)
        return;
    assert_true(request->body->used <= BODY_MAX);
    gate.body_length = request->body->used;
    if (gate.body_length > 0)
        memcpy(gate.body, request->body->bytes, gate.body_length);
}

static bool gate_holds(const struct batch *batch)
{
    const struct request *request = batch->head;

    if (batch->kind == KIND_WRITES)
        return request->kind == REQUEST_CUT && gate.hold_cuts;
    return gate.hold_outputs;
}

static void gate_drop(struct stage *stage, const struct batch *release)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < gate.held_count; i++) {
        struct batch *batch = gate.held[i];

        if (batch->partition != release->partition || batch->assignment != release->assignment) {
            gate.held[kept++] = batch;
            continue;
        }
        if (batch->kind == KIND_WRITES)
            ((struct request *)batch->head)->answer = REQUEST_GONE;
        stage_finish(stage, &batch, OUTCOME_FAILED);
    }
    gate.held_count = kept;
}

static enum stage_verdict gate_on_batch(struct stage *stage, struct batch *batch, uint64_t now_ns)
{
    (void)now_ns;
    if (batch->kind == KIND_OUTPUTS) {
        see_outputs(batch);
    } else {
        see_request(batch);
        if (((struct request *)batch->head)->kind == REQUEST_RELEASE)
            gate_drop(stage, batch);
    }
    assert_true(gate.held_count < HELD);
    gate.held[gate.held_count++] = batch;
    return STAGE_TAKEN;
}

static enum outcome gate_outcome(void)
{
    if (gate.fail == 0)
        return OUTCOME_DONE;
    gate.fail--;
    return OUTCOME_FAILED;
}

static int gate_on_tick(struct stage *stage, uint64_t now_ns)
{
    uint32_t kept = 0, count = gate.held_count;

    (void)now_ns;
    for (uint32_t i = 0; i < count; i++) {
        struct batch *batch = gate.held[i];

        if (gate_holds(batch))
            gate.held[kept++] = batch;
        else if (batch->kind == KIND_WRITES)
            answer(stage, batch);
        else
            stage_finish(stage, &batch, gate_outcome());
    }
    gate.held_count = kept;
    return (int)(count - kept);
}

static const struct stage_type type_gate = {
    .name = "gate", .state_size = 1, .inputs_min = 2, .inputs_max = 2, .burst = 1,
    .on_batch = gate_on_batch, .on_tick = gate_on_tick};

/* ── The source ───────────────────────────────────────────────────────────── */

static int source_init(struct stage *stage, const struct config *config)
{
    static const struct batch_shape shape = {
        .kind = KIND_SCANS, .head_size = sizeof(struct passage),
        .record_size = sizeof(struct scan), .capacity = SCANS_RECORDS};

    (void)config;
    bench.pool = stage_pool(stage, 0, &shape);
    return 0;
}

static int source_tick(struct stage *stage, uint64_t now_ns)
{
    (void)now_ns;
    if (bench.next == NULL)
        return 0;
    stage_emit(stage, 0, &bench.next);
    return 1;
}

static void source_return(struct stage *stage, struct batch *batch)
{
    (void)stage;
    assert_true(bench.home_count < SEEN_MAX);
    bench.home[bench.home_count++] =
        (struct home){batch->partition, *(const struct passage *)batch->head};
    pool_give(bench.pool, &batch);
}

static void source_fini(struct stage *stage)
{
    (void)stage;
    pool_destroy(bench.pool);
}

static const struct stage_type type_source = {
    .name = "source", .state_size = 1, .outputs_min = 1, .outputs_max = 1, .burst = 1,
    .init = source_init, .on_tick = source_tick, .on_return = source_return, .fini = source_fini};

/* ── The graph ────────────────────────────────────────────────────────────── */

static const struct graph_stage bench_stages[] = {
    {&type_source, "in", 1}, {&stage_track, "worker", 0}, {&type_gate, "out", 1}};
static const struct graph_link bench_links[] = {
    {"source", "track", KIND_SCANS, 64, 128},
    {"track", "gate", KIND_OUTPUTS, 64, BENCH_OUTPUTS},
    {"track", "gate", KIND_WRITES, 64, 64}};
static const char *const bench_kinds[KINDS] = {"raw", "scans", "rejects", "outputs", "writes"};
static const struct graph_plan bench_plan = {
    .stages = bench_stages, .stages_count = 3, .links = bench_links, .links_count = 3,
    .kinds = bench_kinds, .workers = 1, .fused = 1};

static uint64_t bench_ns(void *self) { (void)self; return bench.now_ns; }
static int64_t bench_ms(void *self) { (void)self; return bench.wall_ms; }
static const struct clock_source bench_clock = {bench_ns, bench_ms, bench_ns, NULL};

/* Turns all stages until none has work. */
static void turn(void)
{
    int work = 1;

    for (int i = 0; work > 0; i++) {
        assert_true(i < 10000);
        work = 0;
        for (uint32_t s = 0; s < graph_stages(bench.graph); s++)
            work += graph_step(bench.graph, s, bench.now_ns) > 0;
    }
}

static inline void pass_ms(uint32_t ms)
{
    bench.now_ns += (uint64_t)ms * 1000000;
    turn();
}

static void bench_open(const char *const *settings)
{
    static const char *const fixed[] = {
        "kafka.group=g", "redis.buckets=8", "checkpoint.interval=1s",
        "checkpoint.records_max=100", "model.cells_max=64", NULL};
    size_t rows;
    const struct config_row *table = settings_rows(&rows);

    memset(entries, 0, sizeof entries);
    memset(&gate, 0, sizeof gate);
    memset(&bench, 0, sizeof bench);
    memset(board, 0, sizeof board);
    bench.now_ns = 1000000000;
    bench.wall_ms = (T0 + 1000LL * DAYS) * 1000;
    clock_use(&bench_clock);
    log_open(LOG_LEVEL_ERROR, LOG_FORM_TEXT);
    bench.config = config_create(table, rows);
    for (int i = 0; fixed[i] != NULL; i++)
        assert_int_equal(config_set(bench.config, fixed[i]), 0);
    for (int i = 0; settings != NULL && settings[i] != NULL; i++)
        assert_int_equal(config_set(bench.config, settings[i]), 0);
    assert_int_equal(config_finish(bench.config), 0);
    bench.graph = graph_create(&bench_plan, bench.config);
    assert_non_null(bench.graph);
}

/* The process dies where it stands, and another begins. */
static inline void bench_crash(void)
{
    graph_destroy(bench.graph);
    gate.held_count = gate.requests_count = gate.told_count = bench.home_count = 0;
    bench.graph = graph_create(&bench_plan, bench.config);
    assert_non_null(bench.graph);
}

/* Everything comes home by itself. */
static void bench_close(void)
{
    gate.hold_cuts = gate.hold_outputs = false;
    graph_stop(bench.graph);
    for (int i = 0; i < 100 && !graph_halted(bench.graph); i++)
        pass_ms(1);
    assert_true(graph_halted(bench.graph));
    assert_false(graph_failed(bench.graph));
    graph_destroy(bench.graph);
    config_destroy(bench.config);
    clock_use(NULL);
}

/* ── What a test says ─────────────────────────────────────────────────────── */

static inline struct passage *begin(int32_t partition, enum passage_event event)
{
    struct batch *batch = pool_take(bench.pool);
    struct passage *passage = batch->head;

    batch->partition = partition;
    batch->assignment = bench.assignment[partition];
    batch->offset_first = batch->offset_next = bench.offset[partition];
    *passage = (struct passage){.event = (uint8_t)event, .partitions = PARTITIONS,
                                .high = -1,
                                .settled = bench.offset[partition]};
    bench.next = batch;
    return passage;
}

/* A scan for the batch begun, as Kafka got it `at_s`; `more`: ",\"next\":\"X\"" or "". */
static inline struct scan *scan(const char *number, const char *code, const char *place,
                                uint32_t at_s, const char *more)
{
    char time[TIME_TEXT], *text = texts[bench.texts++ % TEXTS];
    struct batch *batch = bench.next;
    struct scan *scan = (struct scan *)batch->records + batch->count++;
    struct passage *passage = batch->head;
    int64_t at_ms = (int64_t)at_s * 1000;

    (void)time_print(at_ms, time);
    int length = snprintf(text, TEXT_BYTES, "{\"parcel\":\"%s\",\"code\":\"%s\",\"time\":"
                          "\"%.24s\",\"facility\":\"%s\"%s}", number, code, time, place, more);
    struct verdict verdict = format_json.decode(text, (size_t)length, NULL, 0, at_ms, NULL, scan);

    assert_true(length < TEXT_BYTES);
    assert_string_equal(reject_name(verdict.reject), reject_name(REJECT_NONE));
    scan->offset = batch->offset_next++;
    scan->kafka_ms = at_ms;
    passage->settled = batch->offset_next;
    return scan;
}

static inline void emit(void)
{
    bench.offset[bench.next->partition] = bench.next->offset_next;
    turn();
}

static inline void one_scan(const char *number, const char *code, const char *place, uint32_t at_s)
{
    (void)begin(1, PASSAGE_SCANS);
    (void)scan(number, code, place, at_s, "");
    emit();
}

static inline void order(int32_t partition, enum passage_event event)
{
    (void)begin(partition, event);
    emit();
}

/* A partition is given and claimed, at the end of which it runs. */
static inline void assign(int32_t partition, enum group_kind group, int64_t first)
{
    bench.assignment[partition]++;
    struct passage *passage = begin(partition, PASSAGE_ASSIGN);

    passage->group = (uint8_t)group;
    passage->first = passage->high = first;
    emit();
    if (gate.marks[partition].there)
        bench.offset[partition] = gate.marks[partition].mark.offset;
}

/* ── What a test asks ─────────────────────────────────────────────────────── */

/* The latest passage of an event that came home, or NULL. */
static inline const struct passage *came_home(int32_t partition, enum passage_event event)
{
    for (uint32_t i = bench.home_count; i-- > 0;)
        if (bench.home[i].partition == partition && bench.home[i].passage.event == event)
            return &bench.home[i].passage;
    return NULL;
}

static inline uint32_t asked(enum request_kind kind)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < gate.requests_count; i++)
        count += gate.requests[i].request.kind == kind;
    return count;
}

static inline const struct request *last_asked(enum request_kind kind)
{
    for (uint32_t i = gate.requests_count; i-- > 0;)
        if (gate.requests[i].request.kind == kind)
            return &gate.requests[i].request;
    fail_msg("nothing was asked");
    return NULL;
}

/* Does the last cut mention it? */
static inline bool cut_has(const char *text)
{
    return memmem(gate.body, gate.body_length, text, strlen(text)) != NULL;
}

/* The alert of this kind told nth, from 0, or NULL; `type` by its JSON. */
static inline const struct told *told_alert(const char *type, int which)
{
    char wanted[64];

    (void)snprintf(wanted, sizeof wanted, "\"type\":\"%s\"", type);
    for (uint32_t i = 0; i < gate.told_count; i++)
        if (gate.told[i].topic == TOPIC_ALERTS && strstr(gate.told[i].value, wanted) != NULL &&
            which-- == 0)
            return &gate.told[i];
    return NULL;
}

static inline const char *key_of(int32_t partition, const char *suffix)
{
    static char key[64];

    (void)key_print(key, sizeof key, "g", "scans", partition, suffix);
    return key;
}

/* The parcel as Redis has it; false: it has none. */
static inline bool stored(int32_t partition, const char *number, struct parcel *parcel)
{
    char suffix[16];
    uint32_t home = parcel_home(number, strlen(number));

    (void)snprintf(suffix, sizeof suffix, "b%08x", home / PARTITIONS % BUCKETS);
    const struct entry *entry = entry_find(key_of(partition, suffix), number);

    if (entry == NULL)
        return false;
    memset(parcel, 0, sizeof *parcel);
    assert_int_equal(record_unpack(entry->value, entry->length, parcel), 0);
    return true;
}

#endif
