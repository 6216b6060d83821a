/* detect_cases.c - each detector's example, and where it must keep quiet. */
#include "tests/unit/detect_world.h"

/* ── never-collected ─────────────────────────────────────────────────────────────────── */

static void never_collected_example(void **state)
{
    (void)state;
    SCAN(&w, SCAN_LABEL, at(9));
    world_clock(&w, at(33) - 1);
    expect_quiet(&w);
    world_clock(&w, at(33));
    const struct alert *a = expect_change(&w, DETECTOR_NEVER_COLLECTED, ALERT_OPENED,
                                          SEVERITY_WARNING, at(33));
    expect_sentence(&w, a, "labelled 1 d ago and not collected: hand it over, or cancel the label");
    assert_int_equal(a->deadline_s, at(81));
    uint64_t id = a->id;

    world_clock(&w, at(84));
    a = expect_change(&w, DETECTOR_NEVER_COLLECTED, ALERT_UPDATED, SEVERITY_CRITICAL, at(81));
    assert_true(a->id == id && a->sequence == 2);
    SCAN(&w, SCAN_PICKUP, at(84), "HGH");
    a = expect_change(&w, DETECTOR_NEVER_COLLECTED, ALERT_RESOLVED, SEVERITY_CRITICAL, at(84));
    assert_true(a->id == id && a->sequence == 3);
    expect_quiet(&w);
}

static void never_collected_desk_scans_do_not_put_off(void **state)
{
    (void)state;
    SCAN(&w, SCAN_LABEL, at(0));
    SCAN(&w, SCAN_DECLARED, at(20), .reason = "CN23");
    SCAN(&w, SCAN_INFO, at(30));
    (void)expect_change(&w, DETECTOR_NEVER_COLLECTED, ALERT_OPENED, SEVERITY_WARNING, at(24));
    world_clock(&w, at(100));
    (void)expect_change(&w, DETECTOR_NEVER_COLLECTED, ALERT_UPDATED, SEVERITY_CRITICAL, at(72));
    world_clock(&w, at(2000));
    expect_quiet(&w);
}

static void never_collected_not_after_a_pickup_that_came_first(void **state)
{
    (void)state;
    SCAN(&w, SCAN_PICKUP, at(1), "HGH");
    SCAN(&w, SCAN_LABEL, at(2));
    world_clock(&w, at(70));
    expect_quiet(&w);
}

/* ── stalled ─────────────────────────────────────────────────────────────────────────── */

static void teach_dwell(uint32_t seconds, int times)
{
    struct model_key key = {0, SCAN_DEPART, NAME_NONE, world_name(&w, "HGH")};

    for (int i = 0; i < times; i++)
        model_learn(w.model, MODEL_DWELL, key, seconds, T0);
}

static void stalled_example(void **state)
{
    (void)state;
    teach_dwell(20 * HOUR, 500);
    SCAN(&w, SCAN_DEPART, at(8), "HGH", "PVG");
    assert_int_equal(w.parcel.deadlines_count, 2);
    uint32_t due_s = w.parcel.deadlines[0].at_s;

    assert_in_range(due_s, at(8 + 18), at(8 + 23)); /* the bucket of 20 h, to its end */
    world_clock(&w, at(32));
    const struct alert *a = expect_change(&w, DETECTOR_STALLED, ALERT_OPENED, SEVERITY_WARNING,
                                          due_s);
    assert_int_equal(a->value, due_s - at(8));
    SCAN(&w, SCAN_ARRIVE, at(33), "PVG");
    (void)expect_change(&w, DETECTOR_STALLED, ALERT_RESOLVED, SEVERITY_WARNING, at(33));
    expect_quiet(&w);
}

/* What a model has learned in a day is of silences that ended within it. */
static void stalled_early_in_a_world_takes_the_upper_bound(void **state)
{
    uint32_t times[2] = {0, T0 - DAY};

    (void)state;
    assert_int_equal(model_restore(w.model, "m", 1, (uint8_t *)times, sizeof times), 0);
    teach_dwell(2 * HOUR, 500);
    SCAN(&w, SCAN_DEPART, at(0), "HGH", "PVG");
    assert_int_equal(w.parcel.deadlines[0].at_s, at(72));
    times[1] = T0 - 2 * DAY; /* four times as long as the answer, which is the lower bound */
    assert_int_equal(model_restore(w.model, "m", 1, (uint8_t *)times, sizeof times), 0);
    SCAN(&w, SCAN_DEPART, at(1), "HGH", "PVG");
    assert_int_equal(w.parcel.deadlines[0].at_s, at(13));
}

