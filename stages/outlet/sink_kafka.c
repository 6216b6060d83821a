/* sink_kafka - outputs to Kafka, and receipts for them.
 *
 * Input     OUTPUTS from dead_letter and from each worker's checkpoint
 * Answers   a batch is finished once every message in it is acknowledged
 *
 * Nothing is dropped.  What Kafka did not take is sent again, its whole batch and
 * those of its partition behind it, in the order of arrival, because a later message of
 * the same key may have gone through: on a compacted topic the last one must be last
 * again.  So the batches of a partition are finished in order, too.  Repeats carry the
 * same ids.
 *
 * A broker refuses a whole request for one message that is too large.  Such a batch is
 * sent again message by message, with nothing else under way, and the one that is
 * refused even so is cut to CUT_BYTES, then to half of that and so on, with its length
 * in the header `truncated`.  What the client itself would not take is cut at once.
 */
#include <stdio.h>
#include <string.h>

#include "pipeline/check.h"
#include "pipeline/error.h"
#include "pipeline/log.h"
#include "pipeline/metric.h"
#include "pipeline/stage.h"
#include "stages/board.h"
#include "stages/kinds.h"
#include "stages/outlet/outlet.h"
#include "stages/outlet/output.h"
#include "stages/ports.h"

#define ROOM "sink_kafka"

enum {
    SHIPMENTS_MAX = 128,           /* batches held; more stay on their links                */
    ACKS_PER_TURN = 4096,
    CUT_BYTES = 64 * 1024, CUTS_MAX = 17
};

#define BACKOFF_NS_MIN 100000000ull
#define BACKOFF_NS_MAX 5000000000ull

/* A batch on its way. */
struct shipment {
    struct batch *batch;
    uint32_t      given;           /* messages handed to the client, this time              */
    uint32_t      open;            /* of them not yet acknowledged                          */
    uint32_t      failed;          /* of them not delivered                                 */
    bool          too_large;       /* one of them was                                       */
    bool          alone;           /* message by message                                    */
    uint8_t       cuts;            /* alone: how often the last message given was too large  */
    uint64_t      due_ns;          /* not before                                            */
};

struct sink {
    struct producer  producer;
    uint64_t         backoff_ns;
    uint32_t         count;
    struct shipment *line[SHIPMENTS_MAX];   /* in use, in order of arrival; then the free   */
    struct shipment  shipments[SHIPMENTS_MAX];
    struct metric   *outputs[TOPICS], *retries, *failures, *truncated;
};

static const struct metric_info outputs_info = {
    "outputs_total", "Messages acknowledged by Kafka.", METRIC_COUNTER};
static const struct metric_info retries_info = {
    "output_retries_total", "Messages sent again after Kafka did not take their batch.",
    METRIC_COUNTER};
static const struct metric_info failures_info = {
    "output_failures_total", "Acknowledgements that said not delivered.", METRIC_COUNTER};
static const struct metric_info truncated_info = {
    "outputs_truncated_total", "Messages cut because the broker takes none of their size.",
    METRIC_COUNTER};

static void open_metrics(struct sink *sink)
{
    static const char *const labels[TOPICS] = {
        [TOPIC_ALERTS] = "topic=\"alerts\"", [TOPIC_ETAS] = "topic=\"etas\"",
        [TOPIC_DEAD_LETTERS] = "topic=\"dead-letters\"", [TOPIC_PROGRESS] = "topic=\"progress\"",
        [TOPIC_ACTIVITY] = "topic=\"activity\""};

    for (int t = 0; t < TOPICS; t++)
        sink->outputs[t] = metric_open(&outputs_info, labels[t]);
    sink->retries = metric_open(&retries_info, "");
    sink->failures = metric_open(&failures_info, "");
    sink->truncated = metric_open(&truncated_info, "");
}

static void wake(void *stage)
{
    stage_wake(stage);
}

static int init(struct stage *stage, const struct config *config)
{
    struct sink *sink = stage_state(stage);

    sink->backoff_ns = BACKOFF_NS_MIN;
    for (uint32_t s = 0; s < SHIPMENTS_MAX; s++)
        sink->line[s] = &sink->shipments[s];
    open_metrics(sink);
    return ports.producer_open(config, wake, stage, ports.message_header, &sink->producer);
}

static void fini(struct stage *stage)
{
    struct sink *sink = stage_state(stage);

    sink->producer.ops->close(sink->producer.self);
}

/* ── sending ── */

/* The message as it goes out after it was found too large so many times. */
static size_t produce_cut(struct sink *sink, const struct output *output, uint8_t cuts,
                          void *owner)
{
    uint32_t             most = CUT_BYTES >> (cuts - 1);
    struct output        cut = *output;
    struct output_header headers[OUTPUT_HEADERS_MAX + 1];
    char                 length[16];

    CHECK(output->headers_count <= OUTPUT_HEADERS_MAX);
    if (output->length > most) {
        if (output->headers_count > 0)
            memcpy(headers, output->headers, output->headers_count * sizeof headers[0]);
        headers[cut.headers_count++] = (struct output_header){
            .name = "truncated", .value = length,
            .length = (uint32_t)snprintf(length, sizeof length, "%u", output->length)};
        cut.headers = headers;
        cut.length = most;
    }
    return sink->producer.ops->produce(sink->producer.self, &cut, 1, owner);
}

