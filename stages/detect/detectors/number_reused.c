/* number-reused - two parcels bear one number.
 *
 * Fires     at once: PICKUP or LABEL within 30 days of the end of the number's last life; or
 *           scans that cannot both be true: a second PICKUP at another place once the parcel
 *           has moved on from the first, or a second LABEL with another origin once it is on
 *           its way, by the same carrier.
 * Resolves  never; it is closed with the parcel.
 * Severity  warning.
 * Quiet     while returning, and when another carrier picks it up: a hand-over.
 * Sources   UPU S10: a number is not used again within 12 months.
 * Example   DELIVERED Mon 18:00, PICKUP at CAN Thu 09:00 -> opened
 */
#include <string.h>

#include "stages/detect/detectors/all.h"
#include "stages/detect/detectors/common.h"
#include "stages/parcel/history.h"

enum { AFTER_ITS_END, TWO_AT_ONCE };

static bool same_carrier(const struct sighting *s)
{
    struct text given = s->scan->carrier;
    const char *known = names_text(s->names, NAME_PLACE, s->parcel->carrier);

    return given.length == 0 || known[0] == '\0'
        || (strlen(known) == given.length
            && memcmp(known, scan_text(s->scan, given), given.length) == 0);
}

/* Has it been elsewhere since the PICKUP that is known, and is this another place? */
static bool is_second_pickup(const struct sighting *s)
{
    uint64_t first = history_latest(s->parcel, SCAN_PICKUP);

    return first != 0 && entry_place(first) != s->here && s->parcel->at != entry_place(first)
        && s->parcel->at != s->here;
}

static bool is_second_label(const struct sighting *s)
{
    struct text origin = s->scan->origin;
    name_id     id = names_find(s->names, NAME_PLACE, scan_text(s->scan, origin), origin.length);

    return s->parcel->physical_s != 0 && origin.length != 0 && s->parcel->origin != NAME_NONE
        && id != s->parcel->origin;
}

static bool are_two(const struct sighting *s)
{
    const struct parcel *p = s->parcel;

    if (s->class->late || (p->flags & PARCEL_RETURNING) || !same_carrier(s))
        return false;
    return s->scan->code == SCAN_PICKUP ? is_second_pickup(s) : is_second_label(s);
}

static void on_scan(const struct sighting *s, struct findings *found)
{
    if (!s->class->reused && !are_two(s))
        return;
    findings_open(found, &(struct finding) {
        .severity = SEVERITY_WARNING,
        .sentence = s->class->reused ? AFTER_ITS_END : TWO_AT_ONCE,
        .opened_s = s->at_s,
        .at       = s->here,
        .expected = s->parcel->at,
    });
}

const struct detector detector_number_reused = {
    .type      = "number-reused",
    .summary   = "two parcels bear one number",
    .action    = "relabel",
    .unit      = "",
    .owner     = OWNER_SHIPPER,
    .codes     = ON(LABEL) | ON(PICKUP),
    .sentences = {
        [AFTER_ITS_END] = "its number was another parcel's within the last 30 days: give it a "
                          "new one, lest the two be mixed up",
        [TWO_AT_ONCE] = "begins again at {at} while a parcel of the same number is under way at "
                        "{expected}: give it a new number",
    },
    .on_scan   = on_scan,
};