static void stalled_unlearned_takes_the_upper_bound(void **state)
{
    (void)state;
    teach_dwell(20 * HOUR, 40); /* not enough */
    SCAN(&w, SCAN_DEPART, at(8), "HGH", "PVG");
    world_clock(&w, at(200));
    const struct alert *a = expect_change(&w, DETECTOR_STALLED, ALERT_OPENED, SEVERITY_WARNING,
                                          at(80));
    expect_sentence(&w, a, "no scan for 3 d since HGH, next was PVG: search both, and scan it");
}

static void stalled_learned_is_clamped(void **state)
{
    (void)state;
    teach_dwell(600, 500);
    SCAN(&w, SCAN_DEPART, at(8), "HGH", "PVG");
    world_clock(&w, at(30));
    (void)expect_change(&w, DETECTOR_STALLED, ALERT_OPENED, SEVERITY_WARNING, at(20));
}

static void stalled_cross_border_has_other_bounds(void **state)
{
    (void)state;
    SCAN(&w, SCAN_UPLIFT, at(0), "PVG");
    world_clock(&w, at(121));
    (void)expect_change(&w, DETECTOR_STALLED, ALERT_OPENED, SEVERITY_WARNING, at(120));
}

static void stalled_desk_and_late_scans_do_not_put_off(void **state)
{
    (void)state;
    SCAN(&w, SCAN_DEPART, at(8), "HGH", "PVG");
    SCAN(&w, SCAN_INFO, at(20));
    SCAN(&w, SCAN_ARRIVE, at(2), "HGH");
    world_clock(&w, at(81));
    (void)expect_change(&w, DETECTOR_STALLED, ALERT_OPENED, SEVERITY_WARNING, at(80));
    SCAN(&w, SCAN_SORT, at(3), "HGH"); /* dated before the silence: it goes on */
    SCAN(&w, SCAN_INFO, at(82));
    world_clock(&w, at(200));
    expect_quiet(&w);
}

static void stalled_later_learning_moves_nothing_stored(void **state)
{
    (void)state;
    SCAN(&w, SCAN_DEPART, at(8), "HGH", "PVG");
    teach_dwell(600, 500);
    SCAN(&w, SCAN_INFO, at(9));
    world_clock(&w, at(79));
    expect_quiet(&w);
}

/* ── misrouted ───────────────────────────────────────────────────────────────────────── */

static void misrouted_example(void **state)
{
    (void)state;
    SCAN(&w, SCAN_DEPART, at(1), "HGH", "PVG");
    SCAN(&w, SCAN_ARRIVE, at(5), "CAN");
    const struct alert *a = expect_change(&w, DETECTOR_MISROUTED, ALERT_OPENED, SEVERITY_WARNING,
                                          at(5));
    expect_sentence(&w, a,
                    "arrived at CAN but was sent to PVG: send it on or declare a reroute");
    SCAN(&w, SCAN_DEPART, at(7), "CAN", "PVG");
    SCAN(&w, SCAN_ARRIVE, at(9), "PVG");
    (void)expect_change(&w, DETECTOR_MISROUTED, ALERT_RESOLVED, SEVERITY_WARNING, at(9));
    expect_quiet(&w);
}

static void misrouted_again_moves_to_the_other_hub(void **state)
{
    (void)state;
    SCAN(&w, SCAN_DEPART, at(1), "HGH", "PVG");
    SCAN(&w, SCAN_ARRIVE, at(5), "CAN");
    SCAN(&w, SCAN_ARRIVE, at(9), "SZX");
    const struct alert *first = expect_change(&w, DETECTOR_MISROUTED, ALERT_OPENED,
                                              SEVERITY_WARNING, at(5));
    const struct alert *second = expect_change(&w, DETECTOR_MISROUTED, ALERT_UPDATED,
                                               SEVERITY_WARNING, at(9));
    assert_true(first->id == second->id);
    assert_string_equal(names_text(w.names, NAME_PLACE, second->at), "SZX");
}

