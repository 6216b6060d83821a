/* lane-degraded - on a lane, or with a carrier, far more goes wrong than usual.
 *
 * Fires     of an hour's ends of journeys (arrivals and exceptions) more than 3 % are exceptions,
 *           and more than three times the usual share; where they are at least 100.
 * Resolves  as soon as they are not.
 * Quiet     until the share of an earlier day is known.
 */
#include "stages/activity/rule.h"

enum { SHARE, FACTOR, LEAST };

static struct opinion judge(const struct site *site, const int64_t *thresholds)
{
    struct tick hour = site_sum(site, 60);
    double      usual = site->past->usual_exceptions, ends = hour.out + (double)hour.exceptions;

    if (usual < 0 || ends < (double)thresholds[LEAST])
        return (struct opinion){.wrong = false};
    double percent = 100.0 * hour.exceptions / ends;

    return (struct opinion){.wrong = percent > (double)thresholds[SHARE] &&
                                     percent > (double)thresholds[FACTOR] * 100.0 * usual,
                            .value = (int64_t)percent, .threshold = thresholds[SHARE],
                            .usual = (int64_t)(100.0 * usual + 0.5)};
}

const struct rule rule_lane_degraded = {
    .type       = "lane-degraded",
    .summary    = "far more goes wrong on a lane, or with a carrier, than usual",
    .action     = "reroute",
    .unit       = "%",
    .sentence   = "on {subject} {value} % of the last hour went wrong, usual is {usual} %: find "
                  "out why, and reroute",
    .owner      = OWNER_CARRIER,
    .severity   = SEVERITY_WARNING,
    .kinds      = 1 << SUBJECT_LANE | 1 << SUBJECT_CARRIER,
    .thresholds = {
        {"share", THRESHOLD_PERCENT, 3, "exceptions, of arrivals and exceptions of an hour"},
        {"factor", THRESHOLD_COUNT, 3, "times the usual share"},
        {"least", THRESHOLD_COUNT, 100, "arrivals and exceptions in that hour"},
    },
    .judge      = judge,
    .lasting    = -1,
    .window     = -1,
};
