/* The stage track, stepped: what scans and passing time make of parcels, and what is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pipeline/metric.h"
#include "stages/detect/detectors/all.h"
#include "tests/unit/track_bench.h"

static int setup(void **state)
{
    (void)state;
    bench_open(NULL);
    assign(1, GROUP_START, 0);
    pass_ms(1000);
    gate.requests_count = gate.told_count = 0;
    return 0;
}

static int setup_by_event(void **state)
{
    static const char *const settings[] = {"clock.mode=event", "clock.tolerance=1h", NULL};

    (void)state;
    bench_open(settings);
    assign(1, GROUP_START, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    bench_close();
    return 0;
}

/* Idle advance: all before this second has been read. */
static void clock_to(uint32_t at_s)
{
    begin(1, PASSAGE_PULSE)->complete_ms = (int64_t)at_s * 1000;
    emit();
}

static bool says(const struct told *told, const char *words)
{
    return told != NULL && strstr(told->value, words) != NULL;
}

static const struct entry *open_entry(uint64_t alert)
{
    char id[17];

    (void)snprintf(id, sizeof id, "%016llx", (unsigned long long)alert);
    return entry_find(key_of(1, "open"), id);
}

/* ── Alerts at once ───────────────────────────────────────────────────────── */

static void at_once(void **state)
{
    (void)state;
    one_scan("YT1", "PICKUP", "HGH", T0);
    one_scan("YT1", "DAMAGED", "CAN", T0 + 60);
    pass_ms(1);
    const struct told *opened = told_alert("damaged", 0);

    assert_true(says(opened, "\"state\":\"OPENED\"") && says(opened, "\"facility\":\"CAN\""));
    assert_true(says(opened, "\"offset\":1,") || says(opened, "\"offset\":1}"));
    assert_string_equal(opened->key, "YT1");
    assert_true(opened->mode == OUTPUTS_AT_ONCE && opened->ordinal == 1);
    pass_ms(1000);
    assert_int_equal(last_asked(REQUEST_CUT)->outputs, 1);
    const struct entry *entry = open_entry(opened->alert);

    assert_non_null(entry);
    assert_int_equal(entry->length, strlen(opened->value));
    assert_memory_equal(entry->value, opened->value, entry->length);

    one_scan("YT1", "DELIVERED", "CAN", T0 + 120);
    pass_ms(1000);
    assert_true(says(told_alert("damaged", 1), "\"state\":\"RESOLVED\""));
    assert_int_equal(told_alert("damaged", 1)->ordinal, 2);
    assert_int_equal(last_asked(REQUEST_CUT)->outputs, 2);
    assert_null(open_entry(opened->alert));
}

/* Replayed below the group's commit: the state follows, nothing is said twice. */
static void suppressed(void **state)
{
    struct parcel parcel;

    (void)state;
    int64_t before = metric_sum("outputs_suppressed_total");

    begin(1, PASSAGE_SCANS)->suppress_below = 2;
    (void)scan("YT1", "DAMAGED", "HGH", T0, "");
    (void)scan("YT2", "DAMAGED", "HGH", T0, "");
    (void)scan("YT3", "DAMAGED", "HGH", T0, "");
    emit();
    pass_ms(1000);
    assert_string_equal(told_alert("damaged", 0)->key, "YT3");
    assert_null(told_alert("damaged", 1));
    assert_int_equal(metric_sum("outputs_suppressed_total") - before, 2);
    assert_true(stored(1, "YT1", &parcel));
    assert_non_null(open_entry(parcel.alerts[0].id));
    assert_memory_equal(open_entry(parcel.alerts[0].id)->value, "{\"id\":\"", 7);

    begin(1, PASSAGE_SCANS)->suppress_below = 5;   /* what the clock opens is never suppressed */
    (void)scan("YT4", "LABEL", "HGH", T0, "");
    (void)scan("YT3", "ARRIVE", "HGH", T0 + 25 * HOURS, "");
    emit();
    pass_ms(1000);
    assert_non_null(told_alert("never-collected", 0));
}

/* ── Alerts by the clock ──────────────────────────────────────────────────── */

