/* check_redis.c - does Redis answer, keep what it is given, take our writes, and does the
 * state in it fit the topic?
 */
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/config.h"
#include "pipeline/error.h"
#include "stages/command/check.h"
#include "stages/outlet/mark.h"
#include "stages/outlet/redis_cluster.h"
#include "stages/outlet/redis_place.h"
#include "stages/outlet/request.h"
#include "stages/serve/view.h"

enum { VALUE_SIZE = 128, KEY_SIZE = 512, WAIT_MS = 5000 };

#define TELL(context, ...)                                                                    \
    redis_place_tell((context), (int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)), \
                     (const char *[]){__VA_ARGS__})

/* A line of INFO, "" = not there. */
static const char *info_of(const char *info, const char *name, char value[VALUE_SIZE])
{
    size_t length = strlen(name);

    value[0] = '\0';
    for (const char *line = info; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, length) == 0 && line[length] == ':') {
            (void)snprintf(value, VALUE_SIZE, "%.*s", (int)strcspn(line + length + 1, "\r\n"),
                           line + length + 1);
            break;
        }
    }
    return value;
}

static void check_memory_policy(struct report *r, const char *info)
{
    char policy[VALUE_SIZE], used[VALUE_SIZE], most[VALUE_SIZE];

    (void)info_of(info, "maxmemory_policy", policy);
    (void)info_of(info, "used_memory_human", used);
    (void)info_of(info, "maxmemory_human", most);
    if (strcmp(policy, "noeviction") == 0)
        report_ok(r, "redis maxmemory_policy", "noeviction; %s used of %s", used,
                  strcmp(most, "0B") == 0 ? "what the machine has" : most);
    else
        report_failed(r, "redis maxmemory_policy",
                      "CONFIG SET maxmemory-policy noeviction, and in redis.conf; any other drops "
                      "parcels when memory runs short",
                      "it is %s", policy);
}

static void check_server(struct report *r, const char *info)
{
    char version[VALUE_SIZE], role[VALUE_SIZE], appends[VALUE_SIZE];
    bool valkey = *info_of(info, "valkey_version", version) != '\0';

    if (!valkey)
        (void)info_of(info, "redis_version", version);
    report_ok(r, "redis", "%s %s", valkey ? "Valkey" : "Redis", version);
    if (strcmp(info_of(info, "role", role), "master") != 0)
        report_failed(r, "redis role", "set redis.address to the master, or redis.mode to sentinel",
                      "it is a %s", role);
    check_memory_policy(r, info);
    report_ok(r, "redis persistence", "%s",
              strcmp(info_of(info, "aof_enabled", appends), "1") == 0
                  ? "append-only file"
                  : "no append-only file: what a restart of Redis loses is read again from Kafka");
}

static void check_key(const struct config *config, char key[KEY_SIZE])
{
    (void)snprintf(key, KEY_SIZE, "{%s:%s:check}:check", config_text(config, "kafka.group"),
                   config_text(config, "kafka.topics.scans"));
}

/* One transaction such as a checkpoint's, on a key of ours that expires. */
static void check_writes(struct report *r, redisContext *context, const struct config *config)
{
    static const char fix[] = "let this user run WATCH, GET, MULTI, EXEC, SET, DEL, HSET, HGETALL, "
                              "HMGET, HDEL, EVAL on keys {GROUP:TOPIC:*}*";
    char              key[KEY_SIZE];

    check_key(config, key);
    bool taken = TELL(context, "WATCH", key) == 0 && TELL(context, "DEL", key) == 0
                 && TELL(context, "HSET", key, "field", "value") == 0
                 && TELL(context, "HMGET", key, "field") == 0
                 && TELL(context, "HGETALL", key) == 0 && TELL(context, "HDEL", key, "field") == 0
                 && TELL(context, "EVAL", REQUEST_FORGET, "1", key, "field", "value") == 0
                 && TELL(context, "UNWATCH") == 0 && TELL(context, "MULTI") == 0
                 && TELL(context, "SET", key, "value", "EX", "10") == 0
                 && TELL(context, "GET", key) == 0 && TELL(context, "EXEC") == 0;

    if (taken) {
        report_ok(r, "redis writes", "a transaction on %s was taken", key);
        return;
    }
    report_failed(r, "redis writes", fix, "%s", error_text());
    error_clear();
}

