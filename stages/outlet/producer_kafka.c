/* producer_kafka.c - the producer port over librdkafka: idempotent, acks=all.
 *
 * Messages never time out: an outage is waited out with order kept, and the bound
 * on what is in flight is the back-pressure.  That bound is kept here, below
 * librdkafka's own, because its batch call goes on after a message it had no room
 * for, which would change the order.
 *
 * partition = home % count, without hashing the key again.  librdkafka tells the
 * count when it asks for a partition, so one message in a while is left to it.
 */
#include "stages/outlet/producer.h"

#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/check.h"
#include "pipeline/clock.h"
#include "pipeline/config.h"
#include "pipeline/error.h"
#include "pipeline/log.h"
#include "stages/outlet/rdkafka_conf.h"

#define ROOM "producer_kafka"

enum {
    MESSAGES_MAX = 262144,             /* in flight                                        */
    BYTES_MAX = 256 * 1024 * 1024,
    REFUSALS_MAX = 1024,               /* not taken by librdkafka and not yet told           */
    BESIDES_BYTES = 16 * 1024,         /* of a message, beside its value                     */
    CLOSE_MS = 3000, CLOSE_POLL_MS = 50
};

#define COUNT_NS ((uint64_t)30000000000) /* a topic's partition count is believed for so long */

/* A topic, and how many partitions librdkafka last said it has. */
struct target {
    rd_kafka_topic_t *topic;
    _Atomic int32_t   count;           /* 0 = not known; set by librdkafka's threads too      */
    uint64_t          count_ns;
};

struct refusal {
    void               *owner;
    const char         *topic;
    rd_kafka_resp_err_t error;
};

/* One of librdkafka's producers.  After a fatal error it is emptied beside its successor. */
struct engine {
    rd_kafka_t       *rk;
    rd_kafka_queue_t *events;
    rd_kafka_event_t *receipts;        /* acknowledgements, being told one by one           */
    struct target     targets[TOPICS];
    uint32_t          in_flight;
    uint64_t          bytes;
};

struct client {
    const struct config *config;
    struct engine       *engine, *spent;
    bool               (*header)(const void *, size_t, const char **, const void **, size_t *);
    void               (*wake)(void *);
    void                *wake_self;
    struct refusal       refusals[REFUSALS_MAX];
    uint32_t             refused;
    char                 fatal[192];
    rd_kafka_message_t   messages[OUTPUTS_RECORDS];
};

/* ── opening ── */

static int32_t choose_partition(const rd_kafka_topic_t *topic, const void *key, size_t length,
                                int32_t count, void *target, void *owner)
{
    atomic_store(&((struct target *)target)->count, count);
    return rd_kafka_msg_partitioner_murmur2_random(topic, key, length, count, NULL, owner);
}

static void arrived(rd_kafka_t *rk, void *self)
{
    struct client *client = self;

    (void)rk;
    client->wake(client->wake_self);
}

static rd_kafka_conf_t *make_conf(const struct config *config)
{
    static const struct rdkafka_setting defaults[] = {
        {"linger.ms", "20"},
        {"compression.codec", "lz4"},
        {"batch.size", "1000000"},
        {"batch.num.messages", "10000"},
        {NULL, NULL},
    };
    static const struct rdkafka_setting fixed[] = {
        {"enable.idempotence", "true"},
        {"acks", "all"},
        {"message.timeout.ms", "0"},
        {"queue.buffering.max.messages", "1000000"}, /* ours are lower: never reached */
        {"queue.buffering.max.kbytes", "2097151"},
        {NULL, NULL},
    };
    rd_kafka_conf_t *conf = rdkafka_conf_create(config, "producer", defaults, fixed);

    if (conf != NULL)
        rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR);
    return conf;
}

