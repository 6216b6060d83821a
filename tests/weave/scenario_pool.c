/* pool: batches of two pools on their way home over one and two hops.
 *
 *     first ──► second ──► third      first and second each take from a pool of their own;
 *                                     second also forwards what it received, or finishes it
 *
 * Always   every batch comes home once, to the pool it was born in and with what the last one
 *          wrote; a pool has one for whoever was promised room; each link keeps its order; there
 *          is never more out than may be; nobody sleeps while there is something to do.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fiber.h"
#include "pipeline/batch.h"
#include "pipeline/link.h"
#include "pipeline/runner.h"
#include "scenario.h"

enum { KIND = 1, TOTAL_MAX = 10, OUT_MAX = 5, SENDERS = 2 };

/* One who takes from a pool: what it has sent, and what is home again. */
struct sender {
    struct pool *pool;
    uint32_t     total, sent, home, arrived;
    uint32_t     back[TOTAL_MAX];
};

static struct {
    struct link  *links[2];
    struct wake  *wakes[3];
    struct sender senders[SENDERS];
    uint32_t      out_max;
} run;

static void expect(bool holds, const char *what)
{
    if (!holds)
        weave_fail(what);
}

/* What a batch says of itself: whose it is, and its number. */
static struct sender *sender_of(const struct batch *batch)
{
    return &run.senders[batch->partition];
}

static bool send_one(struct sender *sender, struct link *link)
{
    struct batch *batch = pool_take(sender->pool);

    if (batch == NULL) {
        weave_fail("there was room, but no batch was at home");
        return false;
    }
    batch->partition = (int32_t)(sender - run.senders);
    batch->offset_first = sender->sent++;
    link_push(link, &batch);
    expect(link_outstanding(link) <= run.out_max, "too many are out");
    return true;
}

static void come_home(struct sender *sender, struct batch *batch)
{
    expect(batch->hops == 0 && batch->pool == sender->pool && sender_of(batch) == sender,
           "a batch came to another's home");
    expect(++sender->back[batch->offset_first] == 1, "a batch came home twice");
    expect(batch->count == 7, "what was written on the way was not seen");
    sender->home++;
    pool_give(sender->pool, &batch);
}

static void finish(struct link *link, struct batch *batch)
{
    batch->count = 7;
    link_finish(link, &batch);
}

static void run_first(void *self)
{
    struct sender *sender = &run.senders[0];
    struct link *link = run.links[0];
    bool closed = false;

    (void)self;
    while (!closed || sender->home < sender->total) {
        uint32_t value = wake_value(run.wakes[0]);
        struct batch *batch = link_returned(link);
        bool work = batch != NULL;

        if (batch != NULL)
            come_home(sender, batch);
        if (sender->sent < sender->total && link_ready(link, 1))
            work = send_one(sender, link);
        if (sender->sent == sender->total && !closed) {
            link_close(link);
            closed = work = true;
        }
        if (!work)
            fiber_sleep(run.wakes[0], value);
    }
}

/* Forwards the head, finishes it, or sends one of its own. */
static bool pass_on(struct sender *own)
{
    struct link *from = run.links[0], *to = run.links[1];
    bool more = own->sent < own->total;

    if (!link_ready(to, 1))
        return false;
    if (link_peek(from) == NULL || (more && fiber_pick(2) == 0))
        return more && send_one(own, to);
    struct batch *batch = link_pop(from);

    if (fiber_pick(4) == 0)
        finish(from, batch);
    else
        link_push(to, &batch);
    return true;
}

static void run_second(void *self)
{
    struct sender *own = &run.senders[1];
    struct link *from = run.links[0], *to = run.links[1];
    bool closed = false;

    (void)self;
    while (!closed || link_outstanding(to) > 0) {
        uint32_t value = wake_value(run.wakes[1]);
        struct batch *batch = link_returned(to);
        bool finished = link_finished(from), work = batch != NULL;

        if (batch != NULL && batch->hops == 0)
            come_home(own, batch);
        else if (batch != NULL)
            link_finish(from, &batch);
        if (!closed && pass_on(own))
            work = true;
        if (!closed && finished && own->sent == own->total) {
            link_close(to);
            closed = work = true;
        }
        if (!work)
            fiber_sleep(run.wakes[1], value);
    }
    expect(link_held(from) == 0, "what was forwarded is home, and not all of it went on");
}

/* Keeps a few, and lets them go in any order. */
static void run_third(void *self)
{
    struct link *link = run.links[1];
    struct batch *held[OUT_MAX];
    uint32_t count = 0;

    (void)self;
    for (;;) {
        uint32_t value = wake_value(run.wakes[2]);
        bool finished = link_finished(link), work = false;

        if (link_peek(link) != NULL) {
            struct batch *batch = link_pop(link);

            expect(batch->offset_first >= sender_of(batch)->arrived, "out of order");
            sender_of(batch)->arrived = (uint32_t)batch->offset_first + 1;
            held[count++] = batch;
            work = true;
        }
        if (count > 0 && (!work || fiber_pick(2) == 0)) {
            uint32_t which = fiber_pick(count);

            finish(link, held[which]);
            held[which] = held[--count];
            work = true;
        }
        if (finished && count == 0)
            return;
        if (!work)
            fiber_sleep(run.wakes[2], value);
    }
}

static void begin(uint64_t seed)
{
    static const struct batch_shape shape = {.kind = KIND};
    uint32_t depth = 1u << seed % 3;

    run.out_max = 1 + (uint32_t)(seed / 3 % OUT_MAX);
    for (int i = 0; i < 3; i++)
        run.wakes[i] = wake_create();
    for (int i = 0; i < 2; i++) {
        run.links[i] = link_create("weave", KIND, depth, run.out_max, run.wakes[i],
                                   run.wakes[i + 1]);
        run.senders[i] = (struct sender){.pool = pool_create(&shape, run.out_max),
                                         .total = (uint32_t)(seed / (7 + 4 * (uint32_t)i)) %
                                                  (TOTAL_MAX + 1)};
    }
}

static void weave_pool(uint64_t seed)
{
    static const struct fiber_body bodies[] = {
        {run_first, NULL}, {run_second, NULL}, {run_third, NULL}};

    begin(seed);
    expect(fibers_run(bodies, 3, seed), "all sleep: a wake-up is missing");
    for (int i = 0; i < SENDERS; i++) {
        struct sender *sender = &run.senders[i];

        expect(sender->home == sender->total, "not all came home");
        expect(pool_free(sender->pool) == run.out_max, "the pool is not whole");
        pool_abandon(true);
        pool_destroy(sender->pool);
        pool_abandon(false);
        link_destroy(run.links[i]);
    }
    for (int i = 0; i < 3; i++)
        wake_destroy(run.wakes[i]);
}

const struct scenario scenario_pool = {
    .name    = "pool",
    .summary = "batches of two pools on their way home over several hops",
    .run     = weave_pool,
};