static void misrouted_explained_by_a_late_scan(void **state)
{
    (void)state;
    SCAN(&w, SCAN_DEPART, at(1), "HGH", "PVG");
    SCAN(&w, SCAN_ARRIVE, at(9), "CAN");
    SCAN(&w, SCAN_DEPART, at(3), "NKG", "WUH"); /* explains nothing */
    (void)expect_change(&w, DETECTOR_MISROUTED, ALERT_OPENED, SEVERITY_WARNING, at(9));
    expect_quiet(&w);
    SCAN(&w, SCAN_DEPART, at(5), "PVG", "CAN");
    (void)expect_change(&w, DETECTOR_MISROUTED, ALERT_RESOLVED, SEVERITY_WARNING, at(5));
}

static void misrouted_rerouted(void **state)
{
    (void)state;
    SCAN(&w, SCAN_DEPART, at(1), "HGH", "PVG");
    SCAN(&w, SCAN_REROUTED, at(2), "HGH");
    SCAN(&w, SCAN_ARRIVE, at(5), "CAN"); /* declared before it arrives */
    expect_quiet(&w);
    SCAN(&w, SCAN_DEPART, at(6), "CAN", "SZX");
    SCAN(&w, SCAN_ARRIVE, at(8), "PVG");
    (void)expect_change(&w, DETECTOR_MISROUTED, ALERT_OPENED, SEVERITY_WARNING, at(8));
    SCAN(&w, SCAN_REROUTED, at(9), "PVG"); /* declared after */
    (void)expect_change(&w, DETECTOR_MISROUTED, ALERT_RESOLVED, SEVERITY_WARNING, at(9));
}

static void misrouted_quiet(void **state)
{
    (void)state;
    SCAN(&w, SCAN_ARRIVE, at(0), "XIY"); /* nobody said where it goes */
    SCAN(&w, SCAN_DEPART, at(1), "HGH", "PVG", "SHA3");
    SCAN(&w, SCAN_ARRIVE, at(5), "SHA3"); /* where it is to go in the end */
    SCAN(&w, SCAN_RETURN_START, at(6), "SHA3", "PVG");
    SCAN(&w, SCAN_ARRIVE, at(7), "HGH"); /* the way back */
    (void)expect_change(&w, DETECTOR_RETURNING, ALERT_OPENED, SEVERITY_INFO, at(6));
    expect_quiet(&w);
}

static void misrouted_abroad_is_critical(void **state)
{
    char  file[] = "/tmp/peakline-facilities-XXXXXX";
    int   fd = mkstemp(file);
    FILE *f = fdopen(fd, "w");

    (void)state;
    assert_non_null(f);
    assert_true(fputs("code,country\nPVG,CN\nCAN,CN\nLGG,BE\n", f) >= 0);
    assert_int_equal(fclose(f), 0);
    world_close(&w);
    world_open(&w, NULL, file);
    (void)remove(file);
    SCAN(&w, SCAN_DEPART, at(1), "HGH", "PVG");
    SCAN(&w, SCAN_ARRIVE, at(2), "LGG");
    (void)expect_change(&w, DETECTOR_MISROUTED, ALERT_OPENED, SEVERITY_CRITICAL, at(2));
    SCAN(&w, SCAN_ARRIVE, at(3), "CAN");
    (void)expect_change(&w, DETECTOR_MISROUTED, ALERT_UPDATED, SEVERITY_WARNING, at(3));
}

/* ── looped ──────────────────────────────────────────────────────────────────────────── */

static void rounds_between(const char *a, const char *b, int count)
{
    for (int i = 0; i < count; i++) {
        SCAN(&w, SCAN_ARRIVE, at(4 * i), a);
        SCAN(&w, SCAN_DEPART, at(4 * i + 1), a, b);
        SCAN(&w, SCAN_ARRIVE, at(4 * i + 2), b);
        SCAN(&w, SCAN_DEPART, at(4 * i + 3), b, a);
    }
}

static void looped_example(void **state)
{
    (void)state;
    rounds_between("A", "B", 2);
    SCAN(&w, SCAN_DEPART, at(7.5), "B", "A");
    expect_quiet(&w);
    SCAN(&w, SCAN_ARRIVE, at(8), "A");
    const struct alert *a = expect_change(&w, DETECTOR_LOOPED, ALERT_OPENED, SEVERITY_WARNING,
                                          at(8));
    expect_sentence(&w, a, "has come back to A 2 times: check its label and the sort plan, and "
                           "take it off the belt");
    SCAN(&w, SCAN_DEPART, at(9), "A", "C");
    (void)expect_change(&w, DETECTOR_LOOPED, ALERT_RESOLVED, SEVERITY_WARNING, at(9));
    expect_quiet(&w);
}

