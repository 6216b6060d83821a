/* site-silent, carrier-silent - a whole facility, or a carrier's whole feed, has gone quiet.
 *
 * Fires     for 10 minutes together less than 20 % of the scans that are usual then, where those
 *           are at least 100.
 * Resolves  as soon as it is more again.
 * Quiet     until the same hours of an earlier day are known; while one partition of the scan
 *           topic is behind no minute is whole, and nothing is judged.
 */
#include "stages/activity/rule.h"

enum { SHARE, FOR, LEAST };

static struct opinion judge(const struct site *site, const int64_t *thresholds)
{
    uint32_t minutes = (uint32_t)(thresholds[FOR] / 60);
    double   usual = site_usual(site, minutes);

    if (usual < (double)thresholds[LEAST])
        return (struct opinion){.wrong = false};
    double percent = 100.0 * site_sum(site, minutes).events / usual;

    return (struct opinion){.wrong = percent < (double)thresholds[SHARE],
                            .value = (int64_t)percent, .threshold = thresholds[SHARE],
                            .usual = (int64_t)usual};
}

#define THRESHOLDS { \
    {"share", THRESHOLD_PERCENT, 20, "of the scans that are usual at this hour: less is silence"}, \
    {"for", THRESHOLD_DURATION, 600, "minutes that are looked at together, at most 60"}, \
    {"least", THRESHOLD_COUNT, 100, "scans that must be usual in that time"}}

const struct rule rule_site_silent = {
    .type       = "site-silent",
    .summary    = "a facility scans far less than is usual at this hour",
    .action     = "restore-feed",
    .unit       = "%",
    .sentence   = "{subject} scans {value} % of what is usual: restore its feed, or find out what "
                  "stopped it",
    .owner      = OWNER_FACILITY,
    .severity   = SEVERITY_CRITICAL,
    .kinds      = 1 << SUBJECT_FACILITY,
    .thresholds = THRESHOLDS,
    .judge      = judge,
    .lasting    = -1,
    .window     = FOR,
};

const struct rule rule_carrier_silent = {
    .type       = "carrier-silent",
    .summary    = "a carrier's feed brings far less than is usual at this hour",
    .action     = "restore-feed",
    .unit       = "%",
    .sentence   = "{subject} sends {value} % of the scans that are usual: restore its feed",
    .owner      = OWNER_CARRIER,
    .severity   = SEVERITY_CRITICAL,
    .kinds      = 1 << SUBJECT_CARRIER,
    .thresholds = THRESHOLDS,
    .judge      = judge,
    .lasting    = -1,
    .window     = FOR,
};