/* The deadline had passed before the scan came that ends it: both are told, in order. */
static void deadline_first(void **state)
{
    (void)state;
    one_scan("YT1", "LABEL", "HGH", T0);
    one_scan("YT1", "PICKUP", "HGH", T0 + 30 * HOURS);
    pass_ms(1000);
    const struct told *opened = told_alert("never-collected", 0);
    const struct told *resolved = told_alert("never-collected", 1);

    assert_true(says(opened, "\"state\":\"OPENED\""));
    assert_true(says(opened, "\"at\":\"2024-11-12T08:00:00Z\""));   /* the deadline, not now */
    assert_null(strstr(opened->value, "\"offset\""));
    assert_true(says(resolved, "\"state\":\"RESOLVED\""));
    assert_true(says(resolved, "\"at\":\"2024-11-12T14:00:00Z\""));
    assert_true(opened->alert == resolved->alert && opened->sequence + 1 == resolved->sequence);
    assert_true(opened->mode == OUTPUTS_DEFERRED && resolved->mode == OUTPUTS_DEFERRED);
}

/* First into the state, then told, then cleared by a later cut. */
static void unsent(void **state)
{
    struct parcel parcel;

    (void)state;
    gate.hold_outputs = true;
    one_scan("YT1", "LABEL", "HGH", T0);
    clock_to(T0 + 24 * HOURS - 1);
    pass_ms(1000);
    assert_null(told_alert("never-collected", 0));
    clock_to(T0 + 24 * HOURS);
    pass_ms(1000);
    const struct request *cut = last_asked(REQUEST_CUT);
    const struct told *opened = told_alert("never-collected", 0);

    assert_int_equal(opened->mode, OUTPUTS_DEFERRED);
    assert_int_equal(opened->applied, cut->ordinal);
    assert_int_equal(cut->mark.clock_ms, (T0 + 24 * HOURS) * 1000LL);
    assert_true(stored(1, "YT1", &parcel));
    assert_int_equal(parcel.unsent_count, 1);
    assert_int_equal(parcel.unsent[0].id, opened->alert);
    assert_non_null(open_entry(opened->alert));

    gate.requests_count = 0;
    pass_ms(5000);
    assert_int_equal(asked(REQUEST_CUT), 0);    /* Kafka has not acknowledged it */
    gate.hold_outputs = false;
    pass_ms(1000);
    pass_ms(1000);
    assert_int_equal(asked(REQUEST_CUT), 1);
    assert_true(stored(1, "YT1", &parcel));
    assert_true(parcel.unsent_count == 0 && parcel.alerts_count == 1);
}

/* An acknowledgement clears the change it is of, and no other of the same alert. */
static void not_acknowledged(void **state)
{
    struct parcel parcel;

    (void)state;
    gate.hold_outputs = true;
    one_scan("YT1", "LABEL", "HGH", T0);
    clock_to(T0 + 24 * HOURS);
    pass_ms(1000);
    one_scan("YT1", "PICKUP", "HGH", T0 + 30 * HOURS);
    pass_ms(1000);
    assert_int_equal(told_alert("never-collected", 0)->applied + 1,
                     told_alert("never-collected", 1)->applied);
    while (((struct outputs *)gate.held[gate.fail]->head)->mode != OUTPUTS_DEFERRED)
        gate.fail++;   /* what was told before … */
    gate.fail++;       /* … and the first of the two */
    gate.hold_outputs = false;
    pass_ms(1000);
    pass_ms(1000);
    assert_true(stored(1, "YT1", &parcel));
    assert_int_equal(parcel.unsent_count, 1);
    assert_int_equal(parcel.unsent[0].state, ALERT_OPENED);
}

/* Whoever takes the partition over sends them again: nobody knows whether they arrived. */
static void sent_again(void **state)
{
    struct parcel parcel;

    (void)state;
    gate.hold_outputs = true;
    one_scan("YT1", "LABEL", "HGH", T0);
    one_scan("YT1", "PICKUP", "HGH", T0 + 30 * HOURS);
    one_scan("YT2", "LABEL", "HGH", T0 + 30 * HOURS);
    pass_ms(1000);
    struct told first = *told_alert("never-collected", 0);
    struct told second = *told_alert("never-collected", 1);

    for (int crash = 0; crash < 2; crash++) {
        bench_crash();
        assign(1, GROUP_OURS, 3);
        pass_ms(1000);
        assert_int_equal(told_alert("never-collected", 0)->alert, first.alert);
        assert_int_equal(told_alert("never-collected", 0)->sequence, first.sequence);
        assert_int_equal(told_alert("never-collected", 1)->sequence, second.sequence);
        assert_int_equal(told_alert("never-collected", 1)->mode, OUTPUTS_DEFERRED);
        assert_null(told_alert("never-collected", 2));
        assert_null(open_entry(first.alert));   /* resolved since: the index knows */
    }
    gate.hold_outputs = false;
    pass_ms(1000);
    pass_ms(1000);
    assert_true(stored(1, "YT1", &parcel));
    assert_int_equal(parcel.unsent_count, 0);
    bench_crash();
    assign(1, GROUP_OURS, 3);
    pass_ms(1000);
    assert_null(told_alert("never-collected", 0));
}

