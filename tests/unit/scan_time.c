/* Unit tests of RFC 3339 times, beside the C library's calendar. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "stages/scan/format.h"

static int64_t parsed(const char *text)
{
    int64_t ms = INT64_MIN;

    return time_parse(text, strlen(text), &ms) == 0 ? ms : INT64_MIN;
}

static void test_examples(void **state)
{
    (void)state;
    assert_int_equal(parsed("1970-01-01T00:00:00Z"), 0);
    assert_int_equal(parsed("2026-11-11T08:30:00+08:00"), INT64_C(1794357000000));
    assert_int_equal(parsed("2026-11-11T00:30:00Z"), INT64_C(1794357000000));
    assert_int_equal(parsed("2026-11-11T00:30:00.5Z"), INT64_C(1794357000500));
    assert_int_equal(parsed("2026-11-11T00:30:00.123999999999Z"), INT64_C(1794357000123));
    assert_int_equal(parsed("2026-11-10T19:00:00-05:30"), INT64_C(1794357000000));
    assert_int_equal(parsed("2026-11-11t00:30:00z"), INT64_C(1794357000000));
    assert_int_equal(parsed("2026-11-11 00:30:00Z"), INT64_C(1794357000000));
    assert_int_equal(parsed("2016-12-31T23:59:60Z"), parsed("2017-01-01T00:00:00Z"));
    assert_int_equal(parsed("0000-01-01T00:00:00Z"), INT64_C(-62167219200000));
    assert_int_equal(parsed("9999-12-31T23:59:59.999Z"), INT64_C(253402300799999));
}

static void test_strangers(void **state)
{
    static const char *const strangers[] = {
        "", "2026", "2026-11-11", "2026-11-11T00:30:00", "2026-11-11T00:30:00.Z",
        "2026-11-11T00:30Z", "2026-11-11T00:30:00+8", "2026-11-11T00:30:00+0800",
        "2026-11-11T00:30:00+08:0", "2026-11-11T00:30:00+08-00", "2026-11-11T00:30:00 +08:00",
        "2026-11-11T00:30:00ZZ", "2026-11-11T00:30:00Z ", " 2026-11-11T00:30:00Z",
        "2026-11-11T00:30:00.12aZ", "2026-11-11T24:00:00Z", "2026-11-11T00:60:00Z",
        "2026-11-11T00:00:61Z", "2026-11-11T00:00:00+24:00", "2026-11-11T00:00:00+08:60",
        "2026-00-11T00:30:00Z", "2026-13-11T00:30:00Z", "2026-11-00T00:30:00Z",
        "2026-11-31T00:30:00Z", "2026-02-29T00:30:00Z", "2100-02-29T00:30:00Z",
        "2026/11/11T00:30:00Z", "2026-11-11T00-30-00Z", "20261111T003000Z", "+026-11-11T00:30:00Z",
        "2026-11-11T00:30:0:Z", "2026-11-11T00:30:/0Z", "2026-1111T00:30:00:Z",
        "202\xb6-11-11T00:30:00Z"};

    (void)state;
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++)
        if (parsed(strangers[i]) != INT64_MIN)
            fail_msg("taken: \"%s\"", strangers[i]);
    assert_int_not_equal(parsed("2024-02-29T00:30:00Z"), INT64_MIN);
    assert_int_not_equal(parsed("2000-02-29T00:30:00Z"), INT64_MIN);
}

/* Any other byte in any place: only those that still make a time are taken. */
static void test_one_byte_off(void **state)
{
    static const char good[] = "2026-11-11T08:30:00.123+08:00";
    char              text[sizeof good];
    int               taken = 0;

    (void)state;
    for (size_t at = 0; at < sizeof good - 1; at++) {
        for (int byte = 0; byte < 256; byte++) {
            memcpy(text, good, sizeof good);
            text[at] = (char)byte;
            bool digit = byte >= '0' && byte <= '9', was_digit = good[at] >= '0' && good[at] <= '9';
            int64_t ms;

            if (time_parse(text, sizeof good - 1, &ms) != 0)
                continue;
            taken++;
            assert_true(digit == was_digit || strchr("Tt +-", byte) != NULL);
        }
    }
    assert_in_range(taken, 100, 200);
}

/* Every day of 800 years, and random moments, by gmtime_r. */
static void test_calendar(void **state)
{
    unsigned seed = 7;

    (void)state;
    for (int64_t day = -135140; day < 157054; day++) { /* 1600 … 2400 */
        int64_t   ms = day * 86400000 + rand_r(&seed) % 86400000;
        time_t    s = (time_t)((ms - (ms % 1000 + 1000) % 1000) / 1000);
        struct tm tm;
        char      text[64], printed[TIME_TEXT];

        gmtime_r(&s, &tm);
        (void)snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900,
                       tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                       (int)((ms % 1000 + 1000) % 1000));
        assert_int_equal(parsed(text), ms);
        assert_int_equal(time_print(ms, printed), TIME_TEXT);
        assert_memory_equal(printed, text, TIME_TEXT);
    }
}

static void test_print_ends(void **state)
{
    char text[TIME_TEXT];

    (void)state;
    (void)time_print(INT64_C(-62167219200000), text);
    assert_memory_equal(text, "0000-01-01T00:00:00.000Z", TIME_TEXT);
    (void)time_print(INT64_C(253402300799999), text);
    assert_memory_equal(text, "9999-12-31T23:59:59.999Z", TIME_TEXT);
}

/* Nothing is read beyond the text: it stands at the very end of its own memory. */
static void test_bounds(void **state)
{
    static const char good[] = "2026-11-11T08:30:00.123+08:00";

    (void)state;
    for (size_t length = 0; length < sizeof good; length++) {
        char   *text = malloc(length > 0 ? length : 1);
        int64_t ms;

        assert_non_null(text);
        memcpy(text, good, length);
        assert_int_equal(time_parse(text, length, &ms), length == sizeof good - 1 ? 0 : -1);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),     cmocka_unit_test(test_strangers),
        cmocka_unit_test(test_one_byte_off), cmocka_unit_test(test_calendar),
        cmocka_unit_test(test_print_ends),   cmocka_unit_test(test_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
