/* model.c - cells of histograms by (family, level, key): learned, asked, dropped.
 *
 * Decay goes forward (Cormode et al., "Forward decay", 2009): instead of old
 * samples losing weight each second, new ones gain it, 2^(time ÷ half-life),
 * counted from the beginning of an *era* of one half-life; a cell that is touched
 * in a later era is halved for each that has passed.
 *
 * Every result is a function of the calls made and of nothing else: neither the order of
 * cells in memory nor what a checkpoint did in between has any say, and a cell that was
 * stored and restored is the same to the last bit.
 */
#include "stages/eta/model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/check.h"
#include "stages/eta/cells.h"

enum { LINE = 64 };

static const double STEP_GROWTH = 1.0108892860517005; /* 2^(1/64) */
static const double FLAT_SAMPLES = 1;   /* what no cell has seen is not impossible: one sample
                                           spread over all buckets lies under the global level */
/* Levels that would share less than this among them are not asked: a quantile is then that of a
 * probability at most so much away. */
static const double NEGLIGIBLE = 1.0 / 256;

/* ── The table of cells ──────────────────────────────────────────────────────────────── */

static inline uint64_t hash_of(uint64_t key)
{
    return key * 0x9E3779B97F4A7C15u;
}

/* The bits of the hash below those that choose the slot, above the cell's number. */
static inline uint32_t tag_of(const struct model *m, uint64_t hash)
{
    return (uint32_t)(hash >> (m->slots_shift - 12)) << SLOT_CELL_BITS;
}

static inline uint32_t find(const struct model *m, uint64_t key)
{
    uint64_t hash = hash_of(key);
    uint32_t tag = tag_of(m, hash), at = (uint32_t)(hash >> m->slots_shift);

    for (uint32_t slot; (slot = m->slots[at]) != 0; at = (at + 1) & m->slots_mask) {
        uint32_t cell = (slot ^ tag) - 1; /* the tag's bits are 0 if it is the key's */

        if (cell < CELLS_MAX && m->cells[cell].key == key)
            return cell;
    }
    return CELL_NONE;
}

uint32_t cell_find(const struct model *m, uint64_t key)
{
    return find(m, key);
}

/* The key has no cell yet. */
static void slot_fill(struct model *m, uint32_t cell)
{
    uint64_t hash = hash_of(m->cells[cell].key);
    uint32_t at = (uint32_t)(hash >> m->slots_shift);

    while (m->slots[at] != 0)
        at = (at + 1) & m->slots_mask;
    m->slots[at] = tag_of(m, hash) | (cell + 1);
}

static void slots_fill(struct model *m)
{
    memset(m->slots, 0, (m->slots_mask + 1) * sizeof *m->slots);
    for (uint32_t i = 0; i < m->count; i++)
        slot_fill(m, i);
}

static size_t dirty_words(uint32_t size)
{
    return (size + 63) / 64;
}

void cells_resize(struct model *m, uint32_t size)
{
    struct cell *cells = aligned_alloc(LINE, size * sizeof *cells);
    uint64_t    *dirty = calloc(dirty_words(size), sizeof *dirty);

    CHECK(size <= CELLS_MAX && cells != NULL && dirty != NULL && size > m->count);
    if (m->count > 0) {
        memcpy(cells, m->cells, m->count * sizeof *cells);
        memcpy(dirty, m->dirty, dirty_words(m->count) * sizeof *dirty);
    }
    free(m->cells);
    free(m->dirty);
    free(m->slots);
    m->cells = cells;
    m->dirty = dirty;
    m->size = size;
    m->slots_mask = 255;
    while (m->slots_mask < size + size / 2)
        m->slots_mask += m->slots_mask + 1;
    m->slots_shift = (uint32_t)__builtin_clzll(m->slots_mask);
    m->order = realloc(m->order, size * sizeof *m->order);
    m->slots = malloc((m->slots_mask + 1) * sizeof *m->slots);
    CHECK(m->order != NULL && m->slots != NULL);
    slots_fill(m);
}

