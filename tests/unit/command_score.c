/* command_score.c - forecasts and their errors, by hand; and the rehearsal that makes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/clock.h"
#include "pipeline/config.h"
#include "pipeline/log.h"
#include "stages/command/rehearsal.h"
#include "stages/command/score.h"
#include "stages/eta/model.h"
#include "stages/parcel/table.h"
#include "stages/partition.h"
#include "stages/ports.h"
#include "stages/scan/format.h"
#include "stages/settings.h"

struct ports ports; /* the real ones are not wanted */

enum { T0 = 1794355200, HOUR = 3600, DAY = 86400 };

static struct forecast at(uint64_t parcel, uint32_t at_s, uint32_t p50_s)
{
    return (struct forecast) {
        .parcel = parcel, .lane = 5, .at_s = at_s, .p50_s = p50_s, .p80_s = p50_s + HOUR,
        .p90_s = p50_s + 2 * HOUR, .promise_s = at_s + 3 * DAY, .code = SCAN_DEPART,
        .headline = true, .scored = true};
}

static void errors_by_hand(void **state)
{
    (void)state;
    score_begin();
    score_add(at(1, T0, T0 + DAY));               /* arrives an hour early                */
    score_add(at(2, T0, T0 + DAY));               /* 90 min late: beyond P80               */
    score_add(at(3, T0, T0 + DAY));               /* 4 h late: beyond P90                  */
    score_add(at(4, T0, T0 + DAY));               /* never arrives                        */
    struct forecast later = at(3, T0 + 20 * HOUR, T0 + 28 * HOUR);

    later.headline = false;
    score_add(later);                             /* right to the second                  */
    score_arrived(1, T0 + DAY - HOUR);
    score_arrived(2, T0 + DAY + 5400);
    score_arrived(3, T0 + DAY + 4 * HOUR);
    score_arrived(3, T0 + 9 * DAY);               /* once is enough                       */
    struct score s = score_of(HORIZONS, SCAN_NONE, true);

    assert_int_equal(s.count, 3);
    assert_true(fabs(s.mae_s - (HOUR + 5400 + 4 * HOUR) / 3.0) < 1e-6);
    assert_true(fabs(s.median_s - 5400) < 1e-6);
    assert_true(fabs(s.p80_coverage - 1 / 3.0) < 1e-9 && fabs(s.p90_coverage - 2 / 3.0) < 1e-9);
    assert_true(fabs(s.pinball_s - (0.1 * 3 * HOUR + 0.1 * 1800 + 0.9 * 2 * HOUR) / 3) < 1e-6);
    assert_true(fabs(s.promise_mae_s - (49 * HOUR + 46.5 * HOUR + 44 * HOUR) / 3) < 1e-6);
    assert_int_equal(s.globals, 0);               /* nothing had arrived to take a median of */
    assert_int_equal(score_of(HORIZON_1D, SCAN_NONE, true).count, 1);
    assert_int_equal(score_of(HORIZON_6H, SCAN_NONE, false).count, 0);
    assert_int_equal(score_of(HORIZON_1D, SCAN_NONE, false).count, 2);
    assert_int_equal(score_of(HORIZONS, SCAN_ARRIVE, false).count, 0);
    s = score_of(HORIZONS, SCAN_DEPART, false);
    assert_int_equal(s.count, 4);
    score_end();
}

static void medians_of_what_has_arrived(void **state)
{
    (void)state;
    score_begin();
    for (uint64_t parcel = 1; parcel <= 40; parcel++) {
        struct forecast f = at(parcel, T0, T0 + DAY);

        f.lane = parcel % 4 == 0 ? 7 : 8;
        f.scored = false;
        score_add(f);
        score_arrived(parcel, T0 + (parcel % 4 == 0 ? 5 : 1) * DAY);
    }
    struct forecast rare = at(100, T0 + 9 * DAY, T0 + 10 * DAY), often = at(101, rare.at_s, 0);

    rare.lane = 7;                                /* 10 samples: the global median is taken */
    often.lane = 8;
    score_add(rare);
    score_add(often);
    score_arrived(100, rare.at_s + 5 * DAY);
    score_arrived(101, rare.at_s + DAY);
    struct score s = score_of(HORIZONS, SCAN_NONE, false);

    assert_int_equal(s.count, 2);
    assert_int_equal(s.lanes, 2);
    assert_true(fabs(s.global_mae_s - 2 * DAY) < 0.15 * DAY);
    assert_true(fabs(s.lane_mae_s - 2 * DAY) < 0.15 * DAY);
    score_end();
}

static void rehearse(const char *number, const char *code, const char *place, uint32_t at_s)
{
    char text[256], time[TIME_TEXT + 1] = "";
    struct scan scan;

    (void)time_print((int64_t)at_s * 1000, time);
    int length = snprintf(text, sizeof text, "{\"parcel\":\"%s\",\"code\":\"%s\",\"time\":\"%s\","
                          "\"facility\":\"%s\",\"dest\":\"PVG\"}", number, code, time, place);
    struct verdict verdict = format_json.decode(text, (size_t)length, NULL, 0,
                                                (int64_t)at_s * 1000, NULL, &scan);

    assert_int_equal(verdict.reject, REJECT_NONE);
    rehearsal_scan(&scan);
}

static void the_products_own_track_learns(void **state)
{
    static const double probabilities[] = {0.1, 0.5, 0.9};
    size_t rows;
    const struct config_row *table = settings_rows(&rows);
    struct config *config = config_create(table, rows);

    (void)state;
    log_open(LOG_LEVEL_ERROR, LOG_FORM_TEXT);
    assert_int_equal(config_set(config, "clock.mode=event"), 0);
    assert_int_equal(config_finish(config), 0);
    for (int again = 0; again < 2; again++) {
        assert_int_equal(rehearsal_open(config), 0);
        const struct partition *p = rehearsal_partition();

        for (uint32_t i = 0; i < 50; i++) {
            char number[16];

            (void)snprintf(number, sizeof number, "P%u", i);
            rehearse(number, "PICKUP", "CAN", T0 + i * HOUR);
            rehearse(number, "DELIVERED", "PVG", T0 + i * HOUR + DAY);
        }
        assert_int_equal(p->position, 100);
        assert_int_equal(table_count(p->table), 50);
        struct model_key key = {0, SCAN_PICKUP, NAME_NONE, NAME_NONE};
        struct quantiles q = model_ask(p->model, MODEL_REMAINING, key, 0, probabilities,
                                       T0 + 3 * DAY);

        assert_true(q.known && q.p[1] > 0.8 * DAY && q.p[1] < 1.2 * DAY);
        rehearsal_close();
    }
    config_destroy(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_by_hand),
        cmocka_unit_test(medians_of_what_has_arrived),
        cmocka_unit_test(the_products_own_track_learns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
