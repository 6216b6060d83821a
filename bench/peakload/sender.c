/* sender.c - the three destinations of a message.
 *
 * To Kafka: murmur2 homes computed here, idempotent, lz4, large batches.  Only failures
 * are reported back (`delivery.report.only.error`): what has left the queue without one
 * has been acknowledged, and a report per message would cost a tenth of the whole.  A
 * short queue keeps what librdkafka walks over in the cache: 500,000 messages cost 10 % more.
 */
#include "bench/peakload/sender.h"

#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "bench/peakload/kcat.h"
#include "bench/peakload/partition.h"
#include "bench/peakload/say.h"
#include "bench/peakload/times.h"

enum { CONNECT_MS = 10000, FLUSH_MS = 120000, POLL_EVERY = 4096, STDOUT_BUFFER = 1 << 20 };

struct sender {
    enum sink   sink;
    rd_kafka_t *kafka;
    rd_kafka_topic_t *topic;
    const char *topic_name;
    int32_t     partitions;
    int64_t    *ends;          /* next offset of each partition, without Kafka */
    struct sender_totals totals;
    uint64_t    begun_ns, cpu_begun_ns;
    char        failure[256];  /* the first failed delivery */
    int         error;         /* last of the connection's  */
    bool        fatal;
};

static const char *const defaults[][2] = {
    {"linger.ms", "20"}, {"batch.size", "1000000"}, {"batch.num.messages", "10000"},
    {"compression.codec", "lz4"}, {"enable.idempotence", "true"},
    {"queue.buffering.max.messages", "100000"}, {"queue.buffering.max.kbytes", "262144"},
    {"message.max.bytes", "2000000"}, {"socket.nagle.disable", "true"},
    {"delivery.report.only.error", "true"}, {"client.id", "peakload"}, {"log_level", "2"},
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
    struct sender *s = opaque;

    (void)kafka;
    if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    if (s->totals.failed++ == 0)
        snprintf(s->failure, sizeof s->failure, "%s", rd_kafka_err2str(m->err));
}

static void on_error(rd_kafka_t *kafka, int code, const char *reason, void *opaque)
{
    struct sender *s = opaque;
    char text[256];

    if (code == RD_KAFKA_RESP_ERR__FATAL) {
        s->fatal = true;
        code = (int)rd_kafka_fatal_error(kafka, text, sizeof text);
        say("fatal: %s: %s", rd_kafka_err2name((rd_kafka_resp_err_t)code), text);
    } else if (code != s->error) {    /* once, not at every attempt to reconnect */
        s->error = code;
        say("%s", reason);
    }
}

static int configure(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[256];

    if (rd_kafka_conf_set(conf, name, value, text, sizeof text) != RD_KAFKA_CONF_OK)
        return say("librdkafka: %s=%s: %s", name, value, text);
    return 0;
}

static rd_kafka_conf_t *make_conf(const struct output *o, struct sender *s)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    int bad = 0;

    for (size_t i = 0; i < sizeof defaults / sizeof defaults[0]; i++)
        bad |= configure(conf, defaults[i][0], defaults[i][1]);
    bad |= configure(conf, "bootstrap.servers", o->brokers);
    for (int i = 0; i < o->settings; i++)
        bad |= configure(conf, o->setting[i].name, o->setting[i].value);
    if (bad) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    rd_kafka_conf_set_dr_msg_cb(conf, on_report);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_opaque(conf, s);
    return conf;
}

static int ask_partitions(struct sender *s)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t error = rd_kafka_metadata(s->kafka, 0, s->topic, &metadata, CONNECT_MS);

    if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
        return say("topic %s: %s", s->topic_name, rd_kafka_err2str(error));
    error = metadata->topic_cnt == 1 ? metadata->topics[0].err
                                     : RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
    s->partitions = error == RD_KAFKA_RESP_ERR_NO_ERROR ? metadata->topics[0].partition_cnt : 0;
    rd_kafka_metadata_destroy(metadata);
    if (s->partitions == 0)
        return say("topic %s: %s", s->topic_name, rd_kafka_err2str(error));
    return 0;
}

