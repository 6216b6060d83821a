/* runner.h - a thread and its stages; the only loop in the program.
 *
 * A runner turns each of its stages once, and sleeps on its wake (an event
 * count) when none had work: first a millisecond, then longer while nothing
 * comes, up to RUNNER_SLEEP_MS_MAX; links and libraries wake it at once.
 */
#ifndef PIPELINE_RUNNER_H
#define PIPELINE_RUNNER_H

#include <stdint.h>

struct runner;
struct wake;

enum { RUNNER_SLEEP_MS_MAX = 50 };

struct wake *wake_create(void);
void         wake_destroy(struct wake *);
void         wake_up(struct wake *);   /* thread: any; async-signal-safe */

/* `turn` is called over and over; it returns work done, 0 = nothing, -1 = all halted.
 * owns: the caller keeps self and wake alive until runner_join. */
struct runner *runner_start(const char *name, struct wake *, int (*turn)(void *self), void *self);
void           runner_join(struct runner *);           /* waits for the thread, frees */
uint64_t       runner_turned_ns(const struct runner *); /* thread: any */

#endif
