/* sink_kafka, stepped with a model of a producer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/batch.h"
#include "pipeline/config.h"
#include "pipeline/error.h"
#include "pipeline/graph.h"
#include "pipeline/log.h"
#include "pipeline/metric.h"
#include "stages/kinds.h"
#include "stages/outlet/outlet.h"
#include "stages/outlet/output.h"
#include "stages/ports.h"

enum { SENT_MAX = 65536, LIMIT = 100 * 1024 };

struct ports ports; /* the room of the real ones is above this one */

/* ── the model of a producer ── */

static struct {
    struct sent {
        void    *owner;
        uint64_t tag;
        uint32_t length;
        uint8_t  topic;
        bool     acked, truncated;
        char     was[16];              /* header truncated */
    } sent[SENT_MAX];
    uint32_t count, next_ack, room;    /* room: how many more it takes */
    uint32_t ack_upto;                 /* acknowledges no more than so many in all */
    uint32_t fail_from, fail_count;    /* these messages, by order of sending, are not taken */
    uint32_t large_from, large_count;  /* these are said to be too large */
    uint32_t limit;                    /* largest value */
    uint32_t said_max;                 /* what the client says of it */
    uint32_t calls;
    const char *fatal;
    int      reopened, closed;
} kafka;

static size_t model_produce(void *self, const struct output *outputs, size_t count, void *owner)
{
    size_t taken = 0;

    (void)self;
    kafka.calls++;
    for (; taken < count && kafka.room > 0; taken++, kafka.room--) {
        const struct output *output = &outputs[taken];
        struct sent         *sent = &kafka.sent[kafka.count++];

        assert_true(kafka.count < SENT_MAX);
        *sent = (struct sent){.owner = owner, .tag = output->alert, .length = output->length,
                              .topic = output->topic};
        for (uint8_t h = 0; h < output->headers_count; h++) {
            if (strcmp(output->headers[h].name, "truncated") != 0)
                continue;
            sent->truncated = true;
            memcpy(sent->was, output->headers[h].value, output->headers[h].length);
        }
    }
    return taken;
}

static bool model_poll(void *self, struct producer_ack *ack)
{
    uint32_t i = kafka.next_ack;

    (void)self;
    if (i == kafka.count || i >= kafka.ack_upto)
        return false;
    const struct sent *sent = &kafka.sent[kafka.next_ack++];
    bool failed = i >= kafka.fail_from && i < kafka.fail_from + kafka.fail_count;

    *ack = (struct producer_ack){.owner = sent->owner, .too_large = sent->length > kafka.limit};
    ack->too_large |= i >= kafka.large_from && i < kafka.large_from + kafka.large_count;
    ack->delivered = !failed && !ack->too_large;
    return true;
}

static const char *model_fatal(void *self)
{
    (void)self;
    return kafka.fatal;
}

static int model_reopen(void *self)
{
    (void)self;
    kafka.reopened++;
    kafka.fatal = NULL;
    kafka.fail_from = kafka.next_ack;  /* what was not acknowledged comes back */
    kafka.fail_count = kafka.count - kafka.next_ack;
    kafka.ack_upto = UINT32_MAX;
    return 0;
}

static int model_left(void *self)
{
    (void)self;
    return (int)(kafka.count - kafka.next_ack);
}

static void model_close(void *self)
{
    (void)self;
    kafka.closed++;
}

static const struct producer_ops model_ops = {model_produce, model_poll, model_fatal,
                                              model_reopen, model_left, model_close};

static int model_open(const struct config *config, void (*wake)(void *), void *wake_self,
                      bool (*header)(const void *, size_t, const char **, const void **, size_t *),
                      struct producer *producer)
{
    (void)config;
    (void)wake;
    (void)wake_self;
    (void)header;
    producer->ops = &model_ops;
    producer->bytes_max = kafka.said_max;
    return 0;
}

/* ── who sends ── */

static struct {
    struct pool *pool;
    uint32_t     batches;      /* still to be emitted */
    uint32_t     emitted, done, failed;
    uint32_t     messages;     /* per batch */
    uint64_t     tags;         /* messages emitted so far: their tags */
    uint32_t     length;
    uint64_t     large_tag;    /* this message is longer than LIMIT; 0 = none */
    uint8_t      topic;
} maker;

static int maker_init(struct stage *stage, const struct config *config)
{
    const struct batch_shape shape = {.kind = KIND_OUTPUTS, .head_size = sizeof(struct outputs),
                                      .record_size = sizeof(struct output),
                                      .capacity = OUTPUTS_RECORDS};

    (void)config;
    maker.pool = stage_pool(stage, 0, &shape);
    return 0;
}

static int maker_tick(struct stage *stage, uint64_t now_ns)
{
    (void)now_ns;
    struct batch *batch = maker.batches > 0 ? pool_take(maker.pool) : NULL;

    if (batch == NULL)
        return 0;
    for (; batch->count < maker.messages; batch->count++, maker.tags++) {
        bool large = maker.large_tag != 0 && maker.tags == maker.large_tag;

        ((struct output *)batch->records)[batch->count] = (struct output){
            .topic = maker.topic, .alert = maker.tags, .length = large ? LIMIT + 7 : maker.length,
            .key = "k", .key_length = 1, .value = "v"};
    }
    maker.batches--;
    maker.emitted++;
    stage_emit(stage, 0, &batch);
    return 1;
}

