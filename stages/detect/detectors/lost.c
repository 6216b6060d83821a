/* lost - nobody has seen the parcel for so long that it must be looked for elsewhere.
 *
 * Fires     no physical scan for 10 days domestic, 30 days cross-border; or LOST, at once.
 * Resolves  any later physical scan, which also revives a parcel declared LOST.
 * Severity  critical.
 * Quiet     before anything physical (never-collected), at a station (uncollected), and after
 *           the hand-over by a service whose tracking ends there (economy).
 * Sources   Carriers' usual waiting times before a claim.
 * Example   DEPART HGH on the 1st, nothing    -> opened on the 11th
 *           LOST on the 14th                  -> stays open
 *           ARRIVE CAN on the 15th            -> resolved
 */
#include "stages/detect/detectors/all.h"
#include "stages/detect/detectors/common.h"

enum { DOMESTIC, CROSS_BORDER };
enum { SILENT, DECLARED_LOST };

static void on_scan(const struct sighting *s, struct findings *found)
{
    if (s->scan->code != SCAN_LOST) {
        if (s->parcel->state == STATE_LOST ? s->class->revives : ends_silence(s))
            findings_resolve(found);
        return;
    }
    if (s->class->late)
        return;
    findings_open(found, &(struct finding) {
        .severity = SEVERITY_CRITICAL,
        .sentence = DECLARED_LOST,
        .opened_s = s->at_s,
        .at       = s->here != NAME_NONE ? s->here : s->parcel->at,
        .note     = scan_note(s),
    });
}

static uint32_t deadline_s(const struct sighting *s)
{
    if (s->scan == NULL)
        return 0;
    if (!arms_silence(s))
        return DEADLINE_KEEP;
    bool abroad = s->parcel->flags & PARCEL_CROSS_BORDER;

    return s->parcel->physical_s + (uint32_t)s->thresholds[abroad ? CROSS_BORDER : DOMESTIC];
}

static void on_deadline(const struct sighting *s, struct findings *found)
{
    int32_t silent_s = (int32_t)(s->at_s - s->parcel->physical_s);

    findings_open(found, &(struct finding) {
        .severity  = SEVERITY_CRITICAL,
        .sentence  = SILENT,
        .opened_s  = s->parcel->physical_s,
        .at        = s->parcel->at,
        .expected  = s->parcel->next,
        .value     = silent_s,
        .threshold = silent_s,
    });
}

const struct detector detector_lost = {
    .type        = "lost",
    .summary     = "not seen for very long, or declared lost",
    .action      = "search",
    .unit        = "s",
    .needs       = NEEDS_TRACKING,
    .owner       = OWNER_CARRIER,
    .codes       = ON(LOST),
    .codes_open  = ON_PHYSICAL,
    .states      = ~(IN(UNKNOWN) | IN(AT_STATION) | IN(DELIVERED) | IN(RETURNED) | IN(LOST)
                     | IN(DESTROYED) | IN(CANCELLED)),
    .thresholds  = {
        {"domestic", THRESHOLD_DURATION, 10 * DAY, "without a physical scan"},
        {"cross_border", THRESHOLD_DURATION, 30 * DAY,
         "without a physical scan, once it has met customs or line-haul"},
    },
    .sentences   = {
        [SILENT] = "not seen for {value} since {at}: open an inquiry, and search",
        [DECLARED_LOST] = "declared lost, last at {at}: settle the claim, scan it if it turns up",
    },
    .on_scan     = on_scan,
    .deadline_s  = deadline_s,
    .on_deadline = on_deadline,
};
