/* model.c - cells of histograms by (family, level, key): learned, asked.
 *
 * Decay goes forward (Cormode et al., "Forward decay", 2009): instead of old
 * samples losing weight each second, new ones gain it, 2^(time ÷ half-life),
 * counted from the beginning of an *era* of one half-life; a cell that is touched
 * in a later era is halved for each that has passed.
 *
 * A scan asks for what a cell has in its notes: which are made when it learns, so that a
 * question is one look-up, and an estimate moves when enough has been learned, not each time.
 *
 * Every result is a function of the calls made and of nothing else: neither the order of
 * cells in memory nor what a checkpoint did in between has any say, and a cell that was
 * stored and restored is the same to the last bit.
 */
#include "stages/eta/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/check.h"
#include "stages/eta/cells.h"
#include "stages/eta/model_store.h"
#include "stages/eta/short.h"

static const double STEP_GROWTH = 1.0108892860517005; /* 2^(1/64) */
static const double FLAT_SAMPLES = 1;   /* what no cell has seen is not impossible: one sample
                                           spread over all buckets lies under the global level */
/* Levels that would share less than this among them are not asked: a quantile is then that of a
 * probability at most so much away. */
static const double NEGLIGIBLE = 1.0 / 256;

enum { STANDS_FOR_MAX = 4, NOTE_BITS = 11, NOTES_EVERY = 8, NOTES_SAMPLES_MIN = 2,
       DWELL_SUPPORT_MIN = 50, PRUNE_EVERY_S = 6 * 3600 };
/* P90's factor: a forecast too early moves it up by 4.5 %, any other down by 0.5 %, so that it
 * rests where one in ten is.  What is said today is judged when the parcel has arrived: a network
 * that slows down is seen late, so a sixteenth more than it took has to be covered. */
enum { JUDGED_LATE = 16, FACTOR_UP = 45, FACTOR_DOWN = 5, FACTOR_PARTS = 1000,
       FACTOR_MIN = FACTOR_ONE / 4, FACTOR_MAX = FACTOR_ONE * 6 };

/* ── Keys ────────────────────────────────────────────────────────────────────────────── */

enum nearness { NEAR_UNKNOWN, NEAR_ELSEWHERE, NEAR_REGION, NEAR_AREA, NEAR_THERE };

/* A key as it is in any partition: what its names mean; without a dictionary, numbers mean
 * themselves. */
struct meaning {
    struct name_codes place, dest;
    uint64_t          service, code_near;
};

static inline struct name_codes codes_of(const struct model *m, name_id id)
{
    return m->names != NULL ? *names_codes(m->names, NAME_PLACE, id)
                            : (struct name_codes) {id, id, id};
}

static inline struct meaning meaning_of(const struct model *m, struct model_key key)
{
    struct meaning w = {codes_of(m, key.place), codes_of(m, key.dest), key.service, 0};
    enum nearness  near = w.place.self == 0 || w.dest.self == 0 ? NEAR_UNKNOWN
                        : w.place.self == w.dest.self           ? NEAR_THERE
                        : w.place.area == w.dest.area           ? NEAR_AREA
                        : w.place.region == w.dest.region       ? NEAR_REGION : NEAR_ELSEWHERE;

    if (m->names != NULL)
        w.service = names_codes(m->names, NAME_SERVICE, key.service)->self;
    w.code_near = (uint64_t)key.code << 8 | near;
    return w;
}

/* Dwells were learned by destination once: those cells go cold under their keys of then. */
static const uint64_t TO_NEXT_STOP = 1ull << 20;

static inline uint64_t key_mix(uint64_t x, enum model_family family, uint32_t level)
{
    x = (x ^ x >> 32) * 0x9E3779B97F4A7C15u;
    x ^= x >> 29;
    return (x * 0xBF58476D1CE4E5B9u & ~31ull) | (uint64_t)family << 3 | level;
}

static inline uint64_t leg_key_at(const struct meaning *w, uint32_t level)
{
    uint64_t x = level != 3 ? w->service << 32 : 0;

    if (level > 1)
        x += w->place.self * 0xA0761D6478BD642Fu;
    if (level > 2)
        x += w->dest.self * 0xD6E8FEB86659FD93u;
    return key_mix(level > 4 ? x + w->code_near : x, MODEL_LEG, level);
}