uint32_t cell_create(struct model *m, uint64_t key, uint32_t now_s)
{
    uint32_t cell = m->count++;

    CHECK(cell < m->size);
    m->cells[cell] = (struct cell) {.key = key, .touched_s = now_s};
    slot_fill(m, cell);
    return cell;
}

struct model *model_create(const struct model_settings *settings)
{
    struct model *m = calloc(1, sizeof *m);
    uint64_t      keys[MODEL_LEVELS];

    CHECK(m != NULL && settings->half_life_s >= STEPS && settings->shrink > 0);
    m->magic = MODEL_MAGIC;
    m->cells_max = settings->cells_max;
    m->step_s = settings->half_life_s / STEPS;
    m->shrink = settings->shrink;
    m->names = settings->names;
    double weight = UNIT;
    for (int i = 0; i < STEPS; i++, weight *= STEP_GROWTH)
        m->weights[i] = (uint16_t)(weight + 0.5);
    cells_resize(m, settings->cells_max + FAMILIES);
    for (int family = 0; family < FAMILIES; family++) {
        keys_of((enum model_family)family, (struct model_key) {0}, keys);
        (void)cell_create(m, keys[0], 0);
    }
    return m;
}

void model_destroy(struct model *m)
{
    if (m == NULL)
        return;
    CHECK_MAGIC(m, MODEL_MAGIC);
    m->magic = 0;
    free(m->cells);
    free(m->dirty);
    free(m->slots);
    free(m->order);
    free(m->gone);
    free(m);
}

uint32_t model_cells(const struct model *m)
{
    return m->count;
}

size_t model_bytes(const struct model *m)
{
    return sizeof *m + m->size * (sizeof *m->cells + sizeof *m->order)
         + (m->slots_mask + 1) * sizeof *m->slots + dirty_words(m->size) * sizeof *m->dirty
         + m->gone_size * sizeof *m->gone;
}

/* ── Eras ────────────────────────────────────────────────────────────────────────────── */

struct moment moment_of(const struct model *m, uint32_t now_s)
{
    uint32_t step = now_s / m->step_s, in_era = step % STEPS;

    return (struct moment) {(step - in_era) * m->step_s, STEPS * m->step_s, m->weights[in_era]};
}

/* How many eras ago the cell was touched; 0 too if that is still to come. */
static inline uint32_t eras_since(const struct cell *c, struct moment now)
{
    if (__builtin_expect(c->touched_s >= now.begun_s, 1))
        return 0;
    return (now.begun_s - c->touched_s - 1) / now.era_s + 1;
}

/* What a unit in this cell is worth now, in samples. */
static inline double worth_of(const struct cell *c, struct moment now, double in_this_era)
{
    uint32_t eras = eras_since(c, now), scale = histogram_scale(&c->h);

    if (eras == 0 && c->touched_s - now.begun_s >= now.era_s)
        in_this_era = 1.0 / UNIT; /* a clock ran back */
    return scale == eras ? in_this_era : ldexp(in_this_era, (int)scale - (int)eras);
}

/* ── Dropping the coldest ────────────────────────────────────────────────────────────── */

static bool colder(const struct coldness *a, const struct coldness *b)
{
    return a->weight < b->weight || (a->weight == b->weight && a->key < b->key);
}

static void swap(struct coldness *a, struct coldness *b)
{
    struct coldness kept = *a;

    *a = *b;
    *b = kept;
}

/* Puts the `wanted` coldest first (Hoare 1961).  Keys are all different, so which they are
 * does not depend on the order they come in. */
static void coldest_first(struct coldness *list, uint32_t count, uint32_t wanted)
{
    while (count > 1 && wanted > 0 && wanted < count) {
        uint32_t store = 0;

        swap(&list[count / 2], &list[count - 1]);
        for (uint32_t i = 0; i + 1 < count; i++)
            if (colder(&list[i], &list[count - 1]))
                swap(&list[i], &list[store++]);
        swap(&list[store], &list[count - 1]);
        if (wanted <= store) {
            count = store;
        } else {
            list += store + 1;
            count -= store + 1;
            wanted -= store + 1;
        }
    }
}

