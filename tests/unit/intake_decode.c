/* Unit tests of the stages decode and dead_letter, in a graph of their own: a source that
 * emits what a test wrote, two workers and an outlet that keep batches until told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/config.h"
#include "pipeline/graph.h"
#include "pipeline/metric.h"
#include "stages/intake/intake.h"
#include "stages/intake/passage.h"
#include "stages/outlet/output.h"
#include "stages/scan/format.h"

enum { PARTITIONS = 4, HELD_MAX = 64, TEXT_MAX = 256, REJECTS_OUT = 16 };

/* ── The neighbours ─────────────────────────────────────────────────────────────────── */

/* What the source emits next, and what it got back. */
static struct {
    struct pool   *pool;
    struct batch  *next;
    uint32_t       back, failed;
    struct passage answer;
} source;

static int source_init(struct stage *stage, const struct config *config)
{
    static const struct batch_shape shape = {.kind = KIND_RAW, .head_size = sizeof(struct passage),
                                             .record_size = sizeof(struct raw),
                                             .capacity = RAW_RECORDS};

    (void)config;
    source.pool = stage_pool(stage, 0, &shape);
    return 0;
}

static int source_tick(struct stage *stage, uint64_t now_ns)
{
    (void)now_ns;
    if (source.next == NULL)
        return 0;
    stage_emit(stage, 0, &source.next);
    return 1;
}

static void source_return(struct stage *stage, struct batch *batch)
{
    (void)stage;
    source.back++;
    source.failed += batch->outcome == OUTCOME_FAILED;
    source.answer = *(const struct passage *)batch->head;
    pool_give(source.pool, &batch);
}

static void source_fini(struct stage *stage)
{
    (void)stage;
    pool_destroy(source.pool);
}

static const struct stage_type type_source = {
    .name = "source", .state_size = 1, .outputs_min = 1, .outputs_max = 1, .burst = 1,
    .init = source_init, .on_tick = source_tick, .on_return = source_return, .fini = source_fini};

/* Batches that a receiver keeps, oldest first; `finish` of them go back at its next tick. */
struct keeper {
    struct batch *held[HELD_MAX];
    uint32_t      count, finish;
    enum outcome  outcome;
};

static struct keeper workers[2], outlet;

static struct keeper *keeper_of(struct stage *stage)
{
    return strcmp(stage_name(stage), "outlet") == 0 ? &outlet : &workers[stage_index(stage)];
}

static enum stage_verdict keep(struct stage *stage, struct batch *batch, uint64_t now_ns)
{
    struct keeper *keeper = keeper_of(stage);

    (void)now_ns;
    assert_true(keeper->count < HELD_MAX);
    keeper->held[keeper->count++] = batch;
    return STAGE_TAKEN;
}

static int let_go(struct stage *stage, uint64_t now_ns)
{
    struct keeper *keeper = keeper_of(stage);
    int            work = 0;

    (void)now_ns;
    for (; keeper->finish > 0 && keeper->count > 0; keeper->finish--, work++) {
        stage_finish(stage, &keeper->held[0], keeper->outcome);
        memmove(keeper->held, keeper->held + 1, --keeper->count * sizeof *keeper->held);
    }
    return work;
}

#define KEEPER(name_) {.name = name_, .state_size = 1, .inputs_min = 1, .inputs_max = 1, \
                       .burst = 1, .on_batch = keep, .on_tick = let_go}
static const struct stage_type type_worker = KEEPER("worker"), type_outlet = KEEPER("outlet");

/* ── The graph ──────────────────────────────────────────────────────────────────────── */

static const struct config_row rows[] = {
    {"intake.format", CONFIG_CHOICE, "json", 0, 0, "json", "", false, false},
    {"kafka.partitioner", CONFIG_CHOICE, "murmur2", 0, 0, "murmur2|any", "", false, false},
    {"kafka.topics.scans", CONFIG_TEXT, "scans", 0, 0, NULL, "", false, false},
};

static const struct graph_stage stages[] = {
    {&type_source, "in", 1}, {&stage_decode, "in", 1},   {&stage_dead_letter, "in", 1},
    {&type_worker, "worker", 0}, {&type_outlet, "out", 1},
};

static const struct graph_link links[] = {
    {"source", "decode", KIND_RAW, 16, 32},
    {"decode", "worker", KIND_SCANS, 16, 32},
    {"decode", "dead_letter", KIND_REJECTS, 16, REJECTS_OUT},
    {"dead_letter", "outlet", KIND_OUTPUTS, 16, 16},
};

