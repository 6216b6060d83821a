/* impossible-travel - it cannot have come here from where it was.
 *
 * Fires     at once: 50 km or more between this physical scan and the one before it by event
 *           time, at more than 130 km/h by road or 1,000 km/h by air.  Ten minutes are taken
 *           for the clocks.
 * Resolves  a terminal state of a later scan; or the event is taken back.
 * Severity  warning.
 * Quiet     where a position is not known: neither the device's nor, from
 *           reference.facilities, the facility's.  Late scans.
 * Sources   Lorries keep 80–100 km/h, couriers less than 130; airliners cruise at 900.  By
 *           air: around UPLIFT and LANDED, to or from an airport, or to another country.
 * Example   DEPART HGH Mon 08:00, ARRIVE CAN Mon 10:00 (1,050 km) -> opened, 486 km/h
 */
#include <string.h>

#include "stages/detect/detectors/all.h"
#include "stages/detect/detectors/common.h"
#include "stages/parcel/history.h"
#include "stages/reference/reference.h"

enum { ROAD_KMH, AIR_KMH, DISTANCE_KM, TOLERANCE };
enum { VALUE_MAX = 99999 };

/* Where something was seen; false = not known. */
struct seen {
    const struct facility *facility;   /* NULL = not known                                  */
    struct spot            spot;
    bool                   known;
};

static struct seen seen_at(const struct sighting *s, name_id place, bool device, struct spot spot)
{
    const struct facility *f = sighting_facility(s, place);

    if (!device && f != NULL && f->has_position) {
        device = true;
        spot = (struct spot) {f->lat, f->lon};
    }
    return (struct seen) {f, spot, device};
}

/* The place of the latest physical scan. */
static name_id place_before(const struct parcel *p)
{
    for (int i = p->history_count - 1; i >= 0; i--)
        if (code_table[entry_code(p->history[i])].physical && history_counts(p, i))
            return entry_place(p->history[i]);
    return NAME_NONE;
}

static bool is_airport(const struct facility *f)
{
    return f != NULL && strcmp(f->kind, "airport") == 0;
}

static bool by_air(const struct sighting *s, const struct seen *from, const struct seen *to)
{
    uint32_t flying = ON(UPLIFT) | ON(LANDED);
    bool     abroad = from->facility != NULL && to->facility != NULL
                   && strcmp(from->facility->country, to->facility->country) != 0;

    return abroad || ((1u << s->scan->code | 1u << s->parcel->code) & flying) != 0
        || is_airport(from->facility) || is_airport(to->facility);
}

static void on_scan(const struct sighting *s, struct findings *found)
{
    const struct parcel *p = s->parcel;

    if (s->class->late || p->physical_s == 0 || s->at_s < p->physical_s)
        return;
    struct seen to = seen_at(s, s->here, s->scan->flags & SCAN_HAS_POSITION,
                             (struct spot) {s->scan->lat, s->scan->lon});
    struct seen from = !to.known ? to : seen_at(s, place_before(p), p->facts & FACT_SPOT, p->spot);

    if (!to.known || !from.known)
        return;
    double  metres = spot_metres(from.spot, to.spot);
    double  hours = (double)(s->at_s - p->physical_s + s->thresholds[TOLERANCE]) / HOUR;
    double  kmh = metres / 1000 / hours;
    int64_t most_kmh = s->thresholds[by_air(s, &from, &to) ? AIR_KMH : ROAD_KMH];

    if (metres < (double)s->thresholds[DISTANCE_KM] * 1000 || kmh <= (double)most_kmh)
        return;
    findings_open(found, &(struct finding) {
        .severity  = SEVERITY_WARNING,
        .opened_s  = s->at_s,
        .node      = s->here,
        .at        = s->here,
        .expected  = p->at,
        .value     = kmh < VALUE_MAX ? (int32_t)kmh : VALUE_MAX,
        .threshold = (int32_t)most_kmh,
    });
}

const struct detector detector_impossible_travel = {
    .type       = "impossible-travel",
    .summary    = "it cannot have come here from where it was",
    .action     = "check-label",
    .unit       = "km/h",
    .owner      = OWNER_FACILITY,
    .traits     = TRAIT_MOVED,
    .codes      = ON_PHYSICAL,
    .thresholds = {
        {"road_kmh", THRESHOLD_COUNT, 130, "km/h by road"},
        {"air_kmh", THRESHOLD_COUNT, 1000, "km/h by air"},
        {"distance_km", THRESHOLD_COUNT, 50, "km: less is not looked at"},
        {"tolerance", THRESHOLD_DURATION, 600, "of the clocks, added to the time it took"},
    },
    .sentences  = {"seen at {at} too soon after {expected}, {value} km/h where {threshold} are "
                   "possible: look which of the two is another parcel, or a wrong clock"},
    .on_scan    = on_scan,
};
