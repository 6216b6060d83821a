/* The stage track, stepped: how a partition comes into its hands, is checkpointed, and goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pipeline/metric.h"
#include "tests/unit/track_run.h"

/* Two parcels, five scans: offsets 40 to 44. */
static void five_scans(void)
{
    (void)begin(1, PASSAGE_SCANS);
    (void)scan("YT1", "LABEL", "HGH", T0, ",\"dest\":\"PVG\",\"service\":\"express\"");
    (void)scan("YT1", "PICKUP", "HGH", T0 + 60, ",\"carrier_number\":\"C-77\"");
    (void)scan("YT2", "LABEL", "CAN", T0 + 120, "");
    (void)scan("YT2", "LABEL", "CAN", T0 + 120, "");
    (void)scan("YT1", "DEPART", "HGH", T0 + 180, ",\"next\":\"PVG\"");
    emit();
}

/* ── Taking ───────────────────────────────────────────────────────────────── */

static void first_claim(void **state)
{
    static struct command command;
    const char *at = gate.body;
    uint32_t buckets = 0, others = 0;
    (void)state;
    entry_set(key_of(1, "b00000003"), "OLD", "?", 1);
    entry_set(key_of(1, "open"), "OLD", "?", 1);
    assign(1, GROUP_START, 40);
    const struct request *claim = last_asked(REQUEST_CLAIM);

    assert_int_equal(claim->first_offset, 40);
    assert_int_equal(claim->partitions, PARTITIONS);
    assert_int_equal(claim->buckets, BUCKETS);
    assert_int_equal(asked(REQUEST_READ), 1);   /* partition 0's mark; nothing of its own */
    assert_int_equal(last_asked(REQUEST_READ)->of, 0);
    assert_int_equal(last_asked(REQUEST_CUT)->commands, BUCKETS + 5);
    while (command_read(&at, gate.body + gate.body_length, &command)) {
        assert_true(command_is(&command, "UNLINK"));
        assert_memory_equal(command.key, "{g:scans:1}:", 12);
        buckets += command.key[12] == 'b';
        others += strstr("names model open carrier", command.key + 12) != NULL;
    }
    assert_true(buckets == BUCKETS && others == 4);
    const struct passage *home = came_home(1, PASSAGE_ASSIGN);

    assert_int_equal(home->answer, ANSWER_START);
    assert_int_equal(home->offset, 40);
    assert_int_equal(home->epoch, gate.marks[1].mark.epoch);
    assert_false(home->check_valid);
    assert_int_equal(board[1].stored, 40);
}

/* A claim that finds no mark begins where the source says; a checkpoint's commit means that a
 * view is lost. */
static void lost_views(void **state)
{
    static const struct { enum group_kind group; int64_t first; bool partial; } cases[] = {
        {GROUP_START, 40, false}, {GROUP_FOREIGN, 60, false}, {GROUP_OURS, 5, true},
        {GROUP_OURS_CHANGED, 5, true}, {GROUP_NONE, 5, false}};
    struct parcel parcel;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        gate.marks[1].there = false;
        bench.assignment[1]++;
        struct passage *passage = begin(1, PASSAGE_ASSIGN);

        passage->group = (uint8_t)cases[i].group;
        passage->first = cases[i].first;
        passage->low = 5;
        emit();
        assert_int_equal(last_asked(REQUEST_CLAIM)->first_offset, cases[i].first);
        assert_int_equal(came_home(1, PASSAGE_ASSIGN)->offset, cases[i].first);
        one_scan("YT1", "PICKUP", "HGH", T0);
        pass_ms(1000);
        assert_true(stored(1, "YT1", &parcel));
        assert_int_equal((parcel.flags & PARCEL_PARTIAL) != 0, cases[i].partial);
    }
}

static void another_count(void **state)
{
    (void)state;
    run_from(40);
    bench_crash();
    gate.marks[1].mark.partitions = 12;
    assign(1, GROUP_OURS, 40);
    assert_int_equal(came_home(1, PASSAGE_ASSIGN)->answer, ANSWER_STOP);
    assert_non_null(strstr(came_home(1, PASSAGE_ASSIGN)->text, "12 partitions, the topic has 4"));
    pass_ms(5000);
    assert_int_equal(asked(REQUEST_READ) + asked(REQUEST_CUT), 0);   /* nothing is touched */
}

