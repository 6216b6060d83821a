/* delivery-failed - the courier came, and could not deliver.
 *
 * Fires     at once: ATTEMPT_FAILED.
 * Resolves  DELIVERED, STATION_IN, RETURN_START.
 * Severity  by the number of attempts: 1st info, 2nd warning, 3rd critical.
 * Quiet     when a late attempt tells of a parcel that is at a station or returning since.
 * Sources   UPU EMSEVT EMH.  Most carriers send back after the third attempt, so the third is
 *           the last chance to call.
 * Example   ATTEMPT_FAILED Mon 14:00  -> opened, info
 *           ATTEMPT_FAILED Tue 11:00  -> updated, warning, 2 attempts
 *           DELIVERED Tue 18:00       -> resolved
 */
#include "stages/detect/detectors/all.h"
#include "stages/detect/detectors/common.h"

static void on_scan(const struct sighting *s, struct findings *found)
{
    const struct parcel *p = s->parcel;
    int attempts = p->attempts + 1;
    bool settled = p->state == STATE_AT_STATION || p->state == STATE_RETURNING;

    if (s->scan->code != SCAN_ATTEMPT_FAILED) {
        if (!s->class->late)
            findings_resolve(found);
        return;
    }
    if (s->class->late && settled)
        return;
    name_id note = scan_note(s);

    findings_open(found, &(struct finding) {
        .severity  = attempts >= s->thresholds[1] ? SEVERITY_CRITICAL
                   : attempts >= s->thresholds[0] ? SEVERITY_WARNING : SEVERITY_INFO,
        .sentence  = note == NAME_NONE,
        .opened_s  = s->at_s,
        .at        = s->here,
        .note      = note,
        .value     = attempts,
        .threshold = (int32_t)s->thresholds[1],
    });
}

const struct detector detector_delivery_failed = {
    .type       = "delivery-failed",
    .summary    = "the courier could not deliver",
    .action     = "call-recipient",
    .unit       = "attempts",
    .owner      = OWNER_COURIER,
    .codes      = ON(ATTEMPT_FAILED),
    .codes_open = ON(DELIVERED) | ON(STATION_IN) | ON(RETURN_START),
    .thresholds = {
        {"warning_at", THRESHOLD_COUNT, 2, "failed attempts: warning"},
        {"critical_at", THRESHOLD_COUNT, 3, "failed attempts: critical"},
    },
    .sentences  = {
        "attempt {value} to deliver failed ({note}): call the recipient before the next",
        "attempt {value} to deliver failed: call the recipient before the next",
    },
    .on_scan    = on_scan,
};
