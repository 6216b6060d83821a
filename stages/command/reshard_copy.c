/* reshard_copy.c - Redis: the new state, made beside the old one.
 *
 * A new partition's dictionary and model begin as those of old partition N mod BEFORE: every
 * partition has learned from a random part of the same network.  Where AFTER is a multiple of
 * BEFORE, its parcels come from that one partition and keep their bytes.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "pipeline/check.h"
#include "pipeline/clock.h"
#include "pipeline/env.h"
#include "pipeline/error.h"
#include "stages/board.h"
#include "stages/command/reshard.h"
#include "stages/parcel/record.h"
#include "stages/scan/scan.h"
#include "stages/serve/view.h"
#include "stages/serve/view_redis.h"

/* ── Copying ──────────────────────────────────────────────────────────────── */

static int put(const struct reshard *r, uint32_t partition, const char *suffix, const char *field,
               size_t field_length, const void *value, size_t length)
{
    char        key[KEY_MAX];
    const char *arguments[] = {"HSET", key, field, value};

    view_redis_key(r->redis, key, (int32_t)partition, suffix);
    view_redis_ask(r->redis, 4, arguments,
                   (const size_t[]) {4, strlen(key), field_length, length});
    return 1;
}

/* A hash of old partition `from`, whole; NULL with the error trail. */
static redisReply *hash_of(const struct reshard *r, uint32_t from, const char *suffix)
{
    char key[KEY_MAX];

    view_redis_key(r->redis, key, (int32_t)from, suffix);
    VIEW_ASK(r->redis, "HGETALL", key);
    return reshard_take(r, REDIS_REPLY_ARRAY);
}

static int names_read(const struct reshard *r, uint32_t from, struct names *names)
{
    redisReply *reply = hash_of(r, from, "names");
    int         result = reply != NULL ? 0 : -1;

    for (size_t i = 0; result == 0 && i + 1 < reply->elements; i += 2) {
        const redisReply *field = reply->element[i], *text = reply->element[i + 1];
        enum name_kind    kind = field->str[0] == 's' ? NAME_SERVICE : NAME_PLACE;

        if (field->len < 3)
            result = error_set("names: field \"%s\" is neither p:N nor s:N", field->str);
        else
            result = names_restore(names, kind, (name_id)strtoul(field->str + 2, NULL, 10),
                                   text->str, (size_t)text->len);
    }
    freeReplyObject(reply);
    return result;
}

static int names_write(const struct reshard *r, uint32_t p)
{
    const struct names *names = r->parts[p].names;
    uint64_t            asked = 0;
    char                field[16];

    for (enum name_kind kind = 0; kind < NAME_KINDS; kind++)
        for (name_id id = kind == NAME_REASON ? REASONS_FIRST : 1; id <= names_last(names, kind);
             id++) {
            const char *text = names_text(names, kind, id);
            int length = snprintf(field, sizeof field, "%c:%" PRIu32,
                                  kind == NAME_SERVICE ? 's' : 'p', id);

            asked += (uint64_t)put(r, p, "new:names", field, (size_t)length, text, strlen(text));
        }
    return reshard_done(r, asked);
}

static int model_copy(const struct reshard *r, uint32_t p)
{
    redisReply *reply = hash_of(r, p % r->before, "model");
    uint64_t    asked = 0;

    if (reply == NULL)
        return -1;
    for (size_t i = 0; i + 1 < reply->elements; i += 2)
        asked += (uint64_t)put(r, p, "new:model", reply->element[i]->str,
                               (size_t)reply->element[i]->len, reply->element[i + 1]->str,
                               (size_t)reply->element[i + 1]->len);
    freeReplyObject(reply);
    return reshard_done(r, asked);
}

static int record_copy(struct reshard *r, uint32_t from, const struct names *names,
                       const redisReply *number, const redisReply *record)
{
    uint32_t home = parcel_home(number->str, (size_t)number->len), p = home % r->after;
    uint8_t  bytes[RECORD_BYTES_MAX];
    char     suffix[RESHARD_SUFFIX_MAX];
    const void *packed = record->str;
    size_t      length = (size_t)record->len;

    if (p % r->before != from) {
        length = reshard_record((const uint8_t *)record->str, length, names, r->parts[p].names,
                                bytes);
        packed = bytes;
    }
    if (length == 0)
        return -1;
    reshard_bucket(suffix, "new:", home / r->after % r->buckets);
    r->parts[p].records++;
    r->moved++;
    return put(r, p, suffix, number->str, (size_t)number->len, packed, length);
}

static int bucket_copy(struct reshard *r, uint32_t from, const struct names *names,
                       uint32_t bucket)
{
    char        suffix[RESHARD_SUFFIX_MAX];
    uint64_t    asked = 0;
    int         result = 0;

    reshard_bucket(suffix, "", bucket);
    redisReply *reply = hash_of(r, from, suffix);
    if (reply == NULL)
        return -1;
    for (size_t i = 0; result == 0 && i + 1 < reply->elements; i += 2) {
        int put_one = record_copy(r, from, names, reply->element[i], reply->element[i + 1]);

        result = put_one < 0 ? error_add("partition %" PRIu32, from) : 0;
        asked += put_one > 0;
    }
    freeReplyObject(reply);
    return reshard_done(r, asked) != 0 ? -1 : result;
}