/* A partition that was added has no mark that would tell: partition 0's does. */
static void added_partition(void **state)
{
    struct mark mark = {.partitions = 3, .buckets = BUCKETS, .epoch = 1, .owner = 1,
                        .kafka_ms = -1, .home = -1};
    char text[MARK_TEXT_MAX];
    (void)state;
    entry_set(key_of(0, "mark"), "", text, mark_print(&mark, text));
    assign(3, GROUP_START, 0);
    const struct passage *home = came_home(3, PASSAGE_ASSIGN);

    assert_int_equal(home->answer, ANSWER_STOP);
    assert_non_null(strstr(home->text, "3 partitions, the topic has 4"));
    pass_ms(5000);
    assert_int_equal(asked(REQUEST_CUT), 0);
    mark.partitions = PARTITIONS;
    entry_set(key_of(0, "mark"), "", text, mark_print(&mark, text));
    bench_crash();
    assign(3, GROUP_START, 0);
    assert_int_equal(came_home(3, PASSAGE_ASSIGN)->answer, ANSWER_START);
}

static void loaded_again(void **state)
{
    struct parcel before, after;
    (void)state;
    run_from(40);
    five_scans();
    pass_ms(1000);
    assert_true(stored(1, "YT1", &before));
    int64_t loaded = metric_sum("parcels_loaded_total");

    bench_crash();
    assign(1, GROUP_OURS, 45);
    const struct passage *home = came_home(1, PASSAGE_ASSIGN);

    assert_int_equal(asked(REQUEST_CUT), 0);
    assert_true(home->answer == ANSWER_START && home->offset == 45 && home->check_valid);
    assert_int_equal(home->check_kafka_ms, (T0 + 180) * 1000LL);
    assert_int_equal(home->check_home, parcel_home("YT1", 3));
    assert_int_equal(metric_sum("parcels_loaded_total") - loaded, 2);
    assert_int_equal(board[1].records, 2);

    (void)begin(1, PASSAGE_SCANS);
    (void)scan("YT1", "ARRIVE", "PVG", T0 + 9000, "");
    emit();
    pass_ms(1000);
    assert_true(stored(1, "YT1", &after));
    assert_int_equal(after.history_count, before.history_count + 1);
    assert_int_equal(after.dest, before.dest);      /* the dictionary is the same */
    assert_int_equal(after.at, before.dest);        /* PVG had its number already */
    assert_int_equal(after.service, before.service);
    assert_int_equal(last_asked(REQUEST_CUT)->mark.records, 2);
    assert_false(cut_has(":names"));       /* and has nothing new */
}

/* Timers are rebuilt: a deadline armed before the crash fires after it. */
static void timers_again(void **state)
{
    (void)state;
    run_from(40);
    one_scan("YT1", "LABEL", "HGH", T0);
    pass_ms(1000);
    bench_crash();
    assign(1, GROUP_OURS, 41);
    one_scan("YT2", "LABEL", "HGH", T0 + 25 * HOURS);
    pass_ms(1000);
    assert_non_null(told_alert("never-collected", 0));
    assert_string_equal(told_alert("never-collected", 0)->key, "YT1");
}

/* Mark counts parcels that are not there: all is rebuilt, from the log's start. */
static void missing_buckets(void **state)
{
    struct parcel parcel;
    char suffix[16];
    (void)state;
    run_from(40);
    five_scans();
    pass_ms(1000);
    bench_crash();
    (void)snprintf(suffix, sizeof suffix, "b%08x", parcel_home("YT2", 3) / PARTITIONS % BUCKETS);
    entries_unlink(key_of(1, suffix));
    bench.assignment[1]++;
    struct passage *passage = begin(1, PASSAGE_ASSIGN);

    passage->group = GROUP_OURS;
    passage->first = 45;
    passage->low = 12;
    emit();
    const struct request *cut = last_asked(REQUEST_CUT);

    assert_int_equal(cut->commands, BUCKETS + 5);
    assert_int_equal(cut->mark.offset, 12);
    assert_int_equal(cut->mark.records, 0);
    assert_int_equal(cut->mark.clock_ms, 0);
    assert_false(stored(1, "YT1", &parcel));
    assert_int_equal(came_home(1, PASSAGE_ASSIGN)->answer, ANSWER_START);
    assert_int_equal(came_home(1, PASSAGE_ASSIGN)->offset, 12);
    assert_false(came_home(1, PASSAGE_ASSIGN)->check_valid);
    one_scan("YT9", "ARRIVE", "PVG", T0);
    pass_ms(1000);
    assert_true(stored(1, "YT9", &parcel));
    assert_true(parcel.flags & PARCEL_PARTIAL);
    assert_int_equal(last_asked(REQUEST_CUT)->mark.records, 1);
}

