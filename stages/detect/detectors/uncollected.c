/* uncollected - the parcel waits at a station or locker, and nobody comes for it.
 *
 * Fires     48 h after STATION_IN; again, harder, after 5 days.  Working time of the
 *           station's country, where its calendar is known.
 * Resolves  DELIVERED, RETURN_START, or it leaves the station.
 * Severity  warning, then critical: most stations send back after 5 to 7 days.
 * Quiet     a repeated STATION_IN at the same station does not end the wait, it begins anew.
 * Sources   UPU EMSEVT EDH; AfterShip's AvailableForPickup.
 * Example   STATION_IN Mon 18:00      -> nothing
 *           nobody came               -> opened Wed 18:00, warning; Sat 18:00, critical
 *           DELIVERED Sun 10:00       -> resolved
 */
#include "stages/detect/detectors/all.h"
#include "stages/detect/detectors/common.h"

static void on_scan(const struct sighting *s, struct findings *found)
{
    enum parcel_state state = code_table[s->scan->code].state;
    bool same_station = state == STATE_AT_STATION && s->here == s->open->at;

    if (!s->class->late && state != STATE_UNKNOWN && !same_station)
        findings_resolve(found);
}

static uint32_t deadline_s(const struct sighting *s)
{
    return step_next(s, s->parcel->state_s, true);
}

static void on_deadline(const struct sighting *s, struct findings *found)
{
    struct finding what = step_finding(s, s->parcel->state_s, true);

    what.opened_s = s->parcel->physical_s;
    what.expected = NAME_NONE;
    findings_open(found, &what);
}

const struct detector detector_uncollected = {
    .type        = "uncollected",
    .summary     = "waits at a station, and nobody comes",
    .action      = "call-recipient",
    .unit        = "s",
    .owner       = OWNER_FACILITY,
    .codes_open  = ON_PHYSICAL,
    .states      = IN(AT_STATION),
    .thresholds  = {
        {"warning_after", THRESHOLD_DURATION, 48 * HOUR, "at the station: warning"},
        {"critical_after", THRESHOLD_DURATION, 5 * DAY, "at the station: critical"},
    },
    .sentences   = {"waiting at {at} for {value}: remind the recipient, or send it back"},
    .on_scan     = on_scan,
    .deadline_s  = deadline_s,
    .on_deadline = on_deadline,
};
