/* source_kafka: reading, pulses, commits, and letting go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define BROKER_LOGS 12   /* more than the pool has batches for */

#include "intake_bench.h"

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

/* More partitions than there are batches for, and a worker that sends one home at a time, the
 * oldest first: each partition is read as much as any other. */
static void scarce_batches_go_round(void **state)
{
    int64_t least = INT64_MAX, most = 0;

    (void)state;
    running(LOGS, 10000000);
    step(100);
    for (int turn = 0; turn < 2000; turn++) {
        for (uint32_t i = 0; i < decode.count; i++)
            if (head(decode.held[i])->event == PASSAGE_SCANS) {
                home(i);
                break;
            }
        step(1);
    }
    for (int p = 0; p < LOGS; p++) {
        least = broker.logs[p].at < least ? broker.logs[p].at : least;
        most = broker.logs[p].at > most ? broker.logs[p].at : most;
    }
    assert_true(least >= most / 2);
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
    answer(PASSAGE_PULSE, 0, ANSWER_COMMIT, 70); /* said earlier, home later */
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

/* Redis lost some, or all: below the commit that was found all has been told, and is replayed in
 * silence.  A commit that went back would let it be told again. */
static void commits_do_not_go_back(void **state)
{
    (void)state;
    begin(NULL);
    broker.logs[0].group = 80;
    snprintf(broker.logs[0].metadata, sizeof broker.logs[0].metadata,
             "peakline 77 abcdef0123456789");
    assign(1);
    answer_start(0, 40);
    assert_int_equal(wanted(PASSAGE_SCANS, 0)->suppress_below, 80);
    answer(PASSAGE_SCANS, 0, ANSWER_COMMIT, 60);
    step(3 * SECOND);
    assert_int_equal(broker.logs[0].group, 80);
    assert_string_equal(broker.logs[0].metadata, "peakline 77 abcdef0123456789");
    answer(PASSAGE_PULSE, 0, ANSWER_COMMIT, 100);
    step(2 * SECOND);
    assert_int_equal(broker.logs[0].group, 100);
    end();
}

/* A cut went through and its answer was lost: whoever claims next tells the group, also of a
 * quiet topic, whoever has committed last. */
static void a_claim_tells_the_group_where_the_mark_is(void **state)
{
    static const struct { const char *metadata; int64_t group, then; } cases[] = {
        {"peakline 77 abcdef0123456789", 80, 100}, {"", 80, 100}, {"", -1, 100},
        {"peakline 77 abcdef0123456789", 120, 120}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin(NULL);
        broker.logs[0].group = cases[i].group;
        broker.logs[0].high = 100;
        snprintf(broker.logs[0].metadata, sizeof broker.logs[0].metadata, "%s", cases[i].metadata);
        assign(1);
        answer_start(0, 100);
        step(2 * SECOND);
        assert_int_equal(broker.logs[0].group, cases[i].then);
        end();
    }
}

/* ── giving back ── */

static void revoked_partitions_are_committed_first(void **state)
{
    (void)state;
    running(2, 100);
    tell((struct consumer_event){.kind = CONSUMER_REVOKED});
    step(SECOND);
    through(0);
    through(1);
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

/* Scans are home when their dead letters are acknowledged, too: then a last checkpoint can hold
 * them.  Meanwhile pulses go on bringing the news, and there is an end to it. */
static void revoked_when_through(void **state)
{
    (void)state;
    for (int never = 0; never < 2; never++) {
        running(1, 100);
        step(2 * SECOND);
        tell((struct consumer_event){.kind = CONSUMER_REVOKED});
        home((uint32_t)find(PASSAGE_PULSE, 0));
        step(3 * SECOND);
        assert_int_equal(find(PASSAGE_REVOKE, 0), -1);
        assert_true(find(PASSAGE_PULSE, 0) >= 0);
        if (never)
            step(8 * SECOND);
        else
            through(0);
        assert_true(find(PASSAGE_REVOKE, 0) >= 0);
        end();
    }
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
    through(0);
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
        cmocka_unit_test(held_partition_holds_no_other),
        cmocka_unit_test(scarce_batches_go_round),
        cmocka_unit_test(offsets_follow_each_other),
        cmocka_unit_test(full_link_does_not_stop_the_polls),
        cmocka_unit_test(pulses_say_what_is_complete),
        cmocka_unit_test(no_idle_advance_when_it_is_off),
        cmocka_unit_test(commits_go_to_the_group),
        cmocka_unit_test(commits_do_not_go_back),
        cmocka_unit_test(a_claim_tells_the_group_where_the_mark_is),
        cmocka_unit_test(refused_commit_lets_go),
        cmocka_unit_test(revoked_partitions_are_committed_first),
        cmocka_unit_test(revoked_when_through),
        cmocka_unit_test(revoked_in_mid_claim),
        cmocka_unit_test(revoked_and_not_let_go),
        cmocka_unit_test(lost_partitions_are_let_go_at_once),
        cmocka_unit_test(drain_commits_and_gives_back),
        cmocka_unit_test(fatal_error_fails_the_graph),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