/* What cannot be read is not overwritten: the partition stops and says why. */
static void broken_state(void **state)
{
    static const char *const where[] = {"b00000002", "names", "model"};
    (void)state;
    for (int i = 0; i < 3; i++) {
        memset(gate.marks, 0, sizeof gate.marks);
        run_from(40);
        pass_ms(1000);
        bench_crash();
        entry_set(key_of(1, where[i]), "?", "nonsense", 8);
        assign(1, GROUP_OURS, 40);
        assert_int_equal(came_home(1, PASSAGE_ASSIGN)->answer, ANSWER_STOP);
        assert_non_null(strstr(came_home(1, PASSAGE_ASSIGN)->text, "state in Redis: "));
        pass_ms(5000);
        assert_int_equal(asked(REQUEST_CUT), 0);
        assert_non_null(entry_find(key_of(1, where[i]), "?"));
        bench_crash();
    }
}

/* ── Cuts ─────────────────────────────────────────────────────────────────── */

static void a_cut(void **state)
{
    static struct command command;
    struct parcel parcel;
    const char *at = gate.body;
    int64_t duplicates = metric_sum("scans_duplicate_total");
    (void)state;
    run_from(40);
    five_scans();
    assert_int_equal(asked(REQUEST_CUT), 0);   /* not before its time … */
    pass_ms(999);
    assert_int_equal(asked(REQUEST_CUT), 0);
    pass_ms(1);
    const struct request *cut = last_asked(REQUEST_CUT);

    assert_int_equal(asked(REQUEST_CUT), 1);
    assert_int_equal(cut->mark.offset, 45);
    assert_int_equal(cut->mark.records, 2);
    assert_int_equal(cut->mark.clock_ms, (T0 + 180) * 1000LL);
    assert_int_equal(cut->mark.kafka_ms, (T0 + 180) * 1000LL);
    assert_int_equal(cut->mark.home, parcel_home("YT1", 3));
    assert_int_equal(cut->outputs, 0);
    assert_int_equal(metric_sum("scans_duplicate_total") - duplicates, 1);

    assert_true(command_read(&at, gate.body + gate.body_length, &command));
    assert_string_equal(command.key, key_of(1, "names"));
    assert_memory_equal(entry_find(command.key, "p:1")->value, "HGH", 3);
    assert_memory_equal(entry_find(command.key, "p:2")->value, "PVG", 3);
    assert_memory_equal(entry_find(command.key, "p:3")->value, "CAN", 3);
    assert_memory_equal(entry_find(command.key, "s:1")->value, "express", 7);
    assert_memory_equal(entry_find(key_of(1, "carrier"), "C-77")->value, "YT1", 3);
    assert_true(stored(1, "YT1", &parcel));
    assert_int_equal(parcel.state, STATE_IN_TRANSIT);
    assert_int_equal(parcel.history_count, 3);
    assert_true(parcel.at == 1 && parcel.next == 2 && parcel.dest == 2 && parcel.service == 1);
    assert_true(stored(1, "YT2", &parcel));
    assert_true(parcel.state == STATE_LABELLED && parcel.history_count == 1 && parcel.at == 3);
    assert_true(parcel.deadlines_count > 0);
}

/* Each bucket is one HSET, and holds its own. */
static void buckets(void **state)
{
    static struct command command;
    bool seen[BUCKETS] = {false};
    char number[16], key[64];
    const char *at = gate.body;
    uint32_t records = 0;

    (void)state;
    run_from(0);
    (void)begin(1, PASSAGE_SCANS);
    for (int i = 0; i < 60; i++) {
        (void)snprintf(number, sizeof number, "YT%d", i);
        (void)scan(number, "PICKUP", "HGH", T0 + (uint32_t)i, "");
    }
    emit();
    pass_ms(1000);
    while (command_read(&at, gate.body + gate.body_length, &command)) {
        const char *suffix = strchr(command.key, '}') + 2;

        if (suffix[0] != 'b')
            continue;
        unsigned long bucket = strtoul(suffix + 1, NULL, 16);

        assert_true(bucket < BUCKETS && !seen[bucket]);
        seen[bucket] = true;
        for (uint32_t i = 2; i < command.count; i += 2, records++) {
            (void)snprintf(key, sizeof key, "%.*s", (int)command.length[i], command.at[i]);
            assert_int_equal(parcel_home(key, strlen(key)) / PARTITIONS % BUCKETS, bucket);
        }
    }
    assert_int_equal(records, 60);
    assert_int_equal(last_asked(REQUEST_CUT)->mark.records, 60);
}

