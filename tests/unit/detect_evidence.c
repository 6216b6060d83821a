/* detect_evidence.c - the detectors that compare scans with each other: edges and silence. */
#include "tests/unit/detect_world.h"

/* ── weight-mismatch ─────────────────────────────────────────────────────────────────── */

static void weight_bounds_are_both_needed(void **state)
{
    static const struct { int32_t declared_g, measured_g; int severity; } rows[] = {
        {200, 299, 0},           {200, 301, SEVERITY_INFO},    /* 100 g rules light ones      */
        {2000, 2200, 0},         {2000, 2201, SEVERITY_INFO},  /* 10 % the others             */
        {1000, 1500, SEVERITY_INFO},  {1000, 1501, SEVERITY_WARNING},
        {5000, 6500, SEVERITY_INFO},  {5000, 6501, SEVERITY_WARNING},
        {5000, 3499, SEVERITY_WARNING}, {INT32_MAX, 1, SEVERITY_WARNING}, {1000, 0, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)close_world(NULL);
        (void)open_world(NULL);
        SCAN(&w, SCAN_PICKUP, at(0), "HGH", .declared_g = rows[i].declared_g);
        SCAN(&w, SCAN_SORT, at(1), "HGH", .weight_g = rows[i].measured_g);
        if (rows[i].severity != 0)
            expect_open(DETECTOR_WEIGHT_MISMATCH, (enum severity)rows[i].severity, 1);
        expect_quiet(&w);
    }
}

static void weight_says_the_same_once(void **state)
{
    (void)state;
    SCAN(&w, SCAN_SORT, at(0), "HGH", .weight_g = 1000);
    SCAN(&w, SCAN_SORT, at(1), "PVG", .weight_g = 2000);
    const struct alert *a = expect_change(&w, DETECTOR_WEIGHT_MISMATCH, ALERT_OPENED,
                                          SEVERITY_WARNING, at(1));
    expect_sentence(&w, a, "weighs 2000 g at PVG, last time 1000 g: look for what is gone, or for "
                           "a swapped label");
    SCAN(&w, SCAN_SORT, at(2), "CAN", .weight_g = 4000);
    SCAN(&w, SCAN_SORT, at(0.5), "SZX", .weight_g = 9000); /* late */
    SCAN(&w, SCAN_LABEL, at(3), .declared_g = 100);        /* and declared behind time */
    expect_quiet(&w);
}

/* ── number-reused ───────────────────────────────────────────────────────────────────── */

static void number_reused_within_thirty_days_only(void **state)
{
    (void)state;
    SCAN(&w, SCAN_OUT_FOR_DELIVERY, at(0), "SHA3");
    SCAN(&w, SCAN_DELIVERED, at(1), "SHA3");
    SCAN(&w, SCAN_LABEL, at(1 + 30 * 24));
    expect_open(DETECTOR_NUMBER_REUSED, SEVERITY_WARNING, 1 + 30 * 24);
    SCAN(&w, SCAN_CANCELLED, at(2 + 30 * 24));
    SCAN(&w, SCAN_LABEL, at(3 + 60 * 24));
    expect_quiet(&w);
}

static void number_reused_by_two_at_once(void **state)
{
    (void)state;
    SCAN(&w, SCAN_PICKUP, at(0), "HGH", .carrier = "YTO", .origin = "HGH");
    SCAN(&w, SCAN_PICKUP, at(1), "HGH2", .carrier = "YTO"); /* the branch, not yet elsewhere */
    expect_quiet(&w);
    SCAN(&w, SCAN_DEPART, at(2), "PVG", "CAN");
    SCAN(&w, SCAN_PICKUP, at(3), "LGG1", .carrier = "bpost"); /* a partner's */
    expect_quiet(&w);
    SCAN(&w, SCAN_DEPART, at(4), "BRU");
    SCAN(&w, SCAN_PICKUP, at(5), "SZX", .carrier = "bpost");
    expect_open(DETECTOR_NUMBER_REUSED, SEVERITY_WARNING, 5);
    expect_quiet(&w);
}

