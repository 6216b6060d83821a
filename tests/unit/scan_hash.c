/* Unit tests of the two hashes of a parcel number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "stages/scan/scan.h"

/* The vectors of Kafka's own test of Utils.murmur2, in Java. */
static void test_murmur2(void **state)
{
    static const struct {
        const char *key;
        int32_t     hash;
    } vectors[] = {
        {"21", -973932308},
        {"foobar", -790332482},
        {"a-little-bit-long-string", -985981536},
        {"a-little-bit-longer-string", -1486304829},
        {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
        {"abc", 479470107},
    };

    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        assert_int_equal(parcel_home(vectors[i].key, strlen(vectors[i].key)),
                         (uint32_t)vectors[i].hash & 0x7fffffff);
}

/* Bytes above 127 are taken as Java takes them: (b & 0xff). */
static void test_murmur2_high(void **state)
{
    (void)state;
    assert_int_not_equal(parcel_home("\xff\xfe\xfd", 3), parcel_home("\x7f\x7e\x7d", 3));
    assert_true(parcel_home(NULL, 0) <= INT32_MAX);
    for (size_t length = 0; length <= PARCEL_MAX; length++)
        assert_true(parcel_home("YT7512345678901YT7512345678901YT75123456", length) <= INT32_MAX);
}

/* Neither reads beyond the number: each stands at the very end of its own memory. */
static void test_bounds(void **state)
{
    (void)state;
    for (size_t length = 1; length <= PARCEL_MAX; length++) {
        char *number = malloc(length);

        assert_non_null(number);
        memset(number, 'A', length);
        assert_true(parcel_hash(number, length) != parcel_hash(number, length - 1));
        assert_true(parcel_home(number, length) <= INT32_MAX);
        free(number);
    }
}

/* Alert ids are made of it, so it is the same on every machine and in every version. */
static void test_hash_is_stable(void **state)
{
    (void)state;
    assert_int_equal(parcel_hash("YT7512345678901", 15), UINT64_C(0xad386ef1fb307fe0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_murmur2),
        cmocka_unit_test(test_murmur2_high),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_hash_is_stable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