static void looks_when_clean(void **state)
{
    (void)state;
    run_from(40);
    pass_ms(1000);
    five_scans();
    pass_ms(1000);
    gate.requests_count = 0;
    pass_ms(999);
    assert_int_equal(gate.requests_count, 0);
    pass_ms(1);
    assert_int_equal(gate.requests_count, 1);
    assert_int_equal(asked(REQUEST_LOOK), 1);
    pass_ms(1000);
    assert_int_equal(asked(REQUEST_LOOK), 2);
    one_scan("YT1", "ARRIVE", "PVG", T0 + 9000);   /* only what changed is written */
    pass_ms(1000);
    assert_int_equal(asked(REQUEST_CUT), 1);
    assert_false(cut_has("YT2"));
    assert_int_equal(last_asked(REQUEST_CUT)->mark.records, 2);
}

/* What the log has behind the last scan (skipped, dead letters) is passed over, and stored; its
 * time counts, too: deadlines fire. */
static void blank_records(void **state)
{
    int64_t at_ms = (T0 + 25LL * HOURS) * 1000;
    (void)state;
    run_from(40);
    struct passage *passage = begin(1, PASSAGE_SCANS);

    (void)scan("YT1", "LABEL", "HGH", T0, "");
    struct batch *batch = bench.next;

    ((struct scan *)batch->records)[batch->count++] =
        (struct scan){.offset = batch->offset_next++, .kafka_ms = at_ms, .home = 17};
    passage->settled = batch->offset_next;
    emit();
    pass_ms(1000);
    const struct mark *mark = &last_asked(REQUEST_CUT)->mark;

    assert_true(mark->offset == 42 && mark->home == 17);
    assert_true(mark->kafka_ms == at_ms && mark->clock_ms == at_ms);
    assert_non_null(told_alert("never-collected", 0));
}

/* The offset to commit goes home with the next passage, once. */
static void commits(void **state)
{
    (void)state;
    run_from(40);
    five_scans();
    assert_int_equal(came_home(1, PASSAGE_SCANS)->answer, ANSWER_COMMIT);
    assert_int_equal(came_home(1, PASSAGE_SCANS)->offset, 40);   /* of the claim's own cut */
    gate.hold_cuts = true;
    pass_ms(1000);
    order(1, PASSAGE_PULSE);
    assert_int_equal(came_home(1, PASSAGE_PULSE)->answer, ANSWER_NONE);
    gate.hold_cuts = false;
    pass_ms(1);
    order(1, PASSAGE_PULSE);
    assert_int_equal(came_home(1, PASSAGE_PULSE)->answer, ANSWER_COMMIT);
    assert_int_equal(came_home(1, PASSAGE_PULSE)->offset, 45);
    assert_int_equal(came_home(1, PASSAGE_PULSE)->epoch, gate.marks[1].mark.epoch);
}

/* ── Letting go ───────────────────────────────────────────────────────────── */

static void revoked(void **state)
{
    (void)state;
    run_from(40);
    pass_ms(1000);
    gate.hold_cuts = true;
    five_scans();
    order(1, PASSAGE_REVOKE);
    assert_int_equal(last_asked(REQUEST_CUT)->mark.offset, 45);   /* now, not in a second */
    assert_null(came_home(1, PASSAGE_REVOKE));
    assert_int_equal(asked(REQUEST_RELEASE), 0);
    gate.hold_cuts = false;
    pass_ms(1);
    assert_int_equal(came_home(1, PASSAGE_REVOKE)->answer, ANSWER_COMMIT);
    assert_int_equal(came_home(1, PASSAGE_REVOKE)->offset, 45);
    assert_int_equal(came_home(1, PASSAGE_REVOKE)->epoch, gate.marks[1].mark.epoch);
    assert_int_equal(asked(REQUEST_RELEASE), 1);
    gate.requests_count = 0;
    five_scans();   /* a straggler of an assignment that is over */
    pass_ms(5000);
    assert_int_equal(came_home(1, PASSAGE_SCANS)->answer, ANSWER_NONE);
    assert_int_equal(gate.requests_count, 0);
}

/* A last cut whose dead letters nobody acknowledges does not hold the partition for ever. */
static void revoked_unsettled(void **state)
{
    (void)state;
    run_from(40);
    (void)begin(1, PASSAGE_SCANS);
    (void)scan("YT1", "PICKUP", "HGH", T0, "");
    ((struct passage *)bench.next->head)->settled = 40;
    emit();
    pass_ms(1000);                       /* its cut waits for offset 41 to be settled, */
    order(1, PASSAGE_REVOKE);            /* which it is by now */
    assert_non_null(came_home(1, PASSAGE_REVOKE));
    assert_int_equal(came_home(1, PASSAGE_REVOKE)->answer, ANSWER_COMMIT);
    assert_int_equal(came_home(1, PASSAGE_REVOKE)->offset, 41);
}

