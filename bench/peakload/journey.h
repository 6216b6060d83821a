/* journey.h - the draft of a parcel's way through the network. */
#ifndef PEAKLOAD_JOURNEY_H
#define PEAKLOAD_JOURNEY_H

#include "bench/peakload/life.h"

enum { DRAFT_MAX = 80 };

struct journey {
    const struct world *world;
    struct random      *random;
    struct life        *life;
    uint32_t            now_s;              /* since birth */
    int                 count;
    struct step         step[DRAFT_MAX];
    uint8_t             priority[DRAFT_MAX]; /* 0 = must happen */
};

/* Drafts all scans that could happen on a way of about `length` scans, and sets the life's
 * origin, dest and promise. */
void journey_draft(struct journey *, int length);

/* Keeps the `length` scans of highest priority (at least one, fewer if fewer were drafted)
 * as the life's plan.  Where even those that must happen are more, the life is cut short. */
void journey_keep(struct journey *, int length);

#endif
