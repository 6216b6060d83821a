/* eta_exact.c - the model beside a plain one, bit for bit.
 *
 * The plain model says what model.h promises in the shortest way there is: a list of cells
 * searched from its beginning, sums taken bucket by bucket.  Only the order in which floats are
 * added is that of the real one.  Clocks jump and run back, cells are dropped, and the real model
 * is stored, destroyed and restored on the way; the plain one knows nothing of that.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "stages/eta/histogram.h"
#include "stages/eta/model_store.h"

enum {
    T0 = 1793577600, HOUR = 3600, CELLS = 300, HALF_LIFE_S = 6 * HOUR, STEP_S = HALF_LIFE_S / 64,
    ERA_S = 64 * STEP_S, UNIT = 32, ROUNDS = 60000, BYTES_MAX = 512, LEVELS = 4, FAMILIES = 3,
    NOTES_AT = 9, HISTOGRAM_AT = 17
};

static const double SHRINK = 10, NEGLIGIBLE = 1.0 / 256;

static int asked_again; /* so often a level that was negligible was not, of what is left */

static uint32_t scale_most;

/* ── The plain model ─────────────────────────────────────────────────────────────────── */

/* What a cell is of: numbers mean themselves here, so an area is all of its region, and there
 * is no fifth level. */
struct plain_key {
    int family, level;
    uint32_t service, code, near, dest, place;
};

struct plain_cell {
    struct plain_key key;
    uint32_t touched_s, total, scale, counts[BUCKETS];
    uint64_t stored;         /* the real one's key                                          */
};

struct plain {
    uint32_t count, pruned, born_s;
    struct plain_cell cells[CELLS + FAMILIES];
};

static int plain_levels(enum model_family family, struct model_key k)
{
    return (family == MODEL_DWELL ? 3 : LEVELS) - (k.place == NAME_NONE);
}

static struct plain_key plain_key(enum model_family family, int level, struct model_key k)
{
    uint32_t near = k.place == NAME_NONE ? 0 : k.place == k.dest ? 4 : 1;

    if (level == 0)
        return (struct plain_key) {.family = (int)family};
    if (family == MODEL_DWELL)
        return (struct plain_key) {(int)family, level, level == 1 ? k.service : 0, k.code, near,
                                   level == 2 ? k.dest : 0, level == 2 ? k.place : 0};
    return (struct plain_key) {(int)family, level, k.service, k.code, near,
                               level >= 2 ? k.dest : 0, level == 3 ? k.place : 0};
}

/* The number by which the real one stores it: a hash, family and level below. */
static uint64_t real_key(const struct plain_key *k)
{
    uint64_t x = (uint64_t)k->service << 32 | k->code << 8 | k->near;

    x += k->dest * 0xD6E8FEB86659FD93u + k->place * 0xA0761D6478BD642Fu;
    x += k->family == MODEL_DWELL ? 1 << 20 : 0; /* to the next stop */
    if (k->level == 0)
        x = 1;
    x = (x ^ x >> 32) * 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 29) * 0xBF58476D1CE4E5B9u;
    return x / 32 * 32 + (unsigned)(k->family * 8 + k->level);
}

static struct plain_cell *plain_find(struct plain *m, struct plain_key key)
{
    for (uint32_t i = 0; i < m->count; i++)
        if (memcmp(&m->cells[i].key, &key, sizeof key) == 0)
            return &m->cells[i];
    return NULL;
}

static uint32_t plain_weight(uint32_t now_s)
{
    double weight = UNIT;

    for (uint32_t i = 0; i < now_s / STEP_S % 64; i++)
        weight *= 1.0108892860517005;
    return (uint32_t)(weight + 0.5);
}

static uint32_t plain_eras(const struct plain_cell *c, uint32_t now_s)
{
    return now_s / ERA_S > c->touched_s / ERA_S ? now_s / ERA_S - c->touched_s / ERA_S : 0;
}

static uint32_t plain_bucket(uint32_t seconds)
{
    uint32_t bucket = BUCKETS - 1;

    while (seconds < bucket_edges[bucket])
        bucket--;
    return bucket;
}

