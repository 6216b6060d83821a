/* misrouted - a parcel turns up where nobody sent it.
 *
 * Fires     at once: ARRIVE at a facility that is neither the declared `next`, nor on the
 *           planned route, nor the destination, without a REROUTED since the last physical
 *           scan.  Where nothing was declared, the route decides, if it is known.
 * Resolves  it arrives where it was sent, REROUTED, or a late scan that explains it: one
 *           that had sent it there, or saw it where it was expected.
 * Severity  warning; critical when the facility lies in another country.
 * Quiet     while returning: the way back is not the way there.  Late scans open nothing.
 * Sources   Yunda's open API declares `next` with every scan; X12 214 reason AA (mis-sort);
 *           UPU PRIME's missent procedure.
 * Example   DEPART HGH next PVG, ARRIVE CAN  -> opened at CAN, expected PVG
 *           ARRIVE PVG                       -> resolved
 */
#include <string.h>

#include "stages/detect/detectors/all.h"
#include "stages/detect/detectors/common.h"
#include "stages/parcel/history.h"
#include "stages/reference/reference.h"

/* A change of route is declared at a desk, so it is not the last physical scan. */
static bool is_rerouted(const struct parcel *parcel)
{
    uint64_t entry = history_latest(parcel, SCAN_REROUTED);

    return entry != 0 && entry_s(parcel, entry) >= parcel->physical_s;
}

static bool is_expected(const struct sighting *s)
{
    const struct parcel *p = s->parcel;

    if (s->here == p->next || s->here == p->dest || (p->flags & PARCEL_RETURNING)
        || is_rerouted(p))
        return true;
    const struct route *route = sighting_route(s);

    if (route == NULL || route->nodes_count == 0)
        return p->next == NAME_NONE;
    return route_has(route, names_text(s->names, NAME_PLACE, s->here));
}

/* Does a scan that comes late say how it got there? */
static bool explains(const struct sighting *s)
{
    return s->at_s <= s->open->at_s
        && (s->next == s->open->at
            || (s->scan->code == SCAN_ARRIVE && s->here == s->open->expected));
}

static bool is_abroad(const struct sighting *s)
{
    const struct facility *a = sighting_facility(s, s->here);
    const struct facility *b = sighting_facility(s, s->parcel->next);

    return a != NULL && b != NULL && a->country[0] != '\0' && b->country[0] != '\0'
        && strcmp(a->country, b->country) != 0;
}

static void on_scan(const struct sighting *s, struct findings *found)
{
    if (s->class->late) {
        if (s->open != NULL && explains(s))
            findings_resolve(found);
        return;
    }
    if (s->scan->code == SCAN_REROUTED) {
        findings_resolve(found);
        return;
    }
    if (s->scan->code != SCAN_ARRIVE)
        return;
    if (is_expected(s)) {
        findings_resolve(found);
        return;
    }
    findings_open(found, &(struct finding) {
        .severity = is_abroad(s) ? SEVERITY_CRITICAL : SEVERITY_WARNING,
        .sentence = s->parcel->next == NAME_NONE,
        .opened_s = s->at_s,
        .node     = s->here,
        .at       = s->here,
        .expected = s->parcel->next,
    });
}

const struct detector detector_misrouted = {
    .type       = "misrouted",
    .summary    = "arrived where nobody sent it",
    .action     = "send-on",
    .unit       = "",
    .owner      = OWNER_FACILITY,
    .codes      = ON(ARRIVE),
    .codes_open = ON_ANY,
    .sentences  = {
        "arrived at {at} but was sent to {expected}: send it on or declare a reroute",
        "arrived at {at}, which is not on its route: send it on or declare a reroute",
    },
    .on_scan    = on_scan,
};
