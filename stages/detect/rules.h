/* rules.h - what holds for the parcels of one service, ready for the hot path. */
#ifndef STAGES_DETECT_RULES_H
#define STAGES_DETECT_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "stages/detect/detector.h"

struct rule_set {
    uint32_t enabled;                 /* sets of detectors: switched on                     */
    uint32_t by_code[SCAN_CODES];     /* asked about a scan with this code                  */
    uint32_t by_traits[TRAITS];       /* of these, those about a scan with these traits      */
    uint32_t by_code_open[SCAN_CODES]; /* asked too while their alert is open                */
    uint32_t by_state[STATES];        /* asked for a deadline in this state                  */
    uint32_t needs_history;           /* skipped for a partial parcel                        */
    uint32_t needs_tracking;          /* skipped after HANDOVER where the tracking ends there  */
    bool     ends_at_handover;        /* it does, for this service                           */
    int64_t  thresholds[DETECTORS_MAX][THRESHOLDS_MAX];
};

#endif