/* More at once than one cut, or all batches, may hold. */
static void many(void **state)
{
    char number[16];

    (void)state;
    for (uint32_t i = 0; i < 400; i++) {
        if (i % 200 == 0)
            (void)begin(1, PASSAGE_SCANS);
        (void)snprintf(number, sizeof number, "YT%u", i);
        (void)scan(number, "LABEL", "HGH", T0, "");
        if (i % 200 == 199)
            emit();
    }
    pass_ms(1000);
    clock_to(T0 + 24 * HOURS);
    for (int i = 0; i < 20; i++)
        pass_ms(1000);
    assert_non_null(told_alert("never-collected", 399));
    assert_null(told_alert("never-collected", 400));
    assert_int_equal(gate.marks[1].mark.clock_ms, (T0 + 24 * HOURS) * 1000LL);
    pass_ms(1000);
    bench_crash();
    assign(1, GROUP_OURS, 400);
    pass_ms(1000);
    assert_null(told_alert("never-collected", 0));   /* all were acknowledged, and cleared */
}

/* ── Clocks ───────────────────────────────────────────────────────────────── */

static int64_t clock_s(void)
{
    pass_ms(1000);
    return board[1].clock_ms / 1000;
}

static void kafka_clock(void **state)
{
    int64_t ahead = metric_sum("timestamps_ahead_total");

    (void)state;
    (void)begin(1, PASSAGE_SCANS);
    scan("YT1", "LABEL", "HGH", T0, "")->kafka_ms = (T0 + 100) * 1000LL;
    emit();
    assert_int_equal(clock_s(), T0 + 100);
    one_scan("YT1", "PICKUP", "HGH", T0 + 50);       /* never back */
    assert_int_equal(clock_s(), T0 + 100);
    bench.wall_ms = (T0 + 1000) * 1000LL;
    one_scan("YT1", "DEPART", "HGH", T0 + 1200);     /* somebody's clock is a little ahead */
    assert_int_equal(clock_s(), T0 + 1000);
    one_scan("YT1", "ARRIVE", "PVG", T0 + 1000 + 301);
    assert_int_equal(clock_s(), T0 + 1000);
    assert_int_equal(metric_sum("timestamps_ahead_total") - ahead, 1);
    (void)begin(1, PASSAGE_SCANS);
    scan("YT1", "SORT", "PVG", T0 + 1500, "")->kafka_ms = -1;
    emit();
    assert_int_equal(metric_sum("timestamps_ahead_total") - ahead, 2);
    clock_to(T0 + 9000);                             /* no further than the wall's */
    assert_int_equal(clock_s(), T0 + 1000);
    bench.wall_ms = (T0 + 9500) * 1000LL;
    clock_to(T0 + 9000);
    assert_int_equal(clock_s(), T0 + 9000);
}

static void event_clock(void **state)
{
    (void)state;
    (void)begin(1, PASSAGE_SCANS);
    scan("YT1", "LABEL", "HGH", T0, "")->kafka_ms = (T0 + 90000) * 1000LL;
    emit();
    assert_int_equal(clock_s(), T0 - HOURS);
    clock_to(T0 + 9000);
    assert_int_equal(clock_s(), T0 - HOURS);
    one_scan("YT2", "LABEL", "HGH", T0 + 26 * HOURS);
    pass_ms(1000);
    assert_non_null(told_alert("never-collected", 0));
}

/* ── What is kept, and for how long ───────────────────────────────────────── */

