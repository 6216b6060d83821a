/* The clock: the system's by default, a test's when put in place, and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "pipeline/clock.h"

static void system_by_default(void **state)
{
    uint64_t before = clock_monotonic_ns(), after = clock_monotonic_ns();
    int64_t  wall_s = clock_wall_ms() / 1000;
    int64_t  now_s = (int64_t)time(NULL);

    (void)state;
    assert_true(before > 0 && after >= before);
    assert_true(wall_s - now_s <= 1 && now_s - wall_s <= 1);
    assert_true(clock_boot_ns() + 1000000 >= after); /* it includes suspension */
}

static uint64_t fixed_monotonic(void *self)
{
    return *(uint64_t *)self;
}

static int64_t fixed_wall(void *self)
{
    return (int64_t)*(uint64_t *)self + 1;
}

static uint64_t fixed_boot(void *self)
{
    return *(uint64_t *)self + 2;
}

static void anothers_when_put_in_place(void **state)
{
    uint64_t            now = 5;
    struct clock_source source = {fixed_monotonic, fixed_wall, fixed_boot, &now};

    (void)state;
    clock_use(&source);
    assert_int_equal(clock_monotonic_ns(), 5);
    now = 100;
    assert_int_equal(clock_monotonic_ns(), 100);
    assert_int_equal(clock_wall_ms(), 101);
    assert_int_equal(clock_boot_ns(), 102);
    clock_use(NULL);
    assert_true(clock_monotonic_ns() > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(system_by_default),
        cmocka_unit_test(anothers_when_put_in_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