static const char *const kinds[KINDS] = {"raw", "scans", "rejects", "outputs", "writes"};

static const struct graph_plan plan = {
    .stages = stages, .stages_count = sizeof stages / sizeof *stages, .links = links,
    .links_count = sizeof links / sizeof *links, .kinds = kinds, .workers = 2, .fused = 1};

static struct config *config;
static struct graph  *graph;
static char           texts[RAW_RECORDS][TEXT_MAX];
static struct raw     last_raw;

static void open_graph(const char *partitioner)
{
    config = config_create(rows, sizeof rows / sizeof *rows);
    assert_int_equal(config_set(config, partitioner), 0);
    assert_int_equal(config_finish(config), 0);
    memset(&source, 0, sizeof source);
    memset(workers, 0, sizeof workers);
    memset(&outlet, 0, sizeof outlet);
    graph = graph_create(&plan, config);
    assert_non_null(graph);
}

static int setup(void **state)
{
    (void)state;
    open_graph("kafka.partitioner=murmur2");
    return 0;
}

static int setup_any(void **state)
{
    (void)state;
    open_graph("kafka.partitioner=any");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    graph_destroy(graph);
    config_destroy(config);
    return 0;
}

/* Turns all stages until none has work. */
static void turn(void)
{
    int work = 1;

    while (work > 0) {
        work = 0;
        for (uint32_t i = 0; i < graph_stages(graph); i++)
            work += graph_step(graph, i, 1) > 0;
    }
}

static void finish(struct keeper *keeper, uint32_t count, enum outcome outcome)
{
    keeper->finish = count;
    keeper->outcome = outcome;
    turn();
}

/* A number whose home is the partition. */
static const char *number_of(int32_t partition, int which)
{
    static char number[16];

    for (int i = 0;; i++) {
        (void)snprintf(number, sizeof number, "YT%d", i);
        int32_t home = (int32_t)(parcel_home(number, strlen(number)) % PARTITIONS);

        if (home == partition && which-- == 0)
            return number;
    }
}

static struct batch *begin(int32_t partition, uint32_t assignment, int64_t offset)
{
    struct batch   *batch = pool_take(source.pool);
    struct passage *passage = batch->head;

    batch->partition = partition;
    batch->assignment = assignment;
    batch->offset_first = batch->offset_next = offset;
    passage->partitions = PARTITIONS;
    return batch;
}

/* Adds a message; value NULL = a null value. */
static void add(struct batch *batch, const char *key, const char *value)
{
    struct raw *raw = (struct raw *)batch->records + batch->count++;

    *raw = (struct raw) {.value = value, .length = value != NULL ? (uint32_t)strlen(value) : 0,
                         .key = key, .key_length = key != NULL ? (uint32_t)strlen(key) : 0,
                         .offset = batch->offset_next++, .kafka_ms = 1000 + batch->offset_next,
                         .message = raw};
    last_raw = *raw;
}

static void add_good(struct batch *batch, const char *number)
{
    char *text = texts[batch->count];

    (void)snprintf(text, TEXT_MAX,
                   "%s{\"parcel\":\"%s\",\"code\":\"LABEL\",\"time\":\"2024-11-11T08:30:00Z\"}",
                   number, number);
    add(batch, number, text + strlen(number));
    ((struct raw *)batch->records)[batch->count - 1].key = text;
    ((struct raw *)batch->records)[batch->count - 1].key_length = (uint32_t)strlen(number);
}

static void emit(struct batch *batch)
{
    source.next = batch;
    turn();
}

static const struct passage *passage_of(const struct batch *batch)
{
    return batch->head;
}

/* ── Tests ──────────────────────────────────────────────────────────────────────────── */

