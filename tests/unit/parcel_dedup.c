/* dedup: its rules, one by one, and beside a plain restatement of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stages/parcel/dedup.h"
#include "tests/unit/parcel_samples.h"

enum { START_S = 1700000000, DAY_S = 86400 };

static struct scan scan_at(uint32_t at_s, enum scan_code code, bool retracts)
{
    return (struct scan) {.time_ms = (int64_t)at_s * 1000 + 437, .code = (uint8_t)code,
                          .flags = retracts ? SCAN_RETRACTS : 0};
}

static struct classified classify(const struct parcel *p, uint32_t at_s, name_id place,
                                  enum scan_code code, bool retracts)
{
    struct scan scan = scan_at(at_s, code, retracts);

    return dedup_classify(p, &scan, place);
}

/* A parcel of one life that ARRIVEd at place 5 and then came to this state there. */
static struct parcel parcel_in(enum parcel_state state, enum scan_code code, uint32_t state_s)
{
    struct parcel p = {.life = 1, .state = (uint8_t)state, .code = (uint8_t)code,
                       .state_s = state_s};

    history_add(&p, START_S, 5, SCAN_ARRIVE, false, 0);
    history_add(&p, state_s, 5, code, false, 0);
    return p;
}

static struct parcel tombstone(enum parcel_state state, uint32_t state_s)
{
    return (struct parcel) {.life = 1, .state = (uint8_t)state, .state_s = state_s,
                            .base_s = state_s, .flags = PARCEL_TOMBSTONE};
}

static void unknown_parcel(void **state)
{
    const struct parcel p = {0};
    struct classified   c = classify(&p, START_S, 1, SCAN_ARRIVE, false);

    (void)state;
    assert_int_equal(c.class, CLASS_EFFECTIVE);
    assert_false(c.late || c.new_life || c.reused || c.retracts || c.revives);
    c = classify(&p, START_S, 1, SCAN_ARRIVE, true);
    assert_int_equal(c.class, CLASS_EFFECTIVE);
    assert_true(c.retracts);
}

static void same_and_nearly_same(void **state)
{
    struct parcel p = parcel_in(STATE_IN_TRANSIT, SCAN_SORT, START_S + 3600);

    (void)state;
    assert_int_equal(classify(&p, START_S, 5, SCAN_ARRIVE, false).class, CLASS_DUPLICATE);
    assert_int_equal(classify(&p, START_S + 600, 5, SCAN_ARRIVE, false).class, CLASS_MERGED);
    assert_int_equal(classify(&p, START_S - 600, 5, SCAN_ARRIVE, false).class, CLASS_MERGED);
    assert_int_equal(classify(&p, START_S + 601, 5, SCAN_ARRIVE, false).class, CLASS_EFFECTIVE);
    assert_int_equal(classify(&p, START_S + 9, 6, SCAN_ARRIVE, false).class, CLASS_EFFECTIVE);
    assert_int_equal(classify(&p, START_S + 9, 5, SCAN_UNLOAD, false).class, CLASS_EFFECTIVE);
    history_add(&p, START_S + 100, 5, SCAN_DEPART, false, 0);
    assert_int_equal(classify(&p, START_S + 300, 5, SCAN_ARRIVE, false).class, CLASS_EFFECTIVE);
    history_add(&p, START_S + 4000, 5, SCAN_ATTEMPT_FAILED, false, 0);
    assert_int_equal(classify(&p, START_S + 4060, 5, SCAN_ATTEMPT_FAILED, false).class,
                     CLASS_EFFECTIVE);
}

static void late_is_older_than_the_state(void **state)
{
    struct parcel p = parcel_in(STATE_IN_TRANSIT, SCAN_SORT, START_S + 3600);

    (void)state;
    assert_true(classify(&p, START_S + 3599, 5, SCAN_UNLOAD, false).late);
    assert_false(classify(&p, START_S + 3600, 5, SCAN_UNLOAD, false).late);
}

