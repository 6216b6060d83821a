/* library.c - puts the Redis Function library in place, never over a newer one. */
#include "stages/serve/library.h"

#include <string.h>

#include <hiredis/hiredis.h>

#include "pipeline/check.h"
#include "pipeline/error.h"
#include "stages/serve/view_redis.h"

/* 0: there is none yet, as far as we may see. */
static int version_there(struct view_redis *redis)
{
    VIEW_ASK(redis, "FCALL_RO", "peakline_version", "0");
    redisReply *reply = view_redis_take(redis);
    int         version = reply != NULL && reply->type == REDIS_REPLY_INTEGER
                              ? (int)reply->integer : 0;

    freeReplyObject(reply);
    CHECK(version >= 0);
    return version;
}

static int load(struct view_redis *redis)
{
    int version = version_there(redis);

    if (version >= library_version)
        return version;
    error_clear();
    VIEW_ASK(redis, "FUNCTION", "LOAD", "REPLACE", library_text);
    redisReply *reply = view_redis_take(redis);

    if (reply == NULL)
        return error_add("FUNCTION LOAD");
    freeReplyObject(reply);
    return library_version;
}

int library_load(struct view *view)
{
    struct view_redis *redis = view_redis_of(view);
    int                version = 0;

    CHECK(library_version > 0 && strncmp(library_text, "#!lua name=peakline\n", 20) == 0);
    if (view_redis_begin(redis) != 0)
        return -1;
    for (uint32_t i = 0; version >= 0 && i < view_redis_masters(redis); i++) {
        view_redis_master(redis, i);
        version = load(redis);
    }
    return version;
}
