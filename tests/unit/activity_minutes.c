/* Records of counts put together: whole minutes, whatever comes again, late or never. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/error.h"
#include "stages/activity/minutes.h"
#include "stages/scan/format.h"

enum { M0 = 28855200 /* a minute of 2024 */, RECORD_MAX = 2048 };

static int setup(void **state)
{
    *state = minutes_create();
    return 0;
}

static int teardown(void **state)
{
    minutes_destroy(*state);
    return 0;
}

struct record { uint32_t source, sources, minute, until, share, shares, part; uint64_t epoch;
                const char *counts; bool more; };

static int give(struct minutes *m, const struct record *r)
{
    char json[RECORD_MAX], from[TIME_TEXT], until[TIME_TEXT];
    int  from_length = (int)time_print((int64_t)(M0 + r->minute) * MINUTE_MS, from);
    int  until_length = (int)time_print((int64_t)(M0 + r->until) * MINUTE_MS, until);
    int  length = snprintf(json, sizeof json, "{\"source\":%u,\"sources\":%u,\"epoch\":%llu,"
                           "\"minute\":\"%.*s\",\"until\":\"%.*s\",\"share\":%u,\"shares\":%u,"
                           "\"part\":%u,\"counts\":[%s],\"last\":%s}", r->source, r->sources,
                           (unsigned long long)r->epoch, from_length, from, until_length, until,
                           r->share, r->shares, r->part, r->counts, r->more ? "false" : "true");

    assert_in_range(length, 1, RECORD_MAX - 1);
    return minutes_take(m, json, (size_t)length);
}

/* Source `source` of two tells of one minute: so many events at X. */
static void tell(struct minutes *m, uint32_t source, uint32_t minute, uint64_t epoch,
                 uint32_t events)
{
    char counts[64];

    (void)snprintf(counts, sizeof counts, "[\"facility:X\",%u,0,0,-1,0]", events);
    assert_int_equal(give(m, &(struct record){.source = source, .sources = 2, .minute = minute,
                                              .until = minute + 1, .shares = 1, .epoch = epoch,
                                              .counts = counts}), 0);
}

static void add(void *self, const struct source_count *count)
{
    *(uint32_t *)self += count->events;
}

/* The minute that is whole, and its events at all; -1: none is. */
static int next(struct minutes *m, uint32_t *events)
{
    uint32_t share, minute;

    *events = 0;
    if (!minutes_whole(m, &share, &minute))
        return -1;
    minutes_give(m, share, add, events);
    return (int)(minute - M0);
}

#define assert_next(m, minute, events)                                         \
    do {                                                                       \
        uint32_t found;                                                        \
        assert_int_equal(next(m, &found), minute);                             \
        assert_int_equal(found, events);                                       \
    } while (0)

static void when_all_have_told(void **state)
{
    struct minutes *m = *state;
    uint32_t events, source = 9;

    tell(m, 0, 1, 5, 10);
    tell(m, 0, 2, 5, 20);
    assert_int_equal(next(m, &events), -1);
    tell(m, 1, 1, 7, 1);
    assert_next(m, 1, 11);
    assert_int_equal(next(m, &events), -1);
    assert_int_equal(minutes_behind(m, &source), 1);
    assert_int_equal(source, 1);
    tell(m, 1, 2, 7, 2);
    assert_next(m, 2, 22);
    assert_int_equal(minutes_behind(m, &source), 0);
}

/* Who replays tells from some minute on again: the last word holds. */
static void told_again(void **state)
{
    struct minutes *m = *state;
    uint32_t events;

    tell(m, 0, 1, 5, 10);
    tell(m, 0, 2, 5, 20);
    tell(m, 0, 1, 6, 11);                      /* its new owner */
    tell(m, 0, 2, 5, 1000);                    /* the old one, late */
    tell(m, 1, 1, 7, 0);
    tell(m, 1, 2, 7, 0);
    assert_next(m, 1, 11);
    assert_int_equal(next(m, &events), -1);    /* minute 2 is told again, too */
    tell(m, 0, 2, 6, 21);
    assert_next(m, 2, 21);
    tell(m, 0, 2, 8, 5000);                    /* judged is judged */
    tell(m, 0, 3, 8, 30);
    tell(m, 1, 3, 7, 0);
    assert_next(m, 3, 30);
}

/* A minute in several parts is told with the last of them; minutes in which nothing happened
 * come, too. */
static void parts_and_gaps(void **state)
{
    struct minutes *m = *state;
    struct record r = {.sources = 1, .minute = 1, .until = 4, .shares = 2, .share = 1, .epoch = 1,
                       .counts = "[\"facility:X\",1,0,0,0,0],[\"lane:A>B\",2,0,0,0,2]",
                       .more = true};
    uint32_t events;

    assert_int_equal(give(m, &r), 0);
    assert_int_equal(next(m, &events), -1);
    r.part = 1;
    r.more = false;
    r.counts = "[\"courier:K\\\"7\",3,1731312000,\"X\"],[\"courier:K8\",4,1731312000,\"\",1.5,-2]";
    assert_int_equal(give(m, &r), 0);
    assert_next(m, 1, 10);
    assert_next(m, 2, 0);
    assert_next(m, 3, 0);
    assert_int_equal(next(m, &events), -1);
}