static void retractions(void **state)
{
    struct parcel     p = parcel_in(STATE_DELIVERED, SCAN_DELIVERED, START_S + 3600);
    struct classified c = classify(&p, START_S + 3600, 5, SCAN_DELIVERED, true);

    (void)state;
    assert_int_equal(c.class, CLASS_EFFECTIVE);
    assert_true(c.retracts);
    assert_false(c.late);
    assert_true(classify(&p, START_S, 5, SCAN_ARRIVE, true).late);
    history_add(&p, START_S + 3600, 5, SCAN_DELIVERED, true, 0);
    assert_int_equal(classify(&p, START_S + 3600, 5, SCAN_DELIVERED, true).class,
                     CLASS_DUPLICATE);

    /* The retraction came first: the event is counted and moves nothing. */
    p = parcel_in(STATE_IN_TRANSIT, SCAN_SORT, START_S + 3600);
    history_add(&p, START_S + 7200, 5, SCAN_DEPART, true, 0);
    c = classify(&p, START_S + 7200, 5, SCAN_DEPART, false);
    assert_int_equal(c.class, CLASS_EFFECTIVE);
    assert_true(c.late && c.undone);
    assert_false(classify(&p, START_S + 7201, 5, SCAN_DEPART, false).undone);

    /* What stands in for an event that was taken back is no near duplicate of it. */
    history_add(&p, START_S, 5, SCAN_ARRIVE, true, 0);
    assert_int_equal(classify(&p, START_S + 60, 5, SCAN_ARRIVE, false).class, CLASS_EFFECTIVE);
}

static void nothing_moves_out_of_an_end_but_a_new_life(void **state)
{
    struct parcel     p = parcel_in(STATE_DELIVERED, SCAN_DELIVERED, START_S + 3600);
    struct classified c = classify(&p, START_S + 7200, 8, SCAN_ARRIVE, false);

    (void)state;
    assert_int_equal(c.class, CLASS_EFFECTIVE);
    assert_true(c.late);
    assert_false(c.new_life);

    c = classify(&p, START_S + 3600 + 30 * DAY_S, 8, SCAN_PICKUP, false);
    assert_int_equal(c.class, CLASS_EFFECTIVE);
    assert_true(c.new_life && c.reused);
    assert_false(c.late);
    c = classify(&p, START_S + 3601 + 30 * DAY_S, NAME_NONE, SCAN_LABEL, false);
    assert_true(c.new_life && !c.reused);
    c = classify(&p, START_S + 3600, 8, SCAN_PICKUP, false);
    assert_true(!c.new_life && c.late);
}

static void lost_and_found(void **state)
{
    struct parcel p = parcel_in(STATE_LOST, SCAN_LOST, START_S + 300);

    (void)state;
    assert_true(classify(&p, START_S + 301, 5, SCAN_ARRIVE, false).revives);
    assert_true(classify(&p, START_S + 9 * DAY_S, 5, SCAN_DELIVERED, false).revives);
    assert_false(classify(&p, START_S + 299, 9, SCAN_ARRIVE, false).revives);
    assert_true(classify(&p, START_S + 301, 5, SCAN_INFO, false).late);
    assert_true(classify(&p, START_S + 301, 5, SCAN_PICKUP, false).new_life);
    p = tombstone(STATE_LOST, START_S);
    assert_true(classify(&p, START_S + 1, 5, SCAN_SORT, false).revives);
}

static void tombstones(void **state)
{
    struct parcel     p = tombstone(STATE_DELIVERED, START_S);
    struct classified c;

    (void)state;
    assert_int_equal(classify(&p, START_S, 5, SCAN_DELIVERED, false).class, CLASS_DUPLICATE);
    assert_int_equal(classify(&p, START_S - DAY_S, 5, SCAN_PICKUP, false).class, CLASS_DUPLICATE);
    c = classify(&p, START_S + 1, 5, SCAN_ARRIVE, false);
    assert_true(c.class == CLASS_EFFECTIVE && c.late);
    c = classify(&p, START_S, 5, SCAN_DELIVERED, true);
    assert_true(c.class == CLASS_EFFECTIVE && c.retracts && !c.late);
    c = classify(&p, START_S + DAY_S, 5, SCAN_LABEL, false);
    assert_true(c.new_life && c.reused);
}

