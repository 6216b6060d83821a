/* checkpoint, stepped: what waits for what, and what happens when an answer is lost, mark is
 * another's, or the process was away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include "tests/unit/outlet_gate.h"

/* ── Claims ───────────────────────────────────────────────────────────────── */

static void claim_of_nothing(void **state)
{
    (void)state;
    claim(1);
    const struct mark mark = mark_of(1);

    assert_int_equal(answered()->kind, REQUEST_CLAIM);
    assert_int_equal(answered()->answer, REQUEST_APPLIED);
    assert_true(answered()->fresh);
    assert_true(mark_same(&answered()->mark, &mark));
    assert_int_equal(mark.epoch, (uint64_t)wall_ms * 1000);   /* µs: above what any counter says */
    assert_true(mark.owner != 0 && mark.sequence == 0);
    assert_true(mark.offset == 40 && mark.partitions == 4 && mark.buckets == 8);
    assert_true(mark.records == 0 && mark.kafka_ms == -1 && mark.home == -1);
}

static void claim_of_a_mark(void **state)
{
    static const uint64_t epochs[] = {3, 1ull << 60};

    (void)state;
    for (int i = 0; i < 2; i++) {
        put_mark(1 + i, epochs[i], 5, 700);
        claim(1 + i);
        const struct mark mark = mark_of(1 + i);

        assert_int_equal(mark.epoch, i == 0 ? (uint64_t)wall_ms * 1000 : epochs[i] + 1);
        assert_false(answered()->fresh);
        assert_true(mark.owner != 99 && mark.sequence == 0);
        assert_true(mark.offset == 700 && mark.records == 17);
        assert_int_equal(answered()->mark.offset, 700);
    }
    assert_int_not_equal(mark_of(1).owner, mark_of(2).owner);
}

/* Somebody else's claim between our look and our write; and answers that get lost. */
static void claim_disturbed(void **state)
{
    (void)state;
    redis.hold = true;
    claim(1);
    redis.hold = false;
    (void)graph_step(graph, 2, now_ns);          /* the look: nothing is there */
    put_mark(1, 1ull << 60, 1, 900);
    turn();
    assert_int_equal(worker.requests_count, 0);
    pass_ms(3000);
    assert_int_equal(answered()->answer, REQUEST_APPLIED);
    assert_int_equal(mark_of(1).epoch, (1ull << 60) + 1);
    assert_int_equal(answered()->mark.offset, 900);
    assert_false(answered()->fresh);
}

static void claim_unknown(void **state)
{
    static const struct { enum fault fault; uint32_t writes; } cases[] = {
        {LOST_APPLIED, 1}, {LOST_NOT_APPLIED, 1}, {UNSENT, 1}, {REFUSED, 1}};

    (void)state;
    for (int i = 0; i < 4; i++) {
        int32_t partition = i;

        redis.hold = true;
        redis.writes = worker.requests_count = 0;
        claim(partition);
        redis.hold = false;
        (void)graph_step(graph, 2, now_ns);
        redis.fault = cases[i].fault;            /* of the write */
        turn();
        assert_int_equal(worker.requests_count, 0);
        pass_ms(3000);
        assert_int_equal(worker.requests_count, 1);
        assert_int_equal(answered()->kind, REQUEST_CLAIM);
        assert_int_equal(answered()->answer, REQUEST_APPLIED);
        assert_int_equal(redis.writes, cases[i].writes);
        const struct mark mark = mark_of(partition);
        assert_true(mark_same(&answered()->mark, &mark));
    }
}

/* ── Cuts ─────────────────────────────────────────────────────────────────── */

static void cut_waits(void **state)
{
    (void)state;
    owned();
    say(1, OUTPUTS_AT_ONCE, 1);
    say(1, OUTPUTS_AT_ONCE, 2);
    cut(1, 2, 50);
    say(1, OUTPUTS_AT_ONCE, 3);               /* caused above the cut */
    say(1, OUTPUTS_FREE, 0);                  /* nobody waits for progress */
    assert_int_equal(kafka.count, 4);
    pass_ms(100);
    assert_int_equal(redis.asked, 0);
    finish(1, OUTCOME_DONE);
    assert_int_equal(redis.asked, 0);
    finish(1, OUTCOME_DONE);
    assert_int_equal(redis.writes, 1);
    assert_int_equal(answered()->kind, REQUEST_CUT);
    assert_int_equal(answered()->answer, REQUEST_APPLIED);
    const struct mark mark = mark_of(1);

    assert_true(mark.offset == 50 && mark.sequence == 1 && mark.records == 3);
    assert_true(mark.partitions == 4 && mark.buckets == 8 && mark.kafka_ms == 5);
    assert_int_equal(answered()->mark.offset, 50);
    cut(2, 3, 60);
    assert_int_equal(redis.writes, 1);
    finish(1, OUTCOME_FAILED);                   /* never acknowledged: never stored */
    pass_ms(100);
    assert_int_equal(redis.writes, 1);
}

