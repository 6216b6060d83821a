/* detect_reference.c - the detectors that go by reference data: plans, papers, working time. */
#include "tests/unit/detect_world.h"

#define REFERENCE PEAKLINE_SOURCE "/deploy/reference/"

static int open_reference(void **state)
{
    static const char *const files[REFERENCE_PARTS] = {
        REFERENCE "facilities.csv", REFERENCE "routes.csv", REFERENCE "departures.csv",
        REFERENCE "promises.csv", REFERENCE "calendars.csv"};

    (void)state;
    world_open(&w, NULL, NULL);
    reference_destroy(w.reference);
    w.reference = reference_read(files);
    assert_non_null(w.reference);
    return 0;
}

/* PVG to LGG leaves Mondays 18:00, and takes what is there by 14:00. */
static void departure_after_the_cutoff_is_the_next(void **state)
{
    (void)state;
    SCAN(&w, SCAN_ARRIVE, at(14.5), "PVG", "LGG");
    world_clock(&w, at(48 + 18.4));
    expect_quiet(&w);
    world_clock(&w, at(48 + 18.5));
    expect_open(DETECTOR_MISSED_DEPARTURE, SEVERITY_WARNING, 48 + 18.5);
}

static void departure_is_that_of_the_arrival(void **state)
{
    (void)state;
    SCAN(&w, SCAN_ARRIVE, at(8), "PVG", "LGG");
    SCAN(&w, SCAN_SORT, at(15), "PVG", "LGG");   /* does not put it off */
    SCAN(&w, SCAN_LOAD, at(17), "PVG", "LGG");
    world_clock(&w, at(18.5));
    expect_open(DETECTOR_MISSED_DEPARTURE, SEVERITY_WARNING, 18.5);
    SCAN(&w, SCAN_SORT, at(19), "PVG", "LGG");   /* still there */
    expect_quiet(&w);
    SCAN(&w, SCAN_DEPART, at(18), "PVG", "LGG"); /* its upload was late */
    (void)expect_change(&w, DETECTOR_MISSED_DEPARTURE, ALERT_RESOLVED, SEVERITY_WARNING, at(18));
}

static void departure_taken_is_none_missed(void **state)
{
    (void)state;
    SCAN(&w, SCAN_ARRIVE, at(8), "PVG", "LGG");
    SCAN(&w, SCAN_DEPART, at(18.2), "PVG", "LGG");
    world_clock(&w, at(40));
    expect_quiet(&w);
}

static void departure_learned_where_none_is_planned(void **state)
{
    struct model_key key = {.code = SCAN_ARRIVE, .place = world_name(&w, "CAN")};

    (void)state;
    SCAN(&w, SCAN_ARRIVE, at(0), "CAN");
    world_clock(&w, at(70)); /* nothing learned */
    expect_quiet(&w);
    for (int i = 0; i < 400; i++)
        model_learn(w.model, MODEL_DWELL, key, 14 * HOUR, at(70));
    SCAN(&w, SCAN_DEPART, at(71), "CAN");
    SCAN(&w, SCAN_ARRIVE, at(72), "CAN");
    world_clock(&w, at(72 + 19));
    const struct alert *a = &w.tell[w.read];

    assert_int_equal(w.told, 2);    /* stalled by the same measure, and it */
    assert_true(a->type == DETECTOR_MISSED_DEPARTURE || a[1].type == DETECTOR_MISSED_DEPARTURE);
    w.read = w.told;
}

static void documents_wanted_by_the_route_only(void **state)
{
    (void)state;
    SCAN(&w, SCAN_PICKUP, at(0), "HGH", .origin = "HGH", .dest = "SHA3");
    SCAN(&w, SCAN_UPLIFT, at(20), "PVG");
    expect_quiet(&w);
}

static void documents_filed_without_a_name_are_all(void **state)
{
    (void)state;
    SCAN(&w, SCAN_PICKUP, at(0), "HGH", .origin = "HGH", .dest = "LGG");
    SCAN(&w, SCAN_DECLARED, at(1));
    SCAN(&w, SCAN_UPLIFT, at(40), "PVG");
    expect_quiet(&w);
}

