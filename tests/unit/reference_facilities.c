/* reference_facilities.c - the facilities file: what is accepted, what is refused, and how. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/error.h"
#include "stages/reference/csv.h"
#include "stages/reference/reference.h"

static struct reference *read_file(const char *file)
{
    return reference_read((const char *[REFERENCE_PARTS]) {file});
}

/* Reads a file with these bytes; its name is gone afterwards, but not its place in errors. */
static struct reference *read_bytes(const char *bytes, size_t length)
{
    char  file[] = "/tmp/peakline-reference-XXXXXX";
    int   fd = mkstemp(file);
    FILE *f = fdopen(fd, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, length, f), length);
    assert_int_equal(fclose(f), 0);
    struct reference *r = read_file(file);

    assert_int_equal(remove(file), 0);
    return r;
}

static struct reference *read_text(const char *text)
{
    return read_bytes(text, strlen(text));
}

static void no_file_is_empty(void **state)
{
    struct reference *r = read_file("");

    (void)state;
    assert_non_null(r);
    assert_int_equal(reference_count(r, REFERENCE_FACILITIES), 0);
    assert_null(reference_facility(r, "HGH"));
    reference_destroy(r);
    assert_null(read_file("/nonexistent/facilities.csv"));
    assert_non_null(strstr(error_text(), "/nonexistent/facilities.csv"));
    assert_null(read_file("/tmp")); /* a directory */
    error_clear();
}

static void whole_example(void **state)
{
    struct reference *r = read_text(
        "\xEF\xBB\xBF" "code,name,kind,country,lat,lon,zone\r\n"
        "HGH,Hangzhou hub,hub,CN,30.236,120.434,Asia/Shanghai\r\n"
        "\r\n"
        "CAN,\"Guangzhou, \"\"Baiyun\"\"\nsecond line\",hub,CN,-23.5,113.299,Asia/Shanghai\r\n"
        "X1,,,,,,");
    const struct facility *f;

    (void)state;
    assert_non_null(r);
    assert_int_equal(reference_count(r, REFERENCE_FACILITIES), 3);
    f = reference_facility(r, "CAN");
    assert_non_null(f);
    assert_string_equal(f->name, "Guangzhou, \"Baiyun\"\nsecond line");
    assert_string_equal(f->country, "CN");
    assert_true(f->has_position);
    assert_true(f->lat == -23.5f);
    f = reference_facility(r, "X1");
    assert_non_null(f);
    assert_false(f->has_position);
    assert_string_equal(f->country, "");
    assert_null(reference_facility(r, "can"));
    reference_destroy(r);
}

static void columns_in_any_order_and_unknown_ones(void **state)
{
    struct reference *r = read_text("owner,country,code\nme,BE,LGG\n");

    (void)state;
    assert_non_null(r);
    assert_string_equal(reference_facility(r, "LGG")->country, "BE");
    assert_string_equal(reference_facility(r, "LGG")->zone, "");
    reference_destroy(r);
}

static void many_are_found(void **state)
{
    enum { MANY = 20000, ROW = 12 };
    char *text = malloc(5 + MANY * ROW + 1), code[16];
    size_t used = (size_t)snprintf(text, ROW, "code\n");

    (void)state;
    for (int i = 0; i < MANY; i++)
        used += (size_t)snprintf(text + used, ROW, "F%05d\n", i);
    struct reference *r = read_bytes(text, used);

    free(text);
    assert_non_null(r);
    assert_int_equal(reference_count(r, REFERENCE_FACILITIES), MANY);
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(code, sizeof code, "F%05d", i);
        assert_string_equal(reference_facility(r, code)->code, code);
    }
    assert_null(reference_facility(r, "F20000"));
    reference_destroy(r);
}

static void mistakes_name_their_line(void **state)
{
    static const struct { const char *text, *line, *what; } rows[] = {
        {"", ":1", "empty file"},
        {"name,kind\n", ":1", "no column \"code\""},
        {"code,name\nA,x\nA,y\n", ":3", "there twice"},
        {"code,name\n\n\n,y\n", ":4", "code: found nothing"},
        {"code,country\nA,China\n", ":2", "two letters"},
        {"code,country\nA,cn\n", ":2", "two letters"},
        {"code,lat,lon\nA,91,0\n", ":2", "lat"},
        {"code,lat,lon\nA,1,nan\n", ":2", "lon"},
        {"code,lat,lon\nA,1,2x\n", ":2", "lon"},
        {"code,lat,lon\nA,1,\n", ":2", "without the other"},
        {"code,name\nA,\"x\ny\"\nB,\"z\n", ":4", "never closed"},
        {"code,name\nA,\"x\"y\n", ":2", "behind a field"},
        {"code\nABCDEFGHIJKLMNOPQRSTUVWXYZ\n", ":2", "accepted are 24"},
        {"code,zone\nA,Mars/Base\n", ":2: zone: found \"Mars/Base\"", "time zone database"},
        {"code,zone\nA,../x\n", ":2: zone", "time zone database"},
        {"code,name\nA,\xff\n", ":2", "UTF-8"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_null(read_text(rows[i].text));
        if (!strstr(error_text(), rows[i].line) || !strstr(error_text(), rows[i].what))
            fail_msg("said \"%s\", expected %s and %s", error_text(), rows[i].line, rows[i].what);
    }
    assert_null(read_bytes("code\nA\0B\n", 9));
    assert_non_null(strstr(error_text(), "zero byte"));
    error_clear();
}

/* Whatever the bytes, reading ends, inside them. */
static void any_bytes_are_survived(void **state)
{
    static const char alphabet[] = "a,\"\r\n \xEF\xBB\xBF";
    uint32_t seed = 1;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        char      *text = malloc(17); /* exact, so that a sanitizer sees one byte too far */
        size_t     length = (size_t)(round % 16);
        struct csv csv;
        int        records = 0;

        for (size_t i = 0; i < length; i++) {
            seed = seed * 1664525 + 1013904223;
            text[i] = alphabet[(seed >> 16) % (sizeof alphabet - 1)];
        }
        text = realloc(text, length + 1);
        csv_begin(&csv, text, length);
        while (csv_next(&csv) == 1)
            assert_true(++records <= 16 && csv.count > 0);
        free(text);
    }
    error_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_file_is_empty),
        cmocka_unit_test(whole_example),
        cmocka_unit_test(columns_in_any_order_and_unknown_ones),
        cmocka_unit_test(many_are_found),
        cmocka_unit_test(mistakes_name_their_line),
        cmocka_unit_test(any_bytes_are_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
