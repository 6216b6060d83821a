/* score.c - forecasts in a list, chained by parcel; medians to compare with. */
#include "stages/command/score.h"

#include <stdlib.h>

#include "pipeline/check.h"
#include "stages/eta/histogram.h"

enum { TABLE_FIRST = 1024, LANE_SAMPLES_MIN = 30, HOUR = 3600, DAY = 86400 };

/* What is found by a hash: the last forecast of a parcel, or the median of a lane. */
struct found {
    uint64_t         key;       /* 0 = empty                                             */
    uint32_t         last;      /* forecast's number + 1                                  */
    uint32_t         samples;
    struct histogram durations;
};

struct by_hash {
    struct found *list;
    uint32_t      size, count;
};

static struct {
    struct forecast *list;
    uint32_t         count, size;
    struct by_hash   parcels, lanes;
} kept;

static struct found *slot_of(const struct by_hash *t, uint64_t key)
{
    uint32_t at = (uint32_t)(key * 0x9E3779B97F4A7C15u >> 32) & (t->size - 1);

    while (t->list[at].key != 0 && t->list[at].key != key)
        at = (at + 1) & (t->size - 1);
    return &t->list[at];
}

static struct found *find(struct by_hash *t, uint64_t key)
{
    key += key == 0;
    if (t->count * 2 >= t->size) {
        struct by_hash old = *t;

        t->size = old.size == 0 ? (uint32_t)TABLE_FIRST : 2 * old.size;
        t->list = calloc(t->size, sizeof *t->list);
        CHECK(t->list != NULL);
        for (uint32_t i = 0; i < old.size; i++)
            if (old.list[i].key != 0)
                *slot_of(t, old.list[i].key) = old.list[i];
        free(old.list);
    }
    struct found *found = slot_of(t, key);

    t->count += found->key == 0;
    found->key = key;
    return found;
}

void score_begin(void)
{
    CHECK(kept.list == NULL && kept.parcels.list == NULL && kept.lanes.list == NULL);
}

void score_end(void)
{
    free(kept.list);
    free(kept.parcels.list);
    free(kept.lanes.list);
    kept.list = NULL;
    kept.count = kept.size = 0;
    kept.parcels = kept.lanes = (struct by_hash) {0};
}

/* ── Medians ──────────────────────────────────────────────────────────────── */

static uint64_t global_of(const struct forecast *f)
{
    return 1 + (uint64_t)f->code;
}

static uint64_t lane_of(const struct forecast *f)
{
    return (f->lane ^ global_of(f) << 56) | 1ull << 63;
}

static void median_learn(uint64_t key, uint32_t seconds)
{
    struct found *m = find(&kept.lanes, key);

    m->samples++;
    histogram_add(&m->durations, bucket_of(seconds), 32, seconds * 0x9E3779B1u);
}

/* Seconds; 0 = fewer samples than that. */
static uint32_t median_ask(uint64_t key, uint32_t samples_min)
{
    static const double half[QUANTILES] = {0.5, 0.5, 0.5};
    const struct found *m = find(&kept.lanes, key);
    double seconds[QUANTILES];

    if (m->samples < samples_min)
        return 0;
    struct blend blend = {.parts = 1, .of = {&m->durations}, .mass = 1,
                          .share = {1 / (float)histogram_total(&m->durations)}};

    (void)blend_quantiles(&blend, 0, half, seconds);
    return (uint32_t)seconds[0];
}

/* ── Forecasts ────────────────────────────────────────────────────────────── */

void score_add(struct forecast f)
{
    struct found *parcel = find(&kept.parcels, f.parcel);
    uint32_t global_s = median_ask(global_of(&f), 1);
    uint32_t lane_s = median_ask(lane_of(&f), LANE_SAMPLES_MIN);

    f.global_s = global_s != 0 ? f.at_s + global_s : 0;
    f.lane_s = lane_s != 0 ? f.at_s + lane_s : f.global_s;
    f.arrived_s = 0;
    f.before = parcel->last;
    if (kept.count == kept.size) {
        kept.size = kept.size == 0 ? (uint32_t)TABLE_FIRST : 2 * kept.size;
        kept.list = realloc(kept.list, kept.size * sizeof *kept.list);
        CHECK(kept.list != NULL);
    }
    kept.list[kept.count++] = f;
    parcel->last = kept.count;
}

