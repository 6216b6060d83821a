/* The loop: turns until told to end, sleeps without work, is woken at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "pipeline/clock.h"
#include "pipeline/runner.h"

struct counter {
    _Atomic int turns, work, end;
};

static int turn(void *self)
{
    struct counter *counter = self;

    atomic_fetch_add(&counter->turns, 1);
    if (atomic_load(&counter->end))
        return -1;
    int work = atomic_load(&counter->work);
    if (work > 0)
        atomic_fetch_sub(&counter->work, 1);
    return work;
}

static void pause_ms(long ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    assert_int_equal(nanosleep(&time, NULL), 0);
}

static void works_without_sleeping_then_sleeps(void **state)
{
    struct counter counter = {.work = 1000};
    struct wake   *wake = wake_create();
    struct runner *runner = runner_start("counter", wake, turn, &counter);

    (void)state;
    assert_non_null(runner);
    for (int i = 0; i < 2000 && atomic_load(&counter.work) > 0; i++)
        pause_ms(1);
    assert_int_equal(atomic_load(&counter.work), 0);
    pause_ms(200); /* by now a sleep is RUNNER_SLEEP_MS_MAX long */
    int before = atomic_load(&counter.turns);
    pause_ms(500);
    assert_in_range(atomic_load(&counter.turns) - before, 4, 14);
    uint64_t now_ns = clock_monotonic_ns();
    assert_true(runner_turned_ns(runner) <= now_ns);
    assert_true(now_ns - runner_turned_ns(runner) < 1000000000u);
    atomic_store(&counter.end, 1);
    wake_up(wake);
    runner_join(runner);
    wake_destroy(wake);
}

static void a_wake_is_not_missed(void **state)
{
    struct wake *wake = wake_create();

    (void)state;
    uint32_t value = wake_value(wake);
    wake_up(wake); /* between the look and the sleep */
    uint64_t began_ns = clock_monotonic_ns();
    assert_true(wake_wait(wake, value, 5000));
    assert_true(clock_monotonic_ns() - began_ns < 1000000000u);
    value = wake_value(wake);
    began_ns = clock_monotonic_ns();
    assert_false(wake_wait(wake, value, 20));
    assert_true(clock_monotonic_ns() - began_ns >= 19000000u);
    assert_false(wake_wait(wake, value, 0));
    wake_destroy(wake);
    wake_destroy(NULL);
    runner_join(NULL);
}

/* Two runners throw a ball to each other; each sleeps while the other has it. */
struct player {
    struct wake   *other;
    struct player *partner;
    _Atomic int    ball, throws;
    int            most;
};

static int play(void *self)
{
    struct player *player = self;

    if (atomic_load(&player->throws) >= player->most)
        return -1;
    if (!atomic_exchange(&player->ball, 0))
        return 0;
    atomic_fetch_add(&player->throws, 1);
    atomic_store(&player->partner->ball, 1);
    wake_up(player->other);
    return 1;
}

static void wakes_at_once(void **state)
{
    struct wake  *wakes[2] = {wake_create(), wake_create()};
    struct player players[2] = {
        {.other = wakes[1], .partner = &players[1], .most = 2000, .ball = 1},
        {.other = wakes[0], .partner = &players[0], .most = 2000},
    };

    (void)state;
    uint64_t       began_ns = clock_monotonic_ns();
    struct runner *a = runner_start("a", wakes[0], play, &players[0]);
    struct runner *b = runner_start("a name that is too long for a thread", wakes[1], play,
                                    &players[1]);
    runner_join(a);
    runner_join(b);
    uint64_t took_ns = clock_monotonic_ns() - began_ns;
    print_message("%lld ns per wake-up\n", (long long)(took_ns / 4000));
    assert_true(took_ns < 2000000000u); /* without wake-ups it would be 4 s and more */
    wake_destroy(wakes[0]);
    wake_destroy(wakes[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(works_without_sleeping_then_sleeps),
        cmocka_unit_test(a_wake_is_not_missed),
        cmocka_unit_test(wakes_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
