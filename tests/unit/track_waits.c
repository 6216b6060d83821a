/* The stage track, stepped: what waits for whom, a full partition, dead letters, pulses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/track_run.h"

/* 3 × 90 parcels, where a cut holds 100. */
static void three_batches(int64_t settled)
{
    char number[16];

    for (uint32_t b = 0; b < 3; b++) {
        (void)begin(1, PASSAGE_SCANS);
        for (uint32_t i = 0; i < 90; i++) {
            (void)snprintf(number, sizeof number, "YT%u", b * 90 + i);
            (void)scan(number, "PICKUP", "HGH", T0 + b * 90 + i, "");
        }
        if (settled < bench.next->offset_next)
            ((struct passage *)bench.next->head)->settled = settled;
        emit();
    }
}

/* One cut is out and the next would be full: this partition waits, and no other does. */
static void full(void **state)
{
    (void)state;
    run_from(0);
    assign(2, GROUP_START, 0);
    pass_ms(1000);
    gate.hold_cuts = true;
    gate.requests_count = 0;
    three_batches(INT64_MAX);
    assert_int_equal(asked(REQUEST_CUT), 1);
    assert_int_equal(last_asked(REQUEST_CUT)->mark.offset, 100);   /* at the limit, mid-batch */
    assert_int_equal(board[1].position, 200);                     /* and the next one full */
    (void)begin(2, PASSAGE_SCANS);
    (void)scan("ZT1", "PICKUP", "CAN", T0, "");
    emit();
    assert_int_equal(board[2].position, 1);
    gate.hold_cuts = false;
    pass_ms(1);
    assert_int_equal(board[1].position, 270);
    assert_int_equal(gate.marks[1].mark.offset, 200);
    pass_ms(1000);
    assert_int_equal(gate.marks[1].mark.offset, 270);
    assert_int_equal(gate.marks[1].mark.records, 270);
}

/* Dead letters below a cut must be acknowledged before it goes. */
static void dead_letters(void **state)
{
    (void)state;
    run_from(40);
    begin(1, PASSAGE_SCANS)->settled = 0;
    (void)scan("YT1", "PICKUP", "HGH", T0, "");
    ((struct passage *)bench.next->head)->settled = 40;
    emit();
    pass_ms(1000);
    order(1, PASSAGE_PULSE);
    assert_int_equal(asked(REQUEST_CUT), 1);     /* a pulse says offset 41 is settled */
    assert_int_equal(gate.marks[1].mark.offset, 41);

    (void)begin(1, PASSAGE_SCANS);
    (void)scan("YT1", "DEPART", "HGH", T0 + 60, "");
    ((struct passage *)bench.next->head)->settled = 41;
    emit();
    pass_ms(1000);
    begin(1, PASSAGE_PULSE)->settled = 41;
    emit();
    pass_ms(5000);
    assert_int_equal(gate.marks[1].mark.offset, 41);
    order(1, PASSAGE_PULSE);
    assert_int_equal(gate.marks[1].mark.offset, 42);
}

/* The news that they are comes behind scans which wait for that very cut. */
static void dead_letters_and_full(void **state)
{
    (void)state;
    run_from(0);
    three_batches(50);
    assert_int_equal(board[1].position, 200);
    order(1, PASSAGE_PULSE);
    pass_ms(1000);
    assert_int_equal(board[1].position, 270);
}

/* … and it comes late: a pulse that finds scans waiting does not wait behind them, since the next
 * one is sent only when it is home. */
static void pulses_pass(void **state)
{
    (void)state;
    run_from(0);
    three_batches(50);
    begin(1, PASSAGE_PULSE)->settled = 50;
    emit();
    assert_non_null(came_home(1, PASSAGE_PULSE));
    assert_int_equal(board[1].position, 200);
    order(1, PASSAGE_PULSE);
    pass_ms(1000);
    assert_int_equal(board[1].position, 270);
}

/* Nor does one that itself has to wait for a cut, when that one waits for dead letters. */
static void pulses_give_way(void **state)
{
    char number[16];
    (void)state;
    run_from(0);
    for (uint32_t b = 0; b < 3; b++) {
        (void)begin(1, PASSAGE_SCANS);
        for (uint32_t i = 0; i < 90; i++) {
            (void)snprintf(number, sizeof number, "YT%u", b * 90 + i);
            (void)scan(number, "LABEL", "HGH", T0 + b * 90 + i, "");
        }
        emit();
    }
    pass_ms(1000);
    (void)begin(1, PASSAGE_SCANS);
    (void)scan("YT0", "PICKUP", "HGH", T0 + 300, "");
    ((struct passage *)bench.next->head)->settled = 270;
    emit();
    pass_ms(1000);                       /* a cut waits for dead letters below 271, … */
    struct passage *pulse = begin(1, PASSAGE_PULSE);

    pulse->settled = 270;
    pulse->complete_ms = (T0 + 30LL * HOURS) * 1000;   /* … and 269 deadlines for the next */
    emit();
    assert_non_null(came_home(1, PASSAGE_PULSE));
    for (int i = 0; i < 8; i++) {
        begin(1, PASSAGE_PULSE)->complete_ms = (T0 + 30LL * HOURS) * 1000;
        emit();
        pass_ms(1000);
    }
    assert_int_equal(gate.marks[1].mark.clock_ms, (T0 + 30LL * HOURS) * 1000);
}

static int setup_catch_up(void **state)
{
    static const char *const settings[] = {"catch_up.records=100", "catch_up.age=10s",
                                           "catch_up.interval=5s", NULL};

    (void)state;
    bench_open(settings);
    bench.wall_ms = (T0 + HOURS) * 1000LL;
    run_from(0);
    pass_ms(5000);
    return 0;
}

/* So long after the last cut comes the one that holds this scan. */
static uint32_t seconds_to_cut(int64_t high, uint32_t at_s)
{
    uint32_t seconds = 0;

    begin(1, PASSAGE_PULSE)->high = high;
    emit();
    one_scan("YT1", "PICKUP", "HGH", at_s);
    while (gate.marks[1].mark.offset < bench.offset[1] && seconds < 10) {
        pass_ms(1000);
        seconds++;
    }
    return seconds;
}

/* A partition that catches up writes less often; not one that is nearly through, nor one whose
 * scans are of now, however many are left. */
static void catching_up(void **state)
{
    (void)state;
    (void)seconds_to_cut(1000, T0);
    assert_int_equal(seconds_to_cut(1000, T0 + 1), 5);
    assert_int_equal(seconds_to_cut(100, T0 + 2), 1);
    assert_int_equal(seconds_to_cut(1000, T0 + 3), 5);
    assert_int_equal(seconds_to_cut(1000, T0 + HOURS - 5), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(full), TEST(dead_letters), TEST(dead_letters_and_full), TEST(pulses_pass),
        TEST(pulses_give_way),
        cmocka_unit_test_setup_teardown(catching_up, setup_catch_up, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
