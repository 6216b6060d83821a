/* reshard_plan.c - Redis: what is there, and how far a reshard has come. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "pipeline/error.h"
#include "stages/board.h"
#include "stages/command/reshard.h"
#include "stages/serve/view_redis.h"

static const char *const step_names[RESHARD_STEPS] = {"sending", "copying", "switching"};
const char *const reshard_indexes[RESHARD_INDEXES] = {"names", "model", "open", "carrier",
                                                       "activity"};

struct redisReply *reshard_take(const struct reshard *r, int type)
{
    redisReply *reply = view_redis_take(r->redis);

    if (reply == NULL || reply->type == type || reply->type == REDIS_REPLY_NIL)
        return reply;
    (void)error_set("Redis answers something else than was asked");
    freeReplyObject(reply);
    return NULL;
}

int reshard_done(const struct reshard *r, uint64_t count)
{
    int result = 0;

    for (; count > 0; count--) {
        redisReply *reply = view_redis_take(r->redis);

        result = reply == NULL ? -1 : result;
        freeReplyObject(reply);
    }
    return result;
}

void reshard_bucket(char suffix[RESHARD_SUFFIX_MAX], const char *before, uint32_t bucket)
{
    (void)snprintf(suffix, RESHARD_SUFFIX_MAX, "%sb%08" PRIx32, before, bucket);
}

/* ── What is there ────────────────────────────────────────────────────────── */

int reshard_mark(const struct reshard *r, uint32_t partition, struct mark *mark)
{
    char key[KEY_MAX];

    view_redis_key(r->redis, key, (int32_t)partition, "mark");
    VIEW_ASK(r->redis, "GET", key);
    redisReply *reply = reshard_take(r, REDIS_REPLY_STRING);
    int         result = reply == NULL ? -1 : reply->type == REDIS_REPLY_STRING;

    if (result == 1 && mark_parse(reply->str, (size_t)reply->len, mark) != 0)
        result = -1;
    freeReplyObject(reply);
    return result;
}

int reshard_look(struct reshard *r)
{
    struct mark first;
    int         there = reshard_mark(r, 0, &first);

    if (there <= 0)
        return there;
    if (first.partitions > BOARD_PARTITIONS_MAX)
        return error_set("mark of partition 0 counts %" PRIu32 " partitions; at most %d",
                         first.partitions, BOARD_PARTITIONS_MAX);
    r->before = first.partitions;
    for (uint32_t p = 0; p < r->before; p++) {
        struct reshard_part *part = &r->parts[p];

        there = reshard_mark(r, p, &part->was);
        if (there < 0)
            return error_add("partition %" PRIu32, p);
        part->there = there == 1;
        if (part->there && part->was.partitions != r->before)
            return error_set("partition %" PRIu32 " is made for %" PRIu32 " partitions, partition "
                             "0 for %" PRIu32, p, part->was.partitions, r->before);
        if (r->planned) /* and the plan knows what is before its ends */
            continue;
        part->last_ms = part->there ? part->was.kafka_ms : -1;
        part->last_home = part->there ? part->was.home : -1;
    }
    return 0;
}

/* ── The plan ─────────────────────────────────────────────────────────────── */

void reshard_plan_key(const struct reshard *r, char key[KEY_MAX])
{
    view_redis_key(r->redis, key, 0, "reshard");
}

static int plan_part(struct reshard *r, const char *field, const char *text)
{
    uint32_t             number = (uint32_t)strtoul(field, NULL, 10);
    struct reshard_part *part = &r->parts[number < BOARD_PARTITIONS_MAX ? number : 0];

    if (number >= BOARD_PARTITIONS_MAX
        || sscanf(text, "%" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64, &part->from, &part->end,
                  &part->last_ms, &part->last_home) != 4)
        return error_set("plan: partition %s is \"%.60s\"", field, text);
    return 0;
}

