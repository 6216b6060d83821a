/* record: whatever a parcel is comes back; whatever is no record is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pipeline/error.h"
#include "stages/parcel/record.h"
#include "tests/unit/parcel_samples.h"

static void assert_alerts_equal(const struct alert *one, const struct alert *other, int count)
{
    for (int i = 0; i < count; i++) {
        assert_int_equal(one[i].id, other[i].id);
        assert_int_equal(one[i].type, other[i].type);
        assert_int_equal(one[i].state, other[i].state);
        assert_int_equal(one[i].severity, other[i].severity);
        assert_int_equal(one[i].flags, other[i].flags);
        assert_int_equal(one[i].sentence, other[i].sentence);
        assert_int_equal(one[i].sequence, other[i].sequence);
        assert_int_equal(one[i].opened_s, other[i].opened_s);
        assert_int_equal(one[i].at_s, other[i].at_s);
        assert_int_equal(one[i].deadline_s, other[i].deadline_s);
        assert_int_equal(one[i].at, other[i].at);
        assert_int_equal(one[i].expected, other[i].expected);
        assert_int_equal(one[i].note, other[i].note);
        assert_int_equal(one[i].value, other[i].value);
        assert_int_equal(one[i].threshold, other[i].threshold);
    }
}

static void assert_lists_equal(const struct parcel *one, const struct parcel *other)
{
    assert_int_equal(one->history_count, other->history_count);
    assert_memory_equal(one->history, other->history, one->history_count * sizeof(uint64_t));
    assert_int_equal(one->deadlines_count, other->deadlines_count);
    for (int i = 0; i < one->deadlines_count; i++) {
        assert_int_equal(one->deadlines[i].detector, other->deadlines[i].detector);
        assert_int_equal(one->deadlines[i].at_s, other->deadlines[i].at_s);
    }
    assert_int_equal(one->alerts_count, other->alerts_count);
    assert_alerts_equal(one->alerts, other->alerts, one->alerts_count);
    assert_int_equal(one->unsent_count, other->unsent_count);
    assert_alerts_equal(one->unsent, other->unsent, one->unsent_count);
}

static void assert_facts_equal(const struct parcel *one, const struct parcel *other)
{
    assert_int_equal(one->facts, other->facts);
    if (one->facts & FACT_WEIGHT)
        assert_int_equal(one->weight_g, other->weight_g);
    if (one->facts & FACT_DECLARED)
        assert_int_equal(one->declared_g, other->declared_g);
    if (one->facts & FACT_TARGET)
        assert_memory_equal(&one->target, &other->target, sizeof one->target);
    if (one->facts & FACT_SPOT)
        assert_memory_equal(&one->spot, &other->spot, sizeof one->spot);
    assert_int_equal(one->courier_length, other->courier_length);
    assert_memory_equal(one->courier, other->courier, one->courier_length);
    assert_int_equal(one->documents_count, other->documents_count);
    assert_memory_equal(one->documents, other->documents,
                        one->documents_count * sizeof one->documents[0]);
}

static void assert_parcels_equal(const struct parcel *one, const struct parcel *other)
{
    assert_int_equal(one->number_length, other->number_length);
    assert_memory_equal(one->number, other->number, one->number_length);
    assert_int_equal(one->state, other->state);
    assert_int_equal(one->code, other->code);
    assert_int_equal(one->attempts, other->attempts);
    assert_int_equal(one->service, other->service);
    assert_int_equal(one->flags, other->flags);
    assert_int_equal(one->life, other->life);
    assert_int_equal(one->base_s, other->base_s);
    assert_int_equal(one->state_s, other->state_s);
    assert_int_equal(one->physical_s, other->physical_s);
    assert_int_equal(one->at, other->at);
    assert_int_equal(one->next, other->next);
    assert_int_equal(one->origin, other->origin);
    assert_int_equal(one->dest, other->dest);
    assert_int_equal(one->carrier, other->carrier);
    assert_int_equal(one->promise_s, other->promise_s);
    assert_int_equal(one->eta_first_s, other->eta_first_s);
    assert_int_equal(one->eta_last_s, other->eta_last_s);
    assert_int_equal(one->eta_sequence, other->eta_sequence);
    assert_int_equal(one->at_risk, other->at_risk);
    assert_int_equal(one->carrier_number_length, other->carrier_number_length);
    assert_memory_equal(one->carrier_number, other->carrier_number, one->carrier_number_length);
    assert_facts_equal(one, other);
    assert_lists_equal(one, other);
}

static uint32_t deadline_first(const struct parcel *p)
{
    uint32_t first_s = 0;

    for (int i = 0; i < p->deadlines_count; i++)
        if (first_s == 0 || p->deadlines[i].at_s < first_s)
            first_s = p->deadlines[i].at_s;
    return first_s;
}

/* A copy of exactly its length, so that a sanitizer sees one byte too many. */
static uint8_t *exact_copy(const uint8_t *bytes, size_t length)
{
    uint8_t *copy = malloc(length == 0 ? 1 : length);

    assert_non_null(copy);
    memcpy(copy, bytes, length);
    return copy;
}

