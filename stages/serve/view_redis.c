/* view_redis.c - the view's connection. */
#include "stages/serve/view_redis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <hiredis/hiredis.h>

#include "pipeline/check.h"
#include "pipeline/clock.h"
#include "pipeline/config.h"
#include "pipeline/error.h"
#include "stages/serve/view.h"

enum { TIMEOUT_MS_MAX = 2000, ARGUMENTS_MAX = 128 };

#define RETRY_NS UINT64_C(1000000000)

struct view {
    struct view_redis redis;
};

struct view_redis *view_redis_of(struct view *view)
{
    return &view->redis;
}

struct view *view_open(const struct config *config)
{
    struct view *view = calloc(1, sizeof *view);

    CHECK(view != NULL);
    struct view_redis *redis = &view->redis;

    redis->where = config_text(config, "redis.address");
    if (redis_place_read(config, &redis->place) != 0) {
        free(view);
        return NULL;
    }
    redis->group = config_text(config, "kafka.group");
    redis->topic = config_text(config, "kafka.topics.scans");
    redis->timeout_ms = config_ms(config, "redis.timeout");
    if (redis->timeout_ms > TIMEOUT_MS_MAX)
        redis->timeout_ms = TIMEOUT_MS_MAX;
    redis->anywhere = strcmp(config_text(config, "kafka.partitioner"), "any") == 0;
    return view;
}

static void drop(struct view_redis *redis)
{
    for (uint32_t node = 0; node < VIEW_NODES_MAX; node++) {
        if (redis->contexts[node] != NULL)
            redisFree(redis->contexts[node]);
        redis->contexts[node] = NULL;
    }
    redis->asked_first = redis->asked_count = 0;
    redis->mapped = false;
    redis->node = 0;
}

void view_close(struct view *view)
{
    if (view == NULL)
        return;
    drop(&view->redis);
    free(view->redis.asked);
    redis_place_free(&view->redis.place);
    free(view);
}

/* Keeps why, for whoever asks within the next second; always -1. */
static int fail(struct view_redis *redis, const char *why)
{
    (void)snprintf(redis->error, sizeof redis->error, "%s: %s", redis->where, why);
    redis->failed_ns = clock_monotonic_ns();
    drop(redis);
    return error_set("Redis: %s", redis->error);
}

/* ── One node ─────────────────────────────────────────────────────────────── */

/* To redis->node. */
static void ask_node(struct view_redis *redis, uint32_t count, const char *const *arguments,
                     const size_t *lengths)
{
    struct redisContext *context = redis->contexts[redis->node];
    const char          *list[ARGUMENTS_MAX];

    CHECK(count <= ARGUMENTS_MAX);
    if (context == NULL)
        return;
    memcpy(list, arguments, count * sizeof *list); /* hiredis takes pointers that may change */
    CHECK(redisAppendCommandArgv(context, (int)count, list, lengths) == REDIS_OK);
    if (redis->asked_first + redis->asked_count == redis->asked_size) {
        if (redis->asked_count > 0)
            memmove(redis->asked, redis->asked + redis->asked_first, redis->asked_count);
        if (redis->asked_count > redis->asked_size / 2 || redis->asked_size == 0)
            redis->asked_size = redis->asked_size * 2 + 64;
        redis->asked_first = 0;
        redis->asked = realloc(redis->asked, redis->asked_size);
        CHECK(redis->asked != NULL);
    }
    redis->asked[redis->asked_first + redis->asked_count++] = (uint8_t)redis->node;
}

/* A connection that the server closed since it was last used says so here, not as the
 * failure of the next question. */
