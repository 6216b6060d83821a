/* eta_queue.c - an array of estimates, and where each parcel's stands in it.
 *
 * They are taken from the end.  What is taken leaves its slot behind, which then leads to
 * nobody, or to another parcel that took its place and says so by its hash; slots are cleared
 * when the last one has gone.
 */
#include "stages/eta_queue.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline/check.h"

enum { SLOTS = 4 * ETA_QUEUE_MAX, SLOTS_USED_MAX = SLOTS / 4 * 3 };

_Static_assert(ETA_QUEUE_MAX < UINT16_MAX, "a slot holds its place + 1");

struct eta_queue {
    uint32_t   count, used;            /* used: slots that are not empty                   */
    uint16_t   slots[SLOTS];           /* place + 1; 0 = empty                              */
    uint64_t   hashes[ETA_QUEUE_MAX];
    struct eta etas[ETA_QUEUE_MAX];
};

struct eta_queue *eta_queue_create(void)
{
    struct eta_queue *q = calloc(1, sizeof *q);

    CHECK(q != NULL);
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
    return q->count < ETA_QUEUE_MAX && q->used < SLOTS_USED_MAX;
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

bool eta_queue_put(struct eta_queue *q, uint64_t hash, const struct eta *eta)
{
    uint32_t at = (uint32_t)hash % SLOTS;

    for (; q->slots[at] != 0; at = (at + 1) % SLOTS) {
        uint32_t place = q->slots[at] - 1u;

        if (place >= q->count || q->hashes[place] != hash || !same_parcel(&q->etas[place], eta))
            continue;
        q->etas[place] = *eta;
        return true;
    }
    CHECK(eta_queue_has_room(q));
    q->hashes[q->count] = hash;
    q->etas[q->count] = *eta;
    q->slots[at] = (uint16_t)++q->count;
    q->used++;
    return false;
}

const struct eta *eta_queue_take(struct eta_queue *q)
{
    if (q->count == 0)
        return NULL;
    if (--q->count == 0) {
        memset(q->slots, 0, sizeof q->slots);
        q->used = 0;
    }
    return &q->etas[q->count];
}
