/* Recordings: frames and their index, and names that hide who is who. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/peakload/archive.h"
#include "bench/peakload/lines.h"
#include "bench/peakload/pseudonym.h"

enum { LINES = 150000, STEP_MS = 10 };

static char file[] = "/tmp/peakload-record-XXXXXX";

static int write_archive(void **state)
{
    int handle = mkstemp(file);
    struct archive *a;

    *state = NULL;
    if (handle < 0 || close(handle) != 0 || (a = archive_open(file, 1)) == NULL)
        return -1;
    for (int i = 0; i < LINES; i++) {
        fprintf(archive_line(a), "{\"n\":%d,\"filler\":\"%0*d\"}\n", i, 100, i * 7);
        if (archive_end_line(a, (int64_t)i * STEP_MS) != 0)
            return -1;
    }
    return archive_close(a);
}

static int remove_archive(void **state)
{
    (void)state;
    return unlink(file);
}

static int number_in(const char *line)
{
    return (int)strtol(line + 5, NULL, 10);
}

static void reads_whole(void **state)
{
    struct lines *l = lines_open(file);
    size_t length;
    int    result, count = 0;
    char  *line;

    (void)state;
    assert_non_null(l);
    while ((line = lines_next(l, &length, &result)) != NULL)
        assert_int_equal(number_in(line), count++);
    assert_int_equal(result, 0);
    assert_int_equal(count, LINES);
    lines_close(l);
}

/* From any time on: nothing of that time is missed, and most of what is earlier is skipped. */
static void reads_from_a_time(void **state)
{
    (void)state;
    for (int from = 0; from < LINES; from += 14999) {
        struct lines *l = lines_open(file);
        size_t length;
        int    result, first;
        char  *line;

        assert_non_null(l);
        lines_skip_to(l, (int64_t)from * STEP_MS);
        line = lines_next(l, &length, &result);
        assert_non_null(line);
        first = number_in(line);
        assert_true(first <= from && first > from - 60000);
        assert_int_equal(lines_number(l), first + 1);
        lines_close(l);
    }
    struct lines *l = lines_open(file);
    size_t length;
    int    result;

    lines_skip_to(l, INT64_MAX);
    assert_null(lines_next(l, &length, &result));
    assert_int_equal(result, 0);
    lines_close(l);
}

/* A bit that fell over is found by the frame's checksum. */
static void damage_is_found(void **state)
{
    struct lines *l;
    FILE  *out = fopen(file, "r+b");
    size_t length;
    int    result, byte;

    (void)state;
    assert_non_null(out);
    assert_int_equal(fseek(out, 5000, SEEK_SET), 0);
    byte = fgetc(out);
    assert_int_equal(fseek(out, 5000, SEEK_SET), 0);
    fputc(byte ^ 16, out);
    fclose(out);
    l = lines_open(file);
    assert_non_null(l);
    while (lines_next(l, &length, &result) != NULL)
        continue;
    assert_int_equal(result, -1);
    lines_close(l);
}

/* The vectors of SipHash's reference implementation: key 00 … 0f, message 00 … */
static void siphash_as_published(void **state)
{
    static const uint8_t empty[16] = {0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6,
                                      0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02, 0x93};
    static const uint8_t one[16] = {0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf, 0x44,
                                    0x34, 0x76, 0x59, 0x11, 0x9b, 0x22, 0xfc, 0x45};
    uint8_t key[PSEUDONYM_KEY], out[16];

    (void)state;
    for (int i = 0; i < PSEUDONYM_KEY; i++)
        key[i] = (uint8_t)i;
    siphash128(key, "", 0, out);
    assert_memory_equal(out, empty, 16);
    siphash128(key, "\0", 1, out);
    assert_memory_equal(out, one, 16);
}

static void hides_the_three(void **state)
{
    struct pseudonym p = {.key = "0123456789abcdef"};
    const char *scan = "{\"parcel\":\"SF1\",\"courier\":\"K\\u0037\",\"carrier_number\":null,"
                       "\"facility\":\"SF1\"}";
    char name[PSEUDONYM_TEXT + 1] = "", courier[PSEUDONYM_TEXT + 1] = "", wanted[200];

    (void)state;
    pseudonym_make(&p, "SF1", 3, name);
    pseudonym_make(&p, "K7", 2, courier);
    assert_int_equal(strlen(name), PSEUDONYM_TEXT);
    assert_string_not_equal(name, courier);
    assert_int_equal(pseudonym_edit(&p, scan, strlen(scan)), 0);
    snprintf(wanted, sizeof wanted, "{\"parcel\":\"%s\",\"courier\":\"%s\",\"carrier_number\":null,"
             "\"facility\":\"SF1\"}", name, courier);
    assert_int_equal(p.value.length, strlen(wanted));
    assert_memory_equal(p.value.at, wanted, strlen(wanted));
    bytes_free(&p.value);
}

static void refuses_what_it_cannot_hide(void **state)
{
    static const char *const wrong[] = {
        "SF1", "[\"SF1\"]", "{\"parcel\":1}", "{\"par\\u0063el\":\"SF1\"}",
        "{\"courier\":[\"K\"]}", "{\"parcel\":\"SF1\""};
    struct pseudonym p = {.key = "0123456789abcdef"};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(pseudonym_edit(&p, wrong[i], strlen(wrong[i])), -1);
    bytes_free(&p.value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_whole), cmocka_unit_test(reads_from_a_time),
        cmocka_unit_test(damage_is_found), cmocka_unit_test(siphash_as_published),
        cmocka_unit_test(hides_the_three), cmocka_unit_test(refuses_what_it_cannot_hide),
    };
    return cmocka_run_group_tests(tests, write_archive, remove_archive);
}