static void gone_add(struct model *m, uint64_t key)
{
    if (m->gone_count == m->gone_size) { /* at most once an hour of the partition's clock */
        m->gone_size = m->gone_size == 0 ? 1024 : 2 * m->gone_size;
        m->gone = realloc(m->gone, m->gone_size * sizeof *m->gone);
        CHECK(m->gone != NULL);
    }
    m->gone[m->gone_count++] = key;
}

/* Cells whose key is 0 go; the last ones take their places, and their marks with them. */
static void cells_compact(struct model *m)
{
    for (uint32_t i = FAMILIES; i < m->count; i++) {
        while (m->cells[i].key == 0 && i < m->count) {
            uint32_t last = --m->count;

            m->dirty[i / 64] &= ~(1ull << i % 64);
            m->dirty[i / 64] |= (m->dirty[last / 64] >> last % 64 & 1) << i % 64;
            m->dirty[last / 64] &= ~(1ull << last % 64);
            m->cells[i] = m->cells[last];
        }
    }
    slots_fill(m);
}

/* As of now, whatever the era it is counted from. */
static uint64_t weight_of(const struct cell *c, struct moment now)
{
    uint32_t eras = eras_since(c, now);

    return eras < 64 ? (uint64_t)histogram_total(&c->h) << histogram_scale(&c->h) << 32 >> eras
                     : 0;
}

static void drop_coldest(struct model *m, struct moment now)
{
    uint32_t keep = m->cells_max / 10 * 9, finer = m->count - FAMILIES;
    uint32_t drop = finer > keep ? finer - keep : 0;

    for (uint32_t i = 0; i < finer; i++) {
        const struct cell *c = &m->cells[FAMILIES + i];

        m->order[i] = (struct coldness) {weight_of(c, now), c->key};
    }
    coldest_first(m->order, finer, drop);
    for (uint32_t i = 0; i < drop; i++) {
        m->cells[cell_find(m, m->order[i].key)].key = 0;
        gone_add(m, m->order[i].key);
    }
    cells_compact(m);
}

/* ── Learning ────────────────────────────────────────────────────────────────────────── */

/* Levels that say something of this key: without a place, (place, …) repeats its parent. */
static inline uint32_t levels_of(struct model_key key)
{
    return key.place == NAME_NONE ? MODEL_LEVELS - 1 : MODEL_LEVELS;
}

/* A sample's cells at levels 1 to 3, its bucket, and what it is rounded by. */
struct located {
    uint32_t bucket, noise;
    uint32_t cells[MODEL_LEVELS - 1];
};

static inline bool has_samples(const struct histogram *h, double samples)
{
    return (double)(histogram_total(h) << histogram_scale(h)) >= samples * UNIT;
}

/* Makes the cells that are missing where there is room, finer ones once their parent has as many
 * samples as it counts for: before, they would say the same.  The lines that learning touches
 * are on their way. */
static inline void cells_locate(struct model *m, enum model_family family,
                                const struct model_sample *sample, uint32_t now_s,
                                struct located *l)
{
    uint32_t levels = levels_of(sample->key);
    uint64_t keys[MODEL_LEVELS];

    keys_of(family, key_in(m, sample->key), keys);
    l->bucket = bucket_of(sample->seconds);
    l->noise = sample->seconds * 0x9E3779B1u ^ now_s * 0x85EBCA77u;
    for (uint32_t level = 1, parent = family; level < MODEL_LEVELS; level++) {
        uint32_t cell = level < levels ? find(m, keys[level]) : CELL_NONE;

        if (cell == CELL_NONE && level < levels && parent != CELL_NONE
            && m->count < m->cells_max + FAMILIES
            && (level == 1 || has_samples(&m->cells[parent].h, m->shrink)))
            cell = cell_create(m, keys[level], now_s);
        if (cell != CELL_NONE)
            __builtin_prefetch(&m->cells[cell].h.counts[l->bucket], 1);
        l->cells[level - 1] = parent = cell;
    }
}

