/* apply.h - the only writer of a parcel's state: the fourth step of track. */
#ifndef STAGES_APPLY_H
#define STAGES_APPLY_H

#include "stages/parcel/dedup.h"
#include "stages/parcel/parcel.h"

/* The scan's names as numbers of the partition's dictionary. */
struct noted {
    name_id  here, next, origin, dest, carrier, reason;
    uint8_t  service;
    uint32_t at_s;          /* event time */
};

/* Looks the scan's texts up, and gives numbers to those that are new. */
struct noted apply_note(struct names *, const struct scan *);

/* A parcel never seen, or its next life: everything but the number is new. */
void apply_begin(struct parcel *, const struct scan *, uint16_t life);

enum applied {
    APPLIED_ARRIVED = 1,        /* the parcel's first DELIVERED or STATION_IN                */
    APPLIED_DOCUMENT_LOST = 2   /* it names one more than DOCUMENTS_MAX: not kept            */
};

/* Puts an effective or merged scan into the parcel: history, counters, state.  A retraction
 * takes back what the history, or its own measures and document, say of its event.
 * Returns a set of enum applied. */
unsigned apply_scan(struct parcel *, const struct scan *, const struct classified *,
                    const struct noted *);

/* When to shrink a parcel that has ended, or forget one that is silent; Unix seconds, later
 * than clock_s.  Stored as DEADLINE_HOUSE. */
struct retention {
    uint32_t linger_s, terminal_s, idle_s;
};
void apply_house(struct parcel *, const struct retention *, uint32_t clock_s);

/* A terminal parcel forgets its history and alerts: a tombstone. */
void apply_shrink(struct parcel *, const struct retention *, uint32_t clock_s);

/* The stored deadline of one detector, or 0. */
uint32_t apply_deadline(const struct parcel *, uint8_t detector);

#endif