static void number_reused_by_a_label_from_elsewhere(void **state)
{
    (void)state;
    SCAN(&w, SCAN_LABEL, at(0), .origin = "HGH");
    SCAN(&w, SCAN_LABEL, at(1), .origin = "CAN"); /* printed anew: nobody had it yet */
    SCAN(&w, SCAN_PICKUP, at(2), "HGH");
    SCAN(&w, SCAN_LABEL, at(3), .origin = "CAN");
    expect_quiet(&w);
    SCAN(&w, SCAN_LABEL, at(4), .origin = "SZX");
    expect_open(DETECTOR_NUMBER_REUSED, SEVERITY_WARNING, 4);
    SCAN(&w, SCAN_RETURN_START, at(5), "HGH");
    expect_open(DETECTOR_RETURNING, SEVERITY_INFO, 5);
    SCAN(&w, SCAN_PICKUP, at(6), "PVG");
    expect_quiet(&w);
}

/* ── clock-skew ──────────────────────────────────────────────────────────────────────── */

static void skew_names_a_zone_where_one_explains_it(void **state)
{
    static const struct { double skew_min; int sentence, value_min; } rows[] = {
        {5, -1, 0}, {5.1, 0, 5}, {26, 1, 30}, {30, 1, 30}, {32, 0, 32}, {480, 1, 480},
        {471, 1, 480}, {469, 0, 469}, {329, 1, 330}, {14 * 60, 1, 840}, {15 * 60, 0, 900}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double skew_min = rows[i].skew_min;

        (void)close_world(NULL);
        (void)open_world(NULL);
        SCAN(&w, SCAN_SORT, at(skew_min / 60), "HGH", .received_s = at(0));
        if (rows[i].sentence < 0) {
            expect_quiet(&w);
            continue;
        }
        const struct alert *a = expect_change(&w, DETECTOR_CLOCK_SKEW, ALERT_OPENED,
                                              SEVERITY_WARNING, at(skew_min / 60));
        assert_int_equal(a->sentence, rows[i].sentence);
        assert_int_equal(a->value / 60, rows[i].value_min);
    }
}

static void skew_of_the_last_scan_is_told(void **state)
{
    (void)state;
    SCAN(&w, SCAN_OUT_FOR_DELIVERY, at(0), "SHA3");
    SCAN(&w, SCAN_DELIVERED, at(9), "SHA3", .received_s = at(1));
    expect_open(DETECTOR_CLOCK_SKEW, SEVERITY_WARNING, 9);
    expect_quiet(&w);
}

/* ── out-of-order ────────────────────────────────────────────────────────────────────── */

static void order_wants_both_and_no_earlier_cause(void **state)
{
    (void)state;
    SCAN(&w, SCAN_LANDED, at(5), "LGG");       /* a feed without UPLIFT */
    SCAN(&w, SCAN_IMPORT_IN, at(6), "LGG");
    SCAN(&w, SCAN_IMPORT_OUT, at(7), "LGG");
    SCAN(&w, SCAN_OUT_FOR_DELIVERY, at(8), "LGG");
    SCAN(&w, SCAN_OUT_FOR_DELIVERY, at(30), "LGG"); /* the next day's round */
    expect_quiet(&w);
    SCAN(&w, SCAN_UPLIFT, at(31), "PVG");
    expect_open(DETECTOR_OUT_OF_ORDER, SEVERITY_INFO, 31);
    SCAN(&w, SCAN_EXPORT_IN, at(1), "PVG");
    expect_quiet(&w);
    SCAN(&w, SCAN_UPLIFT, at(2), "PVG");
    (void)expect_change(&w, DETECTOR_OUT_OF_ORDER, ALERT_RESOLVED, SEVERITY_INFO, at(2));
}

/* ── doubtful-delivery ───────────────────────────────────────────────────────────────── */

