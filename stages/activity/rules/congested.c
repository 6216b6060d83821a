/* congested - more lies at a facility than it sends on in two hours.
 *
 * Fires     for 15 minutes running the parcels on hand are more than what left in the last hour,
 *           times two hours; where they are at least 100.
 * Resolves  as soon as they are not.
 * Quiet     where nothing has left in the last hour: then it is silent, or a store; and until
 *           an hour of it is known.
 */
#include "stages/activity/rule.h"

enum { BACKLOG, FOR, LEAST };

static struct opinion judge(const struct site *site, const int64_t *thresholds)
{
    int64_t out = site_sum(site, 60).out, on_hand = site->past->on_hand;

    if (site->minute - site->first < 60 || out == 0 || on_hand < thresholds[LEAST])
        return (struct opinion){.wrong = false};
    int64_t backlog_s = on_hand * 3600 / out;

    return (struct opinion){.wrong = backlog_s > thresholds[BACKLOG], .value = backlog_s / 60,
                            .threshold = thresholds[BACKLOG] / 60, .usual = on_hand};
}

const struct rule rule_congested = {
    .type       = "congested",
    .summary    = "more lies at a facility than it sends on in hours",
    .action     = "add-capacity",
    .unit       = "min",
    .sentence   = "{subject} has {usual} parcels on hand, {value} min of what it sends on: add "
                  "capacity, or send elsewhere",
    .owner      = OWNER_FACILITY,
    .severity   = SEVERITY_WARNING,
    .kinds      = 1 << SUBJECT_FACILITY,
    .thresholds = {
        {"backlog", THRESHOLD_DURATION, 7200, "on hand, in what left in the last hour"},
        {"for", THRESHOLD_DURATION, 900, "so long without a break"},
        {"least", THRESHOLD_COUNT, 100, "parcels on hand, at least"},
    },
    .judge      = judge,
    .lasting    = FOR,
    .window     = -1,
};