static int connect_kafka(struct sender *s, const struct output *o)
{
    rd_kafka_conf_t *conf = make_conf(o, s);
    char text[512];

    if (conf == NULL)
        return -1;
    s->kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    if (s->kafka == NULL) {
        rd_kafka_conf_destroy(conf);
        return say("librdkafka: %s", text);
    }
    s->topic = must(rd_kafka_topic_new(s->kafka, o->topic, NULL));
    return ask_partitions(s);
}

struct sender *sender_open(const struct output *o)
{
    struct sender *s = must(calloc(1, sizeof *s));

    s->sink = o->sink;
    s->topic_name = o->topic;
    s->partitions = o->partitions;
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

static rd_kafka_headers_t *make_headers(const struct message *m)
{
    rd_kafka_headers_t *headers;

    if (m->headers == 0)
        return NULL;
    headers = rd_kafka_headers_new((size_t)m->headers);
    for (int i = 0; i < m->headers; i++)
        rd_kafka_header_add(headers, m->header[i].name, (ssize_t)m->header[i].name_length,
                            m->header[i].value, (ssize_t)m->header[i].length);
    return headers;
}

static rd_kafka_resp_err_t produce(struct sender *s, const struct message *m, int32_t partition)
{
    rd_kafka_headers_t *headers = make_headers(m);
    rd_kafka_resp_err_t error;

    /* librdkafka only reads; its prototypes lack the const. */
    error = rd_kafka_producev(
        s->kafka, RD_KAFKA_V_RKT(s->topic), RD_KAFKA_V_PARTITION(partition),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_VALUE((void *)(uintptr_t)m->value, m->length),
        RD_KAFKA_V_KEY(m->key, m->key_length), RD_KAFKA_V_TIMESTAMP(m->kafka_ms),
        RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR && headers != NULL)
        rd_kafka_headers_destroy(headers);
    return error;
}

static int send_kafka(struct sender *s, const struct message *m, int32_t partition)
{
    rd_kafka_resp_err_t error;

    while ((error = produce(s, m, partition)) == RD_KAFKA_RESP_ERR__QUEUE_FULL && !s->fatal)
        rd_kafka_poll(s->kafka, 5);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR || s->fatal)
        return say("produce: %s", rd_kafka_err2str(error));
    if (s->totals.sent % POLL_EVERY == 0)
        rd_kafka_poll(s->kafka, 0);
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
    if (s->sink == SINK_STDOUT &&
        kcat_write(stdout, s->topic_name, partition, s->ends[partition], m) != 0)
        return say("standard output: %s", strerror(errno));
    s->ends[partition]++;
    s->totals.sent++;
    s->totals.bytes += m->length;
    return 0;
}

void sender_poll(struct sender *s, int timeout_ms)
{
    if (s->kafka != NULL)
        rd_kafka_poll(s->kafka, timeout_ms);
}

struct sender_totals sender_totals(struct sender *s)
{
    struct sender_totals t = s->totals;
    uint64_t waiting = s->kafka != NULL ? (uint64_t)rd_kafka_outq_len(s->kafka) : 0;

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
    rd_kafka_flush(s->kafka, FLUSH_MS);
    if (rd_kafka_outq_len(s->kafka) > 0)
        return say("%d messages not acknowledged within %d s", rd_kafka_outq_len(s->kafka),
                   FLUSH_MS / 1000);
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
    if (rd_kafka_query_watermark_offsets(s->kafka, s->topic_name, partition, &low, &high,
                                         CONNECT_MS) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return -1;
    return high;
}

void sender_close(struct sender *s)
{
    if (s->topic != NULL)
        rd_kafka_topic_destroy(s->topic);
    if (s->kafka != NULL)
        rd_kafka_destroy(s->kafka);
    free(s->ends);
    free(s);
}