/* Where a field of an index belongs: a carrier's number names its parcel, an open alert says
 * whose it is. */
static uint32_t index_home(const struct reshard *r, const char *index, const redisReply *value)
{
    char number[PARCEL_MAX + 1];

    if (strcmp(index, "carrier") == 0)
        return parcel_home(value->str, (size_t)value->len) % r->after;
    (void)view_member(value->str, "parcel", number, sizeof number);
    return parcel_home(number, strlen(number)) % r->after;
}

/* Large ones piece by piece. */
static int index_copy(const struct reshard *r, uint32_t from, const char *index)
{
    char key[KEY_MAX], suffix[RESHARD_SUFFIX_MAX], cursor[24] = "0";

    view_redis_key(r->redis, key, (int32_t)from, index);
    (void)snprintf(suffix, sizeof suffix, "new:%s", index);
    do {
        uint64_t asked = 0;

        VIEW_ASK(r->redis, "HSCAN", key, cursor, "COUNT", "500");
        redisReply *reply = reshard_take(r, REDIS_REPLY_ARRAY);
        if (reply == NULL)
            return -1;
        CHECK(reply->elements == 2);
        const redisReply *list = reply->element[1];

        (void)snprintf(cursor, sizeof cursor, "%s", reply->element[0]->str);
        for (size_t i = 0; i + 1 < list->elements; i += 2) {
            const redisReply *field = list->element[i], *value = list->element[i + 1];

            asked += (uint64_t)put(r, index_home(r, index, value), suffix, field->str,
                                   (size_t)field->len, value->str, (size_t)value->len);
        }
        freeReplyObject(reply);
        if (reshard_done(r, asked) != 0)
            return -1;
    } while (strcmp(cursor, "0") != 0);
    return 0;
}

/* All that old partition `from` holds, to where it belongs. */
static int part_copy(struct reshard *r, uint32_t from)
{
    struct names *names = names_create();
    uint64_t      before = r->moved;
    int           result = names_read(r, from, names);

    for (uint32_t b = 0; result == 0 && b < r->parts[from].was.buckets; b++)
        result = bucket_copy(r, from, names, b);
    names_destroy(names);
    if (result != 0 || index_copy(r, from, "carrier") != 0 || index_copy(r, from, "open") != 0)
        return -1;
    uint64_t moved = r->moved - before;

    if (moved != r->parts[from].was.records)
        return error_set("partition %" PRIu32 ": its mark counts %" PRIu64 " parcels, Redis has %"
                         PRIu64 "; run an instance on the old count to rebuild it", from,
                         r->parts[from].was.records, moved);
    (void)printf("Partition %" PRIu32 " of %" PRIu32 ": %" PRIu64 " parcels copied.\n", from,
                 r->before, moved);
    return 0;
}

/* ── The new marks ────────────────────────────────────────────────────────── */

static struct mark mark_wanted(const struct reshard *r, uint32_t p)
{
    struct mark mark = {.partitions = r->after, .buckets = r->buckets, .owner = env_random(),
                        .epoch = (uint64_t)clock_wall_ms() * 1000, .offset = r->parts[p].end,
                        .records = r->parts[p].records, .kafka_ms = r->parts[p].last_ms,
                        .home = r->parts[p].last_home};

    /* The whole of the old log was read: what the furthest clock says is true of all. */
    for (uint32_t i = 0; i < r->before; i++) {
        const struct mark *was = &r->parts[i].was;

        if (!r->parts[i].there)
            continue;
        mark.clock_ms = was->clock_ms > mark.clock_ms ? was->clock_ms : mark.clock_ms;
        mark.epoch = was->epoch >= mark.epoch ? was->epoch + 1 : mark.epoch;
    }
    return mark;
}

static int wanted_write(const struct reshard *r, uint32_t p)
{
    struct mark mark = mark_wanted(r, p);
    char        text[MARK_TEXT_MAX], was[MARK_TEXT_MAX] = "";
    size_t      length = mark_print(&mark, text);

    if (p < r->before && r->parts[p].there)
        mark_print(&r->parts[p].was, was);
    return reshard_done(r, (uint64_t)(put(r, p, "new:plan", "wanted", 6, text, length)
                              + put(r, p, "new:plan", "was", 3, was, strlen(was))));
}

int reshard_copy(struct reshard *r)
{
    for (uint32_t p = 0; p < r->after; p++) {
        r->parts[p].names = names_create();
        if (reshard_clear(r, p) != 0 || names_read(r, p % r->before, r->parts[p].names) != 0 ||
            model_copy(r, p) != 0)
            return -1;
    }
    for (uint32_t from = 0; from < r->before; from++)
        if (r->parts[from].there && part_copy(r, from) != 0)
            return -1;
    for (uint32_t p = 0; p < r->after; p++)
        if (names_write(r, p) != 0 || wanted_write(r, p) != 0)
            return -1;
    return 0;
}

void reshard_free(struct reshard *r)
{
    for (uint32_t p = 0; r->parts != NULL && p < BOARD_PARTITIONS_MAX; p++)
        if (r->parts[p].names != NULL)
            names_destroy(r->parts[p].names);
    free(r->parts);
    r->parts = NULL;
}
