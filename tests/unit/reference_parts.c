/* reference_parts.c - routes, departures, promises and calendars: what they answer, and what
 * is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/error.h"
#include "stages/reference/reference.h"

enum { MONDAY = 1793577600 /* 2026-11-02T00:00Z */, HOUR = 3600, DAY = 86400 };

/* Reads these texts as files; NULL = not given. */
static struct reference *read_texts(const char *const texts[REFERENCE_PARTS])
{
    char        names[REFERENCE_PARTS][40];
    const char *files[REFERENCE_PARTS] = {NULL};

    for (int i = 0; i < REFERENCE_PARTS; i++) {
        if (texts[i] == NULL)
            continue;
        (void)snprintf(names[i], sizeof names[i], "/tmp/peakline-parts-XXXXXX");
        FILE *f = fdopen(mkstemp(names[i]), "wb");

        assert_non_null(f);
        assert_true(fputs(texts[i], f) >= 0);
        assert_int_equal(fclose(f), 0);
        files[i] = names[i];
    }
    struct reference *r = reference_read(files);

    for (int i = 0; i < REFERENCE_PARTS; i++)
        if (files[i] != NULL)
            assert_int_equal(remove(files[i]), 0);
    return r;
}

static struct reference *read_part(enum reference_part part, const char *text)
{
    const char *texts[REFERENCE_PARTS] = {NULL};

    texts[__builtin_ctz(part)] = text;
    return read_texts(texts);
}

static void parts_that_are_there(void **state)
{
    struct reference *r = read_part(REFERENCE_ROUTES, "origin,destination\nA,B\n");

    (void)state;
    assert_non_null(r);
    assert_int_equal(reference_parts(r), REFERENCE_ROUTES);
    assert_int_equal(reference_count(r, REFERENCE_ROUTES), 1);
    assert_int_equal(reference_departure_s(r, "A", "B", "", MONDAY), 0);
    assert_int_equal(reference_promise_s(r, "A", "B", "", MONDAY), 0);
    for (uint32_t part = 1; part <= REFERENCE_CALENDARS; part <<= 1)
        assert_true(strlen(reference_part_lack((enum reference_part)part)) > 10);
    reference_destroy(r);
}

static void routes_by_service_or_any(void **state)
{
    struct reference *r = read_part(REFERENCE_ROUTES,
        "origin,destination,service,nodes,customs,documents\n"
        "HGH,LGG,,HGH  PVG LGG,yes,\n"
        "HGH,LGG,economy,HGH LGG,,invoice cn23\n");
    const struct route *route = reference_route(r, "HGH", "LGG", "express");

    (void)state;
    assert_non_null(route);
    assert_true(route->customs && route->documents_count == 0 && route->nodes_count == 3);
    assert_true(route_has(route, "PVG"));
    assert_false(route_has(route, "CAN"));
    route = reference_route(r, "HGH", "LGG", "economy");
    assert_true(route->customs && route->documents_count == 2);
    assert_string_equal(route->documents[1], "cn23");
    assert_null(reference_route(r, "LGG", "HGH", ""));
    reference_destroy(r);
}

static uint32_t departs(const struct reference *r, const char *next, const char *service,
                        double after_h)
{
    uint32_t at_s = reference_departure_s(r, "PVG", next, service,
                                          (uint32_t)(MONDAY + after_h * HOUR));

    return at_s == 0 ? 0 : (at_s - MONDAY) / 60;
}

