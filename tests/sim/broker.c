/* broker.c - a model of Kafka: the scan topic and a consumer group. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/check.h"
#include "tests/sim/broker.h"

char *copy_text(const void *bytes, size_t length)
{
    char *copy = malloc(length + 1);

    CHECK(copy != NULL);
    if (length > 0)
        memcpy(copy, bytes, length);
    copy[length] = '\0';
    return copy;
}

struct broker *broker_create(struct dice *dice, const int64_t *now_ms)
{
    struct broker *b = calloc(1, sizeof *b);

    CHECK(b != NULL);
    b->dice = dice;
    b->now_ms = now_ms;
    for (int p = 0; p < PARTITIONS; p++) {
        b->committed[p].offset = -1;
        b->holder[p] = -1;
    }
    for (int i = 0; i < INSTANCES; i++)
        b->members[i].broker = b, b->members[i].instance = i;
    return b;
}

static void log_free(struct log *log)
{
    if (log->borrowed)
        return;
    for (int64_t i = 0; i < log->count; i++) {
        free(log->messages[i].key);
        free(log->messages[i].value);
    }
    free(log->messages);
}

void broker_destroy(struct broker *b)
{
    for (int p = 0; p < PARTITIONS; p++)
        log_free(&b->logs[p]);
    for (uint32_t i = 0; i < b->told_count; i++)
        free(b->told[i].value);
    for (int i = 0; i < INSTANCES; i++)
        pending_free(&b->members[i]);
    free(b->told);
    free(b);
}

/* ── The scan topic ───────────────────────────────────────────────────────── */

void broker_append(struct broker *b, int32_t partition, const struct message *message)
{
    struct log *log = &b->logs[partition];

    if (log->count == log->size) {
        log->size = log->size * 2 + 64;
        log->messages = realloc(log->messages, (size_t)log->size * sizeof *log->messages);
        CHECK(log->messages != NULL);
    }
    struct message *to = &log->messages[log->count++];

    *to = *message;
    to->key = message->key != NULL ? copy_text(message->key, message->key_length) : NULL;
    to->value = message->value != NULL ? copy_text(message->value, message->length) : NULL;
}

void broker_borrow(struct broker *b, const struct broker *from)
{
    for (int p = 0; p < PARTITIONS; p++) {
        b->logs[p] = from->logs[p];
        b->logs[p].shown = 0;
        b->logs[p].borrowed = true;
    }
}

/* Records arrive in the order of their times, as the partitions have them. */
void broker_show(struct broker *b, uint32_t records)
{
    for (uint32_t n = 0; n < records; n++) {
        struct log *first = NULL;

        for (int p = 0; p < PARTITIONS; p++) {
            struct log *log = &b->logs[p];

            if (log->shown < log->count &&
                (first == NULL || log->messages[log->shown].arrives_ms <
                                      first->messages[first->shown].arrives_ms))
                first = log;
        }
        if (first == NULL)
            return;
        first->shown++;
    }
}

bool broker_shown(const struct broker *b)
{
    for (int p = 0; p < PARTITIONS; p++)
        if (b->logs[p].shown < b->logs[p].count)
            return false;
    return true;
}

int64_t broker_end(const struct broker *b, int32_t partition) { return b->logs[partition].count; }

const struct message *broker_message(const struct broker *b, int32_t partition, int64_t offset)
{
    CHECK(offset >= 0 && offset < b->logs[partition].count);
    return &b->logs[partition].messages[offset];
}

/* ── The group ────────────────────────────────────────────────────────────── */

int broker_holder(const struct broker *b, int32_t partition) { return b->holder[partition]; }

int64_t broker_committed(const struct broker *b, int32_t partition)
{
    return b->committed[partition].offset;
}

static struct event *event_add(struct member *m, uint8_t kind, uint32_t delay_ms)
{
    CHECK(m->events_count < EVENTS_MAX);
    struct event *event = &m->events[m->events_count++];

    *event = (struct event){.what = {.kind = kind, .partition = 0, .offset = -1},
                            .due_ms = *m->broker->now_ms + delay_ms, .life = m->life};
    return event;
}

static uint32_t held_count(const struct broker *b, int instance)
{
    uint32_t count = 0;

    for (int p = 0; p < PARTITIONS; p++)
        count += b->holder[p] == instance;
    return count;
}

void broker_rebalance(struct broker *b)
{
    b->rebalancing = true;
    for (int i = 0; i < INSTANCES; i++) {
        struct member *m = &b->members[i];

        if (!m->present || m->expired || m->asked || held_count(b, i) == 0)
            continue;
        m->asked = true;
        event_add(m, CONSUMER_REVOKED, 0);
    }
}

