/* clock-skew - a scan is dated later than it was received.
 *
 * Fires     at once: event time more than 5 min after Kafka's timestamp, which counts as no
 *           later than the partition clock.
 * Resolves  a terminal state; or the event is taken back.
 * Severity  warning: order is event time, so what it dates is believed to be the latest.
 * Quiet     without a Kafka timestamp.  A scan dated too early cannot be told from one that
 *           was uploaded late.
 * Sources   Hand-helds that were off, and feeds that send local time as UTC: then the skew
 *           is a number of half hours, less the minutes that the way took, and is named.
 * Example   ARRIVE HGH dated 16:00, received 08:03 -> opened: local time sent as UTC, 8 h
 */
#include "stages/detect/detectors/all.h"
#include "stages/detect/detectors/common.h"

enum { HALF_HOUR_S = 1800, ZONE_S_MAX = 14 * HOUR, WAY_S_MAX = 600, ROUNDING_S = 60 };
enum { OFF, ZONE };

/* The zone's offset that explains the skew; 0 = none does. */
static uint32_t zone_of(uint32_t skew_s)
{
    uint32_t whole_s = (skew_s + WAY_S_MAX) / HALF_HOUR_S * HALF_HOUR_S;

    return whole_s <= ZONE_S_MAX && skew_s <= whole_s + ROUNDING_S ? whole_s : 0;
}

static void on_scan(const struct sighting *s, struct findings *found)
{
    if (s->at_s <= s->received_s + s->thresholds[0])
        return;
    uint32_t skew_s = s->at_s - s->received_s, zone_s = zone_of(skew_s);

    findings_open(found, &(struct finding) {
        .severity  = SEVERITY_WARNING,
        .sentence  = zone_s != 0 ? ZONE : OFF,
        .opened_s  = s->at_s,
        .node      = s->here,
        .at        = s->here != NAME_NONE ? s->here : s->parcel->at,
        .value     = (int32_t)(zone_s != 0 ? zone_s : skew_s),
        .threshold = (int32_t)s->thresholds[0],
    });
}

const struct detector detector_clock_skew = {
    .type       = "clock-skew",
    .summary    = "a scan is dated later than it was received",
    .action     = "set-clock",
    .unit       = "s",
    .owner      = OWNER_CARRIER,
    .traits     = TRAIT_AHEAD,
    .codes      = ON_ANY,
    .thresholds = {{"ahead", THRESHOLD_DURATION, 300, "of Kafka's timestamp"}},
    .sentences  = {
        [OFF] = "its scan at {at} is dated {value} after it was received: set the device's clock",
        [ZONE] = "its scan at {at} is dated {value} after it was received, as if local time of "
                 "that offset were sent as UTC: correct the feed's time zone",
    },
    .on_scan    = on_scan,
};