static void plain_drop(struct plain *m, uint32_t now_s)
{
    while (m->count - FAMILIES > CELLS / 4 * 3) {
        uint64_t least = UINT64_MAX;
        uint32_t coldest = 0;

        for (uint32_t i = FAMILIES; i < m->count; i++) {
            const struct plain_cell *c = &m->cells[i];
            uint32_t eras = plain_eras(c, now_s);
            uint64_t weight = eras > 63 ? 0 : (uint64_t)c->total << c->scale << 32 >> eras;

            if (weight < least || (weight == least && c->stored < m->cells[coldest].stored)) {
                least = weight;
                coldest = i;
            }
        }
        m->cells[coldest] = m->cells[--m->count];
    }
}

/* Half a unit left over goes to the next bucket. */
static void plain_halve(struct plain_cell *c)
{
    uint32_t twice = 0;

    c->total = 0;
    for (int i = 0; i < BUCKETS; i++) {
        uint32_t half = (twice % 2 + c->counts[i]) / 2;

        twice = twice % 2 + c->counts[i];
        c->total += c->counts[i] = half;
    }
}

/* One era later: units are worth half, and where they were the smallest, half as many remain. */
static void plain_age(struct plain_cell *c)
{
    if (c->scale > 0)
        c->scale--;
    else
        plain_halve(c);
}

/* A sample counts as many as it stands for in a world of this age. */
static uint32_t plain_stands_for(uint32_t age_s, uint32_t seconds, uint32_t weight)
{
    if (seconds <= age_s / 64)
        return weight;
    if (seconds >= age_s || age_s - seconds <= age_s / 4)
        return 4 * weight;
    return (uint32_t)((uint64_t)weight * age_s / (age_s - seconds));
}

static void plain_add(struct plain_cell *c, uint32_t seconds, uint32_t weight, uint32_t now_s)
{
    uint32_t bucket = plain_bucket(seconds), units;

    if (c->touched_s / ERA_S > now_s / ERA_S)
        weight = UNIT;
    for (uint32_t eras = plain_eras(c, now_s); eras > 0 && c->total + c->scale > 0; eras--)
        plain_age(c);
    uint32_t noise = (seconds * 0x9E3779B1u ^ now_s * 0x85EBCA77u) + c->total * 0xC2B2AE3Du;

    while (units = (weight + noise / (1 << 17) % (1u << c->scale)) >> c->scale,
           c->counts[bucket] + units > 65535 || c->total + units >= 1 << 17) {
        plain_halve(c);
        c->scale += c->scale < 15;
        scale_most = c->scale > scale_most ? c->scale : scale_most;
    }
    c->total += units;
    c->counts[bucket] += units;
    if (now_s > c->touched_s)
        c->touched_s = now_s;
}

static void plain_learn(struct plain *m, enum model_family family, struct model_key key,
                        uint32_t seconds, uint32_t now_s)
{
    if (m->born_s == 0)
        m->born_s = now_s;
    if (m->count == CELLS + FAMILIES && now_s / (6 * HOUR) > m->pruned) {
        m->pruned = now_s / (6 * HOUR);
        plain_drop(m, now_s);
    }
    struct plain_cell *cells[LEVELS] = {plain_find(m, plain_key(family, 0, key))};
    uint32_t age_s = now_s > m->born_s ? now_s - m->born_s : 0;

    for (int level = 1; level < plain_levels(family, key); level++) {
        struct plain_cell *parent = cells[level - 1];

        cells[level] = plain_find(m, plain_key(family, level, key));
        if (cells[level] == NULL && m->count < CELLS + FAMILIES && parent != NULL
            && (level == 1 || parent->total << parent->scale >= SHRINK * UNIT)) {
            cells[level] = &m->cells[m->count++];
            *cells[level] = (struct plain_cell) {
                .key = plain_key(family, level, key), .touched_s = now_s};
            cells[level]->stored = real_key(&cells[level]->key);
        }
    }
    for (int level = 0; level < LEVELS; level++)
        if (cells[level] != NULL)
            plain_add(cells[level], seconds,
                      plain_stands_for(age_s, seconds, plain_weight(now_s)), now_s);
}

