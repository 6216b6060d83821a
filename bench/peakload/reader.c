/* reader.c - an assigned consumer that knows where each partition ends. */
#include "bench/peakload/reader.h"

#include <stdlib.h>
#include <string.h>

#include "bench/peakload/say.h"

struct place {
    const char *topic;
    int32_t     partition;
    int64_t     begin, end;      /* `end` as it was at the start                             */
    bool        done;
};

struct reader {
    struct client client;
    rd_kafka_queue_t *queue;
    struct place *place;
    int     places, open;        /* open: not yet read to their end                          */
    bool    to_end;
};

static const struct client_default defaults[] = {
    {"group.id", "peakload"}, {"enable.auto.commit", "false"}, {"enable.partition.eof", "true"},
    {"auto.offset.reset", "error"}, {"fetch.message.max.bytes", "4000000"},
};

static int add_places(struct reader *r, const char *topic)
{
    int32_t partitions = client_partitions(&r->client, topic);

    if (partitions < 0)
        return -1;
    r->place = must(realloc(r->place, sizeof *r->place * (size_t)(r->places + partitions)));
    for (int32_t p = 0; p < partitions; p++) {
        struct place *place = &r->place[r->places++];
        rd_kafka_resp_err_t error;

        *place = (struct place) {.topic = topic, .partition = p};
        error = rd_kafka_query_watermark_offsets(r->client.kafka, topic, p, &place->begin,
                                                 &place->end, CLIENT_MS);
        if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
            return say("topic %s, partition %d: %s", topic, p, rd_kafka_err2str(error));
    }
    return 0;
}

/* Moves the beginnings to the first message of that time or later. */
static int seek_time(struct reader *r, int64_t from_ms)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(r->places);
    rd_kafka_resp_err_t error;

    for (int i = 0; i < r->places; i++)
        rd_kafka_topic_partition_list_add(list, r->place[i].topic, r->place[i].partition)
            ->offset = from_ms;
    error = rd_kafka_offsets_for_times(r->client.kafka, list, CLIENT_MS);
    for (int i = 0; i < r->places && error == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
        error = list->elems[i].err;
        r->place[i].begin = list->elems[i].offset >= 0 ? list->elems[i].offset : r->place[i].end;
    }
    rd_kafka_topic_partition_list_destroy(list);
    return error == RD_KAFKA_RESP_ERR_NO_ERROR
        ? 0 : say("offsets of a time: %s", rd_kafka_err2str(error));
}

static int assign(struct reader *r)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(r->places);
    rd_kafka_resp_err_t error;

    for (int i = 0; i < r->places; i++) {
        struct place *p = &r->place[i];

        p->done = p->begin >= p->end;
        r->open += !p->done;
        if (!p->done || !r->to_end)
            rd_kafka_topic_partition_list_add(list, p->topic, p->partition)->offset = p->begin;
    }
    error = rd_kafka_assign(r->client.kafka, list);
    rd_kafka_topic_partition_list_destroy(list);
    return error == RD_KAFKA_RESP_ERR_NO_ERROR ? 0 : say("assign: %s", rd_kafka_err2str(error));
}

static int begin(struct reader *r, const struct output *o, const struct reader_wish *wish)
{
    r->to_end = wish->to_end;
    if (client_open(&r->client, o, RD_KAFKA_CONSUMER, defaults,
                    sizeof defaults / sizeof defaults[0], NULL) != 0)
        return -1;
    for (int i = 0; i < wish->topics; i++)
        if (add_places(r, wish->topic[i]) != 0)
            return -1;
    if (wish->from == READER_FROM_TIME && seek_time(r, wish->from_ms) != 0)
        return -1;
    for (int i = 0; i < r->places && wish->from == READER_FROM_END; i++)
        r->place[i].begin = r->place[i].end;
    rd_kafka_poll_set_consumer(r->client.kafka);
    r->queue = rd_kafka_queue_get_consumer(r->client.kafka);
    return assign(r);
}

struct reader *reader_open(const struct output *o, const struct reader_wish *wish)
{
    struct reader *r = must(calloc(1, sizeof *r));

    if (begin(r, o, wish) != 0) {
        reader_close(r);
        return NULL;
    }
    return r;
}

static struct place *place_of(struct reader *r, const rd_kafka_message_t *m)
{
    const char *topic = rd_kafka_topic_name(m->rkt);

    for (int i = 0; i < r->places; i++)
        if (r->place[i].partition == m->partition && strcmp(r->place[i].topic, topic) == 0)
            return &r->place[i];
    return NULL;
}

static void finish(struct reader *r, struct place *p)
{
    r->open -= !p->done;
    p->done = true;
}

/* Whether the message is to be given.  -1 having said why nothing more will come. */
static int look_at(struct reader *r, const rd_kafka_message_t *m)
{
    struct place *p;

    if (m->rkt == NULL)
        return m->err == RD_KAFKA_RESP_ERR_NO_ERROR ? 0 : say("%s", rd_kafka_message_errstr(m));
    p = place_of(r, m);
    if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        if (p != NULL)
            finish(r, p);
        return 0;
    }
    if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return say("topic %s: %s", rd_kafka_topic_name(m->rkt), rd_kafka_message_errstr(m));
    if (p == NULL || !r->to_end)
        return p != NULL;
    if (m->offset + 1 >= p->end)
        finish(r, p);
    return m->offset < p->end;
}

int reader_next(struct reader *r, rd_kafka_message_t **messages, int timeout_ms)
{
    ssize_t count = rd_kafka_consume_batch_queue(r->queue, timeout_ms, messages, READER_LOT);
    int kept = 0, failed = 0;

    for (ssize_t i = 0; i < count; i++) {
        rd_kafka_message_t *m = messages[i];
        int take = failed ? 0 : look_at(r, m);

        failed |= take < 0;
        if (take > 0)
            messages[kept++] = m;
        else
            rd_kafka_message_destroy(m);
    }
    for (int i = 0; i < kept && failed; i++)
        rd_kafka_message_destroy(messages[i]);
    return failed || r->client.fatal ? -1 : kept;
}

bool reader_finished(const struct reader *r)
{
    return r->to_end && r->open == 0;
}

int64_t reader_total(const struct reader *r)
{
    int64_t total = 0;

    for (int i = 0; i < r->places; i++)
        total += r->place[i].end - r->place[i].begin;
    return total;
}

void reader_close(struct reader *r)
{
    if (r->queue != NULL)
        rd_kafka_queue_destroy(r->queue);
    if (r->client.kafka != NULL)
        rd_kafka_consumer_close(r->client.kafka);
    client_close(&r->client);
    free(r->place);
    free(r);
}
