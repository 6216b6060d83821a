/* model.c - cells of histograms by (family, level, key): learned, asked, dropped, stored.
 *
 * Decay goes forward (Cormode et al., "Forward decay", 2009): instead of old
 * samples losing weight each second, new ones gain it, 2^(time ÷ half-life),
 * counted from the beginning of an *era* of 16 half-lives; a cell that is touched
 * in a later era is divided by 65536 per era, which is exact.  A cell heavier than
 * WEIGHT_MAX fresh samples is halved, lest floats no longer notice one more.
 *
 * Every result is a function of the calls made and of nothing else: neither the order of
 * cells in memory nor what a checkpoint did in between has any say, and a cell that was
 * stored and restored is the same to the last bit.
 */
#include "stages/eta/model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/check.h"
#include "pipeline/error.h"
#include "stages/eta/histogram.h"

enum {
    MODEL_MAGIC = 0x30DE1CE1, CELL_FORMAT = 1, FAMILIES = 2,
    STEPS = 64,             /* weights change 64 times in a half-life                       */
    ERA_STEPS = 16 * STEPS,
    WEIGHT_MAX = 1 << 20,
    HEAD_BYTES = 1 + 4 + 4, /* of a packed cell: format, step_s, touched_s                   */
    FIELD_MAX = 40
};
_Static_assert((int)HEAD_BYTES + (int)HISTOGRAM_BYTES_MAX <= (int)MODEL_CELL_BYTES_MAX, "");

static const double STEP_GROWTH = 1.0108892860517005; /* 2^(1/64) */
static const double FLAT_SAMPLES = 1;   /* what no cell has seen is not impossible: one sample
                                           spread over all buckets lies under the global level */
static const double NO_WEIGHT = 1e-6;

struct cell {
    uint64_t key;           /* keys_of                                                      */
    uint32_t touched_s;     /* last learned                                                 */
    uint32_t era;           /* that its weights are counted from                             */
    uint32_t changed;       /* the model's `interval` then                                  */
    struct histogram h;
};

struct coldness {
    double   weight;
    uint64_t key;
};

struct model {
    uint32_t magic;
    uint32_t cells_max, step_s;
    double   shrink;
    uint32_t count, size;   /* cells in use and allocated; the first FAMILIES are global      */
    uint32_t slots_mask, slots_shift; /* their number less one; 64 - its logarithm           */
    uint32_t interval;      /* counts model_clean: a cell changed in this one is dirty          */
    uint32_t pruned_hour;   /* hour of the last pruning: part of the state, field "m"          */
    bool     pruned_dirty;
    struct cell     *cells;
    struct cell    **slots; /* by hash of the key                                           */
    struct coldness *order; /* pruning's sorting area                                       */
    uint64_t        *gone;  /* keys dropped since model_clean                               */
    uint32_t         gone_count, gone_size;
    float    weights[ERA_STEPS];
};

/* A moment, as weights see it. */
struct moment {
    uint32_t era;
    float    weight;
};

/* ── Keys ────────────────────────────────────────────────────────────────────────────── */

/* A cell at each level.  From the top: always 1, family, level, service, code, destination,
 * place. */
static inline void keys_of(enum model_family family, struct model_key k,
                           uint64_t keys[MODEL_LEVELS])
{
    uint64_t top = 1ull << 63 | (uint64_t)family << 58, code = (uint64_t)k.code << 40;
    uint64_t dest = (uint64_t)k.dest << 20;

    keys[0] = top;
    keys[1] = top | 1ull << 56 | (uint64_t)k.service << 48 | code;
    keys[2] = top | 2ull << 56 | code | dest;
    keys[3] = top | 3ull << 56 | code | dest | k.place;
}

static char *part_print(char *at, uint64_t number)
{
    char digits[20];
    int  count = 0;

    do
        digits[count++] = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    *at++ = '.';
    while (count > 0)
        *at++ = digits[--count];
    return at;
}

/* LETTER.LEVEL.SERVICE.CODE.DEST.PLACE, not terminated. */
static size_t field_print(uint64_t key, char field[FIELD_MAX])
{
    char *at = field;

    *at++ = key >> 58 & 1 ? 'd' : 'r';
    at = part_print(at, key >> 56 & 3);
    at = part_print(at, key >> 48 & 255);
    at = part_print(at, key >> 40 & 255);
    at = part_print(at, key >> 20 & NAMES_MAX);
    at = part_print(at, key & NAMES_MAX);
    return (size_t)(at - field);
}