static void looped_scans_in_one_place_are_no_rounds(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        SCAN(&w, SCAN_ARRIVE, at(i), "A");
        SCAN(&w, SCAN_INFO, at(i + 0.5));
    }
    expect_quiet(&w);
}

static void looped_not_while_returning_nor_partial(void **state)
{
    (void)state;
    w.parcel.flags |= PARCEL_PARTIAL;
    rounds_between("A", "B", 4);
    expect_quiet(&w);
    w.parcel.flags = PARCEL_RETURNING;
    SCAN(&w, SCAN_ARRIVE, at(17), "A");
    expect_quiet(&w);
}

/* ── customs-held ────────────────────────────────────────────────────────────────────── */

static void customs_held_example(void **state)
{
    (void)state;
    SCAN(&w, SCAN_IMPORT_IN, at(8), "LGG");
    SCAN(&w, SCAN_IMPORT_HELD, at(10), "LGG", .reason = "C14");
    const struct alert *a = expect_change(&w, DETECTOR_CUSTOMS_HELD, ALERT_OPENED,
                                          SEVERITY_WARNING, at(10));
    expect_sentence(&w, a, "held by customs at LGG (C14): submit what they ask for");
    world_clock(&w, at(64));
    a = expect_change(&w, DETECTOR_CUSTOMS_HELD, ALERT_UPDATED, SEVERITY_CRITICAL, at(58));
    assert_string_equal(names_text(w.names, NAME_PLACE, a->note), "C14");
    SCAN(&w, SCAN_IMPORT_OUT, at(64), "LGG");
    (void)expect_change(&w, DETECTOR_CUSTOMS_HELD, ALERT_RESOLVED, SEVERITY_CRITICAL, at(64));
    expect_quiet(&w);
}

static void customs_held_by_silence(void **state)
{
    (void)state;
    SCAN(&w, SCAN_EXPORT_IN, at(0), "HGH");
    world_clock(&w, at(50));
    const struct alert *a = expect_change(&w, DETECTOR_CUSTOMS_HELD, ALERT_OPENED,
                                          SEVERITY_WARNING, at(24));
    expect_sentence(&w, a, "no word from customs at HGH for 1 d: ask the broker what is missing");
    (void)expect_change(&w, DETECTOR_CUSTOMS_HELD, ALERT_UPDATED, SEVERITY_CRITICAL, at(48));
    SCAN(&w, SCAN_UPLIFT, at(51), "HGH"); /* beyond customs without an OUT */
    (void)expect_change(&w, DETECTOR_CUSTOMS_HELD, ALERT_RESOLVED, SEVERITY_CRITICAL, at(51));
    expect_quiet(&w);
}

static void customs_held_retracted(void **state)
{
    (void)state;
    SCAN(&w, SCAN_IMPORT_HELD, at(10), "LGG");
    SCAN(&w, SCAN_IMPORT_HELD, at(10), "LGG", .retracts = true);
    (void)expect_change(&w, DETECTOR_CUSTOMS_HELD, ALERT_OPENED, SEVERITY_WARNING, at(10));
    (void)expect_change(&w, DETECTOR_CUSTOMS_HELD, ALERT_RESOLVED, SEVERITY_WARNING, at(10));
}

/* ── delivery-failed, uncollected ────────────────────────────────────────────────────── */

static void delivery_failed_example(void **state)
{
    (void)state;
    SCAN(&w, SCAN_ATTEMPT_FAILED, at(14), "SHA3", .reason = "nobody home");
    SCAN(&w, SCAN_ATTEMPT_FAILED, at(35), "SHA3");
    const struct alert *a = expect_change(&w, DETECTOR_DELIVERY_FAILED, ALERT_OPENED,
                                          SEVERITY_INFO, at(14));
    expect_sentence(&w, a, "attempt 1 to deliver failed (nobody home): call the recipient before "
                           "the next");
    a = expect_change(&w, DETECTOR_DELIVERY_FAILED, ALERT_UPDATED, SEVERITY_WARNING, at(35));
    assert_int_equal(a->value, 2);
    SCAN(&w, SCAN_ATTEMPT_FAILED, at(40), "SHA3");
    (void)expect_change(&w, DETECTOR_DELIVERY_FAILED, ALERT_UPDATED, SEVERITY_CRITICAL, at(40));
    SCAN(&w, SCAN_DELIVERED, at(42), "SHA3");
    (void)expect_change(&w, DETECTOR_DELIVERY_FAILED, ALERT_RESOLVED, SEVERITY_CRITICAL, at(42));
    SCAN(&w, SCAN_ATTEMPT_FAILED, at(41), "SHA3"); /* late: it has been delivered */
    expect_quiet(&w);
}

