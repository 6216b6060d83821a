/* reference.h - what is known beforehand: facilities, routes, planned departures, promises,
 * and the working time of each country.
 *
 * Read from CSV files with a header line, each named by a setting `reference.NAME`
 * (README.md beside this file: their columns).  A file that is not given is empty: what
 * needs it is off, and says so.  Immutable once read: any thread may look.
 */
#ifndef STAGES_REFERENCE_REFERENCE_H
#define STAGES_REFERENCE_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct calendar;
struct config;
struct reference;

enum { CODE_SIZE = 25, SERVICE_SIZE = 17, ROUTE_NODES_MAX = 24, ROUTE_DOCUMENTS_MAX = 4 };

enum { REFERENCE_PARTS = 5 };
enum reference_part {
    REFERENCE_FACILITIES = 1, REFERENCE_ROUTES = 2, REFERENCE_DEPARTURES = 4,
    REFERENCE_PROMISES = 8, REFERENCE_CALENDARS = 16
};

struct facility {
    char  code[CODE_SIZE];
    char  name[64];
    char  kind[16];      /* hub, export-customs, import-customs, airport, station, depot, … */
    char  country[3];    /* ISO 3166 alpha-2, "" = unknown                                  */
    char  zone[40];      /* IANA, "" = unknown                                              */
    float lat, lon;
    bool  has_position;
    int32_t zone_s;      /* its standard time is so much ahead of UTC; for days, not hours    */
    const struct calendar *calendar;  /* of its country, NULL = not known                   */
};

/* From origin to destination by a service, "" = any. */
struct route {
    uint8_t nodes_count, documents_count;
    bool    customs;                       /* a declaration is needed                       */
    char    nodes[ROUTE_NODES_MAX][CODE_SIZE];
    char    documents[ROUTE_DOCUMENTS_MAX][CODE_SIZE]; /* each to be named by a DECLARED      */
};

/* "" = not given.  NULL with the error trail "FILE:LINE: COLUMN: found …, accepted …".
 * owns: the caller. */
struct reference *reference_read(const char *const files[REFERENCE_PARTS]); /* by part */
struct reference *reference_load(const struct config *);          /* as the settings say */
void              reference_destroy(struct reference *);

/* Set of enum reference_part: what was given. */
uint32_t    reference_parts(const struct reference *);
const char *reference_part_name(enum reference_part);          /* "facilities"              */
const char *reference_part_lack(enum reference_part);          /* what is off without it    */
size_t      reference_count(const struct reference *, enum reference_part); /* its rows        */

/* NULL when not known. */
const struct facility *reference_facility(const struct reference *, const char *code);

/* The route of this service, else that of any; NULL when neither is known. */
const struct route *reference_route(const struct reference *, const char *origin,
                                    const char *destination, const char *service);
/* Does this place lie on the route? */
bool route_has(const struct route *, const char *code);

/* The first planned departure that a parcel can take which is at the facility by at_s, towards
 * `next` ("" = not known: only those to anywhere) by its service; 0 = none is planned. */
uint32_t reference_departure_s(const struct reference *, const char *facility, const char *next,
                               const char *service, uint32_t at_s);

/* When delivery is due for a parcel picked up at at_s; 0 = nothing is promised. */
uint32_t reference_promise_s(const struct reference *, const char *origin,
                             const char *destination, const char *service, uint32_t at_s);

/* The second at which `duration_s` of working time have passed since from_s, by the calendar
 * of the facility's country; elapsed time where that is not known (or NULL). */
uint32_t facility_work_after(const struct facility *, uint32_t from_s, uint32_t duration_s);

#endif
