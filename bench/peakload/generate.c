/* generate.c - runs the simulated network: births, the calendar, and the messages. */
#include "bench/peakload/generate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/peakload/broken.h"
#include "bench/peakload/calendar.h"
#include "bench/peakload/labelled/labelled.h"
#include "bench/peakload/pace.h"
#include "bench/peakload/partition.h"
#include "bench/peakload/say.h"
#include "bench/peakload/scanjson.h"
#include "bench/peakload/times.h"

enum { SAMPLE = 500, LATE_MS = 1000, LATEST_MS = STEPS_MAX * LATE_MS };

struct network {
    const struct generate *options;
    struct world    world;
    struct labelled *labelled;  /* NULL = an ordinary network */
    struct calendar calendar;
    struct run      run;
    struct broken   broken;
    double   births_per_s;      /* of the simulated clock */
    double   broken_due;        /* broken messages owed   */
    int64_t  start_ms;          /* of the simulated clock, or of the run */
    int64_t  scans_unplanned;   /* scans not yet given to a life */
    uint64_t born, broken_sent;
    uint64_t worker, workers;   /* this one's parcels are those whose index % workers = worker */
    uint32_t second;            /* of the simulated clock */
    bool     stopped;
};

static bool endless(const struct generate *g)
{
    return g->parcels < 0;
}

static double mean_length(const struct generate *g)
{
    return endless(g) ? SCANS_PER_PARCEL : (double)g->scans / (double)g->parcels;
}

/* How long a life lasts in the mean, by trying some. */
static double mean_life_s(struct network *n)
{
    struct length wanted = {mean_length(n->options), 1, STEPS_MAX};
    double   sum = 0;
    struct life life;

    for (uint64_t i = 0; i < SAMPLE; i++) {
        life_make(&life, &n->world, &n->options->nature, i, (int64_t)i * DAY_MS / SAMPLE, wanted);
        sum += life.plan[life.steps - 1].at_ms / 1000.0;
    }
    return sum / SAMPLE > 1 ? sum / SAMPLE : 1;
}

/* The constant rate, or a curve's mean; 0 = as fast as possible. */
static double typical_rate(const struct generate *g)
{
    double lasts = schedule_lasts(&g->run.schedule);

    return lasts > 0 ? schedule_count(&g->run.schedule, lasts) / lasts : g->run.schedule.rate;
}

/* Parcels under way at once.  Small enough that a short run shows whole lives. */
static double choose_alive(const struct generate *g)
{
    double rate = typical_rate(g), alive = rate > 0 ? rate * 10 : 200000;

    if (g->alive > 0)
        return (double)g->alive;
    if (!endless(g))
        return g->parcels > 1 ? (double)g->parcels / 2 : 1;
    return alive < 1000 ? 1000 : alive > 1e6 ? 1e6 : alive;
}

static void set_labelled_clocks(struct network *n)
{
    const struct generate *g = n->options;

    n->births_per_s = (double)g->parcels / (BIRTH_DAYS * (DAY_MS / 1000.0));
    n->start_ms = g->start_ms != 0 ? g->start_ms : wall_ms() - WORLD_DAYS * (int64_t)DAY_MS;
    n->start_ms -= n->start_ms % 1000;
}

static void set_clocks(struct network *n)
{
    const struct generate *g = n->options;

    if (g->truth != NULL) {
        set_labelled_clocks(n);
        return;
    }
    n->births_per_s = choose_alive(g) / mean_life_s(n);
    if (g->speed > 0 && g->alive == 0 && g->run.schedule.rate > 0)
        n->births_per_s = g->run.schedule.rate / (mean_length(g) * g->speed);
    n->start_ms = wall_ms() - (g->times == TIMES_NOW ? LATEST_MS : 0);
    if (g->start_ms != 0)
        n->start_ms = g->start_ms;
    else if (g->times == TIMES_SIMULATED && !endless(g))
        /* No event may lie ahead of the clock: the last parcel may live its longest. */
        n->start_ms -= (int64_t)((double)g->parcels / n->births_per_s * 1000) +
                       LIFE_DAYS_MAX * (int64_t)DAY_MS + HOUR_MS;
}

/* Shares the scans that are left among the parcels that are left: exact in the end, even
 * though lives differ in length.  The last few are all of the mean length. */
static struct length share_length(const struct network *n)
{
    int64_t parcels = n->options->parcels - (int64_t)n->born;
    int64_t least = n->scans_unplanned - (parcels - 1) * STEPS_MAX;
    int64_t most = n->scans_unplanned - (parcels - 1);
    struct length wanted = {SCANS_PER_PARCEL, 1, STEPS_MAX};

