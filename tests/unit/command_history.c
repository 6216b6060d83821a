/* command_history.c - files of scans: lines of JSON, recordings, CSV, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "pipeline/error.h"
#include "stages/command/history.h"

static struct history history;
static struct scan    scan;
static char           name[] = "/tmp/peakline-history-XXXXXX";

static void open_text(const char *text)
{
    int fd;

    memcpy(name + sizeof name - 7, "XXXXXX", 6);
    fd = mkstemp(name);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    (void)close(fd);
}

static void is_text(struct text text, const char *wanted)
{
    assert_int_equal(text.length, strlen(wanted));
    assert_memory_equal(scan_text(&scan, text), wanted, text.length);
}

static void end(int last)
{
    assert_int_equal(history_next(&history, &scan), last);
    history_close(&history);
    (void)unlink(name);
    error_clear();
}

static void lines_and_recordings(void **state)
{
    (void)state;
    open_text("{\"parcel\":\"P1\",\"code\":\"LABEL\",\"time\":\"2026-11-11T00:00:00Z\"}\n"
              "\n"
              "{\"topic\":\"scans\",\"partition\":0,\"key\":\"P2\",\"payload\":null}\n"
              "{\"topic\":\"scans\",\"partition\":0,\"key\":\"P2\",\"payload\":\"{\\\"parcel\\\":"
              "\\\"P2\\\",\\\"code\\\":\\\"ARRIVE\\\",\\\"time\\\":\\\"2026-11-11T01:00:00+01:00"
              "\\\",\\\"facility\\\":\\\"CAN\\\"}\"}\n");
    assert_int_equal(history_open(&history, name), 0);
    assert_int_equal(history_next(&history, &scan), 1);
    is_text(scan.parcel, "P1");
    assert_int_equal(history_next(&history, &scan), 1);
    is_text(scan.parcel, "P2");
    is_text(scan.facility, "CAN");
    assert_int_equal(scan.time_ms, 1794355200000);
    end(0);
}

static void rows_of_csv(void **state)
{
    (void)state;
    open_text("parcel_id,event_code,facility,city,event_time,promised_time,extra\n"
              "a1,ORDERED,0123456789012345678901234567,\"x, y\",2017-01-02T03:04:05,"
              "2017-01-09T00:00:00,status=shipped\n"
              "a1,CARRIER_ACCEPT,F,,2017-01-03T03:04:05Z,,dest=ZIP01310;dest_region=SP;mode=FTL\n"
              "a1,DELIVERED,,,2017-01-05T03:04:05-03:00,,\n"
              "a2,ARRIVAL,ZIP04001,sao paulo-SP,2017-01-06T00:00:00,,next=ZIP1\n"
              "a2,ARRIVAL,B,rio-Rj,2017-01-06T01:00:00,,\n");
    assert_int_equal(history_open(&history, name), 0);
    assert_int_equal(history_next(&history, &scan), 1);
    assert_int_equal(scan.code, SCAN_LABEL);
    is_text(scan.facility, "012345678901234567890123"); /* what a facility may be long */
    assert_int_equal(scan.time_ms, 1483326245000);
    assert_int_equal(scan.promise_ms, 1483920000000);
    assert_int_equal(history_next(&history, &scan), 1);
    assert_int_equal(scan.code, SCAN_HANDOVER);
    assert_int_equal(scan.promise_ms, 0);
    is_text(scan.dest, "SP-ZIP01310");
    is_text(scan.service, "FTL");
    assert_int_equal(history_next(&history, &scan), 1);
    is_text(scan.facility, "UNKNOWN");
    assert_int_equal(scan.time_ms, 1483596245000);
    assert_int_equal(history_next(&history, &scan), 1);
    is_text(scan.facility, "SP-ZIP04001");
    is_text(scan.next, "ZIP1");
    assert_int_equal(history_next(&history, &scan), 1);
    is_text(scan.facility, "B"); /* a hyphen of a name */
    end(0);
}

static void what_is_wrong_is_named(void **state)
{
    static const struct { const char *text; bool opens; const char *says; } cases[] = {
        {"", false, "empty"},
        {"parcel_id,event_time\n", false, "no column event_code"},
        {"parcel_id,event_code,event_time\na,b,2017-01-02T03:04:05\n", true, ":2: no scan"},
        {"parcel_id,event_code,event_time\na,LABEL,yesterday\n", true, "time"},
        {"parcel_id,event_code,event_time\n\"a,LABEL,2017-01-02T03:04:05\n", true, "quote"},
        {"{\"parcel\":\"P1\"}\n", true, ":1: no scan"},
        {"{\"topic\":\"t\",\"payload\":\"\\u0041\"}\n", true, ":1: payload"},
        {"{\"topic\":\"t\",\"payload\":\"{", true, ":1: payload"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        open_text(cases[i].text);
        assert_int_equal(history_open(&history, name), cases[i].opens ? 0 : -1);
        if (cases[i].opens)
            assert_int_equal(history_next(&history, &scan), -1);
        if (strstr(error_text(), cases[i].says) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", error_text(), cases[i].says);
        history_close(&history);
        (void)unlink(name);
        error_clear();
    }
    assert_int_equal(history_open(&history, "/nowhere/at-all"), -1);
    error_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_and_recordings),
        cmocka_unit_test(rows_of_csv),
        cmocka_unit_test(what_is_wrong_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
