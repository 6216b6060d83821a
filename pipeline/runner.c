/* runner.c - the loop, and how it sleeps.
 *
 * An event count (ck_ec) is a number that is raised by whoever has news.  The
 * loop reads it before it looks for work and sleeps only while it is still the
 * same, so news that came in between keeps it awake: no lock, no lost wake-up,
 * and no system call for news that arrives while it is awake.
 */
#include "pipeline/runner.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <ck_ec.h>

#include "pipeline/check.h"
#include "pipeline/clock.h"
#include "pipeline/error.h"

enum { WAKE_MAGIC = 0x3A4EC001, RUNNER_MAGIC = 0x40A9E401, LINE_BYTES = 64 };

struct wake {
    _Alignas(LINE_BYTES) struct ck_ec32 count;
    uint32_t                            magic;
};

struct runner {
    uint32_t         magic;
    char             name[16]; /* as long as the kernel's thread names */
    struct wake     *wake;
    int            (*turn)(void *self);
    void            *self;
    pthread_t        thread;
    _Atomic uint64_t turned_ns;
};

/* A sleep is real time even where a test put another clock in place: the kernel wakes us
 * by its own. */
static int ec_time(const struct ck_ec_ops *ops, struct timespec *now)
{
    CHECK(ops != NULL);
    CHECK(now != NULL);
    return clock_gettime(CLOCK_MONOTONIC, now);
}

static void futex_wait(const void *at, uint32_t expected, const struct timespec *deadline)
{
    CHECK((uintptr_t)at % sizeof(uint32_t) == 0);
    /* Comes back early for any reason; ck_ec looks again. */
    (void)syscall(SYS_futex, at, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, expected, deadline,
                  NULL, FUTEX_BITSET_MATCH_ANY);
}

/* ck hands its waiter pieces of its own choosing; a runner sleeps to its deadline in one. */
static _Thread_local struct timespec sleep_until;

static void ec_wait(const struct ck_ec_wait_state *state, const uint32_t *at, uint32_t expected,
                    const struct timespec *piece)
{
    CHECK(state != NULL && at != NULL);
    CHECK(piece != NULL);
    futex_wait(at, expected, &sleep_until);
}

static void ec_wake(const struct ck_ec_ops *ops, const uint32_t *at)
{
    int before = errno; /* a signal handler may be the one who wakes */

    CHECK(ops != NULL);
    CHECK(at != NULL);
    (void)syscall(SYS_futex, at, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0);
    errno = before;
}

/* ck_ec spins before it sleeps and sleeps in growing pieces, both for the sake of its
 * single-producer mode, which we do not use: one look, one sleep. */
static const struct ck_ec_ops ec_ops = {
    .gettime        = ec_time,
    .wait32         = ec_wait,
    .wake32         = ec_wake,
    .busy_loop_iter = 1,
    .initial_wait_ns = 1000u * 1000u * RUNNER_SLEEP_MS_MAX * 2,
};
static const struct ck_ec_mode ec_mode = {.ops = &ec_ops, .single_producer = false};

struct wake *wake_create(void)
{
    struct wake *wake = aligned_alloc(LINE_BYTES, sizeof *wake);

    CHECK(wake != NULL);
    memset(wake, 0, sizeof *wake);
    ck_ec32_init(&wake->count, 0);
    wake->magic = WAKE_MAGIC;
    return wake;
}

void wake_destroy(struct wake *wake)
{
    if (wake == NULL)
        return;
    CHECK_MAGIC(wake, WAKE_MAGIC);
    wake->magic = 0;
    free(wake);
}

void wake_up(struct wake *wake)
{
    CHECK_MAGIC(wake, WAKE_MAGIC);
    ck_ec32_inc(&wake->count, &ec_mode);
}

uint32_t wake_value(const struct wake *wake)
{
    CHECK_MAGIC(wake, WAKE_MAGIC);
    return ck_ec32_value(&wake->count);
}

bool wake_wait(struct wake *wake, uint32_t value, int64_t ms)
{
    const struct timespec length = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    struct timespec       deadline;

    CHECK_MAGIC(wake, WAKE_MAGIC);
    CHECK(ms >= 0);
    CHECK(ck_ec_deadline(&deadline, &ec_mode, &length) == 0);
    sleep_until = deadline;
    return ck_ec32_wait(&wake->count, &ec_mode, value, &deadline) == 0;
}

static void *run(void *self)
{
    struct runner *runner = self;
    int64_t        sleep_ms = 1;

    CHECK_MAGIC(runner, RUNNER_MAGIC);
    CHECK(runner->turn != NULL);
    (void)pthread_setname_np(pthread_self(), runner->name);
    for (;;) {
        uint32_t value = wake_value(runner->wake); /* before the look, see above */

        atomic_store_explicit(&runner->turned_ns, clock_monotonic_ns(), memory_order_relaxed);
        int work = runner->turn(runner->self);
        CHECK(work >= -1);
        if (work < 0)
            return NULL;
        if (work > 0 || wake_wait(runner->wake, value, sleep_ms))
            sleep_ms = 1;
        else
            sleep_ms = sleep_ms * 2 < RUNNER_SLEEP_MS_MAX ? sleep_ms * 2 : RUNNER_SLEEP_MS_MAX;
    }
}

struct runner *runner_start(const char *name, struct wake *wake, int (*turn)(void *self),
                            void *self)
{
    sigset_t all, before;

    CHECK(name != NULL && turn != NULL);
    CHECK_MAGIC(wake, WAKE_MAGIC);
    struct runner *runner = calloc(1, sizeof *runner);
    CHECK(runner != NULL);
    runner->magic = RUNNER_MAGIC;
    runner->wake = wake;
    runner->turn = turn;
    runner->self = self;
    (void)snprintf(runner->name, sizeof runner->name, "%s", name);
    /* Signals are the main thread's business. */
    CHECK(sigfillset(&all) == 0);
    CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    int error = pthread_create(&runner->thread, NULL, run, runner);
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    if (error != 0) {
        (void)error_set("thread %s: %s", name, strerror(error));
        free(runner);
        return NULL;
    }
    return runner;
}

void runner_join(struct runner *runner)
{
    if (runner == NULL)
        return;
    CHECK_MAGIC(runner, RUNNER_MAGIC);
    CHECK(pthread_join(runner->thread, NULL) == 0);
    runner->magic = 0;
    free(runner);
}

uint64_t runner_turned_ns(const struct runner *runner)
{
    CHECK_MAGIC(runner, RUNNER_MAGIC);
    return atomic_load_explicit(&runner->turned_ns, memory_order_relaxed);
}