/* One message, when nothing else is under way. */
static void send_alone(struct sink *sink, struct shipment *shipment)
{
    const struct output *output = (const struct output *)shipment->batch->records +
                                  shipment->given;
    size_t               taken;

    if (sink->producer.ops->flush_left(sink->producer.self) > 0)
        return;
    if (shipment->cuts > 0)
        taken = produce_cut(sink, output, shipment->cuts, shipment);
    else
        taken = sink->producer.ops->produce(sink->producer.self, output, 1, shipment);
    shipment->given += (uint32_t)taken;
    shipment->open += (uint32_t)taken;
}

static bool too_long(const struct sink *sink, const struct output *output)
{
    return sink->producer.bytes_max > 0 && output->length > sink->producer.bytes_max;
}

/* As many as there is room for, in one call for all that may go as they are. */
static void send_many(struct sink *sink, struct shipment *shipment)
{
    const struct output *outputs = shipment->batch->records;
    size_t               taken = 1, run = 1;

    while (taken == run && shipment->given < shipment->batch->count) {
        uint32_t first = shipment->given, next = first;

        while (next < shipment->batch->count && !too_long(sink, &outputs[next]))
            next++;
        run = next > first ? next - first : 1;
        taken = next > first ? sink->producer.ops->produce(sink->producer.self, &outputs[first],
                                                           run, shipment)
                             : produce_cut(sink, &outputs[first], 1, shipment);
        if (next == first)
            metric_add(sink->truncated, taken);
#ifdef CANARY_drop_full
        shipment->given += (uint32_t)(run - taken);   /* planted: no room, never sent */
#endif
        shipment->given += (uint32_t)taken;
        shipment->open += (uint32_t)taken;
    }
}

/* Hands over what the client has room for; false = later ones have to wait. */
static bool send(struct sink *sink, struct shipment *shipment)
{
    if (!shipment->alone)
        send_many(sink, shipment);
    else if (shipment->open == 0)
        send_alone(sink, shipment);
    return shipment->given == shipment->batch->count && !shipment->alone;
}

/* In order of arrival: what waits for room or for its back-off keeps later ones waiting, and so
 * does what has failed in part and will be sent again. */
static void send_all(struct sink *sink, uint64_t now_ns)
{
    for (uint32_t i = 0; i < sink->count; i++) {
        struct shipment *shipment = sink->line[i];

        bool             given = shipment->given == shipment->batch->count;

#ifndef CANARY_overtaken   /* planted: what comes later goes out before what failed */
        if (shipment->failed > 0)
            return;
#endif
        if (given && !shipment->alone)
            continue;
        if (given || now_ns < shipment->due_ns || !send(sink, shipment))
            return;
    }
}

static enum stage_verdict on_batch(struct stage *stage, struct batch *batch, uint64_t now_ns)
{
    struct sink *sink = stage_state(stage);

    if (sink->count == SHIPMENTS_MAX)
        return STAGE_HOLD;
    if (batch->count == 0) {
        stage_finish(stage, &batch, OUTCOME_DONE);
        return STAGE_TAKEN;
    }
    CHECK(batch->count <= OUTPUTS_RECORDS);
    struct shipment *shipment = sink->line[sink->count++];

    CHECK(shipment->open == 0);
    shipment->batch = batch;
    shipment->given = shipment->failed = 0;
    shipment->too_large = shipment->alone = false;
    shipment->cuts = 0;
    shipment->due_ns = 0;
    send_all(sink, now_ns);
    return STAGE_TAKEN;
}

/* ── receipts ── */

static void note_failure(struct sink *sink, struct shipment *shipment,
                         const struct producer_ack *ack)
{
    shipment->failed++;
    metric_add(sink->failures, 1);
    if (shipment->failed == 1)
        log_warning(ROOM, "partition %d: Kafka did not take a message, its batch is sent again: "
                    "%s", shipment->batch->partition, ack->text);
    if (!ack->too_large || shipment->cuts >= CUTS_MAX)
        return;
    shipment->too_large = true;
    if (!shipment->alone)
        return;
    metric_add(sink->truncated, shipment->cuts == 0);
    shipment->cuts++;
}

static int take_acks(struct sink *sink)
{
    struct producer_ack ack;
    int                 work = 0;

    while (work < ACKS_PER_TURN && sink->producer.ops->poll(sink->producer.self, &ack)) {
        struct shipment *shipment = ack.owner;

        CHECK(shipment->open > 0);
        shipment->open--;
        work++;
#ifdef CANARY_error_swallowed
        ack.delivered = true;   /* planted: what did not arrive counts as delivered */
#endif
        if (!ack.delivered)
            note_failure(sink, shipment, &ack);
        else if (shipment->alone)
            shipment->cuts = 0;
    }
    return work;
}