/* The key a field names; 0 = none does. */
static uint64_t field_key(const char *field, size_t length)
{
    char     text[FIELD_MAX], again[FIELD_MAX], letter = 0;
    uint32_t level = 0, service = 0, code = 0, dest = 0, place = 0;
    uint64_t keys[MODEL_LEVELS];

    if (length >= sizeof text)
        return 0;
    memcpy(text, field, length);
    text[length] = '\0';
    if (sscanf(text, "%c.%1" SCNu32 ".%3" SCNu32 ".%3" SCNu32 ".%7" SCNu32 ".%7" SCNu32, &letter,
               &level, &service, &code, &dest, &place) != 6
        || level >= MODEL_LEVELS || service > 255 || code > 255 || dest > NAMES_MAX
        || place > NAMES_MAX)
        return 0;
    keys_of(letter == 'd' ? MODEL_DWELL : MODEL_REMAINING,
            (struct model_key) {(uint8_t)service, (uint8_t)code, dest, place}, keys);
    return field_print(keys[level], again) == length && memcmp(text, again, length) == 0
         ? keys[level] : 0;
}

/* ── The table of cells ──────────────────────────────────────────────────────────────── */

static inline uint32_t slot_first(const struct model *m, uint64_t key)
{
    return (uint32_t)((key * 0x9E3779B97F4A7C15u) >> m->slots_shift);
}

/* Where the key's cell is noted, or would be. */
static struct cell **slot_of(const struct model *m, uint64_t key)
{
    uint32_t at = slot_first(m, key);

    while (m->slots[at] != NULL && m->slots[at]->key != key)
        at = (at + 1) & m->slots_mask;
    return &m->slots[at];
}

static inline struct cell *cell_find(const struct model *m, uint64_t key)
{
    struct cell *c = m->slots[slot_first(m, key)];

    return __builtin_expect(c == NULL || c->key == key, 1) ? c : *slot_of(m, key);
}

static void slots_fill(struct model *m)
{
    memset(m->slots, 0, (m->slots_mask + 1) * sizeof *m->slots);
    for (uint32_t i = 0; i < m->count; i++)
        *slot_of(m, m->cells[i].key) = &m->cells[i];
}

/* Room for `size` cells.  Only at creation, and while more is restored than cells_max. */
static void cells_resize(struct model *m, uint32_t size)
{
    m->size = size;
    m->slots_mask = 255;
    while (m->slots_mask < 2 * size)
        m->slots_mask += m->slots_mask + 1;
    m->slots_shift = (uint32_t)__builtin_clzll(m->slots_mask);
    free(m->slots);
    m->cells = realloc(m->cells, size * sizeof *m->cells);
    m->order = realloc(m->order, size * sizeof *m->order);
    m->slots = malloc((m->slots_mask + 1) * sizeof *m->slots);
    CHECK(m->cells != NULL && m->order != NULL && m->slots != NULL);
    slots_fill(m);
}

static struct cell *cell_create(struct model *m, uint64_t key)
{
    CHECK(m->count < m->size);
    struct cell *c = &m->cells[m->count++];