/* A new generation: everybody present gets a share. */
static void generation_begin(struct broker *b)
{
    struct member *takers[INSTANCES];
    uint32_t count = 0;

    for (int i = 0; i < INSTANCES; i++)
        if (b->members[i].present && !b->members[i].expired)
            takers[count++] = &b->members[i];
    b->rebalancing = false;
    if (count == 0)
        return;
    uint32_t shift = dice_roll(b->dice, count);

    for (uint32_t i = 0; i < count; i++) {
        struct member *m = takers[i];
        int32_t n = 0;

        m->life++;
        m->asked = m->joining = m->assigned = false;
        for (int p = 0; p < PARTITIONS; p++) {
            m->position[p] = -1;
            if (takers[((uint32_t)p + shift) % count] != m)
                continue;
            b->holder[p] = m->instance;
            m->given[n++] = p;
        }
        struct event *event = event_add(m, CONSUMER_ASSIGNED, 0);

        event->what.count = n;
        event->what.partitions = m->given;
    }
}

void broker_turn(struct broker *b)
{
    if (!b->rebalancing)
        return;
    for (int p = 0; p < PARTITIONS; p++)
        if (b->holder[p] >= 0)
            return;
    generation_begin(b);
}

static void member_leave(struct broker *b, struct member *m)
{
    m->present = m->expired = m->asked = m->assigned = false;
    m->events_count = 0;
    m->life++;
    for (int p = 0; p < PARTITIONS; p++)
        if (b->holder[p] == m->instance)
            b->holder[p] = -1;
    broker_rebalance(b);
}

void broker_expire(struct broker *b, int instance)
{
    struct member *m = &b->members[instance];

    if (!m->present || m->expired)
        return;
    m->expired = true;
    m->asked = m->assigned = false;
    m->events_count = 0;
    m->life++;
    for (int p = 0; p < PARTITIONS; p++)
        if (b->holder[p] == instance)
            b->holder[p] = -1;
    event_add(m, CONSUMER_LOST, 0);
    broker_rebalance(b);
}

/* ── The consumer port ────────────────────────────────────────────────────── */

static bool port_poll(void *self, struct consumer_event *event)
{
    struct member *m = self;
    const struct broker *b = m->broker;

    for (uint32_t i = 0; i < m->events_count; i++) {
        struct event found = m->events[i];

        if (found.due_ms > *b->now_ms)
            continue;
        m->events_count--;
        memmove(&m->events[i], &m->events[i + 1],
                (m->events_count - i) * sizeof m->events[0]);
        if (found.answer && found.life != m->life) {
            i--;
            continue;
        }
        if (found.fill) {
            found.what.low = 0;
            found.what.high = b->logs[found.what.partition].shown;
        }
        if (found.answer && dice_fault(b->dice, FAULT_ANSWER_TWICE, 20000)) {
            m->events[m->events_count] = found;
            m->events[m->events_count++].due_ms += 1 + dice_roll(b->dice, 500);
        }
        *event = found.what;
        return true;
    }
    return false;
}

/* Answers overtake each other now and then. */
static uint32_t answer_ms(const struct broker *b)
{
    return 1 + dice_roll(b->dice,
                         dice_fault(b->dice, FAULT_ANSWER_LATE, 30000) ? 3000 : 40);
}

static int port_assign(void *self, const int32_t *partitions, const int64_t *offsets, int count)
{
    struct member *m = self;
    struct broker *b = m->broker;

    m->assigned = count > 0;
    for (int i = 0; i < count; i++)
        m->position[partitions[i]] = offsets[i];
    if (count > 0)
        return 0;
    m->life++;
    for (int p = 0; p < PARTITIONS; p++)
        if (b->holder[p] == m->instance)
            b->holder[p] = -1;
    m->asked = false;
    if (m->expired) {   /* it has heard, and joins again */
        m->expired = false;
        broker_rebalance(b);
    }
    return 0;
}

static int port_seek(void *self, int32_t partition, int64_t offset)
{
    return ((struct member *)self)->position[partition] = offset, 0;
}

static void port_ask(void *self, int32_t partition, bool with_group)
{
    struct member *m = self;
    const struct broker *b = m->broker;
    struct event *event = event_add(m, CONSUMER_POSITION, answer_ms(b));

    event->answer = event->fill = true;
    event->what.partition = partition;
    event->what.with_group = with_group;
    event->what.start = -1;
    event->what.sent_ms = *b->now_ms;
    if (with_group) {
        event->what.offset = b->committed[partition].offset;
        memcpy(event->what.metadata, b->committed[partition].metadata,
               sizeof event->what.metadata);
    }
}

