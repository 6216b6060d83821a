/* reference.c - the facilities file into a table found by code.
 *
 * Columns are found by the names in the header line, in any order; only `code`
 * must be there, others are ignored.  A mistake refuses the whole file: half a
 * reference would switch detectors on for half the network.
 */
#include "stages/reference/reference.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "pipeline/check.h"
#include "pipeline/error.h"
#include "pipeline/text.h"
#include "stages/reference/csv.h"

enum { COLUMN_CODE, COLUMN_NAME, COLUMN_KIND, COLUMN_COUNTRY, COLUMN_LAT, COLUMN_LON,
       COLUMN_ZONE, COLUMNS };

struct reference {
    struct facility *facilities;
    size_t           count, size;
    uint32_t        *slots;        /* index + 1; 0 = empty                                  */
    size_t           slots_mask;
};

struct reading {
    struct csv        csv;
    const char       *file;
    int               column[COLUMNS];  /* its place in a record, -1 = not there            */
    struct reference *reference;
};

/* ── Found by code ───────────────────────────────────────────────────────────────────── */

static size_t slot_of(const struct reference *r, const char *code)
{
    size_t at = XXH64(code, strlen(code), 0) & r->slots_mask;

    while (r->slots[at] != 0 && strcmp(r->facilities[r->slots[at] - 1].code, code) != 0)
        at = (at + 1) & r->slots_mask;
    return at;
}

static void slots_grow(struct reference *r)
{
    r->size = r->size == 0 ? 256 : 2 * r->size;
    r->slots_mask = 2 * r->size - 1;
    free(r->slots);
    r->slots = calloc(r->slots_mask + 1, sizeof *r->slots);
    r->facilities = realloc(r->facilities, r->size * sizeof *r->facilities);
    CHECK(r->slots != NULL && r->facilities != NULL);
    for (size_t i = 0; i < r->count; i++)
        r->slots[slot_of(r, r->facilities[i].code)] = (uint32_t)i + 1;
}

const struct facility *reference_facility(const struct reference *r, const char *code)
{
    if (r->count == 0)
        return NULL;
    uint32_t found = r->slots[slot_of(r, code)];

    return found == 0 ? NULL : &r->facilities[found - 1];
}

size_t reference_facilities(const struct reference *r)
{
    return r->count;
}

/* ── Read from a file ────────────────────────────────────────────────────────────────── */

static const char *field(const struct reading *in, int column)
{
    int at = in->column[column];

    return at >= 0 && (size_t)at < in->csv.count ? in->csv.fields[at] : "";
}

static int read_text(const struct reading *in, int column, const char *what, char *text,
                     size_t size)
{
    const char *found = field(in, column);

    if (strlen(found) >= size)
        return error_set("%s: found %zu bytes, accepted are %zu", what, strlen(found), size - 1);
    if (!text_valid(found))
        return error_set("%s: found bytes that are not UTF-8", what);
    memcpy(text, found, strlen(found) + 1);
    return 0;
}

static int read_degrees(const struct reading *in, int column, const char *what, double most,
                        float *degrees)
{
    const char *found = field(in, column);
    char       *end = NULL;
    double      number = strtod(found, &end);

    if (*end != '\0' || !isfinite(number) || fabs(number) > most)
        return error_set("%s: found \"%s\", accepted are degrees from -%g to %g", what, found,
                         most, most);
    *degrees = (float)number;
    return 0;
}

static int read_position(const struct reading *in, struct facility *f)
{
    bool lat = *field(in, COLUMN_LAT) != '\0', lon = *field(in, COLUMN_LON) != '\0';

    if (lat != lon)
        return error_set("found one of lat and lon without the other");
    f->has_position = lat;
    if (lat && (read_degrees(in, COLUMN_LAT, "lat", 90, &f->lat) != 0
                || read_degrees(in, COLUMN_LON, "lon", 180, &f->lon) != 0))
        return -1;
    return 0;
}

