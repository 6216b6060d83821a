/* eta_queue.c - an array of estimates, and where each parcel's stands in it.
 *
 * Their traces lie one after the other in an area of their own, of which a scan without any
 * touches nothing; what an older estimate has left in it stays until the last one has gone.
 * They are taken from the end.  What is taken leaves its slot behind, which then leads to
 * nobody, or to another parcel that took its place and says so by its hash; slots are cleared
 * when the last one has gone.
 */
#include "stages/eta_queue.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline/check.h"

enum { SLOTS = 4 * ETA_QUEUE_MAX, SLOTS_USED_MAX = SLOTS / 4 * 3,
       TRACES = 64 * ETA_QUEUE_MAX };

_Static_assert(ETA_QUEUE_MAX < UINT16_MAX, "a slot holds its place + 1");

struct eta_queue {
    uint32_t   count, used;            /* used: slots that are not empty                   */
    uint16_t   slots[SLOTS];           /* place + 1; 0 = empty                              */
    uint64_t   hashes[ETA_QUEUE_MAX];
    struct eta etas[ETA_QUEUE_MAX];
    struct {
        uint32_t at, length;
    }          traces[ETA_QUEUE_MAX];  /* of each, in trace_bytes                          */
    uint32_t   trace_bytes_used;
    char       trace_bytes[TRACES];
};

struct eta_queue *eta_queue_create(void)
{
    struct eta_queue *q = malloc(sizeof *q);

    CHECK(q != NULL);
    q->count = q->used = q->trace_bytes_used = 0;
    memset(q->slots, 0, sizeof q->slots);   /* all else is written before it is read */
    return q;
}

void eta_queue_destroy(struct eta_queue *q)
{
    free(q);
}

size_t eta_queue_bytes(void)
{
    return sizeof(struct eta_queue);
}

bool eta_queue_has_room(const struct eta_queue *q)
{
    return q->count < ETA_QUEUE_MAX && q->used < SLOTS_USED_MAX &&
           q->trace_bytes_used + TRACE_BYTES_MAX <= TRACES;
}

uint32_t eta_queue_count(const struct eta_queue *q)
{
    return q->count;
}

static bool same_parcel(const struct eta *one, const struct eta *other)
{
    return one->number_length == other->number_length
        && memcmp(one->number, other->number, one->number_length) == 0;
}

static void keep(struct eta_queue *q, uint32_t place, const struct eta *eta,
                 const struct trace *trace)
{
    CHECK(q->trace_bytes_used + trace->length <= TRACES);
    q->etas[place] = *eta;
    q->traces[place].at = q->trace_bytes_used;
    q->traces[place].length = trace->length;
    memcpy(q->trace_bytes + q->trace_bytes_used, trace->bytes, trace->length);
    q->trace_bytes_used += trace->length;
}

bool eta_queue_put(struct eta_queue *q, uint64_t hash, const struct eta *eta,
                   const struct trace *trace)
{
    uint32_t at = (uint32_t)hash % SLOTS;

    for (; q->slots[at] != 0; at = (at + 1) % SLOTS) {
        uint32_t place = q->slots[at] - 1u;

        if (place >= q->count || q->hashes[place] != hash || !same_parcel(&q->etas[place], eta))
            continue;
        keep(q, place, eta, trace);
        return true;
    }
    CHECK(eta_queue_has_room(q));
    q->hashes[q->count] = hash;
    keep(q, q->count, eta, trace);
    q->slots[at] = (uint16_t)++q->count;
    q->used++;
    return false;
}

const struct eta *eta_queue_take(struct eta_queue *q, struct trace *trace)
{
    if (q->count == 0)
        return NULL;
    if (--q->count == 0) {
        memset(q->slots, 0, sizeof q->slots);
        q->used = q->trace_bytes_used = 0;
    }
    trace->length = (uint16_t)q->traces[q->count].length;
    memcpy(trace->bytes, q->trace_bytes + q->traces[q->count].at, trace->length);
    return &q->etas[q->count];
}