static void random_numbered(struct random *r, struct parcel *p)
{
    random_parcel(r, p);
    p->number_length = random_number((uint32_t)random_next(r), 1 + random_below(r, PARCEL_MAX),
                                     p->number);
}

static void comes_back(void **state)
{
    struct random r = {1};

    (void)state;
    for (int round = 0; round < 20000; round++) {
        uint8_t       bytes[RECORD_BYTES_MAX], again[RECORD_BYTES_MAX];
        char          number[PARCEL_MAX];
        struct parcel before, after;

        random_numbered(&r, &before);
        size_t length = record_pack(&before, bytes);

        assert_int_equal(length, record_size(&before));
        assert_true(length <= RECORD_BYTES_MAX);
        memset(&after, 0xA5, sizeof after); /* what unpacking forgets to set is seen */
        assert_int_equal(record_unpack(bytes, length, &after), 0);
        assert_parcels_equal(&before, &after);
        assert_int_equal(record_pack(&after, again), length);
        assert_memory_equal(again, bytes, length);

        assert_int_equal(record_number(bytes, number), before.number_length);
        assert_memory_equal(number, before.number, before.number_length);
        assert_true(record_is(bytes, before.number, before.number_length));
        assert_false(record_is(bytes, before.number, before.number_length - 1u));
        number[before.number_length - 1] ^= 1;
        assert_false(record_is(bytes, number, before.number_length));
        assert_int_equal(record_deadline_first(bytes), deadline_first(&before));
    }
}

static void tombstone_keeps_what_it_says(void **state)
{
    static const uint8_t ends[][2] = {
        {STATE_DELIVERED, SCAN_DELIVERED}, {STATE_RETURNED, SCAN_RETURNED},
        {STATE_LOST, SCAN_LOST}, {STATE_DESTROYED, SCAN_DESTROYED},
        {STATE_CANCELLED, SCAN_CANCELLED},
    };
    const uint16_t flags = PARCEL_RETURNING | PARCEL_PARTIAL | PARCEL_CROSS_BORDER
                         | PARCEL_ARRIVED | PARCEL_HISTORIC | PARCEL_TOMBSTONE;
    struct random r = {2};

    (void)state;
    for (int round = 0; round < 5000; round++) {
        uint32_t      end = random_below(&r, 5);
        uint8_t       bytes[RECORD_BYTES_MAX];
        struct parcel before, after;

        random_numbered(&r, &before);
        before.state = ends[end][0];
        before.flags = (uint16_t)((random_next(&r) & flags) | PARCEL_TOMBSTONE);
        size_t length = record_pack(&before, bytes);

        assert_int_equal(length, record_size(&before));
        if (before.alerts_count + before.unsent_count == 0)
            assert_int_equal(length, 13u + before.number_length);
        memset(&after, 0xA5, sizeof after);
        assert_int_equal(record_unpack(bytes, length, &after), 0);
        assert_true(record_is(bytes, before.number, before.number_length));
        assert_int_equal(after.flags, before.flags);
        assert_int_equal(after.life, before.life);
        assert_int_equal(after.state, before.state);
        assert_int_equal(after.code, ends[end][1]);
        assert_int_equal(after.state_s, before.state_s);
        assert_int_equal(after.history_count, 0);
        assert_int_equal(after.alerts_count, before.alerts_count);
        assert_alerts_equal(before.alerts, after.alerts, before.alerts_count);
        assert_int_equal(after.unsent_count, before.unsent_count);
        assert_alerts_equal(before.unsent, after.unsent, before.unsent_count);
        assert_int_equal(record_deadline_first(bytes), deadline_first(&after));
    }
}