/* The mixture: what is known of it, and the mass of each bucket; the last four hold nothing. */
struct plain_mix {
    bool     known;
    int      level;
    double   samples, support;
    float    all, flat, mass[ROWS * ROW];
    uint32_t rows;
};

/* Levels that less than `negligible` would be left for are not asked. */
static struct plain_mix plain_ask(struct plain *m, enum model_family family,
                                  struct model_key key, double negligible, uint32_t now_s)
{
    const struct plain_cell *of[LEVELS];
    struct plain_mix mix = {.known = plain_find(m, plain_key(family, 0, key))->total > 0};
    float share[LEVELS];
    int parts = 0, level = plain_levels(family, key);
    double left = 1;

    while (level > 0 && left >= negligible) {
        const struct plain_cell *c = plain_find(m, plain_key(family, --level, key));

        if (c == NULL || c->total == 0)
            continue;
        double one = 1.0 / (c->touched_s / ERA_S > now_s / ERA_S ? UNIT : plain_weight(now_s));
        double worth = ldexp(one, (int)c->scale - (int)plain_eras(c, now_s));
        double samples = c->total * worth, parent = level == 0 ? 1 : SHRINK;

        if (parts == 0) {
            mix.level = level;
            mix.samples = samples;
        }
        double part = left / (samples + parent);

        of[parts] = c;
        share[parts++] = (float)(part * worth);
        mix.support += part * samples * samples;
        left = part * parent;
    }
    mix.all = level == 0 ? 1 : (float)(1 - left);
    mix.flat = level == 0 ? (float)(left / BUCKETS) : 0;
    for (int i = 0; i < BUCKETS; i++) {
        mix.mass[i] = mix.flat;
        for (int p = 0; p < parts; p++) {
            mix.mass[i] += (float)of[p]->counts[i] * share[p];
            mix.rows |= (uint32_t)(of[p]->counts[i] > 0) << i / ROW;
        }
    }
    return mix;
}

static float row_sum(const float *mass)
{
    return ((mass[0] + mass[4]) + (mass[1] + mass[5])) + ((mass[2] + mass[6])
                                                         + (mass[3] + mass[7]));
}

static float plain_left(uint32_t bucket, uint32_t elapsed_s)
{
    float low = (float)bucket_edges[bucket], high = (float)bucket_edges[bucket + 1];

    return elapsed_s >= bucket_edges[bucket + 1] ? 0 : (high - (float)elapsed_s) / (high - low);
}

/* The second above which the mass is `wanted`: row by row, bucket by bucket from the end. */
static double plain_second(const float *mass, uint32_t last, float wanted, uint32_t elapsed_s)
{
    float above = 0;
    int row = ROWS - 1, i;

    for (; row > (int)last && above + row_sum(mass + row * ROW) < wanted; row--)
        above += row_sum(mass + row * ROW);
    const float *high = mass + row * ROW + 4;
    float four = (high[0] + high[1]) + (high[2] + high[3]);
    bool low_four = row == ROWS - 1 || above + four < wanted;

    i = row * ROW + (low_four ? 3 : 7);
    above = (low_four ? above + four : above) + mass[i];
    for (int end = i - 3; i > end && above < wanted; )
        above += mass[--i];
    double low = bucket_edges[i] > elapsed_s ? bucket_edges[i] : elapsed_s;
    double part = mass[i] > 0 ? (double)((above - wanted) / mass[i]) : 1;

    return low + (bucket_edges[i + 1] - low) * (part > 1 ? 1 : part < 0 ? 0 : part);
}

