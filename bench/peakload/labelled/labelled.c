/* labelled.c - a trip becomes a life and its truths. */
#include "bench/peakload/labelled/labelled.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/peakload/labelled/trip.h"
#include "bench/peakload/say.h"
#include "bench/peakload/times.h"

/* Causes begin when consumers have seen some days of the usual. */
enum { SAMPLE = 40000, QUIET_DAYS = 4, DAY_S = 86400, SPARE_S = 3600, EDGE_S = 120, TRIES = 20,
       UNDERDECLARED_LEAST = 80, UNDERDECLARED_MOST = 3000, PATH_SIZE = 512,
       SCALES_PERCENT = 9 };

struct labelled {
    struct lanes  lanes;
    struct norms  norms;
    struct nature nature;
    struct truth_file *file;
    struct tally  tally;
    int64_t       start_s;
};

static void begin_trip(struct labelled *w, struct trip *t, struct life *l, struct random *r,
                       int64_t base_ms)
{
    *t = (struct trip) {.lanes = &w->lanes, .norms = &w->norms, .random = r, .life = l,
                        .base_s = base_ms / 1000, .now_s = base_ms / 1000,
                        .end_s = w->start_s + (int64_t)WORLD_DAYS * DAY_S};
    l->steps = 0;
    l->skew_s = 0;
    l->again_ms = 0;
}

static void find_norms(struct labelled *w)
{
    struct life life;
    struct trip trip;

    for (uint64_t i = 0; i < SAMPLE; i++) {
        struct random r = random_of(~w->nature.seed, i);
        int64_t base_ms = (w->start_s + (int64_t)(i * BIRTH_DAYS * DAY_S / SAMPLE)) * 1000;
        int way;

        life_begin(&life, &w->nature, &r, i, base_ms);
        begin_trip(w, &trip, &life, &r, base_ms);
        trip.sampling = true;
        way = way_tell(&trip);
        norms_whole(&w->norms, life.service, way, trip.arrived_s - trip.picked_s);
    }
}

static int write_reference(const struct labelled *w, const char *folder, const char *name,
                           void (*print)(const struct labelled *, FILE *))
{
    char path[PATH_SIZE];
    FILE *out;
    int failed;

    snprintf(path, sizeof path, "%s/%s.csv", folder, name);
    out = fopen(path, "w");
    if (out == NULL)
        return say("%s: %s", path, strerror(errno));
    print(w, out);
    failed = ferror(out) != 0;
    failed |= fclose(out) != 0;
    return failed ? say("%s: not all could be written", path) : 0;
}

static void print_facilities(const struct labelled *w, FILE *out)
{
    world_print(w->lanes.world, out);
}

static void print_departures(const struct labelled *w, FILE *out)
{
    lanes_print_departures(&w->lanes, out);
}

static void print_routes(const struct labelled *w, FILE *out)
{
    lanes_print_routes(&w->lanes, out);
}

static void print_calendars(const struct labelled *w, FILE *out)
{
    workdays_print(&w->lanes.days, out);
}

static int write_references(const struct labelled *w, const char *folder)
{
    if (folder == NULL)
        return 0;
    return write_reference(w, folder, "facilities", print_facilities) |
           write_reference(w, folder, "departures", print_departures) |
           write_reference(w, folder, "routes", print_routes) |
           write_reference(w, folder, "calendars", print_calendars);
}

struct labelled *labelled_open(const struct world *world, const struct nature *nature,
                               int64_t start_ms, const char *truth, const char *reference)
{
    struct labelled *w = must(calloc(1, sizeof *w));

    w->nature = *nature;
    w->nature.oddities = 0;
    w->start_s = start_ms / 1000;
    lanes_make(&w->lanes, world, w->start_s);
    find_norms(w);
    w->file = truth_open(truth);
    if (w->file != NULL && write_references(w, reference) == 0)
        return w;
    if (w->file != NULL)
        truth_close(w->file, &w->tally);
    free(w);
    return NULL;
}

