/* mishaps.c - on the way: at the shipper, between hubs, at customs. */
#include "bench/peakload/labelled/mishaps.h"

#include <stddef.h>
#include <string.h>

enum { MINUTE_S = 60, HOUR_S = 3600, DAY_S = 86400, FAR_MINUTES = 800 };

void mishap_not_handed_in(struct trip *t)
{
    struct truth *truth;

    if (!trip_has(t, CAUSE_NOT_HANDED_IN))
        return;
    trip_strike(t);
    truth = trip_truth(t, "never-collected");
    trip_until(t, t->base_s + trip_spread(t, 18 * HOUR_S, 12 * DAY_S));
    truth->end_s = t->now_s;
    truth->start_s = t->base_s;
    truth->amount = trip_worked(t, t->base_s);
}

int64_t mishap_left_behind(struct trip *t, int64_t planned_s)
{
    bool here = t->departures++ == t->strike_at;
    struct truth *truth;
    int64_t late_s;

    if (here && t->confuser == CONFUSER_LATE_LORRY) {
        t->confused = true;
        return planned_s + random_between(t->random, 20 * MINUTE_S, 28 * MINUTE_S);
    }
    if (!here || !trip_has(t, CAUSE_LEFT_BEHIND))
        return planned_s + random_between(t->random, 0, 18 * MINUTE_S);
    t->began_s = planned_s;
    late_s = trip_spread(t, 18 * MINUTE_S, 6 * DAY_S);
    truth = trip_truth(t, "missed-departure");
    truth->start_s = planned_s;
    truth->end_s = planned_s + late_s;
    truth->amount = late_s;
    t->silent = true;
    return planned_s + late_s;
}

/* `told`: a legal reroute, declared before it gets there. */
static void by_way_of_another(struct trip *t, uint16_t from, uint16_t to, bool told)
{
    const struct world *w = t->lanes->world;
    int away = w->facility[from].city, right = w->facility[to].city;
    int wrong = lanes_neighbour(t->lanes, away, right, w->facility[t->life->dest].city, t->random);
    uint16_t hub;
    struct truth *truth = NULL;
    int64_t came_s;

    if (wrong < 0)
        return;
    hub = w->place[wrong].hub;
    trip_strike(t);
    t->confused = told;
    trip_pass(t, w->minutes[away][wrong] / 2, w->minutes[away][wrong] / 2);
    if (told)
        trip_scan(t, CODE_REROUTED, from, hub);
    trip_pass(t, w->minutes[away][wrong] / 2, w->minutes[away][wrong] * 11 / 20);
    if (!told)
        truth = trip_truth(t, "misrouted");
    trip_scan(t, CODE_ARRIVE, hub, FACILITY_NONE);
    came_s = t->now_s;
    trip_pass(t, 20, 90);
    trip_scan(t, CODE_SORT, hub, to);
    trip_until(t, lanes_lorry(t->lanes, hub, to, came_s) + random_between(t->random, 0, 900));
    trip_scan(t, CODE_DEPART, hub, to);
    trip_pass(t, w->minutes[wrong][right], w->minutes[wrong][right] * 11 / 10);
    t->silent = !told;
    if (!told)
        truth->end_s = t->now_s;
}

/* A hub at least a day's drive away in the same country; FACILITY_NONE where there is none. */
static uint16_t far_hub(struct trip *t, uint16_t from)
{
    const struct world *w = t->lanes->world;
    int here = w->facility[from].city, first = (int)random_below(t->random, (uint32_t)city_count);

    for (int i = 0; i < (int)city_count; i++) {
        int city = (first + i) % (int)city_count;

        if (w->minutes[here][city] >= FAR_MINUTES &&
            strcmp(city_table[city].country, city_table[here].country) == 0)
            return w->place[city].hub;
    }
    return FACILITY_NONE;
}

static void tell_leap(struct trip *t, uint16_t from, uint16_t to, int64_t took_s)
{
    struct truth *truth = trip_truth(t, "impossible-travel");

    truth->amount = (int64_t)lanes_metres(t->lanes, from, to);
    truth->of = took_s;
}

static void cloned(struct trip *t, uint16_t from, uint16_t to, int64_t drive_s)
{
    static const char *const may[] = {"misrouted", "looped", "missed-departure", "stalled"};
    int64_t there_s = t->now_s + drive_s;
    int64_t after_s = random_between(t->random, 5 * MINUTE_S, (int)drive_s * 2 / 3);
    uint16_t hub = far_hub(t, from);

    if (hub == FACILITY_NONE) {
        trip_until(t, there_s);
        return;
    }
    trip_until(t, t->now_s + after_s);
    trip_strike(t);
    tell_leap(t, from, hub, t->now_s - t->seen_s);
    trip_scan(t, CODE_SORT, hub, FACILITY_NONE);
    trip_may(t, may, 4);
    trip_until(t, there_s);
    tell_leap(t, hub, to, t->now_s - t->seen_s);
}

static bool give_up(struct trip *t, uint16_t from)
{
    trip_strike(t);
    t->silent = true;
    trip_pass(t, 4 * 1440, 9 * 1440);
    t->excused_s = t->now_s;
    trip_scan(t, CODE_LOST, from, FACILITY_NONE);
    trip_end(t);
    trip_truth(t, "lost");
    return true;
}

