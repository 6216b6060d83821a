/* reshard_log.c - Kafka: ends of the log, and the backlog on its way home.
 *
 * What no checkpoint holds when the count has changed lies in the old partitions under the
 * old homes, and in any under the new.  All of it is sent once more, each record to the
 * partition that is its home now, in the order of their timestamps; reading then goes on
 * behind the originals, so that each counts once.  A copy says in a header where its original
 * is, so that a run that takes up an interrupted one sends none twice.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/check.h"
#include "pipeline/config.h"
#include "pipeline/error.h"
#include "pipeline/log.h"
#include "stages/board.h"
#include "stages/command/reshard.h"
#include "stages/outlet/rdkafka_conf.h"
#include "stages/scan/scan.h"

enum { WAIT_MS = 10000, TURN_MS = 100, SILENT_TURNS_MAX = 600 };

static const char copy_header[] = "peakline-reshard"; /* "PARTITION OFFSET" of the original */

struct reshard_log {
    const struct config *config;
    const char          *topic;
    rd_kafka_t          *consumer, *producer;
    int64_t              failed;   /* copies that Kafka did not take                         */
};

/* The log of all partitions, oldest record first. */
struct merge {
    struct reshard_log  *log;
    struct reshard      *r;
    rd_kafka_queue_t    *queues[BOARD_PARTITIONS_MAX];
    rd_kafka_message_t  *heads[BOARD_PARTITIONS_MAX];  /* the next of each; NULL = none left   */
    int64_t              ends[BOARD_PARTITIONS_MAX];
    int64_t             *sent;     /* [home × partitions + original's]: offset sent last, or −1 */
};

/* ── Clients ──────────────────────────────────────────────────────────────── */

static void delivered(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    struct reshard_log *log = opaque;

    (void)rk;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR && log->failed++ == 0)
        log_error("reshard", "a record can't be sent to its home: %s",
                  rd_kafka_err2str(message->err));
}

static rd_kafka_t *consumer_open(struct reshard_log *log)
{
    static const struct rdkafka_setting none[] = {{NULL, NULL}};
    const struct rdkafka_setting fixed[] = {
        {"group.id", config_text(log->config, "kafka.group")}, /* never joined: assigned by hand */
        {"enable.auto.commit", "false"}, {"enable.auto.offset.store", "false"},
        {"auto.offset.reset", "error"}, {"enable.partition.eof", "true"}, {NULL, NULL}};
    rd_kafka_conf_t *conf = rdkafka_conf_create(log->config, "consumer", none, fixed);

    return conf != NULL ? rdkafka_open(RD_KAFKA_CONSUMER, conf) : NULL;
}

static rd_kafka_t *producer_open(struct reshard_log *log)
{
    static const struct rdkafka_setting defaults[] = {
        {"linger.ms", "20"}, {"compression.codec", "lz4"}, {NULL, NULL}};
    static const struct rdkafka_setting fixed[] = {
        {"enable.idempotence", "true"}, {"acks", "all"}, {NULL, NULL}};
    rd_kafka_conf_t *conf = rdkafka_conf_create(log->config, "producer", defaults, fixed);

    if (conf == NULL)
        return NULL;
    rd_kafka_conf_set_opaque(conf, log);
    rd_kafka_conf_set_dr_msg_cb(conf, delivered);
    return rdkafka_open(RD_KAFKA_PRODUCER, conf);
}

struct reshard_log *reshard_log_open(const struct config *config)
{
    struct reshard_log *log = calloc(1, sizeof *log);

    CHECK(log != NULL);
    log->config = config;
    log->topic = config_text(config, "kafka.topics.scans");
    log->consumer = consumer_open(log);
    log->producer = log->consumer != NULL ? producer_open(log) : NULL;
    if (log->producer != NULL) {
        (void)rd_kafka_poll_set_consumer(log->consumer);
        return log;
    }
    reshard_log_close(log);
    return NULL;
}

