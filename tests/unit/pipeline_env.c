/* Variables in texts, seeded randomness, memory figures that make sense. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static void reads_files(void **state)
{
    static const struct { const char *holds, *gives; } files[] = {
        {"s3cret\n", "<s3cret>"}, {"two\nlines\r\n", "<two\nlines>"}, {"", NULL}, {"\n", NULL},
        {"twelve bytes", NULL}};
    char name[] = "/tmp/peakline_env_XXXXXX", text[64], result[12];
    int  fd = mkstemp(name);

    (void)state;
    assert_true(fd >= 0);
    (void)snprintf(text, sizeof text, "<${file:%s}>", name);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, files[i].holds, strlen(files[i].holds), 0),
                         strlen(files[i].holds));
        assert_int_equal(env_expand(text, result, sizeof result), files[i].gives != NULL ? 0 : -1);
        if (files[i].gives != NULL)
            assert_string_equal(result, files[i].gives);
        else
            assert_null(strstr(error_text(), "twelve"));
    }
    assert_int_equal(close(fd), 0);
    assert_int_equal(unlink(name), 0);
    assert_int_equal(env_expand(text, result, sizeof result), -1);
    assert_non_null(strstr(error_text(), "No such file"));
    assert_int_equal(env_expand("${file:}", result, sizeof result), -1);
    assert_int_equal(env_expand("${file:/etc", result, sizeof result), -1);
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
    env_resident_put(7);
    assert_int_equal(env_resident_bytes(), 7);
    env_resident_put(0);
    assert_true(env_resident_bytes() > 100 * 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expands),
        cmocka_unit_test(refuses),
        cmocka_unit_test(reads_files),
        cmocka_unit_test(a_seed_repeats),
        cmocka_unit_test(memory_makes_sense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