static void house_deadline_outlives_the_shrink(void **state)
{
    struct parcel p;
    uint8_t       bytes[RECORD_BYTES_MAX];

    (void)state;
    typical_parcel(1, &p);
    p.state = STATE_DELIVERED;
    p.flags |= PARCEL_TOMBSTONE;
    size_t length = record_pack(&p, bytes);

    assert_int_equal(length, 13 + 15);
    assert_int_equal(record_deadline_first(bytes), 1705000000);
    assert_int_equal(record_unpack(bytes, length, &p), 0);
    assert_int_equal(p.deadlines_count, 1);
    assert_int_equal(p.deadlines[0].detector, DEADLINE_HOUSE);
    assert_int_equal(p.deadlines[0].at_s, 1705000000);
}

static void sizes_are_kept(void **state)
{
    struct parcel p;

    (void)state;
    typical_parcel(1, &p);
    assert_int_equal(record_size(&p), 143);
    p.promise_s = p.eta_first_s = p.eta_last_s = p.eta_sequence = p.deadlines_count = 0;
    assert_int_equal(record_size(&p), 48 + 8 * 8);
    p.history_count = 0;
    assert_int_equal(record_size(&p), 48);
    p.alerts_count = 1;
    assert_true(record_size(&p) <= 48 + 44);
}

static void cut_short_is_refused(void **state)
{
    struct random r = {3};

    (void)state;
    for (int round = 0; round < 200; round++) {
        uint8_t       bytes[RECORD_BYTES_MAX];
        struct parcel p;

        random_numbered(&r, &p);
        if (random_one_in(&r, 4)) {
            p.state = STATE_LOST;
            p.flags = PARCEL_TOMBSTONE;
        }
        size_t length = record_pack(&p, bytes);

        for (size_t cut = 0; cut < length; cut++) {
            uint8_t *copy = exact_copy(bytes, cut);

            assert_int_equal(record_unpack(copy, cut, &p), -1);
            assert_string_not_equal(error_text(), "");
            free(copy);
        }
        bytes[length] = 0;
        assert_int_equal(record_unpack(bytes, length + 1, &p), -1);
    }
}

static void damage_is_refused_or_harmless(void **state)
{
    struct random r = {4};
    int           refused = 0, taken = 0;

    (void)state;
    for (int round = 0; round < 50000; round++) {
        uint8_t       bytes[RECORD_BYTES_MAX], again[RECORD_BYTES_MAX];
        struct parcel p;

        random_numbered(&r, &p);
        if (random_one_in(&r, 4)) {
            p.state = STATE_RETURNED;
            p.flags = PARCEL_TOMBSTONE;
        }
        size_t length = record_pack(&p, bytes);

        for (uint32_t hits = 1 + random_below(&r, 3); hits > 0; hits--)
            bytes[random_below(&r, random_one_in(&r, 2) ? (uint32_t)length : 16) % length] ^=
                (uint8_t)(1u << random_below(&r, 8));
        uint8_t *copy = exact_copy(bytes, length);

        if (record_unpack(copy, length, &p) != 0) {
            refused++;
        } else {
            taken++;
            assert_int_equal(record_pack(&p, again), length);
            assert_int_equal(again[0], RECORD_FORMAT); /* what was read in the one before, too */
            assert_memory_equal(again + 1, bytes + 1, length - 1);
        }
        free(copy);
    }
    assert_true(refused > 1000 && taken > 1000);
}

