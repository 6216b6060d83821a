/* decode - Kafka's bytes become scans, and what is no scan takes the reject edge.
 *
 *   RAW ─► decode ─► one SCANS batch, also without a scan in it: offsets, clock and events
 *                    of a partition must reach its worker (partition % workers)
 *                 └► REJECTS batches, when there are dead letters not yet sent
 *
 * Scans slice the bytes of their messages, so a RAW batch is a *flight*: it goes home when
 * its SCANS batch and all its REJECTS batches are back, with the answers of the SCANS batch.
 *
 * Dead letters are outputs like any other: no offset above one may be stored before Kafka
 * has it.  A ledger per partition and assignment holds the first offset of each REJECTS
 * batch under way; its watermark travels to the worker as `settled`.  The source's pulses
 * carry it too, so that it arrives where no scan follows.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/check.h"
#include "pipeline/clock.h"
#include "pipeline/config.h"
#include "pipeline/error.h"
#include "pipeline/graph.h"
#include "pipeline/ledger.h"
#include "pipeline/log.h"
#include "pipeline/metric.h"
#include "stages/board.h"
#include "stages/intake/intake.h"
#include "stages/intake/passage.h"
#include "stages/scan/format.h"

enum {
    BURST       = RAW_RECORDS / REJECTS_RECORDS, /* every record of a batch may be a dead letter */
    FLIGHTS     = 256,
    SCRATCH     = RAW_RECORDS * SCAN_SCRATCH,    /* touched only where texts have escapes       */
    AHEAD       = 3,                             /* messages fetched into the cache beforehand  */
    AHEAD_BYTES = 320                            /* of each                                    */
};

_Static_assert(FLIGHTS * SCRATCH == DECODE_SCRATCH, "DECODE_SCRATCH");
_Static_assert(RAW_RECORDS <= SCANS_RECORDS, "one SCANS batch takes all of a RAW batch");

/* A RAW batch on its way through us. */
struct flight {
    struct batch  *raw;
    uint32_t       holders;   /* batches made of it that are not yet back */
    bool           failed;    /* one of them has failed                    */
    struct scratch scratch;
};

/* Heads of the batches made here.  The worker sees the passage. */
struct scans_head {
    struct passage passage;
    struct flight *flight;
};

struct rejects_head {
    struct flight *flight;
};

struct line {
    uint32_t       assignment;
    struct ledger *ledger;    /* REJECTS batches under way; NULL: never ours */
};

#define SAY_AGAIN_NS UINT64_C(60000000000)

struct decode {
    const struct format *format;
    bool                 check_home;
    uint32_t             workers;
    struct pool         *scans[GRAPH_WORKERS_MAX];
    struct pool         *rejects;
    char                *scratch;
    uint32_t             flights_free;
    struct flight       *free[FLIGHTS];
    struct flight        flights[FLIGHTS];
    struct line          lines[BOARD_PARTITIONS_MAX];
    struct metric       *read_total, *skipped_total, *unknown_total, *rejected_total[REJECTS];
    uint64_t             said_ns[REJECTS]; /* when the log was last told of this reason       */
};

static const struct metric_info
    read_info = {"scans_read_total", "Messages of the scan topic that were decoded or refused.",
                 METRIC_COUNTER},
    skipped_info = {"scans_skipped_total", "Messages with a null value, which are no scans.",
                    METRIC_COUNTER},
    unknown_info = {"unknown_fields_total", "Fields of scans that Peakline does not know.",
                    METRIC_COUNTER},
    rejected_info = {"dead_letters_total",
                     "Messages that are no scan, by reason; they go to the dead-letter topic.",
                     METRIC_COUNTER};

/* ── One message ────────────────────────────────────────────────────────────────────── */

static void prefetch(const struct raw *raw)
{
    for (int i = 0; i < AHEAD_BYTES; i += 64)
        __builtin_prefetch(raw->value + i);
}

/* Keyed state lives where the key's partitioner says: a scan elsewhere would split its
 * parcel's history in two without a sign. */
