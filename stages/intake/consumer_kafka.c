/* consumer_kafka.c - the consumer port over librdkafka.
 *
 * Each partition has a queue of its own, so that one which is not read holds no
 * other, and is never paused: 2.0's pause drops what was fetched and can skip
 * offsets with the batch call.  Group events come over the main queue, which poll()
 * serves; a rebalance is answered later, by assign(), as the event interface is
 * meant to be used.  assign, seek and consume are all called from one thread: 2.0
 * loses messages otherwise.  What blocks is asked by the inquirer's thread.
 */
#include "stages/intake/consumer.h"

#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/check.h"
#include "pipeline/clock.h"
#include "pipeline/config.h"
#include "pipeline/error.h"
#include "pipeline/log.h"
#include "stages/board.h"
#include "stages/intake/consumer_conf.h"
#include "stages/intake/consumer_inquirer.h"
#include "stages/intake/start.h"
#include "stages/outlet/rdkafka_conf.h"

#define ROOM "consumer_kafka"

enum {
    PARTITIONS_MAX = BOARD_PARTITIONS_MAX,
    CLOSE_MS = 5000, CLOSE_POLL_MS = 50,
    AHEAD = 4                   /* messages prefetched into the processor's cache         */
};

/* Who slept for half of the shortest session that brokers grant by default may be out of the
 * group.  A static member's commit under its old name is then fatal for librdkafka: it is given
 * time to find out first. */
#define ASLEEP_NS 3000000000ull
#define AWAKE_NS  1000000000ull

struct feed {
    rd_kafka_queue_t *queue;    /* NULL: never assigned                                   */
    bool              open;     /* where to begin has been said                           */
    bool              gap;      /* to be told: what comes next is not in the log           */
    int64_t           from;     /* messages below are left over from before a seek         */
    int64_t           last;     /* offset after the last record handed out                 */
    int64_t           end;      /* the log was read to here, markers included; -1 = not yet  */
};

struct client {
    rd_kafka_t       *rk;
    rd_kafka_queue_t *events;
    struct inquirer  *inquirer;
    char              topic[256];
    void            (*wake)(void *);
    void             *wake_self;
    size_t            held;          /* messages handed out and not released              */
    uint32_t          gaps;          /* feeds with `gap`                                  */
    uintptr_t         tenure;        /* assignments so far: answers of older ones are dropped  */
    rd_kafka_event_t *receipt;       /* of a commit, being told partition by partition     */
    int               receipt_next;
    rd_kafka_topic_partition_list_t *commits;   /* to be sent with the next poll          */
    uint64_t          polled_ns, commit_ns;     /* boot time: last poll; no commit before  */
    bool              typed;         /* the kind of timestamps has been looked at          */
    int32_t           count;
    int32_t           given[PARTITIONS_MAX];    /* last assignment                        */
    struct feed       feeds[PARTITIONS_MAX];
    rd_kafka_message_t *messages[RAW_RECORDS];
};

/* ── opening ── */

static void arrived(rd_kafka_t *rk, void *self)
{
    struct client *client = self;

    (void)rk;
    client->wake(client->wake_self);
}

static int subscribe(struct client *client)
{
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);

    rd_kafka_topic_partition_list_add(topics, client->topic, RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t error = rd_kafka_subscribe(client->rk, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0;
    return error_set("subscribing to %s: %s", client->topic, rd_kafka_err2str(error));
}

static const struct consumer_ops ops;

int consumer_open_kafka(const struct config *config, void (*wake)(void *), void *wake_self,
                        struct consumer *consumer)
{
    struct start     start;
    rd_kafka_conf_t *conf = start_read(config, &start) == 0 ? consumer_conf(config) : NULL;
    struct client   *client = calloc(1, sizeof *client);

    CHECK(client != NULL);
    if (conf != NULL) {
        rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_REBALANCE | RD_KAFKA_EVENT_OFFSET_COMMIT |
                                           RD_KAFKA_EVENT_ERROR);
        client->rk = rdkafka_open(RD_KAFKA_CONSUMER, conf);
    }
    if (client->rk == NULL) {
        free(client);
        return -1;
    }
    (void)snprintf(client->topic, sizeof client->topic, "%s",
                   config_text(config, "kafka.topics.scans"));
    client->wake = wake;
    client->wake_self = wake_self;
    (void)rd_kafka_poll_set_consumer(client->rk);
    client->events = rd_kafka_queue_get_consumer(client->rk);
    rd_kafka_queue_cb_event_enable(client->events, arrived, client);
    client->commits = rd_kafka_topic_partition_list_new(1);
    client->inquirer = inquirer_start(client->rk, client->topic, &start, wake, wake_self);
    *consumer = (struct consumer){.ops = &ops, .self = client};
    if (subscribe(client) == 0)
        return 0;
    ops.close(client);
    return -1;
}