static void shrunk_and_expired(void **state)
{
    struct parcel parcel;

    (void)state;
    (void)begin(1, PASSAGE_SCANS);
    (void)scan("YT1", "PICKUP", "HGH", T0, ",\"carrier_number\":\"C-77\"");
    (void)scan("YT1", "DELIVERED", "PVG", T0 + 100, "");
    emit();
    clock_to(T0 + 99 + DAYS);
    pass_ms(1000);
    assert_true(stored(1, "YT1", &parcel));
    assert_true(parcel.history_count == 2 && !(parcel.flags & PARCEL_TOMBSTONE));
    clock_to(T0 + 100 + DAYS);
    pass_ms(1000);
    assert_true(stored(1, "YT1", &parcel));
    assert_true(parcel.history_count == 0 && (parcel.flags & PARCEL_TOMBSTONE));
    assert_int_equal(parcel.state, STATE_DELIVERED);
    one_scan("YT1", "ARRIVE", "PVG", T0 + 50);       /* a duplicate by now */
    clock_to(T0 + 99 + 31 * DAYS);
    pass_ms(1000);
    assert_true(stored(1, "YT1", &parcel));
    assert_int_equal(gate.marks[1].mark.records, 1);
    clock_to(T0 + 100 + 31 * DAYS);
    pass_ms(1000);
    assert_false(stored(1, "YT1", &parcel));
    assert_int_equal(gate.marks[1].mark.records, 0);
    bench_crash();
    assign(1, GROUP_OURS, 3);                        /* Redis and mark agree on it */
    assert_int_equal(asked(REQUEST_CUT), 0);
}

/* The carrier's number leads to the parcel, and is not left behind by it. */
static void carrier_numbers(void **state)
{
    const char *key = "{g:scans:1}:carrier";

    (void)state;
    (void)begin(1, PASSAGE_SCANS);
    (void)scan("YT1", "PICKUP", "HGH", T0, ",\"carrier_number\":\"C-1\"");
    (void)scan("YT1", "ARRIVE", "PVG", T0 + 10, ",\"carrier_number\":\"C-2\"");
    emit();
    pass_ms(1000);
    assert_null(entry_find(key, "C-1"));   /* one number leads to it: the latest */
    assert_memory_equal(entry_find(key, "C-2")->value, "YT1", 3);
    one_scan("YT1", "DELIVERED", "PVG", T0 + 100);
    clock_to(T0 + 100 + 31 * DAYS);
    pass_ms(1000);
    assert_null(entry_find(key, "C-2"));
    (void)begin(1, PASSAGE_SCANS);
    (void)scan("YT3", "DELIVERED", "PVG", T0 + 40 * DAYS, ",\"carrier_number\":\"C-3\"");
    (void)scan("YT3", "PICKUP", "HGH", T0 + 41 * DAYS, "");   /* the number's next life */
    emit();
    pass_ms(1000);
    assert_null(entry_find(key, "C-3"));
}

/* A parcel that never ends is forgotten, but not before its alerts are closed and told. */
static void idle(void **state)
{
    struct parcel parcel;

    (void)state;
    one_scan("YT1", "DEPART", "HGH", T0);
    clock_to(T0 + 59 * DAYS);
    pass_ms(1000);
    pass_ms(1000);
    const struct told *lost = told_alert("lost", 0);

    assert_true(says(lost, "\"state\":\"OPENED\""));
    gate.hold_outputs = true;
    clock_to(T0 + 60 * DAYS);
    pass_ms(1000);
    assert_true(says(told_alert("lost", 1), "\"state\":\"RESOLVED\""));
    assert_null(open_entry(lost->alert));
    clock_to(T0 + 60 * DAYS + 600);
    pass_ms(1000);
    assert_true(stored(1, "YT1", &parcel));           /* not acknowledged yet */
    assert_null(told_alert("lost", 2));
    gate.hold_outputs = false;
    pass_ms(1000);
    clock_to(T0 + 60 * DAYS + 700);
    pass_ms(1000);
    assert_false(stored(1, "YT1", &parcel));
    assert_int_equal(gate.marks[1].mark.records, 0);
}