static bool is_closed(const struct redisContext *context)
{
    char byte;

    return recv(context->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0;
}

/* The connection to redis->node.  0; -1 with the error trail, and all are dropped. */
static int connect_node(struct view_redis *redis)
{
    const struct redis_cluster *cluster = redis->place.cluster;
    const struct redis_address *at = cluster != NULL ? &cluster->nodes[redis->node] : NULL;
    struct redisContext        *context = redis_place_connect(&redis->place, at,
                                                              redis->timeout_ms);

    redis->contexts[redis->node] = context;
    return context != NULL ? 0 : fail(redis, error_text());
}

/* ── A cluster's nodes ────────────────────────────────────────────────────── */

static int learn_from(struct view_redis *redis)
{
    if (redis->contexts[redis->node] == NULL && connect_node(redis) != 0)
        return -1;
    if (redis_place_learn(&redis->place, redis->contexts[redis->node], redis->node) == 0)
        return 0;
    return fail(redis, error_text());
}

/* Who has which slot: whoever answers first, says it. */
static int learn(struct view_redis *redis)
{
    for (uint32_t node = 0; node < redis->place.cluster->nodes_count; node++) {
        redis->node = node;
        error_clear();
        if (learn_from(redis) == 0) {
            redis->mapped = true;
            redis->failed_ns = 0;
            return 0;
        }
    }
    return -1;
}

uint32_t view_redis_masters(const struct view_redis *redis)
{
    const struct redis_cluster *cluster = redis->place.cluster;
    uint32_t                    count = 0;

    for (uint32_t node = 0; cluster != NULL && node < cluster->nodes_count; node++)
        count += redis_cluster_has_slots(cluster, node) ? 1 : 0;
    return count > 0 ? count : 1;
}

void view_redis_master(struct view_redis *redis, uint32_t i)
{
    const struct redis_cluster *cluster = redis->place.cluster;
    uint32_t                    node = 0;

    while (cluster != NULL && (!redis_cluster_has_slots(cluster, node) || i-- > 0))
        CHECK(++node < cluster->nodes_count);
    redis->node = node;
}

/* To the node that has the slot of the first argument with a tag. */
static void choose_node(struct view_redis *redis, uint32_t count, const char *const *arguments,
                        const size_t *lengths)
{
    const struct redis_cluster *cluster = redis->place.cluster;

    for (uint32_t i = 1; cluster != NULL && i < count; i++) {
        size_t length = lengths != NULL ? lengths[i] : strlen(arguments[i]);

        if (length == 0 || arguments[i][0] != '{')
            continue;
        int32_t node = redis_cluster_node(cluster, redis_slot(arguments[i], length));

        redis->node = node >= 0 ? (uint32_t)node : redis->node;
        return;
    }
}

/* ── Questions ────────────────────────────────────────────────────────────── */

int view_redis_begin(struct view_redis *redis)
{
    bool closed = false, one = redis->place.cluster == NULL;

    error_clear();
    for (uint32_t node = 0; node < VIEW_NODES_MAX; node++)
        closed |= redis->contexts[node] != NULL && is_closed(redis->contexts[node]);
    if (closed)
        drop(redis);
    if (one ? redis->contexts[0] != NULL : redis->mapped)
        return 0;
    if (redis->failed_ns > 0 && clock_monotonic_ns() - redis->failed_ns < RETRY_NS)
        return error_set("Redis: %s", redis->error);
    redis->failed_ns = 0;
    return one ? connect_node(redis) : learn(redis);
}

void view_redis_key(const struct view_redis *redis, char key[KEY_MAX], int32_t partition,
                    const char *suffix)
{
    key_print(key, KEY_MAX, redis->group, redis->topic, partition, suffix);
}

void view_redis_ask(struct view_redis *redis, uint32_t count, const char *const *arguments,
                    const size_t *lengths)
{
    if (redis->failed_ns > 0)
        return;
    choose_node(redis, count, arguments, lengths);
    if (redis->contexts[redis->node] == NULL && redis->place.cluster != NULL)
        (void)connect_node(redis);
    ask_node(redis, count, arguments, lengths);
}

struct redisReply *view_redis_take(struct view_redis *redis)
{
    void *reply = NULL;

    if (redis->asked_count == 0) {
        (void)error_set("Redis: %s", redis->error);
        return NULL;
    }
    struct redisContext *context = redis->contexts[redis->asked[redis->asked_first++]];

    redis->asked_count--;
    CHECK(context != NULL);
    if (redisGetReply(context, &reply) != REDIS_OK || reply == NULL) {
        (void)fail(redis, context->errstr);
        return NULL;
    }
    redisReply *answer = reply;

    if (answer->type != REDIS_REPLY_ERROR)
        return answer;
    if (redis->place.cluster != NULL && redis_cluster_moved(redis->place.cluster, answer->str))
        redis->mapped = false; /* what else has moved?  Asked before the next answer */
    (void)error_set("Redis: %.100s", answer->str);
    freeReplyObject(answer);
    return NULL;
}
