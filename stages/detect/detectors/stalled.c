/* stalled - no scan for longer than nearly all parcels take from here.
 *
 * Fires     no physical scan for the P99 of what was learned of the time to the next scan in
 *           this (service, code, next stop's region, place), within bounds: 12 to 72 h
 *           domestic, 48 to 120 h cross-border; the upper bound until 50 samples stand behind
 *           it and the model has learned for four times as long (long silences end last).
 *           Working time of the country it is in, where its calendar is known.  Computed when
 *           the scan is applied, and stored: learning moves later ones only.
 * Resolves  any later physical scan.
 * Severity  warning.
 * Quiet     at customs, at a station, while a better explanation is open (inhibition.c), and
 *           after the hand-over by a service whose tracking ends there (economy).
 * Sources   Trackers flag a fixed silence of one to five days; a fixed one is late for an
 *           express hub and early for a sea lane, so the lane's own P99 within those bounds.
 * Example   DEPART HGH Mon 08:00, P99 here 20 h -> opened Tue 04:00
 *           ARRIVE PVG Tue 09:00                -> resolved
 */
#include "stages/detect/detectors/all.h"
#include "stages/detect/detectors/common.h"

enum { DOMESTIC_MIN, DOMESTIC_MAX, CROSS_BORDER_MIN, CROSS_BORDER_MAX };

static void on_scan(const struct sighting *s, struct findings *found)
{
    if (ends_silence(s))
        findings_resolve(found);
}

static uint32_t deadline_s(const struct sighting *s)
{
    const struct parcel *p = s->parcel;

    if (s->scan == NULL)
        return 0;
    if (!arms_silence(s))
        return DEADLINE_KEEP;
    bool    abroad = p->flags & PARCEL_CROSS_BORDER;
    int64_t low_s = s->thresholds[abroad ? CROSS_BORDER_MIN : DOMESTIC_MIN];
    int64_t high_s = s->thresholds[abroad ? CROSS_BORDER_MAX : DOMESTIC_MAX];

    return sighting_work_after(s, p->physical_s,
                               sighting_dwell_s(s, (uint32_t)low_s, (uint32_t)high_s));
}

static void on_deadline(const struct sighting *s, struct findings *found)
{
    int32_t silent_s = (int32_t)(s->at_s - s->parcel->physical_s);

    findings_open(found, &(struct finding) {
        .severity  = SEVERITY_WARNING,
        .sentence  = s->parcel->next == NAME_NONE,
        .opened_s  = s->parcel->physical_s,
        .at        = s->parcel->at,
        .expected  = s->parcel->next,
        .value     = silent_s,
        .threshold = silent_s,
    });
}

const struct detector detector_stalled = {
    .type        = "stalled",
    .summary     = "no scan for longer than nearly all parcels take from here",
    .action      = "search",
    .unit        = "s",
    .needs       = NEEDS_TRACKING,
    .owner       = OWNER_FACILITY,
    .codes_open  = ON_PHYSICAL,
    .states      = IN(LABELLED) | IN(DECLARED) | IN(COLLECTED) | IN(IN_TRANSIT) | IN(LINE_HAUL)
                 | IN(WITH_COURIER) | IN(RETURNING),
    .thresholds  = {
        {"domestic_min", THRESHOLD_DURATION, 12 * HOUR, "never sooner than this"},
        {"domestic_max", THRESHOLD_DURATION, 72 * HOUR, "never later than this"},
        {"cross_border_min", THRESHOLD_DURATION, 48 * HOUR,
         "never sooner than this, once it has met customs or line-haul"},
        {"cross_border_max", THRESHOLD_DURATION, 120 * HOUR,
         "never later than this, once it has met customs or line-haul"},
    },
    .sentences   = {
        "no scan for {value} since {at}, next was {expected}: search both, and scan it",
        "no scan for {value} since {at}: search there, and scan it",
    },
    .on_scan     = on_scan,
    .deadline_s  = deadline_s,
    .on_deadline = on_deadline,
};
