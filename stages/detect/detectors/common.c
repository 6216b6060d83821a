/* common.c - what several detectors reckon alike. */
#include "stages/detect/detectors/common.h"

#include <math.h>

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
