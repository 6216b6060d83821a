/* journey.c - drafts the scans on a parcel's way: first mile, hubs, border, last mile. */
#include "bench/peakload/journey.h"

#include <string.h>

#include "bench/peakload/times.h"

/* Priorities: 0 must happen; the higher, the sooner left out. */
enum { MUST = 0, USUAL = 10, OFTEN = 60, SELDOM = 140, SPREAD = 50 };

static void add(struct journey *j, int priority, enum code code, uint16_t at, uint16_t next)
{
    if (j->count == DRAFT_MAX)
        return;
    j->priority[j->count] =
        (uint8_t)(priority == MUST ? MUST : priority + (int)random_below(j->random, SPREAD));
    j->step[j->count++] = (struct step) {
        .at_ms = j->now_s * 1000 + random_below(j->random, 1000), .code = (uint8_t)code,
        .facility = at, .next = next,
        .delay = (uint8_t)random_below(j->random, 12)};
}

/* Time passes: so many minutes at the pace of the service. */
static void pass(struct journey *j, int from_minutes, int to_minutes)
{
    static const int pace[SERVICES] = {60, 100, 160, 90};
    uint32_t seconds = (uint32_t)random_between(j->random, from_minutes * 60, to_minutes * 60);

    j->now_s += seconds * (uint32_t)pace[j->life->service] / 100 + 1;
}

/* Waits until couriers set out: 07:30 to 15:00 where the parcel is. */
static void pass_to_morning(struct journey *j, uint16_t depot)
{
    const int64_t opens_s = 27000, closes_s = 54000, day_s = 86400;
    int64_t local_s = j->life->base_ms / 1000 + j->now_s +
                      j->world->facility[depot].zone_minutes * 60;
    int64_t of_day_s = local_s % day_s;

    if (of_day_s > closes_s)
        j->now_s += (uint32_t)(day_s - of_day_s + opens_s);
    else if (of_day_s < opens_s)
        j->now_s += (uint32_t)(opens_s - of_day_s);
    j->now_s += random_below(j->random, 9000);
}

static bool is(const struct journey *j, enum oddity oddity)
{
    return j->life->oddity == oddity;
}

static void travel(struct journey *j, int from, int to)
{
    int minutes = j->world->minutes[from][to];

    if (is(j, ODD_TELEPORT)) {
        j->now_s += 60;
        return;
    }
    pass(j, minutes, minutes * 5 / 4);
}

static void visit_hub(struct journey *j, uint16_t hub, uint16_t next)
{
    add(j, MUST, CODE_ARRIVE, hub, FACILITY_NONE);
    pass(j, 5, 40);
    add(j, SELDOM, CODE_UNLOAD, hub, FACILITY_NONE);
    pass(j, 10, 60);
    add(j, OFTEN, CODE_SORT, hub, next);
    pass(j, 20, 180);
    add(j, SELDOM, CODE_LOAD, hub, next);
    pass(j, 5, 30);
    add(j, MUST, CODE_DEPART, hub, next);
}

/* The parcel turns up at a hub nobody sent it to, and is sent on to the right one. */
static void go_astray(struct journey *j, int from, uint16_t right)
{
    int wrong = city_at_home(j->world, j->random);
    uint16_t hub = j->world->place[wrong].hub;

    if (hub == right || wrong == from)
        return;
    travel(j, from, wrong);
    visit_hub(j, hub, right);
}

static void go_round(struct journey *j, int city, int other)
{
    uint16_t here = j->world->place[city].hub, there = j->world->place[other].hub;

    for (int i = 0; i < 2; i++) {
        visit_hub(j, here, there);
        travel(j, city, other);
        visit_hub(j, there, here);
        travel(j, other, city);
    }
}

static void first_mile(struct journey *j, int city, uint16_t depot)
{
    bool declares = j->life->service == SERVICE_GLOBAL && !is(j, ODD_UNDECLARED);

    add(j, is(j, ODD_NEVER) ? MUST : USUAL, CODE_LABEL, FACILITY_NONE, FACILITY_NONE);
    pass(j, 60, is(j, ODD_NEVER) ? 7000 : 900);
    if (declares)
        add(j, MUST, CODE_DECLARED, FACILITY_NONE, FACILITY_NONE);
    pass(j, 5, 60);
    add(j, MUST, CODE_PICKUP, depot, j->world->place[city].hub);
    pass(j, 30, 240);
    add(j, OFTEN, CODE_DEPART, depot, j->world->place[city].hub);
    pass(j, 30, 120);
}

/* From the hub of one city to the hub of another, over `between` hubs on the way. */
static void line_haul(struct journey *j, int from, int to, int between)
{
    const struct place *place = j->world->place;

    for (; between > 0; between--) {
        int via = city_at_home(j->world, j->random);

        if (via == from || via == to)
            continue;
        visit_hub(j, place[from].hub, place[via].hub);
        travel(j, from, via);
        from = via;
    }
    visit_hub(j, place[from].hub, place[to].hub);
    if (is(j, ODD_SILENT))
        pass(j, 4 * 1440, 6 * 1440);
    if (is(j, ODD_MISROUTED))
        go_astray(j, from, place[to].hub);
    travel(j, from, to);
}

