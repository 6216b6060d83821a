/* The stage track, stepped: a minute's counts are told once the clock has left it, and again,
 * the same, after a crash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stages/activity/minutes.h"

static const char *const counting[] = {"activity.enabled=true", "activity.shares=1", NULL};
#define RUN_SETTINGS counting
#include "tests/unit/track_run.h"

static void clock_to(uint32_t at_s)
{
    begin(1, PASSAGE_PULSE)->complete_ms = (int64_t)at_s * 1000;
    emit();
}

/* The nth record of counts, from 0, or NULL. */
static const struct told *told_counts(uint32_t which)
{
    for (uint32_t i = 0; i < gate.told_count; i++)
        if (gate.told[i].topic == TOPIC_ACTIVITY && which-- == 0)
            return &gate.told[i];
    return NULL;
}

static bool says(uint32_t which, const char *words)
{
    const struct told *told = told_counts(which);

    return told != NULL && strstr(told->value, words) != NULL;
}

static void scan_with(const char *number, const char *code, const char *place, uint32_t at_s,
                      const char *more)
{
    (void)begin(1, PASSAGE_SCANS);
    (void)scan(number, code, place, at_s, more);
    emit();
}

static void three_scans(void)
{
    one_scan("YT1", "ARRIVE", "HGH", T0);
    one_scan("YT2", "ARRIVE", "HGH", T0 + 20);
    one_scan("YT1", "DEPART", "HGH", T0 + 59);
}

/* ── Told ─────────────────────────────────────────────────────────────────── */

static void when_the_clock_leaves(void **state)
{
    (void)state;
    run_from(0);
    three_scans();
    one_scan("YT2", "ARRIVE", "HGH", T0 + 20);      /* a duplicate is no event */
    pass_ms(1);
    assert_null(told_counts(0));
    scan_with("YT3", "DELIVERED", "BRU", T0 + 60,
              ",\"origin\":\"CN\",\"dest\":\"BE\",\"carrier\":\"DHL\",\"courier\":\"K7\","
              "\"lat\":50.85,\"lon\":-4.5");
    pass_ms(1);
    const struct told *told = told_counts(0);

    assert_non_null(told);
    assert_true(told->mode == OUTPUTS_AT_ONCE && told->ordinal > 0);
    assert_string_equal(told->key, "0");
    assert_true(says(0, "{\"source\":1,\"sources\":4,\"epoch\":1001,"
                        "\"minute\":\"2024-11-11T08:00:00Z\","
                        "\"until\":\"2024-11-11T08:01:00Z\",\"share\":0,\"shares\":1,\"part\":0,"
                        "\"counts\":[[\"facility:HGH\",3,2,1,1,0]],\"last\":true}"));
    clock_to(T0 + 300);
    pass_ms(1);
    assert_true(says(1, "\"minute\":\"2024-11-11T08:01:00Z\",\"until\":\"2024-11-11T08:05:00Z\""));
    assert_true(says(1, "[\"facility:HGH\",0,0,0,1,0]"));    /* still on hand */
    assert_true(says(1, "[\"facility:BRU\",1,0,0,0,0]"));
    assert_true(says(1, "[\"carrier:DHL\",1,0,1,0,0]"));
    assert_true(says(1, "[\"lane:CN>BE\",1,0,1,0,0]"));
    assert_true(says(1, "[\"courier:K7\",1,1731312060,\"BRU\",50.8"));
    assert_true(says(1, ",-4.5000]"));
    clock_to(T0 + 360);
    pass_ms(1);
    assert_true(says(2, "\"counts\":[[\"facility:HGH\",0,0,0,1,0]]"));   /* lanes are gone */
    assert_null(told_counts(3));
}

/* A parcel that is forgotten is on hand nowhere. */
static void forgotten(void **state)
{
    (void)state;
    run_from(0);
    one_scan("YT1", "ARRIVE", "HGH", T0);
    for (uint32_t day = 100; day < 104; day++) {   /* what has to be told first, is */
        clock_to(T0 + day * DAYS);
        pass_ms(1000);
    }
    assert_int_equal(gate.marks[1].mark.records, 0);
    assert_true(says(0, "[\"facility:HGH\",1,1,0,1,0]"));
    assert_true(says(3, "\"counts\":[],\"last\":true"));
}

static void switched_off(void **state)
{
    (void)state;
    bench_close();
    bench_open(NULL);
    run_from(0);
    three_scans();
    clock_to(T0 + 300);
    pass_ms(1000);
    assert_null(told_counts(0));
    assert_null(entry_find(key_of(1, "activity"), "0"));
}

/* ── Replayed ─────────────────────────────────────────────────────────────── */

