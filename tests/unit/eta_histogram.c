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

    for (int i = 0; i < BUCKETS; i++) {
        double low = bucket_edges[i], high = bucket_edges[i + 1];
        double left = elapsed_s <= low ? 1 : elapsed_s >= high ? 0
                    : (high - elapsed_s) / (high - low);

        mass[i] = (double)blend->flat;
        for (uint32_t p = 0; p < blend->parts; p++)
            mass[i] += (double)blend->share[p] * (double)blend->of[p]->counts[i];
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
    struct histogram h = {.total = 0};
    uint32_t around = random32() % BUCKETS, count = random32() % 300 + 1;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t bucket = (around + random32() % 12 + random32() % 12) % BUCKETS;

        histogram_add(&h, bucket, (float)(random32() % 1000 + 1) / 100);
    }
    return h;
}

static struct blend random_blend(struct histogram of[BLEND_PARTS_MAX])
{
    struct blend blend = {.parts = random32() % BLEND_PARTS_MAX + 1, .flat = 1e-3f / BUCKETS};

    for (uint32_t p = 0; p < blend.parts; p++) {
        of[p] = random_histogram();
        blend.of[p] = &of[p];
        blend.share[p] = (1 - 1e-3f) / (float)blend.parts / of[p].total;
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
            histogram_scale(&h, 1.0f / 65536);
        size_t length = histogram_pack(&h, bytes);

        assert_int_equal(histogram_unpack(&back, bytes, length), 0);
        assert_memory_equal(&back, &h, sizeof h);
        assert_int_equal(histogram_unpack(&back, bytes, length - 1), -1);
        assert_int_equal(histogram_unpack(&back, bytes, random32() % length), -1);
    }
}

static void nonsense_is_refused(void **state)
{
    uint8_t bytes[HISTOGRAM_BYTES_MAX + 1] = {0};
    struct histogram h;
    float bad = -1;

    (void)state;
    assert_int_equal(histogram_unpack(&h, bytes, 4 + BITMAP_BYTES), 0);
    assert_int_equal(histogram_unpack(&h, bytes, 4 + BITMAP_BYTES + 1), -1);
    bytes[4 + BITMAP_BYTES - 1] = 0x10; /* bucket 84 */
    assert_int_equal(histogram_unpack(&h, bytes, 4 + BITMAP_BYTES + 4), -1);
    bytes[4 + BITMAP_BYTES - 1] = 0;
    memcpy(bytes, &bad, sizeof bad);
    assert_int_equal(histogram_unpack(&h, bytes, 4 + BITMAP_BYTES), -1);
    bad = NAN;
    memcpy(bytes, &bad, sizeof bad);
    assert_int_equal(histogram_unpack(&h, bytes, 4 + BITMAP_BYTES), -1);
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
        cmocka_unit_test(nonsense_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