    if (endless(n->options))
        return wanted;
    wanted.mean = (double)n->scans_unplanned / (double)parcels;
    if (parcels <= 64)
        least = most = n->scans_unplanned / parcels;
    wanted.min = least < 1 ? 1 : (int)least;
    wanted.max = most > STEPS_MAX ? STEPS_MAX : (int)most;
    return wanted;
}

static void schedule(struct network *n, uint32_t slot)
{
    struct life *l = &n->calendar.life[slot];
    const struct step *s = &l->plan[l->step];
    uint32_t unit_s = s->flags & STEP_LONG ? LONG_DELAY_UNIT_S : DELAY_UNIT_S;
    uint32_t due_s = l->birth_s + s->at_ms / 1000 + 1 + s->delay * unit_s;

    l->due_s = due_s > n->second ? due_s : n->second + 1;
    calendar_put(&n->calendar, slot);
}

static void give_birth(struct network *n)
{
    uint32_t slot = calendar_birth(&n->calendar);
    struct life *l = &n->calendar.life[slot];
    int64_t base_ms = n->options->times == TIMES_NOW ? n->run.pace.now_ms
                                                     : n->start_ms + n->second * INT64_C(1000);

    if (n->labelled != NULL)
        labelled_make(n->labelled, l, n->born, base_ms);
    else
        life_make(l, &n->world, &n->options->nature, n->born * n->workers + n->worker, base_ms,
                  share_length(n));
    l->birth_s = n->second;
    n->born++;
    n->scans_unplanned -= l->steps;
    schedule(n, slot);
}

/* Event time of a step that is sent now.  It is kept in the plan for what repeats it. */
static int64_t stamp_now(struct network *n, struct life *l, struct step *s)
{
    uint32_t now = (uint32_t)(n->run.pace.now_ms - n->start_ms);

    if (s->flags & (STEP_REPEAT | STEP_RETRACTS) && !(s->flags & STEP_NEAR))
        s->at_ms = l->plan[s->of].at_ms;
    else if (s->flags & STEP_LATE)
        s->at_ms = l->plan[l->step - 1].at_ms - LATE_MS;
    else
        s->at_ms = now;
    return n->start_ms + s->at_ms;
}

static int64_t event_ms(struct network *n, struct life *l, struct step *s)
{
    int64_t time_ms = n->options->times == TIMES_NOW ? stamp_now(n, l, s) : l->base_ms + s->at_ms;

    return s->flags & STEP_SKEWED ? time_ms + l->skew_s * INT64_C(1000) : time_ms;
}

static int send_broken(struct network *n, const char *json, size_t length, const struct life *l,
                       int64_t kafka_ms)
{
    struct broken *b = &n->broken;
    int32_t partitions = sender_partitions(n->run.sender), home;
    struct header expect = {"peakload-expect", NULL, 15, 0};

    broken_make(b, n->broken_sent++, json, length, l->number, l->number_length, partitions > 1);
    expect.value = b->expect;
    expect.length = strlen(b->expect);
    home = partition_of(b->key, b->key_length, partitions);
    return sender_send(n->run.sender, &(struct message) {
        .key = b->key, .key_length = b->key_length, .value = b->null ? NULL : b->value,
        .length = b->length, .kafka_ms = kafka_ms,
        .partition = b->stray ? (home + 1) % partitions : home, .headers = 1,
        .header = &expect});
}

static int send_scan(struct network *n, struct life *l)
{
    const struct generate *g = n->options;
    struct step *s = &l->plan[l->step];
    char json[SCAN_JSON_MAX];
    size_t length = scan_json(json, &n->world, l, s, event_ms(n, l, s));
    int64_t kafka_ms = g->times == TIMES_NOW
        ? -1 : n->start_ms + n->second * INT64_C(1000) + l->chance % 1000;

    n->broken_due += g->broken / (1 - g->broken);
    for (; n->broken_due >= 1; n->broken_due--)
        if (send_broken(n, json, length, l, kafka_ms) != 0)
            return -1;
    return sender_send(n->run.sender, &(struct message) {
        .key = l->number, .key_length = l->number_length, .value = json, .length = length,
        .kafka_ms = kafka_ms, .partition = -1,
        .intended_us = n->run.watch != NULL ? pace_intended_us(&n->run.pace) : 0});
}