/* ── events ── */

static void drop_commits(struct client *client)
{
    rd_kafka_topic_partition_list_destroy(client->commits);
    client->commits = rd_kafka_topic_partition_list_new(1);
}

/* What was asked or committed before is no longer waited for. */
static void new_tenure(struct client *client)
{
    client->tenure++;
    drop_commits(client);
    inquirer_forget(client->inquirer);
}

static void send_commits(struct client *client)
{
    if (client->commits->cnt == 0 || client->polled_ns < client->commit_ns)
        return;
    (void)rd_kafka_commit_queue(client->rk, client->commits, client->events, NULL,
                                (void *)client->tenure);
    drop_commits(client);
}

static void notice_sleep(struct client *client)
{
    uint64_t boot_ns = clock_boot_ns();

    if (client->polled_ns != 0 && boot_ns - client->polled_ns > ASLEEP_NS)
        client->commit_ns = boot_ns + AWAKE_NS;
    client->polled_ns = boot_ns;
}

static enum consumer_error commit_error(rd_kafka_resp_err_t error)
{
    switch (error) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        return CONSUMER_OK;
    case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID:
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
    case RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST:
        return CONSUMER_FENCED;
    default:
        return CONSUMER_RETRY;
    }
}

/* The next partition of a commit that was answered; false = none. */
static bool tell_receipt(struct client *client, struct consumer_event *event)
{
    if (client->receipt == NULL)
        return false;
    const rd_kafka_topic_partition_list_t *list =
        rd_kafka_event_topic_partition_list(client->receipt);
    bool old = (uintptr_t)rd_kafka_event_opaque(client->receipt) != client->tenure;

    if (old || list == NULL || client->receipt_next >= list->cnt) {
        rd_kafka_event_destroy(client->receipt);
        client->receipt = NULL;
        return false;
    }
    const rd_kafka_topic_partition_t *part = &list->elems[client->receipt_next++];
    rd_kafka_resp_err_t error = part->err != RD_KAFKA_RESP_ERR_NO_ERROR
                                    ? part->err : rd_kafka_event_error(client->receipt);

    *event = (struct consumer_event){.kind = CONSUMER_COMMITTED, .partition = part->partition,
                                     .offset = part->offset,
                                     .error = (uint8_t)commit_error(error)};
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
        (void)snprintf(event->text, sizeof event->text, "%s", rd_kafka_err2str(error));
    return true;
}

static bool tell_gap(struct client *client, struct consumer_event *event)
{
    if (client->gaps == 0)
        return false;
    for (int32_t p = 0; p < PARTITIONS_MAX; p++) {
        struct feed *feed = &client->feeds[p];

        if (!feed->gap)
            continue;
        feed->gap = false;
        client->gaps--;
        *event = (struct consumer_event){.kind = CONSUMER_GAP, .partition = p,
                                         .offset = feed->last};
        return true;
    }
    return false;
}

/* Where only markers of transactions follow the last record, there is nothing to wait for. */
static void pass_markers(const struct client *client, struct consumer_event *event)
{
    const struct feed *feed = &client->feeds[event->partition];

    if (event->kind == CONSUMER_POSITION && feed->open && feed->end == event->high &&
        feed->last < event->high)
        event->high = feed->last > event->low ? feed->last : event->low;
}