static void documents_at_the_hand_over_of_an_export_node(void **state)
{
    (void)state;
    SCAN(&w, SCAN_PICKUP, at(0), "HGH", .origin = "SZX", .dest = "KUL");
    SCAN(&w, SCAN_HANDOVER, at(1), "HGH");    /* a hub: another lorry */
    expect_quiet(&w);
    SCAN(&w, SCAN_HANDOVER, at(20), "PVG");
    const struct alert *a = expect_change(&w, DETECTOR_DOCUMENTS_MISSING, ALERT_OPENED,
                                          SEVERITY_WARNING, at(20));
    expect_sentence(&w, a, "leaves PVG without all of its papers (1 missing): file the "
                           "declaration before it lands");
    SCAN(&w, SCAN_EXPORT_OUT, at(22), "PVG");
    (void)expect_change(&w, DETECTOR_DOCUMENTS_MISSING, ALERT_RESOLVED, SEVERITY_WARNING, at(22));
    SCAN(&w, SCAN_UPLIFT, at(24), "PVG");     /* customs have let it out */
    expect_quiet(&w);
}

static void misrouted_by_the_route(void **state)
{
    (void)state;
    SCAN(&w, SCAN_PICKUP, at(0), "HGH", .origin = "HGH", .dest = "LGG");
    SCAN(&w, SCAN_DEPART, at(2), "HGH", "SHA3");
    SCAN(&w, SCAN_ARRIVE, at(8), "PVG"); /* not `next`, but on the route */
    expect_quiet(&w);
    SCAN(&w, SCAN_DEPART, at(10), "PVG");
    SCAN(&w, SCAN_ARRIVE, at(40), "CAN");
    const struct alert *a = expect_change(&w, DETECTOR_MISROUTED, ALERT_OPENED, SEVERITY_WARNING,
                                          at(40));
    expect_sentence(&w, a, "arrived at CAN, which is not on its route: send it on or declare a "
                           "reroute");
}

/* Friday 12:00 UTC; the weekend in China ends Sunday 16:00 UTC. */
static void weekends_are_no_silence(void **state)
{
    (void)state;
    SCAN(&w, SCAN_DEPART, at(4 * 24 + 12), "CAN", "SZX");
    world_clock(&w, at(9 * 24 + 11.9));
    expect_quiet(&w);
    world_clock(&w, at(9 * 24 + 12));
    expect_open(DETECTOR_STALLED, SEVERITY_WARNING, 9 * 24 + 12);
}

static void labels_wait_for_a_working_day(void **state)
{
    (void)state;
    SCAN(&w, SCAN_LABEL, at(4 * 24 + 12), .origin = "CAN"); /* no facility: where it starts */
    world_clock(&w, at(7 * 24 + 11.9));
    expect_quiet(&w);
    world_clock(&w, at(7 * 24 + 12));
    expect_open(DETECTOR_NEVER_COLLECTED, SEVERITY_WARNING, 7 * 24 + 12);
}

static void economy_is_silent_after_its_hand_over(void **state)
{
    (void)state;
    SCAN(&w, SCAN_HANDOVER, at(0), "HGH", .service = "economy");
    world_clock(&w, at(50 * 24));
    expect_quiet(&w);
    SCAN(&w, SCAN_ARRIVE, at(50 * 24), "XYZ", .service = "economy"); /* it speaks again */
    world_clock(&w, at(54 * 24));
    expect_open(DETECTOR_STALLED, SEVERITY_WARNING, 53 * 24);
}

static void express_is_not(void **state)
{
    (void)state;
    SCAN(&w, SCAN_HANDOVER, at(0), "LGG", .service = "express");
    world_clock(&w, at(73));
    expect_open(DETECTOR_STALLED, SEVERITY_WARNING, 72);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_reference, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(departure_after_the_cutoff_is_the_next),
        TEST(departure_is_that_of_the_arrival),
        TEST(departure_taken_is_none_missed),
        TEST(departure_learned_where_none_is_planned),
        TEST(documents_wanted_by_the_route_only),
        TEST(documents_filed_without_a_name_are_all),
        TEST(documents_at_the_hand_over_of_an_export_node),
        TEST(misrouted_by_the_route),
        TEST(weekends_are_no_silence),
        TEST(labels_wait_for_a_working_day),
        TEST(economy_is_silent_after_its_hand_over),
        TEST(express_is_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
