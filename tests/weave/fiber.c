/* fiber.c - ucontext coroutines and the seed that chooses among them.
 *
 * Few switches find what many hide, and the other way round: each seed has its own
 * rate, from one switch in two marks to one in thirty-two.
 */
#include "fiber.h"

#include <stddef.h>
#include <string.h>
#include <ucontext.h>

#include "pipeline/check.h"
#include "pipeline/runner.h"
#include "pipeline/weave.h"

enum { STACK_BYTES = 256 * 1024 };

struct fiber {
    ucontext_t         context;
    struct fiber_body  body;
    bool               ended;
    const struct wake *asleep; /* on this, until its value is not `value` */
    uint32_t           value;
};

static ucontext_t   scheduler;
static struct fiber fibers[FIBERS_MAX];
static char         stacks[FIBERS_MAX][STACK_BYTES] __attribute__((aligned(64)));
static uint32_t     fibers_count;
static uint32_t     current = FIBERS_MAX; /* FIBERS_MAX: none runs */
static uint64_t     random_state = 1;
static uint32_t     switch_rate = 2;
static const char  *failure = "";

uint32_t fiber_pick(uint32_t below)
{
    CHECK(below > 0);
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 33) % below;
}

void weave_fail(const char *what)
{
    if (failure[0] == '\0')
        failure = what;
}

const char *weave_failure(void)
{
    return failure;
}

void weave_forget(void)
{
    failure = "";
}

static void switch_away(void)
{
    CHECK(current < fibers_count);
    CHECK(swapcontext(&fibers[current].context, &scheduler) == 0);
}

void weave_point(void)
{
    if (current < FIBERS_MAX && fiber_pick(switch_rate) == 0)
        switch_away();
}

void fiber_sleep(const struct wake *wake, uint32_t value)
{
    CHECK(current < fibers_count);
    fibers[current].asleep = wake;
    fibers[current].value = value;
    switch_away();
    CHECK(wake_value(wake) != value);
}

static void run_body(void)
{
    struct fiber *fiber = &fibers[current];

    fiber->body.run(fiber->body.self);
    fiber->ended = true;
}

static bool can_run(struct fiber *fiber)
{
    if (fiber->ended)
        return false;
    if (fiber->asleep != NULL && wake_value(fiber->asleep) == fiber->value)
        return false;
    fiber->asleep = NULL;
    return true;
}

bool fibers_run(const struct fiber_body *bodies, uint32_t count, uint64_t seed)
{
    CHECK(count > 0 && count <= FIBERS_MAX);
    random_state = seed * 0x9E3779B97F4A7C15u | 1u;
    switch_rate = 2u << fiber_pick(5);
    fibers_count = count;
    for (uint32_t i = 0; i < count; i++) {
        fibers[i].body = bodies[i];
        fibers[i].ended = false;
        fibers[i].asleep = NULL;
        CHECK(getcontext(&fibers[i].context) == 0);
        fibers[i].context.uc_stack.ss_sp = stacks[i];
        fibers[i].context.uc_stack.ss_size = STACK_BYTES;
        fibers[i].context.uc_link = &scheduler;
        makecontext(&fibers[i].context, run_body, 0);
    }
    for (;;) {
        uint32_t ready[FIBERS_MAX], ready_count = 0, ended = 0;

        for (uint32_t i = 0; i < count; i++) {
            ended += fibers[i].ended;
            if (can_run(&fibers[i]))
                ready[ready_count++] = i;
        }
        if (ready_count == 0)
            return ended == count;
        current = ready[fiber_pick(ready_count)];
        CHECK(swapcontext(&scheduler, &fibers[current].context) == 0);
        current = FIBERS_MAX;
    }
}