/* Everything due in one simulated second.  -1: the sender failed. */
static int run_second(struct network *n)
{
    struct calendar *c = &n->calendar;
    uint32_t slot = calendar_take(c, n->second), next;

    for (; slot != CALENDAR_END; slot = next) {
        struct life *l = &c->life[slot];

        next = l->link;
        if (next != CALENDAR_END)
            __builtin_prefetch(&c->life[next]);
        if (l->due_s > n->second) {
            calendar_put(c, slot);
            continue;
        }
        if (!pace_next(&n->run.pace, n->run.sender)) {
            n->stopped = true;
            return 0;
        }
        if (send_scan(n, l) != 0)
            return -1;
        if (++l->step == l->steps)
            calendar_death(c, slot);
        else
            schedule(n, slot);
    }
    return 0;
}

static int run_network(struct network *n)
{
    const struct generate *g = n->options;
    uint64_t limit = endless(g) ? UINT64_MAX : (uint64_t)g->parcels;

    for (; !n->stopped && (n->born < limit || n->calendar.alive > 0); n->second++) {
        uint64_t births = (uint64_t)(((double)n->second + 1) * n->births_per_s);

        while (n->born < births && n->born < limit)
            give_birth(n);
        if (g->speed > 0 &&
            !pace_until(&n->run.pace, n->run.sender, (uint64_t)(n->second * 1e9 / g->speed)))
            break;
        if (run_second(n) != 0)
            return -1;
    }
    return 0;
}

static void print_more(void *self, FILE *out)
{
    const struct network *n = self;
    const struct generate *g = n->options;

    fprintf(out, ",\"seed\":%llu,\"scans\":%llu,\"broken\":%llu,\"parcels\":%llu",
            (unsigned long long)g->nature.seed,
            (unsigned long long)(sender_totals(n->run.sender).sent - n->broken_sent),
            (unsigned long long)n->broken_sent, (unsigned long long)n->born);
}

static int write_facilities(const struct world *w, const char *file)
{
    FILE *out = strcmp(file, "-") == 0 ? stdout : fopen(file, "w");
    int   failed;

    if (out == NULL)
        return say("%s: %s", file, strerror(errno));
    world_print(w, out);
    failed = fflush(out) != 0;
    if (failed)
        say("%s: %s", file, strerror(errno));
    if (out != stdout)
        fclose(out);
    return failed ? -1 : 0;
}

/* Kafka's simulated timestamps must not be older than what the topic keeps. */
static bool too_old(struct network *n)
{
    return n->options->times == TIMES_SIMULATED &&
           sender_check_age(n->run.sender, n->start_ms) != 0;
}

static int open_labelled(struct network *n)
{
    const struct generate *g = n->options;

    if (g->truth == NULL)
        return 0;
    n->labelled = labelled_open(&n->world, &g->nature, n->start_ms, g->truth, g->reference);
    return n->labelled == NULL ? -1 : 0;
}

static void begin(struct network *n)
{
    const struct span *span = &n->options->run.span;

    n->broken.value = must(malloc(BROKEN_BYTES_MAX + SCAN_JSON_MAX));
    n->scans_unplanned = n->options->scans;
    n->worker = (uint64_t)span->worker;
    n->workers = span->workers > 0 ? (uint64_t)span->workers : 1;
    calendar_make(&n->calendar);
}

int generate_run(struct generate *g)
{
    struct network *n = must(calloc(1, sizeof *n));
    int result = run_open(&n->run, &g->run);
    bool failed;

    n->options = g;
    if (result == EXIT_DONE) {
        world_make(&n->world, g->nature.seed);
        begin(n);
        set_clocks(n);
        failed = too_old(n) || open_labelled(n) != 0;
        run_begin(&n->run);
        if (!failed)
            failed = run_network(n) != 0;
        if (n->labelled != NULL)
            failed |= labelled_close(n->labelled, !failed && !n->stopped && !stop_wanted) != 0;
        result = run_end(&n->run, "generate", failed, print_more, n);
        calendar_free(&n->calendar);
        free(n->broken.value);
    }
    free(n);
    return result;
}

int generate_main(int argc, char **argv)
{
    static struct generate options;
    static struct world world;
    int result = generate_options(&options, argc, argv);

    if (result != 0)
        return result > 0 ? EXIT_DONE : EXIT_USAGE;
    world_make(&world, options.nature.seed);
    if (options.csv_facilities != NULL && write_facilities(&world, options.csv_facilities) != 0)
        return EXIT_FAILED;
    return options.scans == 0 ? EXIT_DONE : generate_run(&options);
}