static bool away_from_home(const struct decode *decode, const struct batch *batch,
                           const struct scan *scan)
{
    int32_t partitions = ((const struct passage *)batch->head)->partitions;

    return decode->check_home && partitions > 0
           && (int32_t)(scan->home % (uint32_t)partitions) != batch->partition;
}

static struct verdict decode_one(const struct decode *decode, const struct batch *batch,
                                 const struct raw *raw, int64_t now_ms, struct scratch *scratch,
                                 struct scan *scan)
{
    const char    *key = raw->key != NULL ? raw->key : ""; /* no key is no parcel's key */
    struct verdict verdict = decode->format->decode(raw->value, raw->length, key, raw->key_length,
                                                    now_ms, scratch, scan);

    if (verdict.reject == REJECT_NONE && away_from_home(decode, batch, scan))
        return (struct verdict) {.reject = REJECT_WRONG_PARTITION, .field = "parcel"};
    scan->message = raw->message;
    scan->offset = raw->offset;
    scan->kafka_ms = raw->kafka_ms;
    return verdict;
}

/* ── Dead letters ───────────────────────────────────────────────────────────────────── */

static struct line *line_of(struct decode *decode, const struct batch *batch)
{
    CHECK(batch->partition >= 0 && batch->partition < BOARD_PARTITIONS_MAX);
    return &decode->lines[batch->partition];
}

/* A newer assignment begins with nothing under way; what is still out of older ones says
 * nothing about it. */
static void line_follow(struct decode *decode, struct line *line, uint32_t assignment)
{
    if (line->ledger != NULL && assignment <= line->assignment)
        return;
    ledger_destroy(line->ledger);
    line->ledger = ledger_create(pool_size(decode->rejects), 0);
    line->assignment = assignment;
}

static struct batch *rejects_take(struct decode *decode, struct flight *flight, int64_t first)
{
    const struct batch *raw = flight->raw;
    struct batch       *batch = pool_take(decode->rejects);

    CHECK(batch != NULL); /* every output has room for a burst, and its pool as much */
    batch->partition = raw->partition;
    batch->assignment = raw->assignment;
    batch->offset_first = first;
    batch->kept = flight->raw;
    ((struct rejects_head *)batch->head)->flight = flight;
    flight->holders++;
    if (raw->assignment == decode->lines[raw->partition].assignment)
        ledger_open(decode->lines[raw->partition].ledger, first);
    return batch;
}

/* One line a minute and reason: whoever sends the wrong thing shall not have to guess. */
static void say_rejected(struct decode *decode, const struct batch *batch, const struct raw *raw,
                         struct verdict verdict)
{
    uint64_t now_ns = clock_monotonic_ns();

    if (decode->said_ns[verdict.reject] != 0
        && now_ns - decode->said_ns[verdict.reject] < SAY_AGAIN_NS)
        return;
    decode->said_ns[verdict.reject] = now_ns;
    log_warning("decode", "dead letter: %s%s%s (partition %" PRId32 ", offset %" PRId64 ")%s; "
                "further ones are counted", reject_name(verdict.reject),
                verdict.field[0] != '\0' ? ", field " : "", verdict.field, batch->partition,
                raw->offset,
                verdict.reject == REJECT_WRONG_PARTITION
                    ? "; librdkafka's clients want partitioner=murmur2_random" : "");
}

/* A record that is no scan moves its partition's clock and position all the same, in its turn. */
static void add_blank(struct batch *scans, const struct raw *raw)
{
    ((struct scan *)scans->records)[scans->count++] = (struct scan) {
        .message = raw->message, .offset = raw->offset, .kafka_ms = raw->kafka_ms,
        .home = parcel_home(raw->key, raw->key_length)};
}

/* Adds a dead letter to *rejects, which is emitted when it is full. */
static void reject(struct stage *stage, struct flight *flight, struct batch **rejects,
                   const struct raw *raw, struct verdict verdict)
{
    struct decode *decode = stage_state(stage);

    if (*rejects == NULL)
        *rejects = rejects_take(decode, flight, raw->offset);
    struct rejected *letters = (*rejects)->records;
    letters[(*rejects)->count++] = (struct rejected) {
        .raw = *raw, .reject = verdict.reject, .field = verdict.field};
    (*rejects)->offset_next = raw->offset + 1;
    if ((*rejects)->count == (*rejects)->capacity)
        stage_emit(stage, decode->workers, rejects);
}

