/* view_alerts.c - the open alerts of all partitions, filtered and sorted.
 *
 * Redis keeps each as the JSON that went to the topic of alerts.  That JSON is ours and
 * flat, so a member is found by its text: `"name":` after { or a comma can't stand inside
 * a string, where every quote has a backslash before it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "pipeline/check.h"
#include "pipeline/error.h"
#include "stages/serve/view.h"
#include "stages/serve/view_redis.h"

enum { NAME_MAX_LENGTH = 40, PAGE = 1000, VALUE_SIZE = 128 };

/* ── A member of flat JSON ────────────────────────────────────────────────── */

static const char *find_member(const char *json, const char *name)
{
    char pattern[NAME_MAX_LENGTH + 4];
    int  length = snprintf(pattern, sizeof pattern, "\"%s\":", name);

    CHECK(length > 0 && (size_t)length < sizeof pattern);
    for (const char *at = strstr(json, pattern); at != NULL; at = strstr(at + 1, pattern))
        if (at > json && (at[-1] == '{' || at[-1] == ','))
            return at + length;
    return NULL;
}

static size_t put_utf8(char *at, uint32_t code)
{
    if (code < 0x80) {
        at[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        at[0] = (char)(0xC0 | code >> 6);
        at[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    at[0] = (char)(0xE0 | code >> 12);
    at[1] = (char)(0x80 | (code >> 6 & 0x3F));
    at[2] = (char)(0x80 | (code & 0x3F));
    return 3;
}

/* One character of a string, its escape undone, written to `at`; where the next begins. */
static const char *unescape(const char *from, char *at, size_t *length)
{
    static const char plain[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    char              digits[5] = "";

    *length = 1;
    at[0] = *from;
    if (*from != '\\' || from[1] == '\0')
        return from + 1;
    const char *which = strchr(plain, from[1]);

    if (which != NULL) {
        at[0] = meant[which - plain];
        return from + 2;
    }
    if (from[1] != 'u' || strnlen(from + 2, 4) < 4)
        return from + 2;
    memcpy(digits, from + 2, 4);
    *length = put_utf8(at, (uint32_t)strtoul(digits, NULL, 16));
    return from + 6;
}

bool view_member(const char *json, const char *name, char *text, size_t size)
{
    const char *value = find_member(json, name);
    size_t      used = 0;
    char        character[4];

    CHECK(size > 0);
    text[0] = '\0';
    if (value == NULL)
        return false;
    bool        string = *value == '"';
    const char *at = string ? value + 1 : value;

    while (*at != '\0' && (string ? *at != '"' : *at != ',' && *at != '}')) {
        size_t      length;
        const char *next = unescape(at, character, &length);

        if (used + length >= size)
            break;
        memcpy(text + used, character, length);
        used += length;
        at = next;
    }
    text[used] = '\0';
    return true;
}

/* ── Which, and in what order ─────────────────────────────────────────────── */

static bool agrees(const char *json, const char *name, const char *wanted)
{
    char value[VALUE_SIZE];

    if (wanted == NULL || wanted[0] == '\0')
        return true;
    return view_member(json, name, value, sizeof value) && strcmp(value, wanted) == 0;
}

/* Is it the subject's work?  What is a courier's is the courier's where one is named, else
 * the depot's; a facility has its own and what customs hold there. */
static bool is_work_of(const char *json, const char *subject)
{
    char owner[VALUE_SIZE], courier[VALUE_SIZE];

    if (subject == NULL || subject[0] == '\0')
        return true;
    if (!view_member(json, "owner", owner, sizeof owner))
        return false;
    if (strcmp(owner, "courier") == 0 && view_member(json, "courier", courier, sizeof courier))
        return strcmp(courier, subject) == 0;
    return (strcmp(owner, "facility") == 0 || strcmp(owner, "customs") == 0
            || strcmp(owner, "courier") == 0)
        && agrees(json, "facility", subject);
}

static bool passes(const char *json, const struct view_filter *filter)
{
    return agrees(json, "type", filter->type) && agrees(json, "severity", filter->severity)
           && agrees(json, "parcel", filter->parcel) && agrees(json, "facility", filter->facility)
           && agrees(json, "owner", filter->owner) && is_work_of(json, filter->work);
}

/* By what is due first; RFC 3339 in one form sorts as text. */
static int compare_due(const void *a, const void *b)
{
    const struct view_alert *one = a, *other = b;
    int                      sooner = strcmp(one->due, other->due);

    return sooner != 0 ? sooner : strcmp(one->json, other->json);
}

/* The latest first. */
static int compare_opened(const void *a, const void *b)
{
    const struct view_alert *one = a, *other = b;
    int                      later = strcmp(other->opened_at, one->opened_at);

    return later != 0 ? later : strcmp(one->json, other->json);
}

/* Sorts, drops what a scan of a growing hash told twice, keeps `limit`. */
static void settle(struct view_alerts *alerts, const struct view_filter *filter, size_t limit)
{
    bool   work = filter->work != NULL && filter->work[0] != '\0';
    size_t kept = 0;

    if (alerts->count > 0)
        qsort(alerts->list, alerts->count, sizeof *alerts->list,
              work ? compare_due : compare_opened);
    for (size_t i = 0; i < alerts->count; i++) {
        bool again = kept > 0 && strcmp(alerts->list[i].json, alerts->list[kept - 1].json) == 0;

        alerts->matching -= again;
        if (again || kept == limit)
            free(alerts->list[i].json);
        else
            alerts->list[kept++] = alerts->list[i];
    }
    alerts->count = kept;
}

static void keep(struct view_alerts *alerts, int32_t partition, const redisReply *value,
                 const struct view_filter *filter, size_t limit)
{
    size_t length = (size_t)value->len;

    if (value->type != REDIS_REPLY_STRING || length < 2 || value->str[0] != '{'
        || value->str[length - 1] != '}' || memchr(value->str, '\0', length) != NULL
        || !passes(value->str, filter))
        return;
    alerts->matching++;
    if (alerts->count == 2 * limit) /* room for as many again: sorted once for each `limit` */
        settle(alerts, filter, limit);
    struct view_alert *alert = &alerts->list[alerts->count++];

    *alert = (struct view_alert) {.partition = partition, .json = strdup(value->str)};
    CHECK(alert->json != NULL);
    (void)view_member(alert->json, "opened_at", alert->opened_at, sizeof alert->opened_at);
    if (!view_member(alert->json, "deadline", alert->due, sizeof alert->due))
        memcpy(alert->due, alert->opened_at, sizeof alert->due);
}

static enum view_result scan_partition(struct view_redis *redis, int32_t partition,
                                       const struct view_filter *filter, size_t limit,
                                       struct view_alerts *alerts)
{
    char key[KEY_MAX], cursor[24] = "0", page[12];

    view_redis_key(redis, key, partition, "open");
    (void)snprintf(page, sizeof page, "%d", PAGE);
    do {
        view_redis_ask(redis, 5, (const char *[]){"HSCAN", key, cursor, "COUNT", page}, NULL);
        redisReply *reply = view_redis_take(redis);

        if (reply == NULL)
            return VIEW_FAILED;
        if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2
            || reply->element[0]->type != REDIS_REPLY_STRING) {
            freeReplyObject(reply);
            (void)error_set("Redis: HSCAN has no answer that we know");
            return VIEW_FAILED;
        }
        const redisReply *pairs = reply->element[1];

        for (size_t i = 1; i < pairs->elements; i += 2)
            keep(alerts, partition, pairs->element[i], filter, limit);
        (void)snprintf(cursor, sizeof cursor, "%s", reply->element[0]->str);
        freeReplyObject(reply);
    } while (strcmp(cursor, "0") != 0);
    return VIEW_FOUND;
}

enum view_result view_alerts(struct view *view, const struct view_filter *filter,
                             struct view_alerts *alerts)
{
    struct view_redis     *redis = view_redis_of(view);
    struct view_partitions partitions;
    size_t                 limit = filter->limit;

    *alerts = (struct view_alerts) {.clock_ms = -1};
    enum view_result result = view_partitions(view, &partitions);
    if (result == VIEW_FAILED)
        return result;
    if (limit == 0 || limit > VIEW_ALERTS_MAX)
        limit = VIEW_ALERTS_MAX;
    alerts->clock_ms = view_clock_ms(&partitions);
    alerts->list = calloc(2 * limit, sizeof *alerts->list);
    CHECK(alerts->list != NULL);
    result = VIEW_FOUND;
    for (size_t i = 0; result == VIEW_FOUND && i < partitions.count; i++)
        if (partitions.list[i].present)
            result = scan_partition(redis, (int32_t)i, filter, limit, alerts);
    view_partitions_free(&partitions);
    settle(alerts, filter, limit);
    if (result == VIEW_FAILED)
        view_alerts_free(alerts);
    return result;
}

void view_alerts_free(struct view_alerts *alerts)
{
    for (size_t i = 0; i < alerts->count; i++)
        free(alerts->list[i].json);
    free(alerts->list);
    *alerts = (struct view_alerts) {.list = NULL};
}