/* The cut may overtake its outputs on the way here: it waits for what it has not seen. */
static void cut_before_outputs(void **state)
{
    (void)state;
    owned();
    cut(1, 1, 50);
    pass_ms(100);
    assert_int_equal(redis.asked, 0);
    say(1, OUTPUTS_AT_ONCE, 1);
    finish(1, OUTCOME_DONE);
    assert_int_equal(redis.writes, 1);
}

/* Redis holds what they tell: they go at once, and no cut waits for them. */
static void deferred(void **state)
{
    (void)state;
    owned();
    say(1, OUTPUTS_DEFERRED, 0);
    assert_int_equal(kafka.count, 1);
    cut(1, 0, 50);
    assert_int_equal(redis.writes, 1);
    finish(1, OUTCOME_DONE);
    assert_int_equal(worker.outputs_count, 1);
}

/* The answer of EXEC is lost: mark tells whether it was applied. */
static void cut_unknown(void **state)
{
    static const enum fault faults[] = {LOST_APPLIED, LOST_NOT_APPLIED, UNSENT, REFUSED, TOUCHED};
    int64_t asked = metric_sum("checkpoints_asked_total");

    (void)state;
    owned();
    for (uint64_t i = 0; i < 5; i++) {
        redis.writes = 0;
        redis.fault = faults[i];
        cut(i + 1, 0, (int64_t)(50 + i));
        pass_ms(1000);
        assert_int_equal(worker.requests_count, i + 2);
        assert_int_equal(answered()->kind, REQUEST_CUT);     /* as track asked it */
        assert_int_equal(answered()->answer, REQUEST_APPLIED);
        assert_int_equal(answered()->ordinal, i + 1);
        assert_int_equal(redis.writes, 1);                   /* once, whatever happened */
        assert_int_equal(mark_of(1).sequence, i + 1);
        assert_int_equal(mark_of(1).offset, 50 + i);
        assert_int_equal(answered()->mark.offset, 50 + i);
    }
    assert_int_equal(metric_sum("checkpoints_asked_total") - asked, 2);
}

/* What holds a cut up is on the board as long as it does, and counted. */
static void told_why(void **state)
{
    (void)state;
    owned();
    int64_t before = metric_sum("redis_refused_total");

    redis.fault = REFUSED;
    cut(1, 0, 50);
    assert_non_null(strstr(board[1].waits, "OOM"));
    assert_int_equal(metric_sum("redis_refused_total"), before + 1);
    pass_ms(3000);
    assert_null(board[1].waits);
    redis.fault = UNSENT;
    cut(2, 0, 60);
    assert_non_null(strstr(board[1].waits, "Redis does not answer"));
    pass_ms(3000);
    assert_null(board[1].waits);
    say(1, OUTPUTS_AT_ONCE, 1);
    cut(3, 1, 70);
    pass_ms(4000);
    assert_null(board[1].waits);                 /* Kafka may take its time */
    pass_ms(3000);
    assert_non_null(strstr(board[1].waits, "Kafka"));
    redis.hold = true;
    finish(1, OUTCOME_DONE);
    assert_null(board[1].waits);                 /* Kafka has it all now; Redis has been asked */
    redis.hold = false;
}

static void expect_lost(void)
{
    assert_int_equal(answered()->answer, REQUEST_DIFFERS);
    uint32_t back = worker.outputs_count;

    redis.asked = 0;
    say(1, OUTPUTS_AT_ONCE, 1);               /* nothing is sent or written any more */
    cut(2, 1, 60);
    pass_ms(100);
    assert_int_equal(kafka.count, 0);
    assert_int_equal(redis.asked, 0);
    assert_int_equal(answered()->answer, REQUEST_DIFFERS);
    assert_int_equal(worker.outputs_count, back + 1);
    assert_int_equal(worker.outputs_back[back].outcome, OUTCOME_FAILED);
}

