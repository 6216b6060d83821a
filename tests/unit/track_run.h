/* track_run.h - a test of the stage track by itself: partition 1 runs from an offset on. */
#ifndef TESTS_UNIT_TRACK_RUN_H
#define TESTS_UNIT_TRACK_RUN_H

#include "tests/unit/track_bench.h"

#ifndef RUN_SETTINGS
#define RUN_SETTINGS NULL   /* settings of every test of a file, "path=value", NULL-ended */
#endif

static inline int setup(void **state)
{
    (void)state;
    bench_open(RUN_SETTINGS);
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    bench_close();
    return 0;
}

static inline void run_from(int64_t offset)
{
    assign(1, GROUP_START, offset);
    assert_int_equal(came_home(1, PASSAGE_ASSIGN)->answer, ANSWER_START);
    gate.requests_count = gate.told_count = 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
