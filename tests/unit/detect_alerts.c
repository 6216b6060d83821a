/* detect_alerts.c - an alert's life: opened, updated, resolved, opened again; silenced;
 * told by way of the state; short of room. */
#include "tests/unit/detect_world.h"

/* One finding, folded. */
static void found(enum finding_verb verb, enum detector_number type, struct finding what,
                  uint32_t at_s, bool by_deadline)
{
    struct findings f;

    findings_begin(&f, &w.parcel);
    f.at_s = at_s;
    f.current = (uint8_t)type;
    if (verb == FINDING_OPEN)
        findings_open(&f, &what);
    else
        findings_resolve(&f);
    world_fold(&w, &f, at_s, by_deadline);
}

static struct finding finding(enum severity severity, uint32_t opened_s)
{
    return (struct finding) {.severity = (uint8_t)severity, .opened_s = opened_s};
}

static void opening_twice_is_nothing(void **state)
{
    (void)state;
    found(FINDING_OPEN, DETECTOR_REFUSED, finding(SEVERITY_WARNING, T0), T0, false);
    found(FINDING_OPEN, DETECTOR_REFUSED, finding(SEVERITY_WARNING, T0 + 60), T0 + 60, false);
    (void)expect_change(&w, DETECTOR_REFUSED, ALERT_OPENED, SEVERITY_WARNING, T0);
    expect_quiet(&w);
    found(FINDING_OPEN, DETECTOR_REFUSED, finding(SEVERITY_CRITICAL, T0 + 90), T0 + 90, false);
    const struct alert *a = expect_change(&w, DETECTOR_REFUSED, ALERT_UPDATED, SEVERITY_CRITICAL,
                                          T0 + 90);
    assert_int_equal(a->sequence, 2);
    assert_int_equal(a->opened_s, T0);
}

static void resolving_what_is_not_open_is_nothing(void **state)
{
    (void)state;
    found(FINDING_RESOLVE, DETECTOR_REFUSED, finding(SEVERITY_INFO, 0), T0, false);
    expect_quiet(&w);
    assert_int_equal(w.parcel.alerts_count, 0);
}

static void opened_again_within_ten_minutes_goes_on(void **state)
{
    (void)state;
    found(FINDING_OPEN, DETECTOR_REFUSED, finding(SEVERITY_WARNING, T0), T0, false);
    found(FINDING_RESOLVE, DETECTOR_REFUSED, finding(SEVERITY_INFO, 0), T0 + 100, false);
    found(FINDING_OPEN, DETECTOR_REFUSED, finding(SEVERITY_INFO, T0 + 700), T0 + 700, false);
    uint64_t id = expect_change(&w, DETECTOR_REFUSED, ALERT_OPENED, SEVERITY_WARNING, T0)->id;

    (void)expect_change(&w, DETECTOR_REFUSED, ALERT_RESOLVED, SEVERITY_WARNING, T0 + 100);
    const struct alert *a = expect_change(&w, DETECTOR_REFUSED, ALERT_OPENED, SEVERITY_INFO,
                                          T0 + 700);
    assert_true(a->id == id);
    assert_int_equal(a->sequence, 3);
    assert_int_equal(w.parcel.alerts_count, 1);
}

static void opened_again_later_is_another(void **state)
{
    (void)state;
    found(FINDING_OPEN, DETECTOR_REFUSED, finding(SEVERITY_WARNING, T0), T0, false);
    found(FINDING_RESOLVE, DETECTOR_REFUSED, finding(SEVERITY_INFO, 0), T0 + 100, false);
    found(FINDING_OPEN, DETECTOR_REFUSED, finding(SEVERITY_WARNING, T0 + 701), T0 + 701, false);
    assert_true(w.tell[0].id != w.tell[2].id);
    assert_int_equal(w.tell[2].sequence, 1);
    assert_int_equal(w.parcel.alerts_count, 1);
}

static void id_says_what_it_is_about(void **state)
{
    const struct detector *d = detector_table[DETECTOR_STALLED];
    uint64_t id = alert_id(d, &w.parcel, "HGH", T0);
    struct parcel next_life = w.parcel, other = w.parcel;

    (void)state;
    next_life.life++;
    other.number[1] = '2';
    assert_true(id == alert_id(d, &w.parcel, "HGH", T0));
    assert_true(id != alert_id(d, &w.parcel, "HGH", T0 + 1));
    assert_true(id != alert_id(d, &w.parcel, "", T0));
    assert_true(id != alert_id(d, &next_life, "HGH", T0));
    assert_true(id != alert_id(d, &other, "HGH", T0));
    assert_true(id != alert_id(detector_table[DETECTOR_LOST], &w.parcel, "HGH", T0));
}

/* ── Inhibition ──────────────────────────────────────────────────────────────────────── */