static void delivery_failed_late_after_station(void **state)
{
    (void)state;
    SCAN(&w, SCAN_STATION_IN, at(16), "ST1");
    SCAN(&w, SCAN_ATTEMPT_FAILED, at(14), "SHA3");
    expect_quiet(&w);
}

static void uncollected_example(void **state)
{
    (void)state;
    SCAN(&w, SCAN_STATION_IN, at(18), "ST1");
    world_clock(&w, at(18 + 121));
    const struct alert *a = expect_change(&w, DETECTOR_UNCOLLECTED, ALERT_OPENED,
                                          SEVERITY_WARNING, at(66));
    expect_sentence(&w, a, "waiting at ST1 for 2 d: remind the recipient, or send it back");
    (void)expect_change(&w, DETECTOR_UNCOLLECTED, ALERT_UPDATED, SEVERITY_CRITICAL, at(138));
    SCAN(&w, SCAN_DELIVERED, at(154), "ST1");
    (void)expect_change(&w, DETECTOR_UNCOLLECTED, ALERT_RESOLVED, SEVERITY_CRITICAL, at(154));
    expect_quiet(&w);
    assert_int_equal(w.parcel.deadlines_count, 0);
}

static void uncollected_moved_to_another_station(void **state)
{
    (void)state;
    SCAN(&w, SCAN_STATION_IN, at(0), "ST1");
    SCAN(&w, SCAN_STATION_IN, at(50), "ST2");
    (void)expect_change(&w, DETECTOR_UNCOLLECTED, ALERT_OPENED, SEVERITY_WARNING, at(48));
    (void)expect_change(&w, DETECTOR_UNCOLLECTED, ALERT_RESOLVED, SEVERITY_WARNING, at(50));
    world_clock(&w, at(99));
    (void)expect_change(&w, DETECTOR_UNCOLLECTED, ALERT_OPENED, SEVERITY_WARNING, at(98));
}

/* ── promises ────────────────────────────────────────────────────────────────────────── */

static void estimate_is(double p50_h, double p90_h)
{
    w.forced = (struct estimate) {.p50_s = at(p50_h), .p90_s = at(p90_h), .known = true};
}

static void promise_at_risk_example(void **state)
{
    (void)state;
    estimate_is(80, 130);
    w.forced.young = true; /* too young to say so, not to see it */
    SCAN(&w, SCAN_INFO, at(-4), "HGH", .promise_s = at(114));
    SCAN(&w, SCAN_INFO, at(-3), "HGH");
    expect_quiet(&w);
    estimate_is(80, 100);
    SCAN(&w, SCAN_INFO, at(-2), "HGH");
    estimate_is(80, 130);
    SCAN(&w, SCAN_PICKUP, at(1), "HGH");
    expect_quiet(&w);
    SCAN(&w, SCAN_DEPART, at(2), "HGH", "PVG");
    const struct alert *a = expect_change(&w, DETECTOR_PROMISE_AT_RISK, ALERT_OPENED,
                                          SEVERITY_INFO, at(2));
    assert_int_equal(a->deadline_s, at(114));
    estimate_is(120, 140);
    SCAN(&w, SCAN_ARRIVE, at(3), "PVG");
    expect_quiet(&w);
    SCAN(&w, SCAN_SORT, at(4), "PVG");
    a = expect_change(&w, DETECTOR_PROMISE_AT_RISK, ALERT_UPDATED, SEVERITY_WARNING, at(4));
    expect_sentence(&w, a, "is expected 6 h after its promise: expedite it from PVG, or tell the "
                           "recipient");
    estimate_is(121, 141); /* a longer delay alone is no news */
    SCAN(&w, SCAN_LOAD, at(5), "PVG");
    expect_quiet(&w);
    estimate_is(80, 108);
    SCAN(&w, SCAN_DEPART, at(6), "PVG", "SHA3");
    (void)expect_change(&w, DETECTOR_PROMISE_AT_RISK, ALERT_RESOLVED, SEVERITY_WARNING, at(6));
    expect_quiet(&w);
}

