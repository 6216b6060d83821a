/* The ledger beside a plain reference: an array of what is open, searched from the start. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pipeline/ledger.h"

static void by_hand(void **state)
{
    struct ledger *ledger = ledger_create(3, 100); /* rounded up to 4 */

    (void)state;
    assert_int_equal(ledger_watermark(ledger), 100);
    assert_int_equal(ledger_room(ledger), 4);
    ledger_open(ledger, 100);
    ledger_open(ledger, 101);
    ledger_open(ledger, 110);
    assert_int_equal(ledger_watermark(ledger), 100);
    ledger_close(ledger, 101);
    assert_int_equal(ledger_watermark(ledger), 100);
    ledger_close(ledger, 100);
    assert_int_equal(ledger_watermark(ledger), 110);
    ledger_close(ledger, 110);
    assert_int_equal(ledger_watermark(ledger), 111);
    ledger_reach(ledger, 500);
    assert_int_equal(ledger_watermark(ledger), 500);
    ledger_reach(ledger, 400);
    assert_int_equal(ledger_watermark(ledger), 500);
    ledger_open(ledger, 500);
    ledger_reach(ledger, 600);
    assert_int_equal(ledger_watermark(ledger), 500);
    ledger_close(ledger, 500);
    assert_int_equal(ledger_watermark(ledger), 600);
    ledger_destroy(ledger);
}

/* One that stays open must not use up the places of those after it. */
static void one_parked_and_many_passing(void **state)
{
    struct ledger *ledger = ledger_create(4, 0);

    (void)state;
    ledger_open(ledger, 0);
    for (int64_t number = 1; number < 10000; number++) {
        ledger_open(ledger, number);
        assert_int_equal(ledger_count(ledger), 2);
        ledger_close(ledger, number);
        assert_int_equal(ledger_watermark(ledger), 0);
    }
    ledger_close(ledger, 0);
    assert_int_equal(ledger_watermark(ledger), 10000);
    assert_int_equal(ledger_room(ledger), 4);
    ledger_destroy(ledger);
}

static uint64_t random_state;

static uint32_t pick(uint32_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 33) % below;
}

enum { OPEN_MAX = 16 };

static int64_t lowest(const int64_t *open, uint32_t count, int64_t next)
{
    int64_t low = next;

    for (uint32_t i = 0; i < count; i++)
        low = open[i] < low ? open[i] : low;
    return low;
}

static void beside_the_reference(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 500; seed++) {
        int64_t  open[OPEN_MAX], next = (int64_t)(seed * 1000) - 5000, before = next;
        uint32_t count = 0;

        random_state = seed * 0x9E3779B97F4A7C15u;
        int64_t        stride = 1 + (int64_t)(seed % 3) * 1023;
        struct ledger *ledger = ledger_create(OPEN_MAX, next);
        for (int step = 0; step < 300; step++) {
            uint32_t choice = pick(8);

            if (choice < 4 && count < OPEN_MAX) {
                next += pick(3) * stride;
                open[count++] = next;
                ledger_open(ledger, next++);
            } else if (choice < 7 && count > 0) {
                uint32_t which = pick(count);

                ledger_close(ledger, open[which]);
                open[which] = open[--count];
            } else {
                next += pick(4);
                ledger_reach(ledger, next);
            }
            assert_int_equal(ledger_watermark(ledger), lowest(open, count, next));
            assert_int_equal(ledger_count(ledger), count);
            assert_int_equal(ledger_room(ledger), OPEN_MAX - count);
            assert_true(ledger_watermark(ledger) >= before);
            before = ledger_watermark(ledger);
        }
        ledger_destroy(ledger);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),
        cmocka_unit_test(one_parked_and_many_passing),
        cmocka_unit_test(beside_the_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