/* The number comes back after the parcel's end: what was open of the old life is closed. */
static void next_life(void **state)
{
    struct parcel parcel;

    (void)state;
    one_scan("YT1", "PICKUP", "HGH", T0);
    one_scan("YT1", "LOST", "HGH", T0 + 60);
    one_scan("YT1", "LABEL", "CAN", T0 + 600);
    pass_ms(1000);
    assert_true(says(told_alert("lost", 0), "\"state\":\"OPENED\""));
    assert_true(says(told_alert("lost", 1), "\"state\":\"RESOLVED\""));
    assert_null(open_entry(told_alert("lost", 0)->alert));
    pass_ms(1000);
    assert_true(stored(1, "YT1", &parcel));
    assert_true(parcel.life == 2 && parcel.history_count == 1);
    assert_int_equal(parcel.state, STATE_LABELLED);
    assert_int_equal(parcel.unsent_count, 0);
    assert_int_equal(parcel.alerts_count, 1); /* its own: the number is used again too soon */
    assert_int_equal(parcel.alerts[0].type, DETECTOR_NUMBER_REUSED);
}

/* A number that lives for ever: the last life has no next. */
static void last_life(void **state)
{
    struct parcel parcel;
    char suffix[16];

    (void)state;
    one_scan("YT1", "PICKUP", "HGH", T0);
    one_scan("YT1", "DELIVERED", "HGH", T0 + 60);
    pass_ms(1000);
    assert_true(stored(1, "YT1", &parcel));
    parcel.life = UINT16_MAX;
    (void)snprintf(suffix, sizeof suffix, "b%08x", parcel_home("YT1", 3) / PARTITIONS % BUCKETS);
    struct entry *entry = entry_find(key_of(1, suffix), "YT1");

    entry->length = record_pack(&parcel, entry->value);
    bench_crash();
    assign(1, GROUP_OURS, 2);
    one_scan("YT1", "PICKUP", "CAN", T0 + 600);
    pass_ms(1000);
    assert_true(stored(1, "YT1", &parcel));
    assert_true(parcel.life == UINT16_MAX && parcel.history_count == 1);
}

/* First met older than what is remembered of the delivered: recorded, and no alerts. */
static void history(void **state)
{
    struct parcel parcel;

    (void)state;
    one_scan("YT1", "PICKUP", "HGH", T0 + 31 * DAYS);
    (void)begin(1, PASSAGE_SCANS);
    scan("YT2", "DAMAGED", "HGH", T0, "")->kafka_ms = (T0 + 31 * DAYS) * 1000LL;
    emit();
    pass_ms(1000);
    assert_true(stored(1, "YT2", &parcel));
    assert_true(parcel.flags & PARCEL_HISTORIC);
    assert_null(told_alert("damaged", 0));
    assert_true(stored(1, "YT1", &parcel));
    assert_false(parcel.flags & PARCEL_HISTORIC);
    (void)begin(1, PASSAGE_SCANS);   /* it is seen today: from the next scan on it may be late */
    scan("YT2", "ARRIVE", "PVG", T0 + 31 * DAYS, "")->kafka_ms = (T0 + 31 * DAYS) * 1000LL;
    scan("YT2", "DAMAGED", "PVG", T0 + 31 * DAYS + 60, "")->kafka_ms = (T0 + 31 * DAYS) * 1000LL;
    emit();
    pass_ms(1000);
    assert_true(stored(1, "YT2", &parcel));
    assert_false(parcel.flags & PARCEL_HISTORIC);
    assert_non_null(told_alert("damaged", 0));
}

/* ── Counting, estimates, progress ────────────────────────────────────────── */

static void classes(void **state)
{
    static const char *const names[] = {"scans_effective_total", "scans_merged_total",
                                        "scans_duplicate_total", "scans_late_total",
                                        "parcels_begun_total"};
    static const int64_t wanted[] = {4, 1, 1, 1, 2};
    int64_t before[5];

    (void)state;
    for (int i = 0; i < 5; i++)
        before[i] = metric_sum(names[i]);
    (void)begin(1, PASSAGE_SCANS);
    (void)scan("YT1", "PICKUP", "HGH", T0, "");
    (void)scan("YT1", "SORT", "HGH", T0 + 100, "");
    (void)scan("YT1", "SORT", "HGH", T0 + 100, "");   /* duplicate */
    (void)scan("YT1", "SORT", "HGH", T0 + 130, "");   /* merged */
    (void)scan("YT1", "ARRIVE", "HGH", T0 + 50, "");  /* late */
    (void)scan("YT2", "PICKUP", "HGH", T0, "");
    emit();
    for (int i = 0; i < 5; i++)
        assert_int_equal(metric_sum(names[i]) - before[i], wanted[i]);
}