static void departures_first_that_can_be_taken(void **state)
{
    struct reference *r = read_part(REFERENCE_DEPARTURES,
        "facility,next,service,days,time,cutoff_min\n"
        "PVG,LGG,,14,18:00,240\n"
        "PVG,LGG,express,,12:30,0\n"
        "PVG,,,2026-11-08,06:00,\n");

    (void)state;
    assert_int_equal(reference_count(r, REFERENCE_DEPARTURES), 3);
    assert_int_equal(departs(r, "LGG", "", 14), 18 * 60);
    assert_int_equal(departs(r, "LGG", "", 14.1), (3 * 24 + 18) * 60);     /* after the cut-off */
    assert_int_equal(departs(r, "LGG", "express", 14.1), (24 * 60) + 12 * 60 + 30);
    assert_int_equal(departs(r, "LGG", "", 3 * 24 + 15), (6 * 24 + 6) * 60); /* the one on a date */
    assert_int_equal(departs(r, "LGG", "", 6 * 24 + 7), (7 * 24 + 18) * 60);
    assert_int_equal(departs(r, "CAN", "", 0), (6 * 24 + 6) * 60);
    assert_int_equal(departs(r, "", "", 6 * 24 + 7), 0);
    assert_int_equal(reference_departure_s(r, "HGH", "LGG", "", MONDAY), 0);
    reference_destroy(r);
}

#define FACILITIES "code,country,lat,lon,zone\nHGH,CN,30,120,Asia/Shanghai\n" \
                   "LGG,BE,50,5,Europe/Brussels\nX,XX,0,0,\n"
#define CALENDARS "country,day,kind\nCN,Sat,weekend\nCN,Sun,weekend\nCN,2026-11-04,holiday\n" \
                  "CN,2026-11-07,working\n"

/* 2026-11-02 is a Monday; local days begin at 16:00 UTC the day before. */
static void working_time_passes_whole_local_days(void **state)
{
    const char *texts[REFERENCE_PARTS] = {FACILITIES, NULL, NULL, NULL, CALENDARS};
    struct reference *r = read_texts(texts);
    static const struct { double from_h, duration_h, until_h; } rows[] = {
        {0, 24, 24},                     /* Monday to Tuesday                              */
        {24, 24, 72},                    /* the holiday, Wednesday, counts for nothing       */
        {40, 1, 65},                     /* begun in it: from its end, 16:00 UTC, on         */
        {72, 72, 72 + 72 + 24},          /* Saturday is worked, Sunday is not                */
        {0, 0, 0}};

    (void)state;
    assert_non_null(r);
    const struct facility *f = reference_facility(r, "HGH");

    assert_int_equal(f->zone_s, 8 * HOUR);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(facility_work_after(f, (uint32_t)(MONDAY + rows[i].from_h * HOUR),
                                             (uint32_t)(rows[i].duration_h * HOUR)),
                         (uint32_t)(MONDAY + rows[i].until_h * HOUR));
    assert_int_equal(facility_work_after(reference_facility(r, "LGG"), MONDAY, 5), MONDAY + 5);
    assert_int_equal(facility_work_after(NULL, MONDAY, 5), MONDAY + 5);
    reference_destroy(r);
}

static void promises_count_what_they_say(void **state)
{
    const char *texts[REFERENCE_PARTS] = {
        FACILITIES, NULL, NULL,
        "origin,destination,service,hours,working\nLGG,HGH,,48,yes\nLGG,HGH,express,48,no\n",
        CALENDARS};
    struct reference *r = read_texts(texts);

    (void)state;
    assert_non_null(r);
    assert_int_equal(reference_promise_s(r, "LGG", "HGH", "express", MONDAY), MONDAY + 2 * DAY);
    assert_int_equal(reference_promise_s(r, "LGG", "HGH", "standard", MONDAY), MONDAY + 3 * DAY);
    assert_int_equal(reference_promise_s(r, "HGH", "LGG", "standard", MONDAY), 0);
    reference_destroy(r);
}

/* The zone's standard time, whatever sign and form the database writes it in. */
static void zones_are_known(void **state)
{
    struct reference *r = read_part(REFERENCE_FACILITIES,
        "code,zone,lat,lon\nA,America/New_York,,\nB,Asia/Kolkata,,\nC,America/Sao_Paulo,,\n"
        "D,Asia/Singapore,,\nE,,0,-74\nF,,,\n");
    static const struct { const char *code; int minutes; } rows[] = {
        {"A", -300}, {"B", 330}, {"C", -180}, {"D", 480}, {"E", -300}, {"F", 0}};

    (void)state;
    assert_non_null(r);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(reference_facility(r, rows[i].code)->zone_s, rows[i].minutes * 60);
    reference_destroy(r);
}

