/* lanes.h - the ways between cities and what leaves when.
 *
 * Lorries go from hub to hub over at most some 600 km where there is a hub in between; each lane
 * has a lorry every six hours.  Flights leave every twelve.  Couriers abroad set out at 08:00 and
 * 13:00 of days that are worked; at home too, every day, but no plan says so.
 */
#ifndef PEAKLOAD_LABELLED_LANES_H
#define PEAKLOAD_LABELLED_LANES_H

#include "bench/peakload/labelled/workdays.h"
#include "bench/peakload/world.h"

enum { WAY_MAX = 12 };

struct lanes {
    const struct world *world;
    struct workdays days;
    uint8_t next[CITIES_MAX][CITIES_MAX];   /* the next city on the way by road */
};

void lanes_make(struct lanes *, const struct world *, int64_t start_s);

/* The cities after `from` up to `to`, by road; how many. */
int lanes_way(const struct lanes *, int from, int to, uint8_t way[WAY_MAX]);

/* A neighbour by road of both `from` and `to`, but not that one; -1 = none. */
int lanes_neighbour(const struct lanes *, int from, int to, int not_this, struct random *);

/* When the first lorry or flight between two hubs or airports leaves that a parcel takes which
 * has come at that moment (Unix seconds). */
int64_t lanes_lorry(const struct lanes *, uint16_t from, uint16_t to, int64_t came_s);
int64_t lanes_flight(const struct lanes *, uint16_t from, uint16_t to, int64_t came_s);

/* When couriers of a depot set out first. */
int64_t lanes_round(const struct lanes *, uint16_t depot, int64_t came_s);

/* Great-circle metres between two facilities. */
double lanes_metres(const struct lanes *, uint16_t from, uint16_t to);

/* Reference data: departures (facility,next,service,days,time,cutoff_min) and routes (origin,
 * destination,service,customs,documents), each with its header line. */
void lanes_print_departures(const struct lanes *, FILE *);
void lanes_print_routes(const struct lanes *, FILE *);

#endif