/* ── One batch ──────────────────────────────────────────────────────────────────────── */

static void decode_all(struct stage *stage, struct flight *flight, struct batch *scans)
{
    struct decode    *decode = stage_state(stage);
    const struct raw *raws = flight->raw->records;
    struct scan      *out = scans->records;
    struct passage   *passage = scans->head;
    struct batch     *rejects = NULL;
    int64_t           now_ms = clock_wall_ms();
    uint64_t          unknown = 0;

    for (uint32_t i = 0; i < flight->raw->count; i++) {
        const struct raw *raw = &raws[i];

        if (i + AHEAD < flight->raw->count)
            prefetch(raw + AHEAD);
        if (raw->value == NULL) {
            passage->skipped++;
            add_blank(scans, raw);
            continue;
        }
        struct verdict verdict = decode_one(decode, flight->raw, raw, now_ms, &flight->scratch,
                                            &out[scans->count]);
        if (verdict.reject == REJECT_NONE) {
            unknown += out[scans->count++].unknown;
            continue;
        }
        passage->rejected++;
        add_blank(scans, raw);
        metric_add(decode->rejected_total[verdict.reject], 1);
        say_rejected(decode, flight->raw, raw, verdict);
        if (raw->offset >= passage->suppress_below)
            reject(stage, flight, &rejects, raw, verdict);
    }
    if (rejects != NULL)
        stage_emit(stage, decode->workers, &rejects);
    metric_add(decode->read_total, flight->raw->count);
    metric_add(decode->skipped_total, passage->skipped);
    metric_add(decode->unknown_total, unknown);
}

static void flight_begin(struct decode *decode, struct batch *raw, struct batch *scans)
{
    struct flight     *flight = decode->free[--decode->flights_free];
    struct scans_head *head = scans->head;

    flight->raw = raw;
    flight->holders = 1;
    flight->failed = false;
    flight->scratch.used = 0;
    head->passage = *(const struct passage *)raw->head;
    head->flight = flight;
    scans->partition = raw->partition;
    scans->assignment = raw->assignment;
    scans->offset_first = raw->offset_first;
    scans->offset_next = raw->offset_next;
    scans->kept = raw;
}

static enum stage_verdict on_batch(struct stage *stage, struct batch *raw, uint64_t now_ns)
{
    struct decode *decode = stage_state(stage);
    struct line   *line = line_of(decode, raw);
    uint32_t       worker = (uint32_t)raw->partition % decode->workers;

    (void)now_ns;
    if (decode->flights_free == 0)
        return STAGE_HOLD;
    struct batch *scans = pool_take(decode->scans[worker]);

    CHECK(scans != NULL); /* every output has room for a burst, and its pool as much */
    line_follow(decode, line, raw->assignment);
    flight_begin(decode, raw, scans);
    struct scans_head *head = scans->head;
    decode_all(stage, head->flight, scans);
    if (raw->assignment == line->assignment) {
        if (head->passage.event == PASSAGE_SCANS)   /* an event says nothing of what was read */
            ledger_reach(line->ledger, raw->offset_next);
        head->passage.settled = ledger_watermark(line->ledger);
    }
    stage_emit(stage, worker, &scans);
    return STAGE_TAKEN;
}

/* ── On the way back ────────────────────────────────────────────────────────────────── */

static void answer(const struct passage *from, struct passage *to)
{
    to->answer = from->answer;
    to->offset = from->offset;
    to->epoch = from->epoch;
    to->check_kafka_ms = from->check_kafka_ms;
    to->check_home = from->check_home;
    to->check_valid = from->check_valid;
    memcpy(to->text, from->text, sizeof to->text);
}

/* A dead letter that Kafka does not have stays open: nothing above it is ever stored. */
static void settle(struct decode *decode, const struct batch *rejects)
{
    struct line *line = &decode->lines[rejects->partition];

    if (rejects->outcome == OUTCOME_DONE && rejects->assignment == line->assignment)
        ledger_close(line->ledger, rejects->offset_first);
}