static void test_scans_and_dead_letters(void **state)
{
    struct batch *batch = begin(1, 7, 100);
    int64_t       read = metric_sum("scans_read_total"), bad = metric_sum("dead_letters_total"),
            skipped = metric_sum("scans_skipped_total");

    (void)state;
    add_good(batch, number_of(1, 0));
    add(batch, "X", "{");
    add(batch, "X", NULL);
    add_good(batch, number_of(1, 1));
    add(batch, "K", "[]");
    emit(batch);

    assert_true(workers[1].count == 1 && workers[0].count == 0);
    const struct batch *scans = workers[1].held[0];
    const struct scan  *scan = scans->records;
    assert_int_equal(scans->count, 5);   /* records that are no scan stand among them, blank */
    assert_true(scans->partition == 1 && scans->assignment == 7);
    assert_true(scans->offset_first == 100 && scans->offset_next == 105);
    assert_true(scan[0].offset == 100 && scan[3].offset == 103 && scan[3].message != NULL);
    assert_int_equal(scan[3].kafka_ms, 1104);
    for (uint32_t i = 0; i < 5; i++)
        assert_true(scan_is_blank(&scan[i]) == (i != 0 && i != 3) && scan[i].offset == 100 + i);
    assert_int_equal(passage_of(scans)->skipped, 1);
    assert_int_equal(passage_of(scans)->rejected, 2);
    assert_int_equal(passage_of(scans)->settled, 101);
    assert_int_equal(scan[4].kafka_ms, last_raw.kafka_ms);
    assert_int_equal(scan[4].home, parcel_home("K", 1));
    assert_int_equal(metric_sum("scans_read_total") - read, 5);
    assert_int_equal(metric_sum("dead_letters_total") - bad, 2);
    assert_int_equal(metric_sum("scans_skipped_total") - skipped, 1);
    assert_int_equal(outlet.count, 1);
    assert_int_equal(outlet.held[0]->count, 2);
}

/* The RAW batch goes home when all that was made of it is back, with the worker's answers. */
static void test_way_home(void **state)
{
    (void)state;
    for (int letters_first = 0; letters_first < 2; letters_first++) {
        struct batch *batch = begin(0, 1, 10 * letters_first);

        add(batch, "X", "{");
        emit(batch);
        struct passage *passage = workers[0].held[0]->head;
        passage->answer = ANSWER_COMMIT;
        passage->offset = 42;
        passage->epoch = 43;
        passage->check_kafka_ms = 44;
        passage->check_home = 45;
        passage->check_valid = 1;
        memcpy(passage->text, "why", 4);
        finish(letters_first ? &outlet : &workers[0], 1, OUTCOME_DONE);
        assert_int_equal(source.back, letters_first);
        finish(letters_first ? &workers[0] : &outlet, 1, OUTCOME_DONE);
        assert_int_equal(source.back, letters_first + 1);
        assert_int_equal(source.failed, 0);
        assert_int_equal(source.answer.answer, ANSWER_COMMIT);
        assert_int_equal(source.answer.offset, 42);
        assert_int_equal(source.answer.epoch, 43);
        assert_int_equal(source.answer.check_kafka_ms, 44);
        assert_int_equal(source.answer.check_home, 45);
        assert_int_equal(source.answer.check_valid, 1);
        assert_string_equal(source.answer.text, "why");
    }
}

/* `settled` waits at the oldest dead letter not acknowledged, and a pulse carries the news. */
static void test_settled(void **state)
{
    struct batch *batch = begin(2, 1, 50);

    (void)state;
    add_good(batch, number_of(2, 0));
    add(batch, "X", "{");
    emit(batch);
    assert_int_equal(passage_of(workers[0].held[0])->settled, 51);

    batch = begin(2, 1, 52);
    add_good(batch, number_of(2, 0));
    emit(batch);
    assert_int_equal(passage_of(workers[0].held[1])->settled, 51);

    batch = begin(2, 1, 53);
    ((struct passage *)batch->head)->event = PASSAGE_PULSE;
    emit(batch);
    assert_int_equal(passage_of(workers[0].held[2])->settled, 51);
    assert_int_equal(passage_of(workers[0].held[2])->event, PASSAGE_PULSE);

    finish(&outlet, 1, OUTCOME_DONE);
    batch = begin(2, 1, 53);
    ((struct passage *)batch->head)->event = PASSAGE_PULSE;
    emit(batch);
    assert_int_equal(passage_of(workers[0].held[3])->settled, 53);
}

/* A dead letter that Kafka did not take stays open for ever, and its batch has failed. */
static void test_failed(void **state)
{
    struct batch *batch = begin(2, 1, 50);

    (void)state;
    add(batch, "X", "{");
    emit(batch);
    finish(&workers[0], 1, OUTCOME_DONE);
    finish(&outlet, 1, OUTCOME_FAILED);
    assert_int_equal(source.back, 1);
    assert_int_equal(source.failed, 1);
    emit(begin(2, 1, 51));
    assert_int_equal(passage_of(workers[0].held[0])->settled, 50);
}