static void open_topics(struct engine *engine, const struct config *config)
{
    static const char *const paths[TOPICS] = {
        [TOPIC_ALERTS] = "kafka.topics.alerts",
        [TOPIC_ETAS] = "kafka.topics.etas",
        [TOPIC_DEAD_LETTERS] = "kafka.topics.dead_letters",
        [TOPIC_PROGRESS] = "kafka.topics.progress",
        [TOPIC_ACTIVITY] = "kafka.topics.activity",
    };

    for (int t = 0; t < TOPICS; t++) {
        if (t == TOPIC_ACTIVITY && !config_bool(config, "activity.enabled"))
            continue;   /* a topic that is asked about may come to be */
        rd_kafka_topic_conf_t *conf = rd_kafka_default_topic_conf_dup(engine->rk);

        CHECK(conf != NULL);
        rd_kafka_topic_conf_set_partitioner_cb(conf, choose_partition);
        rd_kafka_topic_conf_set_opaque(conf, &engine->targets[t]);
        engine->targets[t].topic =
            rd_kafka_topic_new(engine->rk, config_text(config, paths[t]), conf);
        CHECK(engine->targets[t].topic != NULL);
    }
}

static struct engine *engine_open(struct client *client)
{
    rd_kafka_conf_t *conf = make_conf(client->config);
    rd_kafka_t      *rk = conf != NULL ? rdkafka_open(RD_KAFKA_PRODUCER, conf) : NULL;

    if (rk == NULL)
        return NULL;
    struct engine *engine = calloc(1, sizeof *engine);

    CHECK(engine != NULL);
    engine->rk = rk;
    open_topics(engine, client->config);
    engine->events = rd_kafka_queue_get_main(rk);
    rd_kafka_queue_cb_event_enable(engine->events, arrived, client);
    return engine;
}

/* Nothing is in flight any more, or nobody will ask for it. */
static void engine_close(struct engine *engine)
{
    if (engine->receipts != NULL)
        rd_kafka_event_destroy(engine->receipts);
    rd_kafka_queue_cb_event_enable(engine->events, NULL, NULL);
    rd_kafka_queue_destroy(engine->events);
    for (int t = 0; t < TOPICS; t++)
        if (engine->targets[t].topic != NULL)
            rd_kafka_topic_destroy(engine->targets[t].topic);
    rd_kafka_destroy(engine->rk);
    free(engine);
}

/* What librdkafka takes at most, less what key, headers and framing may need of it. */
static uint32_t bytes_max(const struct engine *engine)
{
    char   text[24] = "";
    size_t size = sizeof text;

    CHECK(rd_kafka_conf_get(rd_kafka_conf(engine->rk), "message.max.bytes", text, &size) ==
          RD_KAFKA_CONF_OK);
    unsigned long most = strtoul(text, NULL, 10);
    return most > 2 * BESIDES_BYTES ? (uint32_t)(most - BESIDES_BYTES) : (uint32_t)most / 2;
}

static const struct producer_ops ops;

int producer_open_kafka(const struct config *config, void (*wake)(void *), void *wake_self,
                        bool (*header)(const void *, size_t, const char **, const void **,
                                       size_t *),
                        struct producer *producer)
{
    struct client *client = calloc(1, sizeof *client);

    CHECK(client != NULL);
    client->config = config;
    client->header = header;
    client->wake = wake;
    client->wake_self = wake_self;
    client->engine = engine_open(client);
    if (client->engine == NULL) {
        free(client);
        return -1;
    }
    *producer = (struct producer){.ops = &ops, .self = client,
                                  .bytes_max = bytes_max(client->engine)};
    return 0;
}

/* ── producing ── */

static int32_t partition_of(const struct output *output, const struct target *target)
{
    int32_t count = atomic_load_explicit(&target->count, memory_order_relaxed);

    if (count == 0 || output->key == NULL)
        return RD_KAFKA_PARTITION_UA;
    return (int32_t)(output->home % (uint32_t)count);
}

static void refuse(struct client *client, struct target *target, void *owner,
                   rd_kafka_resp_err_t error)
{
    CHECK(client->refused < REFUSALS_MAX);
    client->refusals[client->refused++] = (struct refusal){
        .owner = owner, .topic = rd_kafka_topic_name(target->topic), .error = error};
    atomic_store(&target->count, 0); /* it may have been the count that was wrong */
}

static bool plain(const struct output *output)
{
    return output->headers_count == 0 && output->original == NULL;
}