static void count_outputs(struct sink *sink, const struct batch *batch)
{
    const struct output *outputs = batch->records;
    uint64_t             counts[TOPICS] = {0};

    for (uint32_t i = 0; i < batch->count; i++)
        counts[outputs[i].topic]++;
    for (int t = 0; t < TOPICS; t++)
        if (counts[t] > 0)
            metric_add(sink->outputs[t], counts[t]);
}

/* The whole batch, or, alone, the one message that failed.  What was too large is sent
 * otherwise and need not wait; anything else hopes for better times: true. */
static bool again(struct sink *sink, struct shipment *shipment, uint64_t now_ns)
{
    uint32_t kept = shipment->alone ? shipment->given - 1 : 0;
    bool     too_large = shipment->too_large;

    metric_add(sink->retries, shipment->given - kept);
    shipment->given = kept;
    shipment->failed = 0;
    shipment->alone = shipment->alone || too_large;
    shipment->too_large = false;
    shipment->due_ns = too_large ? now_ns : now_ns + sink->backoff_ns;
    return !too_large;
}

/* A set of partitions. */
struct partitions {
    uint64_t bits[BOARD_PARTITIONS_MAX / 64];
};

static void partitions_add(struct partitions *set, int32_t partition)
{
    CHECK(partition >= 0 && partition < BOARD_PARTITIONS_MAX);
    set->bits[partition / 64] |= UINT64_C(1) << partition % 64;
}

static bool partitions_have(const struct partitions *set, int32_t partition)
{
    CHECK(partition >= 0 && partition < BOARD_PARTITIONS_MAX);
    return set->bits[partition / 64] >> partition % 64 & 1;
}

/* Finishes what has arrived, sends again what has not, and closes the ranks. */
static void settle(struct stage *stage, struct sink *sink, uint64_t now_ns)
{
    struct partitions waiting = {{0}}, repeating = {{0}}; /* with such a batch further ahead */
    uint32_t          kept = 0;
    bool              failed = false, delivered = false;

    for (uint32_t i = 0; i < sink->count; i++) {
        struct shipment *shipment = sink->line[i];
        int32_t          partition = shipment->batch->partition;
        bool done = shipment->open == 0 && shipment->given == shipment->batch->count;

#ifndef CANARY_overtaken
        if (partitions_have(&repeating, partition) && shipment->given > 0 && !shipment->alone)
            shipment->failed += shipment->failed == 0;
#endif
        if (done && shipment->failed == 0 && !partitions_have(&waiting, partition)) {
            count_outputs(sink, shipment->batch);
            stage_finish(stage, &shipment->batch, OUTCOME_DONE);
            delivered = true;
            continue;
        }
        if (shipment->open == 0 && shipment->failed > 0) {
            failed = again(sink, shipment, now_ns) || failed;
            partitions_add(&repeating, partition);
        }
        partitions_add(&waiting, partition);
        sink->line[i] = sink->line[kept];
        sink->line[kept++] = shipment;
    }
    sink->count = kept;
    if (failed)
        sink->backoff_ns = sink->backoff_ns * 2 < BACKOFF_NS_MAX ? sink->backoff_ns * 2
                                                                 : BACKOFF_NS_MAX;
    else if (delivered)
        sink->backoff_ns = BACKOFF_NS_MIN;
}

/* An idempotent producer that lost count goes no further; a new one does, and what the old
 * one had not delivered comes back as such. */
static int replace_if_fatal(struct sink *sink)
{
    const char *why = sink->producer.ops->fatal(sink->producer.self);

    if (why == NULL || why[0] == '\0')
        return 0;
    log_error(ROOM, "the producer can't go on (%s); a new one takes its place", why);
    return sink->producer.ops->reopen(sink->producer.self);
}

static int on_tick(struct stage *stage, uint64_t now_ns)
{
    struct sink *sink = stage_state(stage);

    if (replace_if_fatal(sink) != 0)
        return error_add("the producer can't be replaced");
    int work = take_acks(sink);

    if (work > 0)
        settle(stage, sink, now_ns);
    send_all(sink, now_ns);
    return work;
}

static int on_drain(struct stage *stage, uint64_t now_ns)
{
    const struct sink *sink = stage_state(stage);

    (void)now_ns;
    return (int)sink->count;
}

const struct stage_type stage_sink_kafka = {
    .name       = "sink_kafka",
    .state_size = sizeof(struct sink),
    .inputs_min = 1,
    .inputs_max = 255,
    .init       = init,
    .on_batch   = on_batch,
    .on_tick    = on_tick,
    .on_drain   = on_drain,
    .fini       = fini,
};