static const struct told *told_eta(const char *number, int which)
{
    for (uint32_t i = 0; i < gate.told_count; i++)
        if (gate.told[i].topic == TOPIC_ETAS && strcmp(gate.told[i].key, number) == 0 &&
            which-- == 0)
            return &gate.told[i];
    return NULL;
}

static void etas(void **state)
{
    struct parcel parcel;

    (void)state;
    one_scan("YT1", "PICKUP", "HGH", T0);
    one_scan("YT1", "DELIVERED", "PVG", T0 + 10 * HOURS);
    one_scan("YT2", "PICKUP", "HGH", T0 + 10 * HOURS);      /* what YT1 took is known now */
    one_scan("YT2", "SORT", "HGH", T0 + 10 * HOURS + 60);   /* nothing new */
    one_scan("YT2", "OUT_FOR_DELIVERY", "PVG", T0 + 15 * HOURS);
    one_scan("YT2", "DELIVERED", "PVG", T0 + 16 * HOURS);
    pass_ms(1000);
    assert_true(says(told_eta("YT1", 0), "\"reason\":\"arrived\""));
    assert_null(told_eta("YT1", 1));
    assert_true(says(told_eta("YT2", 0), "\"reason\":\"first\""));
    assert_true(says(told_eta("YT2", 0), "\"sequence\":1,"));
    assert_true(says(told_eta("YT2", 1), "\"reason\":\"state\""));
    assert_true(says(told_eta("YT2", 2), "\"reason\":\"arrived\""));
    assert_true(says(told_eta("YT2", 2), "\"first_error_s\":"));
    assert_null(told_eta("YT2", 3));
    assert_true(stored(1, "YT2", &parcel));
    assert_int_equal(parcel.eta_sequence, 3);
    assert_true(cut_has("{g:scans:1}:model"));

    bench_crash();   /* what was learned is loaded again */
    assign(1, GROUP_OURS, 6);
    one_scan("YT3", "PICKUP", "HGH", T0 + 20 * HOURS);
    pass_ms(1000);
    assert_true(says(told_eta("YT3", 0), "\"reason\":\"first\""));
}

static uint32_t told_progress(void)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < gate.told_count; i++)
        count += gate.told[i].topic == TOPIC_PROGRESS;
    return count;
}

/* Opened and resolved between two cuts: both are told, and the index never had its text. */
static void came_and_went(void **state)
{
    (void)state;
    one_scan("YT1", "DAMAGED", "HGH", T0);
    one_scan("YT1", "DELIVERED", "HGH", T0 + 60);
    pass_ms(1000);
    assert_true(says(told_alert("damaged", 0), "\"state\":\"OPENED\""));
    assert_true(says(told_alert("damaged", 1), "\"state\":\"RESOLVED\""));
    assert_null(open_entry(told_alert("damaged", 0)->alert));
    assert_null(memmem(gate.body, gate.body_length, "damaged", 7));
}

/* With each checkpoint, and now and then: what is stored, not what is being worked on. */
static void progress(void **state)
{
    (void)state;
    begin(1, PASSAGE_PULSE)->high = 10;
    emit();
    one_scan("YT1", "PICKUP", "HGH", T0);
    gate.hold_cuts = true;
    pass_ms(1000);
    assert_int_equal(told_progress(), 0);
    gate.hold_cuts = false;
    pass_ms(1);
    assert_int_equal(told_progress(), 1);
    const struct told *told = &gate.told[gate.told_count - 1];

    assert_int_equal(told->mode, OUTPUTS_FREE);
    assert_string_equal(told->key, "1");
    assert_true(says(told, "\"offset\":1,") && says(told, "\"lag\":9,"));
    pass_ms(9998);
    assert_int_equal(told_progress(), 1);
    pass_ms(2);
    assert_int_equal(told_progress(), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(at_once), TEST(suppressed), TEST(deadline_first), TEST(unsent),
        TEST(not_acknowledged), TEST(sent_again), TEST(many), TEST(kafka_clock),
        cmocka_unit_test_setup_teardown(event_clock, setup_by_event, teardown),
        TEST(shrunk_and_expired), TEST(carrier_numbers), TEST(idle), TEST(next_life),
        TEST(last_life),
        TEST(history), TEST(classes), TEST(etas), TEST(came_and_went), TEST(progress),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
