/* eta_estimate.c - estimates from records, and what an arrival teaches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "stages/eta/estimate.h"
#include "stages/eta/model_store.h"
#include "stages/parcel/history.h"

enum { T0 = 1793577600, HOUR = 3600, DAY = 86400 };

static struct model *m;

static int create(void **state)
{
    (void)state;
    m = model_create(&(struct model_settings) {
        .cells_max = 256, .half_life_s = 60 * DAY, .shrink = 10});
    uint8_t long_ago[8] = {0, 0, 0, 0, 1}; /* it has learned for years */

    return model_restore(m, "m", 1, long_ago, sizeof long_ago);
}

static int destroy(void **state)
{
    (void)state;
    model_destroy(m);
    return 0;
}

static struct parcel in_transit(enum scan_code code, name_id at, uint32_t state_s)
{
    return (struct parcel) {.life = 1, .state = (uint8_t)code_table[code].state,
                            .code = (uint8_t)code, .at = at, .dest = 9, .service = 1,
                            .state_s = state_s, .physical_s = state_s};
}

static void teach(enum scan_code code, name_id place, uint32_t seconds, int times)
{
    for (int i = 0; i < times; i++)
        model_learn(m, MODEL_REMAINING, (struct model_key) {1, (uint8_t)code, 9, place}, seconds,
                    T0);
}

static void unknown_when_there_is_nothing_to_say(void **state)
{
    struct parcel p = in_transit(SCAN_DEPART, 5, T0);

    (void)state;
    assert_false(estimate_make(m, &p, T0).known); /* nothing learned */
    teach(SCAN_DEPART, 5, DAY, 10);
    assert_true(estimate_make(m, &p, T0).known);
    p.flags = PARCEL_ARRIVED;
    assert_false(estimate_make(m, &p, T0).known);
    p.flags = PARCEL_RETURNING;
    assert_false(estimate_make(m, &p, T0).known);
    p.flags = 0;
    p.state = STATE_LOST;
    assert_false(estimate_make(m, &p, T0).known);
    p.state = STATE_UNKNOWN;
    assert_false(estimate_make(m, &p, T0).known);
}

static void moments_and_basis(void **state)
{
    struct parcel p = in_transit(SCAN_DEPART, 5, T0);
    static const struct { name_id at, dest; uint8_t code, basis; } rows[] = {
        {5, 9, SCAN_DEPART, BASIS_LANE}, {6, 9, SCAN_DEPART, BASIS_DESTINATION},
        {5, 8, SCAN_DEPART, BASIS_SERVICE}, {5, 9, SCAN_SORT, BASIS_GLOBAL}};

    (void)state;
    teach(SCAN_DEPART, 5, DAY, 500);
    struct estimate e = estimate_make(m, &p, T0);

    assert_in_range(e.p50_s, T0 + 85 * DAY / 100, T0 + 115 * DAY / 100);
    assert_in_range(e.p90_s, e.p50_s, T0 + 120 * DAY / 100);
    e = estimate_make(m, &p, T0 + 3 * DAY); /* overdue: later than now */
    assert_true(e.p50_s > T0 + 3 * DAY);
    e = estimate_make(m, &p, T0 - DAY); /* a clock behind event time */
    assert_in_range(e.p50_s, T0 + 85 * DAY / 100, T0 + 115 * DAY / 100);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        p.at = rows[i].at;
        p.dest = rows[i].dest;
        p.code = rows[i].code;
        assert_int_equal(estimate_make(m, &p, T0).basis, rows[i].basis);
    }
    assert_string_equal(basis_name(BASIS_LANE), "lane");
}

/* A slow leg is slow wherever the parcel goes in the end, and only where it is said to go there. */
static void a_dwell_is_of_the_leg(void **state)
{
    struct parcel slow = in_transit(SCAN_DEPART, 5, T0), quick = slow;

    (void)state;
    slow.next = 7;
    quick.next = 6;
    for (int i = 0; i < 100; i++) {
        slow.dest = quick.dest = (name_id)(10 + i);
        estimate_learn_dwell(m, &slow, T0 + 30 * HOUR, T0 + DAY);
        estimate_learn_dwell(m, &quick, T0 + 4 * HOUR, T0 + DAY);
    }
    slow.dest = quick.dest = 200;   /* nobody went there yet */
    assert_in_range(estimate_make(m, &slow, T0 + DAY).dwell_s, 29 * HOUR, 36 * HOUR);
    for (int i = 0; i < 2000; i++)
        estimate_learn_dwell(m, &quick, T0 + 4 * HOUR, T0 + DAY);
    assert_in_range(estimate_make(m, &quick, T0 + DAY).dwell_s, 4 * HOUR, 8 * HOUR);
    assert_true(estimate_make(m, &slow, T0 + DAY).dwell_s > 29 * HOUR);
}

