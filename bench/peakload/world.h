/* world.h - the simulated parcel network: places, their facilities, and the way between.
 *
 * Six eHubs (Hangzhou, Hong Kong, Kuala Lumpur, Dubai, Moscow, Liege) join the Chinese
 * domestic network to the countries around them.  Every city has a sorting hub, depots and
 * stations; gateways have an airport and export customs, cities abroad an airport and
 * import customs.  Immutable once made.
 */
#ifndef PEAKLOAD_WORLD_H
#define PEAKLOAD_WORLD_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "bench/peakload/random.h"

enum city_flags { CITY_EHUB = 1, CITY_GATEWAY = 2, CITY_ABROAD = 4 };

struct city {
    char        code[4];
    const char *name;
    char        country[3];
    float       lat, lon;
    const char *zone;             /* IANA */
    int16_t     zone_minutes;     /* ahead of UTC, standard time */
    uint8_t     weight;           /* share of parcels */
    uint8_t     flags;            /* enum city_flags */
    char        gateway[4];       /* eHub on the way to a city abroad */
};

extern const struct city city_table[];
extern const size_t      city_count;

enum facility_kind { KIND_HUB, KIND_AIRPORT, KIND_EXPORT, KIND_IMPORT, KIND_DEPOT, KIND_STATION,
                     KINDS };

enum { DEPOTS = 3, STATIONS = 4, FACILITIES_MAX = 512, CITIES_MAX = 64, FACILITY_NONE = 0xffff };

struct facility {
    char    code[16];
    uint8_t code_length;
    uint8_t kind;                 /* enum facility_kind */
    uint8_t city;
    int16_t zone_minutes;
    float   lat, lon;
};

/* Facilities of one city; FACILITY_NONE where it has none of that kind. */
struct place {
    uint16_t hub, airport, export_customs, import_customs;
    uint16_t depot[DEPOTS], station[STATIONS];
};

struct world {
    struct facility facility[FACILITIES_MAX];
    struct place    place[CITIES_MAX];
    uint16_t        facilities;
    uint16_t        minutes[CITIES_MAX][CITIES_MAX];  /* of travel between cities            */
    uint8_t         home_wheel[256], abroad_wheel[256]; /* cities in proportion to weight   */
    uint8_t         gateway[CITIES_MAX];              /* of a city abroad: its eHub          */
};

/* Positions of depots and stations depend on the seed, nothing else does. */
void world_make(struct world *, uint64_t seed);

int city_at_home(const struct world *, struct random *);
int city_abroad(const struct world *, struct random *);

/* One of the Chinese gateways, Hangzhou and Hong Kong more often. */
int city_export(struct random *);

/* CSV with a header line: code,name,kind,country,lat,lon,zone. */
void world_print(const struct world *, FILE *);

#endif
