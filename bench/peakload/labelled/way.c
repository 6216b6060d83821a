/* way.c - a parcel's way as it should be: shipper, hubs, border, depot, door. */
#include "bench/peakload/labelled/mishaps.h"

enum { MINUTE_S = 60, HOUR_S = 3600, DAY_S = 86400, OPENS_S = 8 * HOUR_S, CLOSES_S = 20 * HOUR_S,
       IDLE_S = 8 * HOUR_S, STEPS_SAFE = 28, WEEKEND_S = 30 * HOUR_S, ECONOMY_S = 3 * DAY_S,
       SHORT_WAY = 3, ABROAD_WAY = 16, SOON_DAYS = 22, LONG_AGO_DAYS = 31, AGAIN_DAYS = 33 };

static const struct place *place_of(const struct trip *t, int city)
{
    return &t->lanes->world->place[city];
}

/* Shippers hand in from 08:00 to 20:00 of days that are worked. */
static void to_shop_hours(struct trip *t, int city)
{
    int64_t zone_s = city_table[city].zone_minutes * 60, of_day_s = (t->now_s + zone_s) % DAY_S;

    if (of_day_s < CLOSES_S && of_day_s >= OPENS_S && workdays_is(&t->lanes->days, city, t->now_s))
        return;
    t->now_s += (of_day_s >= OPENS_S ? DAY_S : 0) - of_day_s + OPENS_S;
    while (!workdays_is(&t->lanes->days, city, t->now_s))
        t->now_s += DAY_S;
    trip_pass(t, 0, 100);
}

/* The merchant's own lorry brings some to the hub. */
static bool is_injected(const struct trip *t)
{
    return t->confuser == CONFUSER_INJECTED || t->cause == CAUSE_CLOSED_AT_DEPOT;
}

/* What nobody plants: it comes by itself. */
static void note_confuser(struct trip *t, enum confuser confuser)
{
    if (t->cause != CAUSE_NONE || t->confuser != CONFUSER_NONE)
        return;
    t->confuser = confuser;
    t->confused = true;
}

static void first_mile(struct trip *t, int city)
{
    uint16_t depot = t->life->origin, hub = place_of(t, city)->hub;

    trip_scan(t, CODE_LABEL, FACILITY_NONE, FACILITY_NONE);
    trip_pass(t, 60, 540);
    to_shop_hours(t, city);
    t->picked_s = t->now_s;
    mishap_not_handed_in(t);
    if (t->now_s - t->base_s > WEEKEND_S)
        note_confuser(t, CONFUSER_WEEKEND);
    if (t->life->service == SERVICE_GLOBAL && t->cause != CAUSE_UNDECLARED)
        trip_scan(t, CODE_DECLARED, FACILITY_NONE, FACILITY_NONE);
    if (is_injected(t)) {
        t->confused = t->confuser == CONFUSER_INJECTED;
        return;
    }
    trip_pass(t, 5, 10);
    trip_scan(t, CODE_PICKUP, depot, hub);
    trip_pass(t, 30, 240);
    trip_scan(t, CODE_DEPART, depot, hub);
    trip_pass(t, 30, 120);
}

/* Comes in, is sorted, and leaves for another hub with the lorry it can take. */
static void visit_hub(struct trip *t, uint16_t hub, uint16_t next, bool loaded)
{
    int64_t came_s = t->now_s, leaves_s;

    trip_scan(t, CODE_ARRIVE, hub, FACILITY_NONE);
    trip_pass(t, 15, 60);
    mishap_second_pickup(t, hub);
    mishap_clock_ahead(t, trip_scan(t, CODE_SORT, hub, next));
    leaves_s = mishap_left_behind(t, lanes_lorry(t->lanes, hub, next, came_s));
    if (loaded && !t->silent) {
        trip_until(t, leaves_s - random_between(t->random, 5 * MINUTE_S, 20 * MINUTE_S));
        trip_scan(t, CODE_LOAD, hub, next);
    }
    trip_until(t, leaves_s);
    trip_scan(t, CODE_DEPART, hub, next);
    if (t->loop != NULL && ++t->loop_departures == 3) {
        t->loop->end_s = t->now_s;
        t->loop = NULL;
    }
}

/* True: the trip has ended on the way. */
static bool by_road(struct trip *t, int from, int to)
{
    uint8_t way[WAY_MAX];
    int hubs = lanes_way(t->lanes, from, to, way);
    bool loaded = hubs <= SHORT_WAY && t->life->chance & 2;

    for (int i = 0, at = from; i < hubs; at = way[i++]) {
        int minutes = t->lanes->world->minutes[at][way[i]];
        uint16_t here = place_of(t, at)->hub, there = place_of(t, way[i])->hub;

        if (i + 1 == hubs && t->life->service != SERVICE_GLOBAL)
            mishap_go_round(t, here, there);
        visit_hub(t, here, there, loaded);
        if (mishap_on_the_road(t, here, there, random_between(t->random, minutes * MINUTE_S,
                                                              minutes * MINUTE_S * 107 / 100)))
            return true;
    }
    return false;
}