void reshard_log_close(struct reshard_log *log)
{
    if (log == NULL)
        return;
    if (log->consumer != NULL) {
        (void)rd_kafka_consumer_close(log->consumer);
        rd_kafka_destroy(log->consumer);
    }
    if (log->producer != NULL)
        rd_kafka_destroy(log->producer);
    free(log);
}

/* ── What brokers say ─────────────────────────────────────────────────────── */

int32_t reshard_log_partitions(struct reshard_log *log)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t   *topic = rd_kafka_topic_new(log->producer, log->topic, NULL);
    rd_kafka_resp_err_t error = rd_kafka_metadata(log->producer, 0, topic, &metadata, WAIT_MS);
    int32_t             count = 0;

    rd_kafka_topic_destroy(topic);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
        CHECK(metadata->topic_cnt == 1);
        error = metadata->topics[0].err;
        count = metadata->topics[0].partition_cnt;
        rd_kafka_metadata_destroy(metadata);
    }
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
        return error_set("topic %s: %s", log->topic, rd_kafka_err2str(error));
    if (count <= 0 || count > BOARD_PARTITIONS_MAX)
        return error_set("topic %s has %" PRId32 " partitions; 1 to %d can be", log->topic, count,
                         BOARD_PARTITIONS_MAX);
    return count;
}

int reshard_log_members(struct reshard_log *log)
{
    const struct rd_kafka_group_list *list = NULL;
    const char         *group = config_text(log->config, "kafka.group");
    rd_kafka_resp_err_t error = rd_kafka_list_groups(log->producer, group, &list, WAIT_MS);
    int                 members = 0;

    if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
        return error_set("group %s: %s", group, rd_kafka_err2str(error));
    for (int i = 0; i < list->group_cnt; i++)
        members += list->groups[i].member_cnt;
    rd_kafka_group_list_destroy(list);
    return members;
}

int reshard_log_ends(struct reshard_log *log, uint32_t partition, int64_t *low, int64_t *high)
{
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;

    /* One that was just added has no leader yet, or not where the client knows. */
    for (int turn = 0; turn < WAIT_MS / TURN_MS; turn++) {
        error = rd_kafka_query_watermark_offsets(log->consumer, log->topic, (int32_t)partition,
                                                 low, high, WAIT_MS);
        if (error == RD_KAFKA_RESP_ERR_NO_ERROR)
            return 0;
        if (error != RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION
            && error != RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE)
            break;
        (void)usleep(TURN_MS * 1000);
    }
    return error_set("partition %" PRIu32 " of %s: %s", partition, log->topic,
                     rd_kafka_err2str(error));
}

/* ── All partitions, oldest first ─────────────────────────────────────────── */

/* Begins to read [from(p), to(p)) of each partition. */
static int merge_open(struct merge *m, const int64_t *from)
{
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new((int)m->r->after);
    rd_kafka_resp_err_t error;

    for (uint32_t p = 0; p < m->r->after; p++) {
        if (from[p] >= m->ends[p])
            continue;
        rd_kafka_topic_partition_list_add(list, m->log->topic, (int32_t)p)->offset = from[p];
        m->queues[p] = rd_kafka_queue_get_partition(m->log->consumer, m->log->topic, (int32_t)p);
        CHECK(m->queues[p] != NULL);
        rd_kafka_queue_forward(m->queues[p], NULL);
    }
    error = rd_kafka_assign(m->log->consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    return error == RD_KAFKA_RESP_ERR_NO_ERROR ? 0
                                               : error_set("assign: %s", rd_kafka_err2str(error));
}

static void merge_done(struct merge *m, uint32_t p)
{
    if (m->queues[p] != NULL)
        rd_kafka_queue_destroy(m->queues[p]);
    m->queues[p] = NULL;
}

static void merge_close(struct merge *m)
{
    for (uint32_t p = 0; p < m->r->after; p++) {
        if (m->heads[p] != NULL)
            rd_kafka_message_destroy(m->heads[p]);
        m->heads[p] = NULL;
        merge_done(m, p);
    }
    (void)rd_kafka_assign(m->log->consumer, NULL);
}

/* Is it the partition's next record?  What else comes says that there is none, or why. */
static int head_judge(struct merge *m, uint32_t p, rd_kafka_message_t *message)
{
    bool ended = message->offset >= m->ends[p];

    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR && !ended) {
        m->heads[p] = message;
        if (message->offset == m->ends[p] - 1) /* nothing behind it is ours to read */
            merge_done(m, p);
        return 0;
    }
    int result = ended || message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF
                     ? 0 : error_set("partition %" PRIu32 ": %s", p,
                                     rd_kafka_message_errstr(message));

    if (ended || result != 0)
        merge_done(m, p);
    rd_kafka_message_destroy(message);
    return result;
}