/* The key at a level, from 1 on. */
static inline uint64_t key_at(const struct meaning *w, enum model_family family, uint32_t level)
{
    if (family == MODEL_LEG)
        return leg_key_at(w, level);
    uint64_t x = w->code_near + (level == 1 || family == MODEL_REMAINING ? w->service << 32 : 0);

    if (family == MODEL_DWELL)
        x += TO_NEXT_STOP;

    if (level > 1)
        x += (level < 4 ? w->dest.region : w->dest.area) * 0xD6E8FEB86659FD93u;
    if (level > 2 || (level == 2 && family == MODEL_DWELL))
        x += (family == MODEL_DWELL ? w->place.self : w->place.region) * 0xA0761D6478BD642Fu;
    return key_mix(x, family, level);
}

/* How many levels say something of their own: without a place, or where an area is all of its
 * region, the finest would repeat their parents. */
static inline uint32_t levels_of(const struct meaning *w, enum model_family family)
{
    if (family == MODEL_LEG)
        return MODEL_LEVELS;
    if (family == MODEL_DWELL)
        return w->place.self == 0 ? 2 : 3;
    return w->place.self == 0 ? 3 : w->dest.area == w->dest.region ? 4 : 5;
}

/* ── One model ───────────────────────────────────────────────────────────────────────── */

struct model *model_create(const struct model_settings *settings)
{
    struct model *m = calloc(1, sizeof *m);

    CHECK(m != NULL && settings->half_life_s >= STEPS && settings->shrink > 0);
    m->magic = MODEL_MAGIC;
    m->cells_max = settings->cells_max;
    m->step_s = settings->half_life_s / STEPS;
    m->shrink = settings->shrink;
    m->names = settings->names;
    double weight = UNIT;
    for (int i = 0; i < STEPS; i++, weight *= STEP_GROWTH)
        m->weights[i] = (uint16_t)(weight + 0.5);
    m->factors = malloc((SERVICES_MAX + 1) * sizeof *m->factors);
    CHECK(m->factors != NULL);
    for (uint32_t service = 0; service <= SERVICES_MAX; service++)
        for (uint32_t code = 0; code < SCAN_CODES; code++)
            m->factors[service][code] = FACTOR_ONE;
    cells_resize(m, settings->cells_max + FAMILIES);
    for (uint32_t family = 0; family < FAMILIES; family++)
        (void)cell_create(m, key_mix(1, (enum model_family)family, 0), 0);
    return m;
}

void model_destroy(struct model *m)
{
    if (m == NULL)
        return;
    CHECK_MAGIC(m, MODEL_MAGIC);
    m->magic = 0;
    for (uint32_t i = 0; i < m->old_count; i++)
        free(m->old[i]);
    free(m->old);
    free(m->cells);
    free(m->dirty);
    free(m->slots);
    free(m->order);
    free(m->gone);
    free(m->factors);
    free(m);
}

uint32_t model_cells(const struct model *m)
{
    return m->count;
}

size_t model_bytes(const struct model *m)
{
    return sizeof *m + m->size * (sizeof *m->cells + sizeof *m->order)
         + (m->slots_mask + 1) * sizeof *m->slots + (m->size + 63) / 64 * sizeof *m->dirty
         + m->gone_size * sizeof *m->gone + (SERVICES_MAX + 1) * sizeof *m->factors;
}

uint32_t model_age_s(const struct model *m, uint32_t now_s)
{
    return m->born_s != 0 && now_s > m->born_s ? now_s - m->born_s : 0;
}

/* ── Eras ────────────────────────────────────────────────────────────────────────────── */

struct moment moment_of(const struct model *m, uint32_t now_s)
{
    uint32_t step = now_s / m->step_s, in_era = step % STEPS;

    return (struct moment) {(step - in_era) * m->step_s, STEPS * m->step_s, m->weights[in_era]};
}

/* What a unit in this cell is worth now, in samples. */
static inline double worth_of(const struct cell *c, struct moment now, double in_this_era)
{
    uint32_t eras = eras_since(c, now), scale = histogram_scale(&c->h);

    if (eras == 0 && c->touched_s - now.begun_s >= now.era_s)
        in_this_era = 1.0 / UNIT; /* a clock ran back */
    return scale == eras ? in_this_era : ldexp(in_this_era, (int)scale - (int)eras);
}

/* ── Mixing levels ───────────────────────────────────────────────────────────────────── */

/* The cells that a question or a sample concerns, by level; CELL_NONE where there is none. */
struct path {
    uint32_t levels;
    uint32_t cells[MODEL_LEVELS];
};

/* P = (c + w P_parent) / (n + w) from the finest level down, multiplied out: each level's
 * counts get one factor.  Ends where less than `negligible` is left to share. */