static inline void cell_learn(struct model *m, uint32_t cell, const struct located *l,
                              struct moment now, uint32_t now_s)
{
    struct cell *c = &m->cells[cell];
    uint32_t     weight = now.weight;

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

void model_learn_all(struct model *m, enum model_family family,
                     const struct model_sample *samples, uint32_t count, uint32_t now_s)
{
    struct moment  now = moment_of(m, now_s);
    struct located located[MODEL_SAMPLES_MAX];

    CHECK_MAGIC(m, MODEL_MAGIC);
    CHECK(count <= MODEL_SAMPLES_MAX);
    if (m->count >= m->cells_max + FAMILIES && now_s / 3600 > m->pruned_hour) {
        m->pruned_hour = now_s / 3600;
        m->pruned_dirty = true;
        drop_coldest(m, now);
    }
    for (uint32_t i = 0; i < count; i++)
        cells_locate(m, family, &samples[i], now_s, &located[i]);
    for (uint32_t i = 0; i < count; i++) {
        cell_learn(m, family, &located[i], now, now_s);
        for (uint32_t level = 0; level < MODEL_LEVELS - 1; level++)
            if (located[i].cells[level] != CELL_NONE)
                cell_learn(m, located[i].cells[level], &located[i], now, now_s);
    }
}

void model_learn(struct model *m, enum model_family family, struct model_key key,
                 uint32_t seconds, uint32_t now_s)
{
    model_learn_all(m, family, &(struct model_sample) {key, seconds}, 1, now_s);
}

/* ── Asking ──────────────────────────────────────────────────────────────────────────── */

/* P = (c + w P_parent) / (n + w) from the finest level down, multiplied out: each level's
 * counts get one factor.  Ends where less than `negligible` is left to share. */
static inline __attribute__((always_inline))
void blend_make(const struct model *m, enum model_family family, struct model_key key,
                uint32_t now_s, double negligible, struct blend *blend, struct quantiles *answer)
{
    struct moment now = moment_of(m, now_s);
    double        in_this_era = 1.0 / now.weight;
    double        left = 1; /* share that the coarser levels divide among them */
    double        support = 0;
    uint32_t      parts = 0, level = levels_of(key);
    uint64_t      keys[MODEL_LEVELS];

    CHECK_MAGIC(m, MODEL_MAGIC);
    keys_of(family, key_in(m, key), keys);
    *answer = (struct quantiles) {.known = histogram_total(&m->cells[family].h) > 0};
    while (answer->known && level > 0 && left >= negligible) {
        uint32_t cell = --level == 0 ? (uint32_t)family : find(m, keys[level]);

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

struct quantiles model_ask(const struct model *m, enum model_family family, struct model_key key,
                           uint32_t elapsed_s, const double probabilities[3], uint32_t now_s)
{
    struct quantiles answer;
    struct blend     blend;

    blend_make(m, family, key, now_s, NEGLIGIBLE, &blend, &answer);
    /* Where most of it lies in the past, what was negligible no longer is. */
    if (answer.known && blend_quantiles(&blend, elapsed_s, probabilities, answer.p) < 0.5f) {
        blend_make(m, family, key, now_s, 0, &blend, &answer);
        (void)blend_quantiles(&blend, elapsed_s, probabilities, answer.p);
    }
    return answer;
}

uint32_t model_ask_within(const struct model *m, enum model_family family, struct model_key key,
                          double probability, uint32_t low_s, uint32_t high_s, double support_min,
                          uint32_t now_s)
{
    struct quantiles answer;
    struct blend     blend;

    blend_make(m, family, key, now_s, NEGLIGIBLE, &blend, &answer);
    if (!answer.known || answer.support < support_min)
        return high_s;
    return blend_quantile_within(&blend, probability, low_s, high_s);
}