static void foreign_mark(void **state)
{
    (void)state;
    owned();
    redis.fault = REFUSED;
    cut(1, 0, 50);
    assert_non_null(board[1].waits);
    put_mark(1, 1ull << 60, 1, 900);
    pass_ms(3000);
    assert_null(board[1].waits);              /* a cut that is given up waits for nothing */
    expect_lost();
    assert_int_equal(mark_of(1).epoch, 1ull << 60);
    assert_int_equal(mark_of(1).sequence, 1);
}

/* … and after an answer that got lost; and a mark that has gone. */
static void foreign_after_unknown(void **state)
{
    (void)state;
    owned();
    redis.fault = LOST_APPLIED;
    redis.hold = true;
    cut(1, 0, 50);
    redis.hold = false;
    (void)graph_step(graph, 2, now_ns);
    put_mark(1, 1ull << 60, 1, 900);
    pass_ms(1000);
    expect_lost();
}

static void mark_gone(void **state)
{
    (void)state;
    owned();
    redis.marks[1][0] = '\0';
    cut(1, 0, 50);
    pass_ms(1000);
    expect_lost();
    assert_string_equal(redis.marks[1], "");
}

static void looks(void **state)
{
    (void)state;
    owned();
    (void)ask(1, REQUEST_LOOK);
    turn();
    assert_int_equal(answered()->answer, REQUEST_APPLIED);
    assert_int_equal(answered()->kind, REQUEST_LOOK);
    (void)ask(1, REQUEST_READ);
    redis.fault = UNSENT;
    turn();
    pass_ms(1000);
    assert_int_equal(answered()->kind, REQUEST_READ);
    assert_int_equal(answered()->answer, REQUEST_APPLIED);
    assert_int_equal(redis.reads, 1);
    cut(1, 0, 50);
    put_mark(1, mark_of(1).epoch, 0, 40);        /* Redis went back */
    (void)ask(1, REQUEST_LOOK);
    turn();
    expect_lost();
}

/* A cut given up for lost is applied late, when mark has been asked and the cut is sent again:
 * what is there is our own. */
static void cut_applied_late(void **state)
{
    (void)state;
    owned();
    redis.fault = LOST_NOT_APPLIED;
    cut(1, 0, 50);
    redis.hold = true;
    pass_ms(200);
    assert_int_equal(redis.last.kind, REQUEST_LOOK);
    redis.hold = false;
    (void)graph_step(graph, 2, now_ns);          /* not applied, says Redis … */
    redis.hold = true;
    turn();
    assert_int_equal(redis.last.kind, REQUEST_CUT);
    memcpy(redis.marks[1], redis.last.wanted, sizeof redis.marks[1]);
    redis.hold = false;                          /* … and then it was */
    turn();
    assert_int_equal(answered()->kind, REQUEST_CUT);
    assert_int_equal(answered()->answer, REQUEST_APPLIED);
    cut(2, 0, 60);
    assert_int_equal(answered()->answer, REQUEST_APPLIED);
    assert_int_equal(mark_of(1).sequence, 2);
}

/* ── Pauses and ends ──────────────────────────────────────────────────────── */

/* Away while a cut was on its way: the mark that is found may be that cut's. */
static void paused_with_a_cut_away(void **state)
{
    (void)state;
    for (int lost = 0; lost < 2; lost++) {
        if (lost == 0)
            owned();
        redis.hold = true;
        redis.fault = lost ? LOST_APPLIED : NONE;
        cut(1 + (uint64_t)lost, 0, 50 + lost);
        boot_ns += 4000000000;
        turn();
        redis.hold = false;
        turn();
        pass_ms(1000);
        assert_int_equal(answered()->answer, REQUEST_APPLIED);
        assert_int_equal(mark_of(1).sequence, 1 + lost);
        say(1, OUTPUTS_AT_ONCE, 1 + (uint64_t)lost);
        assert_int_equal(kafka.count, 1);
        finish(1, OUTCOME_DONE);
    }
}

