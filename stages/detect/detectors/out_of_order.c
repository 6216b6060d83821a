/* out-of-order - an effect stands before its cause.
 *
 * Fires     sorted by event time, the effect comes first and no such cause before it:
 *           DELIVERED before PICKUP or OUT_FOR_DELIVERY, LANDED before UPLIFT, RETURNED
 *           before RETURN_START, EXPORT_OUT before EXPORT_IN, IMPORT_OUT before IMPORT_IN.
 * Resolves  a cause arrives that stands before it; a terminal state of a later scan.
 * Severity  info.
 * Quiet     while only one of the two is known: many feeds leave scans out.
 * Sources   EPCIS: event time is what the device believes, record time what happened.
 * Example   OUT_FOR_DELIVERY Mon 12:00, DELIVERED Mon 10:00 -> opened
 *           OUT_FOR_DELIVERY Mon 08:00 comes late           -> resolved
 */
#include "stages/detect/detectors/all.h"
#include "stages/detect/detectors/common.h"
#include "stages/parcel/history.h"

static const struct { uint8_t cause, effect; } pairs[] = {
    {SCAN_PICKUP, SCAN_DELIVERED},       {SCAN_OUT_FOR_DELIVERY, SCAN_DELIVERED},
    {SCAN_UPLIFT, SCAN_LANDED},          {SCAN_RETURN_START, SCAN_RETURNED},
    {SCAN_EXPORT_IN, SCAN_EXPORT_OUT},   {SCAN_IMPORT_IN, SCAN_IMPORT_OUT},
};
enum { PAIRS = sizeof pairs / sizeof pairs[0] };
#define NEVER UINT32_MAX

/* When a code was first seen, the scan that is about to be applied included. */
static uint32_t first_s(const struct sighting *s, enum scan_code code)
{
    uint64_t entry = history_earliest(s->parcel, code);
    uint32_t known_s = entry != 0 ? entry_s(s->parcel, entry) : NEVER;

    return s->scan->code == code && s->at_s < known_s ? s->at_s : known_s;
}

static bool is_turned(const struct sighting *s, int pair)
{
    uint32_t cause_s = first_s(s, (enum scan_code)pairs[pair].cause);
    uint32_t effect_s = first_s(s, (enum scan_code)pairs[pair].effect);

    return cause_s != NEVER && effect_s != NEVER && effect_s < cause_s;
}

static void on_scan(const struct sighting *s, struct findings *found)
{
    for (int i = 0; i < (int)PAIRS; i++) {
        if (s->open != NULL) {
            if (is_turned(s, i))
                return;
            continue;
        }
        if ((s->scan->code != pairs[i].cause && s->scan->code != pairs[i].effect)
            || !is_turned(s, i))
            continue;
        findings_open(found, &(struct finding) {
            .severity = SEVERITY_INFO,
            .opened_s = s->at_s,
            .at       = s->here != NAME_NONE ? s->here : s->parcel->at,
        });
        return;
    }
    findings_resolve(found);
}

const struct detector detector_out_of_order = {
    .type      = "out-of-order",
    .summary   = "an effect stands before its cause",
    .action    = "set-clock",
    .unit      = "",
    .owner     = OWNER_CARRIER,
    .codes     = ON(PICKUP) | ON(OUT_FOR_DELIVERY) | ON(DELIVERED) | ON(UPLIFT) | ON(LANDED)
               | ON(RETURN_START) | ON(RETURNED) | ON(EXPORT_IN) | ON(EXPORT_OUT)
               | ON(IMPORT_IN) | ON(IMPORT_OUT),
    .sentences = {"its scans contradict each other at {at}: compare the clocks of the devices "
                  "that made them"},
    .on_scan   = on_scan,
};
