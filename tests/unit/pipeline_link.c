/* The link beside a reference of counters on one thread; then two threads, in both of which
 * every batch makes its round in order and nobody misses a wake-up. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "pipeline/batch.h"
#include "pipeline/clock.h"
#include "pipeline/link.h"
#include "pipeline/runner.h"

enum { KIND = 2, DEPTH = 4, OUT_MAX = 6 };

static const struct batch_shape shape = {.kind = KIND, .head_size = sizeof(int64_t)};

static uint64_t random_state = 88172645463325252u;

static uint32_t pick(uint32_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 33) % below;
}

static void beside_the_reference(void **state)
{
    struct link  *link = link_create("a→b", KIND, DEPTH, OUT_MAX, NULL, NULL);
    struct pool  *pool = pool_create(&shape, OUT_MAX);
    struct batch *held[OUT_MAX];
    uint32_t      waiting = 0, holding = 0, back = 0;
    int64_t       pushed = 0, popped = 0;

    (void)state;
    assert_string_equal(link_name(link), "a→b");
    assert_int_equal(link_kind(link), KIND);
    assert_int_equal(link_outstanding_max(link), OUT_MAX);
    for (int step = 0; step < 100000; step++) {
        uint32_t ahead = DEPTH - waiting, out = OUT_MAX - waiting - holding - back;
        uint32_t room = ahead < out ? ahead : out;

        assert_int_equal(link_room(link), room);
        assert_int_equal(link_waiting(link), waiting);
        assert_int_equal(link_held(link), holding);
        assert_int_equal(link_outstanding(link), waiting + holding + back);
        assert_int_equal(link_ready(link, 2), room >= 2);
        assert_false(link_finished(link));
        struct batch *batch = NULL;
        switch (pick(5)) {
        case 0:
        case 1:
            if (room == 0)
                break;
            batch = pool_take(pool);
            batch->offset_first = pushed++;
            link_push(link, &batch);
            assert_null(batch);
            waiting++;
            break;
        case 2:
            batch = link_peek(link);
            assert_true((batch != NULL) == (waiting > 0));
            if (batch == NULL || pick(3) == 0)
                break;
            assert_ptr_equal(link_pop(link), batch);
            assert_int_equal(batch->offset_first, popped++);
            held[holding++] = batch;
            waiting--;
            break;
        case 3:
            if (holding == 0)
                break;
            uint32_t which = pick(holding);
            link_finish(link, &held[which]);
            held[which] = held[--holding];
            back++;
            break;
        default:
            batch = link_returned(link);
            assert_true((batch != NULL) == (back > 0));
            if (batch == NULL)
                break;
            pool_give(pool, &batch);
            back--;
            break;
        }
    }
    link_close(link);
    assert_int_equal(link_finished(link), waiting == 0);
    pool_abandon(true);
    pool_destroy(pool);
    pool_abandon(false);
    link_destroy(link);
}

static void finished_before_popped(void **state)
{
    struct link  *link = link_create("a→b", KIND, 1, 1, NULL, NULL);
    struct pool  *pool = pool_create(&shape, 1);
    struct batch *batch = pool_take(pool);

    (void)state;
    link_push(link, &batch);
    struct batch *head = link_peek(link);
    link_finish(link, &head);
    batch = link_returned(link);
    assert_non_null(batch);
    assert_int_equal(link_room(link), 0); /* it still takes a place until it is popped */
    (void)link_pop(link);
    assert_int_equal(link_room(link), 1);
    assert_int_equal(link_held(link), 0);
    link_close(link);
    assert_true(link_finished(link));
    pool_give(pool, &batch);
    pool_destroy(pool);
    link_destroy(link);
}

static void forwarded_batches_come_back_by_the_same_way(void **state)
{
    struct link  *first = link_create("a→b", KIND, 2, 2, NULL, NULL);
    struct link  *second = link_create("b→c", KIND, 2, 2, NULL, NULL);
    struct pool  *pool = pool_create(&shape, 1);
    struct batch *batch = pool_take(pool);

    (void)state;
    link_push(first, &batch);
    batch = link_pop(first);
    assert_ptr_equal(batch_via(batch), first);
    link_push(second, &batch);
    batch = link_pop(second);
    assert_ptr_equal(batch_via(batch), second);
    link_finish(second, &batch);
    batch = link_returned(second);
    assert_ptr_equal(batch_via(batch), first);
    link_finish(first, &batch);
    batch = link_returned(first);
    assert_null(batch_via(batch));
    pool_give(pool, &batch);
    pool_destroy(pool);
    link_destroy(first);
    link_destroy(second);
}

/* Two threads that sleep without a time limit worth the name: a missed wake-up would be
 * seen as a round that takes seconds. */
struct ends {
    struct link *link;
    struct wake *producer, *consumer;
    int64_t      total;
    int64_t      received;
};

static void *consume(void *self)
{
    struct ends *ends = self;

    for (;;) {
        uint32_t      value = wake_value(ends->consumer);
        bool          finished = link_finished(ends->link);
        struct batch *batch = link_peek(ends->link);

        if (batch != NULL) {
            (void)link_pop(ends->link);
            int64_t *note = batch->head;
            assert_int_equal(batch->offset_first, ends->received++);
            *note = batch->offset_first * 3;
            link_finish(ends->link, &batch);
        } else if (finished) {
            return NULL;
        } else {
            (void)wake_wait(ends->consumer, value, 20000);
        }
    }
}

static void produce(struct ends *ends, struct pool *pool)
{
    int64_t sent = 0, back = 0;

    while (back < ends->total) {
        uint32_t      value = wake_value(ends->producer);
        struct batch *batch = link_returned(ends->link);
        bool          work = batch != NULL;

        if (batch != NULL) {
            assert_int_equal(*(int64_t *)batch->head, back * 3);
            back++;
            pool_give(pool, &batch);
        }
        if (sent < ends->total && link_ready(ends->link, 2)) {
            batch = pool_take(pool);
            batch->offset_first = sent++;
            link_push(ends->link, &batch);
            work = true;
            if (sent == ends->total)
                link_close(ends->link);
        }
        if (!work)
            (void)wake_wait(ends->producer, value, 20000);
    }
}

static void two_threads(void **state)
{
    struct ends ends = {.producer = wake_create(), .consumer = wake_create(), .total = 100000};
    struct pool *pool = pool_create(&shape, 64);
    pthread_t    thread;

    (void)state;
    ends.link = link_create("a→b", KIND, 32, 64, ends.producer, ends.consumer);
    uint64_t began_ns = clock_monotonic_ns();
    assert_int_equal(pthread_create(&thread, NULL, consume, &ends), 0);
    produce(&ends, pool);
    assert_int_equal(pthread_join(thread, NULL), 0);
    uint64_t took_ns = clock_monotonic_ns() - began_ns;
    print_message("%lld ns per round between two threads\n",
                  (long long)(took_ns / (uint64_t)ends.total));
    assert_true(took_ns < 15000000000u);
    assert_int_equal(ends.received, ends.total);
    assert_int_equal(link_outstanding(ends.link), 0);
    pool_destroy(pool);
    link_destroy(ends.link);
    wake_destroy(ends.producer);
    wake_destroy(ends.consumer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(beside_the_reference),
        cmocka_unit_test(finished_before_popped),
        cmocka_unit_test(forwarded_batches_come_back_by_the_same_way),
        cmocka_unit_test(two_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