bool mishap_on_the_road(struct trip *t, uint16_t from, uint16_t to, int64_t drive_s)
{
    bool here = t->departures - 1 >= t->strike_at;

    if (t->confuser == CONFUSER_FAST_LORRY && here) {
        t->confused = true;
        drive_s = drive_s * 60 / 105;
    }
    if (here && trip_has(t, CAUSE_GIVEN_UP))
        return give_up(t, from);
    if (here && t->began_s == 0 && (t->cause == CAUSE_WRONG_CHUTE ||
                                    t->confuser == CONFUSER_REROUTED)) {
        by_way_of_another(t, from, to, t->confuser == CONFUSER_REROUTED);
        if (t->began_s != 0)
            return false;
    }
    if (here && trip_has(t, CAUSE_CLONED)) {
        cloned(t, from, to, drive_s);
        return false;
    }
    if (here && (trip_has(t, CAUSE_BREAKDOWN) || trip_has(t, CAUSE_VANISHED))) {
        bool gone = t->cause == CAUSE_VANISHED;

        trip_strike(t);
        t->silent = true;
        drive_s += gone ? trip_spread(t, 6 * DAY_S, 24 * DAY_S) : trip_spread(t, 7 * HOUR_S,
                                                                             8 * DAY_S);
    }
    trip_until(t, t->now_s + drive_s);
    return false;
}

static void pass_through(struct trip *t, uint16_t hub, uint16_t next)
{
    const struct world *w = t->lanes->world;
    int minutes = w->minutes[w->facility[hub].city][w->facility[next].city];
    int64_t came_s = t->now_s;

    trip_scan(t, CODE_ARRIVE, hub, next);
    trip_until(t, lanes_lorry(t->lanes, hub, next, came_s) + random_between(t->random, 0, 900));
    trip_scan(t, CODE_DEPART, hub, next);
    trip_pass(t, minutes, minutes * 108 / 100);
}

void mishap_go_round(struct trip *t, uint16_t from, uint16_t to)
{
    int rounds = trip_has(t, CAUSE_SORT_PLAN) ? 2 : t->confuser == CONFUSER_ONE_RETURN;

    if (rounds == 0 || t->loop_departures > 0)
        return;
    for (int i = 0; i < rounds; i++) {
        if (i == 0)
            trip_strike(t);
        pass_through(t, from, to);
        pass_through(t, to, from);
    }
    t->loop_departures = 1;
    t->confused = rounds == 1;
    if (rounds == 2) {
        t->loop = trip_truth(t, "looped");
        t->loop->amount = rounds;
    }
}

void mishap_second_pickup(struct trip *t, uint16_t hub)
{
    static const char *const may[] = {"impossible-travel", "looped", "misrouted",
                                      "missed-departure"};
    const struct world *w = t->lanes->world;
    uint16_t other = trip_has(t, CAUSE_LABEL_TWICE) ? far_hub(t, hub) : FACILITY_NONE;

    if (other == FACILITY_NONE)
        return;
    trip_strike(t);
    trip_truth(t, "number-reused");
    trip_may(t, may, 4);
    trip_scan(t, CODE_PICKUP, w->place[w->facility[other].city].depot[0], FACILITY_NONE);
    trip_pass(t, 5, 20);
}

void mishap_clock_ahead(struct trip *t, struct step *s)
{
    static const char *const may[] = {"stalled", "missed-departure", "out-of-order", "misrouted",
                                      "looped", "impossible-travel"};
    struct truth *truth;
    int64_t ahead_s;

    if (!trip_has(t, CAUSE_CLOCK_AHEAD))
        return;
    trip_strike(t);
    ahead_s = random_below(t->random, 5) == 0 ? 8 * HOUR_S
                                              : trip_spread(t, 3 * MINUTE_S, 8 * HOUR_S);
    t->life->skew_s = (int32_t)ahead_s;
    s->flags |= STEP_SKEWED;
    truth = trip_truth(t, "clock-skew");
    truth->amount = ahead_s - 1 - s->delay * DELAY_UNIT_S;
    trip_may(t, may, 6);
}

bool mishap_at_customs(struct trip *t, uint16_t office, bool export_side)
{
    bool inspected = trip_has(t, CAUSE_INSPECTION);
    struct truth *truth;

    if (export_side != (t->life->chance & 1) || (!inspected && !trip_has(t, CAUSE_CUSTOMS_PILE)))
        return false;
    if (inspected)
        trip_pass(t, 60, 300);
    trip_strike(t);
    truth = trip_truth(t, "customs-held");
    if (inspected)
        trip_scan(t, export_side ? CODE_EXPORT_HELD : CODE_IMPORT_HELD, office, FACILITY_NONE);
    trip_until(t, t->now_s + trip_spread(t, inspected ? 6 * HOUR_S : 15 * HOUR_S, 10 * DAY_S));
    truth->end_s = t->now_s;
    if (!inspected)
        truth->amount = t->now_s - truth->start_s;
    if (inspected || truth->amount > DAY_S)
        t->excused_s = truth->start_s;
    return true;
}

void mishap_clock_behind(struct trip *t, struct step *s, int64_t in_s)
{
    static const char *const may[] = {"misrouted", "customs-held", "impossible-travel"};

    if (!trip_has(t, CAUSE_CLOCK_BEHIND))
        return;
    trip_strike(t);
    t->life->skew_s = (int32_t)(in_s - t->now_s) - random_between(t->random, 600, 18000);
    s->flags |= STEP_SKEWED;
    trip_truth(t, "out-of-order");
    trip_may(t, may, 3);
}
