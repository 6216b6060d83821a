/* table: beside a plain array of records, through growth, size classes and removals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "stages/parcel/table.h"
#include "tests/unit/parcel_samples.h"

enum { PARCELS = 3000 };

/* What the table should hold of parcel number `which`. */
struct expected {
    bool     there, dirty, seen;
    uint32_t armed_s;
    size_t   length;
    uint8_t  bytes[RECORD_BYTES_MAX];
};

struct model {
    struct expected of[PARCELS];
    uint32_t        hash_bits;   /* few: many parcels share their hash, their home or both */
    uint32_t        visits;
};

static uint8_t number_of(uint32_t which, char number[PARCEL_MAX])
{
    return random_number(which, 10 + which % 31, number);
}

static uint32_t which_of(const uint8_t *bytes)
{
    char number[PARCEL_MAX + 1] = {0};

    record_number(bytes, number);
    return (uint32_t)strtoul(number, NULL, 10);
}

static uint64_t hash_of(const struct model *m, uint32_t which)
{
    char     number[PARCEL_MAX];
    uint8_t  length = number_of(which, number);
    uint64_t hash = parcel_hash(number, length);

    return m->hash_bits == 64 ? hash : hash >> (64 - m->hash_bits) << (64 - m->hash_bits);
}

static void put(struct table *t, struct model *m, struct random *r, uint32_t which, bool small)
{
    struct expected *e = &m->of[which];
    struct parcel    p;
    bool             dirty = !random_one_in(r, 4);

    random_parcel(r, &p);
    p.number_length = number_of(which, p.number);
    if (small)
        p.alerts_count = p.unsent_count = 0;
    if (random_one_in(r, 5)) {
        p.flags = PARCEL_TOMBSTONE;
        p.state = STATE_DELIVERED;
    }
    const uint32_t *armed_s = table_put(t, hash_of(m, which), &p, dirty);

    if (!e->there)
        *e = (struct expected) {.there = true};
    assert_int_equal(*armed_s, e->armed_s);
    e->dirty |= dirty;
    e->length = record_pack(&p, e->bytes);
}

static void take_out(struct table *t, struct model *m, uint32_t which)
{
    char    number[PARCEL_MAX];
    uint8_t length = number_of(which, number);

    table_remove(t, hash_of(m, which), number, length);
    m->of[which].there = m->of[which].dirty = false;
}

static void arm(struct table *t, struct model *m, uint32_t which, uint32_t at_s)
{
    char    number[PARCEL_MAX];
    uint8_t length = number_of(which, number);

    if (!m->of[which].there)
        return;
    table_arm(t, hash_of(m, which), number, length, at_s);
    m->of[which].armed_s = at_s;
}

static void see(struct model *m, const uint8_t *bytes, size_t length)
{
    struct expected *e = &m->of[which_of(bytes)];

    assert_true(e->there);
    assert_false(e->seen);
    e->seen = true;
    m->visits++;
    assert_int_equal(length, e->length);
    assert_memory_equal(bytes, e->bytes, length);
}

static void see_any(void *self, const uint8_t *bytes, size_t length)
{
    see(self, bytes, length);
}

static void see_dirty(void *self, const uint8_t *bytes, size_t length)
{
    struct model *m = self;

    see(m, bytes, length);
    assert_true(m->of[which_of(bytes)].dirty);
}

static void see_armed(void *self, const uint8_t *bytes, size_t length, uint32_t armed_s)
{
    struct model *m = self;

    see(m, bytes, length);
    assert_int_equal(armed_s, m->of[which_of(bytes)].armed_s);
}

static void forget_seen(struct model *m)
{
    for (uint32_t i = 0; i < PARCELS; i++)
        m->of[i].seen = false;
    m->visits = 0;
}

/* What the wheel is told of one record. */
struct armed {
    const uint8_t *bytes;
    uint32_t       at_s;
};

static void take_armed(void *self, const uint8_t *bytes, size_t length, uint32_t armed_s)
{
    struct armed *armed = self;

    (void)length;
    if (bytes == armed->bytes)
        armed->at_s = armed_s;
}

static void assert_found(struct table *t, const struct model *m, uint32_t which)
{
    const struct expected *e = &m->of[which];
    char                   number[PARCEL_MAX];
    uint8_t                number_length = number_of(which, number);
    size_t                 length = 0;
    const uint8_t         *bytes = table_find(t, hash_of(m, which), number, number_length,
                                              &length);

    assert_int_equal(bytes != NULL, e->there);
    if (!e->there)
        return;
    struct armed armed = {.bytes = bytes};

    table_each_hash(t, table_hash32(hash_of(m, which)), take_armed, &armed);
    assert_int_equal(armed.at_s, e->armed_s);
    assert_int_equal(length, e->length);
    assert_memory_equal(bytes, e->bytes, length);
}