    *c = (struct cell) {.key = key};
    return *slot_of(m, key) = c;
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
    m->interval = 1;
    double weight = 1;
    for (int i = 0; i < STEPS; i++, weight *= STEP_GROWTH)
        m->weights[i] = (float)weight;
    for (int i = STEPS; i < ERA_STEPS; i++)
        m->weights[i] = 2 * m->weights[i - STEPS];
    cells_resize(m, settings->cells_max + FAMILIES);
    for (int family = 0; family < FAMILIES; family++) {
        keys_of((enum model_family)family, (struct model_key) {0}, keys);
        (void)cell_create(m, keys[0]);
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
         + (m->slots_mask + 1) * sizeof *m->slots + m->gone_size * sizeof *m->gone;
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

/* What one era is to a later one. */
static float era_factor(uint32_t eras)
{
    float factor = 1;

    for (; eras > 0 && factor > 0; eras--)
        factor /= 65536;
    return factor;
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

static void drop_coldest(struct model *m, uint32_t era)
{
    uint32_t keep = m->cells_max / 10 * 9, finer = m->count - FAMILIES, kept = FAMILIES;
    uint32_t drop = finer > keep ? finer - keep : 0;

    for (uint32_t i = 0; i < finer; i++) {
        const struct cell *c = &m->cells[FAMILIES + i];
        double weight = (double)c->h.total * (double)era_factor(era > c->era ? era - c->era : 0);

        m->order[i] = (struct coldness) {weight, c->key};
    }
    coldest_first(m->order, finer, drop);
    for (uint32_t i = 0; i < drop; i++) {
        cell_find(m, m->order[i].key)->key = 0;
        gone_add(m, m->order[i].key);
    }
    for (uint32_t i = FAMILIES; i < m->count; i++)
        if (m->cells[i].key != 0)
            m->cells[kept++] = m->cells[i];
    m->count = kept;
    slots_fill(m);
}

/* ── Learning ────────────────────────────────────────────────────────────────────────── */

static struct moment moment_of(const struct model *m, uint32_t now_s)
{
    uint32_t steps = now_s / m->step_s;

    return (struct moment) {steps / ERA_STEPS, m->weights[steps % ERA_STEPS]};
}

static inline void cell_learn(const struct model *m, struct cell *c, uint32_t bucket,
                              struct moment now, uint32_t now_s)
{
    if (c->era < now.era) {
        histogram_scale(&c->h, era_factor(now.era - c->era));
        c->era = now.era;
    } else if (c->era > now.era) { /* a clock that ran back: as if at the era's beginning */
        now.weight = 1;
    }
    histogram_add(&c->h, bucket, now.weight);
    if (c->h.total > WEIGHT_MAX * now.weight)
        histogram_scale(&c->h, 0.5f);
    c->touched_s = now_s > c->touched_s ? now_s : c->touched_s;
    c->changed = m->interval;
}

/* Levels that say something of this key: without a place, (place, …) repeats its parent. */
static uint32_t levels_of(struct model_key key)
{
    return key.place == NAME_NONE ? MODEL_LEVELS - 1 : MODEL_LEVELS;
}

void model_learn(struct model *m, enum model_family family, struct model_key key,
                 uint32_t seconds, uint32_t now_s)
{
    struct moment now = moment_of(m, now_s);
    uint32_t      bucket = bucket_of(seconds);
    uint64_t      keys[MODEL_LEVELS];

    CHECK_MAGIC(m, MODEL_MAGIC);
    if (m->count >= m->cells_max + FAMILIES && now_s / 3600 > m->pruned_hour) {
        m->pruned_hour = now_s / 3600;
        m->pruned_dirty = true;
        drop_coldest(m, now.era);
    }
    keys_of(family, key, keys);
    cell_learn(m, &m->cells[family], bucket, now, now_s);
    for (uint32_t level = 1; level < levels_of(key); level++) {
        struct cell *c = cell_find(m, keys[level]);

        if (c == NULL && m->count < m->cells_max + FAMILIES) {
            c = cell_create(m, keys[level]);
            c->era = now.era;
        }
        if (c != NULL)
            cell_learn(m, c, bucket, now, now_s);
    }
}

/* ── Asking ──────────────────────────────────────────────────────────────────────────── */

/* What a weight of 1 in this cell is worth now, in samples. */
static double worth_of(const struct cell *c, struct moment now, double in_this_era)
{
    if (c->era == now.era)
        return in_this_era;
    return c->era > now.era ? 1 : in_this_era * (double)era_factor(now.era - c->era);
}

/* P = (c + w P_parent) / (n + w) from the finest level down, multiplied out: each level's
 * counts get one factor.  Returns false when nothing was learned yet. */
static inline __attribute__((always_inline))
bool blend_make(const struct model *m, enum model_family family, struct model_key key,
                uint32_t now_s, struct blend *blend, struct quantiles *answer)
{
    struct moment now = moment_of(m, now_s);
    double        in_this_era = 1 / (double)now.weight;
    double        left = 1; /* share that the coarser levels divide among them */
    double        support = 0;
    uint32_t      parts = 0;
    uint64_t      keys[MODEL_LEVELS];

    CHECK_MAGIC(m, MODEL_MAGIC);
    keys_of(family, key, keys);
    *answer = (struct quantiles) {.known = (double)m->cells[family].h.total > NO_WEIGHT};
    if (!answer->known)
        return false;
    for (uint32_t level = levels_of(key); level-- > 0;) {
        const struct cell *c = level == 0 ? &m->cells[family] : cell_find(m, keys[level]);

        if (c == NULL)
            continue;
        double worth = worth_of(c, now, in_this_era), samples = (double)c->h.total * worth;
        double parent = level == 0 ? FLAT_SAMPLES : m->shrink;

        if (samples <= NO_WEIGHT)
            continue;
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
    blend->flat = (float)(left / BUCKETS);
    answer->support = support;
    return true;
}

struct quantiles model_ask(const struct model *m, enum model_family family, struct model_key key,
                           uint32_t elapsed_s, const double probabilities[3], uint32_t now_s)
{
    struct quantiles answer;
    struct blend     blend;

    if (blend_make(m, family, key, now_s, &blend, &answer))
        blend_quantiles(&blend, elapsed_s, probabilities, answer.p);
    return answer;
}

uint32_t model_ask_within(const struct model *m, enum model_family family, struct model_key key,
                          double probability, uint32_t low_s, uint32_t high_s, double support_min,
                          uint32_t now_s)
{
    struct quantiles answer;
    struct blend     blend;

    if (!blend_make(m, family, key, now_s, &blend, &answer) || answer.support < support_min)
        return high_s;
    return blend_quantile_within(&blend, probability, low_s, high_s);
}

/* ── Stored and restored ─────────────────────────────────────────────────────────────── */

static size_t cell_pack(const struct model *m, const struct cell *c, uint8_t *bytes)
{
    bytes[0] = CELL_FORMAT;
    memcpy(bytes + 1, &m->step_s, 4);
    memcpy(bytes + 5, &c->touched_s, 4);
    return HEAD_BYTES + histogram_pack(&c->h, bytes + HEAD_BYTES);
}

void model_dirty_each(struct model *m, void (*each)(void *self, const char *field,
                      size_t field_length, const uint8_t *bytes, size_t length), void *self)
{
    uint8_t bytes[MODEL_CELL_BYTES_MAX];
    char    field[FIELD_MAX];

    CHECK_MAGIC(m, MODEL_MAGIC);
    for (uint32_t i = 0; i < m->gone_count; i++)
        if (cell_find(m, m->gone[i]) == NULL)
            each(self, field, field_print(m->gone[i], field), NULL, 0);
    for (uint32_t i = 0; i < m->count; i++)
        if (m->cells[i].changed == m->interval)
            each(self, field, field_print(m->cells[i].key, field), bytes,
                 cell_pack(m, &m->cells[i], bytes));
    if (m->pruned_dirty)
        each(self, "m", 1, (const uint8_t *)&m->pruned_hour, sizeof m->pruned_hour);
}

void model_clean(struct model *m)
{
    m->interval++;
    m->gone_count = 0;
    m->pruned_dirty = false;
}

/* Weights that were counted with another half-life: as much worth when last touched. */
static void cell_convert(const struct model *m, struct cell *c, uint32_t step_s)
{
    uint32_t then = c->touched_s / step_s % ERA_STEPS;
    float    ratio = moment_of(m, c->touched_s).weight / m->weights[then];

    histogram_scale(&c->h, ratio);
    c->changed = m->interval;
}

int model_restore(struct model *m, const char *field, size_t field_length, const uint8_t *bytes,
                  size_t length)
{
    struct histogram h;
    uint32_t         step_s;
    uint64_t         key = field_key(field, field_length);

    CHECK_MAGIC(m, MODEL_MAGIC);
    if (field_length == 1 && field[0] == 'm' && length == sizeof m->pruned_hour) {
        memcpy(&m->pruned_hour, bytes, length);
        return 0;
    }
    if (key == 0 || length < HEAD_BYTES || bytes[0] != CELL_FORMAT)
        return error_set("model: no cell is called \"%.*s\", or its format is unknown",
                         (int)field_length, field);
    memcpy(&step_s, bytes + 1, 4);
    if (step_s == 0 || histogram_unpack(&h, bytes + HEAD_BYTES, length - HEAD_BYTES) != 0)
        return error_add("model: cell %.*s", (int)field_length, field);
    if (m->count == m->size)
        cells_resize(m, 2 * m->size);
    struct cell *c = cell_find(m, key);

    if (c == NULL)
        c = cell_create(m, key);
    c->h = h;
    memcpy(&c->touched_s, bytes + 5, 4);
    c->era = moment_of(m, c->touched_s).era;
    if (step_s != m->step_s)
        cell_convert(m, c, step_s);
    return 0;
}