static void maker_return(struct stage *stage, struct batch *batch)
{
    (void)stage;
    maker.done += batch->outcome == OUTCOME_DONE;
    maker.failed += batch->outcome == OUTCOME_FAILED;
    pool_give(maker.pool, &batch);
}

static int maker_drain(struct stage *stage, uint64_t now_ns)
{
    (void)stage;
    (void)now_ns;
    return 0;
}

static void maker_fini(struct stage *stage)
{
    (void)stage;
    pool_destroy(maker.pool);
}

static const struct stage_type stage_maker = {
    .name = "maker", .state_size = 1, .outputs_min = 1, .outputs_max = 1, .burst = 1,
    .init = maker_init, .on_tick = maker_tick, .on_return = maker_return,
    .on_drain = maker_drain, .fini = maker_fini};

/* ── the bench ── */

static struct graph *graph;
static uint64_t      now_ns;
static uint32_t      said_max;

static const char *const kinds[KINDS] = {"raw", "scans", "rejects", "outputs", "writes"};
static const struct graph_stage stages[] = {{&stage_maker, "in", 1}, {&stage_sink_kafka, "in", 1}};
static const struct graph_link  links[] = {{"maker", "sink_kafka", KIND_OUTPUTS, 256, 256}};
static const struct graph_plan  plan = {.stages = stages, .stages_count = 2, .links = links,
                                        .links_count = 1, .kinds = kinds, .workers = 1};

static void begin(uint32_t batches, uint32_t messages, uint8_t topic, uint32_t length)
{
    memset(&kafka, 0, sizeof kafka);
    memset(&maker, 0, sizeof maker);
    kafka.room = kafka.ack_upto = UINT32_MAX;
    kafka.limit = LIMIT;
    kafka.said_max = said_max;
    maker.batches = batches;
    maker.messages = messages;
    maker.topic = topic;
    maker.length = length;
    now_ns = 1000000000;
    ports.producer_open = model_open;
    log_open(LOG_LEVEL_ERROR, LOG_FORM_TEXT);
    graph = graph_create(&plan, NULL);
    assert_non_null(graph);
}

static void step(int64_t ms)
{
    for (int64_t i = 0; i < ms; i++) {
        now_ns += 1000000;
        (void)graph_step(graph, 0, now_ns);
        (void)graph_step(graph, 1, now_ns);
    }
}

static void end(void)
{
    graph_stop(graph);
    step(20000);
    assert_true(graph_halted(graph));
    assert_false(graph_failed(graph));
    assert_int_equal(maker.done, maker.emitted);
    assert_int_equal(maker.failed, 0);
    graph_destroy(graph);
    assert_int_equal(kafka.closed, 1);
}

/* ── the tests ── */

static void finished_when_all_is_delivered(void **state)
{
    (void)state;
    begin(3, 10, TOPIC_ETAS, 100);
    kafka.ack_upto = 15;
    step(100);
    assert_int_equal(maker.done, 1);
    kafka.ack_upto = 19;
    step(100);
    assert_int_equal(maker.done, 1);
    kafka.ack_upto = 20;
    step(100);
    assert_int_equal(maker.done, 2);
    assert_int_equal(kafka.calls, 3); /* a batch is one call */
    kafka.ack_upto = UINT32_MAX;
    int64_t before = metric_sum("outputs_total");

    step(10);
    assert_int_equal(metric_sum("outputs_total") - before, 10);
    end();
}

static void empty_batch_is_finished(void **state)
{
    (void)state;
    begin(1, 0, TOPIC_ETAS, 0);
    step(2);
    assert_int_equal(maker.done, 1);
    end();
}

static void order_is_kept_when_there_is_little_room(void **state)
{
    (void)state;
    begin(20, 50, TOPIC_ALERTS, 100);
    kafka.room = 0;
    for (int i = 0; i < 2000; i++) {
        kafka.room += 7;
        step(1);
    }
    assert_int_equal(kafka.count, 1000);
    for (uint32_t i = 0; i < kafka.count; i++)
        assert_int_equal(kafka.sent[i].tag, i);
    assert_int_equal(maker.done, 20);
    end();
}

static void more_batches_than_it_holds_wait(void **state)
{
    (void)state;
    begin(200, 1, TOPIC_ETAS, 100);
    kafka.ack_upto = 0;
    step(300);
    assert_int_equal(maker.emitted, 200);
    assert_int_equal(kafka.count, 128);
    kafka.ack_upto = UINT32_MAX;
    step(300);
    assert_int_equal(maker.done, 200);
    end();
}