/* Bytes that say nothing where nothing should stand, one by one. */
static void other_forms_are_refused(void **state)
{
    enum { PRESENT = 6, ENDS_TOP = 15, OPTIONAL = 48, HAS_ALERTS = 32, HAS_UNSENT = 64 };
    struct parcel p, q;
    uint8_t       bytes[RECORD_BYTES_MAX];
    size_t        length;

    (void)state;
    memset(&p, 0, sizeof p);
    p.number_length = random_number(1, 15, p.number);
    p.promise_s = 1;
    length = record_pack(&p, bytes);
    bytes[OPTIONAL] = 0;
    assert_int_equal(record_unpack(bytes, length, &q), -1);

    p.promise_s = 0;
    p.at_risk = 1;
    length = record_pack(&p, bytes);
    bytes[OPTIONAL + 10] = 0;
    assert_int_equal(record_unpack(bytes, length, &q), -1);

    p.at_risk = 0;
    p.physical_s = 1;
    length = record_pack(&p, bytes);
    bytes[OPTIONAL] = 0;
    assert_int_equal(record_unpack(bytes, length, &q), -1);

    p.physical_s = 0;
    p.unsent_count = ALERTS_MAX + 1; /* too many to be alerts */
    length = record_pack(&p, bytes);
    bytes[PRESENT] = HAS_ALERTS;
    assert_int_equal(record_unpack(bytes, length, &q), -1);
    bytes[PRESENT] = HAS_UNSENT;
    assert_int_equal(record_unpack(bytes, length, &q), 0);
    bytes[ENDS_TOP] |= 128;
    assert_int_equal(record_unpack(bytes, length, &q), -1);
}

static void unknown_format_is_named(void **state)
{
    struct parcel p;
    uint8_t       bytes[RECORD_BYTES_MAX];

    (void)state;
    typical_parcel(1, &p);
    size_t length = record_pack(&p, bytes);

    assert_int_equal(bytes[0], RECORD_FORMAT);
    bytes[0] = 3;
    assert_int_equal(record_unpack(bytes, length, &p), -1);
    assert_non_null(strstr(error_text(), "format 3"));
}

/* Format 1: the same without facts, so the byte that says which follow cannot name them. */
static void previous_format_is_read(void **state)
{
    struct random r = {5};

    (void)state;
    for (int round = 0; round < 2000; round++) {
        uint8_t       bytes[RECORD_BYTES_MAX], again[RECORD_BYTES_MAX];
        struct parcel before, after;

        random_numbered(&r, &before);
        if (random_one_in(&r, 4)) {
            before.state = STATE_DELIVERED;
            before.flags = PARCEL_TOMBSTONE;
        }
        size_t length = record_pack(&before, bytes);
        bool   facts = before.facts != 0 && !(before.flags & PARCEL_TOMBSTONE);

        bytes[0] = RECORD_FORMAT_BEFORE;
        memset(&after, 0xA5, sizeof after);
        assert_int_equal(record_unpack(bytes, length, &after), facts ? -1 : 0);
        if (facts)
            continue;
        assert_int_equal(record_pack(&after, again), length);
        assert_int_equal(again[0], RECORD_FORMAT);
        assert_memory_equal(again + 1, bytes + 1, length - 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back),
        cmocka_unit_test(tombstone_keeps_what_it_says),
        cmocka_unit_test(house_deadline_outlives_the_shrink),
        cmocka_unit_test(sizes_are_kept),
        cmocka_unit_test(cut_short_is_refused),
        cmocka_unit_test(damage_is_refused_or_harmless),
        cmocka_unit_test(other_forms_are_refused),
        cmocka_unit_test(unknown_format_is_named),
        cmocka_unit_test(previous_format_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
