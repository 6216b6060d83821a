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
#include "stages/eta/model.h"

enum {
    T0 = 1793577600, HOUR = 3600, CELLS = 300, HALF_LIFE_S = 6 * HOUR, STEP_S = HALF_LIFE_S / 64,
    ERA_S = 1024 * STEP_S, ROUNDS = 60000, BYTES_MAX = 512
};

static const double SHRINK = 10;

/* ── The plain model ─────────────────────────────────────────────────────────────────── */

struct plain_cell {
    uint64_t key;
    uint32_t touched_s, era;
    float    total, counts[BUCKETS];
};

struct plain {
    uint32_t count, pruned_hour;
    struct plain_cell cells[CELLS + 2];
};

static uint64_t plain_key(enum model_family family, int level, struct model_key k)
{
    uint64_t parts[] = {level == 1 ? k.service : 0, level >= 1 ? k.code : 0,
                        level >= 2 ? k.dest : 0, level == 3 ? k.place : 0};

    return 1ull << 63 | (uint64_t)family << 58 | (uint64_t)level << 56 | parts[0] << 48
         | parts[1] << 40 | parts[2] << 20 | parts[3];
}

static struct plain_cell *plain_find(struct plain *m, uint64_t key)
{
    for (uint32_t i = 0; i < m->count; i++)
        if (m->cells[i].key == key)
            return &m->cells[i];
    return NULL;
}

static float plain_weight(uint32_t now_s)
{
    uint32_t step = now_s / STEP_S % 1024;
    double weight = 1;

    for (uint32_t i = 0; i < step % 64; i++)
        weight *= 1.0108892860517005;
    return ldexpf((float)weight, (int)(step / 64));
}

static float era_factor(uint32_t eras)
{
    return ldexpf(1, -16 * (int)eras);
}

static uint32_t plain_bucket(uint32_t seconds)
{
    uint32_t bucket = BUCKETS - 1;

    while (seconds < bucket_edges[bucket])
        bucket--;
    return bucket;
}

static void plain_drop(struct plain *m, uint32_t era)
{
    while (m->count - 2 > CELLS / 10 * 9) {
        double least = INFINITY;
        uint32_t coldest = 0;

        for (uint32_t i = 2; i < m->count; i++) {
            const struct plain_cell *c = &m->cells[i];
            double weight = (double)c->total * (double)era_factor(era > c->era ? era - c->era : 0);

            if (weight < least || (weight == least && c->key < m->cells[coldest].key)) {
                least = weight;
                coldest = i;
            }
        }
        m->cells[coldest] = m->cells[--m->count];
    }
}

static void plain_scale(struct plain_cell *c, float factor)
{
    c->total *= factor;
    for (int i = 0; i < BUCKETS; i++)
        c->counts[i] = c->counts[i] * factor < 1e-6f ? 0 : c->counts[i] * factor;
}

static void plain_add(struct plain_cell *c, uint32_t bucket, uint32_t now_s)
{
    uint32_t era = now_s / ERA_S;
    float weight = c->era > era ? 1 : plain_weight(now_s);

    if (c->era < era) {
        plain_scale(c, era_factor(era - c->era));
        c->era = era;
    }
    c->total += weight;
    c->counts[bucket] += weight;
    if (c->total > (1 << 20) * weight)
        plain_scale(c, 0.5f);
    if (now_s > c->touched_s)
        c->touched_s = now_s;
}

static void plain_learn(struct plain *m, enum model_family family, struct model_key key,
                        uint32_t seconds, uint32_t now_s)
{
    if (m->count == CELLS + 2 && now_s / HOUR > m->pruned_hour) {
        m->pruned_hour = now_s / HOUR;
        plain_drop(m, now_s / ERA_S);
    }
    for (int level = 0; level < (key.place == NAME_NONE ? 3 : 4); level++) {
        struct plain_cell *c = plain_find(m, plain_key(family, level, key));

        if (c == NULL && m->count < CELLS + 2) {
            c = &m->cells[m->count++];
            *c = (struct plain_cell) {
                .key = plain_key(family, level, key), .era = level > 0 ? now_s / ERA_S : 0};
        }
        if (c != NULL)
            plain_add(c, plain_bucket(seconds), now_s);
    }
}

/* The mixture: what is known of it, and the mass of each bucket. */
struct plain_mix {
    bool     known;
    int      level;
    double   samples, support;
    float    mass[BUCKETS];
};

static struct plain_mix plain_ask(struct plain *m, enum model_family family,
                                  struct model_key key, uint32_t now_s)
{
    const struct plain_cell *of[4];
    struct plain_mix mix = {.known = plain_find(m, plain_key(family, 0, key))->total > 1e-6f};
    float share[4];
    int parts = 0;
    double left = 1;

