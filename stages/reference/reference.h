/* reference.h - what is known beforehand: facilities and, where given, routes.
 *
 * Read from the files that `reference.facilities` names (CSV with a header line:
 * code,name,kind,country,lat,lon,zone).  A missing file is an empty reference:
 * what needs it is off, and says so.  Immutable once read: any thread may look.
 */
#ifndef STAGES_REFERENCE_REFERENCE_H
#define STAGES_REFERENCE_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reference;

struct facility {
    char  code[25];
    char  name[64];
    char  kind[16];      /* hub, export-customs, import-customs, airport, station, depot, … */
    char  country[3];    /* ISO 3166 alpha-2, "" = unknown                                  */
    char  zone[40];      /* IANA, "" = unknown                                              */
    float lat, lon;
    bool  has_position;
};

/* `file` "" = none.  NULL with the error trail "FILE:LINE: …".  owns: the caller. */
struct reference *reference_read(const char *facilities_file);
void              reference_destroy(struct reference *);

/* NULL when not known. */
const struct facility *reference_facility(const struct reference *, const char *code);
size_t reference_facilities(const struct reference *);

#endif