static void customs(struct trip *t, uint16_t office, uint16_t next, bool export_side)
{
    int64_t in_s = t->now_s;
    struct step *out;

    trip_scan(t, export_side ? CODE_EXPORT_IN : CODE_IMPORT_IN, office, FACILITY_NONE);
    if (!mishap_at_customs(t, office, export_side))
        trip_pass(t, 120, 800);
    out = trip_scan(t, export_side ? CODE_EXPORT_OUT : CODE_IMPORT_OUT, office, next);
    if (!export_side)
        mishap_clock_behind(t, out, in_s);
    trip_pass(t, 60, 240);
}

static void fly(struct trip *t, uint16_t from, uint16_t to)
{
    const struct world *w = t->lanes->world;
    int minutes = w->minutes[w->facility[from].city][w->facility[to].city];

    trip_until(t, mishap_left_behind(t, lanes_flight(t->lanes, from, to, t->now_s)));
    trip_scan(t, CODE_UPLIFT, from, to);
    trip_pass(t, minutes, minutes * 11 / 10);
}

/* The broker takes it over before customs see it: without a declaration it should not. */
static void hand_to_broker(struct trip *t, uint16_t office)
{
    static const char *const may[] = {"missed-departure"};
    bool undeclared = trip_has(t, CAUSE_UNDECLARED);
    struct truth *truth;

    if (undeclared) {
        trip_strike(t);
        truth = trip_truth(t, "documents-missing");
    }
    trip_scan(t, CODE_HANDOVER, office, FACILITY_NONE);
    trip_pass(t, 30, 200);
    if (undeclared) {
        trip_pass(t, 30, 1200);
        truth->end_s = t->now_s;
        trip_may(t, may, 1);
        t->silent = true;
        trip_scan(t, CODE_DECLARED, FACILITY_NONE, FACILITY_NONE);
        trip_pass(t, 30, 60);
    }
}

static void over_the_border(struct trip *t, int gateway, int to)
{
    const struct place *out = place_of(t, gateway), *in = place_of(t, to);
    int ehub = t->lanes->world->gateway[to];
    uint16_t via = place_of(t, ehub)->airport;

    trip_scan(t, CODE_ARRIVE, out->hub, out->export_customs);
    trip_pass(t, 40, 150);
    trip_scan(t, CODE_DEPART, out->hub, out->export_customs);
    trip_pass(t, 30, 90);
    hand_to_broker(t, out->export_customs);
    customs(t, out->export_customs, out->airport, true);
    trip_scan(t, CODE_ARRIVE, out->airport, via);
    fly(t, out->airport, via);
    trip_scan(t, CODE_LANDED, via, ehub != to ? in->airport : FACILITY_NONE);
    if (ehub != to) {
        fly(t, via, in->airport);
        trip_scan(t, CODE_LANDED, in->airport, FACILITY_NONE);
    }
    trip_pass(t, 60, 300);
    customs(t, in->import_customs, in->hub, false);
}

/* The depot counts what it has while it waits for couriers; where a life has no room for so many
 * scans, a late round takes it. */
static void wait_for_round(struct trip *t, uint16_t depot, int64_t came_s)
{
    int64_t round_s = lanes_round(t->lanes, depot, came_s);

    while (round_s - t->now_s > IDLE_S && t->life->steps < STEPS_SAFE) {
        trip_pass(t, 300, 470);
        trip_scan(t, CODE_SORT, depot, FACILITY_NONE);
    }
    if (round_s - t->now_s > IDLE_S)
        round_s = t->now_s + random_between(t->random, 2 * HOUR_S, IDLE_S);
    trip_until(t, round_s + random_between(t->random, 0, 18 * MINUTE_S));
}

/* Village agents do not scan. */
static void to_the_village(struct trip *t, uint16_t depot)
{
    int64_t since_s;

    trip_pass(t, 60, 300);
    trip_scan(t, CODE_HANDOVER, depot, FACILITY_NONE);
    since_s = t->now_s;
    trip_pass(t, 1440, 7 * 1440);
    if (t->now_s - since_s > ECONOMY_S)
        note_confuser(t, CONFUSER_ECONOMY);
}

/* Collected the same day or the next; some wait nearly as long as they may. */
static void wait_at_locker(struct trip *t)
{
    int64_t since_s = t->now_s;
    int64_t hours = random_between(t->random, 30, 46);

    if (t->confuser != CONFUSER_LOCKER) {
        trip_pass(t, 30, 1800);
        return;
    }
    t->confused = true;
    while (workdays_between(&t->lanes->days, t->city, since_s, t->now_s) < hours * HOUR_S)
        t->now_s += HOUR_S;
}

static bool to_the_station(const struct trip *t)
{
    return t->cause == CAUSE_NOBODY_COMES || t->confuser == CONFUSER_LOCKER ||
           (t->cause != CAUSE_CLOSED_AFAR && t->life->chance % 100 < 55);
}