/* Under a new assignment the same offsets come again; letters of the old one say nothing. */
static void test_assignments(void **state)
{
    struct batch *batch = begin(2, 1, 50);

    (void)state;
    add(batch, "X", "{");
    emit(batch);
    batch = begin(2, 2, 0);
    ((struct passage *)batch->head)->event = PASSAGE_ASSIGN;
    emit(batch);
    batch = begin(2, 2, 40);
    add(batch, "X", "{");
    emit(batch);
    assert_int_equal(passage_of(workers[0].held[2])->settled, 40);
    finish(&outlet, 1, OUTCOME_DONE); /* of assignment 1 */
    emit(begin(2, 2, 41));
    assert_int_equal(passage_of(workers[0].held[3])->settled, 40);
    finish(&outlet, 1, OUTCOME_DONE);
    emit(begin(2, 2, 41));
    assert_int_equal(passage_of(workers[0].held[4])->settled, 41);

    emit(begin(2, 1, 60)); /* a straggler of the old one goes through and changes nothing */
    emit(begin(2, 2, 41));
    assert_int_equal(passage_of(workers[0].held[6])->settled, 41);
}

/* What was sent before is counted, and not sent again. */
static void test_suppressed(void **state)
{
    struct batch *batch = begin(0, 1, 5);

    (void)state;
    ((struct passage *)batch->head)->suppress_below = 7;
    add(batch, "X", "{");
    add(batch, "X", "{");
    add(batch, "X", "{");
    emit(batch);
    assert_int_equal(passage_of(workers[0].held[0])->rejected, 3);
    assert_int_equal(passage_of(workers[0].held[0])->settled, 7);
    assert_int_equal(outlet.count, 1);
    assert_int_equal(outlet.held[0]->count, 1);
}

/* Nothing but dead letters: as many batches as it takes, and no more than are acknowledged. */
static void test_flood(void **state)
{
    uint32_t batches = RAW_RECORDS / REJECTS_RECORDS, rounds = REJECTS_OUT / batches;
    int64_t  offset = 0;

    (void)state;
    for (uint32_t round = 0; round <= rounds; round++) {
        struct batch *batch = begin(0, 1, offset);

        for (int i = 0; i < RAW_RECORDS; i++)
            add(batch, "X", "{");
        offset = batch->offset_next;
        emit(batch);
        assert_int_equal(workers[0].count, round < rounds ? round + 1 : rounds);
        assert_int_equal(outlet.count, round < rounds ? (round + 1) * batches : REJECTS_OUT);
    }
    finish(&outlet, batches, OUTCOME_DONE); /* room again: the one that waited is taken */
    assert_int_equal(workers[0].count, rounds + 1);
    assert_int_equal(passage_of(workers[0].held[rounds])->settled,
                     batches * REJECTS_RECORDS);
    emit(begin(0, 1, offset));
    assert_int_equal(workers[0].count, rounds + 1);
    finish(&outlet, batches, OUTCOME_DONE);
    assert_int_equal(workers[0].count, rounds + 2);
    assert_int_equal(passage_of(workers[0].held[rounds + 1])->settled,
                     2 * batches * REJECTS_RECORDS);
}

static enum reject reject_of(const struct batch *outputs, uint32_t i)
{
    const struct rejected *rejected = outputs->kept->records;

    return rejected[i].reject;
}

static void test_keys(void **state)
{
    struct batch *batch = begin(3, 1, 0);
    const char   *home = number_of(3, 0);

    (void)state;
    add_good(batch, home);
    add_good(batch, number_of(1, 0));
    add_good(batch, home);
    ((struct raw *)batch->records)[2].key = NULL;
    ((struct raw *)batch->records)[2].key_length = 0;
    add_good(batch, home);
    ((struct raw *)batch->records)[3].key_length--;
    emit(batch);
    assert_int_equal(passage_of(workers[1].held[0])->rejected, 3);
    assert_int_equal(outlet.held[0]->count, 3);
    assert_int_equal(reject_of(outlet.held[0], 0), REJECT_WRONG_PARTITION);
    assert_int_equal(reject_of(outlet.held[0], 1), REJECT_KEY_MISMATCH);
    assert_int_equal(reject_of(outlet.held[0], 2), REJECT_KEY_MISMATCH);
}

static void test_keys_anywhere(void **state)
{
    struct batch *batch = begin(3, 1, 0);

    (void)state;
    add_good(batch, number_of(3, 0));
    add_good(batch, number_of(1, 0));
    emit(batch);
    assert_int_equal(workers[1].held[0]->count, 2);
    assert_int_equal(outlet.count, 0);
}

