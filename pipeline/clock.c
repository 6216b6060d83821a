/* clock.c - asks the operating system, or whoever a test put in its place. */
#include "pipeline/clock.h"

#include <stddef.h>
#include <time.h>

#include "pipeline/check.h"

static const struct clock_source *put_in_place; /* NULL: the operating system */

void clock_use(const struct clock_source *source)
{
    if (source != NULL) {
        CHECK(source->monotonic_ns != NULL);
        CHECK(source->wall_ms != NULL);
        CHECK(source->boot_ns != NULL);
    }
    put_in_place = source;
}

static struct timespec ask(clockid_t which)
{
    struct timespec time;

    CHECK(clock_gettime(which, &time) == 0);
    CHECK(time.tv_nsec >= 0 && time.tv_nsec < 1000000000);
    return time;
}

static uint64_t ask_ns(clockid_t which)
{
    struct timespec time = ask(which);

    CHECK(which != CLOCK_REALTIME); /* that one may be set back */
    CHECK(time.tv_sec >= 0);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

uint64_t clock_monotonic_ns(void)
{
    return put_in_place != NULL ? put_in_place->monotonic_ns(put_in_place->self)
                                : ask_ns(CLOCK_MONOTONIC);
}

int64_t clock_wall_ms(void)
{
    if (put_in_place != NULL)
        return put_in_place->wall_ms(put_in_place->self);
    struct timespec time = ask(CLOCK_REALTIME);

    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

uint64_t clock_boot_ns(void)
{
    return put_in_place != NULL ? put_in_place->boot_ns(put_in_place->self)
                                : ask_ns(CLOCK_BOOTTIME);
}
