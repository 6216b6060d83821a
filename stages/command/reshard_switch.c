/* reshard_switch.c - Redis: the new state takes the old one's place, partition by partition.
 *
 * One transaction each, under a watch of its mark, partition 0's last: until then its mark
 * refuses every claim.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "pipeline/check.h"
#include "pipeline/error.h"
#include "stages/command/reshard.h"
#include "stages/serve/view_redis.h"

/* Nothing new is left beside partition p: it has been switched, or Redis lost it. */
static int switched(const struct reshard *r, uint32_t p)
{
    struct mark mark;
    int         there = reshard_mark(r, p, &mark);

    if (there == 1 && mark.partitions == r->after && mark.buckets == r->buckets)
        return 0;
    if (there < 0)
        return -1;
    return error_set("partition %" PRIu32 ": its new state is gone from Redis; run this again with "
                     "--again", p);
}

/* "was" and "wanted" of partition p; 0 = it has been switched, 1 = it has not, -1. */
static int wanted_read(const struct reshard *r, uint32_t p, struct mark *was, struct mark *wanted)
{
    char key[KEY_MAX];
    int  result = -1;

    view_redis_key(r->redis, key, (int32_t)p, "new:plan");
    VIEW_ASK(r->redis, "HMGET", key, "was", "wanted");
    redisReply *reply = reshard_take(r, REDIS_REPLY_ARRAY);
    if (reply == NULL)
        return -1;
    const redisReply *old = reply->element[0], *new = reply->element[1];

    *was = (struct mark) {.partitions = 0};
    if (old->type != REDIS_REPLY_STRING || new->type != REDIS_REPLY_STRING)
        result = switched(r, p);
    else if ((old->len == 0 || mark_parse(old->str, (size_t)old->len, was) == 0)
             && mark_parse(new->str, (size_t)new->len, wanted) == 0)
        result = 1;
    freeReplyObject(reply);
    return result;
}

/* Has anybody stored anything since it was copied?  A claim that was refused has only put
 * its name there. */
static int mark_unused(const struct reshard *r, uint32_t p, const struct mark *was,
                       struct mark *wanted)
{
    struct mark found;
    int         there = reshard_mark(r, p, &found);

    if (there < 0)
        return -1;
    bool same = was->epoch == 0 ? there == 0 || found.sequence == 0
                                : there == 1 && (mark_same(&found, was)
                                                 || (found.sequence == 0
                                                     && found.offset == was->offset
                                                     && found.partitions == was->partitions));
    if (!same)
        return error_set("partition %" PRIu32 ": its state has changed since it was copied; stop "
                         "every instance and run this again with --again", p);
    if (there == 1 && found.epoch >= wanted->epoch)
        wanted->epoch = found.epoch + 1;
    return 0;
}

static uint64_t ask_unlink_old(const struct reshard *r, uint32_t p, uint32_t buckets)
{
    char     key[KEY_MAX], suffix[RESHARD_SUFFIX_MAX];
    uint64_t asked = 0;

    for (uint32_t i = 0; i < RESHARD_INDEXES; i++, asked++) {
        view_redis_key(r->redis, key, (int32_t)p, reshard_indexes[i]);
        VIEW_ASK(r->redis, "UNLINK", key);
    }
    for (uint32_t b = 0; b < buckets; b++, asked++) {
        reshard_bucket(suffix, "", b);
        view_redis_key(r->redis, key, (int32_t)p, suffix);
        VIEW_ASK(r->redis, "UNLINK", key);
    }
    return asked;
}

/* The suffix of the new state's i-th key, "new:" before it. */
static void new_suffix(char suffix[RESHARD_SUFFIX_MAX], uint32_t i)
{
    if (i < RESHARD_INDEXES)
        (void)snprintf(suffix, RESHARD_SUFFIX_MAX, "new:%s", reshard_indexes[i]);
    else
        reshard_bucket(suffix, "new:", i - RESHARD_INDEXES);
}

