/* documents-missing - it leaves the country before its papers are filed.
 *
 * Fires     at once: UPLIFT, or HANDOVER at an export node (a facility of kind export-customs
 *           or airport), without DECLARED where the route needs a declaration; where the
 *           route names documents, one DECLARED for each.  A DECLARED that names none files
 *           them all.
 * Resolves  the DECLARED that was missing, or EXPORT_OUT.
 * Severity  warning.
 * Quiet     without a known route (reference.routes); once export customs have let it out;
 *           with a history too long to know.
 * Sources   WCO SAFE and ICS2: advance data before loading; what flies without is held on
 *           arrival.
 * Example   route HGH to LGG needs invoice and cn23; DECLARED invoice; UPLIFT -> opened
 *           DECLARED cn23                                                     -> resolved
 */
#include <string.h>

#include "stages/detect/detectors/all.h"
#include "stages/detect/detectors/common.h"
#include "stages/parcel/history.h"
#include "stages/reference/reference.h"

static bool is_export_node(const struct sighting *s)
{
    const struct facility *f = sighting_facility(s, s->here);

    return f != NULL && (strcmp(f->kind, "export-customs") == 0 || strcmp(f->kind, "airport") == 0);
}

/* The document of the scan itself counts: it is about to be applied. */
static bool is_filed(const struct sighting *s, const char *document)
{
    const struct parcel *p = s->parcel;
    struct text reason = s->scan->reason;

    for (int i = 0; i < p->documents_count; i++)
        if (strcmp(names_text(s->names, NAME_PLACE, p->documents[i]), document) == 0)
            return true;
    return s->scan->code == SCAN_DECLARED && strlen(document) == reason.length
        && memcmp(document, scan_text(s->scan, reason), reason.length) == 0;
}

/* How many are missing by this route. */
static int32_t missing(const struct sighting *s, const struct route *route)
{
    bool    declares = s->scan->code == SCAN_DECLARED;
    bool    declared = declares || history_has(s->parcel, SCAN_DECLARED);
    bool    named = (s->parcel->facts & FACT_DOCUMENTS) || (declares && s->scan->reason.length > 0);
    int32_t count = 0;

    if (!declared)
        return route->documents_count > 0 ? route->documents_count : 1;
    for (int i = 0; named && i < route->documents_count; i++)
        count += !is_filed(s, route->documents[i]);
    return declares && s->scan->reason.length == 0 ? 0 : count;
}

static void on_scan(const struct sighting *s, struct findings *found)
{
    const struct parcel *p = s->parcel;
    const struct route  *route = sighting_route(s);
    uint8_t code = s->scan->code;

    if (code == SCAN_EXPORT_OUT || (code == SCAN_DECLARED && route != NULL
                                    && missing(s, route) == 0)) {
        findings_resolve(found);
        return;
    }
    if (code == SCAN_DECLARED || s->class->late || route == NULL || !route->customs
        || (code == SCAN_HANDOVER && !is_export_node(s)) || (p->flags & PARCEL_RETURNING)
        || p->history_count == HISTORY_MAX || history_has(p, SCAN_EXPORT_OUT))
        return;
    int32_t count = missing(s, route);

    if (count == 0)
        return;
    findings_open(found, &(struct finding) {
        .severity  = SEVERITY_WARNING,
        .opened_s  = s->at_s,
        .at        = s->here,
        .value     = count,
        .threshold = route->documents_count,
    });
}

const struct detector detector_documents_missing = {
    .type       = "documents-missing",
    .summary    = "it leaves the country before its papers are filed",
    .action     = "submit-documents",
    .unit       = "documents",
    .needs      = NEEDS_ROUTES | NEEDS_HISTORY,
    .owner      = OWNER_SHIPPER,
    .codes      = ON(UPLIFT) | ON(HANDOVER),
    .codes_open = ON(DECLARED) | ON(EXPORT_OUT),
    .sentences  = {"leaves {at} without all of its papers ({value} missing): file the declaration "
                   "before it lands"},
    .on_scan    = on_scan,
};
