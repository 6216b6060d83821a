/* view.c - what a whole cluster knows, read out of Redis for people. */
#include "stages/serve/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "pipeline/check.h"
#include "pipeline/error.h"
#include "stages/parcel/record.h"
#include "stages/scan/scan.h"
#include "stages/serve/view_redis.h"

/* ── Partitions ───────────────────────────────────────────────────────────── */

enum { PROBE = 64, PARTITIONS_MAX = 16384, NUMBER_BYTES_MAX = CARRIER_NUMBER_MAX };

static void ask_marks(struct view_redis *redis, int32_t from, int32_t to)
{
    char key[KEY_MAX];

    for (int32_t partition = from; partition < to; partition++) {
        view_redis_key(redis, key, partition, "mark");
        view_redis_ask(redis, 2, (const char *[]){"GET", key}, NULL);
    }
}

/* The next mark asked for. */
static enum view_result take_mark(struct view_redis *redis, struct mark *mark)
{
    redisReply       *reply = view_redis_take(redis);
    enum view_result  result = reply == NULL ? VIEW_FAILED : VIEW_ABSENT;

    if (reply != NULL && reply->type == REDIS_REPLY_STRING)
        result = mark_parse(reply->str, (size_t)reply->len, mark) == 0 ? VIEW_FOUND : VIEW_FAILED;
    freeReplyObject(reply);
    return result;
}

/* How many partitions the topic has: any mark says it.  Partition 0 nearly always has one;
 * a topic is searched from the beginning, some at a time. */
static enum view_result count_partitions(struct view_redis *redis, uint32_t *count)
{
    struct mark mark;

    for (int32_t from = 0; from < PARTITIONS_MAX; from += from == 0 ? 1 : PROBE) {
        int32_t          to = from == 0 ? 1 : from + PROBE;
        enum view_result found = VIEW_ABSENT;

        ask_marks(redis, from, to);
        for (int32_t partition = from; partition < to; partition++) {
            struct mark      one;
            enum view_result result = take_mark(redis, &one);

            if (result == VIEW_FAILED)
                found = VIEW_FAILED;
            else if (result == VIEW_FOUND && found == VIEW_ABSENT) {
                found = VIEW_FOUND;
                mark = one;
            }
        }
        if (found == VIEW_FOUND)
            *count = mark.partitions <= PARTITIONS_MAX ? mark.partitions : PARTITIONS_MAX;
        if (found != VIEW_ABSENT)
            return found;
        if (from >= 16 * PROBE) /* a thousand without one: nobody has begun */
            return VIEW_ABSENT;
    }
    return VIEW_ABSENT;
}

enum view_result view_partitions(struct view *view, struct view_partitions *partitions)
{
    struct view_redis *redis = view_redis_of(view);
    uint32_t           count = 0;

    *partitions = (struct view_partitions) {.list = NULL};
    if (view_redis_begin(redis) != 0)
        return VIEW_FAILED;
    enum view_result result = count_partitions(redis, &count);
    if (result != VIEW_FOUND)
        return result;
    partitions->list = calloc(count, sizeof *partitions->list);
    CHECK(partitions->list != NULL);
    partitions->count = count;
    ask_marks(redis, 0, (int32_t)count);
    for (uint32_t i = 0; i < count; i++) {
        enum view_result one = take_mark(redis, &partitions->list[i].mark);

        partitions->list[i].present = one == VIEW_FOUND;
        if (one == VIEW_FAILED)
            result = VIEW_FAILED;
    }
    if (result == VIEW_FAILED)
        view_partitions_free(partitions);
    return result;
}

void view_partitions_free(struct view_partitions *partitions)
{
    free(partitions->list);
    *partitions = (struct view_partitions) {.list = NULL};
}

int64_t view_clock_ms(const struct view_partitions *partitions)
{
    int64_t clock_ms = -1;

    for (size_t i = 0; i < partitions->count; i++) {
        const struct view_partition *one = &partitions->list[i];

        if (one->present && (clock_ms < 0 || one->mark.clock_ms < clock_ms))
            clock_ms = one->mark.clock_ms;
    }
    return clock_ms;
}

/* ── One parcel ───────────────────────────────────────────────────────────── */

/* Each name the parcel uses is asked for once; `fields` are what was asked, in order. */
struct wanted_names {
    char     fields[HISTORY_MAX + 3 * ALERTS_MAX + 8][16];
    uint32_t count;
};

static void want(struct wanted_names *wanted, char kind, name_id id)
{
    char field[sizeof wanted->fields[0]];

    if (id == NAME_NONE)
        return;
    (void)snprintf(field, sizeof field, "%c:%" PRIu32, kind, id);
    for (uint32_t i = 0; i < wanted->count; i++)
        if (strcmp(wanted->fields[i], field) == 0)
            return;
    CHECK(wanted->count < sizeof wanted->fields / sizeof wanted->fields[0]);
    memcpy(wanted->fields[wanted->count++], field, sizeof field);
}

static void want_all(struct wanted_names *wanted, const struct parcel *parcel)
{
    const name_id places[] = {parcel->at, parcel->next, parcel->origin, parcel->dest,
                              parcel->carrier};

    want(wanted, 's', parcel->service);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        want(wanted, 'p', places[i]);
    for (uint8_t i = 0; i < parcel->history_count; i++)
        want(wanted, 'p', entry_place(parcel->history[i]));
    for (uint8_t i = 0; i < parcel->alerts_count; i++) {
        want(wanted, 'p', parcel->alerts[i].at);
        want(wanted, 'p', parcel->alerts[i].expected);
        want(wanted, 'p', parcel->alerts[i].note);
    }
}