/* Returns the mass beyond elapsed_s. */
static float plain_quantiles(struct plain_mix mix, uint32_t elapsed_s,
                             const double probabilities[3], double seconds[3])
{
    uint32_t bucket = plain_bucket(elapsed_s), row = bucket / ROW;
    float left = plain_left(bucket, elapsed_s), total = 0;

    for (uint32_t b = 0; b < bucket; b++)
        mix.mass[b] = 0;
    if (elapsed_s > 0)
        mix.mass[bucket] *= left;
    if ((mix.rows & ((2u << row) - 1)) == 0)
        total = mix.all - mix.flat * ((float)(bucket + 1) - left);
    else
        for (int r = ROWS - 1; r >= (int)row; r--)
            total += row_sum(mix.mass + r * ROW);
    for (int q = 0; q < 3; q++)
        seconds[q] = total > 0 ? plain_second(mix.mass, row,
                                              (float)(1 - probabilities[q]) * total, elapsed_s)
                               : elapsed_s;
    return total;
}

/* ── Random sequences ────────────────────────────────────────────────────────────────── */

static uint64_t seed = 88172645463325252u;

static uint32_t random_below(uint32_t limit)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 32) % limit;
}

static struct model_key random_key(void)
{
    return (struct model_key) {(uint8_t)random_below(3), (uint8_t)(random_below(6) + 1),
                               random_below(8) + 1, random_below(4) * random_below(6)};
}

static uint32_t random_seconds(void)
{
    uint32_t limit = 1u << random_below(24);

    return limit / 2 + random_below(limit);
}

/* Mostly onwards; now and then back, and over many eras at once. */
static uint32_t random_clock(uint32_t now_s)
{
    switch (random_below(2000)) {
    case 0:  return now_s + random_below(3 * ERA_S);
    case 1:  return now_s - random_below(ERA_S);
    default: return now_s + random_below(120);
    }
}

static struct model *real_create(void)
{
    return model_create(&(struct model_settings) {
        .cells_max = CELLS, .half_life_s = HALF_LIFE_S, .shrink = SHRINK});
}

static void assert_same_answers(struct model *real, struct plain *plain, uint32_t now_s)
{
    enum model_family family = random_below(2) ? MODEL_DWELL : MODEL_REMAINING;
    struct model_key key = random_key();
    uint32_t elapsed_s = random_below(2) ? random_seconds() : 0;
    double probabilities[3] = {0.01 + random_below(50) / 100.0, 0.6, random_below(2) ? 0.6 : 0.95};
    struct quantiles got = model_ask(real, family, key, elapsed_s, probabilities, now_s);
    struct plain_mix mix = plain_ask(plain, family, key, NEGLIGIBLE, now_s), most = mix;
    double wanted[3];

    assert_int_equal(got.known, mix.known);
    if (!mix.known)
        return;
    if (plain_quantiles(mix, elapsed_s, probabilities, wanted) < 0.5f) {
        most = plain_ask(plain, family, key, 0, now_s);
        (void)plain_quantiles(most, elapsed_s, probabilities, wanted);
        asked_again += mix.flat < most.flat;
    }
    assert_int_equal(got.level, most.level);
    assert_memory_equal(&got.samples, &most.samples, sizeof most.samples);
    assert_memory_equal(&got.support, &most.support, sizeof most.support);
    assert_memory_equal(got.p, wanted, sizeof wanted);
}

/* ── Stored and restored ─────────────────────────────────────────────────────────────── */

struct stored {
    uint32_t count;
    struct { char field[40]; size_t length; uint8_t bytes[BYTES_MAX]; } list[2 * CELLS];
};

static void store(void *self, const char *field, size_t field_length, const uint8_t *bytes,
                  size_t length)
{
    struct stored *s = self;
    uint32_t i = 0;

    while (i < s->count && (strncmp(s->list[i].field, field, field_length) != 0
                            || s->list[i].field[field_length] != '\0'))
        i++;
    if (bytes == NULL) {
        if (i < s->count)
            s->list[i] = s->list[--s->count];
        return;
    }
    assert_true(i < 2 * CELLS && field_length < sizeof s->list[i].field && length <= BYTES_MAX);
    s->count += i == s->count;
    memcpy(s->list[i].field, field, field_length);
    s->list[i].field[field_length] = '\0';
    memcpy(s->list[i].bytes, bytes, length);
    s->list[i].length = length;
}

