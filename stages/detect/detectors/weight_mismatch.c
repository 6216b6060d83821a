/* weight-mismatch - it does not weigh what it should.
 *
 * Fires     at once: measured against declared, or against last measured; the worse counts.
 * Resolves  never; it is closed with the parcel.
 * Severity  warning beyond max(30 %, 500 g), info beyond max(10 %, 100 g).
 * Quiet     late scans, and a weight of 0: a belt that did not weigh.  Once open it speaks
 *           again only when it gets worse.
 * Sources   Belt scales are good to 20–50 g; carriers charge anew from 10 % on.  A third of
 *           its weight gone is a part gone, or another parcel under the same label.
 * Example   declared 1000 g, SORT weighs 1150 g  -> opened, info
 *           SORT at the next hub weighs 600 g    -> updated, warning
 */
#include "stages/detect/detectors/all.h"
#include "stages/detect/detectors/common.h"

enum { WARNING_PERCENT, WARNING_G, INFO_PERCENT, INFO_G };
enum { AGAINST_DECLARED, AGAINST_MEASURED };

static uint8_t severity_of(const struct sighting *s, int64_t measured_g, int64_t wanted_g)
{
    int64_t apart_g = measured_g > wanted_g ? measured_g - wanted_g : wanted_g - measured_g;
    uint8_t severity = 0;

    for (int i = INFO_PERCENT; i >= WARNING_PERCENT; i -= 2) {
        int64_t share_g = wanted_g * s->thresholds[i] / 100, least_g = s->thresholds[i + 1];

        if (apart_g > (share_g > least_g ? share_g : least_g))
            severity = i == INFO_PERCENT ? SEVERITY_INFO : SEVERITY_WARNING;
    }
    return severity;
}

static void on_scan(const struct sighting *s, struct findings *found)
{
    const struct parcel *p = s->parcel;
    bool     weighed = s->scan->flags & SCAN_HAS_WEIGHT;
    int32_t  before_g = p->facts & FACT_WEIGHT ? p->weight_g : 0;
    int32_t  measured_g = weighed ? s->scan->weight_g : before_g;
    int32_t  declared_g = s->scan->flags & SCAN_HAS_DECLARED ? s->scan->declared_g
                        : p->facts & FACT_DECLARED ? p->declared_g : 0;

    if (s->class->late || measured_g == 0)
        return;
    uint8_t by_declared = declared_g == 0 ? 0 : severity_of(s, measured_g, declared_g);
    uint8_t by_measured = !weighed || before_g == 0 ? 0 : severity_of(s, measured_g, before_g);
    bool    measured = by_measured > by_declared;
    uint8_t severity = measured ? by_measured : by_declared;

    if (severity <= (s->open != NULL ? s->open->severity : 0))
        return;
    findings_open(found, &(struct finding) {
        .severity  = severity,
        .sentence  = measured ? AGAINST_MEASURED : AGAINST_DECLARED,
        .opened_s  = s->at_s,
        .at        = s->here != NAME_NONE ? s->here : p->at,
        .value     = measured_g,
        .threshold = measured ? before_g : declared_g,
    });
}

const struct detector detector_weight_mismatch = {
    .type       = "weight-mismatch",
    .summary    = "it does not weigh what it should",
    .action     = "reweigh",
    .unit       = "g",
    .owner      = OWNER_FACILITY,
    .traits     = TRAIT_WEIGHT,
    .codes      = ON_ANY,
    .thresholds = {
        {"warning_percent", THRESHOLD_PERCENT, 30, "apart, and more than warning_grams: warning"},
        {"warning_grams", THRESHOLD_GRAMS, 500, "apart at least: warning"},
        {"info_percent", THRESHOLD_PERCENT, 10, "apart, and more than info_grams: info"},
        {"info_grams", THRESHOLD_GRAMS, 100, "apart at least: info"},
    },
    .sentences  = {
        [AGAINST_DECLARED] = "weighs {value} g at {at}, declared were {threshold} g: reweigh it, "
                             "and correct the charge",
        [AGAINST_MEASURED] = "weighs {value} g at {at}, last time {threshold} g: look for what "
                             "is gone, or for a swapped label",
    },
    .on_scan    = on_scan,
};