/* What takes a day is not believed of a model that has seen less than two. */
static void a_young_model_says_so(void **state)
{
    struct parcel p = in_transit(SCAN_DEPART, 5, T0);
    const uint32_t times[2] = {0, T0 - DAY};

    (void)state;
    teach(SCAN_DEPART, 5, DAY, 500);
    assert_false(estimate_make(m, &p, T0).young);
    assert_int_equal(model_restore(m, "m", 1, (const uint8_t *)times, sizeof times), 0);
    assert_true(estimate_make(m, &p, T0).young);
}

static void moved_says_when_to_tell(void **state)
{
    struct parcel p = in_transit(SCAN_DEPART, 5, T0);
    struct estimate e = {.known = true, .p50_s = T0 + 100 * HOUR};

    (void)state;
    e.p90_s = e.p50_s;
    assert_true(estimate_moved(&p, &e, T0, false)); /* the first */
    p.eta_last_s = e.p50_s;
    assert_false(estimate_moved(&p, &e, T0, false));
    assert_true(estimate_moved(&p, &e, T0, true));
    e.p50_s = e.p90_s = p.eta_last_s + 9 * HOUR; /* 10 % of 109 h are not passed */
    assert_false(estimate_moved(&p, &e, T0, false));
    e.p50_s = e.p90_s = p.eta_last_s + 12 * HOUR;
    assert_true(estimate_moved(&p, &e, T0, false));
    e.p50_s = e.p90_s = p.eta_last_s - 12 * HOUR;
    assert_true(estimate_moved(&p, &e, T0, false));
    p.eta_last_s = T0 + 2 * HOUR;
    e.p50_s = e.p90_s = T0 + 3 * HOUR; /* never for less than an hour */
    assert_false(estimate_moved(&p, &e, T0, false));
    e.p50_s++;
    assert_true(estimate_moved(&p, &e, T0, false));
    e.p90_s = e.p50_s + 8 * HOUR; /* nor for less than a quarter of what it does not know */
    assert_false(estimate_moved(&p, &e, T0, false));
    e.p90_s = e.p50_s + 2 * HOUR;
    assert_true(estimate_moved(&p, &e, T0, false));
    e.known = false;
    assert_false(estimate_moved(&p, &e, T0, true));
}

static void risk_by_promise(void **state)
{
    struct parcel p = {.promise_s = T0 + DAY};
    struct estimate e = {.known = true, .p50_s = T0 + DAY, .p90_s = T0 + DAY};

    (void)state;
    assert_int_equal(estimate_at_risk(&p, &e), AT_RISK_NO);
    e.p90_s++;
    assert_int_equal(estimate_at_risk(&p, &e), AT_RISK_P90);
    e.p50_s++;
    assert_int_equal(estimate_at_risk(&p, &e), AT_RISK_P50);
    p.promise_s = 0;
    assert_int_equal(estimate_at_risk(&p, &e), AT_RISK_NO);
    p.promise_s = T0;
    e.known = false;
    assert_int_equal(estimate_at_risk(&p, &e), AT_RISK_NO);
}

static double weight(enum scan_code code, name_id place)
{
    static const double probabilities[3] = {0.1, 0.5, 0.9};
    struct model_key key = {1, (uint8_t)code, 9, place};
    struct quantiles q = model_ask(m, MODEL_REMAINING, key, 0, probabilities, T0);

    return q.known && q.level == 3 ? q.samples : 0;
}

