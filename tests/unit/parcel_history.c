/* history: beside a plain list of everything that ever happened. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/parcel_samples.h"

enum { EVENTS_MAX = 60, BASE_S = 1700000000 };

struct event {
    uint32_t       at_s;
    name_id        place;
    enum scan_code code;
    bool           retracts, merged;
};

struct events {
    struct event list[EVENTS_MAX];
    int          count;
};

static int by_time(const void *one, const void *other)
{
    const struct event *a = one, *b = other;

    if (a->at_s != b->at_s)
        return a->at_s < b->at_s ? -1 : 1;
    if (a->place != b->place)
        return a->place < b->place ? -1 : 1;
    if (a->code != b->code)
        return a->code < b->code ? -1 : 1;
    return (int)a->retracts - (int)b->retracts;
}

static bool same(const struct event *a, const struct event *b)
{
    return a->at_s == b->at_s && a->place == b->place && a->code == b->code
        && a->retracts == b->retracts;
}

static bool contains(const struct events *all, struct event e)
{
    for (int i = 0; i < all->count; i++)
        if (same(&all->list[i], &e))
            return true;
    return false;
}

/* It happened, and nobody took it back. */
static bool real(const struct events *all, const struct event *e)
{
    struct event back = *e;

    back.retracts = true;
    return !e->retracts && !contains(all, back);
}

static enum sameness expected_sameness(const struct events *all, struct event e)
{
    if (contains(all, e))
        return SAME_EXACT;
    if (e.retracts || e.code == SCAN_ATTEMPT_FAILED)
        return SAME_NONE;
    for (int i = 0; i < all->count; i++) {
        const struct event *other = &all->list[i];
        uint32_t first_s = other->at_s < e.at_s ? other->at_s : e.at_s;
        uint32_t last_s = other->at_s < e.at_s ? e.at_s : other->at_s;
        bool     left = false;

        if (other->code != e.code || other->place != e.place || last_s - first_s > 600
            || !real(all, other))
            continue;
        for (int j = 0; j < all->count; j++)
            left |= all->list[j].code == SCAN_DEPART && all->list[j].place == e.place
                 && real(all, &all->list[j]) && all->list[j].at_s > first_s
                 && all->list[j].at_s < last_s;
        if (e.code != SCAN_ARRIVE || !left)
            return SAME_NEAR;
    }
    return SAME_NONE;
}

static uint32_t expected_latest_s(const struct events *all, enum scan_code code)
{
    uint32_t at_s = 0;

    for (int i = 0; i < all->count; i++) {
        const struct event *e = &all->list[i];

        if ((code == SCAN_NONE || e->code == code) && real(all, e) && !e->merged
            && e->at_s >= at_s)
            at_s = e->at_s;
    }
    return at_s;
}

/* Keeps the latest HISTORY_MAX; the list is a set. */
static void remember(struct events *all, struct event e)
{
    all->list[all->count++] = e;
    qsort(all->list, (size_t)all->count, sizeof all->list[0], by_time);
    if (all->count > HISTORY_MAX)
        memmove(all->list, all->list + 1, (size_t)--all->count * sizeof all->list[0]);
}

static struct event some_event(struct random *r, uint32_t span_s)
{
    static const enum scan_code codes[] = {SCAN_ARRIVE, SCAN_DEPART, SCAN_SORT,
                                           SCAN_ATTEMPT_FAILED, SCAN_INFO};

    return (struct event) {
        .at_s = BASE_S + random_below(r, span_s),
        .place = random_below(r, 4),
        .code = codes[random_below(r, 5)],
        .retracts = random_one_in(r, 6),
    };
}

static void assert_same(const struct parcel *p, const struct events *all)
{
    assert_int_equal(p->history_count, all->count);
    for (int i = 0; i < all->count; i++) {
        const struct event *e = &all->list[i];

        assert_int_equal(entry_s(p, p->history[i]), e->at_s);
        assert_int_equal(entry_place(p->history[i]), e->place);
        assert_int_equal(entry_code(p->history[i]), e->code);
        assert_int_equal(entry_retracts(p->history[i]), e->retracts);
        assert_int_equal(entry_flags(p->history[i]), e->merged ? ENTRY_MERGED : 0);
    }
}

static void equals_a_list(void **state)
{
    struct random r = {1};
    int           met[3] = {0};

    (void)state;
    for (int round = 0; round < 3000; round++) {
        struct parcel p = {0};
        struct events all = {.count = 0};
        uint32_t      span_s = 100u << random_below(&r, 12);

        for (int step = 0; step < 50; step++) {
            struct event e = all.count > 0 && random_one_in(&r, 4)
                           ? all.list[random_below(&r, (uint32_t)all.count)]
                           : some_event(&r, span_s);

            e.merged = false;
            enum sameness is = history_find(&p, e.at_s, e.place, e.code, e.retracts);

            assert_int_equal(is, expected_sameness(&all, e));
            met[is]++;
            if (is == SAME_EXACT)
                continue;
            e.merged = is == SAME_NEAR;
            history_add(&p, e.at_s, e.place, e.code, e.retracts, e.merged ? ENTRY_MERGED : 0);
            remember(&all, e);
            assert_same(&p, &all);
            for (enum scan_code code = SCAN_NONE; code < SCAN_CODES; code++) {
                uint64_t latest = history_latest(&p, code);
                uint32_t at_s = expected_latest_s(&all, code);

                assert_int_equal(latest == 0 ? 0 : entry_s(&p, latest), at_s);
                assert_int_equal(history_has(&p, code), at_s != 0);
            }
        }
    }
    assert_true(met[SAME_NONE] > 1000 && met[SAME_EXACT] > 1000 && met[SAME_NEAR] > 1000);
}