static void blend_make(const struct model *m, const struct path *path, struct moment now,
                       double negligible, struct blend *blend, struct quantiles *answer)
{
    double   in_this_era = 1.0 / now.weight;
    double   left = 1; /* share that the coarser levels divide among them */
    double   support = 0;
    uint32_t parts = 0, level = path->levels;

    *answer = (struct quantiles) {.known = histogram_total(&m->cells[path->cells[0]].h) > 0};
    while (answer->known && level > 0 && left >= negligible) {
        uint32_t cell = path->cells[--level];

        if (cell == CELL_NONE || histogram_total(&m->cells[cell].h) == 0)
            continue;
        const struct cell *c = &m->cells[cell];
        double worth = worth_of(c, now, in_this_era), samples = histogram_total(&c->h) * worth;
        double parent = level == 0 ? FLAT_SAMPLES : m->shrink;

        if (parts == 0) {
            answer->level = (uint8_t)level;
            answer->samples = samples;
        }
        double share = left / (samples + parent);

        blend->of[parts] = &c->h;
        blend->share[parts++] = (float)(share * worth);
        support += share * samples * samples;
        left = share * parent;
    }
    blend->parts = parts;
    blend->flat = level == 0 ? (float)(left / BUCKETS) : 0;
    blend->mass = level == 0 ? 1 : (float)(1 - left);
    answer->support = support;
}

/* What the finest cell of the path says from now on. */
static void notes_make(struct model *m, enum model_family family, const struct path *path,
                       struct moment now)
{
    static const double probabilities[] = {1.0 / 64, 0.5, 0.9};
    struct cell     *c = &m->cells[path->cells[path->levels - 1]];
    uint16_t        *notes = c->h.places + HISTOGRAM_NOTES;
    uint32_t         samples = (histogram_total(&c->h) << histogram_scale(&c->h)) / UNIT;
    struct quantiles q;
    struct blend     blend;

    blend_make(m, path, now, NEGLIGIBLE, &blend, &q);
    if (family != MODEL_DWELL) {
        (void)blend_quantiles(&blend, 0, probabilities, q.p);
    } else {
        q.p[0] = 0;
        q.p[1] = q.support;
        q.p[2] = blend_quantile_within(&blend, 0.99, 0, UINT32_MAX);
    }
    for (int i = 0; i < NOTE_UNTIL; i++)
        notes[i] = (uint16_t)short_pack((uint32_t)q.p[i], NOTE_BITS);
    samples = samples / NOTES_EVERY > NOTES_SAMPLES_MIN ? samples / NOTES_EVERY
                                                        : (uint32_t)NOTES_SAMPLES_MIN;
    notes[NOTE_UNTIL] = (uint16_t)(samples < UINT16_MAX ? samples : UINT16_MAX);
}

/* ── Learning ────────────────────────────────────────────────────────────────────────── */

/* A sample's path, its bucket and weight, and what it is rounded by. */
struct located {
    uint32_t    bucket, noise, weight;
    struct path path;
    uint64_t    keys[MODEL_LEVELS];
};

static inline bool has_samples(const struct histogram *h, double samples)
{
    return (double)(histogram_total(h) << histogram_scale(h)) >= samples * UNIT;
}

/* What ended after `seconds` can have been seen in the last age - seconds of a world of this age
 * only: it stands for age ÷ (age - seconds) that began as evenly.  At most four, as there is
 * little behind what is weighed so much; not worth a division below a 64th. */
static inline uint32_t weight_at(uint32_t age_s, uint32_t seconds, uint32_t weight)
{
    if (seconds <= age_s / 64)
        return weight;
    uint32_t left_s = seconds < age_s ? age_s - seconds : 0;

    return left_s <= age_s / STANDS_FOR_MAX ? weight * STANDS_FOR_MAX
                                            : (uint32_t)((uint64_t)weight * age_s / left_s);
}

/* What is probably touched is on its way. */
static inline void cells_expect(const struct model *m, enum model_family family,
                                const struct model_sample *sample, uint32_t now_s,
                                struct located *l)
{
    struct meaning w = meaning_of(m, sample->key);

    l->path.levels = levels_of(&w, family);
    l->path.cells[0] = (uint32_t)family;
    l->bucket = bucket_of(sample->seconds);
    l->noise = sample->seconds * 0x9E3779B1u ^ now_s * 0x85EBCA77u;
    for (uint32_t level = 1; level < l->path.levels; level++) {
        uint32_t cell = cell_likely(m, l->keys[level] = key_at(&w, family, level));

        l->path.cells[level] = cell;
        if (cell == CELL_NONE)
            continue;
        __builtin_prefetch(&m->cells[cell], 1);
        __builtin_prefetch(&m->cells[cell].h.places[bucket_place(l->bucket)], 1);
    }
}