static void customs(struct journey *j, uint16_t office, uint16_t next, bool export_side)
{
    add(j, MUST, export_side ? CODE_EXPORT_IN : CODE_IMPORT_IN, office, FACILITY_NONE);
    if (is(j, ODD_HELD) && export_side == (j->life->chance & 1)) {
        pass(j, 60, 300);
        add(j, MUST, export_side ? CODE_EXPORT_HELD : CODE_IMPORT_HELD, office, FACILITY_NONE);
        pass(j, 1440, 4320);
    }
    pass(j, 120, 900);
    add(j, MUST, export_side ? CODE_EXPORT_OUT : CODE_IMPORT_OUT, office, next);
}

/* Gateway, export customs, by air to the eHub and on to the country, import customs. */
static void cross_border(struct journey *j, int gateway, int to)
{
    const struct place *place = j->world->place;
    int hub = j->world->gateway[to];

    add(j, MUST, CODE_ARRIVE, place[gateway].hub, place[gateway].export_customs);
    pass(j, 60, 240);
    add(j, OFTEN, CODE_SORT, place[gateway].hub, place[gateway].export_customs);
    pass(j, 30, 120);
    customs(j, place[gateway].export_customs, place[gateway].airport, true);
    pass(j, 60, 240);
    add(j, OFTEN, CODE_HANDOVER, place[gateway].airport, FACILITY_NONE);
    pass(j, 60, 480);
    add(j, MUST, CODE_UPLIFT, place[gateway].airport, place[hub].airport);
    travel(j, gateway, hub);
    add(j, MUST, CODE_LANDED, place[hub].airport, FACILITY_NONE);
    pass(j, 60, 300);
    if (hub != to) {
        add(j, OFTEN, CODE_SORT, place[hub].airport, place[to].airport);
        pass(j, 60, 300);
        add(j, MUST, CODE_UPLIFT, place[hub].airport, place[to].airport);
        travel(j, hub, to);
        add(j, MUST, CODE_LANDED, place[to].airport, FACILITY_NONE);
        pass(j, 60, 300);
    }
    customs(j, place[to].import_customs, place[to].hub, false);
    pass(j, 60, 300);
}

static void attempts(struct journey *j, uint16_t depot)
{
    int failures = is(j, ODD_FAILED) ? 1 + (int)(j->life->chance % 7 == 0)
                                         + (int)(j->life->chance % 21 == 0) : 0;

    for (; failures > 0; failures--) {
        pass(j, 60, 360);
        add(j, MUST, CODE_ATTEMPT_FAILED, depot, FACILITY_NONE);
        pass_to_morning(j, depot);
        add(j, OFTEN, CODE_OUT_FOR_DELIVERY, depot, FACILITY_NONE);
    }
}

static void send_back(struct journey *j, uint16_t from, uint16_t hub)
{
    add(j, MUST, CODE_RETURN_START, from, j->life->origin);
    pass(j, 600, 1500);
    add(j, OFTEN, CODE_ARRIVE, hub, FACILITY_NONE);
    pass(j, 120, 600);
    add(j, OFTEN, CODE_DEPART, hub, j->life->origin);
    pass(j, 1200, 3000);
    add(j, MUST, CODE_RETURNED, j->life->origin, FACILITY_NONE);
}

/* Troubles of the last mile that end otherwise than at the door.  False: none of them. */
static bool ends_otherwise(struct journey *j, uint16_t depot, uint16_t hub)
{
    static const uint8_t trouble[ODDITIES] = {
        [ODD_DAMAGED] = CODE_DAMAGED, [ODD_REFUSED] = CODE_REFUSED,
        [ODD_BAD_ADDRESS] = CODE_BAD_ADDRESS, [ODD_LOST] = CODE_LOST,
        [ODD_CANCELLED] = CODE_CANCELLED, [ODD_DESTROYED] = CODE_DESTROYED};
    uint8_t code = trouble[j->life->oddity];

    if (code == 0)
        return false;
    pass(j, 120, 600);
    add(j, MUST, (enum code)code, depot, FACILITY_NONE);
    pass(j, 120, 600);
    if (code == CODE_DAMAGED || code == CODE_REFUSED || code == CODE_BAD_ADDRESS)
        send_back(j, depot, hub);
    return true;
}

