/* source_kafka: from "the group gave it" to the first scan, and why it does not come to that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "intake_bench.h"
#include "pipeline/error.h"
#include "stages/detect/rulebook.h"

#define OURS "peakline 77 abcdef0123456789"

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
    assert_int_equal(claim->first, 7);
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
                         int64_t first, int64_t suppress_below)
{
    begin(kind == GROUP_FOREIGN ? "kafka.start=latest" : NULL);
    broker.logs[0].low = 7;
    broker.logs[0].group = offset;
    snprintf(broker.logs[0].metadata, sizeof broker.logs[0].metadata, "%s", metadata);
    assign(1);
    assert_int_equal(broker.commits, 1);
    assert_int_equal(broker.logs[0].group, offset); /* committed again as it was found */
    assert_string_equal(broker.logs[0].metadata, metadata);
    assert_int_equal(wanted(PASSAGE_ASSIGN, 0)->group, kind);
    assert_int_equal(wanted(PASSAGE_ASSIGN, 0)->first, first);
    answer_start(0, 30);
    assert_int_equal(head(decode.held[find(PASSAGE_SCANS, 0)])->suppress_below, suppress_below);
    end();
}

/* And, without a mark: a lost view from the log's start, a first start where it began, and
 * what a person has set is neither. */
static void commits_are_told_apart(void **state)
{
    (void)state;
    given_commit(50, OURS, GROUP_OURS, 7, 50);
    given_commit(50, "peakline 77 abcdef0123456788", GROUP_OURS_CHANGED, 7, 0);
    given_commit(50, "peakline 77 mute", GROUP_OURS_CHANGED, 7, 0);
    given_commit(50, "peakline start", GROUP_START, 50, 0);
    given_commit(50, "", GROUP_FOREIGN, 100, 0);
    given_commit(50, "peakline 77abcdef0123456789", GROUP_FOREIGN, 100, 0);
}

/* Which thresholds a replayed scan was told under, nobody knows then. */
static void nothing_is_suppressed_after_a_reload(void **state)
{
    struct rulebook *book = calloc(1, sizeof *book);

    (void)state;
    assert_non_null(book);
    rulebook_publish(book);
    given_commit(50, OURS, GROUP_OURS_CHANGED, 7, 0);
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
        cmocka_unit_test(nothing_is_suppressed_after_a_reload), /* last: it stays reloaded */
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