/* Makes the cells that are missing where there is room, finer ones once their parent has as many
 * samples as it counts for: before, they would say the same (but legs, of which most corridors
 * see a few, and each of them says much). */
static inline void cells_locate(struct model *m, enum model_family family, uint32_t now_s,
                                struct located *l)
{
    for (uint32_t level = 1, parent = (uint32_t)family; level < l->path.levels; level++) {
        uint64_t key = l->keys[level];
        uint32_t cell = l->path.cells[level];

        if (cell == CELL_NONE || m->cells[cell].key != key)
            cell = cell_find(m, key);
        if (cell == CELL_NONE && parent != CELL_NONE && m->count < m->cells_max + FAMILIES
            && (level == 1 || family == MODEL_LEG
                || has_samples(&m->cells[parent].h, m->shrink)))
            cell = cell_create(m, key, now_s);
        l->path.cells[level] = parent = cell;
    }
}

static inline void cell_learn(struct model *m, uint32_t cell, const struct located *l,
                              struct moment now, uint32_t now_s)
{
    struct cell *c = &m->cells[cell];
    uint32_t     weight = l->weight;

    if (__builtin_expect(c->touched_s - now.begun_s >= now.era_s, 0)) {
        if (c->touched_s < now.begun_s)
            histogram_halve(&c->h, eras_since(c, now));
        else /* a clock that ran back: as if at the beginning of the era last touched */
            weight = UNIT;
    }
    histogram_add(&c->h, l->bucket, weight, l->noise);
    c->touched_s = now_s > c->touched_s ? now_s : c->touched_s;
    cell_mark(m, cell);
}

/* From the top, as a cell's notes are made of its parents' counts too. */
static inline void sample_learn(struct model *m, enum model_family family,
                                const struct located *l, struct moment now, uint32_t now_s)
{
    struct path upto = l->path;

    for (uint32_t level = 0; level < l->path.levels; level++) {
        uint32_t cell = l->path.cells[level];

        if (cell == CELL_NONE)
            continue;
        cell_learn(m, cell, l, now, now_s);
        uint16_t *until = &m->cells[cell].h.places[HISTOGRAM_NOTES + NOTE_UNTIL];

        if (*until > 1) {
            --*until;
            continue;
        }
        upto.levels = level + 1;
        notes_make(m, family, &upto, now);
    }
}

static void times_keep(struct model *m, uint32_t now_s)
{
    if (__builtin_expect(m->born_s == 0, 0)) {
        m->born_s = now_s;
        m->times_dirty = true;
    }
    if (m->count >= m->cells_max + FAMILIES && now_s / PRUNE_EVERY_S > m->pruned) {
        m->pruned = now_s / PRUNE_EVERY_S;
        m->times_dirty = true;
        cells_drop_coldest(m, moment_of(m, now_s));
    }
}

void model_learn_all(struct model *m, enum model_family family,
                     const struct model_sample *samples, uint32_t count, uint32_t now_s)
{
    struct moment  now = moment_of(m, now_s);
    struct located located[MODEL_SAMPLES_MAX];

    CHECK_MAGIC(m, MODEL_MAGIC);
    CHECK(count <= MODEL_SAMPLES_MAX);
    times_keep(m, now_s);
    for (uint32_t i = 0; i < count; i++)
        cells_expect(m, family, &samples[i], now_s, &located[i]);
    for (uint32_t i = 0; i < count; i++)
        cells_locate(m, family, now_s, &located[i]);
    for (uint32_t i = 0; i < count; i++) {
        located[i].weight = family == MODEL_LEG ? now.weight
                          : weight_at(model_age_s(m, now_s), samples[i].seconds, now.weight);
        sample_learn(m, family, &located[i], now, now_s);
    }
}

void model_learn(struct model *m, enum model_family family, struct model_key key,
                 uint32_t seconds, uint32_t now_s)
{
    model_learn_all(m, family, &(struct model_sample) {key, seconds}, 1, now_s);
}

void model_judge(struct model *m, uint8_t service, uint8_t code, uint32_t raw_s, uint32_t took_s)
{
    CHECK(code < SCAN_CODES);
    uint32_t factor = m->factors[service][code];
    uint64_t said_s = (uint64_t)raw_s * factor / FACTOR_ONE;

    factor = (uint64_t)took_s * (JUDGED_LATE + 1) / JUDGED_LATE > said_s
                 ? factor + factor * FACTOR_UP / FACTOR_PARTS
                 : factor - factor * FACTOR_DOWN / FACTOR_PARTS;
    factor = factor < FACTOR_MIN ? FACTOR_MIN : factor > FACTOR_MAX ? FACTOR_MAX : factor;
    m->factors[service][code] = (uint16_t)factor;
    m->factors_dirty[service / 64] |= 1ull << service % 64;
}

