/* feed.c - a topic in memory, and a group of one member that holds all of it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/stages/stages.h"
#include "pipeline/check.h"
#include "pipeline/clock.h"
#include "pipeline/error.h"
#include "stages/intake/consumer.h"
#include "stages/ports.h"

enum { PARTITIONS_MAX = 256, EVENTS_MAX = 4 * PARTITIONS_MAX };

struct header {
    int32_t  partition;
    int64_t  kafka_ms;
    uint32_t key_length, length;
} __attribute__((packed));

struct log {
    const char **messages;
    int64_t      count, size, position;
};

static struct {
    const char *bytes;
    size_t      size;
    struct log  logs[PARTITIONS_MAX];
    int32_t     partitions, numbers[PARTITIONS_MAX];
    uint64_t    messages, taken, back;
    struct consumer_event events[EVENTS_MAX];
    uint32_t    events_first, events_count;
} feed;

/* ── The log ──────────────────────────────────────────────────────────────── */

static void append(int32_t partition, const char *message)
{
    struct log *log = &feed.logs[partition];

    if (log->count == log->size) {
        log->size = log->size == 0 ? 1024 : 2 * log->size;
        log->messages = realloc(log->messages, (size_t)log->size * sizeof log->messages[0]);
        CHECK(log->messages != NULL);
    }
    log->messages[log->count++] = message;
    if (partition >= feed.partitions)
        feed.partitions = partition + 1;
    feed.messages++;
}

static int parse(const char *file)
{
    size_t at = 0;

    while (at + sizeof(struct header) <= feed.size) {
        struct header header;

        memcpy(&header, feed.bytes + at, sizeof header);
        if (header.partition < 0 || header.partition >= PARTITIONS_MAX)
            return error_set("%s: partition %d at byte %zu; 0 to %d is accepted", file,
                             header.partition, at, PARTITIONS_MAX - 1);
        append(header.partition, feed.bytes + at);
        at += sizeof header + header.key_length + header.length;
    }
    return at == feed.size ? 0 : error_set("%s: ends in the middle of a message", file);
}

int feed_load(const char *file)
{
    struct stat stat;
    int fd = open(file, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &stat) < 0)
        return error_set("%s: %s", file, strerror(errno));
    feed.size = (size_t)stat.st_size;
    feed.bytes = mmap(NULL, feed.size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    close(fd);
    if (feed.bytes == MAP_FAILED)
        return error_set("%s: %s", file, strerror(errno));
    return parse(file);
}

void feed_free(void)
{
    for (int32_t i = 0; i < feed.partitions; i++)
        free(feed.logs[i].messages);
    munmap((void *)(uintptr_t)feed.bytes, feed.size);
}

uint64_t feed_messages(void) { return feed.messages; }
int32_t feed_partitions(void) { return feed.partitions; }
int64_t feed_end(int32_t partition) { return feed.logs[partition].count; }

/* ── The port ─────────────────────────────────────────────────────────────── */

static struct consumer_event *event_add(enum consumer_event_kind kind)
{
    CHECK(feed.events_count < EVENTS_MAX);
    struct consumer_event *event =
        &feed.events[(feed.events_first + feed.events_count++) % EVENTS_MAX];

    *event = (struct consumer_event) {.kind = (uint8_t)kind, .start = -1};
    return event;
}

static bool port_poll(void *self, struct consumer_event *event)
{
    (void)self;
    if (feed.events_count == 0)
        return false;
    *event = feed.events[feed.events_first];
    feed.events_first = (feed.events_first + 1) % EVENTS_MAX;
    feed.events_count--;
    return true;
}

static int port_assign(void *self, const int32_t *partitions, const int64_t *offsets, int count)
{
    (void)self;
    for (int i = 0; i < count; i++)
        feed.logs[partitions[i]].position = offsets[i];
    return 0;
}

static int port_seek(void *self, int32_t partition, int64_t offset)
{
    (void)self;
    feed.logs[partition].position = offset;
    return 0;
}

static void port_ask(void *self, int32_t partition, bool with_group)
{
    struct consumer_event *event = event_add(CONSUMER_POSITION);

    (void)self;
    event->partition = partition;
    event->with_group = with_group;
    event->offset = -1;
    event->high = feed.logs[partition].count;
    event->sent_ms = clock_wall_ms();
}

static void port_commit(void *self, int32_t partition, int64_t offset, const char *metadata)
{
    struct consumer_event *event = event_add(CONSUMER_COMMITTED);

    (void)self, (void)metadata;
    event->partition = partition;
    event->offset = offset;
}

static size_t port_consume(void *self, int32_t partition, struct raw *raws, size_t max)
{
    struct log *log = &feed.logs[partition];
    size_t count = 0;

    (void)self;
    for (; count < max && log->position >= 0 && log->position < log->count; count++) {
        const char *at = log->messages[log->position];
        struct header header;

        memcpy(&header, at, sizeof header);
        raws[count] = (struct raw) {
            .key = at + sizeof header, .key_length = header.key_length,
            .value = at + sizeof header + header.key_length, .length = header.length,
            .offset = log->position++, .kafka_ms = header.kafka_ms};
    }
    feed.taken += count;
    return count;
}

static void port_release(void *self, struct raw *raws, size_t count)
{
    (void)self, (void)raws;
    feed.back += count;
    CHECK(feed.back <= feed.taken);
}

static int32_t port_partition_count(void *self) { return (void)self, feed.partitions; }

static void port_close(void *self) { (void)self; }

int feed_open(const struct config *config, void (*wake)(void *), void *wake_self,
              struct consumer *consumer)
{
    static const struct consumer_ops ops = {
        port_poll,    port_assign,  port_seek, port_ask,             port_commit,
        port_consume, port_release, no_header, port_partition_count, port_close};

    (void)config, (void)wake, (void)wake_self;
    *consumer = (struct consumer) {.ops = &ops, .self = &feed};
    for (int32_t i = 0; i < feed.partitions; i++) {
        feed.numbers[i] = i;
        feed.logs[i].position = -1;
    }
    struct consumer_event *event = event_add(CONSUMER_ASSIGNED);

    event->count = feed.partitions;
    event->partitions = feed.numbers;
    return 0;
}
