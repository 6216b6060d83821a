/* mark.c - a partition's mark as text, and the keys of its Redis state. */
#include "stages/outlet/mark.h"

#include <inttypes.h>
#include <stdio.h>

#include "pipeline/check.h"
#include "pipeline/error.h"

size_t mark_print(const struct mark *mark, char text[MARK_TEXT_MAX])
{
    int length = snprintf(text, MARK_TEXT_MAX,
                          "%d %" PRIu32 " %" PRIu32 " %" PRIu64 " %" PRIu64 " %" PRIu64
                          " %" PRId64 " %" PRId64 " %" PRIu64 " %" PRId64 " %" PRId64,
                          MARK_FORMAT, mark->partitions, mark->buckets, mark->epoch, mark->owner,
                          mark->sequence, mark->offset, mark->clock_ms, mark->records,
                          mark->kafka_ms, mark->home);

    CHECK(length > 0 && length < MARK_TEXT_MAX);
    return (size_t)length;
}

/* What is left to read.  `good` turns false at the first thing that is no number of ours and
 * stays so: asked once, at the end. */
struct reading {
    const char *at, *end;
    int         good;
};

/* One number of at most `most`, and the space after it unless it is the last. */
static uint64_t read_number(struct reading *r, uint64_t most)
{
    const char *first = r->at;
    uint64_t    number = 0;

    for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++)
        if (__builtin_mul_overflow(number, 10u, &number)
            || __builtin_add_overflow(number, (uint64_t)(*r->at - '0'), &number))
            r->good = 0;
    /* Marks are compared as text: only the one form that mark_print writes is a mark. */
    if (r->at == first || number > most || (*first == '0' && r->at - first > 1))
        r->good = 0;
    if (r->at < r->end && *r->at++ != ' ')
        r->good = 0;
    return number;
}

static int64_t read_signed(struct reading *r)
{
    int minus = r->at < r->end && *r->at == '-';

    r->at += minus;
    int64_t number = (int64_t)read_number(r, INT64_MAX);
    if (minus && number == 0)
        r->good = 0;
    return minus ? -number : number;
}

int mark_parse(const char *text, size_t length, struct mark *mark)
{
    struct reading r = {.at = text, .end = text + length, .good = 1};
    uint64_t       format = read_number(&r, UINT64_MAX);
    int            shown = length < 60 ? (int)length : 60;

    if (r.good && format != MARK_FORMAT)
        return error_set("mark \"%.*s\" is of format %" PRIu64 "; this binary knows %d", shown,
                         text, format, MARK_FORMAT);
    *mark = (struct mark) {.partitions = (uint32_t)read_number(&r, UINT32_MAX)};
    mark->buckets = (uint32_t)read_number(&r, UINT32_MAX);
    mark->epoch = read_number(&r, UINT64_MAX);
    mark->owner = read_number(&r, UINT64_MAX);
    mark->sequence = read_number(&r, UINT64_MAX);
    mark->offset = read_signed(&r);
    mark->clock_ms = read_signed(&r);
    mark->records = read_number(&r, UINT64_MAX);
    mark->kafka_ms = read_signed(&r);
    mark->home = read_signed(&r);
    if (!r.good || r.at != r.end || text[length - 1] == ' ')
        return error_set("\"%.*s\" is not a mark", shown, text);
    if (mark->partitions == 0 || mark->buckets == 0)
        return error_set("mark \"%.*s\" counts no partitions or no buckets", shown, text);
    return 0;
}

int mark_same(const struct mark *a, const struct mark *b)
{
    return a->epoch == b->epoch && a->owner == b->owner && a->sequence == b->sequence;
}

size_t key_print(char *text, size_t size, const char *group, const char *topic,
                 int32_t partition, const char *suffix)
{
    int length = snprintf(text, size, "{%s:%s:%" PRId32 "}:%s", group, topic, partition, suffix);

    CHECK(length > 0 && (size_t)length < size);
    return (size_t)length;
}