static void assert_same(struct table *t, struct model *m)
{
    uint64_t there = 0, dirty = 0;
    size_t   dirty_bytes = 0;

    for (uint32_t i = 0; i < PARCELS; i++) {
        assert_found(t, m, i);
        there += m->of[i].there;
        dirty += m->of[i].dirty;
        dirty_bytes += m->of[i].dirty ? m->of[i].length : 0;
    }
    assert_int_equal(table_count(t), there);
    assert_int_equal(table_dirty_count(t), dirty);
    assert_int_equal(table_dirty_bytes(t), dirty_bytes);

    forget_seen(m);
    table_each(t, see_any, m);
    assert_int_equal(m->visits, there);
    forget_seen(m);
    table_dirty_each(t, see_dirty, m);
    assert_int_equal(m->visits, dirty);
    for (uint32_t i = 0; i < PARCELS; i += 97) {
        forget_seen(m);
        table_each_hash(t, table_hash32(hash_of(m, i)), see_armed, m);
        assert_int_equal(m->of[i].seen, m->of[i].there);
    }
}

static void clean(struct table *t, struct model *m)
{
    table_clean(t);
    for (uint32_t i = 0; i < PARCELS; i++)
        m->of[i].dirty = false;
}

static void like_a_list(uint64_t seed, uint32_t hash_bits)
{
    struct model *m = calloc(1, sizeof *m);
    struct random r = {seed};

    assert_non_null(m);
    m->hash_bits = hash_bits;
    struct table *t = table_create(10);

    for (int step = 0; step < 30000; step++) {
        uint32_t which = random_below(&r, PARCELS);
        uint32_t what = random_below(&r, 100);

        table_prefetch_slot(t, hash_of(m, which));
        table_prefetch_record(t, hash_of(m, which));
        if (what < 60)
            put(t, m, &r, which, step % 3 != 0);
        else if (what < 85)
            take_out(t, m, which);
        else
            arm(t, m, which, (uint32_t)random_next(&r));
        if (random_one_in(&r, 5000))
            clean(t, m);
        if (step % 3000 == 2999)
            assert_same(t, m);
    }
    clean(t, m);
    assert_same(t, m);
    for (uint32_t i = 0; i < PARCELS; i++)
        take_out(t, m, i);
    assert_same(t, m);
    table_destroy(t);
    free(m);
}

static void equals_a_list(void **state)
{
    (void)state;
    like_a_list(1, 64);
    like_a_list(2, 64);
}

static void equals_a_list_when_hashes_collide(void **state)
{
    (void)state;
    like_a_list(3, 8);
    like_a_list(4, 14);
}

static void restore_never_overwrites(void **state)
{
    struct table *t = table_create(0);
    struct parcel p;
    uint8_t       bytes[RECORD_BYTES_MAX];
    size_t        length, found;

    (void)state;
    typical_parcel(7, &p);
    uint64_t hash = parcel_hash(p.number, p.number_length);

    length = record_pack(&p, bytes);
    assert_int_equal(*table_restore(t, hash, &p, bytes, length), 0);
    assert_int_equal(table_dirty_count(t), 0);
    assert_memory_equal(table_find(t, hash, p.number, p.number_length, &found), bytes, length);

    p.life = 2;
    *table_put(t, hash, &p, true) = 77;
    assert_int_equal(*table_restore(t, hash, &p, bytes, length), 77);
    const uint8_t *kept = table_find(t, hash, p.number, p.number_length, &found);

    assert_int_equal(record_unpack(kept, found, &p), 0);
    assert_int_equal(p.life, 2);
    assert_int_equal(table_count(t), 1);
    table_destroy(t);
}

/* A record that grows through every class, and shrinks again, leaves no memory behind. */
static void memory_is_used_again(void **state)
{
    struct table *t = table_create(1000);
    size_t        before = 0;

    (void)state;
    for (int round = 0; round < 20; round++) {
        for (uint32_t which = 0; which < 1000; which++) {
            struct parcel p;

            typical_parcel(which, &p);
            p.history_count = (uint8_t)(round % 9);
            table_put(t, parcel_hash(p.number, p.number_length), &p, true);
        }
        table_clean(t);
        if (round == 9)
            before = table_bytes(t);
    }
    assert_int_equal(table_bytes(t), before);
    assert_true(before < 1000 * 2000);
    table_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_a_list),
        cmocka_unit_test(equals_a_list_when_hashes_collide),
        cmocka_unit_test(restore_never_overwrites),
        cmocka_unit_test(memory_is_used_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