/* ── Asking ──────────────────────────────────────────────────────────────────────────── */

/* The finest cell there is, and its level. */
static inline const struct cell *cell_finest(const struct model *m, enum model_family family,
                                             const struct meaning *w, uint32_t *level)
{
    for (*level = levels_of(w, family); --*level > 0;) {
        uint32_t cell = cell_find(m, key_at(w, family, *level));

        if (cell != CELL_NONE)
            return &m->cells[cell];
    }
    return &m->cells[family];
}

static inline uint32_t note_of(const struct cell *c, uint32_t note)
{
    return short_unpack(c->h.places[HISTOGRAM_NOTES + note], NOTE_BITS);
}

static uint32_t moved_p90_s(const struct model *m, struct model_key key, uint32_t elapsed_s,
                            uint32_t raw_s)
{
    uint64_t left_s = raw_s > elapsed_s ? raw_s - elapsed_s : 0;

    return elapsed_s + (uint32_t)(left_s * m->factors[key.service][key.code] / FACTOR_ONE);
}

uint32_t model_dwell_s(const struct model *m, struct model_key key)
{
    struct meaning     w = meaning_of(m, key);
    uint32_t           level;
    const struct cell *c = cell_finest(m, MODEL_DWELL, &w, &level);

    CHECK_MAGIC(m, MODEL_MAGIC);
    return note_of(c, NOTE_MIDDLE) >= DWELL_SUPPORT_MIN ? note_of(c, NOTE_HIGH) : 0;
}

struct outlook model_outlook(const struct model *m, struct model_key key, uint32_t elapsed_s,
                             uint32_t now_s)
{
    static const double probabilities[] = {0.5, 0.9, 0.9}; /* two: a repeated one is free */
    struct meaning     w = meaning_of(m, key);
    uint32_t           level;
    const struct cell *c = cell_finest(m, MODEL_REMAINING, &w, &level);
    struct outlook     answer = {.level = (uint8_t)level, .known = note_of(c, NOTE_HIGH) != 0};

    CHECK_MAGIC(m, MODEL_MAGIC);
    CHECK(key.code < SCAN_CODES);
    if (!answer.known)
        return answer;
    answer.p50_s = note_of(c, NOTE_MIDDLE);
    answer.raw_s = note_of(c, NOTE_HIGH);
    if (elapsed_s > note_of(c, NOTE_LOW)) {
        struct quantiles q = model_ask(m, MODEL_REMAINING, key, elapsed_s, probabilities, now_s);

        answer.p50_s = (uint32_t)q.p[0];
        answer.raw_s = (uint32_t)q.p[1];
    }
    answer.p90_s = moved_p90_s(m, key, elapsed_s, answer.raw_s);
    answer.p90_s = answer.p90_s < answer.p50_s ? answer.p50_s : answer.p90_s;
    return answer;
}

struct quantiles model_ask(const struct model *m, enum model_family family, struct model_key key,
                           uint32_t elapsed_s, const double probabilities[3], uint32_t now_s)
{
    struct moment    now = moment_of(m, now_s);
    struct quantiles answer;
    struct blend     blend;
    struct path      path = {.cells = {(uint32_t)family}};
    struct meaning   w = meaning_of(m, key);

    CHECK_MAGIC(m, MODEL_MAGIC);
    path.levels = levels_of(&w, family);
    for (uint32_t level = 1; level < path.levels; level++)
        path.cells[level] = cell_find(m, key_at(&w, family, level));
    blend_make(m, &path, now, NEGLIGIBLE, &blend, &answer);
    /* Where most of it lies in the past, what was negligible no longer is. */
    if (answer.known && blend_quantiles(&blend, elapsed_s, probabilities, answer.p) < 0.5f) {
        blend_make(m, &path, now, 0, &blend, &answer);
        (void)blend_quantiles(&blend, elapsed_s, probabilities, answer.p);
    }
    return answer;
}

void model_fields(const struct model *m, struct model_key key, void (*each)(void *self,
                  const char *field, size_t field_length), void *self)
{
    struct meaning w = meaning_of(m, key);
    char           field[MODEL_FIELD_MAX];

    for (uint32_t family = 0; family <= MODEL_DWELL; family++) {
        each(self, field, cell_field(m->cells[family].key, field));
        for (uint32_t level = 1; level < levels_of(&w, (enum model_family)family); level++)
            each(self, field, cell_field(key_at(&w, (enum model_family)family, level), field));
    }
    each(self, field, (size_t)snprintf(field, sizeof field, "f.%u", key.service));
    each(self, "m", 1);
}