/* In words of its own, not the product's table: who keeps quiet while who is open. */
static bool is_silenced(uint8_t type, uint8_t by)
{
    static const char *const quiet[] = {"stalled", "missed-departure", "promise-at-risk"};
    static const char *const loud[] = {"customs-held", "uncollected", "damaged", "returning",
                                       "lost"};
    bool is_quiet = false, is_loud = false;

    for (int i = 0; i < 3; i++)
        is_quiet |= strcmp(detector_table[type]->type, quiet[i]) == 0;
    for (int i = 0; i < 5; i++)
        is_loud |= strcmp(detector_table[by]->type, loud[i]) == 0;
    return is_quiet && is_loud;
}

/* Every pair, in both orders: the later is not opened, or resolves the earlier, or neither. */
static void inhibition_pair_by_pair(void **state)
{
    int silenced = 0;

    for (uint8_t type = 0; type < DETECTORS; type++)
        for (uint8_t by = 0; by < DETECTORS; by++) {
            if (type == by)
                continue;
            for (int order = 0; order < 2; order++) {
                uint8_t first = order == 0 ? type : by, second = order == 0 ? by : type;

                (void)close_world(state);
                (void)open_world(state);
                found(FINDING_OPEN, first, finding(SEVERITY_WARNING, T0), T0, false);
                found(FINDING_OPEN, second, finding(SEVERITY_WARNING, T0 + 60), T0 + 60, false);
                (void)expect_change(&w, first, ALERT_OPENED, SEVERITY_WARNING, T0);
                if (!is_silenced(second, first))
                    (void)expect_change(&w, second, ALERT_OPENED, SEVERITY_WARNING, T0 + 60);
                if (is_silenced(first, second))
                    (void)expect_change(&w, first, ALERT_RESOLVED, SEVERITY_WARNING, T0 + 60);
                expect_quiet(&w);
                silenced += is_silenced(type, by);
            }
        }
    assert_int_equal(silenced, 2 * 3 * 5);
}

static void inhibitor_resolves_what_is_open(void **state)
{
    (void)state;
    found(FINDING_OPEN, DETECTOR_STALLED, finding(SEVERITY_WARNING, T0), T0 + 50, true);
    found(FINDING_OPEN, DETECTOR_DAMAGED, finding(SEVERITY_WARNING, T0 + 60), T0 + 60, false);
    found(FINDING_OPEN, DETECTOR_STALLED, finding(SEVERITY_WARNING, T0 + 70), T0 + 70, true);
    (void)expect_change(&w, DETECTOR_STALLED, ALERT_OPENED, SEVERITY_WARNING, T0 + 50);
    (void)expect_change(&w, DETECTOR_DAMAGED, ALERT_OPENED, SEVERITY_WARNING, T0 + 60);
    (void)expect_change(&w, DETECTOR_STALLED, ALERT_RESOLVED, SEVERITY_WARNING, T0 + 60);
    expect_quiet(&w);
}

static void inhibitor_of_the_same_scan_comes_first(void **state)
{
    struct findings f;

    (void)state;
    findings_begin(&f, &w.parcel);
    f.at_s = T0;
    for (uint8_t type = DETECTOR_STALLED; type <= DETECTOR_DAMAGED; type++) {
        f.current = type;
        if (type == DETECTOR_STALLED || type == DETECTOR_DAMAGED)
            findings_open(&f, &(struct finding) {.severity = SEVERITY_WARNING, .opened_s = T0});
    }
    world_fold(&w, &f, T0, false);
    (void)expect_change(&w, DETECTOR_DAMAGED, ALERT_OPENED, SEVERITY_WARNING, T0);
    expect_quiet(&w);
}

/* What survives a terminal state, and what the scan that led there may itself show. */
static void little_opens_in_a_terminal_state(void **state)
{
    static const uint8_t opens[] = {DETECTOR_WEIGHT_MISMATCH, DETECTOR_NUMBER_REUSED,
                                    DETECTOR_CLOCK_SKEW, DETECTOR_OUT_OF_ORDER,
                                    DETECTOR_DOUBTFUL_DELIVERY, DETECTOR_IMPOSSIBLE_TRAVEL};

    (void)state;
    w.parcel.state = STATE_DELIVERED;
    for (uint8_t type = 0; type < DETECTORS; type++)
        found(FINDING_OPEN, type, finding(SEVERITY_CRITICAL, T0), T0, false);
    for (size_t i = 0; i < sizeof opens; i++)
        (void)expect_change(&w, opens[i], ALERT_OPENED, SEVERITY_CRITICAL, T0);
    expect_quiet(&w);
    w.parcel.state = STATE_LOST;
    for (uint8_t type = 0; type < DETECTORS; type++)
        found(FINDING_OPEN, type, finding(SEVERITY_CRITICAL, T0), T0, false);
    (void)expect_change(&w, DETECTOR_LOST, ALERT_OPENED, SEVERITY_CRITICAL, T0);
    expect_quiet(&w);
}

