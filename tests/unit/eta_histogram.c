/* eta_histogram.c - buckets, mixtures and quantiles beside plain ones in double. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/error.h"
#include "stages/eta/histogram.h"

static uint64_t seed = 88172645463325252u;

static uint32_t random32(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 32);
}

static void edges_follow_their_rule(void **state)
{
    (void)state;
    assert_int_equal(bucket_edges[0], 0);
    assert_int_equal(bucket_edges[1], 60);
    for (int i = 1; i < BUCKETS; i++)
        assert_int_equal(bucket_edges[i + 1], (uint64_t)bucket_edges[i] * 115 / 100);
    assert_true(bucket_edges[BUCKETS - 1] >= 60 * 86400);
}

static void bucket_holds_its_seconds(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < BUCKETS; i++) {
        assert_int_equal(bucket_of(bucket_edges[i]), i);
        assert_int_equal(bucket_of(bucket_edges[i + 1] - 1), i);
    }
    assert_int_equal(bucket_of(UINT32_MAX), BUCKETS - 1);
}

static double larger(double a, double b)
{
    return a > b ? a : b;
}

static double smaller(double a, double b)
{
    return a < b ? a : b;
}

/* The quantile of a mixture, bucket by bucket, in double. */
static double plain_quantile(const struct blend *blend, double elapsed_s, double probability)
{
    double mass[BUCKETS], total = 0;

    for (uint32_t i = 0; i < BUCKETS; i++) {
        double low = bucket_edges[i], high = bucket_edges[i + 1];
        double left = elapsed_s <= low ? 1 : elapsed_s >= high ? 0
                    : (high - elapsed_s) / (high - low);

        mass[i] = (double)blend->flat;
        for (uint32_t p = 0; p < blend->parts; p++)
            mass[i] += (double)blend->share[p] * (double)blend->of[p]->places[bucket_place(i)];
        total += mass[i] *= left;
    }
    double target = total * probability;

    for (int i = 0; i < BUCKETS; i++) {
        double low = larger(bucket_edges[i], elapsed_s), high = bucket_edges[i + 1];

        if (mass[i] >= target && mass[i] > 0)
            return low + (high - low) * target / mass[i];
        target -= mass[i];
    }
    return larger(bucket_edges[BUCKETS], elapsed_s);
}

static struct histogram random_histogram(void)
{
    struct histogram h = {.head = 0};
    uint32_t around = random32() % BUCKETS, count = random32() % 300 + 1;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t bucket = (around + random32() % 12 + random32() % 12) % BUCKETS;

        histogram_add(&h, bucket, random32() % 255 + 1, random32());
    }
    return h;
}

static struct blend random_blend(struct histogram of[BLEND_PARTS_MAX])
{
    struct blend blend = {
        .parts = random32() % BLEND_PARTS_MAX + 1, .flat = 1e-3f / BUCKETS, .mass = 1};

    for (uint32_t p = 0; p < blend.parts; p++) {
        of[p] = random_histogram();
        blend.of[p] = &of[p];
        blend.share[p] = (1 - 1e-3f) / (float)(blend.parts * histogram_total(&of[p]));
    }
    return blend;
}

static void assert_close(double got, double wanted)
{
    if (!(fabs(got - wanted) <= 0.02 * wanted + 0.5))
        fail_msg("got %g, wanted %g", got, wanted);
}

static void quantiles_agree_with_plain_ones(void **state)
{
    static const double probabilities[] = {0.1, 0.5, 0.9};
    struct histogram of[BLEND_PARTS_MAX];

    (void)state;
    for (int round = 0; round < 5000; round++) {
        struct blend blend = random_blend(of);
        uint32_t elapsed_s = round % 2 == 0 ? 0 : random32() % (random32() % 6000000 + 1);
        double got[QUANTILES];

        blend_quantiles(&blend, elapsed_s, probabilities, got);
        for (int q = 0; q < QUANTILES; q++) {
            assert_close(got[q], plain_quantile(&blend, elapsed_s, probabilities[q]));
            assert_true(got[q] >= elapsed_s && (q == 0 || got[q] >= got[q - 1]));
        }
    }
}

static void clamped_quantile_agrees(void **state)
{
    struct histogram of[BLEND_PARTS_MAX];

    (void)state;
    for (int round = 0; round < 5000; round++) {
        struct blend blend = random_blend(of);
        double wanted = plain_quantile(&blend, 0, 0.99);
        uint32_t low_s = random32() % 500000, high_s = low_s + random32() % 500000;
        double clamped = smaller(larger(wanted, low_s), high_s);

        assert_close(blend_quantile_within(&blend, 0.99, low_s, high_s), clamped);
    }
}

static void beyond_all_buckets_nothing_is_left(void **state)
{
    static const double probabilities[] = {0.1, 0.5, 0.9};
    struct histogram of[BLEND_PARTS_MAX];
    struct blend blend = random_blend(of);
    double got[QUANTILES];

    (void)state;
    blend_quantiles(&blend, 7000000, probabilities, got);
    assert_true(got[0] == 7000000 && got[2] == 7000000);
}

