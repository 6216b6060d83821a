/* The stage track with many partitions, and much of each at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define BENCH_PARTITIONS 20
#define BENCH_SEEN 16384
#define BENCH_OUTPUTS 32
#define BENCH_ENTRIES 16384

#include "tests/unit/track_bench.h"

enum { PARCELS = 200 };

static void scans_of(int32_t partition, const char *code, uint32_t parcels, uint32_t at_s)
{
    char number[32];

    (void)begin(partition, PASSAGE_SCANS);
    for (uint32_t i = 0; i < parcels; i++) {
        (void)snprintf(number, sizeof number, "Y%dT%u", partition, i);
        (void)scan(number, code, "HGH", at_s, "");
    }
    emit();
}

static uint32_t told_of(enum output_mode mode)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < gate.told_count; i++)
        count += gate.told[i].topic == TOPIC_ALERTS && gate.told[i].mode == mode;
    return count;
}

/* Redis is slow while deadlines fire everywhere: what waits for the next cut must leave room for
 * the turn that takes it, the batches still being filled too. */
static void deferred_everywhere(void **state)
{
    static const char *const settings[] = {"checkpoint.records_max=10000", NULL};

    (void)state;
    bench_open(settings);
    for (int32_t p = 0; p < PARTITIONS; p++) {
        assign(p, GROUP_START, 0);
        scans_of(p, "LABEL", PARCELS, T0);
    }
    gate.hold_cuts = true;
    pass_ms(1000);
    for (int32_t p = 0; p < PARTITIONS; p++)
        scans_of(p, "LABEL", 1, T0 + 25 * HOURS);
    pass_ms(3000);
    gate.hold_cuts = false;
    for (int i = 0; i < 60; i++)
        pass_ms(1000);
    assert_int_equal(told_of(OUTPUTS_DEFERRED), PARTITIONS * PARCELS);
    bench_close();
}

/* Parcels whose time has come are no dirty records, and a cut is bounded by them all the same. */
static void expiry_is_bounded(void **state)
{
    static const char *const settings[] = {"retention.linger=1h", "retention.terminal=1h",
                                           NULL};
    struct parcel parcel;

    (void)state;
    bench_open(settings);
    assign(1, GROUP_START, 0);
    scans_of(1, "CANCELLED", PARCELS, T0);
    for (int i = 0; i < 10; i++)
        pass_ms(1000);
    assert_true(stored(1, "Y1T0", &parcel));
    gate.requests_count = 0;
    for (int i = 0; i < 30; i++) {
        begin(1, PASSAGE_PULSE)->complete_ms = (T0 + 5LL * HOURS) * 1000;
        emit();
        pass_ms(1000);
    }
    for (uint32_t i = 0; i < gate.requests_count; i++)
        if (gate.requests[i].request.kind == REQUEST_CUT)
            assert_in_range(gate.requests[i].request.commands, 0, 130);
    assert_false(stored(1, "Y1T0", &parcel));
    assert_int_equal(gate.marks[1].mark.records, 0);
    bench_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deferred_everywhere),
        cmocka_unit_test(expiry_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
