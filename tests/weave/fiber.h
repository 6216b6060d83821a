/* fiber.h - threads that are none: all on one, switched at marks, as a seed decides.
 *
 * A fiber runs until it meets a mark (pipeline/weave.h) or sleeps on a wake; then
 * the seed says who goes on.  A sleeping fiber goes on only after its wake was
 * raised: there is no time limit that would cover up for a wake-up that is missing.
 */
#ifndef WEAVE_FIBER_H
#define WEAVE_FIBER_H

#include <stdbool.h>
#include <stdint.h>

struct wake;

enum { FIBERS_MAX = 8 };

struct fiber_body {
    void (*run)(void *self);
    void *self;
};

/* Runs all bodies to their ends.  false: every fiber that is left sleeps. */
bool fibers_run(const struct fiber_body *bodies, uint32_t count, uint64_t seed);

/* Inside a fiber.  Sleeps until the wake's value is another. */
void fiber_sleep(const struct wake *, uint32_t value);

/* A number below `below`, as the seed decides; also for scenarios' own choices. */
uint32_t fiber_pick(uint32_t below);

/* Notes what was wrong; the first one counts.  "" = nothing was. */
void        weave_fail(const char *what);
const char *weave_failure(void);
void        weave_forget(void);

#endif