static void an_arrival_teaches_each_step_before_it(void **state)
{
    struct parcel p = in_transit(SCAN_DELIVERED, 4, T0 + 3 * DAY);

    (void)state;
    history_add(&p, T0, 1, SCAN_PICKUP, false, 0);
    history_add(&p, T0 + DAY, 2, SCAN_ARRIVE, false, 0);
    history_add(&p, T0 + DAY + 60, 2, SCAN_SORT, false, ENTRY_MERGED);
    history_add(&p, T0 + DAY + 90, 2, SCAN_INFO, false, 0);
    history_add(&p, T0 + 2 * DAY, 3, SCAN_DEPART, false, 0);
    history_add(&p, T0 + 2 * DAY, 3, SCAN_DEPART, true, 0);   /* taken back */
    history_add(&p, T0 + 3 * DAY, 4, SCAN_DELIVERED, false, 0);
    history_add(&p, T0 + 4 * DAY, 5, SCAN_ARRIVE, false, 0);  /* after the arrival */
    for (int i = 0; i < 30; i++) /* until the finest cells are made */
        estimate_learn_arrival(m, &p, T0 + 3 * DAY, T0 + 4 * DAY);
    assert_true(weight(SCAN_PICKUP, 1) > 0.9 && weight(SCAN_ARRIVE, 2) > 0.9);
    assert_true(weight(SCAN_SORT, 2) == 0 && weight(SCAN_INFO, 2) == 0);
    assert_true(weight(SCAN_DEPART, 3) == 0 && weight(SCAN_DELIVERED, 4) == 0);
    assert_true(weight(SCAN_ARRIVE, 5) == 0);
    assert_int_equal(model_cells(m), 3 + 6);
}

static bool stated_at(const struct parcel *p, int i)
{
    return entry_flags(p->history[i]) > ENTRY_MERGED;
}

/* The P90 of each scan that gave a state stays with it in the history, once; an arrival judges
 * them, and later ones of that service and code are told later, or a little sooner. */
static void stated_p90s_are_judged(void **state)
{
    struct parcel p = in_transit(SCAN_ARRIVE, 2, T0 + HOUR);
    struct estimate e, later;

    (void)state;
    history_add(&p, T0, 1, SCAN_PICKUP, false, 0);
    history_add(&p, T0 + HOUR, 2, SCAN_ARRIVE, false, 0);
    history_add(&p, T0 + 2 * HOUR, 2, SCAN_INFO, false, 0);
    e = estimate_make(m, &p, T0 + HOUR);
    estimate_state(&p, &e);
    assert_false(stated_at(&p, 1)); /* nothing was known */
    teach(SCAN_ARRIVE, 2, DAY, 500);
    e = estimate_make(m, &p, T0 + HOUR);
    assert_int_equal(e.raw_s, e.p90_s);
    estimate_state(&p, &e);
    assert_true(!stated_at(&p, 0) && stated_at(&p, 1) && !stated_at(&p, 2));
    uint64_t kept = p.history[1];

    e.raw_s += 10 * DAY;
    estimate_state(&p, &e);
    assert_true(p.history[1] == kept);
    estimate_learn_arrival(m, &p, T0 + 4 * DAY, T0 + 4 * DAY); /* three days too early */
    later = estimate_make(m, &p, T0 + HOUR);
    assert_true(later.p90_s > later.raw_s + DAY / 50);
    for (int i = 0; i < 20; i++)
        estimate_learn_arrival(m, &p, T0 + 2 * HOUR, T0 + 4 * DAY); /* that was long enough */
    e = estimate_make(m, &p, T0 + HOUR);
    assert_true(e.p90_s - e.p50_s < later.p90_s - later.p50_s);
}

static void dwell_between_physical_scans(void **state)
{
    static const double probabilities[3] = {0.1, 0.5, 0.9};
    struct parcel p = in_transit(SCAN_ARRIVE, 2, T0);
    struct model_key key = {1, SCAN_ARRIVE, 9, 2};

    (void)state;
    estimate_learn_dwell(m, &p, T0, T0); /* no time passed: out of order */
    estimate_learn_dwell(m, &p, T0 - 5, T0);
    assert_false(model_ask(m, MODEL_DWELL, key, 0, probabilities, T0).known);
    for (int i = 0; i < 200; i++)
        estimate_learn_dwell(m, &p, T0 + 20 * HOUR, T0);
    struct quantiles q = model_ask(m, MODEL_DWELL, key, 0, probabilities, T0);

    assert_true(q.known && q.p[1] > 17 * HOUR && q.p[1] < 23 * HOUR);
    p.physical_s = 0;
    estimate_learn_dwell(m, &p, T0 + HOUR, T0);
    assert_true(model_ask(m, MODEL_DWELL, key, 0, probabilities, T0).samples < 200.5);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, create, destroy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(unknown_when_there_is_nothing_to_say),
        TEST(moments_and_basis),
        TEST(a_young_model_says_so),
        TEST(moved_says_when_to_tell),
        TEST(risk_by_promise),
        TEST(an_arrival_teaches_each_step_before_it),
        TEST(stated_p90s_are_judged),
        TEST(dwell_between_physical_scans),
        TEST(a_dwell_is_of_the_leg),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