/* The rules once more: as questions in the order of their weight. */
static struct classified expected(const struct parcel *p, uint32_t at_s, name_id place,
                                  enum scan_code code, bool retracts)
{
    struct classified c = {.class = CLASS_EFFECTIVE, .retracts = retracts};
    bool end = p->state >= STATE_DELIVERED && p->state != STATE_RETURNING;
    bool exact = false, taken_back = false;

    for (int i = 0; i < p->history_count; i++) {
        uint64_t e = p->history[i];

        if (entry_s(p, e) != at_s || entry_place(e) != place || entry_code(e) != code)
            continue;
        exact |= entry_retracts(e) == retracts;
        taken_back |= entry_retracts(e);
    }
    if (exact || (!retracts && (p->flags & PARCEL_TOMBSTONE) && at_s <= p->state_s)) {
        c.class = CLASS_DUPLICATE;
    } else if (retracts) {
        c.late = at_s < p->state_s;
    } else if (taken_back) {
        c.late = c.undone = true;
    } else if (end && at_s > p->state_s && (code == SCAN_LABEL || code == SCAN_PICKUP)) {
        c.new_life = true;
        c.reused = at_s <= p->state_s + 30 * DAY_S;
    } else if (p->state == STATE_LOST && at_s > p->state_s && code_table[code].physical) {
        c.revives = true;
    } else if (history_find(p, at_s, place, code, false) == SAME_NEAR) {
        c.class = CLASS_MERGED;
    } else {
        c.late = end || at_s < p->state_s;
    }
    return c;
}

static void equals_the_rules(void **state)
{
    struct random r = {1};
    int           met[3] = {0}, lives = 0, revived = 0;

    (void)state;
    for (int round = 0; round < 200000; round++) {
        struct parcel p = {.life = 1, .state = (uint8_t)random_below(&r, STATES)};

        p.state_s = START_S + random_below(&r, 2000);
        if (random_one_in(&r, 6) && state_terminal((enum parcel_state)p.state))
            p.flags = PARCEL_TOMBSTONE;
        else
            for (int i = 0; i < 6; i++)
                history_add(&p, START_S + random_below(&r, 2000), random_below(&r, 2),
                            (enum scan_code)(1 + random_below(&r, 6)), random_one_in(&r, 4), 0);
        for (int i = 0; i < 4; i++) {
            uint32_t       at_s = START_S + random_below(&r, 2100);
            name_id        place = random_below(&r, 2);
            enum scan_code code = (enum scan_code)(1 + random_below(&r, SCAN_CODES - 1));
            bool           retracts = random_one_in(&r, 4);

            if (p.history_count > 0 && random_one_in(&r, 2)) {
                uint64_t e = p.history[random_below(&r, p.history_count)];

                at_s = entry_s(&p, e);
                place = entry_place(e);
                code = entry_code(e);
            }
            struct classified is = classify(&p, at_s, place, code, retracts);
            struct classified should = expected(&p, at_s, place, code, retracts);

            assert_memory_equal(&is, &should, sizeof is);
            met[is.class]++;
            lives += is.new_life;
            revived += is.revives;
        }
    }
    assert_true(met[CLASS_EFFECTIVE] > 1000 && met[CLASS_MERGED] > 1000);
    assert_true(met[CLASS_DUPLICATE] > 1000 && lives > 1000 && revived > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown_parcel),
        cmocka_unit_test(same_and_nearly_same),
        cmocka_unit_test(late_is_older_than_the_state),
        cmocka_unit_test(retractions),
        cmocka_unit_test(nothing_moves_out_of_an_end_but_a_new_life),
        cmocka_unit_test(lost_and_found),
        cmocka_unit_test(tombstones),
        cmocka_unit_test(equals_the_rules),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
