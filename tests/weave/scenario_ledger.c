/* ledger: numbers go out over two links and come back as two consumers please.
 *
 * Always   the watermark never goes back and never passes what is not finished;
 *          when all is back it is one past the last number.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fiber.h"
#include "pipeline/batch.h"
#include "pipeline/ledger.h"
#include "pipeline/link.h"
#include "pipeline/runner.h"
#include "scenario.h"

enum { KIND = 1, TOTAL = 12, LINKS = 2, DEPTH = 2, OUT_MAX = 3, FIRST = 1000 };

static struct {
    struct link   *links[LINKS];
    struct pool   *pools[LINKS];
    struct wake   *producer, *consumers[LINKS];
    struct ledger *ledger;
    int64_t        numbers[TOTAL];
    bool           finished[TOTAL]; /* by a consumer, known to the test alone */
    int64_t        watermark;
} run;

static void expect(bool holds, const char *what)
{
    if (!holds)
        weave_fail(what);
}

static void check_watermark(uint32_t sent)
{
    int64_t watermark = ledger_watermark(run.ledger);

    expect(watermark >= run.watermark, "the watermark went back");
    run.watermark = watermark;
    for (uint32_t i = 0; i < sent; i++)
        expect(run.finished[i] || run.numbers[i] >= watermark,
               "the watermark passed what is not finished");
}

static bool take_back(uint32_t *back)
{
    bool work = false;

    for (uint32_t i = 0; i < LINKS; i++) {
        struct batch *batch = link_returned(run.links[i]);

        if (batch == NULL)
            continue;
        ledger_close(run.ledger, batch->offset_first);
        pool_give(run.pools[i], &batch);
        (*back)++;
        work = true;
    }
    return work;
}

static void send(uint32_t which, uint32_t index)
{
    struct batch *batch = pool_take(run.pools[which]);

    if (batch == NULL) {
        weave_fail("there was room, but no batch was at home");
        return;
    }
    batch->offset_first = run.numbers[index];
    batch->offset_next = index;
    if (fiber_pick(4) == 0)
        ledger_reach(run.ledger, run.numbers[index]);
    ledger_open(run.ledger, run.numbers[index]);
    link_push(run.links[which], &batch);
}

static void produce(void *self)
{
    uint32_t sent = 0, back = 0;

    (void)self;
    while (back < TOTAL) {
        uint32_t value = wake_value(run.producer);
        bool     work = take_back(&back);
        uint32_t which = sent < TOTAL ? (uint32_t)run.numbers[sent] % LINKS : 0;

        if (sent < TOTAL && ledger_room(run.ledger) > 0 && link_ready(run.links[which], 1)) {
            send(which, sent++);
            work = true;
        }
        check_watermark(sent);
        if (!work)
            fiber_sleep(run.producer, value);
    }
    for (uint32_t i = 0; i < LINKS; i++)
        link_close(run.links[i]);
}

static void consume(void *self)
{
    uint32_t      which = *(const uint32_t *)self;
    struct link  *link = run.links[which];
    struct batch *held[OUT_MAX];
    uint32_t      count = 0;

    for (;;) {
        uint32_t value = wake_value(run.consumers[which]);
        bool     over = link_finished(link);
        bool     work = link_peek(link) != NULL;

        if (work)
            held[count++] = link_pop(link);
        if (count > 0 && fiber_pick(3) == 0) {
            uint32_t chosen = fiber_pick(count);

            run.finished[held[chosen]->offset_next] = true;
            link_finish(link, &held[chosen]);
            held[chosen] = held[--count];
        }
        if (over && count == 0)
            return;
        if (!work && count == 0)
            fiber_sleep(run.consumers[which], value);
    }
}

static void weave_ledger(uint64_t seed)
{
    static const struct batch_shape shape = {.kind = KIND};
    static uint32_t which[LINKS] = {0, 1};
    const struct fiber_body bodies[] = {
        {produce, NULL}, {consume, &which[0]}, {consume, &which[1]},
    };
    int64_t number = FIRST;

    for (uint32_t i = 0; i < TOTAL; i++) {
        number += (int64_t)(seed >> (i % 16) & 3); /* gaps: control records, compaction */
        run.numbers[i] = number++;
        run.finished[i] = false;
    }
    run.watermark = FIRST;
    run.ledger = ledger_create(1 + (uint32_t)(seed % 7), FIRST);
    run.producer = wake_create();
    for (uint32_t i = 0; i < LINKS; i++) {
        run.consumers[i] = wake_create();
        run.links[i] = link_create("weave", KIND, DEPTH, OUT_MAX, run.producer,
                                   run.consumers[i]);
        run.pools[i] = pool_create(&shape, OUT_MAX);
    }
    expect(fibers_run(bodies, 1 + LINKS, seed), "all sleep: a wake-up is missing");
    expect(ledger_count(run.ledger) == 0, "an entry is still open");
    expect(ledger_watermark(run.ledger) == run.numbers[TOTAL - 1] + 1,
           "the watermark did not reach the end");
    pool_abandon(true);
    for (uint32_t i = 0; i < LINKS; i++) {
        pool_destroy(run.pools[i]);
        link_destroy(run.links[i]);
        wake_destroy(run.consumers[i]);
    }
    pool_abandon(false);
    wake_destroy(run.producer);
    ledger_destroy(run.ledger);
}

const struct scenario scenario_ledger = {
    .name    = "ledger",
    .summary = "the watermark over two links whose batches come back in any order",
    .run     = weave_ledger,
};
