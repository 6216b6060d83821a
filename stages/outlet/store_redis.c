/* store_redis - requests to Redis and their answers, over a few connections.
 *
 * Requests wait in the order of their arrival for a connection that is free
 * (redis_stream.h says what happens on one); those of one partition go one after
 * the other.  Answers go home in the same batches, told apart by request.answer.
 *
 * In a cluster a request waits for a connection to the node that has its partition; where
 * there is none, an idle one is made one.
 */
#include <stdio.h>
#include <string.h>

#include "pipeline/check.h"
#include "pipeline/config.h"
#include "pipeline/error.h"
#include "pipeline/metric.h"
#include "stages/kinds.h"
#include "stages/outlet/outlet.h"
#include "stages/outlet/redis_cluster.h"
#include "stages/outlet/redis_stream.h"
#include "stages/outlet/request.h"
#include "stages/ports.h"

enum { STREAMS_MAX = 16, WAITING_MAX = 1024 };

#define MS_NS UINT64_C(1000000)
/* An idle runner's sleep doubles from 1 ms.  While an answer is awaited, the stage now and
 * then says "work", which starts it again at 1 ms.  Measured without a thread that watches
 * sockets: a look takes 1.1 ms, 50,000 parcels (7 MB) 22 ms, of which 7 are our CPU. */
#define ATTEND_NS (2 * MS_NS)

static const struct metric_info info_connected = {
    "redis_connected", "Connections to Redis that are open.", METRIC_GAUGE};
static const struct metric_info info_reconnects = {
    "redis_reconnects_total", "Attempts to connect to Redis anew.", METRIC_COUNTER};
static const struct metric_info info_requests = {
    "redis_requests_total", "Requests to Redis by kind and answer.", METRIC_COUNTER};
static const struct metric_info info_bytes = {
    "redis_bytes_total", "Bytes to and from Redis.", METRIC_COUNTER};

struct store {
    struct redis_server server;
    struct redis_stream streams[STREAMS_MAX];
    uint32_t            streams_count;
    uint64_t            attended_ns;
    struct batch       *waiting[WAITING_MAX];
    uint64_t            since_ns[WAITING_MAX];   /* … each of them                          */
    uint32_t            waiting_count;
    struct metric      *requests[REQUEST_RELEASE][REQUEST_UNKNOWN + 1];
};

static bool in_flight(const struct store *x, int32_t partition)
{
    for (uint32_t i = 0; i < x->streams_count; i++)
        if (x->streams[i].batch != NULL && x->streams[i].batch->partition == partition)
            return true;
    return false;
}

/* Of a cluster: who has the keys that the batch is about, -1 = nobody knows. */
static int32_t node_of(const struct store *x, const struct batch *batch)
{
    const struct request *request = batch->head;
    char                  key[KEY_MAX];
    size_t                length = key_print(key, sizeof key, x->server.group, x->server.topic,
                                             request->kind == REQUEST_READ ? request->of
                                                                           : batch->partition, "");

    return redis_cluster_node(x->server.io.cluster, redis_slot(key, length));
}

static struct batch *waiting_remove(struct store *x, uint32_t i)
{
    struct batch *batch = x->waiting[i];

    x->waiting_count--;
    memmove(&x->waiting[i], &x->waiting[i + 1], (x->waiting_count - i) * sizeof x->waiting[0]);
    memmove(&x->since_ns[i], &x->since_ns[i + 1],
            (x->waiting_count - i) * sizeof x->since_ns[0]);
    return batch;
}

/* The first that waits and whose partition has none in flight; of a cluster's node, those that
 * are its.  NULL = none. */
static struct batch *waiting_take(struct store *x, const struct redis_stream *stream)
{
    for (uint32_t i = 0; i < x->waiting_count; i++) {
        if (in_flight(x, x->waiting[i]->partition)
            || (x->server.io.cluster != NULL
                && node_of(x, x->waiting[i]) != (int32_t)stream->node))
            continue;
        return waiting_remove(x, i);
    }
    return NULL;
}

static void finish(struct stage *stage, struct batch *batch)
{
    struct store         *x = stage_state(stage);
    const struct request *request = batch->head;

    metric_add(x->requests[request->kind][request->answer], 1);
    stage_finish(stage, &batch, OUTCOME_DONE);
}

/* While Redis is out of reach, or the one node of a cluster, whoever waits is told so now and
 * then: the partition may have been released meanwhile. */
static int waiting_give_up(struct stage *stage, uint64_t now_ns)
{
    struct store *x = stage_state(stage);
    int           count = 0;

    if (!x->server.told_down && x->server.io.cluster == NULL)
        return 0;
    for (uint32_t i = 0; i < x->waiting_count;) {
        struct batch   *batch = x->waiting[i];
        struct request *request = batch->head;

        if (now_ns - x->since_ns[i] < x->server.timeout_ns) {
            i++;
            continue;
        }
        request->answer = REQUEST_UNSENT;
        (void)snprintf(request->text, sizeof request->text, "Redis is out of reach");
        finish(stage, waiting_remove(x, i));
        count++;
    }
    return count;
}

/* ── A cluster's nodes ────────────────────────────────────────────────────── */

static uint32_t streams_of(const struct store *x, uint32_t node)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < x->streams_count; i++)
        count += x->streams[i].node == node;
    return count;
}

/* An idle connection, one of a node with several if there is one. */
static struct redis_stream *stream_spare(struct store *x)
{
    struct redis_stream *spare = NULL;

    for (uint32_t i = 0; i < x->streams_count; i++) {
        struct redis_stream *stream = &x->streams[i];

        if (stream->step != STEP_IDLE)
            continue;
        if (streams_of(x, stream->node) > 1)
            return stream;
        if (spare == NULL || stream->moved_ns < spare->moved_ns)
            spare = stream;
    }
    return spare;
}