static void packed_bit_for_bit(void **state)
{
    (void)state;
    for (int round = 0; round < 2000; round++) {
        struct histogram h = random_histogram(), back;
        uint8_t bytes[HISTOGRAM_BYTES_MAX];

        if (round % 3 == 0)
            histogram_halve(&h, random32() % 20);
        if (round % 3 == 1)
            histogram_multiply(&h, random32() % 200 / 100.0);
        size_t length = histogram_pack(&h, bytes);

        assert_int_equal(histogram_unpack(&back, bytes, length), 0);
        assert_memory_equal(&back, &h, sizeof h);
        assert_int_equal(histogram_unpack(&back, bytes, length - 1), -1);
        assert_int_equal(histogram_unpack(&back, bytes, random32() % length), -1);
    }
}

/* A full one counts in larger units: it knows as many as were added, where they were added, and
 * its total and rows stay what the counts make them. */
static void a_full_one_counts_in_larger_units(void **state)
{
    struct histogram h = {.head = 0};
    enum { TIMES = 3000000, WEIGHT = 45 };

    (void)state;
    for (uint32_t i = 1; i <= TIMES; i++) {
        uint32_t total = 0, rows = 0;

        histogram_add(&h, random32() % 4 * 20, WEIGHT, random32());
        if (i % 100000 != 0)
            continue;
        for (uint32_t b = 0; b < BUCKETS; b++) {
            total += h.places[bucket_place(b)];
            rows |= (uint32_t)(h.places[bucket_place(b)] > 0) << b / ROW;
        }
        assert_int_equal(histogram_total(&h), total);
        assert_int_equal(histogram_rows(&h), rows);
        assert_close(ldexp(total, (int)histogram_scale(&h)), (double)i * WEIGHT);
        assert_close(ldexp(h.places[bucket_place(40)], (int)histogram_scale(&h)), i * WEIGHT / 4.0);
    }
    assert_true(histogram_scale(&h) > 8);
    uint32_t total = histogram_total(&h);

    histogram_halve(&h, histogram_scale(&h));
    assert_int_equal(histogram_total(&h), total);
    histogram_halve(&h, 1);
    assert_true(histogram_total(&h) - total / 2 <= 1);
    histogram_halve(&h, 100);
    assert_int_equal(h.head, 0);
}

static void nonsense_is_refused(void **state)
{
    enum { HEAD_BYTES = 1 + BITMAP_BYTES };
    uint8_t bytes[HISTOGRAM_BYTES_MAX + 1] = {0};
    struct histogram h;

    (void)state;
    assert_int_equal(histogram_unpack(&h, bytes, HEAD_BYTES), 0);
    assert_int_equal(histogram_unpack(&h, bytes, HEAD_BYTES + 1), -1);
    bytes[HEAD_BYTES - 1] = 0x10; /* bucket 84 */
    bytes[HEAD_BYTES] = 1;
    assert_int_equal(histogram_unpack(&h, bytes, HEAD_BYTES + 1), -1);
    bytes[HEAD_BYTES - 1] = 0x08; /* bucket 83 */
    assert_int_equal(histogram_unpack(&h, bytes, HEAD_BYTES + 1), 0);
    assert_int_equal(h.places[bucket_place(BUCKETS - 1)], 1);
    bytes[HEAD_BYTES] = 0; /* a count of nothing */
    assert_int_equal(histogram_unpack(&h, bytes, HEAD_BYTES + 1), -1);
    memcpy(bytes + HEAD_BYTES, "\xff\xff\x03", 3); /* the most there can be */
    assert_int_equal(histogram_unpack(&h, bytes, HEAD_BYTES + 3), 0);
    assert_int_equal(h.places[bucket_place(BUCKETS - 1)], COUNT_MAX);
    bytes[HEAD_BYTES + 2] = 4;
    assert_int_equal(histogram_unpack(&h, bytes, HEAD_BYTES + 3), -1);
    bytes[0] = SCALE_MAX + 1;
    assert_int_equal(histogram_unpack(&h, bytes, HEAD_BYTES), -1);
    bytes[0] = 0;
    memset(bytes + 1, 0xff, BITMAP_BYTES); /* too much of all */
    bytes[HEAD_BYTES - 1] = 0x0f;
    for (size_t i = 0; i < BUCKETS; i++)
        memcpy(bytes + HEAD_BYTES + 3 * i, "\xff\xff\x03", 3);
    assert_int_equal(histogram_unpack(&h, bytes, HISTOGRAM_BYTES_MAX), -1);
    error_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edges_follow_their_rule),
        cmocka_unit_test(bucket_holds_its_seconds),
        cmocka_unit_test(quantiles_agree_with_plain_ones),
        cmocka_unit_test(clamped_quantile_agrees),
        cmocka_unit_test(beyond_all_buckets_nothing_is_left),
        cmocka_unit_test(packed_bit_for_bit),
        cmocka_unit_test(a_full_one_counts_in_larger_units),
        cmocka_unit_test(nonsense_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
