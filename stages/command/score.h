/* score.h - forecasts, kept until their parcels arrive, and how good they were. */
#ifndef STAGES_COMMAND_SCORE_H
#define STAGES_COMMAND_SCORE_H

#include <stdbool.h>
#include <stdint.h>

#include "stages/scan/codes.h"

struct forecast {
    uint64_t parcel;              /* hash of number and life                               */
    uint64_t lane;                /* where it was and where it goes, a hash                 */
    uint32_t at_s, promise_s;     /* 0 = none                                              */
    uint32_t p50_s, p80_s, p90_s; /* moments                                               */
    uint8_t  code;                /* that gave the state: the stage                         */
    bool     headline;            /* the first since the carrier has the parcel              */
    bool     scored;              /* false: it only teaches the medians                      */

    uint32_t global_s, lane_s;    /* filled in: what a median would have said, 0 = nothing   */
    uint32_t arrived_s;           /* filled in: 0 = not yet                                 */
    uint32_t before;              /* filled in: the parcel's forecast before, + 1            */
};

enum horizon { HORIZON_6H, HORIZON_1D, HORIZON_2D, HORIZON_4D, HORIZON_10D, HORIZON_MORE,
               HORIZONS };
const char *horizon_name(enum horizon);   /* "1 to 2 d" */

/* Errors in seconds; shares are fractions of 1.  Of `count` forecasts; the others' counts beside
 * them: there is not always a promise. */
struct score {
    uint64_t count, promises, globals, lanes;
    double   mae_s, median_s, pinball_s;      /* of P50, of P50, of P90                      */
    double   p80_coverage, p90_coverage;
    double   promise_mae_s, global_mae_s, lane_mae_s;
};

/* Forecasts kept so far: none.  owns: score_end. */
void score_begin(void);
void score_end(void);
/* The parcel's next forecast. */
void score_add(struct forecast);
/* All forecasts of the parcel were for this moment; those not before it do not count. */
void score_arrived(uint64_t parcel, uint32_t arrived_s);

/* Over all that have arrived and are scored; `horizon` HORIZONS and `code` SCAN_NONE: any. */
struct score score_of(enum horizon, enum scan_code, bool headline);

#endif
