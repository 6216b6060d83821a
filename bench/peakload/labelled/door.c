/* door.c - mishaps of the last mile: depot, courier, station, and the way back. */
#include <stddef.h>

#include "bench/peakload/labelled/mishaps.h"

enum { MINUTE_S = 60, HOUR_S = 3600, DAY_S = 86400, METRE_E5 = 111 };

void trip_return(struct trip *t, uint16_t from)
{
    uint16_t hub = t->lanes->world->place[t->city].hub;

    trip_truth(t, "returning");
    if (t->excused_s == 0)
        t->excused_s = t->now_s;
    trip_scan(t, CODE_RETURN_START, from, t->life->origin);
    trip_pass(t, 300, 600);
    trip_scan(t, CODE_ARRIVE, hub, FACILITY_NONE);
    trip_pass(t, 120, 600);
    trip_scan(t, CODE_DEPART, hub, t->life->origin);
    trip_pass(t, 1800, 4000);
    trip_scan(t, CODE_RETURNED, t->life->origin, FACILITY_NONE);
    trip_end(t);
}

bool mishap_behind_belt(struct trip *t)
{
    struct truth *truth;

    if (!trip_has(t, CAUSE_BEHIND_BELT))
        return false;
    trip_strike(t);
    truth = trip_truth(t, "missed-departure");
    truth->usual = norms_usual_s(t->norms, t->life->service, CODE_SORT, t->city);
    trip_until(t, t->now_s + trip_spread(t, 9 * HOUR_S, 10 * DAY_S));
    truth->end_s = t->now_s;
    truth->of = 1;
    truth->amount = t->now_s - t->seen_s;
    t->silent = true;
    return true;
}

/* It was out, and comes back to the depot; tomorrow again. */
static void try_again(struct trip *t, uint16_t depot)
{
    static const char *const may[] = {"missed-departure"};

    trip_may(t, may, 1);
    trip_pass(t, 120, 300);
    trip_scan(t, CODE_SORT, depot, FACILITY_NONE);
    t->silent = true;
    trip_until(t, lanes_round(t->lanes, depot, t->now_s) + random_between(t->random, 0, 1000));
    trip_scan(t, CODE_OUT_FOR_DELIVERY, depot, FACILITY_NONE);
    trip_pass(t, 30, 300);
}

static void nobody_home(struct trip *t, uint16_t depot)
{
    int attempts = 1;
    struct truth *truth = trip_truth(t, "delivery-failed");

    trip_strike(t);
    while (attempts < 3 && random_below(t->random, 3) == 0)
        attempts++;
    truth->amount = attempts;
    for (int i = 0; i < attempts; i++) {
        trip_scan(t, CODE_ATTEMPT_FAILED, depot, FACILITY_NONE);
        try_again(t, depot);
    }
    truth->end_s = t->now_s;
}

/* The code alone tells it; half are mended, half go back. */
static bool told_by_code(struct trip *t, enum code code, const char *type, uint16_t depot)
{
    bool back = code == CODE_REFUSED || t->life->chance & 1;

    trip_strike(t);
    trip_truth(t, type);
    if (code == CODE_DAMAGED)
        t->excused_s = t->now_s;
    trip_scan(t, code, depot, FACILITY_NONE);
    if (!back) {
        if (code == CODE_DAMAGED)
            trip_pass(t, 60, 400);
        else
            try_again(t, depot);
        return false;
    }
    trip_pass(t, 60, 400);
    trip_return(t, depot);
    return true;
}

bool mishap_at_the_door(struct trip *t, uint16_t depot)
{
    if (trip_has(t, CAUSE_UNWANTED))
        return told_by_code(t, CODE_REFUSED, "refused", depot);
    if (trip_has(t, CAUSE_NO_SUCH_ADDRESS))
        return told_by_code(t, CODE_BAD_ADDRESS, "bad-address", depot);
    if (trip_has(t, CAUSE_NOBODY_HOME))
        nobody_home(t, depot);
    return false;
}

bool mishap_at_depot(struct trip *t, uint16_t depot)
{
    if (trip_has(t, CAUSE_CRUSHED))
        return told_by_code(t, CODE_DAMAGED, "damaged", depot);
    if (!trip_has(t, CAUSE_RECALLED))
        return false;
    trip_strike(t);
    trip_return(t, depot);
    return true;
}

bool mishap_nobody_comes(struct trip *t, uint16_t station)
{
    int64_t since_s = t->now_s;
    struct truth *truth;

    if (!trip_has(t, CAUSE_NOBODY_COMES))
        return false;
    trip_strike(t);
    truth = trip_truth(t, "uncollected");
    trip_until(t, t->now_s + trip_spread(t, 30 * HOUR_S, 12 * DAY_S));
    truth->end_s = t->now_s;
    truth->amount = trip_worked(t, since_s);
    if (t->life->chance & 1)
        return false;
    trip_return(t, station);
    return true;
}

void mishap_delivered(struct trip *t, struct step *s, uint16_t depot)
{
    bool afar = trip_has(t, CAUSE_CLOSED_AFAR);
    struct truth *truth;
    struct step *again;

    if (!afar && !trip_has(t, CAUSE_CLOSED_AT_DEPOT))
        return;
    trip_strike(t);
    truth = trip_truth(t, "doubtful-delivery");
    if (afar) {
        truth->amount = trip_spread(t, 300, 30000);
        t->life->off_e5 = (uint16_t)(truth->amount * 100 / METRE_E5);
        s->flags |= STEP_FAR;
    }
    if (t->life->chance % 2 != 0)
        return;
    /* Taken back by the evening, and delivered indeed. */
    trip_pass(t, 60, 600);
    truth->end_s = t->now_s;
    again = trip_scan(t, CODE_DELIVERED, depot, FACILITY_NONE);
    again->flags |= STEP_RETRACTS;
    step_delay(again, t->now_s - t->base_s - s->at_ms / 1000);
    again->at_ms = s->at_ms;
    t->taken_back_s = t->now_s;
    trip_pass(t, 60, 240);
    trip_scan(t, CODE_OUT_FOR_DELIVERY, depot, FACILITY_NONE);
    trip_pass(t, 60, 240);
    trip_scan(t, CODE_DELIVERED, depot, FACILITY_NONE);
    t->arrived_s = t->now_s;
    trip_end(t);
}