/* Whoever waits for a node that no connection leads to gets one: one at a time, so that a node
 * that does not answer takes no more than that. */
static int nodes_serve(struct store *x, uint64_t now_ns)
{
    for (uint32_t i = 0; x->server.io.cluster != NULL && i < x->waiting_count; i++) {
        int32_t node = node_of(x, x->waiting[i]);

        if (node < 0 || streams_of(x, (uint32_t)node) > 0)
            continue;
        struct redis_stream *spare = stream_spare(x);

        if (spare == NULL)
            return 0;
        redis_stream_point(&x->server, spare, (uint32_t)node, now_ns);
        return 1;
    }
    return 0;
}

static enum stage_verdict store_on_batch(struct stage *stage, struct batch *batch,
                                         uint64_t now_ns)
{
    struct store *x = stage_state(stage);

    CHECK(batch->kind == KIND_WRITES && batch->partition >= 0);
    if (x->waiting_count == WAITING_MAX)
        return STAGE_HOLD;
    x->since_ns[x->waiting_count] = now_ns;
    x->waiting[x->waiting_count++] = batch;
    return STAGE_TAKEN;
}

static int turn(struct stage *stage, struct redis_stream *stream, uint64_t now_ns)
{
    struct store *x = stage_state(stage);
    int           work = redis_stream_turn(&x->server, stream, now_ns);
    struct batch *answered = stream->answered;

    stream->answered = NULL;
    if (answered != NULL)
        finish(stage, answered);
    return work;
}

static int store_on_tick(struct stage *stage, uint64_t now_ns)
{
    struct store *x = stage_state(stage);
    int           work = 0;
    bool          awaiting = false;

    for (uint32_t i = 0; i < x->streams_count; i++) {
        struct redis_stream *stream = &x->streams[i];

        work += turn(stage, stream, now_ns);
        struct batch *next = stream->step == STEP_IDLE ? waiting_take(x, stream) : NULL;
        if (next != NULL) {
            redis_stream_start(&x->server, stream, next, now_ns);
            work += 1 + turn(stage, stream, now_ns);
        }
        awaiting |= stream->batch != NULL || stream->opening;
    }
    work += nodes_serve(x, now_ns) + waiting_give_up(stage, now_ns);
    if (work == 0 && awaiting && now_ns - x->attended_ns >= ATTEND_NS) {
        x->attended_ns = now_ns;
        return 1;
    }
    return work;
}

static int store_on_drain(struct stage *stage, uint64_t now_ns)
{
    const struct store *x = stage_state(stage);
    uint32_t            held = x->waiting_count;

    (void)now_ns;
    for (uint32_t i = 0; i < x->streams_count; i++)
        held += x->streams[i].batch != NULL;
    return (int)held;
}

static void open_metrics(struct store *x)
{
    static const char *const kinds[REQUEST_RELEASE] = {"claim", "read", "cut", "look"};
    static const char *const answers[REQUEST_UNKNOWN + 1] = {
        [REQUEST_APPLIED] = "applied", [REQUEST_DIFFERS] = "differs",
        [REQUEST_REFUSED] = "refused", [REQUEST_UNSENT] = "unsent",
        [REQUEST_UNKNOWN] = "unknown"};
    char labels[64];

    for (int kind = 0; kind < REQUEST_RELEASE; kind++)
        for (int answer = 0; answer <= REQUEST_UNKNOWN; answer++) {
            if (answers[answer] == NULL)
                continue;
            (void)snprintf(labels, sizeof labels, "kind=\"%s\",answer=\"%s\"", kinds[kind],
                           answers[answer]);
            x->requests[kind][answer] = metric_open(&info_requests, labels);
        }
    x->server.connected = metric_open(&info_connected, "");
    metric_set(x->server.connected, 0);
    x->server.reconnects = metric_open(&info_reconnects, "");
    x->server.bytes_in = metric_open(&info_bytes, "direction=\"in\"");
    x->server.bytes_out = metric_open(&info_bytes, "direction=\"out\"");
}

static int store_init(struct stage *stage, const struct config *config)
{
    struct store *x = stage_state(stage);

    x->server.group = config_text(config, "kafka.group");
    x->server.topic = config_text(config, "kafka.topics.scans");
    x->server.timeout_ns = (uint64_t)config_ms(config, "redis.timeout") * MS_NS;
    x->streams_count = (uint32_t)config_integer(config, "redis.connections");
    CHECK(x->streams_count >= 1 && x->streams_count <= STREAMS_MAX);
    if (strlen(x->server.group) + strlen(x->server.topic) > KEY_MAX - 64)
        return error_set("kafka.group and kafka.topics.scans are too long for a Redis key");
    if (ports.redis_open(config, x->streams_count, &x->server.io) != 0)
        return -1;
    for (uint32_t i = 0; i < x->streams_count; i++)
        redis_stream_init(&x->streams[i], i);
    for (uint32_t i = 0; x->server.io.cluster != NULL && i < x->streams_count; i++)
        x->streams[i].node = i % x->server.io.cluster->nodes_count;
    open_metrics(x);
    return 0;
}

static void store_fini(struct stage *stage)
{
    struct store *x = stage_state(stage);

    for (uint32_t i = 0; i < x->streams_count; i++)
        redis_stream_fini(&x->streams[i]);
    x->server.io.ops->destroy(x->server.io.self);
}

const struct stage_type stage_store_redis = {
    .name       = "store_redis",
    .state_size = sizeof(struct store),
    .inputs_min = 1, .inputs_max = 16,
    .init       = store_init,
    .on_batch   = store_on_batch,
    .on_tick    = store_on_tick,
    .on_drain   = store_on_drain,
    .fini       = store_fini,
};