static void on_return(struct stage *stage, struct batch *batch)
{
    struct decode *decode = stage_state(stage);
    struct flight *flight;

    if (batch->kind == KIND_REJECTS) {
        flight = ((struct rejects_head *)batch->head)->flight;
        settle(decode, batch);
    } else {
        flight = ((struct scans_head *)batch->head)->flight;
        answer(batch->head, flight->raw->head);
    }
    flight->failed |= batch->outcome == OUTCOME_FAILED;
    pool_give(batch->pool, &batch);
    CHECK(flight->holders > 0);
    if (--flight->holders > 0)
        return;
    stage_finish(stage, &flight->raw, flight->failed ? OUTCOME_FAILED : OUTCOME_DONE);
    CHECK(decode->flights_free < FLIGHTS);
    decode->free[decode->flights_free++] = flight;
}

/* ── Beginning and end ──────────────────────────────────────────────────────────────── */

static void open_metrics(struct decode *decode)
{
    char labels[64];

    decode->read_total = metric_open(&read_info, "");
    decode->skipped_total = metric_open(&skipped_info, "");
    decode->unknown_total = metric_open(&unknown_info, "");
    for (unsigned i = REJECT_NONE + 1; i < REJECTS; i++) {
        (void)snprintf(labels, sizeof labels, "reason=\"%s\"", reject_name(i));
        decode->rejected_total[i] = metric_open(&rejected_info, labels);
    }
}

static int init(struct stage *stage, const struct config *config)
{
    static const struct batch_shape
        scans_shape = {.kind = KIND_SCANS, .head_size = sizeof(struct scans_head),
                       .record_size = sizeof(struct scan), .capacity = SCANS_RECORDS},
        rejects_shape = {.kind = KIND_REJECTS, .head_size = sizeof(struct rejects_head),
                         .record_size = sizeof(struct rejected), .capacity = REJECTS_RECORDS};
    struct decode *decode = stage_state(stage);
    const char    *format = config_text(config, "intake.format");

    decode->format = format_find(format);
    if (decode->format == NULL)
        return error_set("intake.format: no decoder for \"%s\"", format);
    decode->check_home = strcmp(config_text(config, "kafka.partitioner"), "murmur2") == 0;
    decode->workers = stage_outputs(stage) - 1;
    CHECK(decode->workers > 0 && decode->workers <= GRAPH_WORKERS_MAX);
    for (uint32_t i = 0; i < decode->workers; i++)
        decode->scans[i] = stage_pool(stage, i, &scans_shape);
    decode->rejects = stage_pool(stage, decode->workers, &rejects_shape);
    CHECK(pool_size(decode->rejects) >= BURST);

    decode->scratch = calloc(FLIGHTS, SCRATCH);
    CHECK(decode->scratch != NULL);
    for (uint32_t i = 0; i < FLIGHTS; i++) {
        decode->flights[i].scratch = (struct scratch) {
            .bytes = decode->scratch + (size_t)i * SCRATCH, .size = SCRATCH};
        decode->free[i] = &decode->flights[i];
    }
    decode->flights_free = FLIGHTS;
    open_metrics(decode);
    return 0;
}

static void fini(struct stage *stage)
{
    struct decode *decode = stage_state(stage);

    for (uint32_t i = 0; i < decode->workers; i++)
        pool_destroy(decode->scans[i]);
    pool_destroy(decode->rejects);
    for (uint32_t i = 0; i < BOARD_PARTITIONS_MAX; i++)
        ledger_destroy(decode->lines[i].ledger);
    free(decode->scratch);
}

const struct stage_type stage_decode = {
    .name        = "decode",
    .state_size  = sizeof(struct decode),
    .inputs_min  = 1,
    .inputs_max  = 1,
    .outputs_min = 2,
    .outputs_max = GRAPH_WORKERS_MAX + 1,
    .burst       = BURST,
    .init        = init,
    .on_batch    = on_batch,
    .on_return   = on_return,
    .fini        = fini,
};