static void last_mile(struct journey *j, uint16_t depot, uint16_t station, uint16_t hub)
{
    add(j, MUST, CODE_ARRIVE, depot, FACILITY_NONE);
    pass(j, 20, 90);
    add(j, SELDOM, CODE_UNLOAD, depot, FACILITY_NONE);
    add(j, OFTEN, CODE_SORT, depot, FACILITY_NONE);
    if (is(j, ODD_REROUTED))
        add(j, MUST, CODE_REROUTED, depot, station);
    pass_to_morning(j, depot);
    if (!is(j, ODD_UNSEEN))
        add(j, MUST, CODE_OUT_FOR_DELIVERY, depot, FACILITY_NONE);
    attempts(j, depot);
    if (ends_otherwise(j, depot, hub))
        return;
    pass(j, 30, 360);
    if (is(j, ODD_UNCOLLECTED)) {
        add(j, MUST, CODE_STATION_IN, station, FACILITY_NONE);
        pass(j, 2 * 1440, 4 * 1440);
        if (j->life->chance & 1) {
            send_back(j, station, hub);
            return;
        }
    } else if (!is(j, ODD_UNSEEN) && j->life->chance % 100 < 55) {
        add(j, OFTEN, CODE_STATION_IN, station, FACILITY_NONE);
        pass(j, 60, 1200);
    }
    add(j, MUST, CODE_DELIVERED, j->life->chance % 100 < 55 ? station : depot, FACILITY_NONE);
    if (is(j, ODD_FAR))
        j->step[j->count - 1].flags |= STEP_FAR;
}

/* The number is used again days after it ended: a second, shorter life. */
static void live_again(struct journey *j)
{
    uint16_t depot = j->life->dest;

    pass(j, 1440, 3 * 1440);
    add(j, MUST, CODE_PICKUP, depot, FACILITY_NONE);
    pass(j, 600, 1200);
    add(j, OFTEN, CODE_ARRIVE, depot, FACILITY_NONE);
    pass(j, 600, 1200);
    add(j, OFTEN, CODE_OUT_FOR_DELIVERY, depot, FACILITY_NONE);
    pass(j, 60, 300);
    add(j, OFTEN, CODE_DELIVERED, depot, FACILITY_NONE);
}

static void promise(struct journey *j, int from)
{
    static const int days[SERVICES] = {3, 5, 8, 7};
    int64_t whole = is(j, ODD_OVERDUE) ? 1 : days[j->life->service];
    int64_t midnight = j->life->base_ms / DAY_MS * DAY_MS;

    j->life->promise_ms = midnight + whole * DAY_MS + 20 * HOUR_MS -
                          city_table[from].zone_minutes * (int64_t)MINUTE_MS;
}

static void mark(struct journey *j, int step, enum step_flags flag)
{
    j->step[step].flags |= (uint8_t)flag;
    j->priority[step] = MUST;
}

void journey_draft(struct journey *j, int length)
{
    const struct place *place = j->world->place;
    bool global = j->life->service == SERVICE_GLOBAL;
    int from = city_at_home(j->world, j->random);
    int to = global ? city_abroad(j->world, j->random) : city_at_home(j->world, j->random);
    int gateway = global ? city_export(j->random) : to;
    int between = length < 12 ? 0 : length > 20 ? (length - 10) / 5 : length > 14 ? 1 : 0;
    uint16_t depot = place[to].depot[random_below(j->random, DEPOTS)];
    uint16_t station = place[to].station[random_below(j->random, STATIONS)];

    j->life->origin = place[from].depot[random_below(j->random, DEPOTS)];
    j->life->dest = depot;
    promise(j, from);
    first_mile(j, from, j->life->origin);
    if (is(j, ODD_LOOPED) && from != to)
        go_round(j, from, to);
    if (from != gateway)
        line_haul(j, from, gateway, global ? 0 : between);
    if (global)
        cross_border(j, gateway, to);
    visit_hub(j, place[to].hub, depot);
    pass(j, 30, 120);
    last_mile(j, depot, station, place[to].hub);
    if (is(j, ODD_REUSED))
        live_again(j);
    if (is(j, ODD_SKEWED))
        mark(j, j->count / 2, STEP_SKEWED);
    if (is(j, ODD_WEIGHT))
        mark(j, j->count / 3, STEP_HEAVY);
}

/* How many of the draft have a priority below each; the limit that keeps `length`. */
static int limit_of(const struct journey *j, int length, int *at_limit)
{
    uint8_t seen[256] = {0};
    int kept = 0;

    for (int i = 0; i < j->count; i++)
        seen[j->priority[i]]++;
    for (int p = 0; p < 256; p++) {
        if (kept + seen[p] >= length) {
            *at_limit = length - kept;
            return p;
        }
        kept += seen[p];
    }
    *at_limit = 0;
    return 256;
}

void journey_keep(struct journey *j, int length)
{
    const uint64_t longest_ms = (uint64_t)LIFE_DAYS_MAX * DAY_MS;
    uint64_t last_ms = j->step[j->count - 1].at_ms;
    struct life *l = j->life;
    int at_limit, limit = limit_of(j, length < 1 ? 1 : length, &at_limit);

    l->steps = 0;
    for (int i = 0; i < j->count; i++) {
        if (j->priority[i] > limit || (j->priority[i] == limit && at_limit-- <= 0))
            continue;
        l->plan[l->steps] = j->step[i];
        if (last_ms > longest_ms)
            l->plan[l->steps].at_ms = (uint32_t)(j->step[i].at_ms * longest_ms / last_ms);
        l->steps++;
    }
}
