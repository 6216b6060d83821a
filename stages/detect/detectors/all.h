/* all.h - THE list of detectors.
 *
 * A row's place is the detector's id, stored in records: never reuse one, never move
 * one; new ones come last.  ROW(name of detectors/NAME.c and its struct, constant).
 */
#ifndef STAGES_DETECT_DETECTORS_ALL_H
#define STAGES_DETECT_DETECTORS_ALL_H

#include "stages/detect/detector.h"

#define DETECTOR_LIST(ROW)                  \
    ROW(never_collected, NEVER_COLLECTED)   \
    ROW(stalled, STALLED)                   \
    ROW(misrouted, MISROUTED)               \
    ROW(looped, LOOPED)                     \
    ROW(customs_held, CUSTOMS_HELD)         \
    ROW(delivery_failed, DELIVERY_FAILED)   \
    ROW(uncollected, UNCOLLECTED)           \
    ROW(promise_at_risk, PROMISE_AT_RISK)   \
    ROW(promise_broken, PROMISE_BROKEN)     \
    ROW(lost, LOST)                         \
    ROW(damaged, DAMAGED)                   \
    ROW(refused, REFUSED)                   \
    ROW(bad_address, BAD_ADDRESS)           \
    ROW(returning, RETURNING)               \
    ROW(weight_mismatch, WEIGHT_MISMATCH)   \
    ROW(number_reused, NUMBER_REUSED)       \
    ROW(clock_skew, CLOCK_SKEW)             \
    ROW(out_of_order, OUT_OF_ORDER)         \
    ROW(doubtful_delivery, DOUBTFUL_DELIVERY) \
    ROW(impossible_travel, IMPOSSIBLE_TRAVEL) \
    ROW(missed_departure, MISSED_DEPARTURE) \
    ROW(documents_missing, DOCUMENTS_MISSING)

#define ROW_ID(name, NAME) DETECTOR_##NAME,
enum detector_number { DETECTOR_LIST(ROW_ID) DETECTORS };
#undef ROW_ID

#define ROW_EXTERN(name, NAME) extern const struct detector detector_##name;
DETECTOR_LIST(ROW_EXTERN)
#undef ROW_EXTERN

#endif
