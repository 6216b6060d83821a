/* Changes of alerts: in order, each once, not before the cut that holds it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stages/alert_queue.h"
#include "stages/ports.h"

struct ports ports;

static struct alert_queue queue;

static void add(uint16_t sequence, uint64_t cut, bool sent)
{
    struct alert_change *change = alert_queue_add(&queue);

    *change = (struct alert_change) {.alert = {.sequence = sequence}, .cut = cut, .sent = sent};
}

static void empty(void **state)
{
    (void)state;
    assert_null(alert_queue_first(&queue, UINT64_MAX));
    assert_int_equal(alert_queue_count(&queue), 0);
    alert_queue_free(&queue);
}

/* What the index does not know yet is nobody's to take, applied or not. */
static void waits_for_its_cut(void **state)
{
    (void)state;
    add(1, 7, false);
    assert_null(alert_queue_first(&queue, 7));
    queue.indexed = queue.count;
    assert_null(alert_queue_first(&queue, 6));
    assert_int_equal(alert_queue_first(&queue, 7)->alert.sequence, 1);
    alert_queue_pop(&queue);
    assert_int_equal(alert_queue_count(&queue), 0);
    alert_queue_free(&queue);
}

static void passes_over_what_was_sent(void **state)
{
    (void)state;
    add(1, 1, true);
    add(2, 1, false);
    add(3, 1, true);
    queue.indexed = queue.count;
    assert_int_equal(alert_queue_first(&queue, 1)->alert.sequence, 2);
    alert_queue_pop(&queue);
    assert_null(alert_queue_first(&queue, 1));
    assert_int_equal(alert_queue_count(&queue), 0);
    alert_queue_free(&queue);
}

/* Thousands come and go, a cut at a time, beside a plain counter. */
static void in_order(void **state)
{
    uint16_t added = 0, taken = 0;

    (void)state;
    for (uint64_t cut = 1; cut < 300; cut++) {
        for (uint64_t i = 0; i < cut * 7 % 100; i++)
            add(++added, cut, false);
        queue.indexed = queue.count;
        for (uint64_t i = 0; i < cut * 5 % 90; i++) {
            const struct alert_change *first = alert_queue_first(&queue, cut);

            if (first == NULL)
                break;
            assert_int_equal(first->alert.sequence, ++taken);
            alert_queue_pop(&queue);
        }
        assert_int_equal(alert_queue_count(&queue), added - taken);
    }
    assert_true(taken > 5000 && queue.size < 8192);
    alert_queue_free(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty),
        cmocka_unit_test(waits_for_its_cut),
        cmocka_unit_test(passes_over_what_was_sent),
        cmocka_unit_test(in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
