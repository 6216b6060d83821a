/* parcel.h - a parcel as detectors and estimators see it: the record, unpacked.
 *
 * A parcel is (number, life).  The stored form is record.h's; this working form
 * lives on track's stack while one scan is processed.  Times are Unix seconds
 * unless they say ms.  Places, carriers and notes are numbers of the partition's
 * dictionary (names.h).
 */
#ifndef STAGES_PARCEL_PARCEL_H
#define STAGES_PARCEL_PARCEL_H

#include <stdbool.h>
#include <stdint.h>

#include "stages/parcel/names.h"
#include "stages/scan/codes.h"
#include "stages/scan/scan.h"

enum { HISTORY_MAX = 32, DEADLINES_MAX = 12, ALERTS_MAX = 12, UNSENT_MAX = 24,
       DOCUMENTS_MAX = 4 };

enum parcel_flags {
    PARCEL_RETURNING = 1,     /* on its way back                                           */
    PARCEL_PARTIAL   = 2,     /* first met while a lost view was rebuilt: history unknown   */
    PARCEL_CROSS_BORDER = 4,  /* an export, line-haul or import code was seen               */
    PARCEL_ARRIVED   = 8,     /* DELIVERED or STATION_IN was seen: the ETA's target          */
    PARCEL_TOMBSTONE = 16,    /* shrunk: terminal, history forgotten                         */
    PARCEL_HISTORIC  = 32     /* first met older than retention.terminal: no alerts          */
};

/* What few parcels have, so that the others need not store it. */
enum parcel_facts {
    FACT_WEIGHT = 1, FACT_DECLARED = 2, FACT_TARGET = 4, FACT_SPOT = 8, FACT_DOCUMENTS = 16,
    FACT_COURIER = 32, FACTS_ALL = 63
};
struct spot { float lat, lon; };   /* degrees */
/* One scan of the history, 8 bytes, comparable as a number: seconds since the life's base
 * (27 bits), place (20), code (5), retracts (1), flags (11), from the top.  Two scans are
 * the same event when all but the flags are equal. */
enum entry_flags { ENTRY_MERGED = 1 /* a near duplicate: counters and state not advanced */ };

struct deadline {
    uint8_t  detector;   /* detector's id; DEADLINE_HOUSE = shrink or expire               */
    uint32_t at_s;       /* fires when the partition clock has reached it                  */
};
enum { DEADLINE_HOUSE = 31 };

enum severity { SEVERITY_INFO = 1, SEVERITY_WARNING, SEVERITY_CRITICAL };
enum alert_state { ALERT_OPENED = 1, ALERT_UPDATED, ALERT_RESOLVED };
enum alert_flags { ALERT_BY_DEADLINE = 1 /* every change of it goes by way of the state */,
                   ALERT_LIFE_BEFORE = 2 /* × lives: an unsent change of a life that is over */ };

/* An open (or within 10 min of its end re-openable) alert, or one unsent change of one. */
struct alert {
    uint64_t id;          /* hash(type, parcel, life, node, event time that armed or opened it) */
    uint8_t  type;        /* detector's id                                                  */
    uint8_t  state;       /* enum alert_state: of the last change                            */
    uint8_t  severity;    /* enum severity                                                  */
    uint8_t  flags;       /* enum alert_flags                                               */
    uint8_t  sentence;    /* index into the detector's sentences                             */
    uint16_t sequence;    /* rises with each change, from 1                                 */
    uint32_t opened_s;    /* event time, or deadline, that opened it                         */
    uint32_t at_s;        /* event time, or deadline, of the last change                     */
    uint32_t deadline_s;  /* of the work to do, 0 = none                                    */
    name_id  at;          /* where                                                          */
    name_id  expected;    /* where it should be                                             */
    name_id  note;        /* reason or document                                             */
    int32_t  value, threshold; /* in the detector's unit                                     */
};

struct parcel {
    char     number[PARCEL_MAX];
    uint8_t  number_length;
    uint8_t  state;            /* enum parcel_state                                         */
    uint8_t  code;             /* code of the scan that gave the state                       */
    uint8_t  attempts;         /* failed delivery attempts                                   */
    uint8_t  service;          /* names: NAME_SERVICE                                        */
    uint16_t flags;            /* enum parcel_flags                                          */
    uint16_t life;             /* from 1                                                     */
    uint32_t base_s;           /* the life's earliest scan                                   */
    uint32_t state_s;          /* event time of the scan that gave the state                 */
    uint32_t physical_s;       /* event time of the latest physical scan, 0 = none            */
    name_id  at;               /* facility of the latest scan that named one                 */
    name_id  next, origin, dest, carrier;
    uint32_t promise_s;        /* 0 = none                                                   */

    /* The ETA last sent: 0 = none yet */
    uint32_t eta_first_s, eta_last_s;  /* P50, as a moment                                   */
    uint16_t eta_sequence;
    uint8_t  at_risk;          /* promise-at-risk: estimates running that were late          */

    uint8_t  carrier_number_length;
    char     carrier_number[CARRIER_NUMBER_MAX];

    uint8_t  facts;            /* enum parcel_facts: which of these say something            */
    uint8_t  documents_count, courier_length;
    int32_t  weight_g, declared_g;           /* last measured; as the shipper says           */
    struct spot target, spot;  /* where to deliver; the latest physical scan's device         */
    name_id  documents[DOCUMENTS_MAX];       /* named in DECLARED scans                       */
    char     courier[COURIER_MAX];           /* of the latest scan that named one             */

    uint8_t  history_count, deadlines_count, alerts_count, unsent_count;
    uint64_t history[HISTORY_MAX];          /* ascending by time                             */
    struct deadline deadlines[DEADLINES_MAX];
    struct alert    alerts[ALERTS_MAX];
    struct alert    unsent[UNSENT_MAX];     /* changes in order, not yet acknowledged         */
};

/* Parts of a history entry. */
static inline uint32_t entry_s(const struct parcel *p, uint64_t entry)
{
    return p->base_s + (uint32_t)(entry >> 37);
}
static inline name_id entry_place(uint64_t entry) { return (name_id)(entry >> 17) & NAMES_MAX; }
static inline enum scan_code entry_code(uint64_t e) { return (enum scan_code)(e >> 12 & 31); }
static inline bool entry_retracts(uint64_t entry) { return (entry >> 11) & 1; }
static inline uint32_t entry_flags(uint64_t entry) { return (uint32_t)(entry & 2047); }


#endif
