/* Estimates that wait, beside the plainest queue there is: a list searched from its start. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "stages/eta_queue.h"
#include "stages/ports.h"

struct ports ports;

enum { PARCELS = 3 * ETA_QUEUE_MAX, ROUNDS = 200000 };

static uint64_t chance = 88172645463325252;

static uint32_t roll(uint32_t sides)
{
    chance ^= chance << 13;
    chance ^= chance >> 7;
    chance ^= chance << 17;
    return (uint32_t)(chance >> 32) % sides;
}

/* Half of them fall on the same few slots. */
static uint64_t hash_of(uint32_t parcel)
{
    return parcel % 2 == 0 ? (uint64_t)parcel << 20 : parcel * 0x9E3779B97F4A7C15u;
}

static uint32_t newest[PARCELS];   /* of each parcel that waits, its sequence; 0 = does not */
static uint32_t waiting;

/* Every other one has a trace: its sequence, as often as fits. */
static struct trace trace_of(uint32_t sequence)
{
    struct trace trace = {.length = (uint16_t)(sequence % 2 * (sequence / 2 % 64) * 4)};

    for (uint32_t i = 0; i < trace.length; i += 4)
        memcpy(trace.bytes + i, &sequence, 4);
    return trace;
}

static void put(struct eta_queue *q, uint32_t parcel, uint32_t sequence)
{
    struct eta eta = {.at_s = parcel, .p50_s = sequence};
    struct trace trace = trace_of(sequence);

    assert_int_equal(eta_queue_put(q, hash_of(parcel), &eta, &trace), newest[parcel] != 0);
    waiting += newest[parcel] == 0;
    newest[parcel] = sequence;
}

static void take(struct eta_queue *q)
{
    struct trace trace, wanted;
    const struct eta *eta = eta_queue_take(q, &trace);

    assert_int_equal(eta == NULL, waiting == 0);
    if (eta == NULL)
        return;
    assert_int_equal(eta->p50_s, newest[eta->at_s]);   /* its parcel's newest, and once */
    assert_int_not_equal(eta->p50_s, 0);
    wanted = trace_of(eta->p50_s);
    assert_int_equal(trace.length, wanted.length);
    assert_memory_equal(trace.bytes, wanted.bytes, wanted.length);
    newest[eta->at_s] = 0;
    waiting--;
}

/* Filled and emptied in parts of any size; full, it takes no other parcel. */
static void as_a_list(void **state)
{
    struct eta_queue *q = eta_queue_create();
    uint32_t          full = 0;

    (void)state;
    for (uint32_t i = 1; i <= ROUNDS; i++) {
        uint32_t parcel = roll(i % 50000 < 25000 ? PARCELS : 100);

        if (eta_queue_has_room(q))
            put(q, parcel, i);
        else
            full++;
        if (roll(100) < (i % 20000 < 12000 ? 1 : 60))
            take(q);
        assert_int_equal(eta_queue_count(q), waiting);
    }
    assert_int_not_equal(full, 0);
    while (waiting > 0)
        take(q);
    take(q);
    for (uint32_t i = 0; i < ETA_QUEUE_MAX; i++)   /* as new again */
        put(q, i, 2 * i + 2);      /* of an even sequence: without a trace */
    assert_false(eta_queue_has_room(q));
    eta_queue_destroy(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_a_list)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
