/* clock.h - the only way to ask what time it is, so that a simulation can answer.
 *
 * Engine callbacks get monotonic time as an argument (now_ns); wall time and
 * boot time are asked for here.  By default the operating system answers; a
 * test or the simulator puts its own source in place before any stage runs.
 */
#ifndef PIPELINE_CLOCK_H
#define PIPELINE_CLOCK_H

#include <stdint.h>

struct clock_source {
    uint64_t (*monotonic_ns)(void *self); /* CLOCK_MONOTONIC                          */
    int64_t  (*wall_ms)(void *self);      /* Unix time                                */
    uint64_t (*boot_ns)(void *self);      /* CLOCK_BOOTTIME: goes on while suspended   */
    void     *self;
};

/* NULL puts the operating system back.  owns: the caller keeps *source alive.
 * thread: before threads start, or on the one thread of a simulation. */
void clock_use(const struct clock_source *source);

/* thread: any. */
uint64_t clock_monotonic_ns(void);
int64_t  clock_wall_ms(void);
uint64_t clock_boot_ns(void);

#endif
