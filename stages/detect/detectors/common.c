/* common.c - what several detectors reckon alike. */
#include "stages/detect/detectors/common.h"

#include <math.h>

#include "stages/eta/model.h"
#include "stages/reference/reference.h"

double spot_metres(struct spot a, struct spot b)
{
    const double earth_m = 6371000, radian = 3.14159265358979323846 / 180;
    double lat = (b.lat - a.lat) * radian, lon = (b.lon - a.lon) * radian;
    double h = sin(lat / 2) * sin(lat / 2)
             + cos(a.lat * radian) * cos(b.lat * radian) * sin(lon / 2) * sin(lon / 2);

    return 2 * earth_m * asin(sqrt(h < 1 ? h : 1));
}

const struct facility *sighting_facility(const struct sighting *s, name_id place)
{
    if (place == NAME_NONE)
        return NULL;
    return reference_facility(s->reference, names_text(s->names, NAME_PLACE, place));
}

const struct route *sighting_route(const struct sighting *s)
{
    const struct parcel *p = s->parcel;

    return reference_route(s->reference, names_text(s->names, NAME_PLACE, p->origin),
                           names_text(s->names, NAME_PLACE, p->dest),
                           names_text(s->names, NAME_SERVICE, p->service));
}

uint32_t sighting_work_after(const struct sighting *s, uint32_t from_s, int64_t duration_s)
{
    const struct parcel *p = s->parcel;

    if (!(reference_parts(s->reference) & REFERENCE_CALENDARS))
        return from_s + (uint32_t)duration_s;
    return facility_work_after(sighting_facility(s, p->at != NAME_NONE ? p->at : p->origin),
                               from_s, (uint32_t)duration_s);
}

uint32_t sighting_dwell_s(const struct sighting *s, uint32_t low_s, uint32_t high_s)
{
    enum { AGE_TIMES = 4 };
    uint32_t dwell_s = s->estimate->dwell_s > low_s ? s->estimate->dwell_s : low_s;

    if (s->estimate->dwell_s == 0 || dwell_s >= high_s
        || model_age_s(s->model, s->clock_s) / AGE_TIMES < dwell_s)
        return high_s;
    return dwell_s;
}

static uint32_t step_s(const struct sighting *s, uint32_t base_s, bool working, int step)
{
    return working ? sighting_work_after(s, base_s, s->thresholds[step])
                   : base_s + (uint32_t)s->thresholds[step];
}

uint32_t step_next(const struct sighting *s, uint32_t base_s, bool working)
{
    uint32_t warning_s = step_s(s, base_s, working, 0);
    uint32_t critical_s = step_s(s, base_s, working, 1);
    uint8_t  severity = s->open != NULL ? s->open->severity : 0;

    if (s->scan == NULL)   /* one of them has just fired */
        return warning_s > s->at_s ? warning_s : critical_s > s->at_s ? critical_s : 0;
    return severity < SEVERITY_WARNING ? warning_s : severity < SEVERITY_CRITICAL ? critical_s : 0;
}

struct finding step_finding(const struct sighting *s, uint32_t base_s, bool working)
{
    uint32_t critical_s = step_s(s, base_s, working, 1);
    bool     critical = s->at_s >= critical_s;

    return (struct finding) {
        .severity   = critical ? SEVERITY_CRITICAL : SEVERITY_WARNING,
        .deadline_s = critical ? 0 : critical_s,
        .at         = s->parcel->at,
        .expected   = s->parcel->next,
        .value      = (int32_t)(s->at_s - base_s),
        .threshold  = (int32_t)s->thresholds[critical ? 1 : 0],
    };
}
