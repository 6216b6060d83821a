/* sender.c - the three destinations of a message.
 *
 * To Kafka: murmur2 homes computed here, idempotent, lz4, large batches.  Most messages have
 * no header and are stamped now: those are gathered and handed over some hundred at a time;
 * any other is handed over alone, after them, so that order per key is kept.  Without a watch
 * only failures are reported back (`delivery.report.only.error`): what has left the queue
 * without one has been acknowledged, and a report per message costs a tenth of the whole.  A
 * short queue keeps what librdkafka walks over in the cache: 500,000 messages cost 10 % more.
 */
#include "bench/peakload/sender.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "bench/peakload/client.h"
#include "bench/peakload/kcat.h"
#include "bench/peakload/partition.h"
#include "bench/peakload/say.h"
#include "bench/peakload/times.h"
#include "bench/peakload/watch.h"

enum { FLUSH_MS = 120000, STDOUT_BUFFER = 1 << 20, LOT = 256, LOT_BYTES = 1 << 17,
       QUEUE_MESSAGES = 100000 };

struct sender {
    enum sink   sink;
    bool        any_retention;
    struct client client;
    rd_kafka_topic_t *topic;
    const char *topic_name;
    int32_t     partitions;
    int64_t    *ends;          /* next offset of each partition, without Kafka */
    int64_t     queue_max;     /* messages librdkafka may hold                  */
    struct watch *watch;
    uint64_t    probe_every, probe_at;
    struct sender_totals totals;
    uint64_t    begun_ns, cpu_begun_ns;
    char        failure[256];  /* the first failed delivery */
    int         lot;           /* messages gathered, and their bytes */
    size_t      lot_bytes;
    rd_kafka_message_t message[LOT];
    char        bytes[LOT_BYTES];
};

/* librdkafka's limit by bytes is out of the way: if a lot met it in the middle, a later message
 * of the lot could overtake an earlier one. */
static const struct client_default defaults[] = {
    {"linger.ms", "20"}, {"batch.size", "1000000"}, {"batch.num.messages", "10000"},
    {"compression.codec", "lz4"}, {"enable.idempotence", "true"},
    {"queue.buffering.max.messages", "100000"}, {"queue.buffering.max.kbytes", "2097151"},
    {"message.max.bytes", "2000000"},
};

static uint64_t cpu_ns(void)
{
    struct rusage use;

    getrusage(RUSAGE_SELF, &use);
    return ((uint64_t)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000000 +
            (uint64_t)(use.ru_utime.tv_usec + use.ru_stime.tv_usec)) * 1000;
}

static void on_report(rd_kafka_t *kafka, const rd_kafka_message_t *m, void *opaque)
{
    struct sender *s = ((struct client *)opaque)->owner;

    (void)kafka;
    if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (s->totals.failed++ == 0)
            snprintf(s->failure, sizeof s->failure, "%s", rd_kafka_err2str(m->err));
    } else if (m->_private != NULL) {
        watch_acked(s->watch, m->partition, m->offset, (int64_t)(intptr_t)m->_private);
    }
}

static int connect_kafka(struct sender *s, const struct output *o)
{
    struct client_default all[sizeof defaults / sizeof defaults[0] + 1];
    size_t count = sizeof defaults / sizeof defaults[0], size;
    char   text[32];

    memcpy(all, defaults, sizeof defaults);
    all[count++] = (struct client_default) {"delivery.report.only.error",
                                            s->watch != NULL ? "false" : "true"};
    s->client.owner = s;
    if (client_open(&s->client, o, RD_KAFKA_PRODUCER, all, count, on_report) != 0)
        return -1;
    s->queue_max = QUEUE_MESSAGES;
    size = sizeof text;
    if (rd_kafka_conf_get(rd_kafka_conf(s->client.kafka), "queue.buffering.max.messages", text,
                          &size) == RD_KAFKA_CONF_OK)
        s->queue_max = strtoll(text, NULL, 10);
    s->queue_max = s->queue_max > 2 * LOT ? s->queue_max - LOT : s->queue_max / 2;
    s->topic = must(rd_kafka_topic_new(s->client.kafka, o->topic, NULL));
    s->partitions = client_partitions(&s->client, o->topic);
    return s->partitions > 0 ? 0 : -1;
}

struct sender *sender_open(const struct output *o, struct watch *watch, int64_t probe_every)
{
    struct sender *s = must(calloc(1, sizeof *s));

