/* deadlines: beside a plain list, searched each time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "stages/parcel/deadlines.h"
#include "tests/unit/parcel_random.h"

enum { ARMED_MAX = 20000 };

struct model {
    struct { uint32_t at_s, hash32; bool gone; } armed[ARMED_MAX];
    uint32_t count, gone;
};

/* Takes the entry out of the list; it must be there. */
static void strike(struct model *m, uint32_t at_s, uint32_t hash32)
{
    for (uint32_t i = 0; i < m->count; i++)
        if (!m->armed[i].gone && m->armed[i].at_s == at_s && m->armed[i].hash32 == hash32) {
            m->armed[i].gone = true;
            m->gone++;
            return;
        }
    fail_msg("%u was never armed", at_s);
}

static uint32_t earliest(const struct model *m)
{
    uint32_t at_s = UINT32_MAX;

    for (uint32_t i = 0; i < m->count; i++)
        if (!m->armed[i].gone && m->armed[i].at_s < at_s)
            at_s = m->armed[i].at_s;
    return at_s;
}

static void advance(struct deadlines *d, struct model *m, uint32_t now_s, uint32_t max)
{
    uint32_t at_s[64], hash32[64], n, last_s = 0;

    do {
        n = deadlines_due(d, now_s, at_s, hash32, max);
        for (uint32_t i = 0; i < n; i++) {
            assert_true(at_s[i] >= last_s && at_s[i] <= now_s);
            last_s = at_s[i];
            strike(m, at_s[i], hash32[i]);
        }
    } while (n == max);
    assert_true(earliest(m) > now_s || earliest(m) == UINT32_MAX);
}

static uint32_t some_second(struct random *r, uint32_t now_s)
{
    switch (random_below(r, 6)) {
    case 0: return now_s - random_below(r, 1000);                    /* already gone */
    case 1: return now_s + random_below(r, 4);
    case 2: return now_s + random_below(r, 300);
    case 3: return now_s + random_below(r, 100000);
    case 4: return now_s + random_below(r, 1u << 26);
    default: return (now_s | 255) + random_below(r, 3);              /* a slot's border */
    }
}

static void equals_a_list(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct model     *m = calloc(1, sizeof *m);
        struct random     r = {seed};
        uint32_t          now_s = seed == 1 ? 5000 : (uint32_t)(1700000000 + seed * 12345);
        struct deadlines *d = deadlines_create(now_s);

        assert_non_null(m);
        while (m->count < 6000) {
            for (uint32_t arms = random_below(&r, 20); arms > 0; arms--) {
                uint32_t at_s = some_second(&r, now_s), hash32 = (uint32_t)random_next(&r);

                m->armed[m->count].at_s = at_s;
                m->armed[m->count++].hash32 = hash32;
                deadlines_arm(d, at_s, hash32);
            }
            assert_int_equal(deadlines_count(d), m->count - m->gone);
            assert_true(deadlines_next(d) <= earliest(m));
            now_s += random_one_in(&r, 20) ? random_below(&r, 1u << 25)
                   : random_one_in(&r, 3)  ? random_below(&r, 5000)
                                           : random_below(&r, 3);
            advance(d, m, now_s, 1 + random_below(&r, 64));
        }
        advance(d, m, UINT32_MAX, 64);
        assert_int_equal(m->gone, m->count);
        assert_int_equal(deadlines_count(d), 0);
        assert_int_equal(deadlines_next(d), UINT32_MAX);
        deadlines_destroy(d);
        free(m);
    }
}

/* Time that stands still: what is armed for now or before fires all the same. */
static void fires_without_time_passing(void **state)
{
    struct deadlines *d = deadlines_create(1000);
    uint32_t          at_s[4], hash32[4];

    (void)state;
    deadlines_arm(d, 1000, 1);
    deadlines_arm(d, 900, 2);
    deadlines_arm(d, 950, 3);
    deadlines_arm(d, 1001, 4);
    assert_int_equal(deadlines_next(d), 900);
    assert_int_equal(deadlines_due(d, 1000, at_s, hash32, 4), 3);
    assert_int_equal(hash32[0], 2);
    assert_int_equal(hash32[1], 3);
    assert_int_equal(hash32[2], 1);
    deadlines_arm(d, 1000, 5);
    assert_int_equal(deadlines_due(d, 500, at_s, hash32, 4), 1); /* never goes back */
    assert_int_equal(hash32[0], 5);
    assert_int_equal(deadlines_due(d, 1001, at_s, hash32, 4), 1);
    deadlines_destroy(d);
}

/* A jump over all of time must not walk its seconds: 20,000 jumps of 2 days end at once. */
static void jumps_are_cheap(void **state)
{
    struct deadlines *d = deadlines_create(0);
    uint32_t          at_s[16], hash32[16], fired = 0;

    (void)state;
    for (uint32_t i = 0; i < 20000; i++) {
        deadlines_arm(d, i * 172800 + 1000, i);
        fired += deadlines_due(d, i * 172800 + 172800, at_s, hash32, 16);
    }
    assert_int_equal(fired, 20000);
    assert_true(deadlines_bytes(d) < 200000); /* chunks are used again */
    deadlines_destroy(d);
}

static void last_second_of_all(void **state)
{
    struct deadlines *d = deadlines_create(0);
    uint32_t          at_s, hash32;

    (void)state;
    deadlines_arm(d, UINT32_MAX, 9);
    assert_int_equal(deadlines_due(d, UINT32_MAX - 1, &at_s, &hash32, 1), 0);
    assert_int_equal(deadlines_due(d, UINT32_MAX, &at_s, &hash32, 1), 1);
    assert_int_equal(hash32, 9);
    assert_int_equal(deadlines_due(d, UINT32_MAX, &at_s, &hash32, 1), 0);
    deadlines_destroy(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_a_list),
        cmocka_unit_test(fires_without_time_passing),
        cmocka_unit_test(jumps_are_cheap),
        cmocka_unit_test(last_second_of_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