static void choose(const struct labelled *w, struct trip *t)
{
    const struct life *l = t->life;
    struct chances c = {l->service == SERVICE_GLOBAL, l->service == SERVICE_ECONOMY};

    if (t->base_s < w->start_s + (int64_t)QUIET_DAYS * DAY_S)
        return;
    t->cause = causes_choose(t->random, c);
    if (t->cause == CAUSE_NONE)
        t->confuser = confusers_choose(t->random, c);
}

/* What is wrong with its weight is so from the beginning. */
static void weigh(struct trip *t)
{
    struct life *l = t->life;
    int32_t apart_g;

    if (t->confuser == CONFUSER_SCALES) {
        l->weight_g = l->declared_g + l->declared_g * SCALES_PERCENT / 100;
        t->confused = true;
    }
    if (t->cause != CAUSE_UNDERDECLARED)
        return;
    apart_g = (int32_t)(l->declared_g *
                        trip_spread(t, UNDERDECLARED_LEAST, UNDERDECLARED_MOST) / 1000);
    l->weight_g = l->declared_g + apart_g;
}

static void tell_weight(struct trip *t)
{
    const struct life *l = t->life;
    struct truth *truth;

    if (t->cause != CAUSE_UNDERDECLARED || l->weight_g == l->declared_g)
        return;
    t->began_s = t->picked_s;
    truth = trip_truth(t, "weight-mismatch");
    truth->start_s = t->picked_s;
    truth->amount = l->weight_g - l->declared_g;
    truth->of = l->declared_g;
}

/* The promise was made for the day on which it should have been collected. */
static void promise(const struct labelled *w, struct trip *t, int way)
{
    t->life->promise_ms = (t->picked_s + w->norms.whole_s[t->life->service][way] + SPARE_S) * 1000;
}

/* The promise against what came of it. */
static void tell_lateness(struct labelled *w, struct trip *t)
{
    int64_t promise_s = t->life->promise_ms / 1000;
    int64_t over_s = t->arrived_s != 0 ? t->arrived_s : t->terminal_s;
    bool late = over_s == 0 || over_s > promise_s;
    bool close = over_s <= promise_s && over_s + EDGE_S > promise_s;
    struct truth *truth;
    struct lateness lateness = {promise_s, t->arrived_s, t->cause != CAUSE_NONE ? t->began_s : 0,
                                t->excused_s != 0 && t->excused_s < promise_s};

    if (!late && !close && t->taken_back_s <= promise_s)
        return;
    truth = trip_truth(t, "promise-broken");
    truth->start_s = promise_s;
    truth->end_s = over_s;
    truth->amount = over_s != 0 ? over_s - promise_s : 0;
    truth->may = !late || t->taken_back_s != 0;
    if (late && t->taken_back_s == 0)
        truth_late(w->file, t->life->number, t->life->number_length, cause_name(t->cause),
                   &lateness);
}

static void write_truths(struct labelled *w, struct trip *t)
{
    const struct life *l = t->life;

    tell_weight(t);
    tell_lateness(w, t);
    for (int i = 0; i < t->truths; i++)
        truth_write(w->file, l->number, l->number_length, cause_name(t->cause), &t->truth[i]);
    w->tally.caused += t->cause != CAUSE_NONE && t->began_s != 0;
    if (t->confused) {
        truth_confuser(w->file, l->number, l->number_length, confuser_name(t->confuser));
        w->tally.confused++;
    }
}

void labelled_make(struct labelled *w, struct life *l, uint64_t index, int64_t base_ms)
{
    struct random r = random_of(w->nature.seed, index);
    struct trip trip;
    int32_t weight_g;
    int way, tries = 0;

    life_begin(l, &w->nature, &r, index, base_ms);
    weight_g = l->weight_g;
    do {
        l->weight_g = weight_g;
        begin_trip(w, &trip, l, &r, base_ms);
        if (tries++ < TRIES / 2)
            choose(w, &trip);
        weigh(&trip);
        way = way_tell(&trip);
    } while (trip.spoilt && tries < TRIES);
    promise(w, &trip, way);
    weave_trip(&trip, &w->tally);
    write_truths(w, &trip);
}

int labelled_close(struct labelled *w, bool whole)
{
    int result = truth_close(w->file, whole ? &w->tally : NULL);

    free(w);
    return result;
}
