/* life.h - what happens to one parcel: the scans of its life, planned when it is born.
 *
 * A life is a pure function of the seed, the parcel's index and its birth, so that a run
 * with the same seed and start repeats byte for byte.  Its length is chosen by the caller:
 * a plan names the scans that must happen and those that may, and the likeliest are kept.
 */
#ifndef PEAKLOAD_LIFE_H
#define PEAKLOAD_LIFE_H

#include <stddef.h>
#include <stdint.h>

#include "bench/peakload/random.h"
#include "bench/peakload/world.h"

enum { STEPS_MAX = 32, LIFE_DAYS_MAX = 12, NUMBER_MAX = 16, DELAY_UNIT_S = 4,
       LONG_DELAY_UNIT_S = 600 };

enum code {
    CODE_LABEL, CODE_DECLARED, CODE_PICKUP, CODE_ARRIVE, CODE_DEPART, CODE_SORT, CODE_LOAD,
    CODE_UNLOAD, CODE_HANDOVER, CODE_EXPORT_IN, CODE_EXPORT_HELD, CODE_EXPORT_OUT, CODE_UPLIFT,
    CODE_LANDED, CODE_IMPORT_IN, CODE_IMPORT_HELD, CODE_IMPORT_OUT, CODE_OUT_FOR_DELIVERY,
    CODE_ATTEMPT_FAILED, CODE_STATION_IN, CODE_DELIVERED, CODE_RETURN_START, CODE_RETURNED,
    CODE_REROUTED, CODE_DAMAGED, CODE_REFUSED, CODE_BAD_ADDRESS, CODE_LOST, CODE_DESTROYED,
    CODE_CANCELLED, CODE_INFO, CODES
};

struct word {
    const char *text;
    uint8_t     length;
};

#define WORD(literal) {literal, sizeof(literal) - 1}

extern const struct word code_words[CODES];

enum service { SERVICE_EXPRESS, SERVICE_STANDARD, SERVICE_ECONOMY, SERVICE_GLOBAL, SERVICES };

/* What goes wrong with a parcel; at most one thing each. */
enum oddity {
    ODD_NONE, ODD_FAILED, ODD_MISROUTED, ODD_LOOPED, ODD_HELD, ODD_UNDECLARED, ODD_UNCOLLECTED,
    ODD_FAR, ODD_UNSEEN, ODD_WEIGHT, ODD_REUSED, ODD_TELEPORT, ODD_SKEWED, ODD_DISORDERED,
    ODD_OVERDUE, ODD_LOST, ODD_SILENT, ODD_DAMAGED, ODD_REFUSED, ODD_BAD_ADDRESS, ODD_NEVER,
    ODD_CANCELLED, ODD_REROUTED, ODD_RETRACTED, ODD_DESTROYED, ODDITIES
};

enum step_flags {
    STEP_REPEAT = 1,      /* says again what step `of` said                                 */
    STEP_NEAR   = 2,      /* … some minutes later: belt scan and hand scan                   */
    STEP_LATE   = 4,      /* reported after the step that followed it                        */
    STEP_SKEWED = 8,      /* the scanner's clock is off, by the life's skew_s                 */
    STEP_RETRACTS = 16,   /* takes back step `of`                                            */
    STEP_FAR    = 32,     /* far from where it should be delivered                           */
    STEP_HEAVY  = 64,     /* weighed, and not what was declared                              */
    STEP_LONG   = 128     /* its delay counts in units of ten minutes                        */
};

/* One scan to come. */
struct step {
    uint32_t at_ms;       /* since the life's base: event time                               */
    uint16_t facility, next;
    uint8_t  code;        /* enum code */
    uint8_t  flags;       /* enum step_flags */
    uint8_t  delay;       /* until it reaches Kafka, in units of DELAY_UNIT_S                 */
    uint8_t  of;
};

struct life {
    int64_t  base_ms;     /* birth, Unix time */
    int64_t  promise_ms;
    uint32_t birth_s;     /* birth, in seconds of the run */
    uint32_t due_s;       /* when the next step reaches Kafka, in seconds of the run          */
    uint32_t link;        /* calendar's */
    uint32_t chance;      /* decides small texts: courier, bag, reason                        */
    int32_t  declared_g, weight_g;
    int32_t  skew_s;      /* of the one device whose clock is off                             */
    uint32_t again_ms;    /* where its number's next parcel begins; 0 = none                  */
    uint32_t again_s;     /* … and how much later that one is promised                        */
    uint16_t off_e5;      /* of STEP_FAR, in 1e-5 degrees                                     */
    uint16_t origin, dest;
    char     number[NUMBER_MAX];
    uint8_t  number_length;
    uint8_t  service;     /* enum service */
    uint8_t  carrier;
    uint8_t  oddity;      /* enum oddity */
    uint8_t  step, steps; /* next, and how many */
    struct step plan[STEPS_MAX];
};

struct nature {
    uint64_t seed;
    double   oddities;    /* share of parcels with which something goes wrong: 0 … 1         */
    double   repeats;     /* share of scans that are repeats                                 */
};

/* How long a life is to be: about mean × its kind's usual, within min … max. */
struct length {
    double mean;
    int    min, max;      /* 1 … STEPS_MAX */
};

/* Its kind: service, carrier, weight, number; nothing is planned yet. */
void life_begin(struct life *, const struct nature *, struct random *, uint64_t index,
                int64_t base_ms);

/* Plans the life of the index-th parcel, born at base_ms. */
void life_make(struct life *, const struct world *, const struct nature *, uint64_t index,
               int64_t base_ms, struct length);

#endif