static void port_commit(void *self, int32_t partition, int64_t offset, const char *metadata)
{
    struct member *m = self;
    struct broker *b = m->broker;
    struct event *event = event_add(m, CONSUMER_COMMITTED, answer_ms(b));

    event->answer = true;
    event->what.partition = partition;
    event->what.offset = offset;
    if (!m->expired && b->holder[partition] == m->instance &&
        dice_fault(b->dice, FAULT_COMMIT_FENCED, 2000)) {
        struct event answer = *event;

        broker_expire(b, m->instance);
        answer.what.error = CONSUMER_FENCED;
        answer.life = m->life;
        m->events[m->events_count++] = answer;
        return;
    }
    if (m->expired || b->holder[partition] != m->instance) {
        event->what.error = CONSUMER_FENCED;
        return;
    }
    if (dice_fault(b->dice, FAULT_COMMIT_RETRY, 100000)) {
        event->what.error = CONSUMER_RETRY;
        if (dice_chance(b->dice, 500000))
            return;   /* not taken; else taken, and only the answer is bad */
    }
    struct commit commit = {partition, offset, b->committed[partition].offset, metadata,
                            b->committed[partition].metadata};

    b->commits(b->ears, &commit);
    b->committed[partition].offset = offset;
    snprintf(b->committed[partition].metadata, sizeof b->committed[partition].metadata, "%s",
             metadata);
}

static const struct message *message_there(const struct broker *b, int32_t partition,
                                           int64_t offset)
{
    bool reversed = b->another && offset < b->reversed[partition];

    return &b->logs[partition].messages[reversed ? b->reversed[partition] - 1 - offset : offset];
}

void broker_recreate(struct broker *b, bool another)
{
    CHECK(b->another != another);
    b->another = another;
    for (int p = 0; p < PARTITIONS; p++)
        b->reversed[p] = b->logs[p].shown;
}

bool broker_is_another(const struct broker *b) { return b->another; }

bool broker_would_differ(const struct broker *b, int32_t partition, int64_t offset)
{
    const struct log *log = &b->logs[partition];

    if (offset < 0 || offset >= log->shown)
        return false;
    const struct message *here = &log->messages[offset];
    const struct message *there = &log->messages[log->shown - 1 - offset];

    return here->kafka_ms != there->kafka_ms || here->key_length != there->key_length ||
           memcmp(here->key, there->key, here->key_length) != 0;
}

static size_t port_consume(void *self, int32_t partition, struct raw *raws, size_t max)
{
    struct member *m = self;
    const struct broker *b = m->broker;
    const struct log *log = &b->logs[partition];
    int64_t *position = &m->position[partition];

    if (!m->assigned || *position < 0 || *position >= log->shown)
        return 0;   /* an expired member still reads what it had fetched */
    size_t there = (size_t)(log->shown - *position);
    size_t count = 1 + dice_roll(b->dice, (uint32_t)(there < max ? there : max));

    for (size_t i = 0; i < count; i++) {
        const struct message *message = message_there(b, partition, *position);

        raws[i] = (struct raw){.value = message->value, .key = message->key,
                               .length = message->length, .key_length = message->key_length,
                               .offset = (*position)++, .kafka_ms = message->kafka_ms};
    }
    m->handed += count;
    return count;
}

void broker_reset(struct broker *b)
{
    for (int p = 0; p < PARTITIONS; p++) {
        if (b->committed[p].offset < 0)
            continue;   /* nobody resets what never began */
        b->committed[p].offset = dice_chance(b->dice, 500000)
                                     ? b->logs[p].shown
                                     : dice_roll(b->dice, (uint32_t)b->logs[p].shown + 1);
        b->committed[p].metadata[0] = '\0';
    }
}

static void port_release(void *self, struct raw *raws, size_t count)
{
    struct member *m = self;

    (void)raws;   /* the log keeps its records */
    if (count > m->handed)
        complain(RETURNED, "%zu records come back where %zu are out", count, m->handed);
    m->handed -= count;
}

static bool port_header(const void *message, size_t i, const char **name, const void **value,
                        size_t *length)
{
    (void)message, (void)i, (void)name, (void)value, (void)length;
    return false;
}

static int32_t port_partition_count(void *self) { return (void)self, PARTITIONS; }

static void port_close(void *self)
{
    if (((struct member *)self)->present)
        member_leave(((struct member *)self)->broker, self);
}

void broker_died(struct broker *b, int instance)
{
    struct member *m = &b->members[instance];

    producer_died(b, m);
    if (m->present)
        member_leave(b, m);
}

void broker_open(struct broker *b, int instance, uint32_t who, struct consumer *consumer,
                 struct producer *producer)
{
    static const struct consumer_ops consumer_ops = {
        port_poll,    port_assign,  port_seek,   port_ask,             port_commit,
        port_consume, port_release, port_header, port_partition_count, port_close};
    struct member *m = &b->members[instance];

    m->who = who;
    if (consumer != NULL) {
        CHECK(!m->present);
        m->present = true;
        m->events_count = 0;
        m->handed = 0;
        *consumer = (struct consumer){.ops = &consumer_ops, .self = m};
        broker_rebalance(b);
    }
    if (producer != NULL)
        producer_open(m, producer);
}
