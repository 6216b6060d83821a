/* source_kafka, stepped with a model of a broker on one side and of decode on the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/batch.h"
#include "pipeline/clock.h"
#include "pipeline/config.h"
#include "pipeline/error.h"
#include "pipeline/graph.h"
#include "pipeline/log.h"
#include "stages/board.h"
#include "stages/intake/intake.h"
#include "stages/intake/passage.h"
#include "stages/ports.h"
#include "stages/scan/scan.h"
#include "stages/settings.h"

enum { LOGS = 4, EVENTS = 64, HOME_MAX = 512, SECOND = 1000 };

/* What is above this room: the test's own. */
struct ports     ports;
struct board_row board[BOARD_PARTITIONS_MAX];
_Atomic int      board_partitions;

void board_clear(int32_t partition)
{
    board[partition].phase = PHASE_NONE;
    board[partition].why = NULL;
}

uint64_t settings_hash(const struct config *config)
{
    (void)config;
    return 0xabcdef0123456789u;
}

#define OURS "peakline 77 abcdef0123456789"

/* ── the model of a broker ── */

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
    (void)self;
    return now();
}

static int64_t model_ms(void *self)
{
    (void)self;
    return wall_ms;
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

/* The key of every record is its offset in decimal. */
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

/* ── the model of what comes after ── */

static struct {
    struct stage *stage;
    struct batch *held[HOME_MAX];    /* taken and not sent home, in order */
    uint32_t      count;
    bool          holding;           /* takes nothing */
} decode;

static int peer_init(struct stage *stage, const struct config *config)
{
    (void)config;
    decode.stage = stage;
    return 0;
}

static enum stage_verdict peer_take(struct stage *stage, struct batch *batch, uint64_t now_ns)
{
    (void)stage;
    (void)now_ns;
    if (decode.holding)
        return STAGE_HOLD;
    decode.held[decode.count++] = batch;
    return STAGE_TAKEN;
}

static int peer_drain(struct stage *stage, uint64_t now_ns)
{
    (void)stage;
    (void)now_ns;
    return 0;
}

static const struct stage_type peer = {
    .name = "peer", .state_size = 1, .inputs_min = 1, .inputs_max = 1,
    .init = peer_init, .on_batch = peer_take, .on_drain = peer_drain};

static struct passage *head(const struct batch *batch)
{
    return batch->head;
}

/* Sends the i-th held batch home. */
static void home(uint32_t i)
{
    struct batch *batch = decode.held[i];

    decode.count--;
    memmove(&decode.held[i], &decode.held[i + 1], (decode.count - i) * sizeof decode.held[0]);
    stage_finish(decode.stage, &batch, OUTCOME_DONE);
}

/* The first held passage of a kind, of a partition; -1 = none. */
static int find(enum passage_event event, int32_t partition)
{
    for (uint32_t i = 0; i < decode.count; i++)
        if (head(decode.held[i])->event == event && decode.held[i]->partition == partition)
            return (int)i;
    return -1;
}

static struct passage *wanted(enum passage_event event, int32_t partition)
{
    int i = find(event, partition);

    assert_true(i >= 0);
    return head(decode.held[i]);
}

/* ── the bench ── */

static struct {
    struct config *config;
    struct graph  *graph;
    bool           stopped;
} bench;

static const char *const kinds[KINDS] = {"raw", "scans", "rejects", "outputs", "writes"};
static const struct graph_stage stages[] = {{&stage_source_kafka, "in", 1}, {&peer, "in", 1}};
static const struct graph_link  links[] = {{"source_kafka", "peer", KIND_RAW, 64, 64}};
static const struct graph_plan  plan = {.stages = stages, .stages_count = 2, .links = links,
                                        .links_count = 1, .kinds = kinds, .workers = 1};

static const struct config_row rows[] = {
    {.path = "kafka.start", .kind = CONFIG_TEXT, .fallback = "earliest", .help = "."},
    {.path = "kafka.accept_gap", .kind = CONFIG_BOOL, .fallback = "false", .help = "."},
    {.path = "clock.idle_advance", .kind = CONFIG_BOOL, .fallback = "true", .help = "."},
    {.path = "clock.mode", .kind = CONFIG_CHOICE, .fallback = "kafka", .choices = "kafka|event",
     .help = "."},
};

static void begin(const char *setting)
{
    memset(&broker, 0, sizeof broker);
    memset(&decode, 0, sizeof decode);
    memset(board, 0, sizeof board);
    broker.partitions = LOGS;
    for (int p = 0; p < LOGS; p++) {
        broker.logs[p].high = 100;
        broker.logs[p].at = broker.logs[p].group = -1;
    }
    wall_ms = 1000000;
    clock_use(&model_clock);
    log_open(LOG_LEVEL_ERROR, LOG_FORM_TEXT);
    ports.consumer_open = model_open;
    bench.config = config_create(rows, sizeof rows / sizeof rows[0]);
    if (setting != NULL)
        assert_int_equal(config_set(bench.config, setting), 0);
    assert_int_equal(config_finish(bench.config), 0);
    bench.graph = graph_create(&plan, bench.config);
    bench.stopped = false;
    assert_non_null(bench.graph);
}

static void stop(void)
{
    if (!bench.stopped) /* a second time would give the drain up */
        graph_stop(bench.graph);
    bench.stopped = true;
}

static void step(int64_t ms)
{
    for (int64_t i = 0; i < ms; i++) {
        wall_ms++;
        for (uint32_t s = 0; s < 2; s++)
            (void)graph_step(bench.graph, s, now());
    }
}

static void assign(int32_t count)
{
    for (int32_t p = 0; p < count; p++)
        broker.given[p] = p;
    tell((struct consumer_event){.kind = CONSUMER_ASSIGNED, .count = count,
                                 .partitions = broker.given});
    step(5);
}

static void answer_start(int32_t partition, int64_t offset)
{
    struct passage *passage = wanted(PASSAGE_ASSIGN, partition);

    passage->answer = ANSWER_START;
    passage->offset = offset;
    passage->epoch = 78;
    passage->check_valid = offset > 0;
    passage->check_kafka_ms = (offset - 1) * 10;
    if (offset > 0) {
        uint32_t    length;
        const char *key = key_of(offset - 1, &length);

        passage->check_home = parcel_home(key, length);
    }
    home((uint32_t)find(PASSAGE_ASSIGN, partition));
    step(5);
}

static void answer(enum passage_event event, int32_t partition, enum passage_answer what,
                   int64_t offset)
{
    struct passage *passage = wanted(event, partition);

    passage->answer = (uint8_t)what;
    passage->offset = offset;
    passage->epoch = 78;
    home((uint32_t)find(event, partition));
    step(5);
}

/* Everything home, drained, and nothing left anywhere. */
static void end(void)
{
    stop();
    decode.holding = false;
    for (int i = 0; i < 60 * SECOND && !graph_halted(bench.graph); i++) {
        step(1);
        while (decode.count > 0)
            home(0);
    }
    assert_true(graph_halted(bench.graph));
    assert_false(graph_failed(bench.graph));
    assert_int_equal(broker.out, 0);
    graph_destroy(bench.graph);
    assert_int_equal(broker.closed, 1);
    config_destroy(bench.config);
    clock_use(NULL);
}

static void give_up(void)
{
    graph_destroy(bench.graph);
    config_destroy(bench.config);
    clock_use(NULL);
}

/* ── claims ── */

static void first_start(void **state)
{
    (void)state;
    begin(NULL);
    broker.logs[0].low = 7;
    assign(1);
    assert_int_equal(broker.logs[0].group, 7);
    assert_string_equal(broker.logs[0].metadata, "peakline start");
    const struct passage *claim = wanted(PASSAGE_ASSIGN, 0);

    assert_int_equal(claim->group, GROUP_START);
    assert_int_equal(claim->group_offset, 7);
    assert_int_equal(claim->low, 7);
    assert_int_equal(claim->high, 100);
    assert_int_equal(claim->partitions, LOGS);
    assert_int_equal(broker.assigns, 0); /* nothing is read before mark is known */
    answer_start(0, 7);
    assert_int_equal(broker.assigned[0], 7); /* record 6 is not there to be looked at */
    const struct batch *scans = decode.held[find(PASSAGE_SCANS, 0)];

    assert_int_equal(scans->offset_first, 7);
    assert_int_equal(scans->offset_next, 100);
    assert_int_equal(scans->count, 93);
    assert_int_equal(head(scans)->suppress_below, 0);
    end();
}

static void first_start_latest(void **state)
{
    (void)state;
    begin("kafka.start=latest");
    assign(1);
    assert_int_equal(broker.logs[0].group, 100);
    end();
}

static void bad_start_is_refused(void **state)
{
    (void)state;
    memset(&broker, 0, sizeof broker);
    ports.consumer_open = model_open;
    bench.config = config_create(rows, sizeof rows / sizeof rows[0]);
    assert_int_equal(config_set(bench.config, "kafka.start=yesterday"), 0);
    assert_int_equal(config_finish(bench.config), 0);
    assert_null(graph_create(&plan, bench.config));
    assert_non_null(strstr(error_text(), "yesterday"));
    config_destroy(bench.config);
}

static void given_commit(int64_t offset, const char *metadata, enum group_kind kind,
                         int64_t suppress_below)
{
    begin(NULL);
    broker.logs[0].group = offset;
    snprintf(broker.logs[0].metadata, sizeof broker.logs[0].metadata, "%s", metadata);
    assign(1);
    assert_int_equal(broker.commits, 1);
    assert_int_equal(broker.logs[0].group, offset); /* committed again as it was found */
    assert_string_equal(broker.logs[0].metadata, metadata);
    assert_int_equal(wanted(PASSAGE_ASSIGN, 0)->group, kind);
    assert_int_equal(wanted(PASSAGE_ASSIGN, 0)->group_offset, offset);
    answer_start(0, 30);
    assert_int_equal(head(decode.held[find(PASSAGE_SCANS, 0)])->suppress_below, suppress_below);
    end();
}

static void commits_are_told_apart(void **state)
{
    (void)state;
    given_commit(50, OURS, GROUP_OURS, 50);
    given_commit(50, "peakline 77 abcdef0123456788", GROUP_OURS_CHANGED, 0);
    given_commit(50, "peakline 77 mute", GROUP_OURS_CHANGED, 0);
    given_commit(50, "peakline start", GROUP_START, 0);
    given_commit(50, "", GROUP_FOREIGN, 0);
    given_commit(50, "peakline 77abcdef0123456789", GROUP_FOREIGN, 0);
}

static void record_before_is_verified_and_not_sent(void **state)
{
    (void)state;
    begin(NULL);
    assign(1);
    answer_start(0, 30);
    assert_int_equal(broker.assigned[0], 29);
    const struct batch *scans = decode.held[find(PASSAGE_SCANS, 0)];

    assert_int_equal(scans->offset_first, 30);
    assert_int_equal(((const struct raw *)scans->records)[0].offset, 30);
    assert_int_equal(scans->count, 70);
    end();
}

static void another_topic_stops(void **state)
{
    (void)state;
    begin(NULL);
    broker.logs[0].stamp = 1;
    assign(1);
    answer_start(0, 30);
    assert_int_equal(find(PASSAGE_SCANS, 0), -1);
    assert_int_equal(board[0].phase, PHASE_STOPPED);
    assert_non_null(strstr(board[0].why, "another topic"));
    assert_int_equal(broker.out, 0);
    end();
}

static void record_before_compacted_away(void **state)
{
    (void)state;
    begin(NULL);
    assign(1);
    broker.logs[0].high = 30;      /* mark's offset is the log's end … */
    wanted(PASSAGE_ASSIGN, 0)->high = 30;
    answer_start(0, 30);
    broker.logs[0].at = 30;        /* … and its last record is not there */
    decode.count = 0;
    step(15 * SECOND);
    broker.logs[0].high = 40;
    step(SECOND);
    assert_true(find(PASSAGE_SCANS, 0) >= 0);
    give_up();
}

static void refused_commit_claims_nothing(void **state)
{
    (void)state;
    begin(NULL);
    broker.refuse = CONSUMER_FENCED;
    assign(1);
    step(10 * SECOND);
    assert_int_equal(decode.count, 0);
    assert_true(broker.commits > 1); /* as long as the group says it is ours */
    broker.refuse = CONSUMER_OK;
    step(6 * SECOND);
    assert_true(find(PASSAGE_ASSIGN, 0) >= 0);
    end();
}

static void lost_answers_are_asked_for_again(void **state)
{
    (void)state;
    begin(NULL);
    broker.deaf = true;
    assign(1);
    step(20 * SECOND);
    assert_int_equal(decode.count, 0);
    broker.deaf = false;
    step(20 * SECOND);
    assert_true(find(PASSAGE_ASSIGN, 0) >= 0);
    end();
}

static void no_claim_before_the_count_is_known(void **state)
{
    (void)state;
    begin(NULL);
    broker.partitions = 0;
    assign(1);
    step(SECOND);
    assert_int_equal(broker.asks, 0);
    tell((struct consumer_event){.kind = CONSUMER_COUNT, .count = 3});
    step(SECOND);
    assert_int_equal(wanted(PASSAGE_ASSIGN, 0)->partitions, 3);
    end();
}

static void stragglers_are_seeked_later(void **state)
{
    (void)state;
    begin(NULL);
    assign(2);
    answer_start(0, 30);
    assert_int_equal(broker.assigns, 0); /* waits for the other a while */
    step(3 * SECOND);
    assert_int_equal(broker.assigns, 1);
    assert_int_equal(broker.assigned[0], 29);
    assert_int_equal(broker.assigned[1], -1);
    assert_int_equal(find(PASSAGE_SCANS, 1), -1);
    answer_start(1, 10);
    assert_int_equal(broker.seeks, 1);
    assert_int_equal(decode.held[find(PASSAGE_SCANS, 1)]->offset_first, 10);
    end();
}

static void claim_again(void **state)
{
    (void)state;
    begin(NULL);
    assign(1);
    uint32_t first = decode.held[0]->assignment;

    answer_start(0, 30);
    decode.held[find(PASSAGE_SCANS, 0)]->offset_first = 30;
    answer(PASSAGE_SCANS, 0, ANSWER_RECLAIM, 0);
    step(SECOND);
    uint32_t second = decode.held[find(PASSAGE_ASSIGN, 0)]->assignment;

    assert_true(second > first);
    broker.logs[0].high = 120;
    answer(PASSAGE_PULSE, 0, ANSWER_RECLAIM, 0); /* of the old one: says nothing any more */
    answer_start(0, 20);
    assert_int_equal(broker.seeks, 1);
    const struct batch *scans = decode.held[find(PASSAGE_SCANS, 0)];

    assert_int_equal(scans->assignment, second);
    assert_int_equal(scans->offset_first, 20);
    end();
}

static void claim_that_is_refused_for_good(void **state)
{
    (void)state;
    begin(NULL);
    assign(2);
    snprintf(wanted(PASSAGE_ASSIGN, 1)->text, 160, "made for 7 partitions");
    answer(PASSAGE_ASSIGN, 1, ANSWER_STOP, 0);
    answer_start(0, 30);
    assert_int_equal(broker.assigns, 1);
    assert_true(find(PASSAGE_SCANS, 0) >= 0);
    assert_int_equal(board[1].phase, PHASE_STOPPED);
    assert_string_equal(board[1].why, "made for 7 partitions");
    end();
}

/* ── gaps ── */

static void gap_stops_and_names_offsets(void **state)
{
    (void)state;
    begin(NULL);
    assign(2);
    broker.logs[0].low = 60;
    broker.logs[0].group = 30;
    answer_start(0, 30);           /* the ends known say it is there … */
    broker.logs[0].gap = true;
    answer_start(1, 10);
    step(SECOND);                  /* … the log does not */
    assert_int_equal(board[0].phase, PHASE_STOPPED);
    assert_non_null(strstr(board[0].why, "stored offset 30 but the log begins at 60: 30 records"));
    assert_true(find(PASSAGE_SCANS, 1) >= 0);
    assert_int_equal(find(PASSAGE_SCANS, 0), -1);
    end();
}

static void gap_accepted(void **state)
{
    (void)state;
    begin("kafka.accept_gap=true");
    broker.logs[0].low = 60;
    assign(1);
    answer_start(0, 30);
    step(SECOND);
    assert_int_equal(decode.held[find(PASSAGE_SCANS, 0)]->offset_first, 60);
    end();
}

static void offset_beyond_the_end(void **state)
{
    (void)state;
    begin(NULL);
    assign(1);
    answer_start(0, 130);
    step(5 * SECOND);              /* a new leader may be behind for a while */
    assert_int_not_equal(board[0].phase, PHASE_STOPPED);
    step(10 * SECOND);
    assert_int_equal(board[0].phase, PHASE_STOPPED);
    assert_non_null(strstr(board[0].why, "the log ends at 100"));
    end();
}

static void end_that_catches_up(void **state)
{
    (void)state;
    begin(NULL);
    assign(1);
    answer_start(0, 130);
    step(3 * SECOND);
    broker.logs[0].high = 150;
    step(3 * SECOND);
    assert_int_equal(decode.held[find(PASSAGE_SCANS, 0)]->offset_first, 130);
    end();
}

static void count_that_changes_stops_all(void **state)
{
    (void)state;
    begin(NULL);
    assign(1);
    answer_start(0, 30);
    tell((struct consumer_event){.kind = CONSUMER_COUNT, .count = LOGS + 1});
    step(5);
    assert_int_equal(board[0].phase, PHASE_STOPPED);
    assert_non_null(strstr(board[0].why, "5 partitions now and had 4"));
    end();
}

/* ── reading ── */

static void running(int32_t partitions, int64_t high)
{
    begin(NULL);
    for (int p = 0; p < LOGS; p++)
        broker.logs[p].high = high;
    assign(partitions);
    for (int32_t p = 0; p < partitions; p++)
        answer_start(p, 0);
}

static void held_partition_holds_no_other(void **state)
{
    (void)state;
    running(2, 100000);
    for (int turn = 0; turn < 200; turn++) {
        step(1);
        while (find(PASSAGE_SCANS, 1) >= 0) /* partition 0 is never finished */
            home((uint32_t)find(PASSAGE_SCANS, 1));
    }
    uint32_t held = 0;

    for (uint32_t i = 0; i < decode.count; i++)
        held += head(decode.held[i])->event == PASSAGE_SCANS && decode.held[i]->partition == 0;
    assert_int_equal(held, 8);
    assert_int_equal(broker.logs[1].at, 100000);
    end();
}

static void offsets_follow_each_other(void **state)
{
    int64_t next = 0;

    (void)state;
    running(1, 5000);
    for (int turn = 0; turn < 100; turn++) {
        step(1);
        for (int i = find(PASSAGE_SCANS, 0); i >= 0; i = find(PASSAGE_SCANS, 0)) {
            const struct batch *scans = decode.held[i];

            assert_int_equal(scans->offset_first, next);
            next = scans->offset_next;
            home((uint32_t)i);
        }
    }
    assert_int_equal(next, 5000);
    end();
}

static void full_link_does_not_stop_the_polls(void **state)
{
    (void)state;
    running(LOGS, 100000);
    decode.holding = true;
    step(100);
    int polls = broker.polls;

    step(100);
    assert_true(broker.polls >= polls + 100);
    end();
}

static void pulses_say_what_is_complete(void **state)
{
    (void)state;
    running(1, 100);
    step(3 * SECOND);
    home((uint32_t)find(PASSAGE_PULSE, 0));
    step(2 * SECOND);
    const struct passage *pulse = wanted(PASSAGE_PULSE, 0);

    assert_int_equal(pulse->high, 100);
    assert_true(pulse->complete_ms > 0);
    assert_true(pulse->complete_ms <= wall_ms - SECOND); /* when it was asked, not when told */
    broker.logs[0].high = 200;
    broker.logs[0].at = 100;
    decode.holding = true;
    home((uint32_t)find(PASSAGE_PULSE, 0));
    decode.holding = false;
    broker.logs[0].at = -1;        /* more is there, and does not come */
    step(6 * SECOND);
    home((uint32_t)find(PASSAGE_PULSE, 0));
    step(2 * SECOND);
    assert_int_equal(wanted(PASSAGE_PULSE, 0)->complete_ms, 0);
    end();
}

static void no_idle_advance_when_it_is_off(void **state)
{
    (void)state;
    begin("clock.idle_advance=false");
    assign(1);
    answer_start(0, 0);
    step(3 * SECOND);
    assert_int_equal(wanted(PASSAGE_PULSE, 0)->complete_ms, 0);
    end();
}

static void commits_go_to_the_group(void **state)
{
    (void)state;
    running(1, 100);
    answer(PASSAGE_SCANS, 0, ANSWER_COMMIT, 60);
    assert_int_equal(broker.logs[0].group, 60);
    assert_string_equal(broker.logs[0].metadata, "peakline 78 abcdef0123456789");
    assert_int_equal(board[0].committed, 60);
    int commits = broker.commits;

    step(2 * SECOND);
    assert_int_equal(broker.commits, commits); /* said once */
    broker.refuse = CONSUMER_RETRY;
    answer(PASSAGE_PULSE, 0, ANSWER_COMMIT, 80);
    broker.refuse = CONSUMER_OK;
    step(2 * SECOND);
    assert_int_equal(broker.logs[0].group, 80);
    end();
}

static void refused_commit_lets_go(void **state)
{
    (void)state;
    running(1, 100);
    uint32_t mine = decode.held[0]->assignment;

    broker.refuse = CONSUMER_FENCED;
    answer(PASSAGE_SCANS, 0, ANSWER_COMMIT, 60);
    assert_int_equal(decode.held[find(PASSAGE_LOST, 0)]->assignment, mine);
    assert_int_equal(find(PASSAGE_ASSIGN, 0), -1);
    broker.logs[0].high = 500;
    broker.refuse = CONSUMER_OK;
    step(SECOND);
    assert_int_equal(find(PASSAGE_SCANS, 0), -1);
    assert_true(decode.held[find(PASSAGE_ASSIGN, 0)]->assignment > mine);
    end();
}

/* ── giving back ── */

static void revoked_partitions_are_committed_first(void **state)
{
    (void)state;
    running(2, 100);
    tell((struct consumer_event){.kind = CONSUMER_REVOKED});
    step(SECOND);
    assert_true(find(PASSAGE_REVOKE, 0) >= 0 && find(PASSAGE_REVOKE, 1) >= 0);
    assert_int_equal(broker.unassigns, 0);
    broker.deaf = true;
    answer(PASSAGE_REVOKE, 0, ANSWER_COMMIT, 100);
    answer(PASSAGE_REVOKE, 1, ANSWER_NONE, 0);
    assert_int_equal(board[1].phase, PHASE_NONE);
    assert_int_equal(broker.unassigns, 0); /* the commit is not through */
    broker.deaf = false;
    tell((struct consumer_event){.kind = CONSUMER_COMMITTED, .partition = 0, .offset = 100});
    step(5);
    assert_int_equal(broker.unassigns, 1);
    assert_int_equal(broker.logs[0].group, 100);
    assign(2);
    assert_true(find(PASSAGE_ASSIGN, 0) >= 0);
    end();
}

static void revoked_in_mid_claim(void **state)
{
    (void)state;
    begin(NULL);
    assign(2);
    tell((struct consumer_event){.kind = CONSUMER_REVOKED});
    step(5);
    assert_true(find(PASSAGE_LOST, 0) >= 0); /* nothing was read, so nothing is to be stored */
    assert_int_equal(find(PASSAGE_REVOKE, 0), -1);
    assert_int_equal(broker.unassigns, 1);
    answer_start(1, 0);
    step(SECOND);
    assert_int_equal(broker.assigns, 0);
    end();
}

static void revoked_and_not_let_go(void **state)
{
    (void)state;
    running(1, 100);
    tell((struct consumer_event){.kind = CONSUMER_REVOKED});
    step(15 * SECOND);
    assert_int_equal(find(PASSAGE_LOST, 0), -1);
    step(10 * SECOND);
    assert_true(find(PASSAGE_LOST, 0) >= 0);
    assert_int_equal(broker.unassigns, 1);
    end();
}

static void lost_partitions_are_let_go_at_once(void **state)
{
    (void)state;
    running(1, 100);
    uint32_t mine = decode.held[0]->assignment;

    tell((struct consumer_event){.kind = CONSUMER_LOST});
    step(5);
    assert_int_equal(decode.held[find(PASSAGE_LOST, 0)]->assignment, mine);
    assert_int_equal(broker.unassigns, 1);
    int commits = broker.commits;

    answer(PASSAGE_SCANS, 0, ANSWER_COMMIT, 60); /* too late */
    assert_int_equal(broker.commits, commits);
    end();
}

static void drain_commits_and_gives_back(void **state)
{
    (void)state;
    running(1, 100);
    stop();
    step(SECOND);
    assert_int_equal(broker.unassigns, 0);
    answer(PASSAGE_REVOKE, 0, ANSWER_COMMIT, 100);
    assert_int_equal(broker.logs[0].group, 100);
    assert_int_equal(broker.unassigns, 1);
    tell((struct consumer_event){.kind = CONSUMER_ASSIGNED, .count = 1,
                                 .partitions = broker.given}); /* too late to take on */
    step(SECOND);
    assert_int_equal(find(PASSAGE_ASSIGN, 0), -1);
    end();
}

static void fatal_error_fails_the_graph(void **state)
{
    (void)state;
    begin(NULL);
    tell((struct consumer_event){.kind = CONSUMER_FATAL, .text = "fenced instance"});
    step(5);
    assert_true(graph_failed(bench.graph));
    give_up();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_start),
        cmocka_unit_test(first_start_latest),
        cmocka_unit_test(bad_start_is_refused),
        cmocka_unit_test(commits_are_told_apart),
        cmocka_unit_test(record_before_is_verified_and_not_sent),
        cmocka_unit_test(another_topic_stops),
        cmocka_unit_test(record_before_compacted_away),
        cmocka_unit_test(refused_commit_claims_nothing),
        cmocka_unit_test(lost_answers_are_asked_for_again),
        cmocka_unit_test(no_claim_before_the_count_is_known),
        cmocka_unit_test(stragglers_are_seeked_later),
        cmocka_unit_test(claim_again),
        cmocka_unit_test(claim_that_is_refused_for_good),
        cmocka_unit_test(gap_stops_and_names_offsets),
        cmocka_unit_test(gap_accepted),
        cmocka_unit_test(offset_beyond_the_end),
        cmocka_unit_test(end_that_catches_up),
        cmocka_unit_test(count_that_changes_stops_all),
        cmocka_unit_test(held_partition_holds_no_other),
        cmocka_unit_test(offsets_follow_each_other),
        cmocka_unit_test(full_link_does_not_stop_the_polls),
        cmocka_unit_test(pulses_say_what_is_complete),
        cmocka_unit_test(no_idle_advance_when_it_is_off),
        cmocka_unit_test(commits_go_to_the_group),
        cmocka_unit_test(refused_commit_lets_go),
        cmocka_unit_test(revoked_partitions_are_committed_first),
        cmocka_unit_test(revoked_in_mid_claim),
        cmocka_unit_test(revoked_and_not_let_go),
        cmocka_unit_test(lost_partitions_are_let_go_at_once),
        cmocka_unit_test(drain_commits_and_gives_back),
        cmocka_unit_test(fatal_error_fails_the_graph),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