/* Begun in mid-stream, the first minute is one that all have told of. */
static void begun_in_the_middle(void **state)
{
    struct minutes *m = *state;

    tell(m, 0, 1, 1, 1);
    tell(m, 0, 2, 1, 2);
    tell(m, 0, 3, 1, 3);
    tell(m, 1, 3, 1, 30);
    assert_next(m, 3, 33);
}

static void see(void *self, const struct source_count *count)
{
    struct source_count *seen = self;

    *seen = *count;
}

static void what_a_row_says(void **state)
{
    struct minutes *m = *state;
    struct source_count seen;
    struct record r = {.sources = 1, .minute = 1, .until = 2, .shares = 1, .epoch = 1,
                       .counts = "[\"facility:X\",1,2,3,-4,5]"};
    uint32_t share, minute;

    assert_int_equal(give(m, &r), 0);
    assert_true(minutes_whole(m, &share, &minute));
    minutes_give(m, share, see, &seen);
    assert_true(seen.kind == SUBJECT_FACILITY && seen.events == 1 && seen.in == 2 &&
                seen.out == 3 && seen.on_hand == -4 && seen.exceptions == 5);
    r.minute++, r.until++;
    r.counts = "[\"courier:K7\",2,1731312000,\"BRU\",50.8500,-4.3000]";
    assert_int_equal(give(m, &r), 0);
    assert_true(minutes_whole(m, &share, &minute));
    minutes_give(m, share, see, &seen);
    assert_true(seen.kind == SUBJECT_COURIER && seen.events == 2 && seen.at_s == 1731312000);
    assert_true(seen.has_position && seen.lat > 50.84 && seen.lon < -4.29);
    assert_string_equal(seen.place, "BRU");
}

/* What is no record is named, and changes nothing. */
static void no_records(void **state)
{
    static const char *const counts[] = {
        "[\"facility:X\",1,0,0,0]", "[\"facility:X\",1,0,0,0,0,0]", "[\"site:X\",1,0,0,0,0]",
        "[\"facility:X\",-1,0,0,0,0]", "[\"facility:X\",1,0,0,0,\"0\"]", "[facility,1,0,0,0,0]",
        "[\"courier:K\",1,5]", "[\"courier:K\",1,5,\"X\",1]", "[\"facility:X",
        "[\"facility:X\",9e99,0,0,0,0]", "7"};
    static const char good[] = "{\"source\":0,\"sources\":1,\"epoch\":1,\"minute\":"
        "\"2024-11-11T08:00:00Z\",\"until\":\"2024-11-11T08:01:00Z\",\"share\":0,\"shares\":1,"
        "\"part\":0,\"counts\":[],\"last\":true}";
    struct minutes *m = *state;
    struct record r = {.sources = 1, .minute = 1, .until = 2, .shares = 1};
    uint32_t events;

    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        r.counts = counts[i];
        if (give(m, &r) == 0)
            fail_msg("%s is taken", counts[i]);
        assert_non_null(strstr(error_text(), "a record of counts"));
        error_clear();
    }
    for (size_t cut = 0; cut + strlen(",\"last\":true}") < sizeof good; cut++) {
        char *exact = strndup(good, cut);

        if (cut < sizeof good - strlen("],\"last\":true}") - 1)
            assert_int_equal(minutes_take(m, exact, cut), -1);
        error_clear();
        free(exact);
    }
    r.until = 1;
    r.counts = "";
    assert_int_equal(give(m, &r), -1);          /* it ends before it began */
    error_clear();
    r = (struct record){.source = 1, .sources = 1, .minute = 1, .until = 2, .shares = 1,
                        .counts = ""};
    assert_int_equal(give(m, &r), -1);          /* there is no such source */
    error_clear();
    assert_int_equal(next(m, &events), -1);
}

/* Other shares, or other partitions: one does not add up with the other. */
static void changed_shares(void **state)
{
    struct minutes *m = *state;
    struct record r = {.sources = 2, .minute = 1, .until = 2, .shares = 2, .counts = ""};

    assert_int_equal(give(m, &r), 0);
    r.shares = 4;
    assert_int_equal(give(m, &r), -1);
    assert_non_null(strstr(error_text(), "4 shares of 2 sources, and before 2 of 2"));
    error_clear();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(when_all_have_told), TEST(told_again), TEST(parts_and_gaps),
        TEST(begun_in_the_middle), TEST(what_a_row_says), TEST(no_records), TEST(changed_shares),
    };

    return cmocka_run_group_tests_name("activity_minutes", tests, NULL, NULL);
}