static void deliver(struct trip *t, uint16_t depot, uint16_t station)
{
    uint16_t at = depot;

    if (to_the_station(t) && t->cause != CAUSE_CLOSED_AT_DEPOT) {
        at = station;
        trip_arrive(t);
        trip_scan(t, CODE_STATION_IN, station, FACILITY_NONE);
        if (mishap_nobody_comes(t, station))
            return;
        if (t->cause != CAUSE_NOBODY_COMES)
            wait_at_locker(t);
    }
    trip_arrive(t);
    trip_end(t);
    mishap_delivered(t, trip_scan(t, CODE_DELIVERED, at, FACILITY_NONE), depot);
}

static void last_mile(struct trip *t, uint16_t depot, uint16_t station)
{
    int64_t came_s = t->now_s;

    trip_scan(t, CODE_ARRIVE, depot, FACILITY_NONE);
    trip_pass(t, 20, 60);
    trip_scan(t, CODE_SORT, depot, FACILITY_NONE);
    if (mishap_at_depot(t, depot))
        return;
    if (t->life->service == SERVICE_ECONOMY) {
        to_the_village(t, depot);
        trip_arrive(t);
        trip_end(t);
        trip_scan(t, CODE_DELIVERED, depot, FACILITY_NONE);
        return;
    }
    if (mishap_behind_belt(t))
        came_s = t->now_s;
    wait_for_round(t, depot, came_s);
    if (t->cause != CAUSE_CLOSED_AT_DEPOT)
        trip_scan(t, CODE_OUT_FOR_DELIVERY, depot, FACILITY_NONE);
    trip_pass(t, 30, 300);
    if (!mishap_at_the_door(t, depot))
        deliver(t, depot, station);
}

/* The number is another parcel's, days or a month later. */
static void live_again(struct trip *t, uint16_t depot, int city)
{
    bool soon = trip_has(t, CAUSE_NUMBER_AGAIN);
    int days = soon ? SOON_DAYS : AGAIN_DAYS;

    if ((!soon && t->confuser != CONFUSER_RECYCLED) || t->terminal_s == 0 ||
        t->now_s + (days + 2) * DAY_S > t->end_s)
        return;
    trip_pass(t, (soon ? 1 : LONG_AGO_DAYS) * 1440, days * 1440);
    t->confused = !soon;
    t->life->again_ms = (uint32_t)((t->now_s - t->base_s) * 1000);
    t->life->again_s = (uint32_t)(t->now_s - t->base_s);
    if (soon) {
        trip_strike(t);
        trip_truth(t, "number-reused");
    }
    trip_scan(t, CODE_PICKUP, depot, place_of(t, city)->hub);
    trip_pass(t, 60, 300);
    trip_scan(t, CODE_ARRIVE, place_of(t, city)->hub, FACILITY_NONE);
    trip_pass(t, 60, 300);
    trip_scan(t, CODE_SORT, depot, FACILITY_NONE);
    trip_pass(t, 60, 300);
    trip_scan(t, CODE_OUT_FOR_DELIVERY, depot, FACILITY_NONE);
    trip_pass(t, 60, 300);
    trip_scan(t, CODE_DELIVERED, depot, FACILITY_NONE);
}

int way_tell(struct trip *t)
{
    struct random *r = t->random;
    const struct world *w = t->lanes->world;
    bool abroad = t->life->service == SERVICE_GLOBAL;
    int from = city_at_home(w, r), to = abroad ? city_abroad(w, r) : city_at_home(w, r);
    int gateway = abroad ? city_export(r) : to;
    const struct place *there = place_of(t, to);
    uint8_t way[WAY_MAX];
    int hubs = lanes_way(t->lanes, from, gateway, way);
    int flights = !abroad ? 0 : w->gateway[to] != to ? 2 : 1;
    uint16_t station = there->station[random_below(r, STATIONS)];

    t->city = from;
    t->life->origin = place_of(t, from)->depot[random_below(r, DEPOTS)];
    t->life->dest = there->depot[random_below(r, DEPOTS)];
    t->strike_at = hubs + flights > 0 ? (int)random_below(r, (uint32_t)(hubs + flights)) : 0;
    if (hubs > 0 && t->cause != CAUSE_LEFT_BEHIND && t->confuser != CONFUSER_LATE_LORRY)
        t->strike_at = (int)random_below(r, (uint32_t)hubs);
    first_mile(t, from);
    if (by_road(t, from, gateway))
        return abroad ? ABROAD_WAY + to : hubs;
    if (abroad)
        over_the_border(t, gateway, to);
    trip_scan(t, CODE_ARRIVE, there->hub, FACILITY_NONE);
    trip_pass(t, 20, 60);
    trip_scan(t, CODE_SORT, there->hub, t->life->dest);
    trip_pass(t, 30, 120);
    trip_scan(t, CODE_DEPART, there->hub, t->life->dest);
    if (t->loop != NULL) {
        t->loop->end_s = t->now_s;
        t->loop = NULL;
    }
    trip_pass(t, 30, 120);
    last_mile(t, t->life->dest, station);
    live_again(t, place_of(t, from)->depot[0], from);
    return abroad ? ABROAD_WAY + to : hubs;
}
