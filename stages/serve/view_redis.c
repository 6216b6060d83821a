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
    if (redis_address_read(config, &redis->address) != 0) {
        free(view);
        return NULL;
    }
    redis->group = config_text(config, "kafka.group");
    redis->topic = config_text(config, "kafka.topics.scans");
    redis->user = config_text(config, "redis.user");
    redis->password = config_text(config, "redis.password");
    redis->database = config_integer(config, "redis.database");
    redis->timeout_ms = config_ms(config, "redis.timeout");
    if (redis->timeout_ms > TIMEOUT_MS_MAX)
        redis->timeout_ms = TIMEOUT_MS_MAX;
    redis->anywhere = strcmp(config_text(config, "kafka.partitioner"), "any") == 0;
    return view;
}

static void drop(struct view_redis *redis)
{
    if (redis->context != NULL)
        redisFree(redis->context);
    redis->context = NULL;
}

void view_close(struct view *view)
{
    if (view == NULL)
        return;
    drop(&view->redis);
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

static int greet(struct view_redis *redis)
{
    char        database[24];
    const char *with_user[] = {"AUTH", redis->user, redis->password};
    const char *without[] = {"AUTH", redis->password};
    const char *select[] = {"SELECT", database};
    bool        auth = redis->password[0] != '\0', named = redis->user[0] != '\0';

    (void)snprintf(database, sizeof database, "%lld", (long long)redis->database);
    if (auth)
        view_redis_ask(redis, named ? 3 : 2, named ? with_user : without, NULL);
    if (redis->database != 0)
        view_redis_ask(redis, 2, select, NULL);
    for (int i = auth + (redis->database != 0); i > 0; i--) {
        redisReply *reply = view_redis_take(redis);

        if (reply == NULL)
            return redis->context != NULL ? fail(redis, "it does not let us in") : -1;
        freeReplyObject(reply);
    }
    return 0;
}

/* A connection that the server closed since it was last used says so here, not as the
 * failure of the next question. */
static bool is_closed(const struct view_redis *redis)
{
    char byte;

    return recv(redis->context->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0;
}

int view_redis_begin(struct view_redis *redis)
{
    const struct redis_address *at = &redis->address;
    struct timeval timeout = {.tv_sec = redis->timeout_ms / 1000,
                              .tv_usec = redis->timeout_ms % 1000 * 1000};

    error_clear();
    if (redis->context != NULL && !is_closed(redis))
        return 0;
    drop(redis);
    if (redis->failed_ns > 0 && clock_monotonic_ns() - redis->failed_ns < RETRY_NS)
        return error_set("Redis: %s", redis->error);
    redis->failed_ns = 0;
    redis->context = at->path[0] != '\0'
                         ? redisConnectUnixWithTimeout(at->path, timeout)
                         : redisConnectWithTimeout(at->host, (int)strtol(at->port, NULL, 10),
                                                   timeout);
    CHECK(redis->context != NULL);
    if (redis->context->err != 0)
        return fail(redis, redis->context->errstr);
    (void)redisSetTimeout(redis->context, timeout);
    return greet(redis);
}

void view_redis_key(const struct view_redis *redis, char key[KEY_MAX], int32_t partition,
                    const char *suffix)
{
    key_print(key, KEY_MAX, redis->group, redis->topic, partition, suffix);
}

void view_redis_ask(struct view_redis *redis, uint32_t count, const char *const *arguments,
                    const size_t *lengths)
{
    const char *list[ARGUMENTS_MAX];

    CHECK(count <= ARGUMENTS_MAX);
    if (redis->context == NULL)
        return;
    memcpy(list, arguments, count * sizeof *list); /* hiredis takes pointers that may change */
    CHECK(redisAppendCommandArgv(redis->context, (int)count, list, lengths) == REDIS_OK);
}

struct redisReply *view_redis_take(struct view_redis *redis)
{
    void *reply = NULL;

    if (redis->context == NULL) {
        (void)error_set("Redis: %s", redis->error);
        return NULL;
    }
    if (redisGetReply(redis->context, &reply) != REDIS_OK || reply == NULL) {
        (void)fail(redis, redis->context->errstr);
        return NULL;
    }
    redisReply *answer = reply;

    if (answer->type != REDIS_REPLY_ERROR)
        return answer;
    (void)error_set("Redis: %.100s", answer->str);
    freeReplyObject(answer);
    return NULL;
}