static bool tell_rebalance(struct client *client, rd_kafka_event_t *rebalance,
                           struct consumer_event *event)
{
    rd_kafka_resp_err_t                    error = rd_kafka_event_error(rebalance);
    const rd_kafka_topic_partition_list_t *list = rd_kafka_event_topic_partition_list(rebalance);

    *event = (struct consumer_event){.kind = CONSUMER_REVOKED};
    if (strcmp(rd_kafka_rebalance_protocol(client->rk), "COOPERATIVE") == 0) {
        event->kind = CONSUMER_FATAL;
        (void)snprintf(event->text, sizeof event->text, "partition.assignment.strategy: the "
                       "cooperative protocol is not supported, use range or roundrobin");
        return true;
    }
    if (error != RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        if (rd_kafka_assignment_lost(client->rk) ||
            error != RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS)
            event->kind = CONSUMER_LOST;
        return true;
    }
    new_tenure(client);
    event->kind = CONSUMER_ASSIGNED;
    event->partitions = client->given;
    for (int i = 0; i < list->cnt && event->count < PARTITIONS_MAX; i++)
        if (strcmp(list->elems[i].topic, client->topic) == 0)
            client->given[event->count++] = list->elems[i].partition;
    return true;
}

/* An event of any kind may be the news of it: a consumer's own come as messages. */
static bool tell_fatal(const struct client *client, struct consumer_event *event)
{
    char                text[128];
    rd_kafka_resp_err_t error = rd_kafka_fatal_error(client->rk, text, sizeof text);

    if (error == RD_KAFKA_RESP_ERR_NO_ERROR)
        return false;
    *event = (struct consumer_event){.kind = CONSUMER_FATAL};
    (void)snprintf(event->text, sizeof event->text, "%s: %s", rd_kafka_err2name(error), text);
    return true;
}

/* Takes one of librdkafka's events; false = it says nothing to the source. */
static bool tell_event(struct client *client, rd_kafka_event_t *arrival,
                       struct consumer_event *event)
{
    bool told = false;

    switch (rd_kafka_event_type(arrival)) {
    case RD_KAFKA_EVENT_OFFSET_COMMIT:
        CHECK(client->receipt == NULL);
        client->receipt = arrival;
        client->receipt_next = 0;
        return tell_receipt(client, event);
    case RD_KAFKA_EVENT_REBALANCE:
        told = tell_rebalance(client, arrival, event);
        break;
    default:
        if (rd_kafka_event_type(arrival) == RD_KAFKA_EVENT_ERROR)   /* also in its own log */
            log_debug(ROOM, "%s", rd_kafka_event_error_string(arrival));
        told = tell_fatal(client, event);
        break;
    }
    rd_kafka_event_destroy(arrival);
    return told;
}

static bool poll_event(void *self, struct consumer_event *event)
{
    struct client *client = self;

    notice_sleep(client);
    send_commits(client);
    if (tell_receipt(client, event) || tell_gap(client, event))
        return true;
    if (inquirer_answer(client->inquirer, event)) {
        if (event->kind == CONSUMER_COUNT)
            client->count = event->count;
        pass_markers(client, event);
        return true;
    }
    rd_kafka_event_t *arrival = rd_kafka_queue_poll(client->events, 0);

    while (arrival != NULL && !tell_event(client, arrival, event))
        arrival = rd_kafka_queue_poll(client->events, 0);
    return arrival != NULL;
}

/* ── orders ── */

static void feed_open(struct feed *feed, int64_t offset)
{
    feed->open = offset >= 0;
    feed->from = feed->last = offset;
    feed->end = -1;
}

/* The partition's own queue, apart from the main one from now on.  Asked for anew with each
 * assignment: librdkafka may have made the partition's innards anew. */