/* Texts without their escapes live as long as the batch, a whole batch full of them. */
static void test_escapes(void **state)
{
    const char   *number = number_of(0, 0);
    struct batch *batch = begin(0, 1, 0);
    char          wanted[32];

    (void)state;
    for (int i = 0; i < RAW_RECORDS; i++) {
        char *text = texts[i];

        (void)snprintf(text, TEXT_MAX,
                       "{\"parcel\":\"%s\",\"code\":\"LABEL\",\"time\":\"2024-11-11T08:30:00Z\","
                       "\"reason\":\"\\u676d-%d\"}", number, i);
        add(batch, number, text);
    }
    emit(batch);
    const struct scan *scan = workers[0].held[0]->records;
    assert_int_equal(workers[0].held[0]->count, RAW_RECORDS);
    for (int i = 0; i < RAW_RECORDS; i++) {
        int length = snprintf(wanted, sizeof wanted, "\xe6\x9d\xad-%d", i);

        assert_int_equal(scan[i].reason.length, length);
        assert_memory_equal(scan_text(&scan[i], scan[i].reason), wanted, (size_t)length);
        assert_memory_equal(scan_text(&scan[i], scan[i].parcel), number, strlen(number));
    }
}

static void want_header(const struct output *output, const char *name, const char *value)
{
    for (uint8_t i = 0; i < output->headers_count; i++) {
        const struct output_header *header = &output->headers[i];

        if (strcmp(header->name, name) != 0)
            continue;
        if (value == NULL)
            fail_msg("header %s", name);
        assert_int_equal(header->length, strlen(value));
        assert_memory_equal(header->value, value, header->length);
        return;
    }
    if (value != NULL)
        fail_msg("no header %s", name);
}

/* The letter as it came, and why. */
static void test_letter(void **state)
{
    static const char missing[] = "{\"parcel\":\"X\"}";
    struct batch     *batch = begin(3, 1, 1000);

    (void)state;
    add(batch, "X", missing);
    add(batch, NULL, "");
    ((struct raw *)batch->records)[1].kafka_ms = -1;
    emit(batch);
    const struct batch  *letters = outlet.held[0];
    const struct output *output = letters->records;
    assert_int_equal(((const struct outputs *)letters->head)->mode, OUTPUTS_AT_ONCE);
    assert_int_equal(letters->count, 2);
    assert_int_equal(letters->partition, 3);
    assert_int_equal(output[0].topic, TOPIC_DEAD_LETTERS);
    assert_ptr_equal(output[0].value, missing);
    assert_int_equal(output[0].length, sizeof missing - 1);
    assert_int_equal(output[0].key_length, 1);
    assert_memory_equal(output[0].key, "X", 1);
    assert_int_equal(output[0].home, parcel_home("X", 1));
    assert_ptr_equal(output[0].original, ((struct raw *)batch->records)[0].message);
    want_header(&output[0], "reason", "missing-field");
    want_header(&output[0], "field", "code");
    want_header(&output[0], "source-topic", "scans");
    want_header(&output[0], "source-partition", "3");
    want_header(&output[0], "source-offset", "1000");
    want_header(&output[0], "source-timestamp", "2001");
    want_header(&output[1], "reason", "empty");
    want_header(&output[1], "field", NULL);
    want_header(&output[1], "source-offset", "1001");
    want_header(&output[1], "source-timestamp", NULL);
    assert_null(output[1].key);
    assert_non_null(output[1].value);
}

/* A stop brings everything home. */
static void test_drain(void **state)
{
    struct batch *batch = begin(0, 1, 0);

    (void)state;
    add(batch, "X", "{");
    add_good(batch, number_of(0, 0));
    emit(batch);
    graph_stop(graph);
    turn();
    assert_false(graph_halted(graph));
    finish(&outlet, 1, OUTCOME_DONE);
    finish(&workers[0], 1, OUTCOME_DONE);
    turn();
    assert_true(graph_halted(graph));
    assert_false(graph_failed(graph));
    assert_int_equal(pool_free(source.pool), pool_size(source.pool));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_scans_and_dead_letters), TEST(test_way_home), TEST(test_settled),
        TEST(test_failed), TEST(test_assignments), TEST(test_suppressed), TEST(test_flood),
        TEST(test_keys), TEST(test_escapes), TEST(test_letter), TEST(test_drain),
        cmocka_unit_test_setup_teardown(test_keys_anywhere, setup_any, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
