/* lanes.c - ways by road, and the timetable. */
#include "bench/peakload/labelled/lanes.h"

#include <math.h>
#include <string.h>

enum { DAY_S = 86400, LORRY_EVERY_S = 6 * 3600, FLIGHT_EVERY_S = 12 * 3600,
       LORRY_CUTOFF_MIN = 90, FLIGHT_CUTOFF_MIN = 180, ROUND_CUTOFF_MIN = 60,
       LEG_MINUTES = 660, FAR_COST = 8, STOP_MINUTES = 180 };

static const int rounds_s[] = {8 * 3600, 13 * 3600};
enum { ROUNDS = sizeof rounds_s / sizeof rounds_s[0] };

static bool is_home(size_t city)
{
    return (city_table[city].flags & CITY_ABROAD) == 0;
}

/* Floyd and Warshall, where a leg too long for one driver costs much more. */
static void find_ways(struct lanes *l)
{
    static uint32_t cost[CITIES_MAX][CITIES_MAX];

    for (size_t i = 0; i < city_count; i++)
        for (size_t j = 0; j < city_count; j++) {
            uint32_t minutes = l->world->minutes[i][j];

            cost[i][j] = (minutes + STOP_MINUTES) * (minutes > LEG_MINUTES ? FAR_COST : 1);
            l->next[i][j] = (uint8_t)j;
        }
    for (size_t k = 0; k < city_count; k++)
        for (size_t i = 0; i < city_count; i++)
            for (size_t j = 0; j < city_count; j++)
                if (is_home(i) && is_home(j) && is_home(k) && i != k && j != k && i != j &&
                    cost[i][k] + cost[k][j] < cost[i][j]) {
                    cost[i][j] = cost[i][k] + cost[k][j];
                    l->next[i][j] = l->next[i][k];
                }
}

void lanes_make(struct lanes *l, const struct world *world, int64_t start_s)
{
    l->world = world;
    workdays_make(&l->days, start_s);
    find_ways(l);
}

int lanes_way(const struct lanes *l, int from, int to, uint8_t way[WAY_MAX])
{
    int count = 0;

    for (int at = from; at != to && count < WAY_MAX; count++) {
        at = l->next[at][to];
        way[count] = (uint8_t)at;
    }
    return count;
}

int lanes_neighbour(const struct lanes *l, int from, int to, int not_this, struct random *r)
{
    int first = (int)random_below(r, (uint32_t)city_count);

    for (int i = 0; i < (int)city_count; i++) {
        int city = (first + i) % (int)city_count;

        if (is_home((size_t)city) && city != from && city != to && city != not_this &&
            l->world->minutes[from][city] <= LEG_MINUTES &&
            l->world->minutes[city][to] <= LEG_MINUTES)
            return city;
    }
    return -1;
}

/* Each pair has its own minute of departure. */
static int64_t first_s(uint16_t from, uint16_t to, int64_t every_s)
{
    return (int64_t)(random_mix((uint64_t)from << 16 | to) % (uint64_t)(every_s / 60)) * 60;
}

static int64_t leaves_s(uint16_t from, uint16_t to, int64_t every_s, int64_t ready_s)
{
    int64_t offset_s = first_s(from, to, every_s);

    return (ready_s - offset_s + every_s - 1) / every_s * every_s + offset_s;
}

int64_t lanes_lorry(const struct lanes *l, uint16_t from, uint16_t to, int64_t came_s)
{
    (void)l;
    return leaves_s(from, to, LORRY_EVERY_S, came_s + LORRY_CUTOFF_MIN * 60);
}

int64_t lanes_flight(const struct lanes *l, uint16_t from, uint16_t to, int64_t came_s)
{
    (void)l;
    return leaves_s(from, to, FLIGHT_EVERY_S, came_s + FLIGHT_CUTOFF_MIN * 60);
}

int64_t lanes_round(const struct lanes *l, uint16_t depot, int64_t came_s)
{
    int city = l->world->facility[depot].city;
    int64_t zone_s = city_table[city].zone_minutes * 60, ready_s = came_s + ROUND_CUTOFF_MIN * 60;

    for (int64_t day = (ready_s + zone_s) / DAY_S;; day++)
        for (int i = 0; i < ROUNDS; i++) {
            int64_t at_s = day * DAY_S + rounds_s[i] - zone_s;

            if (at_s >= ready_s && (is_home((size_t)city) || workdays_is(&l->days, city, at_s)))
                return at_s;
        }
}

double lanes_metres(const struct lanes *l, uint16_t from, uint16_t to)
{
    const struct facility *a = &l->world->facility[from], *b = &l->world->facility[to];
    const double rad = 3.14159265358979 / 180;
    double dlat = (double)(b->lat - a->lat) * rad, dlon = (double)(b->lon - a->lon) * rad;
    double h = sin(dlat / 2) * sin(dlat / 2) + cos((double)a->lat * rad) *
               cos((double)b->lat * rad) * sin(dlon / 2) * sin(dlon / 2);

    return 2 * 6371000.0 * asin(sqrt(h));
}

static void print_lane(const struct lanes *l, uint16_t from, uint16_t to, int64_t every_s,
                       int cutoff_min, FILE *out)
{
    for (int64_t at_s = first_s(from, to, every_s); at_s < DAY_S; at_s += every_s)
        fprintf(out, "%s,%s,,,%02d:%02d,%d\n", l->world->facility[from].code,
                l->world->facility[to].code, (int)(at_s / 3600), (int)(at_s / 60 % 60), cutoff_min);
}

static void print_rounds(const struct lanes *l, size_t city, FILE *out)
{
    for (int d = 0; d < DEPOTS; d++)
        for (int i = 0; i < ROUNDS; i++) {
            int at_min = rounds_s[i] / 60 - city_table[city].zone_minutes;

            fprintf(out, "%s,,,%s,%02d:%02d,%d\n",
                    l->world->facility[l->world->place[city].depot[d]].code,
                    workdays_week((int)city), at_min / 60, at_min % 60, ROUND_CUTOFF_MIN);
        }
}

void lanes_print_departures(const struct lanes *l, FILE *out)
{
    const struct place *place = l->world->place;

    fputs("facility,next,service,days,time,cutoff_min\n", out);
    for (size_t i = 0; i < city_count; i++)
        for (size_t j = 0; j < city_count; j++) {
            if (i != j && is_home(i) && is_home(j) && l->next[i][j] == j)
                print_lane(l, place[i].hub, place[j].hub, LORRY_EVERY_S, LORRY_CUTOFF_MIN, out);
            if (i != j && place[i].airport != FACILITY_NONE && place[j].airport != FACILITY_NONE)
                print_lane(l, place[i].airport, place[j].airport, FLIGHT_EVERY_S,
                           FLIGHT_CUTOFF_MIN, out);
        }
    for (size_t i = 0; i < city_count; i++)
        if (!is_home(i))
            print_rounds(l, i, out);
}

void lanes_print_routes(const struct lanes *l, FILE *out)
{
    const struct world *w = l->world;

    fputs("origin,destination,service,customs,documents\n", out);
    for (size_t i = 0; i < city_count; i++)
        for (size_t j = 0; j < city_count; j++)
            for (int d = 0; is_home(i) && !is_home(j) && d < DEPOTS * DEPOTS; d++)
                fprintf(out, "%s,%s,,yes,CN23\n",
                        w->facility[w->place[i].depot[d / DEPOTS]].code,
                        w->facility[w->place[j].depot[d % DEPOTS]].code);
}