/* Which of the new state's keys there are: an empty hash is none. */
static bool *keys_there(const struct reshard *r, uint32_t p)
{
    uint32_t count = RESHARD_INDEXES + r->buckets;
    bool    *there = calloc(count, sizeof *there), failed = false;
    char     key[KEY_MAX], suffix[RESHARD_SUFFIX_MAX];

    CHECK(there != NULL);
    for (uint32_t i = 0; i < count; i++) {
        new_suffix(suffix, i);
        view_redis_key(r->redis, key, (int32_t)p, suffix);
        VIEW_ASK(r->redis, "EXISTS", key);
    }
    for (uint32_t i = 0; i < count; i++) {
        redisReply *reply = reshard_take(r, REDIS_REPLY_INTEGER);

        failed |= reply == NULL;
        there[i] = reply != NULL && reply->integer == 1;
        freeReplyObject(reply);
    }
    if (!failed)
        return there;
    free(there);
    return NULL;
}

static uint64_t ask_rename(const struct reshard *r, uint32_t p, const bool *there)
{
    char     from[KEY_MAX], to[KEY_MAX], suffix[RESHARD_SUFFIX_MAX];
    uint64_t asked = 0;

    for (uint32_t i = 0; i < RESHARD_INDEXES + r->buckets; i++) {
        if (!there[i])
            continue;
        new_suffix(suffix, i);
        view_redis_key(r->redis, from, (int32_t)p, suffix);
        view_redis_key(r->redis, to, (int32_t)p, suffix + strlen("new:"));
        VIEW_ASK(r->redis, "RENAME", from, to);
        asked++;
    }
    return asked;
}

/* EXEC's answer: every command of it done. */
static int executed(const struct reshard *r, uint32_t p)
{
    redisReply *reply = reshard_take(r, REDIS_REPLY_ARRAY);

    if (reply == NULL)
        return error_add("partition %" PRIu32, p);
    int result = reply->type == REDIS_REPLY_NIL
                     ? error_set("partition %" PRIu32 ": somebody else writes its mark; stop every "
                                 "instance and run this again", p)
                     : 0;
    for (size_t i = 0; result == 0 && i < reply->elements; i++)
        if (reply->element[i]->type == REDIS_REPLY_ERROR)
            result = error_set("partition %" PRIu32 ": %.100s", p, reply->element[i]->str);
    freeReplyObject(reply);
    return result;
}

static int switch_ask(const struct reshard *r, uint32_t p, const struct mark *was,
                      const struct mark *wanted)
{
    char     key[KEY_MAX], text[MARK_TEXT_MAX];
    bool    *there = keys_there(r, p);
    uint64_t asked = 3;

    if (there == NULL)
        return -1;
    mark_print(wanted, text);
    VIEW_ASK(r->redis, "MULTI");
    asked += ask_unlink_old(r, p, was->buckets);
    asked += ask_rename(r, p, there);
    view_redis_key(r->redis, key, (int32_t)p, "mark");
    VIEW_ASK(r->redis, "SET", key, text);
    view_redis_key(r->redis, key, (int32_t)p, "new:plan");
    VIEW_ASK(r->redis, "UNLINK", key);
    if (p == 0) { /* the last one: the plan has been carried out */
        reshard_plan_key(r, key);
        VIEW_ASK(r->redis, "UNLINK", key);
        asked++;
    }
    VIEW_ASK(r->redis, "EXEC");
    free(there);
    return reshard_done(r, asked) != 0 ? -1 : executed(r, p);
}

static int switch_part(const struct reshard *r, uint32_t p)
{
    struct mark was, wanted;
    char        key[KEY_MAX];
    int         left = wanted_read(r, p, &was, &wanted);

    if (left <= 0)
        return left;
    view_redis_key(r->redis, key, (int32_t)p, "mark");
    VIEW_ASK(r->redis, "WATCH", key);
    if (reshard_done(r, 1) != 0 || mark_unused(r, p, &was, &wanted) != 0)
        return -1;
    return switch_ask(r, p, &was, &wanted);
}

int reshard_switch(struct reshard *r)
{
    for (uint32_t p = r->after; p-- > 0;)
        if (switch_part(r, p) != 0)
            return -1;
    return 0;
}