/* Waits until the partition's next record is here, or it has none. */
static int head_wait(struct merge *m, uint32_t p)
{
    for (int silent = 0; m->heads[p] == NULL && m->queues[p] != NULL; silent++) {
        rd_kafka_message_t *message = rd_kafka_consume_queue(m->queues[p], TURN_MS);
        rd_kafka_message_t *other = rd_kafka_consumer_poll(m->log->consumer, 0);

        if (other != NULL)
            rd_kafka_message_destroy(other);
        if (message != NULL && head_judge(m, p, message) != 0)
            return -1;
        silent = message != NULL ? 0 : silent;
        if (silent == SILENT_TURNS_MAX)
            return error_set("partition %" PRIu32 ": its records do not come, for %d s", p,
                             SILENT_TURNS_MAX * TURN_MS / 1000);
    }
    return 0;
}

/* The oldest of all heads; NULL = none is left, or *failed. */
static rd_kafka_message_t *merge_next(struct merge *m, bool *failed)
{
    int64_t  oldest_ms = INT64_MAX;
    uint32_t which = UINT32_MAX;

    for (uint32_t p = 0; p < m->r->after && !*failed; p++) {
        *failed = head_wait(m, p) != 0;
        if (m->heads[p] == NULL)
            continue;
        int64_t at_ms = rd_kafka_message_timestamp(m->heads[p], NULL);

        if (which == UINT32_MAX || at_ms < oldest_ms) {
            oldest_ms = at_ms;
            which = p;
        }
    }
    if (*failed || which == UINT32_MAX)
        return NULL;
    rd_kafka_message_t *message = m->heads[which];

    m->heads[which] = NULL;
    return message;
}

/* Each record, oldest first. */
static int merge_all(struct merge *m, const int64_t *from,
                     int (*each)(struct merge *, const rd_kafka_message_t *))
{
    rd_kafka_message_t *message;
    bool                failed = merge_open(m, from) != 0;

    while (!failed && (message = merge_next(m, &failed)) != NULL) {
        failed = each(m, message) != 0;
        rd_kafka_message_destroy(message);
    }
    merge_close(m);
    return failed ? -1 : 0;
}

/* ── Home ─────────────────────────────────────────────────────────────────── */

static int64_t *sent_of(struct merge *m, uint32_t home, uint32_t original)
{
    return &m->sent[(size_t)home * m->r->after + original];
}

/* What an earlier run has sent. */
static int note_sent(struct merge *m, const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers = NULL;
    const void         *value = NULL;
    size_t              length = 0;
    char                text[64];
    uint32_t            original;
    int64_t             offset;

    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR
        || rd_kafka_header_get_last(headers, copy_header, &value, &length)
               != RD_KAFKA_RESP_ERR_NO_ERROR || length >= sizeof text)
        return 0;
    memcpy(text, value, length);
    text[length] = '\0';
    if (sscanf(text, "%" SCNu32 " %" SCNd64, &original, &offset) == 2 && original < m->r->after
        && offset >= m->r->parts[original].from && offset < m->r->parts[original].end)
        *sent_of(m, (uint32_t)message->partition, original) = offset;
    return 0;
}