/* No passage comes behind a REVOKE to tell of acknowledgements: it goes without a last cut. */
static void revoked_never_settled(void **state)
{
    (void)state;
    for (int waits = 0; waits < 2; waits++) {
        run_from(40);
        (void)begin(1, PASSAGE_SCANS);
        (void)scan("YT1", "PICKUP", "HGH", T0, "");
        ((struct passage *)bench.next->head)->settled = 40;
        emit();
        pass_ms(waits ? 1000 : 0);               /* its cut waits already, or is not due yet */
        begin(1, PASSAGE_REVOKE)->settled = 40;
        emit();
        const struct passage *home = came_home(1, PASSAGE_REVOKE);

        assert_true(home != NULL && home->answer == ANSWER_COMMIT && home->offset == 40);
        assert_int_equal(gate.marks[1].mark.offset, 40);
        bench_crash();
        memset(gate.marks, 0, sizeof gate.marks);
    }
}

static void taken_away(void **state)
{
    (void)state;
    run_from(40);
    five_scans();
    order(1, PASSAGE_LOST);
    assert_non_null(came_home(1, PASSAGE_LOST));
    pass_ms(5000);
    assert_int_equal(asked(REQUEST_CUT), 0);
    assert_int_equal(asked(REQUEST_RELEASE), 1);
    assert_int_equal(gate.marks[1].mark.offset, 40);
}

/* A scan each of so many parcels, for partition 1. */
static void scans_of(uint32_t parcels, const char *code)
{
    char number[16];

    (void)begin(1, PASSAGE_SCANS);
    for (uint32_t i = 0; i < parcels; i++) {
        (void)snprintf(number, sizeof number, "YT%u", i);
        (void)scan(number, code, "HGH", T0 + i, "");
    }
    emit();
}

/* Mark is another's: everybody is told, nothing is written, and it is claimed anew. */
static void differs(void **state)
{
    (void)state;
    for (int look = 0; look < 2; look++) {
        run_from(40);
        pass_ms(1000);
        gate.answer = REQUEST_DIFFERS;
        if (!look)
            five_scans();
        pass_ms(1000);
        gate.requests_count = gate.told_count = 0;
        scans_of(200, "DAMAGED");
        assert_int_equal(came_home(1, PASSAGE_SCANS)->answer, ANSWER_RECLAIM);
        order(1, PASSAGE_PULSE);
        assert_int_equal(came_home(1, PASSAGE_PULSE)->answer, ANSWER_RECLAIM);
        pass_ms(5000);
        assert_true(gate.requests_count == 0 && gate.told_count == 0);
        gate.marks[1].mark.epoch += 10;   /* the other one's */
        assign(1, GROUP_OURS, 40);
        assert_int_equal(gate.requests[0].request.kind, REQUEST_RELEASE);
        assert_int_equal(gate.requests[1].request.kind, REQUEST_CLAIM);
        assert_int_equal(came_home(1, PASSAGE_ASSIGN)->answer, ANSWER_START);
        assert_int_equal(came_home(1, PASSAGE_ASSIGN)->epoch, gate.marks[1].mark.epoch);
        order(1, PASSAGE_REVOKE);
        bench_crash();
        memset(gate.marks, 0, sizeof gate.marks);
    }
}

/* Scans that wait when mark turns out to be another's go home with the news. */
static void differs_while_waiting(void **state)
{
    (void)state;
    run_from(0);
    gate.hold_cuts = true;
    scans_of(250, "PICKUP");
    assert_null(came_home(1, PASSAGE_SCANS));
    order(1, PASSAGE_REVOKE);
    gate.answer = REQUEST_DIFFERS;
    gate.hold_cuts = false;
    pass_ms(1);
    assert_int_equal(came_home(1, PASSAGE_SCANS)->answer, ANSWER_RECLAIM);
    assert_int_equal(came_home(1, PASSAGE_REVOKE)->answer, ANSWER_RECLAIM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(first_claim), TEST(lost_views), TEST(another_count),
        TEST(added_partition), TEST(loaded_again),
        TEST(timers_again), TEST(missing_buckets), TEST(broken_state), TEST(a_cut), TEST(buckets),
        TEST(looks_when_clean), TEST(blank_records), TEST(commits), TEST(revoked),
        TEST(revoked_unsettled), TEST(revoked_never_settled), TEST(taken_away), TEST(differs),
        TEST(differs_while_waiting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