static void promise_broken_example(void **state)
{
    (void)state;
    SCAN(&w, SCAN_OUT_FOR_DELIVERY, at(15), "SHA3", .promise_s = at(18));
    world_clock(&w, at(19));
    const struct alert *a = expect_change(&w, DETECTOR_PROMISE_BROKEN, ALERT_OPENED,
                                          SEVERITY_CRITICAL, at(18));
    assert_true(a->flags & ALERT_BY_DEADLINE);
    SCAN(&w, SCAN_INFO, at(19));
    SCAN(&w, SCAN_DELIVERED, at(19.2), "SHA3");
    (void)expect_change(&w, DETECTOR_PROMISE_BROKEN, ALERT_RESOLVED, SEVERITY_CRITICAL, at(19.2));
    expect_quiet(&w);
}

static void promise_met_at_a_station(void **state)
{
    (void)state;
    SCAN(&w, SCAN_STATION_IN, at(15), "ST1", .promise_s = at(18));
    world_clock(&w, at(30));
    expect_quiet(&w);
}

static void promise_met_by_what_comes_late(void **state)
{
    (void)state;
    SCAN(&w, SCAN_OUT_FOR_DELIVERY, at(15), "SHA3", .promise_s = at(18));
    world_clock(&w, at(19));
    (void)expect_change(&w, DETECTOR_PROMISE_BROKEN, ALERT_OPENED, SEVERITY_CRITICAL, at(18));
    SCAN(&w, SCAN_STATION_IN, at(17), "ST1");
    (void)expect_change(&w, DETECTOR_PROMISE_BROKEN, ALERT_RESOLVED, SEVERITY_CRITICAL, at(17));
}

static void promise_delivered_taken_back(void **state)
{
    (void)state;
    SCAN(&w, SCAN_OUT_FOR_DELIVERY, at(15), "SHA3", .promise_s = at(18));
    SCAN(&w, SCAN_DELIVERED, at(17), "SHA3");
    w.parcel.state = STATE_WITH_COURIER; /* what the writer of records makes of a retraction */
    w.parcel.state_s = at(15);
    w.parcel.flags = 0;
    SCAN(&w, SCAN_DELIVERED, at(17), "SHA3", .retracts = true);
    world_clock(&w, at(18));
    (void)expect_change(&w, DETECTOR_PROMISE_BROKEN, ALERT_OPENED, SEVERITY_CRITICAL, at(18));
}

/* ── lost ────────────────────────────────────────────────────────────────────────────── */

static void lost_example(void **state)
{
    (void)state;
    SCAN(&w, SCAN_DEPART, at(0), "HGH", "PVG");
    world_clock(&w, at(241));
    (void)expect_change(&w, DETECTOR_STALLED, ALERT_OPENED, SEVERITY_WARNING, at(72));
    const struct alert *a = expect_change(&w, DETECTOR_LOST, ALERT_OPENED, SEVERITY_CRITICAL,
                                          at(240));
    expect_sentence(&w, a, "not seen for 10 d since HGH: open an inquiry, and search");
    (void)expect_change(&w, DETECTOR_STALLED, ALERT_RESOLVED, SEVERITY_WARNING, at(240));
    SCAN(&w, SCAN_LOST, at(312), "HGH");
    expect_quiet(&w); /* stays open */
    SCAN(&w, SCAN_ARRIVE, at(336), "CAN");
    (void)expect_change(&w, DETECTOR_MISROUTED, ALERT_OPENED, SEVERITY_WARNING, at(336));
    (void)expect_change(&w, DETECTOR_LOST, ALERT_RESOLVED, SEVERITY_CRITICAL, at(336));
    expect_quiet(&w);
}

static void lost_by_code_survives_what_is_terminal(void **state)
{
    (void)state;
    SCAN(&w, SCAN_DAMAGED, at(0), "HGH");
    SCAN(&w, SCAN_LOST, at(5), "HGH");
    (void)expect_change(&w, DETECTOR_DAMAGED, ALERT_OPENED, SEVERITY_WARNING, at(0));
    (void)expect_change(&w, DETECTOR_DAMAGED, ALERT_RESOLVED, SEVERITY_WARNING, at(5));
    (void)expect_change(&w, DETECTOR_LOST, ALERT_OPENED, SEVERITY_CRITICAL, at(5));
    SCAN(&w, SCAN_SORT, at(3), "HGH"); /* late: it was lost after that */
    expect_quiet(&w);
}

