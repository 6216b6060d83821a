/* intake_broker.h - a model of a broker and its group, for the tests of source_kafka. */
#ifndef TESTS_UNIT_INTAKE_BROKER_H
#define TESTS_UNIT_INTAKE_BROKER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "pipeline/clock.h"
#include "stages/intake/consumer.h"

#ifndef BROKER_LOGS
#define BROKER_LOGS 4
#endif

enum { LOGS = BROKER_LOGS, EVENTS = 64, HOME_MAX = 512, SECOND = 1000 };

static struct {
    struct {
        int64_t low, high, at;       /* at: next offset consume gives, -1 = not yet known */
        int64_t group;               /* commit, -1 = none */
        char    metadata[96];
        int64_t stamp;               /* added to every timestamp: another topic's records */
        bool    gap;
    } logs[LOGS];
    struct consumer_event events[EVENTS];
    uint32_t events_first, events_count;
    int32_t  given[LOGS], partitions;
    enum consumer_error refuse;      /* answer to every commit */
    bool     deaf;                   /* answers get lost */
    int      asks, commits, assigns, unassigns, seeks, polls;
    int64_t  assigned[LOGS];
    size_t   out;
    int      closed;
} broker;

static int64_t wall_ms;

static uint64_t now(void)
{
    return (uint64_t)wall_ms * 1000000u;
}

static uint64_t model_ns(void *self)
{
    return self == NULL ? now() : 0;
}

static int64_t model_ms(void *self)
{
    return self == NULL ? wall_ms : 0;
}

static const struct clock_source model_clock = {model_ns, model_ms, model_ns, NULL};

static void tell(struct consumer_event event)
{
    assert_true(broker.events_count < EVENTS);
    broker.events[(broker.events_first + broker.events_count++) % EVENTS] = event;
}

static bool model_poll(void *self, struct consumer_event *event)
{
    (void)self;
    broker.polls++;
    if (broker.events_count == 0)
        return false;
    *event = broker.events[broker.events_first];
    broker.events_first = (broker.events_first + 1) % EVENTS;
    broker.events_count--;
    return true;
}

static int model_assign(void *self, const int32_t *partitions, const int64_t *offsets, int count)
{
    (void)self;
    broker.assigns += count > 0;
    broker.unassigns += count == 0;
    for (int p = 0; p < LOGS; p++)
        broker.logs[p].at = -1;
    for (int i = 0; i < count; i++)
        broker.assigned[partitions[i]] = broker.logs[partitions[i]].at = offsets[i];
    return 0;
}

static int model_seek(void *self, int32_t partition, int64_t offset)
{
    (void)self;
    broker.seeks++;
    broker.logs[partition].at = offset;
    return 0;
}

static void model_ask(void *self, int32_t p, bool with_group)
{
    struct consumer_event answer = {.kind = CONSUMER_POSITION, .partition = p, .offset = -1,
                                    .start = -1, .low = broker.logs[p].low,
                                    .high = broker.logs[p].high, .sent_ms = wall_ms,
                                    .with_group = with_group};

    (void)self;
    broker.asks++;
    if (with_group) {
        answer.offset = broker.logs[p].group;
        snprintf(answer.metadata, sizeof answer.metadata, "%s", broker.logs[p].metadata);
    }
    if (!broker.deaf)
        tell(answer);
}

static void model_commit(void *self, int32_t p, int64_t offset, const char *metadata)
{
    (void)self;
    broker.commits++;
    if (broker.refuse == CONSUMER_OK) {
        broker.logs[p].group = offset;
        snprintf(broker.logs[p].metadata, sizeof broker.logs[p].metadata, "%s", metadata);
    }
    if (!broker.deaf)
        tell((struct consumer_event){.kind = CONSUMER_COMMITTED, .partition = p,
                                     .offset = offset, .error = (uint8_t)broker.refuse});
}

#endif
