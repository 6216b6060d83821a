/* Variables in texts, seeded randomness, memory figures that make sense. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/env.h"
#include "pipeline/error.h"

static void expands(void **state)
{
    char result[64];

    (void)state;
    assert_int_equal(setenv("PEAKLINE_TEST_A", "alpha", 1), 0);
    assert_int_equal(setenv("PEAKLINE_TEST_B", "", 1), 0);
    assert_int_equal(env_expand("", result, sizeof result), 0);
    assert_string_equal(result, "");
    assert_int_equal(env_expand("no $variable {here} $", result, sizeof result), 0);
    assert_string_equal(result, "no $variable {here} $");
    assert_int_equal(env_expand("<${PEAKLINE_TEST_A}|${PEAKLINE_TEST_B}>", result,
                                sizeof result), 0);
    assert_string_equal(result, "<alpha|>");
    assert_int_equal(setenv("PEAKLINE_TEST_A", "${PEAKLINE_TEST_B}", 1), 0);
    assert_int_equal(env_expand("${PEAKLINE_TEST_A}", result, sizeof result), 0);
    assert_string_equal(result, "${PEAKLINE_TEST_B}"); /* once, not again */
}

static void refuses(void **state)
{
    char result[8];

    (void)state;
    assert_int_equal(unsetenv("PEAKLINE_TEST_C"), 0);
    assert_int_equal(env_expand("${PEAKLINE_TEST_C}", result, sizeof result), -1);
    assert_non_null(strstr(error_text(), "PEAKLINE_TEST_C is not set"));
    assert_int_equal(env_expand("${", result, sizeof result), -1);
    assert_int_equal(env_expand("${}", result, sizeof result), -1);
    assert_int_equal(env_expand("${A", result, sizeof result), -1);
    assert_int_equal(env_expand("${1A}", result, sizeof result), -1);
    assert_int_equal(env_expand("${A B}", result, sizeof result), -1);
    assert_int_equal(env_expand("1234567", result, sizeof result), 0);
    assert_int_equal(env_expand("12345678", result, sizeof result), -1);
    assert_int_equal(setenv("PEAKLINE_TEST_C", "12345678", 1), 0);
    assert_int_equal(env_expand("${PEAKLINE_TEST_C}", result, sizeof result), -1);
}

static void a_seed_repeats(void **state)
{
    uint64_t first[8];

    (void)state;
    env_seed(42);
    for (int i = 0; i < 8; i++)
        first[i] = env_random();
    env_seed(42);
    for (int i = 0; i < 8; i++)
        assert_int_equal(env_random(), first[i]);
    env_seed(43);
    assert_int_not_equal(env_random(), first[0]);
    env_seed(0);
    assert_int_not_equal(env_random(), env_random());
}

static void memory_makes_sense(void **state)
{
    (void)state;
    assert_true(env_resident_bytes() > 100 * 1024);
    assert_true(env_memory_bytes_max() > env_resident_bytes());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expands),
        cmocka_unit_test(refuses),
        cmocka_unit_test(a_seed_repeats),
        cmocka_unit_test(memory_makes_sense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
