/* command_legs.c - legs against their plan: forecasts, what a leg is, and what it teaches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/config.h"
#include "stages/command/legs.h"
#include "stages/command/score.h"
#include "stages/ports.h"
#include "stages/scan/format.h"
#include "stages/settings.h"

struct ports ports; /* the real ones are not wanted */

enum { T0 = 1794355200, MINUTE = 60, HOUR = 3600, PLAN_S = 100 * MINUTE };

static struct config *config;

static int begin(void **state)
{
    size_t rows;
    const struct config_row *table = settings_rows(&rows);

    (void)state;
    config = config_create(table, rows);
    assert_int_equal(config_finish(config), 0);
    score_begin();
    legs_begin(config);
    return 0;
}

static int end(void **state)
{
    (void)state;
    legs_end();
    score_end();
    config_destroy(config);
    return 0;
}

static void say(const char *json)
{
    struct scan    scan;
    struct verdict verdict = format_json.decode(json, strlen(json), NULL, 0,
                                                (int64_t)T0 * 2000, NULL, &scan);

    assert_int_equal(verdict.reject, REJECT_NONE);
    legs_scan(&scan, (int64_t)T0 * 1000);
}

static void depart(int number, const char *mode, uint32_t at_s)
{
    char json[300], time[TIME_TEXT + 1] = "", promise[TIME_TEXT + 1] = "";

    (void)time_print((int64_t)at_s * 1000, time);
    (void)time_print((int64_t)(at_s + PLAN_S) * 1000, promise);
    (void)snprintf(json, sizeof json, "{\"parcel\":\"T%d\",\"code\":\"DEPART\",\"time\":\"%s\","
                   "\"facility\":\"A\",\"next\":\"B\",\"service\":\"%s\",\"promise\":\"%s\"}",
                   number, time, mode, promise);
    say(json);
}

static void arrive(int number, const char *place, uint32_t at_s)
{
    char json[200], time[TIME_TEXT + 1] = "";

    (void)time_print((int64_t)at_s * 1000, time);
    (void)snprintf(json, sizeof json, "{\"parcel\":\"T%d\",\"code\":\"ARRIVE\",\"time\":\"%s\","
                   "\"facility\":\"%s\"}", number, time, place);
    say(json);
}

/* One mode takes half as long again as planned, the other twice: each is foreseen. */
static void modes_are_told_apart(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        uint32_t at_s = T0 + (uint32_t)i * 24 * HOUR;

        depart(2 * i, "road", at_s);
        depart(2 * i + 1, "rail", at_s);
        arrive(2 * i, "elsewhere", at_s + HOUR); /* ends no leg */
        arrive(2 * i, "B", at_s + 150 * MINUTE);
        arrive(2 * i + 1, "B", at_s + 200 * MINUTE);
        arrive(2 * i + 1, "B", at_s + 400 * MINUTE); /* it is over */
    }
    struct score s = score_of(HORIZONS, SCAN_NONE, true);

    assert_in_range(s.count, 190, 200);
    assert_true(s.mae_s < 20 * MINUTE); /* the plan is 75 min off */
    assert_int_equal(s.promises, s.count);
    assert_in_range((int)(s.promise_mae_s / MINUTE), 74, 76);
}

/* Without next, a plan, or an end there is no leg. */
static void what_is_no_leg(void **state)
{
    (void)state;
    depart(1, "road", T0);
    arrive(1, "B", T0);
    arrive(2, "B", T0 + HOUR);
    say("{\"parcel\":\"T3\",\"code\":\"DEPART\",\"time\":\"2026-11-12T00:00:00Z\","
        "\"facility\":\"A\",\"next\":\"B\"}");
    arrive(3, "B", T0 + 48 * HOUR);
    depart(4, "road", T0 + 49 * HOUR);
    arrive(4, "B", T0 + 50 * HOUR);
    assert_int_equal(score_of(HORIZONS, SCAN_NONE, true).count, 0); /* nothing was known before */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(modes_are_told_apart, begin, end),
        cmocka_unit_test_setup_teardown(what_is_no_leg, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