/* Keyed state is as many parts as the topic had partitions when it was made. */
static void check_state(struct report *r, const struct config *config, int64_t partitions)
{
    struct view           *view = view_open(config);
    struct view_partitions found;
    uint32_t               made_for = 0;
    uint64_t               parcels = 0;

    if (view == NULL || view_partitions(view, &found) != VIEW_FOUND) {
        error_clear();
        report_ok(r, "redis state", "none yet");
    } else {
        for (size_t i = 0; i < found.count; i++) {
            made_for = found.list[i].present ? found.list[i].mark.partitions : made_for;
            parcels += found.list[i].present ? found.list[i].mark.records : 0;
        }
        if (partitions > 0 && made_for != 0 && made_for != partitions)
            report_failed(r, "redis state",
                          "give the topic its partitions back, or begin under another kafka.group",
                          "made for %" PRIu32 " partitions, the topic has %" PRId64, made_for,
                          partitions);
        else
            report_ok(r, "redis state", "%" PRIu64 " parcels in %" PRIu32 " partitions", parcels,
                      made_for);
        view_partitions_free(&found);
    }
    if (view != NULL)
        view_close(view);
}

static void check_session(struct report *r, redisContext *context, const struct config *config,
                          int64_t partitions)
{
    redisReply *info = redis_place_ask(context, 1, (const char *[]) {"INFO"});

    if (info != NULL) {
        check_server(r, info->str);
        freeReplyObject(info);
    } else {
        report_failed(r, "redis", "let this user run INFO", "%s", error_text());
        error_clear();
    }
    check_writes(r, context, config);
    check_state(r, config, partitions);
}

/* Of a cluster the node that has the keys of the check, as the first of redis.address that
 * answers says.  NULL with the error trail. */
static const struct redis_address *choose_node(const struct config *config,
                                               struct redis_place *place)
{
    struct redis_cluster *cluster = place->cluster;
    char                  key[KEY_SIZE];
    int32_t               node = -1;

    check_key(config, key);
    for (uint32_t i = 0; i < cluster->seeds_count && node < 0; i++) {
        redisContext *context = redis_place_connect(place, &cluster->nodes[i], WAIT_MS);

        if (context != NULL && redis_place_learn(place, context, i) == 0)
            node = redis_cluster_node(cluster, redis_slot(key, strlen(key)));
        if (context != NULL)
            redisFree(context);
    }
    if (node >= 0)
        return &cluster->nodes[node];
    (void)error_add("no node says who has which slot");
    return NULL;
}

/* To whom this check's keys belong, and it answers.  NULL with the error trail. */
static redisContext *connect_for(const struct config *config, struct redis_place *place)
{
    const struct redis_address *node = NULL;

    if (place->cluster != NULL && (node = choose_node(config, place)) == NULL)
        return NULL;
    error_clear();
    redisContext *context = redis_place_connect(place, node, WAIT_MS);

    if (context == NULL || TELL(context, "PING") == 0)
        return context;
    (void)error_add("PING");
    redisFree(context);
    return NULL;
}

void check_redis(struct report *r, const struct config *config, int64_t partitions)
{
    struct redis_place place;
    redisContext      *context = NULL;
    bool               good = redis_place_read(config, &place) == 0;

    if (good)
        context = connect_for(config, &place);
    if (context == NULL) {
        report_failed(r, "redis",
                      "start it, or set redis.address, redis.user, redis.password, redis.tls",
                      "%s", error_text());
        error_clear();
    } else {
        check_session(r, context, config, partitions);
        redisFree(context);
    }
    if (good)
        redis_place_free(&place);
}
