/* detector.h - what an anomaly detector is.
 *
 * A detector is one const struct in one file.  It looks at a parcel and says
 * open, update or resolve; it owns no state, sends nothing, allocates nothing
 * and reads no clock but the one it is given.  The track stage keeps what is
 * open in the parcel's record, arms the timers, applies the inhibition table
 * and writes the alerts, so a detector cannot repeat, lose or reorder one.
 *
 * To add an anomaly: write detectors/NAME.c and add one row to the list in
 * detectors/all.h.  Thresholds and their defaults stand in the detector's own
 * struct; configuration, `peakline detectors` and the documentation follow.
 */
#ifndef STAGES_DETECT_DETECTOR_H
#define STAGES_DETECT_DETECTOR_H

#include <stdint.h>

#include "stages/detect/threshold.h"
#include "stages/eta/estimate.h"
#include "stages/parcel/dedup.h"
#include "stages/parcel/parcel.h"

struct findings;
struct model;
struct names;
struct reference;

enum { DETECTORS_MAX = 31, SENTENCES_MAX = 8 };

/* What a detector sees.  owns: nothing.  thread: the partition's worker. */
struct sighting {
    const struct parcel     *parcel;    /* before the scan; after it in deadline_s           */
    const struct alert      *open;      /* this detector's alert of the parcel; NULL = none    */
    const struct scan       *scan;      /* effective scan; NULL when time passed             */
    const struct classified *class;     /* of the scan; in on_scan only, else NULL           */
    const struct estimate   *estimate;  /* with this scan known                             */
    const struct model      *model;     /* dwell and remaining time, learned                 */
    const struct names      *names;     /* the partition's dictionary                        */
    const struct reference  *reference; /* facilities, routes; never NULL, may be empty       */
    const int64_t           *thresholds; /* of its service, in the order of its struct     */
    name_id                  here, next; /* of the scan, NAME_NONE = not given                 */
    uint32_t                 at_s;      /* event time of the scan, or the deadline that fired */
    uint32_t                 clock_s;   /* partition clock                                   */
    uint32_t                 received_s; /* of the scan, by Kafka's timestamp; 0 = not known   */
};

enum detector_needs {
    NEEDS_NOTHING = 0,
    NEEDS_ROUTES   = 2,  /* REFERENCE_ROUTES: without them it is off                         */
    NEEDS_REFERENCE = 31, /* all such: enum reference_part                                   */
    NEEDS_TRACKING = 64, /* skips a parcel handed over by a service that ends there          */
    NEEDS_HISTORY  = 128 /* skips a parcel first met while a lost view was rebuilt            */
};
/* What few scans have: a detector that wants one is asked about no other (but while its
 * alert is open). */
enum detector_traits {
    TRAIT_NONE = 0,
    TRAIT_WEIGHT = 1, /* a weight, measured or declared: scan.flags says which              */
    TRAIT_AHEAD  = 2, /* an event time after Kafka's timestamp                               */
    TRAIT_MOVED  = 4, /* another place than where the parcel was, or a device's position      */
    TRAITS = 8
};
enum alert_owner { OWNER_FACILITY, OWNER_COURIER, OWNER_CUSTOMS, OWNER_SHIPPER, OWNER_CARRIER };

/* Sets of codes and states. */
#define ON(code)    (1u << SCAN_##code)
#define IN(state)   (1u << STATE_##state)
#define ON_ANY      (~0u)
#define ON_PHYSICAL (~(ON(NONE) | ON(LABEL) | ON(DECLARED) | ON(REROUTED) | ON(LOST) \
                       | ON(CANCELLED) | ON(INFO)))

#define DEADLINE_KEEP UINT32_MAX

struct detector {
    const char *type;    /* kebab-case, stable for ever: part of every alert's id */
    const char *summary; /* one line, for `peakline detectors` and the docs       */
    const char *action;  /* kebab-case: "send-on", "search", "submit-documents" … */
    const char *unit;    /* of value and threshold: "s", "g", "attempts", ""      */
    uint8_t     needs;   /* enum detector_needs                                   */
    uint8_t     owner;   /* enum alert_owner: whose work it is                    */
    uint8_t     traits;  /* enum detector_traits: one, or none                     */

    /* When it is asked, so that most detectors cost a scan nothing: on_scan for these codes;
     * for these too while its alert is open; deadline_s in these states of the parcel. */
    uint32_t    codes, codes_open, states;

    struct threshold thresholds[THRESHOLDS_MAX];

    /* What the alert says, chosen by finding.sentence.  {at} {expected} {note} {value}
     * {threshold} {age} {parcel} are replaced ({value}, {threshold} as durations where
     * unit is "s"). */
    const char *sentences[SENTENCES_MAX];

    /* The scan is about to be applied: open, update or resolve.  May be NULL. */
    void (*on_scan)(const struct sighting *, struct findings *);

    /* Second at which on_deadline is due; 0 = never, DEADLINE_KEEP = as stored.  Asked when an
     * effective scan has been applied (parcel is after it), and when on_deadline has run (scan
     * NULL: a later one, or none); stored in the record: reload and learning affect later
     * deadlines only.  One in the past already fires two minutes later (histories arrive
     * whole).  May be NULL. */
    uint32_t (*deadline_s)(const struct sighting *);

    /* The deadline has passed on the partition clock.  May be NULL. */
    void (*on_deadline)(const struct sighting *, struct findings *);
};

/* THE table, from detectors/all.h, NULL-ended.  A detector's place in it is its id, stored
 * in records and part of no other contract: never reuse one, never move one. */
extern const struct detector *const detector_table[DETECTORS_MAX + 1];

const struct detector *detector_find(const char *type);   /* NULL: no such type */
uint8_t detector_id(const struct detector *);
const char *owner_name(enum alert_owner);

#endif