static void arrival_order_leaves_no_trace(void **state)
{
    struct random r = {2};

    (void)state;
    for (int round = 0; round < 2000; round++) {
        struct event  events[20];
        struct parcel forth = {0}, back = {0};

        for (int i = 0; i < 20; i++) {
            events[i] = some_event(&r, 1u << 20);
            events[i].at_s += (uint32_t)i << 20;
        }
        for (int i = 19; i > 0; i--) {
            uint32_t     j = random_below(&r, (uint32_t)i + 1);
            struct event e = events[i];

            events[i] = events[j];
            events[j] = e;
        }
        for (int i = 0; i < 20; i++) {
            const struct event *e = &events[i], *f = &events[19 - i];

            history_add(&forth, e->at_s, e->place, e->code, e->retracts, 0);
            history_add(&back, f->at_s, f->place, f->code, f->retracts, 0);
        }
        assert_int_equal(forth.base_s, back.base_s);
        assert_memory_equal(forth.history, back.history, sizeof forth.history);
    }
}

/* 27 bits hold 4.25 years: what is further apart than that cannot stand side by side, and
 * the later one stays. */
static void span_is_bounded(void **state)
{
    struct parcel p = {0};

    (void)state;
    history_add(&p, 1000000000, 1, SCAN_PICKUP, false, 0);
    history_add(&p, 1700000000, 2, SCAN_ARRIVE, false, 0);
    assert_int_equal(p.history_count, 1);
    assert_int_equal(entry_s(&p, p.history[0]), 1700000000);
    assert_int_equal(history_find(&p, 1700000000, 2, SCAN_ARRIVE, false), SAME_EXACT);
    assert_int_equal(history_find(&p, 1000000000, 1, SCAN_PICKUP, false), SAME_NONE);

    uint32_t base_s = p.base_s;

    history_add(&p, 1000000000, 1, SCAN_PICKUP, false, 0);
    assert_int_equal(p.history_count, 1);
    assert_int_equal(p.base_s, base_s);
    assert_int_equal(entry_s(&p, p.history[0]), 1700000000);
    history_add(&p, 1700000000 - ((1u << 27) - 1), 3, SCAN_PICKUP, false, 0);
    assert_int_equal(p.history_count, 2);
    assert_int_equal(entry_s(&p, p.history[0]), 1700000000 - ((1u << 27) - 1));
    assert_int_equal(entry_s(&p, p.history[1]), 1700000000);
}

static void span_ends_where_27_bits_do(void **state)
{
    const uint32_t span_s = (1u << 27) - 1;
    struct parcel  p = {0};

    (void)state;
    history_add(&p, BASE_S, 1, SCAN_PICKUP, false, 0);
    history_add(&p, BASE_S - span_s - 1, 1, SCAN_LABEL, false, 0);
    assert_int_equal(p.history_count, 1);
    history_add(&p, BASE_S - span_s, 1, SCAN_LABEL, false, 0);
    assert_int_equal(p.history_count, 2);
    history_add(&p, BASE_S - span_s + 500, 1, SCAN_DECLARED, false, 0);
    history_add(&p, BASE_S + 500, 2, SCAN_ARRIVE, false, 0);
    assert_int_equal(p.history_count, 3);
    assert_int_equal(entry_s(&p, p.history[0]), BASE_S - span_s + 500);
    assert_int_equal(entry_s(&p, p.history[1]), BASE_S);
    assert_int_equal(entry_s(&p, p.history[2]), BASE_S + 500);

    p = (struct parcel) {0};
    history_add(&p, UINT32_MAX, 1, SCAN_PICKUP, false, 0);
    history_add(&p, 5, 1, SCAN_LABEL, false, 0);
    assert_int_equal(p.history_count, 1);
    assert_int_equal(entry_s(&p, p.history[0]), UINT32_MAX);
}

static uint32_t revisits_of_7(const char *way)
{
    struct parcel p = {0};
    uint32_t      at_s = BASE_S;

    /* a: ARRIVE at 7, d: DEPART from 7, s: SORT at 7, o: ARRIVE elsewhere, i: INFO elsewhere,
     * m: a merged ARRIVE at 7, r: ARRIVE at 7 that is taken back */
    for (; *way != '\0'; way++, at_s += 3600) {
        name_id        place = *way == 'o' || *way == 'i' ? 9 : 7;
        enum scan_code code = *way == 'd' ? SCAN_DEPART : *way == 's' ? SCAN_SORT
                            : *way == 'i' ? SCAN_INFO : SCAN_ARRIVE;

        history_add(&p, at_s, place, code, false, *way == 'm' ? ENTRY_MERGED : 0);
        if (*way == 'r')
            history_add(&p, at_s, place, code, true, 0);
    }
    return history_revisits(&p, 7);
}

static void revisits_are_counted(void **state)
{
    (void)state;
    assert_int_equal(revisits_of_7(""), 0);
    assert_int_equal(revisits_of_7("asd"), 0);
    assert_int_equal(revisits_of_7("asda"), 1);
    assert_int_equal(revisits_of_7("aa"), 0);
    assert_int_equal(revisits_of_7("aoa"), 1);
    assert_int_equal(revisits_of_7("adoada"), 2);
    assert_int_equal(revisits_of_7("oa"), 0);
    assert_int_equal(revisits_of_7("sdoa"), 1);
    assert_int_equal(revisits_of_7("aia"), 0);
    assert_int_equal(revisits_of_7("adm"), 0);
    assert_int_equal(revisits_of_7("adr"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_a_list),
        cmocka_unit_test(arrival_order_leaves_no_trace),
        cmocka_unit_test(span_is_bounded),
        cmocka_unit_test(span_ends_where_27_bits_do),
        cmocka_unit_test(revisits_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