static void lost_cross_border_waits_longer(void **state)
{
    (void)state;
    SCAN(&w, SCAN_LANDED, at(0), "LGG");
    world_clock(&w, at(30 * 24));
    (void)expect_change(&w, DETECTOR_STALLED, ALERT_OPENED, SEVERITY_WARNING, at(120));
    (void)expect_change(&w, DETECTOR_LOST, ALERT_OPENED, SEVERITY_CRITICAL, at(720));
}

/* ── by code ─────────────────────────────────────────────────────────────────────────── */

static void by_code(void **state)
{
    static const struct { enum scan_code code; enum detector_number type; uint8_t severity; }
    rows[] = {
        {SCAN_DAMAGED, DETECTOR_DAMAGED, SEVERITY_WARNING},
        {SCAN_REFUSED, DETECTOR_REFUSED, SEVERITY_WARNING},
        {SCAN_BAD_ADDRESS, DETECTOR_BAD_ADDRESS, SEVERITY_WARNING},
        {SCAN_RETURN_START, DETECTOR_RETURNING, SEVERITY_INFO},
    };

    (void)state;
    for (uint32_t i = 0; i < 4; i++) {
        SCAN(&w, rows[i].code, at(i), "SHA3", .reason = "R7");
        const struct alert *a = expect_change(&w, rows[i].type, ALERT_OPENED, rows[i].severity,
                                              at(i));
        assert_string_equal(names_text(w.names, NAME_PLACE, a->note), "R7");
    }
    SCAN(&w, SCAN_RETURNED, at(90), "HGH");
    for (uint32_t i = 0; i < 4; i++)
        (void)expect_change(&w, rows[i].type, ALERT_RESOLVED, rows[i].severity, at(90));
    expect_quiet(&w);
}

static void historic_parcels_are_quiet(void **state)
{
    (void)state;
    w.parcel.flags |= PARCEL_HISTORIC;
    SCAN(&w, SCAN_DEPART, at(0), "HGH", "PVG", .promise_s = at(1));
    SCAN(&w, SCAN_ARRIVE, at(3), "CAN");
    SCAN(&w, SCAN_DAMAGED, at(4), "CAN");
    world_clock(&w, at(1000));
    expect_quiet(&w);
}

#define EXAMPLE(f) cmocka_unit_test_setup_teardown(f, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EXAMPLE(never_collected_example),
        EXAMPLE(never_collected_desk_scans_do_not_put_off),
        EXAMPLE(never_collected_not_after_a_pickup_that_came_first),
        EXAMPLE(stalled_example),
        EXAMPLE(stalled_early_in_a_world_takes_the_upper_bound),
        EXAMPLE(stalled_unlearned_takes_the_upper_bound),
        EXAMPLE(stalled_learned_is_clamped),
        EXAMPLE(stalled_cross_border_has_other_bounds),
        EXAMPLE(stalled_desk_and_late_scans_do_not_put_off),
        EXAMPLE(stalled_later_learning_moves_nothing_stored),
        EXAMPLE(misrouted_example),
        EXAMPLE(misrouted_again_moves_to_the_other_hub),
        EXAMPLE(misrouted_explained_by_a_late_scan),
        EXAMPLE(misrouted_rerouted),
        EXAMPLE(misrouted_quiet),
        EXAMPLE(misrouted_abroad_is_critical),
        EXAMPLE(looped_example),
        EXAMPLE(looped_scans_in_one_place_are_no_rounds),
        EXAMPLE(looped_not_while_returning_nor_partial),
        EXAMPLE(customs_held_example),
        EXAMPLE(customs_held_by_silence),
        EXAMPLE(customs_held_retracted),
        EXAMPLE(delivery_failed_example),
        EXAMPLE(delivery_failed_late_after_station),
        EXAMPLE(uncollected_example),
        EXAMPLE(uncollected_moved_to_another_station),
        EXAMPLE(promise_at_risk_example),
        EXAMPLE(promise_broken_example),
        EXAMPLE(promise_met_at_a_station),
        EXAMPLE(promise_met_by_what_comes_late),
        EXAMPLE(promise_delivered_taken_back),
        EXAMPLE(lost_example),
        EXAMPLE(lost_by_code_survives_what_is_terminal),
        EXAMPLE(lost_cross_border_waits_longer),
        EXAMPLE(by_code),
        EXAMPLE(historic_parcels_are_quiet),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
