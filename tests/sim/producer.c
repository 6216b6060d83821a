/* producer.c - a model of Kafka's output topics, behind the producer port.
 *
 * A message arrives before its acknowledgement does; an acknowledgement may be lost
 * after the message arrived, and a client that dies leaves it to chance.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/check.h"
#include "tests/sim/broker.h"

uint32_t broker_told(const struct broker *b) { return b->told_count; }
const struct told *broker_told_at(const struct broker *b, uint32_t i) { return &b->told[i]; }

void broker_listen(struct broker *b, void (*heard)(void *, struct told *),
                   void (*commits)(void *, const struct commit *), void (*resent)(void *),
                   void *self)
{
    b->resent = resent;
    b->heard = heard;
    b->commits = commits;
    b->ears = self;
}

bool broker_quiet(const struct broker *b)
{
    for (int i = 0; i < INSTANCES; i++)
        for (uint32_t k = 0; k < b->members[i].pending_count; k++)
            if (b->members[i].pending[k].told.topic != TOPIC_PROGRESS)
                return false;
    return true;
}

static void arrive(struct broker *b, const struct told *told)
{
    if (b->told_count == b->told_size) {
        b->told_size = b->told_size * 2 + 256;
        b->told = realloc(b->told, b->told_size * sizeof *b->told);
        CHECK(b->told != NULL);
    }
    b->told[b->told_count] = *told;
    b->told[b->told_count].key = copy_text(told->key, strlen(told->key));
    b->told[b->told_count].value = copy_text(told->value, told->length);
    b->told_count++;
    b->heard(b->ears, &b->told[b->told_count - 1]);
}

static void source_headers(struct told *told, const struct output *output)
{
    told->source_partition = -1;
    told->source_offset = -1;
    for (uint8_t i = 0; i < output->headers_count; i++) {
        const struct output_header *header = &output->headers[i];
        char text[24] = "";

        memcpy(text, header->value, header->length < 23 ? header->length : 23);
        if (strcmp(header->name, "source-partition") == 0)
            told->source_partition = (int32_t)strtol(text, NULL, 10);
        if (strcmp(header->name, "source-offset") == 0)
            told->source_offset = strtoll(text, NULL, 10);
    }
}

static size_t port_produce(void *self, const struct output *outputs, size_t count, void *owner)
{
    struct member *m = self;
    struct broker *b = m->broker;

    if (m->fatal)
        return 0;
    size_t take = dice_chance(b->dice, 100000) ? dice_roll(b->dice, (uint32_t)count + 1) : count;

    for (size_t i = 0; i < take; i++) {
        if (m->pending_count == PENDING_MAX)
            return i;
        struct pending *p = &m->pending[m->pending_count++];

        int64_t due_ms = *b->now_ms + dice_roll(b->dice, 60);
        int64_t *last_ms = &m->due_ms[outputs[i].topic];

        if (due_ms > *last_ms)
            *last_ms = due_ms;
        *p = (struct pending){.owner = owner, .due_ms = *last_ms};
        p->told.topic = outputs[i].topic;
        p->told.who = m->who;
        p->told.key = copy_text(outputs[i].key, outputs[i].key_length);
        p->told.value = copy_text(outputs[i].value, outputs[i].length);
        p->told.length = outputs[i].length;
        source_headers(&p->told, &outputs[i]);
    }
    return take;
}

static void pending_drop(struct member *m, uint32_t i)
{
    free(m->pending[i].told.key);
    free(m->pending[i].told.value);
    m->pending_count--;
    memmove(&m->pending[i], &m->pending[i + 1], (m->pending_count - i) * sizeof m->pending[0]);
}

/* An idempotent producer delivers in order: what comes after a lost one is lost too. */
static void fail_after(struct member *m, uint32_t i)
{
    for (uint32_t k = i; k < m->pending_count; k++)
        if (m->pending[k].told.topic == m->pending[i].told.topic)
            m->pending[k].failed = true;
}

static bool port_poll_acks(void *self, struct producer_ack *ack)
{
    struct member *m = self;
    struct broker *b = m->broker;

    int passed_over = -1;   /* acknowledgements of different topics overtake each other */

    if (m->fatal)
        return false;
    for (uint32_t i = 0; i < m->pending_count; i++) {
        struct pending *p = &m->pending[i];

        if (p->due_ms > *b->now_ms || p->told.topic == passed_over)
            continue;
        if (passed_over < 0 && dice_fault(b->dice, FAULT_ACK_ORDER, 3000)) {
            passed_over = p->told.topic;
            continue;
        }
        *ack = (struct producer_ack){.owner = p->owner, .delivered = true};
        if (p->failed || dice_fault(b->dice, FAULT_ACK_LOST, 5000)) {
            ack->delivered = false;
            fail_after(m, i);
            b->resent(b->ears);
            snprintf(ack->text, sizeof ack->text, "timed out");
        }
        if (ack->delivered || dice_chance(b->dice, 500000))
            arrive(b, &p->told);
        pending_drop(m, i);
        if (dice_fault(b->dice, FAULT_PRODUCER_FATAL, 2000))
            m->fatal = true;
        return true;
    }
    return false;
}

static const char *port_fatal(void *self)
{
    return ((struct member *)self)->fatal ? "out of order sequence number" : "";
}

/* Of what was on its way to a topic the first have arrived, or none, or all. */
static void pending_settle(struct broker *b, struct member *m)
{
    bool cut[TOPICS] = {false};

    for (uint32_t i = 0; i < m->pending_count; i++) {
        const struct told *told = &m->pending[i].told;

        cut[told->topic] = cut[told->topic] || dice_chance(b->dice, 100000);
        if (!cut[told->topic])
            arrive(b, told);
    }
}

static int port_reopen(void *self)
{
    struct member *m = self;

    m->fatal = false;
    for (uint32_t i = 0; i < m->pending_count; i++)
        m->pending[i].due_ms = 0, m->pending[i].failed = true;
    return 0;
}

static int port_flush_left(void *self) { return (int)((struct member *)self)->pending_count; }
static void port_producer_close(void *self)
{
    struct member *m = self;

    pending_settle(m->broker, m);
    pending_free(m);
}

void pending_free(struct member *m)
{
    for (uint32_t i = 0; i < m->pending_count; i++) {
        free(m->pending[i].told.key);
        free(m->pending[i].told.value);
    }
    m->pending_count = 0;
}

void producer_died(struct broker *b, struct member *m)
{
    pending_settle(b, m);
    pending_free(m);
    m->fatal = false;
}

void producer_open(struct member *m, struct producer *producer)
{
    static const struct producer_ops ops = {port_produce,    port_poll_acks,  port_fatal,
                                            port_reopen,     port_flush_left, port_producer_close};

    *producer = (struct producer){.ops = &ops, .self = m};
}