    s->sink = o->sink;
    s->any_retention = o->any_retention;
    s->topic_name = o->topic;
    s->partitions = (int32_t)o->partitions;
    s->watch = watch;
    s->probe_every = (uint64_t)probe_every;
    if (s->sink == SINK_KAFKA && connect_kafka(s, o) != 0) {
        sender_close(s);
        return NULL;
    }
    if (s->sink == SINK_STDOUT)
        setvbuf(stdout, NULL, _IOFBF, STDOUT_BUFFER);
    s->ends = must(calloc((size_t)s->partitions, sizeof *s->ends));
    s->begun_ns = monotonic_ns();
    s->cpu_begun_ns = cpu_ns();
    return s;
}

int32_t sender_partitions(const struct sender *s)
{
    return s->partitions;
}

int sender_check_age(struct sender *s, int64_t oldest_ms)
{
    int64_t kept_ms;
    char    when[TIME_TEXT_MAX];
    bool    stamps;

    if (s->sink != SINK_KAFKA || s->any_retention)
        return 0;
    if (client_retention(&s->client, s->topic_name, &kept_ms, &stamps) != 0)
        return -1;
    if (!stamps || kept_ms == INT64_MAX || oldest_ms >= wall_ms() - kept_ms)
        return 0;
    return say("topic %s keeps messages for %" PRId64 " h (retention.ms): one stamped %.*s would "
               "be deleted at once; let it keep them, or send with timestamps of now",
               s->topic_name, kept_ms / HOUR_MS,
               (int)(time_write(when, oldest_ms, 0, false) - when), when);
}

/* Serves reports until librdkafka has room for a lot.  False: there is no use in waiting. */
static bool wait_for_room(struct sender *s)
{
    rd_kafka_poll(s->client.kafka, 0);
    while (rd_kafka_outq_len(s->client.kafka) > s->queue_max && !s->client.fatal)
        rd_kafka_poll(s->client.kafka, 1);
    return !s->client.fatal;
}

/* Hands over what is gathered. */
static int flush_lot(struct sender *s)
{
    int count = s->lot, taken;

    s->lot = 0;
    s->lot_bytes = 0;
    if (count == 0)
        return 0;
    if (!wait_for_room(s))
        return -1;
    taken = rd_kafka_produce_batch(s->topic, RD_KAFKA_PARTITION_UA,
                                   RD_KAFKA_MSG_F_COPY | RD_KAFKA_MSG_F_PARTITION, s->message,
                                   count);
    for (int i = 0; i < count && taken < count; i++)
        if (s->message[i].err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            s->client.fatal = true;     /* what follows would overtake it */
            return say("produce: %s", rd_kafka_err2str(s->message[i].err));
        }
    return 0;
}

static void *gather_bytes(struct sender *s, const void *bytes, size_t length)
{
    void *at = s->bytes + s->lot_bytes;

    if (bytes == NULL)
        return NULL;
    memcpy(at, bytes, length);
    s->lot_bytes += length;
    return at;
}

static int gather(struct sender *s, const struct message *m, int32_t partition)
{
    if ((s->lot == LOT || s->lot_bytes + m->key_length + m->length > LOT_BYTES) &&
        flush_lot(s) != 0)
        return -1;
    s->message[s->lot] = (rd_kafka_message_t) {
        .partition = partition, .key = gather_bytes(s, m->key, m->key_length),
        .key_len = m->key_length, .payload = gather_bytes(s, m->value, m->length),
        .len = m->length};
    s->lot++;
    return 0;
}

static rd_kafka_headers_t *make_headers(const struct message *m, bool probe)
{
    rd_kafka_headers_t *headers;
    char text[24];

    if (m->headers == 0 && !probe)
        return NULL;
    headers = rd_kafka_headers_new((size_t)m->headers + 1);
    for (int i = 0; i < m->headers; i++)
        rd_kafka_header_add(headers, m->header[i].name, (ssize_t)m->header[i].name_length,
                            m->header[i].value, (ssize_t)m->header[i].length);
    if (probe)
        rd_kafka_header_add(headers, INTENDED_HEADER, sizeof INTENDED_HEADER - 1, text,
                            snprintf(text, sizeof text, "%" PRId64, m->intended_us));
    return headers;
}

static rd_kafka_resp_err_t produce(struct sender *s, const struct message *m, int32_t partition,
                                   bool probe)
{
    rd_kafka_headers_t *headers = make_headers(m, probe);
    rd_kafka_resp_err_t error;

    /* librdkafka only reads; its prototypes lack the const. */
    error = rd_kafka_producev(
        s->client.kafka, RD_KAFKA_V_RKT(s->topic), RD_KAFKA_V_PARTITION(partition),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_VALUE((void *)(uintptr_t)m->value, m->length),
        RD_KAFKA_V_KEY(m->key, m->key_length),
        RD_KAFKA_V_TIMESTAMP(m->kafka_ms < 0 ? 0 : m->kafka_ms),
        RD_KAFKA_V_OPAQUE((void *)(intptr_t)(probe ? m->intended_us : 0)),
        RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR && headers != NULL)
        rd_kafka_headers_destroy(headers);
    return error;
}

