/* source_kafka when memory.max is reached: nothing more is taken on, and nothing is lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "intake_bench.h"
#include "pipeline/env.h"
#include "pipeline/metric.h"

enum { MIB = 1 << 20 };

static void resident_mib(int64_t mib)
{
    env_resident_put(mib * MIB);
    step(2 * SECOND);
}

/* Reads as far as memory goes, tells why no further, and goes on at the same record. */
static void pauses_and_goes_on(void **state)
{
    (void)state;
    env_resident_put(500 * MIB);
    begin("memory.max=1000MiB");
    assign(1);
    answer_start(0, 30);
    through(0);
    assert_int_equal(broker.logs[0].at, 100);
    resident_mib(940);                       /* more than there is room again at, and no matter */
    broker.logs[0].high = 200;
    step(SECOND);
    through(0);
    assert_int_equal(broker.logs[0].at, 200);
    assert_int_equal(metric_sum("memory_full"), 0);

    resident_mib(960);
    broker.logs[0].high = 300;
    step(40 * SECOND);
    assert_int_equal(find(PASSAGE_SCANS, 0), -1);
    assert_int_equal(broker.logs[0].at, 200);
    assert_int_equal(metric_sum("memory_full"), 1);
    assert_int_equal(metric_sum("memory_resident_bytes"), 960 * MIB);
    assert_non_null(strstr(board_held, "memory.max"));
    assert_true(find(PASSAGE_PULSE, 0) >= 0);  /* clocks, commits and answers go on */
    resident_mib(920);
    assert_int_equal(find(PASSAGE_SCANS, 0), -1);
    resident_mib(890);
    assert_int_equal(decode.held[find(PASSAGE_SCANS, 0)]->offset_first, 200);
    assert_null(board_held);
    end();
    env_resident_put(0);
}

/* No further partition is claimed; the group keeps it for us, and nobody has touched it. */
static void claims_wait(void **state)
{
    (void)state;
    env_resident_put(960 * MIB);
    begin("memory.max=1000MiB");
    assign(2);
    step(10 * SECOND);
    assert_int_equal(broker.commits, 0);
    assert_int_equal(find(PASSAGE_ASSIGN, 0), -1);
    resident_mib(100);
    assert_true(find(PASSAGE_ASSIGN, 0) >= 0 && find(PASSAGE_ASSIGN, 1) >= 0);
    end();
    env_resident_put(0);
}

/* Drained in that state, it lets go in order. */
static void drains(void **state)
{
    (void)state;
    env_resident_put(500 * MIB);
    begin("memory.max=1000MiB");
    assign(1);
    answer_start(0, 30);
    resident_mib(960);
    end();
    assert_null(board_held);
    env_resident_put(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pauses_and_goes_on), cmocka_unit_test(claims_wait),
        cmocka_unit_test(drains)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