static void feed_queue(struct client *client, int32_t partition)
{
    struct feed *feed = &client->feeds[partition];

    if (feed->queue != NULL)
        rd_kafka_queue_destroy(feed->queue);
    feed->queue = rd_kafka_queue_get_partition(client->rk, client->topic, partition);
    CHECK(feed->queue != NULL);
    rd_kafka_queue_forward(feed->queue, NULL);
    rd_kafka_queue_cb_event_enable(feed->queue, arrived, client);
}

static int assign(void *self, const int32_t *partitions, const int64_t *offsets, int count)
{
    struct client                   *client = self;
    rd_kafka_topic_partition_list_t *list =
        count > 0 ? rd_kafka_topic_partition_list_new(count) : NULL;

    if (count == 0)
        new_tenure(client);
    for (int32_t p = 0; p < PARTITIONS_MAX; p++)
        client->feeds[p].open = false;
    for (int i = 0; i < count; i++) {
        /* One that is not known yet begins at the end: what little comes is dropped by seek. */
        int64_t offset = offsets[i] >= 0 ? offsets[i] : RD_KAFKA_OFFSET_END;

        rd_kafka_topic_partition_list_add(list, client->topic, partitions[i])->offset = offset;
        feed_queue(client, partitions[i]);
        feed_open(&client->feeds[partitions[i]], offsets[i]);
    }
    rd_kafka_resp_err_t error = rd_kafka_assign(client->rk, list);

    if (list != NULL)
        rd_kafka_topic_partition_list_destroy(list);
    return error == RD_KAFKA_RESP_ERR_NO_ERROR ? 0 : error_set("%s", rd_kafka_err2str(error));
}

static int seek(void *self, int32_t partition, int64_t offset)
{
    struct client                   *client = self;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

    rd_kafka_topic_partition_list_add(list, client->topic, partition)->offset = offset;
    rd_kafka_error_t *error = rd_kafka_seek_partitions(client->rk, list, 0);
    rd_kafka_topic_partition_list_destroy(list);
    if (error != NULL) {
        (void)error_set("seeking to %" PRId64 ": %s", offset, rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
        return -1;
    }
    feed_open(&client->feeds[partition], offset);
    return 0;
}

static void ask(void *self, int32_t partition, bool with_group)
{
    inquirer_ask(((struct client *)self)->inquirer, partition, with_group);
}

static void commit(void *self, int32_t partition, int64_t offset, const char *metadata)
{
    struct client              *client = self;
    size_t                      length = strlen(metadata);
    rd_kafka_topic_partition_t *part;

    rd_kafka_topic_partition_list_del(client->commits, client->topic, partition);
    part = rd_kafka_topic_partition_list_add(client->commits, client->topic, partition);
    part->offset = offset;
    part->metadata = rd_kafka_mem_malloc(client->rk, length); /* the list frees it */
    CHECK(part->metadata != NULL || length == 0);
    memcpy(part->metadata, metadata, length);
    part->metadata_size = length;
    client->wake(client->wake_self);
}

/* ── messages ── */

/* An error in the place of a message. */
static void note_error(struct client *client, int32_t partition, const rd_kafka_message_t *message)
{
    struct feed *feed = &client->feeds[partition];

    switch (message->err) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        feed->end = message->offset;
        return;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        client->gaps += !feed->gap;
        feed->gap = true;
        client->wake(client->wake_self);
        break;
    default:
        break;
    }
    log_warning(ROOM, "partition %" PRId32 ": %s", partition, rd_kafka_message_errstr(message));
}

static void look_at_type(struct client *client, const rd_kafka_message_t *message)
{
    rd_kafka_timestamp_type_t type;

    (void)rd_kafka_message_timestamp(message, &type);
    client->typed = true;
    if (type != RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME)
        log_warning(ROOM, "topic %s has the producers' timestamps, and deadlines hang on their "
                    "clocks: message.timestamp.type=LogAppendTime is better", client->topic);
}