static int restore_name(struct names *names, const char *field, const redisReply *text)
{
    enum name_kind kind = field[0] == 's' ? NAME_SERVICE : NAME_PLACE;
    name_id        id = (name_id)strtoul(field + 2, NULL, 10);

    if (text->type != REDIS_REPLY_STRING) /* an unknown name is shown as none */
        return 0;
    return names_restore(names, kind, id, text->str, (size_t)text->len);
}

static enum view_result load_names(struct view_redis *redis, struct view_parcel *found)
{
    static const uint32_t lead = 2;
    struct wanted_names   wanted = {.count = 0};
    const char           *arguments[sizeof wanted.fields / sizeof wanted.fields[0] + 2];
    char                  key[KEY_MAX];
    enum view_result      result = VIEW_FOUND;

    want_all(&wanted, &found->parcel);
    if (wanted.count == 0)
        return VIEW_FOUND;
    view_redis_key(redis, key, found->partition, "names");
    arguments[0] = "HMGET";
    arguments[1] = key;
    for (uint32_t i = 0; i < wanted.count; i++)
        arguments[lead + i] = wanted.fields[i];
    view_redis_ask(redis, lead + wanted.count, arguments, NULL);
    redisReply *reply = view_redis_take(redis);

    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY
        || (size_t)reply->elements != wanted.count)
        result = VIEW_FAILED;
    for (uint32_t i = 0; result == VIEW_FOUND && i < wanted.count; i++)
        if (restore_name(found->names, wanted.fields[i], reply->element[i]) != 0)
            result = VIEW_FAILED;
    freeReplyObject(reply);
    return result;
}

/* The parcel of this number in this partition. */
static enum view_result load_parcel(struct view_redis *redis, int32_t partition,
                                    const char *number, struct view_parcel *found)
{
    char key[KEY_MAX], suffix[16];

    ask_marks(redis, partition, partition + 1);
    enum view_result result = take_mark(redis, &found->mark);
    if (result != VIEW_FOUND)
        return result;
    uint32_t bucket = parcel_home(number, strlen(number)) / found->mark.partitions
                      % found->mark.buckets;

    (void)snprintf(suffix, sizeof suffix, "b%08" PRIx32, bucket);
    view_redis_key(redis, key, partition, suffix);
    view_redis_ask(redis, 3, (const char *[]){"HGET", key, number}, NULL);
    redisReply *reply = view_redis_take(redis);

    if (reply == NULL)
        return VIEW_FAILED;
    result = VIEW_ABSENT;
    found->partition = partition;
    if (reply->type == REDIS_REPLY_STRING)
        result = record_unpack((const uint8_t *)reply->str, (size_t)reply->len, &found->parcel)
                         == 0 ? load_names(redis, found) : VIEW_FAILED;
    freeReplyObject(reply);
    return result;
}

/* Where the number is at home; with partitioner `any`, everywhere. */
static enum view_result find_number(struct view_redis *redis, uint32_t partitions,
                                    const char *number, struct view_parcel *found)
{
    enum view_result result = VIEW_ABSENT;

    if (!redis->anywhere) {
        uint32_t home = parcel_home(number, strlen(number)) % partitions;

        return load_parcel(redis, (int32_t)home, number, found);
    }
    for (uint32_t i = 0; result == VIEW_ABSENT && i < partitions; i++)
        result = load_parcel(redis, (int32_t)i, number, found);
    return result;
}

/* A carrier's number says nothing of the partition: all are asked at once. */
static enum view_result find_carrier_number(struct view_redis *redis, uint32_t partitions,
                                            const char *carrier_number, struct view_parcel *found)
{
    char    key[KEY_MAX], number[PARCEL_MAX + 1] = "";
    int32_t where = -1;
    bool    failed = false;

    for (uint32_t i = 0; i < partitions; i++) {
        view_redis_key(redis, key, (int32_t)i, "carrier");
        view_redis_ask(redis, 3, (const char *[]){"HGET", key, carrier_number}, NULL);
    }
    for (uint32_t i = 0; i < partitions; i++) {
        redisReply *reply = view_redis_take(redis);

        failed |= reply == NULL;
        if (reply != NULL && reply->type == REDIS_REPLY_STRING
            && (size_t)reply->len <= PARCEL_MAX) {
            memcpy(number, reply->str, (size_t)reply->len + 1);
            where = (int32_t)i;
        }
        freeReplyObject(reply);
    }
    if (failed)
        return VIEW_FAILED;
    return where >= 0 ? load_parcel(redis, where, number, found) : VIEW_ABSENT;
}

enum view_result view_parcel(struct view *view, const char *number, struct view_parcel *found)
{
    struct view_redis *redis = view_redis_of(view);
    size_t             length = strlen(number);
    uint32_t           partitions = 0;

    memset(found, 0, sizeof *found);
    if (length == 0 || length > NUMBER_BYTES_MAX)
        return VIEW_ABSENT;
    if (view_redis_begin(redis) != 0)
        return VIEW_FAILED;
    enum view_result result = count_partitions(redis, &partitions);
    if (result != VIEW_FOUND)
        return result;
    found->names = names_create();
    result = find_number(redis, partitions, number, found);
    if (result == VIEW_ABSENT)
        result = find_carrier_number(redis, partitions, number, found);
    if (result != VIEW_FOUND)
        view_parcel_free(found);
    return result;
}

void view_parcel_free(struct view_parcel *found)
{
    if (found->names != NULL)
        names_destroy(found->names);
    found->names = NULL;
}