/* A cell as it is to be stored, but for its notes, which are left 0; returns its length. */
static size_t plain_pack(const struct plain_cell *c, char field[40], uint8_t bytes[BYTES_MAX])
{
    uint32_t step_s = STEP_S;
    size_t length = HISTOGRAM_AT + 1 + BITMAP_BYTES;

    (void)snprintf(field, 40, "%c%d.%016llx", "rdl"[c->key.family],
                   c->key.level, (unsigned long long)real_key(&c->key));
    memset(bytes, 0, length);
    bytes[0] = 3;
    memcpy(bytes + 1, &step_s, 4);
    memcpy(bytes + 5, &c->touched_s, 4);
    bytes[HISTOGRAM_AT] = (uint8_t)c->scale;
    for (int i = 0; i < BUCKETS; i++) {
        uint32_t count = c->counts[i];

        if (count == 0)
            continue;
        bytes[HISTOGRAM_AT + 1 + i / 8] |= (uint8_t)(1 << i % 8);
        for (; count >= 128; count /= 128)
            bytes[length++] = (uint8_t)(count % 128 + 128);
        bytes[length++] = (uint8_t)count;
    }
    return length;
}

static void assert_same_cells(const struct stored *s, const struct plain *plain)
{
    char field[40];
    uint8_t bytes[BYTES_MAX];
    uint32_t touched = 0;

    for (uint32_t i = 0; i < plain->count; i++) {
        uint32_t k = 0;

        if (plain->cells[i].touched_s == 0)
            continue; /* a family nothing was learned of */
        touched++;
        size_t length = plain_pack(&plain->cells[i], field, bytes);

        while (k < s->count && strcmp(s->list[k].field, field) != 0)
            k++;
        if (k == s->count)
            fail_msg("no %s is stored", field);
        assert_int_equal(s->list[k].length, length);
        memcpy(bytes + NOTES_AT, s->list[k].bytes + NOTES_AT, HISTOGRAM_AT - NOTES_AT);
        assert_memory_equal(s->list[k].bytes, bytes, length);
    }
    assert_int_equal(s->count, touched + 1); /* and field m */
}

static struct model *real_restart(struct model *real, const struct stored *s)
{
    model_destroy(real);
    real = real_create();
    for (uint32_t i = s->count; i-- > 0;)
        assert_int_equal(model_restore(real, s->list[i].field, strlen(s->list[i].field),
                                       s->list[i].bytes, s->list[i].length), 0);
    return real;
}

static void every_bit_is_the_plain_models(void **state)
{
    struct plain *plain = calloc(1, sizeof *plain);
    struct stored *s = calloc(1, sizeof *s);
    struct model *real = real_create();
    uint32_t now_s = T0;

    (void)state;
    for (int family = 0; family < FAMILIES; family++)
        plain->cells[plain->count++].key = plain_key((enum model_family)family, 0,
                                                     (struct model_key) {0});
    for (int i = 0; i < ROUNDS; i++) {
        enum model_family family = random_below(3) ? MODEL_REMAINING : MODEL_DWELL;
        struct model_key key = random_key();
        uint32_t seconds = random_seconds();

        now_s = random_clock(now_s);
        uint32_t times = random_below(1000) == 0 ? random_below(20000) : 1;

        for (; times > 0; times--) {
            model_learn(real, family, key, seconds, now_s);
            plain_learn(plain, family, key, seconds, now_s);
        }
        assert_same_answers(real, plain, now_s);
        if (random_below(500) == 0) {
            model_dirty_each(real, store, s);
            model_clean(real);
            assert_same_cells(s, plain);
            if (random_below(2))
                real = real_restart(real, s);
        }
    }
    assert_int_equal(model_cells(real), plain->count);
    assert_true(plain->pruned > 0); /* it was full, and cells were dropped */
    if (asked_again == 0 || scale_most < 4)
        fail_msg("asked again %d times, scale %u at most", asked_again, scale_most);
    model_destroy(real);
    free(plain);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_bit_is_the_plain_models)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
