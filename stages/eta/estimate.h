/* estimate.h - when will this parcel arrive?  The second step of track. */
#ifndef STAGES_ETA_ESTIMATE_H
#define STAGES_ETA_ESTIMATE_H

#include <stdbool.h>
#include <stdint.h>

#include "stages/parcel/parcel.h"

struct model;

enum estimate_basis { BASIS_NONE, BASIS_GLOBAL, BASIS_SERVICE, BASIS_DESTINATION, BASIS_LANE,
                      BASIS_AREA };

struct estimate {
    uint32_t p50_s, p90_s;   /* moments, Unix seconds; 0 = unknown                          */
    uint32_t raw_s;          /* P90 as the histograms have it: a moment                      */
    uint32_t dwell_s;        /* P99 of the time to the next scan from here; 0 = not known    */
    uint8_t  basis;          /* enum estimate_basis                                         */
    bool     known;          /* P50 and P90                                                 */
    bool     young;          /* its model has not learned for twice as long as P90 says      */
};

const char *basis_name(enum estimate_basis);   /* "lane" */

/* `parcel` as it is after the scan that gave its state, `now_s` the partition clock.
 * P50 and P90 are unknown once it has arrived, is returning, or is terminal.  Pure. */
struct estimate estimate_make(const struct model *, const struct parcel *, uint32_t now_s);

/* Keeps in the history, with the scan that gave the state, the histograms' P90 of then: it is
 * judged when the parcel arrives. */
void estimate_state(struct parcel *, const struct estimate *);

/* Is it worth telling?  First estimate; P50 moved by more than max(1 h, 10 % of what remains, a
 * quarter of what lies between P50 and P90: less than the estimate itself does not know); the
 * state changed class. */
bool estimate_moved(const struct parcel *, const struct estimate *, uint32_t now_s,
                    bool state_changed_class);

/* Is the promise in danger by this estimate?  What parcel.at_risk becomes: promise-at-risk
 * speaks when two estimates running say so. */
enum at_risk { AT_RISK_NO, AT_RISK_P90 /* P90 is later than the promise */, AT_RISK_P50 };
uint8_t estimate_at_risk(const struct parcel *, const struct estimate *);

/* Learns from an arrival (first DELIVERED or STATION_IN, in `parcel` already) the time that
 * remained at each scan of the history, known at now_s. */
void estimate_learn_arrival(struct model *, const struct parcel *, uint32_t arrived_s,
                            uint32_t now_s);

/* Learns the dwell that ended with this physical scan: `before` is the parcel before it. */
void estimate_learn_dwell(struct model *, const struct parcel *before, uint32_t at_s,
                          uint32_t now_s);

#endif
