/* alert_queue.c - a list that is read from the front. */
#include "stages/alert_queue.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline/check.h"

enum { SIZE_MIN = 64 };

/* What was taken leaves room in front; only when that is little the list grows. */
static void make_room(struct alert_queue *q)
{
    uint32_t gone = q->first;

    CHECK(q->first <= q->indexed && q->indexed <= q->count);
    if (gone > q->size / 2) {
        memmove(q->list, q->list + gone, (q->count - gone) * sizeof q->list[0]);
        q->first = 0;
        q->indexed -= gone;
        q->count -= gone;
        return;
    }
    q->size = q->size == 0 ? SIZE_MIN : 2 * q->size;
    q->list = realloc(q->list, q->size * sizeof q->list[0]);
    CHECK(q->list != NULL);
}

struct trace *alert_queue_trace(const struct trace *trace)
{
    struct trace *copy = malloc(sizeof *copy);

    CHECK(copy != NULL);
    copy->length = trace->length;
    memcpy(copy->bytes, trace->bytes, trace->length);
    return copy;
}

struct alert_change *alert_queue_add(struct alert_queue *q)
{
    if (q->count == q->size)
        make_room(q);
    q->list[q->count].trace = NULL;
    return &q->list[q->count++];
}

void alert_queue_pop(struct alert_queue *q)
{
    CHECK(q->first < q->indexed);
    free(q->list[q->first].trace);
    q->first++;
    if (q->first == q->count)
        q->first = q->indexed = q->count = 0;
}

const struct alert_change *alert_queue_first(struct alert_queue *q, uint64_t applied)
{
    while (q->first < q->indexed && q->list[q->first].sent)
        alert_queue_pop(q);
    if (q->first == q->indexed || q->list[q->first].cut > applied)
        return NULL;
    return &q->list[q->first];
}

void alert_queue_free(struct alert_queue *q)
{
    for (uint32_t i = q->first; i < q->count; i++)
        free(q->list[i].trace);
    free(q->list);
    *q = (struct alert_queue) {.list = NULL};
}