/* A crash in mid-minute: what the checkpoint has and what is read again make the same minute. */
static void after_a_crash(void **state)
{
    static char before[VALUE_MAX];

    (void)state;
    run_from(0);
    one_scan("YT1", "ARRIVE", "HGH", T0);
    pass_ms(1000);
    one_scan("YT2", "ARRIVE", "HGH", T0 + 20);
    pass_ms(1000);
    assert_non_null(entry_find(key_of(1, "activity"), "1"));   /* two parts of the minute */
    gate.hold_cuts = true;
    one_scan("YT1", "DEPART", "HGH", T0 + 59);
    clock_to(T0 + 60);
    pass_ms(1000);
    assert_true(says(0, "[\"facility:HGH\",3,2,1,1,0]"));
    (void)snprintf(before, sizeof before, "%s", strstr(told_counts(0)->value, "\"minute\""));
    gate.hold_cuts = false;
    bench_crash();

    assign(1, GROUP_OURS, 0);
    assert_int_equal(came_home(1, PASSAGE_ASSIGN)->offset, 2);
    begin(1, PASSAGE_SCANS)->suppress_below = 100;             /* counts are never suppressed */
    (void)scan("YT1", "DEPART", "HGH", T0 + 59, "");
    emit();
    clock_to(T0 + 60);
    pass_ms(1);
    assert_non_null(told_counts(0));
    assert_string_equal(strstr(told_counts(0)->value, "\"minute\""), before);
}

/* The minute ended and nothing happened since: a checkpoint of the next one holds nothing of
 * it, so that nobody tells less of it than was told. */
static void ended_before_the_cut(void **state)
{
    (void)state;
    run_from(0);
    one_scan("YT1", "ARRIVE", "HGH", T0);
    pass_ms(1000);
    one_scan("YT2", "ARRIVE", "HGH", T0 + 20);
    clock_to(T0 + 61);
    pass_ms(1000);
    assert_true(says(0, "[\"facility:HGH\",2,2,0,2,0]"));
    assert_non_null(entry_find(key_of(1, "activity"), "0"));
    assert_null(entry_find(key_of(1, "activity"), "1"));
    bench_crash();
    assign(1, GROUP_OURS, 2);
    clock_to(T0 + 130);
    pass_ms(1);
    assert_true(says(0, "\"minute\":\"2024-11-11T08:01:00Z\""));
    assert_true(says(0, "[\"facility:HGH\",0,0,0,2,0]"));
}

/* What Redis has is no counts: the partition stops, and says why. */
static void unreadable(void **state)
{
    (void)state;
    run_from(0);
    one_scan("YT1", "ARRIVE", "HGH", T0);
    pass_ms(1000);
    bench_crash();
    entry_set(key_of(1, "activity"), "0", "abcdefgh", 8);
    assign(1, GROUP_OURS, 1);
    assert_int_equal(came_home(1, PASSAGE_ASSIGN)->answer, ANSWER_STOP);
    assert_non_null(strstr(came_home(1, PASSAGE_ASSIGN)->text, "counts of a minute"));
}

/* ── Many subjects ────────────────────────────────────────────────────────── */

/* Each share is told for itself, whole, under a key of its own home. */
static void in_shares(void **state)
{
    static const char *const settings[] = {"activity.enabled=true", "activity.shares=3", NULL};
    struct minutes *minutes = minutes_create();
    uint32_t found = 0;

    (void)state;
    bench_close();
    bench_open(settings);
    run_from(0);
    for (int i = 0; i < 30; i++) {
        char place[8];

        (void)snprintf(place, sizeof place, "P%d", i);
        one_scan("YT1", "DEPART", place, T0 + (uint32_t)i);
    }
    clock_to(T0 + 60);
    pass_ms(1);
    for (uint32_t share = 0; share < 3; share++) {
        const struct told *told = told_counts(share);
        char words[16];

        assert_non_null(told);
        (void)snprintf(words, sizeof words, "\"share\":%u,", share);
        assert_true(says(share, words) && says(share, "\"last\":true"));
        assert_int_equal(parcel_home(told->key, strlen(told->key)) % 3, share);
        assert_int_equal(minutes_take(minutes, told->value, strlen(told->value)), 0);
        for (const char *at = told->value; (at = strstr(at, "\"facility:")) != NULL; found++) {
            at++;
            assert_int_equal(parcel_home(at, strcspn(at, "\"")) % 3, share);
        }
    }
    assert_null(told_counts(3));
    assert_int_equal(found, 30);
    assert_int_equal(minutes_streams(minutes), 3 * PARTITIONS);
    minutes_destroy(minutes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(when_the_clock_leaves), TEST(forgotten), TEST(switched_off), TEST(after_a_crash),
        TEST(ended_before_the_cut), TEST(unreadable), TEST(in_shares),
    };

    return cmocka_run_group_tests_name("track_activity", tests, NULL, NULL);
}
