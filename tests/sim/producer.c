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
        for (int t = 0; t < TOPICS; t++)
            if (t != TOPIC_PROGRESS && b->members[i].streams[t].count > 0)
                return false;
    return true;
}

static struct pending *pending_at(const struct stream *stream, uint32_t i)
{
    return &stream->ring[(stream->first + i) % stream->size];
}

static struct pending *pending_add(struct member *m, uint8_t topic)
{
    struct stream *stream = &m->streams[topic];

    if (stream->count == stream->size) {
        uint32_t        size = stream->size * 2 + 16;
        struct pending *ring = malloc(size * sizeof *ring);

        CHECK(ring != NULL);
        for (uint32_t i = 0; i < stream->count; i++)
            ring[i] = *pending_at(stream, i);
        free(stream->ring);
        *stream = (struct stream){.ring = ring, .count = stream->count, .size = size,
                                  .due_ms = stream->due_ms};
    }
    struct pending *pending = pending_at(stream, stream->count++);

    *pending = (struct pending){.told = {.topic = topic, .who = m->who}, .ordinal = m->sent++};
    m->pending_count++;
    return pending;
}

/* The first of a topic, which is somebody else's now. */
static struct told pending_take(struct member *m, struct stream *stream)
{
    struct told told = pending_at(stream, 0)->told;

    CHECK(stream->count > 0 && m->pending_count > 0);
    stream->first = (stream->first + 1) % stream->size;
    stream->count--;
    m->pending_count--;
    return told;
}

/* It is the broker's from now on. */
static void arrive(struct broker *b, struct told told)
{
    if (b->told_count == b->told_size) {
        b->told_size = b->told_size * 2 + 256;
        b->told = realloc(b->told, b->told_size * sizeof *b->told);
        CHECK(b->told != NULL);
    }
    b->told[b->told_count] = told;
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

        if (strncmp(header->name, "source-", 7) != 0)
            continue;
        memcpy(text, header->value, header->length < 23 ? header->length : 23);
        if (strcmp(header->name, "source-partition") == 0)
            told->source_partition = (int32_t)strtol(text, NULL, 10);
        if (strcmp(header->name, "source-offset") == 0)
            told->source_offset = strtoll(text, NULL, 10);
    }
}

/* Value and key in one block. */
static void told_fill(struct told *told, const struct output *output)
{
    char *block = malloc(output->length + output->key_length + 2);

    CHECK(block != NULL);
    told->value = block;
    told->key = block + output->length + 1;
    told->length = output->length;
    if (output->length > 0)   /* else it may be NULL */
        memcpy(told->value, output->value, output->length);
    if (output->key_length > 0)
        memcpy(told->key, output->key, output->key_length);
    told->value[output->length] = told->key[output->key_length] = '\0';
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
        const struct output *output = &outputs[i];
        struct pending *p = pending_add(m, output->topic);
        int64_t due_ms = *b->now_ms + dice_roll(b->dice, 60);
        int64_t *last_ms = &m->streams[output->topic].due_ms;

        if (due_ms > *last_ms)
            *last_ms = due_ms;
        p->due_ms = *last_ms;
        p->owner = owner;
        told_fill(&p->told, output);
        source_headers(&p->told, output);
    }
    return take;
}

/* An idempotent producer delivers in order: what comes after a lost one is lost too. */
static void fail_after(const struct stream *stream)
{
    for (uint32_t i = 0; i < stream->count; i++)
        pending_at(stream, i)->failed = true;
}

/* The topic whose first message was sent before any other that is due; NULL = none is. */
static struct stream *stream_due(struct member *m, const struct stream *passed_over)
{
    struct stream *found = NULL;

    for (int t = 0; t < TOPICS; t++) {
        struct stream *stream = &m->streams[t];

        if (stream->count == 0 || stream == passed_over ||
            pending_at(stream, 0)->due_ms > *m->broker->now_ms)
            continue;
        if (found == NULL || pending_at(stream, 0)->ordinal < pending_at(found, 0)->ordinal)
            found = stream;
    }
    return found;
}

/* Acknowledgements of different topics overtake each other. */
static bool port_poll_acks(void *self, struct producer_ack *ack)
{
    struct member *m = self;
    struct broker *b = m->broker;
    struct stream *stream = m->fatal || m->pending_count == 0 ? NULL : stream_due(m, NULL);

    if (stream != NULL && dice_fault(b->dice, FAULT_ACK_ORDER, 3000))
        stream = stream_due(m, stream);
    if (stream == NULL)
        return false;
    *ack = (struct producer_ack){.owner = pending_at(stream, 0)->owner, .delivered = true};
    if (pending_at(stream, 0)->failed || dice_fault(b->dice, FAULT_ACK_LOST, 5000)) {
        ack->delivered = false;
        fail_after(stream);
        b->resent(b->ears);
        snprintf(ack->text, sizeof ack->text, "timed out");
    }
    struct told told = pending_take(m, stream);

    if (ack->delivered || dice_chance(b->dice, 500000))
        arrive(b, told);
    else
        free(told.value);
    if (dice_fault(b->dice, FAULT_PRODUCER_FATAL, 2000))
        m->fatal = true;
    return true;
}

static const char *port_fatal(void *self)
{
    return ((struct member *)self)->fatal ? "out of order sequence number" : "";
}

/* Of what was on its way to a topic the first have arrived, or none, or all. */
static void pending_settle(struct broker *b, struct member *m)
{
    for (int t = 0; t < TOPICS; t++)
        for (bool cut = false; m->streams[t].count > 0;) {
            struct told told = pending_take(m, &m->streams[t]);

            cut = cut || dice_chance(b->dice, 100000);
            if (cut)
                free(told.value);
            else
                arrive(b, told);
        }
}

static int port_reopen(void *self)
{
    struct member *m = self;

    m->fatal = false;
    for (int t = 0; t < TOPICS; t++)
        for (uint32_t i = 0; i < m->streams[t].count; i++)
            pending_at(&m->streams[t], i)->due_ms = 0, pending_at(&m->streams[t], i)->failed = true;
    return 0;
}

static int port_flush_left(void *self) { return (int)((struct member *)self)->pending_count; }
static void port_producer_close(void *self)
{
    pending_settle(((struct member *)self)->broker, self);
}

void pending_free(struct member *m)
{
    for (int t = 0; t < TOPICS; t++) {
        while (m->streams[t].count > 0)
            free(pending_take(m, &m->streams[t]).value);
        free(m->streams[t].ring);
        m->streams[t] = (struct stream){.ring = NULL};
    }
}

void producer_died(struct broker *b, struct member *m)
{
    pending_settle(b, m);
    m->fatal = false;
}

void producer_open(struct member *m, struct producer *producer)
{
    static const struct producer_ops ops = {port_produce,    port_poll_acks,  port_fatal,
                                            port_reopen,     port_flush_left, port_producer_close};

    *producer = (struct producer){.ops = &ops, .self = m};
}
