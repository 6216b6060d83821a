/* intake_log.h - the model's logs: the key of every record is its offset in decimal. */
#ifndef TESTS_UNIT_INTAKE_LOG_H
#define TESTS_UNIT_INTAKE_LOG_H

#include "intake_broker.h"
#include "stages/board.h"
#include "stages/ports.h"
#include "stages/settings.h"

/* What is above this room: the test's own. */
struct ports     ports;
struct board_row board[BOARD_PARTITIONS_MAX];
_Atomic int      board_partitions;
_Atomic(const char *) board_held;
_Atomic int64_t board_lost_ms;

void board_clear(int32_t partition)
{
    board[partition].phase = PHASE_NONE;
    board[partition].why = NULL;
}

uint64_t settings_hash(const struct config *config)
{
    return config != NULL ? 0xabcdef0123456789u : 0;
}

static const char *key_of(int64_t offset, uint32_t *length)
{
    static char keys[8192][8];
    char       *key = keys[offset % 8192];

    *length = (uint32_t)snprintf(key, sizeof keys[0], "%lld", (long long)offset);
    return key;
}

static size_t model_consume(void *self, int32_t p, struct raw *records, size_t max)
{
    size_t count = 0;

    (void)self;
    if (broker.logs[p].gap) {
        broker.logs[p].gap = false;
        tell((struct consumer_event){.kind = CONSUMER_GAP, .partition = p});
        return 0;
    }
    while (count < max && broker.logs[p].at >= 0 && broker.logs[p].at < broker.logs[p].high) {
        struct raw *raw = &records[count++];

        *raw = (struct raw){.value = "{}", .length = 2, .offset = broker.logs[p].at++};
        raw->key = key_of(raw->offset, &raw->key_length);
        raw->kafka_ms = raw->offset * 10 + broker.logs[p].stamp;
    }
    broker.out += count;
    return count;
}

static void model_release(void *self, struct raw *records, size_t count)
{
    (void)self;
    (void)records;
    assert_true(broker.out >= count);
    broker.out -= count;
}

static int32_t model_count(void *self)
{
    (void)self;
    return broker.partitions;
}

static void model_close(void *self)
{
    (void)self;
    broker.closed++;
}

static const struct consumer_ops model_ops = {
    .poll = model_poll, .assign = model_assign, .seek = model_seek, .ask = model_ask,
    .commit = model_commit, .consume = model_consume, .release = model_release,
    .partition_count = model_count, .close = model_close,
};

static int model_open(const struct config *config, void (*wake)(void *), void *wake_self,
                      struct consumer *consumer)
{
    (void)config;
    (void)wake;
    (void)wake_self;
    consumer->ops = &model_ops;
    return 0;
}

#endif