/* Outputs of one topic without headers, from the first one on. */
static size_t produce_run(struct client *client, const struct output *outputs, size_t count,
                          void *owner)
{
    struct engine *engine = client->engine;
    struct target *target = &engine->targets[outputs->topic];
    size_t         run = 0;

    for (; run < count && plain(&outputs[run]) && outputs[run].topic == outputs->topic; run++) {
        rd_kafka_message_t *message = &client->messages[run];

        message->partition = partition_of(&outputs[run], target);
        message->payload = (void *)(uintptr_t)outputs[run].value;
        message->len = outputs[run].length;
        message->key = (void *)(uintptr_t)outputs[run].key;
        message->key_len = outputs[run].key_length;
        message->_private = owner;
        message->err = RD_KAFKA_RESP_ERR_NO_ERROR;
        engine->bytes += message->len;
    }
    int taken = rd_kafka_produce_batch(target->topic, RD_KAFKA_PARTITION_UA,
                                       RD_KAFKA_MSG_F_COPY | RD_KAFKA_MSG_F_PARTITION,
                                       client->messages, (int)run);

    engine->in_flight += (uint32_t)taken;
    for (size_t i = 0; (size_t)taken < run && i < run; i++) {
        if (client->messages[i].err == RD_KAFKA_RESP_ERR_NO_ERROR)
            continue;
        engine->bytes -= client->messages[i].len;
        refuse(client, target, owner, client->messages[i].err);
    }
    return run;
}

static rd_kafka_headers_t *make_headers(struct client *client, const struct output *output)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(OUTPUT_HEADERS_MAX);
    const char         *name;
    const void         *value;
    size_t              length;

    for (size_t i = 0; output->original != NULL && client->header != NULL &&
                       client->header(output->original, i, &name, &value, &length); i++)
        (void)rd_kafka_header_add(headers, name, -1, value, (ssize_t)length);
    for (size_t i = 0; i < output->headers_count; i++)
        (void)rd_kafka_header_add(headers, output->headers[i].name, -1, output->headers[i].value,
                                  (ssize_t)output->headers[i].length);
    return headers;
}

static void produce_with_headers(struct client *client, const struct output *output, void *owner)
{
    struct engine      *engine = client->engine;
    struct target      *target = &engine->targets[output->topic];
    rd_kafka_headers_t *headers = make_headers(client, output);
    const rd_kafka_vu_t fields[] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = target->topic},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = partition_of(output, target)},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_KEY,
         .u.mem = {(void *)(uintptr_t)output->key, output->key_length}},
        {.vtype = RD_KAFKA_VTYPE_VALUE,
         .u.mem = {(void *)(uintptr_t)output->value, output->length}},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = owner},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
    };
    rd_kafka_error_t *error =
        rd_kafka_produceva(engine->rk, fields, sizeof fields / sizeof fields[0]);

    if (error == NULL) { /* it owns the headers */
        engine->in_flight++;
        engine->bytes += output->length;
        return;
    }
    rd_kafka_headers_destroy(headers);
    refuse(client, target, owner, rd_kafka_error_code(error));
    rd_kafka_error_destroy(error);
}

/* A stale count is forgotten now and then: the next message brings the present one. */
static void refresh_counts(struct engine *engine)
{
    uint64_t now_ns = clock_monotonic_ns();

    for (int t = 0; t < TOPICS; t++) {
        if (now_ns - engine->targets[t].count_ns < COUNT_NS)
            continue;
        engine->targets[t].count_ns = now_ns;
        atomic_store(&engine->targets[t].count, 0);
    }
}

static size_t room(const struct client *client)
{
    const struct engine *engine = client->engine;
    size_t               left = MESSAGES_MAX - engine->in_flight;
    size_t               told = REFUSALS_MAX - client->refused;

    if (engine->bytes >= BYTES_MAX)
        return 0;
    return left < told ? left : told;
}

static size_t produce(void *self, const struct output *outputs, size_t count, void *owner)
{
    struct client *client = self;
    size_t         most = room(client), taken = 0;

    most = most < count ? most : count;
    refresh_counts(client->engine);
    while (taken < most) {
        size_t left = most - taken < OUTPUTS_RECORDS ? most - taken : OUTPUTS_RECORDS;

        if (plain(&outputs[taken])) {
            taken += produce_run(client, &outputs[taken], left, owner);
        } else {
            produce_with_headers(client, &outputs[taken], owner);
            taken++;
        }
    }
    return taken;
}