static void not_delivered_is_sent_again_in_order(void **state)
{
    (void)state;
    begin(3, 10, TOPIC_ETAS, 100);
    kafka.fail_from = 4;
    kafka.fail_count = 12;         /* of the first and the second batch */
    kafka.ack_upto = 0;
    step(10);
    kafka.ack_upto = UINT32_MAX;
    step(40);
    assert_int_equal(maker.done, 0); /* the third has arrived, and would be overtaken */
    assert_int_equal(kafka.count, 30);
    step(500);
    assert_int_equal(maker.done, 3);
    assert_int_equal(kafka.count, 60); /* all three, whole: the last comes last again */
    for (uint32_t i = 30; i < 60; i++)
        assert_int_equal(kafka.sent[i].tag, i - 30);
    end();
}

static void failing_for_long_backs_off(void **state)
{
    (void)state;
    begin(1, 1, TOPIC_ETAS, 100);
    kafka.fail_count = UINT32_MAX;
    step(60000);
    assert_int_equal(maker.done, 0);
    assert_in_range(kafka.count, 10, 30);
    kafka.fail_count = 0;
    step(6000);
    assert_int_equal(maker.done, 1);
    end();
}

static void large_dead_letter_is_truncated_alone(void **state)
{
    (void)state;
    begin(1, 3, TOPIC_DEAD_LETTERS, LIMIT); /* just not */
    step(10);
    assert_int_equal(kafka.count, 3);
    assert_false(kafka.sent[0].truncated);
    end();
    begin(1, 1, TOPIC_DEAD_LETTERS, LIMIT + 1);
    step(1000);
    assert_int_equal(maker.done, 1);
    assert_int_equal(kafka.count, 3); /* among others, alone, cut */
    assert_false(kafka.sent[1].truncated);
    assert_true(kafka.sent[2].truncated);
    assert_int_equal(kafka.sent[2].length, 64 * 1024);
    assert_string_equal(kafka.sent[2].was, "102401");
    end();
}

static void small_limit_truncates_further(void **state)
{
    (void)state;
    begin(1, 2, TOPIC_DEAD_LETTERS, LIMIT);
    kafka.limit = 10 * 1024;
    step(20000);
    assert_int_equal(maker.done, 1);
    const struct sent *last = &kafka.sent[kafka.count - 1];

    assert_int_equal(last->length, 8 * 1024);
    assert_string_equal(last->was, "102400");
    end();
}

/* A broker refuses the request, and with it those that are not too large. */
static void innocent_messages_are_not_truncated(void **state)
{
    (void)state;
    begin(2, 5, TOPIC_ALERTS, 1000);
    kafka.large_from = 3;
    kafka.large_count = 1;
    step(20000);
    assert_int_equal(maker.done, 2);
    uint64_t next = 0;

    for (uint32_t i = 0; i < kafka.count; i++) {
        assert_false(kafka.sent[i].truncated);
        next = kafka.sent[i].tag == next ? next + 1 : next;
    }
    assert_int_equal(next, 10); /* in order, whatever was repeated */
    end();
}

static void known_limit_cuts_at_once(void **state)
{
    (void)state;
    said_max = LIMIT;
    begin(1, 5, TOPIC_DEAD_LETTERS, 1000);
    said_max = 0;
    maker.large_tag = 2;
    step(100);
    assert_int_equal(maker.done, 1);
    assert_int_equal(kafka.count, 5);
    assert_int_equal(kafka.calls, 3);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(kafka.sent[i].tag, i);
        assert_int_equal(kafka.sent[i].truncated, i == 2);
    }
    end();
}

static void only_the_large_one_is_cut(void **state)
{
    uint32_t cut = 0;

    (void)state;
    begin(1, 5, TOPIC_ALERTS, 1000);
    maker.large_tag = 2;
    step(20000);
    assert_int_equal(maker.done, 1);
    for (uint32_t i = 0; i < kafka.count; i++) {
        cut += kafka.sent[i].truncated;
        assert_true(!kafka.sent[i].truncated || kafka.sent[i].tag == 2);
    }
    assert_int_equal(cut, 1);
    assert_int_equal(kafka.count, 5 + 6);
    end();
}

static void fatal_error_makes_a_new_producer(void **state)
{
    (void)state;
    begin(2, 10, TOPIC_ETAS, 100);
    kafka.ack_upto = 5;
    step(50);
    kafka.fatal = "out of order";
    step(2000);
    assert_int_equal(kafka.reopened, 1);
    assert_int_equal(maker.done, 2);
    assert_int_equal(kafka.count, 40); /* all that was not acknowledged, batch by batch */
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finished_when_all_is_delivered),
        cmocka_unit_test(empty_batch_is_finished),
        cmocka_unit_test(order_is_kept_when_there_is_little_room),
        cmocka_unit_test(more_batches_than_it_holds_wait),
        cmocka_unit_test(not_delivered_is_sent_again_in_order),
        cmocka_unit_test(failing_for_long_backs_off),
        cmocka_unit_test(large_dead_letter_is_truncated_alone),
        cmocka_unit_test(small_limit_truncates_further),
        cmocka_unit_test(innocent_messages_are_not_truncated),
        cmocka_unit_test(only_the_large_one_is_cut),
        cmocka_unit_test(known_limit_cuts_at_once),
        cmocka_unit_test(fatal_error_makes_a_new_producer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
