/* runner.h - a thread and its stages; the only loop in the program.
 *
 * A runner turns each of its stages once, and sleeps on its wake (an event
 * count) when none had work: first a millisecond, then longer while nothing
 * comes, up to RUNNER_SLEEP_MS_MAX; links and libraries wake it at once.
 */
#ifndef PIPELINE_RUNNER_H
#define PIPELINE_RUNNER_H

#include <stdbool.h>
#include <stdint.h>

struct runner;
struct wake;

enum { RUNNER_SLEEP_MS_MAX = 50 };

/* owns: the caller.  thread: any, while nobody uses it. */
struct wake *wake_create(void);
void         wake_destroy(struct wake *);
void         wake_up(struct wake *);   /* thread: any; async-signal-safe */

/* To sleep without missing a wake_up: read the value, look for work, and only when there
 * was none wait for the value to change.  Returns whether it changed within `ms`.
 * thread: one that waits. */
uint32_t wake_value(const struct wake *);
bool     wake_wait(struct wake *, uint32_t value, int64_t ms);

/* `turn` is called over and over; it returns work done, 0 = nothing, -1 = all halted.
 * NULL with the error trail when there is no thread to be had.
 * owns: the caller keeps self and wake alive until runner_join. */
struct runner *runner_start(const char *name, struct wake *, int (*turn)(void *self), void *self);
void           runner_join(struct runner *);           /* waits for the thread, frees */
uint64_t       runner_turned_ns(const struct runner *); /* thread: any */

#endif
