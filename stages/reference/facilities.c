/* facilities.c - the file of facilities: code, name, kind, country, position, time zone. */
#include <stdlib.h>
#include <string.h>

#include "pipeline/error.h"
#include "stages/reference/parts.h"

enum { CODE, NAME, KIND, COUNTRY, LAT, LON, ZONE };
enum { HOURS_DEGREES = 15, HOUR_S = 3600 };

static int read_position(const struct reading *in, struct facility *f)
{
    bool lat = *reading_field(in, LAT) != '\0', lon = *reading_field(in, LON) != '\0';

    if (lat != lon)
        return error_set("%s: found one of lat and lon without the other",
                         in->form->columns[lat ? LON : LAT]);
    f->has_position = lat;
    if (lat && (reading_degrees(in, LAT, 90, &f->lat) != 0
                || reading_degrees(in, LON, 180, &f->lon) != 0))
        return -1;
    return 0;
}

/* A day begins by its zone; without one by the sun. */
static int read_zone(const struct reading *in, struct facility *f)
{
    float hours = f->lon / HOURS_DEGREES;

    if (reading_text(in, ZONE, f->zone, sizeof f->zone) != 0)
        return -1;
    f->zone_s = f->has_position ? (int32_t)(hours < 0 ? hours - 0.5f : hours + 0.5f) * HOUR_S : 0;
    if (f->zone[0] != '\0' && zone_offset(f->zone, &f->zone_s) != 0)
        return reading_refuse(in, ZONE, "is a name of the time zone database");
    return 0;
}

static int read_facility(struct reading *in, void *self)
{
    struct reference *r = self;
    struct facility   f = {.has_position = false};

    if (reading_code(in, CODE, f.code, sizeof f.code) != 0
        || reading_text(in, NAME, f.name, sizeof f.name) != 0
        || reading_text(in, KIND, f.kind, sizeof f.kind) != 0
        || reading_country(in, COUNTRY, f.country) != 0 || read_position(in, &f) != 0
        || read_zone(in, &f) != 0)
        return -1;
    if (rows_add(&r->facilities, &f) == NULL)
        return error_set("code: \"%s\" is there twice", f.code);
    return 0;
}

const struct form facilities_form = {
    .columns  = {"code", "name", "kind", "country", "lat", "lon", "zone"},
    .must     = 1u << CODE,
    .row_size = sizeof(struct facility),
    .row      = read_facility,
};

const struct facility *reference_facility(const struct reference *r, const char *code)
{
    return rows_find(&r->facilities, code);
}
