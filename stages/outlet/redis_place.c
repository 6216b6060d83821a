/* redis_place.c - where Redis is: a server, what its sentinels call the master, or a cluster. */
#include "stages/outlet/redis_place.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include <hiredis/hiredis.h>

#include "pipeline/check.h"
#include "pipeline/config.h"
#include "pipeline/error.h"
#include "stages/outlet/redis_cluster.h"
#include "stages/outlet/redis_tls.h"

/* ── Settings ─────────────────────────────────────────────────────────────── */

/* host:port[,host:port] */
static int read_list(const char *text, struct redis_place *place)
{
    for (bool more = true; more;) {
        size_t length = strcspn(text, ",");

        if (place->count == REDIS_ADDRESSES_MAX)
            return error_set("found more than %d addresses, accepted are some of them",
                             REDIS_ADDRESSES_MAX);
        struct redis_address *at = &place->list[place->count++];

        if (redis_address_parse(text, length, at) != 0)
            return -1;
        if (at->path[0] != '\0')
            return error_set("found \"%.*s\", accepted is host:port[,host:port] of %s",
                             (int)length, text,
                             place->sentinels ? "sentinels" : "some of a cluster's nodes");
        more = text[length] == ',';
        text += length + 1;
    }
    return 0;
}

static int read_one(const char *text, struct redis_place *place)
{
    place->count = 1;
    if (strchr(text, ',') != NULL && strncmp(text, "unix:", 5) != 0)
        return error_set("found \"%s\", accepted with redis.mode single is one host:port, or "
                         "unix:/path", text);
    return redis_address_parse(text, strlen(text), &place->list[0]);
}

static int read_addresses(const struct config *config, struct redis_place *place)
{
    const char *text = config_text(config, "redis.address");
    const char *mode = config_text(config, "redis.mode");
    bool        one = strcmp(mode, "single") == 0;

    place->sentinels = strcmp(mode, "sentinel") == 0;
    if ((one ? read_one(text, place) : read_list(text, place)) != 0)
        return config_blame(config, "redis.address");
    if (one || place->sentinels)
        return 0;
    if (place->database != 0) {
        (void)error_set("found %" PRId64 ", accepted with redis.mode cluster is 0",
                        place->database);
        return config_blame(config, "redis.database");
    }
    place->cluster = redis_cluster_create(place->list, place->count);
    return 0;
}

int redis_place_read(const struct config *config, struct redis_place *place)
{
    memset(place, 0, sizeof *place);
    place->master = config_text(config, "redis.sentinel.master");
    place->sentinel_password = config_text(config, "redis.sentinel.password");
    place->user = config_text(config, "redis.user");
    place->password = config_text(config, "redis.password");
    place->database = config_integer(config, "redis.database");
    if (read_addresses(config, place) != 0)
        return -1;
    if (!config_bool(config, "redis.tls.enabled"))
        return 0;
    place->tls = redis_tls_open(config);
    if (place->tls != NULL)
        return 0;
    redis_place_free(place);
    return -1;
}

void redis_place_free(struct redis_place *place)
{
    if (place->tls != NULL)
        redis_tls_close(place->tls);
    free(place->cluster);
    place->tls = NULL;
    place->cluster = NULL;
}

/* ── Questions in a row ───────────────────────────────────────────────────── */

struct redisReply *redis_place_ask(redisContext *context, int count, const char **arguments)
{
    redisReply *reply = redisCommandArgv(context, count, arguments, NULL);

    if (reply == NULL) {
        (void)error_set("%s", context->errstr);
    } else if (reply->type == REDIS_REPLY_ERROR) {
        (void)error_set("%.200s", reply->str);
        freeReplyObject(reply);
        reply = NULL;
    }
    return reply;
}

int redis_place_tell(redisContext *context, int count, const char **arguments)
{
    redisReply *reply = redis_place_ask(context, count, arguments);

    if (reply == NULL)
        return -1;
    freeReplyObject(reply);
    return 0;
}

static int log_in(redisContext *context, const char *user, const char *password)
{
    const char *named[] = {"AUTH", user, password}, *unnamed[] = {"AUTH", password};

    if (*password == '\0')
        return 0;
    if (redis_place_tell(context, *user != '\0' ? 3 : 2, *user != '\0' ? named : unnamed) == 0)
        return 0;
    return *user != '\0' ? error_add("AUTH as %s", user) : error_add("AUTH");
}