    for (int level = key.place == NAME_NONE ? 2 : 3; level >= 0; level--) {
        const struct plain_cell *c = plain_find(m, plain_key(family, level, key));
        uint32_t era = now_s / ERA_S;

        if (c == NULL)
            continue;
        double worth = c->era > era ? 1 : 1 / (double)plain_weight(now_s)
                                          * (double)era_factor(era - c->era);
        double samples = (double)c->total * worth, parent = level == 0 ? 1 : SHRINK;

        if (samples <= 1e-6)
            continue;
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
    for (int i = 0; i < BUCKETS; i++) {
        mix.mass[i] = (float)(left / BUCKETS);
        for (int p = 0; p < parts; p++)
            mix.mass[i] += of[p]->counts[i] * share[p];
    }
    return mix;
}

static float block_sum(const float *mass)
{
    return (mass[0] + mass[1]) + (mass[2] + mass[3]);
}

static double plain_second(const float mass[BUCKETS], int i, float below, float target,
                           uint32_t elapsed_s)
{
    for (int last = i + 3; i < last && below + mass[i] < target; i++)
        below += mass[i];
    double low = bucket_edges[i], high = bucket_edges[i + 1];
    double part = mass[i] > 0 ? (double)((target - below) / mass[i]) : 1;

    if (low < elapsed_s)
        low = elapsed_s;
    return low + (high - low) * (part > 1 ? 1 : part);
}

static double plain_quantile(struct plain_mix mix, uint32_t elapsed_s, double probability)
{
    uint32_t bucket = plain_bucket(elapsed_s), high_s = bucket_edges[bucket + 1];
    float low = (float)bucket_edges[bucket], high = (float)high_s, total = 0, below = 0;
    int i = 0;

    for (uint32_t b = 0; b < bucket; b++)
        mix.mass[b] = 0;
    if (elapsed_s > 0)
        mix.mass[bucket] *= elapsed_s >= high_s ? 0 : (high - (float)elapsed_s) / (high - low);
    for (int b = 0; b < BUCKETS; b += 4)
        total += block_sum(mix.mass + b);
    if (!(total > 0))
        return elapsed_s;
    for (; i < BUCKETS - 4 && below + block_sum(mix.mass + i) < (float)probability * total; i += 4)
        below += block_sum(mix.mass + i);
    return plain_second(mix.mass, i, below, (float)probability * total, elapsed_s);
}

static uint32_t plain_within(const struct plain_mix *mix, double probability, uint32_t low_s,
                             uint32_t high_s)
{
    float wanted = (float)(1 - probability), above = 0;
    int last = (int)plain_bucket(low_s) / 4 * 4;

    for (int i = BUCKETS - 4; i >= last; i -= 4) {
        float here = block_sum(mix->mass + i);

        if (above + here < wanted) {
            above += here;
            continue;
        }
        double second = plain_second(mix->mass, i, 0, above + here - wanted, 0);

        return second < low_s ? low_s : second > high_s ? high_s : (uint32_t)second;
    }
    return low_s;
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
    uint32_t low_s = random_seconds(), high_s = low_s + random_seconds();
    double probabilities[3] = {0.01 + random_below(50) / 100.0, 0.6, random_below(2) ? 0.6 : 0.95};
    struct quantiles got = model_ask(real, family, key, elapsed_s, probabilities, now_s);
    struct plain_mix mix = plain_ask(plain, family, key, now_s);

    assert_int_equal(got.known, mix.known);
    if (!mix.known)
        return;
    assert_int_equal(got.level, mix.level);
    assert_memory_equal(&got.samples, &mix.samples, sizeof mix.samples);
    assert_memory_equal(&got.support, &mix.support, sizeof mix.support);
    for (int q = 0; q < 3; q++) {
        double wanted = plain_quantile(mix, elapsed_s, probabilities[q]);

        assert_memory_equal(&got.p[q], &wanted, sizeof wanted);
    }
    for (int i = 0; i < 3; i++) {
        double probability = i == 0 ? 0.99 : probabilities[i];

        assert_int_equal(model_ask_within(real, family, key, probability, low_s, high_s, 2, now_s),
                         mix.support < 2 ? high_s
                                         : plain_within(&mix, probability, low_s, high_s));
    }
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

/* A cell as it is to be stored; returns its length. */
static size_t plain_pack(const struct plain_cell *c, char field[40], uint8_t bytes[BYTES_MAX])
{
    uint32_t step_s = STEP_S;
    size_t length = 1 + 4 + 4 + 4 + BITMAP_BYTES;

    (void)snprintf(field, 40, "%c.%u.%u.%u.%u.%u", c->key >> 58 & 1 ? 'd' : 'r',
                   (unsigned)(c->key >> 56 & 3), (unsigned)(c->key >> 48 & 255),
                   (unsigned)(c->key >> 40 & 255), (unsigned)(c->key >> 20 & NAMES_MAX),
                   (unsigned)(c->key & NAMES_MAX));
    memset(bytes, 0, length);
    bytes[0] = 1;
    memcpy(bytes + 1, &step_s, 4);
    memcpy(bytes + 5, &c->touched_s, 4);
    memcpy(bytes + 9, &c->total, 4);
    for (int i = 0; i < BUCKETS; i++) {
        if (c->counts[i] == 0)
            continue;
        bytes[13 + i / 8] = (uint8_t)(bytes[13 + i / 8] | 1 << i % 8);
        memcpy(bytes + length, &c->counts[i], 4);
        length += 4;
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

        if (plain->cells[i].total == 0)
            continue; /* a family nothing was learned of */
        touched++;
        size_t length = plain_pack(&plain->cells[i], field, bytes);

        while (k < s->count && strcmp(s->list[k].field, field) != 0)
            k++;
        if (k == s->count)
            fail_msg("no %s is stored", field);
        assert_int_equal(s->list[k].length, length);
        assert_memory_equal(s->list[k].bytes, bytes, length);
    }
    assert_int_equal(s->count, touched + (plain->pruned_hour > 0));
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
    for (int family = 0; family < 2; family++)
        plain->cells[plain->count++].key = plain_key((enum model_family)family, 0,
                                                     (struct model_key) {0});
    for (int i = 0; i < ROUNDS; i++) {
        enum model_family family = random_below(3) ? MODEL_REMAINING : MODEL_DWELL;
        struct model_key key = random_key();
        uint32_t seconds = random_seconds();

        now_s = random_clock(now_s);
        model_learn(real, family, key, seconds, now_s);
        plain_learn(plain, family, key, seconds, now_s);
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
    assert_true(plain->pruned_hour > 0); /* it was full, and cells were dropped */
    model_destroy(real);
    free(plain);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_bit_is_the_plain_models)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