/* ── By way of the state ─────────────────────────────────────────────────────────────── */

static void deadlines_alerts_go_by_the_state_for_ever(void **state)
{
    (void)state;
    found(FINDING_OPEN, DETECTOR_UNCOLLECTED, finding(SEVERITY_WARNING, T0), T0 + 10, true);
    found(FINDING_OPEN, DETECTOR_UNCOLLECTED, finding(SEVERITY_CRITICAL, T0), T0 + 20, false);
    found(FINDING_RESOLVE, DETECTOR_UNCOLLECTED, finding(SEVERITY_INFO, 0), T0 + 30, false);
    assert_int_equal(w.parcel.unsent_count, 3);
    assert_int_equal(w.parcel.unsent[0].state, ALERT_OPENED);
    assert_int_equal(w.parcel.unsent[1].state, ALERT_UPDATED);
    assert_int_equal(w.parcel.unsent[2].state, ALERT_RESOLVED);
    assert_int_equal(w.parcel.unsent[2].severity, SEVERITY_CRITICAL);
}

static void an_update_by_deadline_goes_by_the_state_too(void **state)
{
    (void)state;
    found(FINDING_OPEN, DETECTOR_CUSTOMS_HELD, finding(SEVERITY_WARNING, T0), T0, false);
    assert_int_equal(w.parcel.unsent_count, 0);
    found(FINDING_OPEN, DETECTOR_CUSTOMS_HELD, finding(SEVERITY_CRITICAL, T0), T0 + 9, true);
    found(FINDING_RESOLVE, DETECTOR_CUSTOMS_HELD, finding(SEVERITY_INFO, 0), T0 + 30, false);
    assert_int_equal(w.parcel.unsent_count, 2);
}

static void full_unsent_lets_overtaken_updates_go(void **state)
{
    (void)state;
    found(FINDING_OPEN, DETECTOR_UNCOLLECTED, finding(SEVERITY_WARNING, T0), T0, true);
    for (uint32_t i = 1; i < 40; i++) {
        enum severity severity = i % 2 != 0 ? SEVERITY_CRITICAL : SEVERITY_WARNING;

        found(FINDING_OPEN, DETECTOR_UNCOLLECTED, finding(severity, T0), T0 + i, true);
    }
    found(FINDING_RESOLVE, DETECTOR_UNCOLLECTED, finding(SEVERITY_INFO, 0), T0 + 40, false);
    assert_int_equal(w.told, 41); /* each was told as it came */
    assert_int_equal(w.refused, 0);
    assert_int_equal(w.parcel.unsent_count, UNSENT_MAX);
    assert_int_equal(w.parcel.unsent[0].state, ALERT_OPENED);
    assert_int_equal(w.parcel.unsent[UNSENT_MAX - 1].state, ALERT_RESOLVED);
    for (uint32_t i = 1; i < UNSENT_MAX; i++)
        assert_true(w.parcel.unsent[i].sequence > w.parcel.unsent[i - 1].sequence);
}

static void full_unsent_of_others_refuses(void **state)
{
    (void)state;
    w.parcel.unsent_count = UNSENT_MAX;
    for (uint32_t i = 0; i < UNSENT_MAX; i++)
        w.parcel.unsent[i] = (struct alert) {.id = i + 1, .state = ALERT_OPENED,
                                             .flags = ALERT_BY_DEADLINE};
    found(FINDING_OPEN, DETECTOR_UNCOLLECTED, finding(SEVERITY_WARNING, T0), T0, true);
    assert_int_equal(w.refused, 1);
    assert_int_equal(w.parcel.alerts_count, 0); /* what was not told is not there */
    found(FINDING_OPEN, DETECTOR_REFUSED, finding(SEVERITY_WARNING, T0), T0, false);
    (void)expect_change(&w, DETECTOR_REFUSED, ALERT_OPENED, SEVERITY_WARNING, T0);
}

static void full_alerts_drop_the_oldest_resolved(void **state)
{
    (void)state;
    for (uint8_t i = 0; i < ALERTS_MAX; i++)
        w.parcel.alerts[i] = (struct alert) {.type = (uint8_t)(i + 14), .state = ALERT_OPENED,
                                             .at_s = T0};
    w.parcel.alerts_count = ALERTS_MAX;
    found(FINDING_OPEN, DETECTOR_MISROUTED, finding(SEVERITY_WARNING, T0), T0, false);
    assert_int_equal(w.refused, 1);
    w.parcel.alerts[5].state = w.parcel.alerts[7].state = ALERT_RESOLVED;
    w.parcel.alerts[7].at_s = T0 - 1;
    found(FINDING_OPEN, DETECTOR_MISROUTED, finding(SEVERITY_WARNING, T0), T0, false);
    assert_int_equal(w.parcel.alerts[7].type, DETECTOR_MISROUTED);
    assert_int_equal(w.parcel.alerts_count, ALERTS_MAX);
}

