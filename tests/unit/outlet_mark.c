/* Marks there and back, and everything that is nearly a mark; addresses of Redis. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/error.h"
#include "stages/outlet/mark.h"

static const char good[] = "1 12 512 1700000000000000 99 7 1000 1763900000000 345 1763899999999 5";

static int parse(const char *text)
{
    struct mark mark;

    return mark_parse(text, strlen(text), &mark);
}

static void there_and_back(void **state)
{
    static const struct mark marks[] = {
        {.partitions = 1, .buckets = 1, .kafka_ms = -1, .home = -1},
        {.partitions = UINT32_MAX, .buckets = UINT32_MAX, .epoch = UINT64_MAX,
         .owner = UINT64_MAX, .sequence = UINT64_MAX, .offset = INT64_MAX,
         .clock_ms = INT64_MAX, .records = UINT64_MAX, .kafka_ms = INT64_MAX, .home = INT64_MAX},
        {.partitions = 3, .buckets = 4, .epoch = 5, .owner = 6, .sequence = 7, .offset = -1,
         .clock_ms = -8, .records = 9, .kafka_ms = -INT64_MAX, .home = 10},
    };
    char text[MARK_TEXT_MAX], again[MARK_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        struct mark back;
        size_t      length = mark_print(&marks[i], text);

        assert_int_equal(length, strlen(text));
        assert_int_equal(mark_parse(text, length, &back), 0);
        assert_int_equal(back.home, marks[i].home);
        assert_int_equal(back.kafka_ms, marks[i].kafka_ms);
        assert_int_equal(back.records, marks[i].records);
        assert_true(mark_same(&back, &marks[i]));
        mark_print(&back, again);
        assert_string_equal(text, again);
    }
    assert_false(mark_same(&marks[0], &marks[1]));
}

static void the_form(void **state)
{
    struct mark mark;
    char        text[MARK_TEXT_MAX];

    (void)state;
    assert_int_equal(mark_parse(good, sizeof good - 1, &mark), 0);
    assert_int_equal(mark.partitions, 12);
    assert_int_equal(mark.buckets, 512);
    assert_int_equal(mark.epoch, 1700000000000000);
    assert_int_equal(mark.owner, 99);
    assert_int_equal(mark.sequence, 7);
    assert_int_equal(mark.offset, 1000);
    assert_int_equal(mark.clock_ms, 1763900000000);
    assert_int_equal(mark.records, 345);
    assert_int_equal(mark.kafka_ms, 1763899999999);
    assert_int_equal(mark.home, 5);
    mark_print(&mark, text);
    assert_string_equal(text, good);
}

/* Only the one form that mark_print writes is a mark, since marks are compared as text. */
static void nearly(void **state)
{
    static const char *const bad[] = {
        "", " ", "1", "x", "-1 1", "1 12 512 1 2 3 4 5 6 7", "1 12 512 1 2 3 4 5 6 7 ",
        "1 12 512 1 2 3 4 5 6 7 8 ", "1 12 512 1 2 3 4 5 6 7 8 9", " 1 12 512 1 2 3 4 5 6 7 8",
        "1  12 512 1 2 3 4 5 6 7 8", "1 012 512 1 2 3 4 5 6 7 8", "1 12 512 1 2 3 4 5 6 7 -0",
        "1 0 512 1 2 3 4 5 6 7 8", "1 12 0 1 2 3 4 5 6 7 8", "1 12 512 -1 2 3 4 5 6 7 8",
        "1 4294967296 512 1 2 3 4 5 6 7 8", "1 12 512 18446744073709551616 2 3 4 5 6 7 8",
        "1 12 512 1 2 3 9223372036854775808 5 6 7 8", "1 12 512 1 2 3 4 5 6 7 8\n",
        "1 12 512 1 2 3 4 5 6 7 +8", "1 12 512 1 2 3 4 5 6 7 -"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        error_clear();
        assert_int_equal(parse(bad[i]), -1);
        assert_true(error_text()[0] != '\0');
    }
    assert_int_equal(parse("2 anything that a newer binary wrote"), -1);
    assert_non_null(strstr(error_text(), "format 2"));
    /* Cut anywhere but in its last number, it is no mark. */
    for (size_t length = 0; length < sizeof good - 2; length++) {
        struct mark mark;
        char        copy[sizeof good];

        memcpy(copy, good, length);
        assert_int_equal(mark_parse(copy, length, &mark), -1);
    }
}

static void keys(void **state)
{
    char key[KEY_MAX];

    (void)state;
    assert_int_equal(key_print(key, sizeof key, "peakline", "scans", 12, "mark"), 24);
    assert_string_equal(key, "{peakline:scans:12}:mark");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back), cmocka_unit_test(the_form), cmocka_unit_test(nearly),
        cmocka_unit_test(keys)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