static void mistakes_name_line_and_column(void **state)
{
    static const struct { enum reference_part part; const char *text, *says; } rows[] = {
        {REFERENCE_ROUTES, "origin\nA\n", ":1: found no column \"destination\""},
        {REFERENCE_ROUTES, "origin,destination\nA,\n", ":2: destination: found nothing"},
        {REFERENCE_ROUTES, "origin,destination,customs\nA,B,x\n",
         ":2: customs: found \"x\", accepted are yes and no"},
        {REFERENCE_ROUTES, "origin,destination,documents\nA,B,a b c d e\n",
         ":2: documents: found more than 4 words"},
        {REFERENCE_ROUTES, "origin,destination\nA,B\nA,B\n", ":3: origin"},
        {REFERENCE_DEPARTURES, "facility,time\nA,24:00\n",
         ":2: time: found \"24:00\", accepted is HH:MM"},
        {REFERENCE_DEPARTURES, "facility,time,days\nA,10:00,18\n",
         ":2: days: found \"18\", accepted are digits 1 (Monday) to 7"},
        {REFERENCE_DEPARTURES, "facility,time,days\nA,10:00,2026-02-29\n", "YYYY-MM-DD"},
        {REFERENCE_DEPARTURES, "facility,time,cutoff_min\nA,10:00,-1\n",
         ":2: cutoff_min: found \"-1\", accepted are 0 to 10080"},
        {REFERENCE_PROMISES, "origin,destination,hours\nA,B,\n", ":2: hours"},
        {REFERENCE_PROMISES, "origin,destination,hours\nA,B,soon\n",
         ":2: hours: found \"soon\", accepted are 1 to 9600"},
        {REFERENCE_CALENDARS, "country,day,kind\nCN,Saturday,weekend\n", ":2: day: found \"Sat"},
        {REFERENCE_CALENDARS, "country,day,kind\nCN,2026-13-01,holiday\n", ":2: day"},
        {REFERENCE_CALENDARS, "country,day,kind\nCN,2026-12-01,feast\n", ":2: kind"},
        {REFERENCE_CALENDARS, "country,day,kind\n,Sat,weekend\n", ":2: country"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_null(read_part(rows[i].part, rows[i].text));
        if (!strstr(error_text(), rows[i].says) || !strstr(error_text(), "/tmp/peakline-parts-"))
            fail_msg("said \"%s\", expected %s", error_text(), rows[i].says);
    }
    error_clear();
}

/* What is shipped is read. */
static void shipped_files_are_good(void **state)
{
#define SHIPPED(name) PEAKLINE_SOURCE "/deploy/reference/" name ".csv"
    struct reference *r = reference_read((const char *[REFERENCE_PARTS]) {
        SHIPPED("facilities"), SHIPPED("routes"), SHIPPED("departures"), SHIPPED("promises"),
        SHIPPED("calendars")});

    (void)state;
    if (r == NULL)
        fail_msg("%s", error_text());
    assert_int_equal(reference_count(r, REFERENCE_CALENDARS), 10);
    for (size_t i = 0; i < 10; i++) {
        static const char *const hubs[] = {"HGH", "HKG", "SIN", "KUL", "DXB", "SVO", "LGG", "GRU",
                                           "DEL", "JFK"};

        assert_non_null(reference_facility(r, hubs[i]));
        assert_non_null(reference_facility(r, hubs[i])->calendar);
    }
    reference_destroy(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_that_are_there),
        cmocka_unit_test(routes_by_service_or_any),
        cmocka_unit_test(departures_first_that_can_be_taken),
        cmocka_unit_test(working_time_passes_whole_local_days),
        cmocka_unit_test(promises_count_what_they_say),
        cmocka_unit_test(zones_are_known),
        cmocka_unit_test(mistakes_name_line_and_column),
        cmocka_unit_test(shipped_files_are_good),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