/* Kafka takes nothing for seconds, so nothing is sent to it: that is no pause of this process. */
static void blocked_is_not_away(void **state)
{
    int64_t pauses = metric_sum("pauses_total");

    (void)state;
    owned();
    for (uint32_t i = 1; i <= 30; i++)
        say(1, OUTPUTS_AT_ONCE, i);
    uint32_t held = kafka.count;

    assert_true(held > 0 && held < 30);
    pass_ms(4000);
    assert_int_equal(kafka.count, held);
    finish(held, OUTCOME_DONE);
    assert_int_equal(kafka.count, 30 - held);
    assert_int_equal(metric_sum("pauses_total"), pauses);
    finish(30 - held, OUTCOME_DONE);
}

/* Away for half a session: nothing is produced before mark has been seen. */
static void paused(void **state)
{
    int64_t pauses = metric_sum("pauses_total");

    (void)state;
    owned();
    boot_ns += 2900000000;                       /* not that long */
    redis.hold = true;
    turn();
    assert_int_equal(redis.asked, 0);
    boot_ns += 3000000000;
    turn();
    assert_int_equal(metric_sum("pauses_total") - pauses, 1);
    assert_int_equal(redis.asked, 1);
    assert_int_equal(redis.last.kind, REQUEST_LOOK);
    assert_string_equal(redis.last.expected, redis.marks[1]);
    say(1, OUTPUTS_AT_ONCE, 1);
    assert_int_equal(kafka.count, 0);
    redis.hold = false;
    turn();
    assert_int_equal(kafka.count, 1);
    finish(1, OUTCOME_DONE);

    boot_ns += 3000000000;                       /* and somebody has taken it meanwhile */
    put_mark(1, 1ull << 60, 1, 900);
    say(1, OUTPUTS_AT_ONCE, 2);
    turn();
    assert_int_equal(kafka.count, 0);
    assert_int_equal(worker.outputs_back[worker.outputs_count - 1].outcome, OUTCOME_FAILED);
    cut(1, 2, 50);
    assert_int_equal(answered()->answer, REQUEST_DIFFERS);
}

/* Released while a request is at Redis and outputs at Kafka. */
static void released(void **state)
{
    (void)state;
    owned();
    say(1, OUTPUTS_AT_ONCE, 1);
    redis.hold = true;
    cut(1, 0, 50);
    (void)ask(1, REQUEST_RELEASE);
    turn();
    assert_int_equal(worker.requests_count, 1);  /* neither is home */
    claim(1);                                    /* the next one waits for its turn */
    assert_int_equal(redis.count, 1);
    redis.hold = false;
    turn();
    pass_ms(100);
    assert_int_equal(worker.requests_back[1].answer, REQUEST_GONE);
    assert_int_equal(worker.requests_back[2].kind, REQUEST_RELEASE);
    assert_int_equal(worker.requests_back[2].answer, REQUEST_APPLIED);
    assert_int_equal(worker.requests_back[3].kind, REQUEST_CLAIM);
    assert_int_equal(worker.requests_back[3].answer, REQUEST_APPLIED);
    assert_int_equal(worker.requests_back[3].mark.offset, 50);   /* it was applied */
    finish(1, OUTCOME_DONE);                     /* of the old one: not counted here */
    say(1, OUTPUTS_AT_ONCE, 1);
    cut(1, 1, 60);
    assert_int_equal(worker.requests_count, 4);
    finish(1, OUTCOME_DONE);
    assert_int_equal(mark_of(1).offset, 60);
}

/* One partition that waits holds no other. */
static void apart(void **state)
{
    (void)state;
    owned();
    claim(2);
    say(1, OUTPUTS_AT_ONCE, 1);
    cut(1, 1, 50);
    struct request *request = ask(2, REQUEST_CUT);

    request->ordinal = 1;
    request->mark.offset = 70;
    turn();
    assert_int_equal(mark_of(2).offset, 70);
    assert_int_equal(mark_of(1).offset, 40);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(claim_of_nothing), TEST(claim_of_a_mark), TEST(claim_disturbed),
        TEST(claim_unknown), TEST(cut_waits), TEST(cut_before_outputs), TEST(deferred),
        TEST(cut_unknown), TEST(cut_applied_late), TEST(told_why), TEST(foreign_mark),
        TEST(foreign_after_unknown), TEST(mark_gone), TEST(looks), TEST(paused_with_a_cut_away),
        TEST(blocked_is_not_away), TEST(paused), TEST(released), TEST(apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