void score_arrived(uint64_t parcel, uint32_t arrived_s)
{
    struct found *found = find(&kept.parcels, parcel);

    for (uint32_t i = found->last; i != 0; i = kept.list[i - 1].before) {
        struct forecast *f = &kept.list[i - 1];

        if (f->at_s >= arrived_s || f->arrived_s != 0)
            continue;
        f->arrived_s = arrived_s;
        median_learn(global_of(f), arrived_s - f->at_s);
        median_learn(lane_of(f), arrived_s - f->at_s);
    }
    found->last = 0;
}

/* ── How good they were ───────────────────────────────────────────────────── */

static const struct { const char *name; uint32_t below_s; } horizons[HORIZONS] = {
    {"below 6 h", 6 * HOUR}, {"6 h to 1 d", DAY},        {"1 to 2 d", 2 * DAY},
    {"2 to 4 d", 4 * DAY},   {"4 to 10 d", 10 * DAY},    {"above 10 d", UINT32_MAX}};

const char *horizon_name(enum horizon h)
{
    CHECK(h < HORIZONS);
    return horizons[h].name;
}

static bool is_wanted(const struct forecast *f, enum horizon h, enum scan_code code,
                      bool headline)
{
    uint32_t left_s = f->arrived_s - f->at_s;

    return f->arrived_s != 0 && f->scored && (code == SCAN_NONE || f->code == code)
        && (!headline || f->headline)
        && (h == HORIZONS || (left_s < horizons[h].below_s
                              && (h == 0 || left_s >= horizons[h - 1].below_s)));
}

static double distance(uint32_t a, uint32_t b)
{
    return a > b ? a - b : b - a;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void score_one(struct score *s, const struct forecast *f)
{
    double late_s = (double)f->arrived_s - f->p90_s;

    s->count++;
    s->mae_s += distance(f->p50_s, f->arrived_s);
    s->pinball_s += late_s > 0 ? 0.9 * late_s : -0.1 * late_s;
    s->p80_coverage += f->arrived_s <= f->p80_s;
    s->p90_coverage += f->arrived_s <= f->p90_s;
    s->promises += f->promise_s != 0;
    s->promise_mae_s += f->promise_s != 0 ? distance(f->promise_s, f->arrived_s) : 0;
    s->globals += f->global_s != 0;
    s->global_mae_s += f->global_s != 0 ? distance(f->global_s, f->arrived_s) : 0;
    s->lanes += f->lane_s != 0;
    s->lane_mae_s += f->lane_s != 0 ? distance(f->lane_s, f->arrived_s) : 0;
}

static double mean(double sum, uint64_t count)
{
    return count > 0 ? sum / (double)count : 0;
}

struct score score_of(enum horizon h, enum scan_code code, bool headline)
{
    struct score s = {.count = 0};
    double      *errors = malloc((kept.count + 1) * sizeof *errors);

    CHECK(errors != NULL);
    for (uint32_t i = 0; i < kept.count; i++) {
        const struct forecast *f = &kept.list[i];

        if (!is_wanted(f, h, code, headline))
            continue;
        errors[s.count] = distance(f->p50_s, f->arrived_s);
        score_one(&s, f);
    }
    if (s.count > 0) {
        qsort(errors, s.count, sizeof *errors, by_value);
        s.median_s = errors[s.count / 2];
    }
    free(errors);
    s.mae_s = mean(s.mae_s, s.count);
    s.pinball_s = mean(s.pinball_s, s.count);
    s.p80_coverage = mean(s.p80_coverage, s.count);
    s.p90_coverage = mean(s.p90_coverage, s.count);
    s.promise_mae_s = mean(s.promise_mae_s, s.promises);
    s.global_mae_s = mean(s.global_mae_s, s.globals);
    s.lane_mae_s = mean(s.lane_mae_s, s.lanes);
    return s;
}