static void fill(struct raw *raw, rd_kafka_message_t *message)
{
    raw->value = message->payload;
    raw->key = message->key;
    raw->length = (uint32_t)message->len;
    raw->key_length = (uint32_t)message->key_len;
    raw->offset = message->offset;
    raw->kafka_ms = rd_kafka_message_timestamp(message, NULL);
    raw->message = message;
}

static size_t consume(void *self, int32_t partition, struct raw *records, size_t max)
{
    struct client *client = self;
    struct feed   *feed = &client->feeds[partition];
    size_t         count = 0;

    if (!feed->open)
        return 0;
    ssize_t got = rd_kafka_consume_batch_queue(feed->queue, 0, client->messages,
                                               max < RAW_RECORDS ? max : RAW_RECORDS);

    for (ssize_t i = 0; i < got; i++) {
        rd_kafka_message_t *message = client->messages[i];

        if (i + AHEAD < got)
            __builtin_prefetch(client->messages[i + AHEAD]);
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR && message->offset >= feed->from) {
            fill(&records[count++], message);
            continue;
        }
        if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
            note_error(client, partition, message);
        rd_kafka_message_destroy(message);
    }
    if (count > 0) {
        feed->last = records[count - 1].offset + 1;
        client->held += count;
        if (!client->typed)
            look_at_type(client, records[0].message);
    }
    return count;
}

static void release(void *self, struct raw *records, size_t count)
{
    struct client *client = self;

    CHECK(client->held >= count);
    client->held -= count;
    for (size_t i = 0; i < count; i++) {
        if (i + AHEAD < count)
            __builtin_prefetch(records[i + AHEAD].message);
        rd_kafka_message_destroy(records[i].message);
    }
}

bool consumer_header_kafka(const void *message, size_t i, const char **name, const void **value,
                           size_t *length)
{
    rd_kafka_headers_t *headers;

    return rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR &&
           rd_kafka_header_get_all(headers, i, name, value, length) == RD_KAFKA_RESP_ERR_NO_ERROR;
}

static int32_t partition_count(void *self)
{
    return ((struct client *)self)->count;
}

/* ── closing ── */

/* Leaves the group, within bounds: a broker that is gone need not hear of it. */
static void leave(struct client *client)
{
    rd_kafka_error_t *error = rd_kafka_consumer_close_queue(client->rk, client->events);
    uint64_t          until_ns = clock_boot_ns() + CLOSE_MS * (uint64_t)1000000;

    if (error != NULL)
        rd_kafka_error_destroy(error);
    while (!rd_kafka_consumer_closed(client->rk) && clock_boot_ns() < until_ns) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(client->events, CLOSE_POLL_MS);

        if (event == NULL)
            continue;
        if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE)
            (void)rd_kafka_assign(client->rk, NULL);
        rd_kafka_event_destroy(event);
    }
}

static void close_client(void *self)
{
    struct client *client = self;

    inquirer_stop(client->inquirer);
    if (client->receipt != NULL)
        rd_kafka_event_destroy(client->receipt);
    leave(client);
    rd_kafka_queue_cb_event_enable(client->events, NULL, NULL);
    rd_kafka_queue_destroy(client->events);
    for (int32_t p = 0; p < PARTITIONS_MAX; p++) {
        if (client->feeds[p].queue == NULL)
            continue;
        rd_kafka_queue_cb_event_enable(client->feeds[p].queue, NULL, NULL);
        rd_kafka_queue_destroy(client->feeds[p].queue);
    }
    rd_kafka_topic_partition_list_destroy(client->commits);
    if (client->held > 0) { /* librdkafka would wait for them for ever; the process ends anyway */
        log_warning(ROOM, "closed with %zu messages not released", client->held);
        return;
    }
    rd_kafka_destroy_flags(client->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    free(client);
}

static const struct consumer_ops ops = {
    .poll = poll_event,
    .assign = assign,
    .seek = seek,
    .ask = ask,
    .commit = commit,
    .consume = consume,
    .release = release,
    .header = consumer_header_kafka,
    .partition_count = partition_count,
    .close = close_client,
};