static redisContext *open_plain(const struct redis_address *at, struct timeval wait)
{
    char          name[REDIS_ADDRESS_TEXT];
    redisContext *context =
        at->path[0] != '\0'
            ? redisConnectUnixWithTimeout(at->path, wait)
            : redisConnectWithTimeout(at->host, (int)strtol(at->port, NULL, 10), wait);

    CHECK(context != NULL);
    if (context->err == 0) {
        (void)redisSetTimeout(context, wait);
        return context;
    }
    (void)error_set("%s", context->errstr);
    (void)error_add("connect to %s", redis_address_print(at, name));
    redisFree(context);
    return NULL;
}

/* Connected and secured, not logged in. */
static redisContext *open_one(const struct redis_place *place, const struct redis_address *at,
                              int64_t timeout_ms)
{
    struct timeval wait = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
    redisContext  *context = open_plain(at, wait);
    char           name[REDIS_ADDRESS_TEXT];

    if (context == NULL || place->tls == NULL || redis_tls_secure(place->tls, context, at) == 0)
        return context;
    (void)error_add("connect to %s", redis_address_print(at, name));
    redisFree(context);
    return NULL;
}

/* ── Sentinels ────────────────────────────────────────────────────────────── */

static int take_master(const struct redis_place *place, const redisReply *reply,
                       struct redis_address *found)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2
        || reply->element[0]->type != REDIS_REPLY_STRING
        || reply->element[1]->type != REDIS_REPLY_STRING)
        return error_set("it knows no master %s (redis.sentinel.master)", place->master);
    return redis_address_make(reply->element[0]->str, (size_t)reply->element[0]->len,
                              strtoll(reply->element[1]->str, NULL, 10), found);
}

static int ask_sentinel(const struct redis_place *place, const struct redis_address *sentinel,
                        int64_t timeout_ms, struct redis_address *found)
{
    const char   *question[] = {"SENTINEL", "get-master-addr-by-name", place->master};
    redisContext *context = open_one(place, sentinel, timeout_ms);
    char          name[REDIS_ADDRESS_TEXT];
    int           bad = -1;

    if (context != NULL && log_in(context, "", place->sentinel_password) == 0) {
        redisReply *reply = redis_place_ask(context, 3, question);

        bad = reply != NULL ? take_master(place, reply, found) : -1;
        freeReplyObject(reply);
    }
    if (context != NULL)
        redisFree(context);
    return bad == 0 ? 0 : error_add("sentinel %s", redis_address_print(sentinel, name));
}

int redis_place_find(const struct redis_place *place, int64_t timeout_ms,
                     struct redis_address *found)
{
    CHECK(place->cluster == NULL);
    *found = place->list[0];
    if (!place->sentinels)
        return 0;
    for (uint32_t i = 0; i < place->count; i++)
        if (ask_sentinel(place, &place->list[i], timeout_ms, found) == 0)
            return 0;
    return -1; /* the last one's reason */
}

/* ── Connections ──────────────────────────────────────────────────────────── */

struct redisContext *redis_place_connect(const struct redis_place *place,
                                         const struct redis_address *at, int64_t timeout_ms)
{
    struct redis_address found;
    char                 database[24];
    const char          *selection[] = {"SELECT", database};

    if (at == NULL && redis_place_find(place, timeout_ms, &found) != 0)
        return NULL;
    redisContext *context = open_one(place, at != NULL ? at : &found, timeout_ms);

    if (context == NULL)
        return NULL;
    (void)snprintf(database, sizeof database, "%" PRId64, place->database);
    bool in = log_in(context, place->user, place->password) == 0;

    if (in && place->database != 0 && redis_place_tell(context, 2, selection) != 0)
        in = error_add("SELECT %s", database) == 0;
    if (in)
        return context;
    redisFree(context);
    return NULL;
}

int redis_place_learn(struct redis_place *place, struct redisContext *context, uint32_t node)
{
    const char *question[] = {"CLUSTER", "SLOTS"};
    redisReply *reply = redis_place_ask(context, 2, question);

    CHECK(place->cluster != NULL);
    int result = reply != NULL ? redis_cluster_learn(place->cluster, reply, node) : -1;

    freeReplyObject(reply);
    return result;
}
