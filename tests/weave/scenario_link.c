/* link: hand-over and way back between two runners that sleep as the real ones do.
 *
 * Always   what is pushed arrives once and in order; comes back once; there is never
 *          more out than may be; nobody sleeps while there is something for him to do;
 *          finished is said only when nothing is left.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fiber.h"
#include "pipeline/batch.h"
#include "pipeline/link.h"
#include "pipeline/runner.h"
#include "scenario.h"

enum { KIND = 1, TOTAL_MAX = 16, OUT_MAX = 6 };

static struct {
    struct link *link;
    struct pool *pool;
    struct wake *producer, *consumer;
    uint32_t     total, burst, out_max;
    uint32_t     keep; /* batches the consumer waits for before it finishes any */
    uint32_t     received;
    uint32_t     back[TOTAL_MAX];
} run;

static void expect(bool holds, const char *what)
{
    if (!holds)
        weave_fail(what);
}

static bool take_back(uint32_t *back_count)
{
    struct batch *batch = link_returned(run.link);

    if (batch == NULL)
        return false;
    expect(++run.back[batch->offset_first] == 1, "a batch came back twice");
    expect(batch->count == 7, "what the consumer wrote was not seen");
    (*back_count)++;
    pool_give(run.pool, &batch);
    return true;
}

static void produce(void *self)
{
    uint32_t sent = 0, back = 0;
    bool     closed = false;

    (void)self;
    while (!closed || back < run.total) {
        uint32_t value = wake_value(run.producer);
        bool     work = take_back(&back);

        if (sent < run.total && link_ready(run.link, run.burst)) {
            for (uint32_t i = 0; i < run.burst && sent < run.total; i++) {
                struct batch *batch = pool_take(run.pool);

                if (batch == NULL) {
                    weave_fail("there was room, but no batch was at home");
                    return;
                }
                batch->offset_first = sent++;
                link_push(run.link, &batch);
            }
            work = true;
        }
        if (sent == run.total && !closed) {
            link_close(run.link);
            closed = work = true;
        }
        expect(link_outstanding(run.link) <= run.out_max, "too many are out");
        if (!work)
            fiber_sleep(run.producer, value);
    }
}

/* Takes the head; now and then it is finished before it is popped, as the engine may. */
static void take(struct batch **held, uint32_t *held_count)
{
    struct batch *batch = link_peek(run.link);

    expect(batch->offset_first == run.received++, "a batch arrived out of order");
    batch->count = 7;
    if (run.keep == 1 && fiber_pick(3) == 0) {
        link_finish(run.link, &batch);
        (void)link_pop(run.link);
        return;
    }
    held[(*held_count)++] = link_pop(run.link);
}

/* One that keeps batches until it has enough of them relies on its pops to wake the
 * producer: it finishes nothing meanwhile. */
static void consume(void *self)
{
    struct batch *held[OUT_MAX];
    uint32_t      held_count = 0;
    bool          enough = false;

    (void)self;
    for (;;) {
        uint32_t value = wake_value(run.consumer);
        bool     finished = link_finished(run.link);
        bool     work = false;

        if (link_peek(run.link) != NULL) {
            expect(!finished, "finished was said while one was waiting");
            take(held, &held_count);
            work = true;
        }
        enough = held_count >= run.keep || finished || (enough && held_count > 0);
        if (enough && held_count > 0 && fiber_pick(2) == 0) {
            uint32_t which = fiber_pick(held_count);

            link_finish(run.link, &held[which]);
            held[which] = held[--held_count];
        }
        if (finished && held_count == 0)
            return;
        if (!work && (!enough || held_count == 0))
            fiber_sleep(run.consumer, value);
    }
}

static void weave_link(uint64_t seed)
{
    static const struct batch_shape shape = {.kind = KIND};
    const struct fiber_body bodies[] = {{produce, NULL}, {consume, NULL}};
    uint32_t depth = 1u << seed % 3;

    run.total = 1 + (uint32_t)(seed / 3 % TOTAL_MAX);
    run.out_max = 1 + (uint32_t)(seed / 7 % OUT_MAX);
    uint32_t most = depth < run.out_max ? depth : run.out_max;
    run.burst = 1 + (uint32_t)(seed / 11) % most;
    run.keep = 1 + (uint32_t)(seed / 13) % (run.out_max - run.burst + 1);
    run.received = 0;
    for (uint32_t i = 0; i < TOTAL_MAX; i++)
        run.back[i] = 0;
    run.producer = wake_create();
    run.consumer = wake_create();
    run.link = link_create("weave", KIND, depth, run.out_max, run.producer, run.consumer);
    run.pool = pool_create(&shape, run.out_max);
    expect(fibers_run(bodies, 2, seed), "both ends sleep: a wake-up is missing");
    expect(run.received == run.total, "not all arrived");
    expect(pool_free(run.pool) == run.out_max, "not all are home");
    pool_abandon(true);
    pool_destroy(run.pool);
    pool_abandon(false);
    link_destroy(run.link);
    wake_destroy(run.producer);
    wake_destroy(run.consumer);
}

const struct scenario scenario_link = {
    .name    = "link",
    .summary = "hand-over and way back between two runners",
    .run     = weave_link,
};
