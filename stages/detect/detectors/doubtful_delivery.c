/* doubtful-delivery - called delivered, but hardly so.
 *
 * Fires     at once: DELIVERED more than 500 m from where it should be; or without
 *           OUT_FOR_DELIVERY, STATION_IN, PICKUP or a failed attempt ever seen.
 * Resolves  the correction: DELIVERED taken back, or the scan that was missing arrives late.
 * Severity  warning.
 * Quiet     where DELIVERED is all that was ever seen of the parcel, or its beginning is not
 *           known: then nothing is missing.
 * Sources   Complaints of "delivered, never arrived": couriers close their round's parcels
 *           at the depot to meet the hour.  A phone in a street is good to 5–50 m, a
 *           geocoded address to some hundred.
 * Example   OUT_FOR_DELIVERY; DELIVERED 1.2 km from the address -> opened
 *           that DELIVERED is taken back                        -> resolved
 */
#include "stages/detect/detectors/all.h"
#include "stages/detect/detectors/common.h"
#include "stages/parcel/history.h"

enum { TOO_FAR, NEVER_OUT };

/* Metres from where it should be; 0 = not known. */
static int64_t metres_off(const struct sighting *s)
{
    bool        here = s->scan->flags & SCAN_HAS_POSITION;
    bool        there = s->scan->flags & SCAN_HAS_TARGET || s->parcel->facts & FACT_TARGET;
    struct spot target = s->scan->flags & SCAN_HAS_TARGET
                       ? (struct spot) {s->scan->dest_lat, s->scan->dest_lon} : s->parcel->target;

    if (!here || !there)
        return 0;
    return (int64_t)spot_metres((struct spot) {s->scan->lat, s->scan->lon}, target);
}

static bool was_never_out(const struct parcel *p)
{
    const uint32_t out = ON(OUT_FOR_DELIVERY) | ON(STATION_IN) | ON(PICKUP) | ON(ATTEMPT_FAILED);

    for (int i = 0; i < p->history_count; i++)
        if (out >> entry_code(p->history[i]) & 1 && history_counts(p, i))
            return false;
    return p->history_count > 0 && p->history_count < HISTORY_MAX
        && !(p->flags & PARCEL_PARTIAL);
}

static void on_scan(const struct sighting *s, struct findings *found)
{
    if (s->scan->code != SCAN_DELIVERED) {
        if (s->open->sentence == NEVER_OUT && s->at_s <= s->open->opened_s)
            findings_resolve(found);
        return;
    }
    int64_t off_m = s->class->late ? 0 : metres_off(s);
    bool    far = off_m > s->thresholds[0];

    if (s->class->late || (!far && !was_never_out(s->parcel)))
        return;
    findings_open(found, &(struct finding) {
        .severity  = SEVERITY_WARNING,
        .sentence  = far ? TOO_FAR : NEVER_OUT,
        .opened_s  = s->at_s,
        .at        = s->here,
        .value     = (int32_t)off_m,
        .threshold = (int32_t)s->thresholds[0],
    });
}

const struct detector detector_doubtful_delivery = {
    .type       = "doubtful-delivery",
    .summary    = "called delivered, but hardly so",
    .action     = "call-recipient",
    .unit       = "m",
    .owner      = OWNER_COURIER,
    .codes      = ON(DELIVERED),
    .codes_open = ON(OUT_FOR_DELIVERY) | ON(STATION_IN) | ON(PICKUP) | ON(ATTEMPT_FAILED),
    .thresholds = {{"distance", THRESHOLD_METRES, 500, "from where it should be delivered"}},
    .sentences  = {
        [TOO_FAR] = "called delivered {value} m from its address, at {at}: call the recipient, "
                    "and ask the courier",
        [NEVER_OUT] = "called delivered at {at} though it never went out: call the recipient, "
                      "and ask the courier",
    },
    .on_scan    = on_scan,
};
