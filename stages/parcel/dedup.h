/* dedup.h - what a scan is to its parcel: the first step of track.
 *
 * Every scan read is exactly one of effective, merged, duplicate (skipped null
 * values and dead letters never come this far).
 */
#ifndef STAGES_PARCEL_DEDUP_H
#define STAGES_PARCEL_DEDUP_H

#include "stages/parcel/parcel.h"

enum scan_class {
    CLASS_EFFECTIVE,   /* fills history and counters; moves the state when not `late`       */
    CLASS_MERGED,      /* near duplicate: history only                                      */
    CLASS_DUPLICATE    /* nothing changes                                                   */
};

struct classified {
    uint8_t class;     /* enum scan_class                                                   */
    bool    late;      /* effective, but moves no state: older than it, after an end that it
                          does not undo, or `undone`                                      */
    bool    undone;    /* taken back before it arrived: history only                         */
    bool    new_life;  /* PICKUP or LABEL after a terminal state: a new (number, life)        */
    bool    reused;    /* the new life began within 30 days of the old one's end             */
    bool    retracts;  /* takes an earlier event back                                       */
    bool    revives;   /* a physical scan after LOST                                        */
};

/* `parcel` before the scan (history_count 0 and life 0 = unknown parcel).  Pure.
 * A retraction is effective whether or not what it takes back is known, and late when that
 * is older than the state.  thread: any. */
struct classified dedup_classify(const struct parcel *, const struct scan *, name_id place);

#endif