static int plan_field(struct reshard *r, const char *field, const char *text)
{
    if (strcmp(field, "step") == 0) {
        for (int step = 0; step < RESHARD_STEPS; step++)
            if (strcmp(text, step_names[step]) == 0)
                return r->step = (enum reshard_step)step, 0;
        return error_set("plan: step \"%.60s\" is none of this program's", text);
    }
    uint32_t *number = strcmp(field, "before") == 0    ? &r->before
                       : strcmp(field, "after") == 0   ? &r->after
                       : strcmp(field, "buckets") == 0 ? &r->buckets : NULL;

    if (number == NULL)
        return plan_part(r, field, text);
    *number = (uint32_t)strtoul(text, NULL, 10);
    if (*number == 0 || (number != &r->buckets && *number > BOARD_PARTITIONS_MAX))
        return error_set("plan: %s is \"%.60s\"", field, text);
    return 0;
}

int reshard_plan_read(struct reshard *r)
{
    char key[KEY_MAX];
    int  result = 0;

    reshard_plan_key(r, key);
    VIEW_ASK(r->redis, "HGETALL", key);
    redisReply *reply = reshard_take(r, REDIS_REPLY_ARRAY);

    if (reply == NULL)
        return -1;
    for (size_t i = 0; result == 0 && i + 1 < reply->elements; i += 2) {
        r->planned |= strcmp(reply->element[i]->str, "step") == 0; /* it is written last */
        result = plan_field(r, reply->element[i]->str, reply->element[i + 1]->str);
    }
    freeReplyObject(reply);
    return result;
}

int reshard_plan_write(struct reshard *r, enum reshard_step step)
{
    char     key[KEY_MAX], field[16], text[96];
    uint64_t asked = 1;

    reshard_plan_key(r, key);
    for (uint32_t p = 0; p < r->after; p++, asked++) {
        const struct reshard_part *part = &r->parts[p];

        (void)snprintf(field, sizeof field, "%" PRIu32, p);
        (void)snprintf(text, sizeof text, "%" PRId64 " %" PRId64 " %" PRId64 " %" PRId64,
                       part->from, part->end, part->last_ms, part->last_home);
        VIEW_ASK(r->redis, "HSET", key, field, text);
    }
    char counts[3][16];

    (void)snprintf(counts[0], sizeof counts[0], "%" PRIu32, r->before);
    (void)snprintf(counts[1], sizeof counts[1], "%" PRIu32, r->after);
    (void)snprintf(counts[2], sizeof counts[2], "%" PRIu32, r->buckets);
    VIEW_ASK(r->redis, "HSET", key, "before", counts[0], "after", counts[1], "buckets", counts[2],
        "step", step_names[step]);
    r->step = step;
    r->planned = true;
    return reshard_done(r, asked);
}

int reshard_clear(const struct reshard *r, uint32_t p)
{
    char     key[KEY_MAX], suffix[RESHARD_SUFFIX_MAX];
    uint64_t asked = 1;

    view_redis_key(r->redis, key, (int32_t)p, "new:plan");
    VIEW_ASK(r->redis, "UNLINK", key);
    for (uint32_t i = 0; i < RESHARD_INDEXES; i++, asked++) {
        (void)snprintf(suffix, sizeof suffix, "new:%s", reshard_indexes[i]);
        view_redis_key(r->redis, key, (int32_t)p, suffix);
        VIEW_ASK(r->redis, "UNLINK", key);
    }
    for (uint32_t b = 0; b < r->buckets; b++, asked++) {
        reshard_bucket(suffix, "new:", b);
        view_redis_key(r->redis, key, (int32_t)p, suffix);
        VIEW_ASK(r->redis, "UNLINK", key);
    }
    return reshard_done(r, asked);
}

int reshard_plan_drop(struct reshard *r)
{
    char key[KEY_MAX];

    for (uint32_t p = 0; p < r->after; p++)
        if (reshard_clear(r, p) != 0)
            return -1;
    reshard_plan_key(r, key);
    VIEW_ASK(r->redis, "UNLINK", key);
    r->planned = false;
    return reshard_done(r, 1);
}
