/* never-collected - a label was made, but nobody has handed the parcel in or fetched it.
 *
 * Fires     24 h after LABEL without any physical scan; again, harder, after 72 h.  Working
 *           time of the country it starts in, where its calendar is known.
 * Resolves  any physical scan.
 * Severity  warning, then critical.
 * Quiet     once anything physical was seen, even if it is dated before the label.
 * Sources   The state is EasyPost's pre_transit and AfterShip's InfoReceived; marketplaces want
 *           a parcel collected within one to three days of its label.
 * Example   LABEL Mon 09:00, nothing  -> opened Tue 09:00, warning
 *           still nothing             -> updated Thu 09:00, critical
 *           PICKUP Thu 12:00          -> resolved
 */
#include "stages/detect/detectors/all.h"
#include "stages/detect/detectors/common.h"
#include "stages/parcel/history.h"

static void on_scan(const struct sighting *s, struct findings *found)
{
    (void)s;
    findings_resolve(found);
}

/* When the label was made; 0 = never, or collected since. */
static uint32_t waiting_since(const struct parcel *parcel)
{
    uint64_t label = parcel->physical_s == 0 ? history_latest(parcel, SCAN_LABEL) : 0;

    return label == 0 ? 0 : entry_s(parcel, label);
}

static uint32_t deadline_s(const struct sighting *s)
{
    uint32_t since_s = waiting_since(s->parcel);

    return since_s == 0 ? 0 : step_next(s, since_s, true);
}

static void on_deadline(const struct sighting *s, struct findings *found)
{
    uint32_t since_s = waiting_since(s->parcel);

    if (since_s == 0)
        return;
    struct finding what = step_finding(s, since_s, true);

    what.opened_s = since_s;
    findings_open(found, &what);
}

const struct detector detector_never_collected = {
    .type        = "never-collected",
    .summary     = "labelled, but nobody has it in hand",
    .action      = "collect",
    .unit        = "s",
    .owner       = OWNER_SHIPPER,
    .codes_open  = ON_PHYSICAL,
    .states      = IN(LABELLED) | IN(DECLARED),
    .thresholds  = {
        {"warning_after", THRESHOLD_DURATION, 24 * HOUR, "since the label: warning"},
        {"critical_after", THRESHOLD_DURATION, 72 * HOUR, "since the label: critical"},
    },
    .sentences   = {"labelled {value} ago and not collected: hand it over, or cancel the label"},
    .on_scan     = on_scan,
    .deadline_s  = deadline_s,
    .on_deadline = on_deadline,
};