static rd_kafka_headers_t *copy_headers(const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers = NULL;
    char                text[64];
    int length = snprintf(text, sizeof text, "%" PRId32 " %" PRId64, message->partition,
                          message->offset);

    headers = rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR
                  ? rd_kafka_headers_copy(headers) : rd_kafka_headers_new(1);
    CHECK(headers != NULL);
    (void)rd_kafka_header_remove(headers, copy_header); /* of a reshard before */
    CHECK(rd_kafka_header_add(headers, copy_header, -1, text, length)
          == RD_KAFKA_RESP_ERR_NO_ERROR);
    return headers;
}

static int send_copy(struct merge *m, const rd_kafka_message_t *message, int32_t home)
{
    rd_kafka_headers_t *headers = copy_headers(message);
    rd_kafka_resp_err_t error;

    do {
        error = rd_kafka_producev(
            m->log->producer, RD_KAFKA_V_TOPIC(m->log->topic), RD_KAFKA_V_PARTITION(home),
            RD_KAFKA_V_KEY(message->key, message->key_len),
            RD_KAFKA_V_VALUE(message->payload, message->len), RD_KAFKA_V_HEADERS(headers),
            RD_KAFKA_V_TIMESTAMP(rd_kafka_message_timestamp(message, NULL)),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
        (void)rd_kafka_poll(m->log->producer,
                            error == RD_KAFKA_RESP_ERR__QUEUE_FULL ? TURN_MS : 0);
    } while (error == RD_KAFKA_RESP_ERR__QUEUE_FULL);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0;
    rd_kafka_headers_destroy(headers);
    return error_set("partition %" PRId32 ", offset %" PRId64 ": %s", message->partition,
                     message->offset, rd_kafka_err2str(error));
}

/* A record without key is at home nowhere, and stays where it is. */
static int send_home(struct merge *m, const rd_kafka_message_t *message)
{
    struct reshard_part *part = &m->r->parts[message->partition];
    uint32_t             hash = parcel_home(message->key, message->key_len);
    uint32_t home = message->key != NULL ? hash % m->r->after : (uint32_t)message->partition;
    int64_t *last = sent_of(m, home, (uint32_t)message->partition);

    part->last_ms = rd_kafka_message_timestamp(message, NULL);
    part->last_home = hash;
    if (message->offset <= *last)
        return 0;
    *last = message->offset;
    m->r->sent++;
    return send_copy(m, message, (int32_t)home);
}

static int flush(struct reshard_log *log)
{
    while (rd_kafka_flush(log->producer, WAIT_MS) == RD_KAFKA_RESP_ERR__TIMED_OUT)
        log_warning("reshard", "Kafka has not taken all yet; waiting");
    return log->failed == 0 ? 0
                            : error_set("%" PRId64 " records could not be sent; run this again",
                                        log->failed);
}

int reshard_log_home(struct reshard_log *log, struct reshard *r)
{
    struct merge *m = calloc(1, sizeof *m);
    size_t        count = (size_t)r->after * r->after;
    int64_t       from[BOARD_PARTITIONS_MAX], low;
    int           result = 0;

    CHECK(m != NULL);
    *m = (struct merge) {.log = log, .r = r, .sent = malloc(count * sizeof *m->sent)};
    CHECK(m->sent != NULL);
    memset(m->sent, 0xff, count * sizeof *m->sent);
    for (uint32_t p = 0; result == 0 && p < r->after; p++) {
        from[p] = r->parts[p].end;
        result = reshard_log_ends(log, p, &low, &m->ends[p]);
    }
    if (result == 0)
        result = merge_all(m, from, note_sent);
    for (uint32_t p = 0; p < r->after; p++) {
        from[p] = r->parts[p].from;
        m->ends[p] = r->parts[p].end;
    }
    if (result == 0)
        result = merge_all(m, from, send_home);
    free(m->sent);
    free(m);
    return flush(log) != 0 ? -1 : result;
}
