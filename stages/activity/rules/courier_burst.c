/* courier-burst - a courier delivers faster than anybody can walk.
 *
 * Fires     ten deliveries within 60 s of event time, over at least two places: other facilities,
 *           or positions more than 200 m apart.
 * Resolves  when the burst is an hour old.
 * Sources   Deliveries signed in a row at the day's end, without going there, are the commonest
 *           false deliveries.  Event time: who was off-line uploads late, in one go.
 */
#include "stages/activity/rule.h"

#include <math.h>
#include <string.h>

enum { DELIVERIES, WITHIN, APART, REMEMBERED };

#define METRES_PER_DEGREE 111200.0
#define RADIANS (3.14159265358979 / 180)

static bool are_apart(const struct delivery *a, const struct delivery *b, int64_t metres)
{
    if (!a->has_position || !b->has_position)
        return strcmp(a->place, b->place) != 0;
    double north = a->lat - b->lat, east = (a->lon - b->lon) * cos(a->lat * RADIANS);

    return hypot(north, east) * METRES_PER_DEGREE > (double)metres;
}

/* The deliveries from `first` on within the time, if they were at two places; else 0. */
static int64_t burst_from(const struct site_deliveries *d, uint32_t first,
                          const int64_t *thresholds)
{
    int64_t count = 0;
    bool    apart = false;

    for (uint32_t i = first; i < d->count &&
                             d->list[i].at_s - d->list[first].at_s < thresholds[WITHIN]; i++) {
        count += d->list[i].count;
        apart = apart || are_apart(&d->list[first], &d->list[i], thresholds[APART]);
    }
    return apart ? count : 0;
}

static struct opinion judge(const struct site *site, const int64_t *thresholds)
{
    const struct site_deliveries *d = site->deliveries;
    int64_t most = 0, now_s = (int64_t)site->minute * 60;

    for (uint32_t i = 0; i < d->count; i++) {
        int64_t burst = d->list[i].at_s + thresholds[REMEMBERED] < now_s
                            ? 0 : burst_from(d, i, thresholds);

        most = burst > most ? burst : most;
    }
    return (struct opinion){.wrong = most >= thresholds[DELIVERIES], .value = most,
                            .threshold = thresholds[DELIVERIES]};
}

const struct rule rule_courier_burst = {
    .type       = "courier-burst",
    .summary    = "a courier delivers faster than anybody can walk",
    .action     = "verify-deliveries",
    .unit       = "deliveries",
    .sentence   = "{subject} signed {value} deliveries in a minute, at places apart: verify them",
    .owner      = OWNER_COURIER,
    .severity   = SEVERITY_WARNING,
    .kinds      = 1 << SUBJECT_COURIER,
    .thresholds = {
        {"deliveries", THRESHOLD_COUNT, 10, "at least"},
        {"within", THRESHOLD_DURATION, 60, "of event time"},
        {"apart", THRESHOLD_METRES, 200, "two of the places, where positions are known"},
        {"remembered", THRESHOLD_DURATION, 3600, "how old a burst may be"},
    },
    .judge      = judge,
    .lasting    = -1,
    .window     = -1,
};