static int read_country(const struct reading *in, struct facility *f)
{
    const char *found = field(in, COLUMN_COUNTRY);
    bool        good = strlen(found) == 2;

    for (int i = 0; good && i < 2; i++)
        good = found[i] >= 'A' && found[i] <= 'Z';
    if (*found != '\0' && !good)
        return error_set("country: found \"%s\", accepted are two letters A-Z", found);
    memcpy(f->country, found, strlen(found) + 1);
    return 0;
}

static int read_facility(struct reading *in)
{
    struct facility f = {.has_position = false};
    struct reference *r = in->reference;

    if (read_text(in, COLUMN_CODE, "code", f.code, sizeof f.code) != 0
        || read_text(in, COLUMN_NAME, "name", f.name, sizeof f.name) != 0
        || read_text(in, COLUMN_KIND, "kind", f.kind, sizeof f.kind) != 0
        || read_text(in, COLUMN_ZONE, "zone", f.zone, sizeof f.zone) != 0
        || read_country(in, &f) != 0 || read_position(in, &f) != 0)
        return -1;
    if (f.code[0] == '\0')
        return error_set("code: found nothing");
    if (reference_facility(r, f.code) != NULL)
        return error_set("code: \"%s\" is there twice", f.code);
    if (r->count == r->size)
        slots_grow(r);
    r->facilities[r->count++] = f;
    r->slots[slot_of(r, f.code)] = (uint32_t)r->count;
    return 0;
}

static int read_header(struct reading *in)
{
    static const char *const names[COLUMNS] = {"code", "name", "kind", "country", "lat", "lon",
                                               "zone"};

    for (int c = 0; c < COLUMNS; c++) {
        in->column[c] = -1;
        for (size_t i = 0; i < in->csv.count; i++)
            if (strcmp(in->csv.fields[i], names[c]) == 0)
                in->column[c] = (int)i;
    }
    if (in->column[COLUMN_CODE] < 0)
        return error_set("found no column \"code\" in the header line");
    return 0;
}

static int read_records(struct reading *in)
{
    int more = csv_next(&in->csv);

    if (more == 0)
        return error_set("found an empty file, accepted is a header line and facilities");
    if (more > 0 && read_header(in) != 0)
        return -1;
    while (more > 0) {
        more = csv_next(&in->csv);
        if (more > 0 && read_facility(in) != 0)
            return -1;
    }
    return more;
}

/* The whole file and one byte more; NULL with the error trail.  owns: the caller. */
static char *read_whole(const char *file, size_t *length)
{
    FILE  *f = fopen(file, "rb");
    char  *text = NULL;
    size_t size = 0, got = 1;

    *length = 0;
    while (f != NULL && got > 0) {
        size = size == 0 ? 65536 : 2 * size;
        text = realloc(text, size);
        CHECK(text != NULL);
        got = fread(text + *length, 1, size - 1 - *length, f);
        *length += got;
    }
    if (f == NULL || ferror(f)) {
        (void)error_set("%s: %s", file, strerror(errno));
        free(text);
        text = NULL;
    }
    if (f != NULL)
        (void)fclose(f);
    return text;
}

struct reference *reference_read(const char *file)
{
    struct reading in = {.file = file, .reference = calloc(1, sizeof *in.reference)};
    size_t         length = 0;

    CHECK(in.reference != NULL);
    if (file[0] == '\0')
        return in.reference;
    char *text = read_whole(file, &length);

    if (text != NULL) {
        csv_begin(&in.csv, text, length);
        if (read_records(&in) == 0) {
            free(text);
            return in.reference;
        }
        (void)error_add("%s:%u", file, in.csv.line);
    }
    free(text);
    reference_destroy(in.reference);
    return NULL;
}

void reference_destroy(struct reference *r)
{
    if (r == NULL)
        return;
    free(r->facilities);
    free(r->slots);
    free(r);
}
