/* The histogram beside a sorted list, and its encoding beside a reader of HdrHistogram's V2
 * form written from its description.  (That HdrHistogram itself reads it is a system test.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

#include "bench/peakload/base64.h"
#include "bench/peakload/histogram.h"
#include "bench/peakload/random.h"

enum { VALUES = 20000 };

static int64_t values[VALUES];

static int by_size(const void *a, const void *b)
{
    int64_t one = *(const int64_t *)a, other = *(const int64_t *)b;

    return (one > other) - (one < other);
}

/* Durations of every size, 1 ns to more than an hour. */
static struct histogram *fill(void)
{
    struct histogram *h = calloc(1, sizeof *h);
    struct random r = random_of(7, 1);

    assert_non_null(h);
    for (int i = 0; i < VALUES; i++) {
        values[i] = (int64_t)(random_next(&r) >> (22 + random_below(&r, 40)));
        histogram_record(h, values[i]);
        if (values[i] > HISTOGRAM_HIGHEST)
            values[i] = HISTOGRAM_HIGHEST;
    }
    qsort(values, VALUES, sizeof values[0], by_size);
    return h;
}

static void three_digits(void **state)
{
    struct histogram *h = fill();

    (void)state;
    assert_int_equal(h->count, VALUES);
    for (int i = 1; i <= VALUES; i += 7) {
        int64_t is = histogram_at(h, (double)i / VALUES), exact = values[i - 1];

        assert_true(is >= exact);
        assert_true(is - exact <= exact / 1000 + (1 << HISTOGRAM_UNIT_BITS));
    }
    assert_int_equal(histogram_at(h, 1), values[VALUES - 1]);
    free(h);
}

static void adds(void **state)
{
    struct histogram *h = fill(), *sum = calloc(1, sizeof *sum);

    (void)state;
    assert_non_null(sum);
    histogram_add(sum, h);
    histogram_add(sum, h);
    assert_int_equal(sum->count, 2 * VALUES);
    assert_int_equal(sum->least, values[0]);
    for (int i = 0; i <= 100; i++)
        assert_int_equal(histogram_at(sum, i / 100.0), histogram_at(h, i / 100.0));
    histogram_record(sum, -5);      /* clocks that differ */
    assert_int_equal(sum->least, 0);
    free(sum);
    free(h);
}

static uint64_t big(const uint8_t *p, int bytes)
{
    uint64_t value = 0;

    for (int i = 0; i < bytes; i++)
        value = value << 8 | p[i];
    return value;
}

static const uint8_t *read_count(const uint8_t *p, int64_t *count)
{
    uint64_t value = 0;

    for (int i = 0; i < 9; i++) {
        value |= (uint64_t)(i < 8 ? *p & 0x7f : *p) << (7 * i);
        if (i == 8 || (*p & 0x80) == 0) {
            p++;
            break;
        }
        p++;
    }
    *count = (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
    return p;
}

static void reads_back(void **state)
{
    struct histogram *h = fill();
    char   *text = histogram_encode(h);
    uint8_t packed[1 << 18], plain[1 << 18];
    size_t  size;
    uLongf  length = sizeof plain;

    (void)state;
    assert_non_null(text);
    assert_int_equal(strncmp(text, "HIST", 4), 0);      /* HdrHistogram's cookie, in base64 */
    assert_int_equal(base64_read(packed, &size, text, strlen(text)), 0);
    assert_int_equal(big(packed, 4), 0x1c849314);
    assert_int_equal(big(packed + 4, 4), size - 8);
    assert_int_equal(uncompress(plain, &length, packed + 8, size - 8), Z_OK);
    assert_int_equal(big(plain, 4), 0x1c849313);
    assert_int_equal(big(plain + 4, 4), length - 40);
    assert_int_equal(big(plain + 12, 4), 3);
    assert_int_equal(big(plain + 16, 8), HISTOGRAM_LOWEST);
    assert_int_equal(big(plain + 24, 8), HISTOGRAM_HIGHEST);
    int slot = 0;
    for (const uint8_t *p = plain + 40; p < plain + length;) {
        int64_t count;

        p = read_count(p, &count);
        if (count < 0) {
            for (; count < 0; count++)
                assert_int_equal(h->slot[slot++], 0);
        } else {
            assert_int_equal(h->slot[slot++], count);
        }
    }
    for (; slot < HISTOGRAM_SLOTS; slot++)
        assert_int_equal(h->slot[slot], 0);
    free(text);
    free(h);
}

static void empty(void **state)
{
    struct histogram *h = calloc(1, sizeof *h);

    (void)state;
    assert_non_null(h);
    assert_null(histogram_encode(h));
    assert_int_equal(histogram_at(h, 0.99), 0);
    free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_digits), cmocka_unit_test(adds), cmocka_unit_test(reads_back),
        cmocka_unit_test(empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
