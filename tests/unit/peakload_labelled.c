/* The labelled world: lives, and the truth about them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/peakload/labelled/labelled.h"
#include "bench/peakload/labelled/trip.h"
#include "bench/peakload/times.h"
#include "bench/peakload/verify_truth.h"

enum { PARCELS = 20000 };
static const int64_t start_ms = 1795000000000;

struct made {
    struct truth_table table;
    uint64_t hash;                 /* of every life */
    int64_t  last_ms;              /* of the world, when its last scan happens */
};

static uint64_t add_life(uint64_t hash, const struct life *l)
{
    for (int i = 0; i < l->steps; i++) {
        const struct step *s = &l->plan[i];

        hash = random_mix(hash ^ (s->at_ms + ((uint64_t)s->code << 32) +
                                  ((uint64_t)s->facility << 40)));
    }
    return hash;
}

static void check_order(const struct life *l)
{
    assert_in_range(l->steps, 1, STEPS_MAX);
    for (int i = 1; i < l->steps; i++)
        assert_true(step_arrival_s(&l->plan[i - 1]) <= step_arrival_s(&l->plan[i]));
}

static void make(struct made *m, uint64_t seed)
{
    struct nature nature = {.seed = seed};
    char file[] = "/tmp/peakload-truth-XXXXXX";
    int  fd = mkstemp(file);
    struct world *world = calloc(1, sizeof *world);
    struct labelled *labelled;
    struct life life;

    assert_true(fd >= 0 && world != NULL);
    *m = (struct made) {0};
    world_make(world, seed);
    labelled = labelled_open(world, &nature, start_ms, file, NULL);
    assert_non_null(labelled);
    for (int i = 0; i < PARCELS; i++) {
        int64_t base_ms = start_ms + (int64_t)BIRTH_DAYS * DAY_MS / PARCELS * i / 1000 * 1000;
        int64_t end_ms;

        labelled_make(labelled, &life, (uint64_t)i, base_ms);
        check_order(&life);
        m->hash = add_life(m->hash, &life);
        end_ms = base_ms + step_arrival_s(&life.plan[life.steps - 1]) * 1000;
        m->last_ms = end_ms > m->last_ms ? end_ms : m->last_ms;
    }
    assert_int_equal(labelled_close(labelled, true), 0);
    truth_table_make(&m->table);
    assert_int_equal(truth_table_read(&m->table, file), 0);
    unlink(file);
    close(fd);
    free(world);
}

static void same_seed_same_world(void **state)
{
    static struct made one, same, other;

    (void)state;
    make(&one, 7);
    make(&same, 7);
    make(&other, 8);
    assert_true(one.hash == same.hash);
    assert_true(one.hash != other.hash);
    assert_int_equal(one.table.used, same.table.used);
    truth_table_free(&one.table);
    truth_table_free(&same.table);
    truth_table_free(&other.table);
}

static size_t count(const struct made *m, const char *type)
{
    size_t sum = 0;

    for (size_t i = 0; i < m->table.slots; i++)
        sum += m->table.entry[i].subject[0] != '\0' && m->table.entry[i].happened &&
               strcmp(m->table.type[m->table.entry[i].type], type) == 0;
    return sum;
}

static void every_type_happens_and_few_parcels_are_hit(void **state)
{
    static const char *const types[] = {
        "never-collected", "stalled", "missed-departure", "misrouted", "looped", "customs-held",
        "documents-missing", "delivery-failed", "uncollected", "doubtful-delivery",
        "weight-mismatch", "number-reused", "impossible-travel", "clock-skew", "out-of-order",
        "promise-broken", "lost", "damaged", "refused", "bad-address", "returning"};
    static struct made m;
    size_t hit = 0, confused = 0;

    (void)state;
    make(&m, 3);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (count(&m, types[i]) == 0)
            fail_msg("no %s in %d parcels", types[i], PARCELS);
    for (size_t i = 0; i < m.table.slots; i++) {
        hit += m.table.entry[i].happened;
        confused += m.table.entry[i].confuser != 0;
    }
    assert_in_range(hit, PARCELS / 100, PARCELS * 5 / 100);   /* one cause tells of several */
    assert_true(confused > PARCELS * 2 / 100);
    assert_int_equal(m.table.tally.parcels, PARCELS);
    assert_true(m.table.tally.repeats > m.table.tally.scans * 3 / 100);
    truth_table_free(&m.table);
}

static void every_life_ends_before_the_world(void **state)
{
    static struct made m;

    (void)state;
    make(&m, 5);
    assert_true(m.last_ms <= start_ms + (int64_t)WORLD_DAYS * DAY_MS);
    truth_table_free(&m.table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_seed_same_world),
        cmocka_unit_test(every_type_happens_and_few_parcels_are_hit),
        cmocka_unit_test(every_life_ends_before_the_world),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