static void sequences_do_not_wrap(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 70000; i++) {
        w.parcel.unsent_count = 0;
        found(FINDING_OPEN, DETECTOR_REFUSED,
              finding(i % 2 != 0 ? SEVERITY_INFO : SEVERITY_WARNING, T0), T0, false);
    }
    assert_int_equal(w.parcel.alerts[0].sequence, UINT16_MAX - 1);
    assert_true(w.refused > 0);
}

/* ── Whole sequences ─────────────────────────────────────────────────────────────────── */

/* The same scans in any order end with the same alerts open, where none is late for good. */
static void deadlines_do_not_depend_on_arrival_order(void **state)
{
    static const struct step steps[] = {
        {.code = SCAN_PICKUP, .at_s = T0, .here = "HGH"},
        {.code = SCAN_ARRIVE, .at_s = T0 + 2 * HOUR, .here = "HGH2"},
        {.code = SCAN_DEPART, .at_s = T0 + 4 * HOUR, .here = "HGH2"},
    };
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                     {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

    (void)state;
    for (int o = 0; o < 6; o++) {
        world_close(&w);
        world_open(&w, NULL, "");
        for (int i = 0; i < 3; i++)
            world_scan(&w, steps[orders[o][i]]);
        assert_int_equal(w.parcel.deadlines_count, 2);
        assert_int_equal(w.parcel.deadlines[0].detector, DETECTOR_STALLED);
        assert_int_equal(w.parcel.deadlines[0].at_s, T0 + 76 * HOUR);
        assert_int_equal(w.parcel.deadlines[1].detector, DETECTOR_LOST);
        assert_int_equal(w.parcel.deadlines[1].at_s, T0 + 244 * HOUR);
    }
}

static void house_deadline_is_left_alone(void **state)
{
    (void)state;
    w.parcel.deadlines[0] = (struct deadline) {DEADLINE_HOUSE, T0 + 7};
    w.parcel.deadlines_count = 1;
    struct findings f;
    struct detect_context context = world_context(&w);

    context.clock_s = T0 + 100;
    detect_deadline(&context, &w.parcel, &f);
    assert_int_equal(f.count, 0);
    assert_int_equal(w.parcel.deadlines_count, 1);
    w.parcel.deadlines_count = 1;
    struct scan scan = {.bytes = "", .code = SCAN_PICKUP, .time_ms = (int64_t)T0 * 1000};
    struct estimate none = {.known = false};

    w.parcel.state = STATE_COLLECTED;
    w.parcel.physical_s = T0;
    detect_arm(&context, &w.parcel, &scan, &none);
    assert_int_equal(w.parcel.deadlines[0].detector, DEADLINE_HOUSE);
    assert_int_equal(w.parcel.deadlines[0].at_s, T0 + 7);
    assert_int_equal(w.parcel.deadlines_count, 3);
}

static void a_clock_that_jumps_fires_each_step(void **state)
{
    struct findings f;

    (void)state;
    SCAN(&w, SCAN_STATION_IN, T0, "ST1");
    struct detect_context context = world_context(&w);

    context.clock_s = T0 + 30 * DAY;
    detect_deadline(&context, &w.parcel, &f);
    assert_int_equal(f.count, 2);
    world_fold(&w, &f, context.clock_s, true);
    (void)expect_change(&w, DETECTOR_UNCOLLECTED, ALERT_OPENED, SEVERITY_WARNING, T0 + 2 * DAY);
    (void)expect_change(&w, DETECTOR_UNCOLLECTED, ALERT_UPDATED, SEVERITY_CRITICAL, T0 + 5 * DAY);
    assert_int_equal(w.parcel.deadlines_count, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(opening_twice_is_nothing),
        TEST(resolving_what_is_not_open_is_nothing),
        TEST(opened_again_within_ten_minutes_goes_on),
        TEST(opened_again_later_is_another),
        TEST(id_says_what_it_is_about),
        TEST(inhibition_pair_by_pair),
        TEST(inhibitor_resolves_what_is_open),
        TEST(inhibitor_of_the_same_scan_comes_first),
        TEST(little_opens_in_a_terminal_state),
        TEST(deadlines_alerts_go_by_the_state_for_ever),
        TEST(an_update_by_deadline_goes_by_the_state_too),
        TEST(full_unsent_lets_overtaken_updates_go),
        TEST(full_unsent_of_others_refuses),
        TEST(full_alerts_drop_the_oldest_resolved),
        TEST(sequences_do_not_wrap),
        TEST(deadlines_do_not_depend_on_arrival_order),
        TEST(house_deadline_is_left_alone),
        TEST(a_clock_that_jumps_fires_each_step),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
