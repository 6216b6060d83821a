/* promise-broken - the promised moment has passed, and the parcel has not arrived.
 *
 * Fires     at the promise, unless DELIVERED or STATION_IN was seen: a first STATION_IN meets
 *           the promise.
 * Resolves  DELIVERED; or a STATION_IN dated before the promise that arrives late.
 * Severity  critical.
 * Quiet     without a promise.  Nothing silences it: a promise is broken whatever the reason.
 * Sources   A service level is met at the first DELIVERED or STATION_IN, the ETA's target.
 * Example   promise Fri 18:00, OUT_FOR_DELIVERY Fri 15:00 -> opened Fri 18:00
 *           DELIVERED Fri 19:10                           -> resolved
 */
#include "stages/detect/detectors/all.h"
#include "stages/detect/detectors/common.h"

static void on_scan(const struct sighting *s, struct findings *found)
{
    if (s->scan->code == SCAN_DELIVERED ? !s->class->late : s->at_s <= s->parcel->promise_s)
        findings_resolve(found);
}

static uint32_t deadline_s(const struct sighting *s)
{
    bool over = s->scan == NULL || s->open != NULL || (s->parcel->flags & PARCEL_ARRIVED);

    return over ? 0 : s->parcel->promise_s;
}

static void on_deadline(const struct sighting *s, struct findings *found)
{
    const struct parcel *p = s->parcel;

    if (p->flags & PARCEL_ARRIVED)
        return;
    findings_open(found, &(struct finding) {
        .severity = SEVERITY_CRITICAL,
        .opened_s = p->physical_s != 0 ? p->physical_s : p->base_s,
        .at       = p->at,
        .expected = p->next,
    });
}

const struct detector detector_promise_broken = {
    .type        = "promise-broken",
    .summary     = "the promise has passed, and it has not arrived",
    .action      = "expedite",
    .unit        = "s",
    .owner       = OWNER_CARRIER,
    .codes_open  = ON(DELIVERED) | ON(STATION_IN),
    .states      = ~(IN(DELIVERED) | IN(RETURNED) | IN(LOST) | IN(DESTROYED) | IN(CANCELLED)),
    .sentences   = {"its promise has passed and it was last seen at {at}: deliver it first, and "
                    "tell the recipient"},
    .on_scan     = on_scan,
    .deadline_s  = deadline_s,
    .on_deadline = on_deadline,
};