/* ── acknowledgements ── */

static void fill_ack(struct producer_ack *ack, void *owner, const char *topic,
                     rd_kafka_resp_err_t error)
{
    ack->owner = owner;
    ack->delivered = error == RD_KAFKA_RESP_ERR_NO_ERROR;
    ack->too_large = error == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ||
                     error == RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE;
    ack->text[0] = '\0';
    if (!ack->delivered)
        (void)snprintf(ack->text, sizeof ack->text, "topic %.80s: %s", topic,
                       rd_kafka_err2str(error));
}

/* The next event that carries receipts; what else there is goes to the log. */
static bool take_receipts(struct engine *engine, int wait_ms)
{
    for (;;) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(engine->events, wait_ms);

        if (event == NULL)
            return false;
        if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_DR) {
            engine->receipts = event;
            return true;
        }
        if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR)
            log_debug(ROOM, "%s", rd_kafka_event_error_string(event)); /* also in its own log */
        rd_kafka_event_destroy(event);
    }
}

static bool engine_poll(struct engine *engine, struct producer_ack *ack)
{
    while (engine->receipts != NULL || take_receipts(engine, 0)) {
        const rd_kafka_message_t *message = rd_kafka_event_message_next(engine->receipts);

        if (message != NULL) {
            CHECK(engine->in_flight > 0);
            engine->in_flight--;
            engine->bytes -= message->len;
            fill_ack(ack, message->_private, rd_kafka_topic_name(message->rkt), message->err);
            return true;
        }
        rd_kafka_event_destroy(engine->receipts);
        engine->receipts = NULL;
    }
    return false;
}

static bool poll_ack(void *self, struct producer_ack *ack)
{
    struct client *client = self;

    if (client->refused > 0) {
        const struct refusal *refusal = &client->refusals[--client->refused];

        fill_ack(ack, refusal->owner, refusal->topic, refusal->error);
        return true;
    }
    if (client->spent != NULL) {
        if (engine_poll(client->spent, ack))
            return true;
        if (client->spent->in_flight == 0) {
            engine_close(client->spent);
            client->spent = NULL;
        }
    }
    return engine_poll(client->engine, ack);
}

/* ── the end of an engine ── */

static const char *fatal(void *self)
{
    struct client      *client = self;
    char                text[128];
    rd_kafka_resp_err_t error = rd_kafka_fatal_error(client->engine->rk, text, sizeof text);

    client->fatal[0] = '\0';
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
        (void)snprintf(client->fatal, sizeof client->fatal, "%s: %s", rd_kafka_err2name(error),
                       text);
    return client->fatal;
}

static int reopen(void *self)
{
    struct client *client = self;

    if (client->spent != NULL) /* twice in a moment: the first one's receipts come first */
        return error_set("a second producer failed before the first was emptied");
    struct engine *fresh = engine_open(client);

    if (fresh == NULL)
        return -1;
    client->spent = client->engine;
    client->engine = fresh;
    (void)rd_kafka_purge(client->spent->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
                                                RD_KAFKA_PURGE_F_NON_BLOCKING);
    return 0;
}

static int flush_left(void *self)
{
    struct client *client = self;
    uint32_t       spent = client->spent != NULL ? client->spent->in_flight : 0;

    return (int)(client->engine->in_flight + spent + client->refused);
}

static void close_client(void *self)
{
    struct client      *client = self;
    struct producer_ack ack;
    uint64_t            until_ns = clock_boot_ns() + CLOSE_MS * (uint64_t)1000000;

    (void)rd_kafka_purge(client->engine->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
                                                 RD_KAFKA_PURGE_F_NON_BLOCKING);
    while (flush_left(client) > 0 && clock_boot_ns() < until_ns)
        if (!poll_ack(client, &ack))
            (void)take_receipts(client->engine, CLOSE_POLL_MS);
    if (client->spent != NULL)
        engine_close(client->spent);
    engine_close(client->engine);
    free(client);
}

static const struct producer_ops ops = {
    .produce = produce,
    .poll = poll_ack,
    .fatal = fatal,
    .reopen = reopen,
    .flush_left = flush_left,
    .close = close_client,
};