static int send_alone(struct sender *s, const struct message *m, int32_t partition, bool probe)
{
    rd_kafka_resp_err_t error;

    if (flush_lot(s) != 0)
        return -1;
    if (probe)
        watch_sent(s->watch, m->intended_us);
    while ((error = produce(s, m, partition, probe)) == RD_KAFKA_RESP_ERR__QUEUE_FULL &&
           !s->client.fatal)
        rd_kafka_poll(s->client.kafka, 5);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR || s->client.fatal)
        return say("produce: %s", rd_kafka_err2str(error));
    if (s->totals.sent % LOT == 0)
        rd_kafka_poll(s->client.kafka, 0);
    return 0;
}

static int send_kafka(struct sender *s, const struct message *m, int32_t partition)
{
    bool probe = s->watch != NULL && m->intended_us != 0 && ++s->probe_at >= s->probe_every;

    if (probe)
        s->probe_at = 0;
    if (probe || m->headers > 0 || m->kafka_ms >= 0 || m->key_length + m->length > LOT_BYTES)
        return send_alone(s, m, partition, probe);
    return gather(s, m, partition);
}

static int write_line(struct sender *s, const struct message *m, int32_t partition)
{
    struct message stamped = *m;

    if (stamped.kafka_ms < 0)
        stamped.kafka_ms = wall_ms();
    if (kcat_write(stdout, s->topic_name, partition, s->ends[partition], &stamped) != 0)
        return say("standard output: %s", strerror(errno));
    return 0;
}

int sender_send(struct sender *s, const struct message *m)
{
    int32_t partition = m->partition;

    if (partition < 0)
        partition = m->key == NULL
            ? (int32_t)(s->totals.sent % (uint64_t)s->partitions)
            : partition_of(m->key, m->key_length, s->partitions);
    else if (partition >= s->partitions)
        return say("partition %d: topic %s has %d", partition, s->topic_name, s->partitions);
    if (s->sink == SINK_KAFKA && send_kafka(s, m, partition) != 0)
        return -1;
    if (s->sink == SINK_STDOUT && write_line(s, m, partition) != 0)
        return -1;
    s->ends[partition]++;
    s->totals.sent++;
    s->totals.bytes += m->length;
    return 0;
}

void sender_poll(struct sender *s, int timeout_ms)
{
    if (s->sink != SINK_KAFKA)
        return;
    (void)flush_lot(s);      /* having failed, the next message and the end fail too */
    rd_kafka_poll(s->client.kafka, timeout_ms);
}

struct sender_totals sender_totals(struct sender *s)
{
    struct sender_totals t = s->totals;
    uint64_t waiting = (uint64_t)s->lot;

    if (s->sink == SINK_KAFKA)
        waiting += (uint64_t)rd_kafka_outq_len(s->client.kafka);
    /* A failed message waits in the queue until its report is served. */
    t.acked = t.sent > t.failed + waiting ? t.sent - t.failed - waiting : 0;
    t.wall_ns = monotonic_ns() - s->begun_ns;
    t.cpu_ns = cpu_ns() - s->cpu_begun_ns;
    return t;
}

int sender_flush(struct sender *s)
{
    if (s->sink == SINK_STDOUT && fflush(stdout) != 0)
        return say("standard output: %s", strerror(errno));
    if (s->sink != SINK_KAFKA)
        return 0;
    if (flush_lot(s) != 0 || s->client.fatal)
        return -1;
    rd_kafka_flush(s->client.kafka, FLUSH_MS);
    if (rd_kafka_outq_len(s->client.kafka) > 0)
        return say("%d messages not acknowledged within %d s",
                   rd_kafka_outq_len(s->client.kafka), FLUSH_MS / 1000);
    if (s->totals.failed > 0)
        return say("%llu messages not delivered: %s", (unsigned long long)s->totals.failed,
                   s->failure);
    return 0;
}

int64_t sender_end(struct sender *s, int32_t partition)
{
    int64_t low, high;

    if (s->sink != SINK_KAFKA)
        return s->ends[partition];
    if (rd_kafka_query_watermark_offsets(s->client.kafka, s->topic_name, partition, &low, &high,
                                         CLIENT_MS) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return -1;
    return high;
}

void sender_close(struct sender *s)
{
    if (s->topic != NULL)
        rd_kafka_topic_destroy(s->topic);
    client_close(&s->client);
    free(s->ends);
    free(s);
}