static void delivery_never_out(void **state)
{
    (void)state;
    SCAN(&w, SCAN_ARRIVE, at(0), "SHA3");
    SCAN(&w, SCAN_DELIVERED, at(5), "SHA3");
    const struct alert *a = expect_change(&w, DETECTOR_DOUBTFUL_DELIVERY, ALERT_OPENED,
                                          SEVERITY_WARNING, at(5));
    expect_sentence(&w, a, "called delivered at SHA3 though it never went out: call the "
                           "recipient, and ask the courier");
    SCAN(&w, SCAN_OUT_FOR_DELIVERY, at(4), "SHA3"); /* its upload was late */
    (void)expect_change(&w, DETECTOR_DOUBTFUL_DELIVERY, ALERT_RESOLVED, SEVERITY_WARNING, at(4));
}

static void delivery_is_quiet_where_little_is_known(void **state)
{
    (void)state;
    SCAN(&w, SCAN_DELIVERED, at(0), "SHA3");
    expect_quiet(&w);
    (void)close_world(NULL);
    (void)open_world(NULL);
    w.parcel.flags |= PARCEL_PARTIAL;
    SCAN(&w, SCAN_ARRIVE, at(0), "SHA3", .address = {31, 121});
    SCAN(&w, SCAN_DELIVERED, at(1), "SHA3", .position = {31.004f, 121});
    expect_quiet(&w);
}

/* ── impossible-travel ───────────────────────────────────────────────────────────────── */

/* A degree along a meridian is 111.2 km. */
static void travel_takes_positions_of_devices(void **state)
{
    (void)state;
    SCAN(&w, SCAN_PICKUP, at(0), "A", .position = {30, 120});
    SCAN(&w, SCAN_ARRIVE, at(1), "B", .position = {31.3f, 120}); /* 145 km in 70 min: 124 */
    expect_quiet(&w);
    SCAN(&w, SCAN_ARRIVE, at(1.5), "C", .position = {32.3f, 120}); /* 111 km in 40 min: 167 */
    const struct alert *a = expect_change(&w, DETECTOR_IMPOSSIBLE_TRAVEL, ALERT_OPENED,
                                          SEVERITY_WARNING, at(1.5));
    assert_int_equal(a->threshold, 130);
    assert_in_range(a->value, 166, 168);
    SCAN(&w, SCAN_SORT, at(1.6), "D", .position = {32.7f, 120}); /* 44 km: not looked at */
    SCAN(&w, SCAN_SORT, at(1.7), "E");                           /* nobody knows where */
    SCAN(&w, SCAN_SORT, at(1.8), "F", .position = {0, 120});
    expect_quiet(&w);
}

static void travel_by_air_is_faster(void **state)
{
    (void)state;
    SCAN(&w, SCAN_UPLIFT, at(0), "A", .position = {30, 120});
    SCAN(&w, SCAN_LANDED, at(2), "B", .position = {49, 120}); /* 2,113 km in 130 min: 975 */
    SCAN(&w, SCAN_IMPORT_IN, at(2), "B", .position = {49, 120});
    expect_quiet(&w);
    SCAN(&w, SCAN_UPLIFT, at(3), "B", .position = {49, 120});
    SCAN(&w, SCAN_LANDED, at(4.8), "C", .position = {30, 120});
    expect_open(DETECTOR_IMPOSSIBLE_TRAVEL, SEVERITY_WARNING, 4.8);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(weight_bounds_are_both_needed),
        TEST(weight_says_the_same_once),
        TEST(number_reused_within_thirty_days_only),
        TEST(number_reused_by_two_at_once),
        TEST(number_reused_by_a_label_from_elsewhere),
        TEST(skew_names_a_zone_where_one_explains_it),
        TEST(skew_of_the_last_scan_is_told),
        TEST(order_wants_both_and_no_earlier_cause),
        TEST(delivery_never_out),
        TEST(delivery_is_quiet_where_little_is_known),
        TEST(travel_takes_positions_of_devices),
        TEST(travel_by_air_is_faster),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
