/* What outlives a parcel, or a life of it: carriers' numbers, changes not yet told, names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pipeline/metric.h"
#include "tests/unit/track_run.h"

static const char *const carriers = "{g:scans:1}:carrier";

static void with_carrier(const char *number, const char *code, uint32_t at_s, const char *carrier)
{
    char more[64];

    (void)snprintf(more, sizeof more, ",\"carrier_number\":\"%s\"", carrier);
    (void)begin(1, PASSAGE_SCANS);
    (void)scan(number, code, "HGH", at_s, more);
    emit();
}

static void clock_to(uint32_t at_s)
{
    begin(1, PASSAGE_PULSE)->complete_ms = (int64_t)at_s * 1000;
    emit();
    pass_ms(1000);
}

/* Two parcels with one carrier's number: it leads to the later, and when the earlier is
 * forgotten, it still does. */
static void shared_carrier_number(void **state)
{
    (void)state;
    run_from(0);
    with_carrier("YT1", "DELIVERED", T0, "C-1");
    with_carrier("YT2", "PICKUP", T0 + 3 * DAYS, "C-1");
    pass_ms(1000);
    assert_memory_equal(entry_find(carriers, "C-1")->value, "YT2", 3);
    clock_to(T0 + 40 * DAYS);                      /* YT1 has shrunk, and been forgotten */
    assert_int_equal(gate.marks[1].mark.records, 1);
    assert_non_null(entry_find(carriers, "C-1"));
    clock_to(T0 + 70 * DAYS);
    clock_to(T0 + 71 * DAYS);
    assert_int_equal(gate.marks[1].mark.records, 0);
    assert_null(entry_find(carriers, "C-1"));
}

/* A tombstone does not keep a carrier's number: who would take it out of the index? */
static void tombstone_without_carrier(void **state)
{
    struct parcel parcel;

    (void)state;
    run_from(0);
    with_carrier("YT1", "DELIVERED", T0, "C-1");
    clock_to(T0 + 10 * DAYS);
    assert_true(stored(1, "YT1", &parcel));
    assert_true(parcel.flags & PARCEL_TOMBSTONE);
    with_carrier("YT1", "SORT", T0 + HOURS, "C-2");
    pass_ms(1000);
    assert_null(entry_find(carriers, "C-1"));
    assert_null(entry_find(carriers, "C-2"));
}

/* A change of a life that is over says which life it was, and nothing of who has the next. */
static void changes_of_old_lives(void **state)
{
    struct parcel parcel;

    (void)state;
    run_from(0);
    (void)begin(1, PASSAGE_SCANS);
    (void)scan("YT1", "PICKUP", "HGH", T0, ",\"service\":\"express\"");
    (void)scan("YT1", "LOST", "HGH", T0 + 60, "");
    (void)scan("YT1", "LABEL", "CAN", T0 + 600, ",\"service\":\"economy\"");
    (void)scan("YT1", "CANCELLED", "CAN", T0 + 700, "");
    (void)scan("YT1", "LABEL", "CAN", T0 + 800, ",\"service\":\"economy\"");
    gate.hold_outputs = true;
    emit();
    pass_ms(1000);
    assert_non_null(strstr(told_alert("lost", 0)->value, "\"life\":1,"));
    assert_non_null(strstr(told_alert("lost", 1)->value, "\"state\":\"RESOLVED\""));
    assert_non_null(strstr(told_alert("lost", 1)->value, "\"life\":1,"));
    assert_null(strstr(told_alert("lost", 1)->value, "economy"));
    assert_non_null(strstr(told_alert("number-reused", 0)->value, "\"life\":2,"));
    gate.hold_outputs = false;
    assert_true(stored(1, "YT1", &parcel));
    assert_int_equal(parcel.life, 3);
    assert_int_not_equal(parcel.unsent_count, 0);
    bench_crash();                                  /* nobody knows whether they arrived */
    assign(1, GROUP_OURS, 5);
    pass_ms(1000);
    assert_non_null(strstr(told_alert("lost", 0)->value, "\"life\":1,"));
    assert_non_null(strstr(told_alert("number-reused", 0)->value, "\"life\":2,"));
}

/* What comes after its own retraction is no anomaly, and no arrival to learn from. */
static void undone(void **state)
{
    struct parcel parcel;
    int64_t before = metric_sum("scans_effective_total");

    (void)state;
    run_from(0);
    (void)begin(1, PASSAGE_SCANS);
    (void)scan("YT1", "PICKUP", "HGH", T0, "");
    (void)scan("YT1", "DAMAGED", "HGH", T0 + 100, ",\"retracts\":true");
    (void)scan("YT1", "DELIVERED", "HGH", T0 + 200, ",\"retracts\":true");
    (void)scan("YT1", "DAMAGED", "HGH", T0 + 100, "");
    (void)scan("YT1", "DELIVERED", "HGH", T0 + 200, "");
    emit();
    pass_ms(1000);
    for (uint32_t i = 0; i < gate.told_count; i++)
        assert_int_equal(gate.told[i].topic, TOPIC_PROGRESS);
    assert_true(stored(1, "YT1", &parcel));
    assert_int_equal(parcel.history_count, 5);
    assert_int_equal(parcel.flags, 0);
    assert_int_equal(metric_sum("scans_effective_total") - before, 5);
}

/* Free text fills its own share of the dictionary; what no number is left for is counted. */
static void refused_names(void **state)
{
    int64_t before = metric_sum("names_refused_total");
    char more[64];

    (void)state;
    run_from(0);
    for (int i = 0; i < SERVICES_MAX + 3; i++) {
        (void)begin(1, PASSAGE_SCANS);
        (void)snprintf(more, sizeof more, ",\"service\":\"s%d\",\"reason\":\"because %d\"", i, i);
        (void)scan("YT1", "SORT", "HGH", T0 + 1000 * (uint32_t)i, more);
        emit();
    }
    pass_ms(1000);
    assert_int_equal(metric_sum("names_refused_total") - before, 3);
    assert_non_null(entry_find("{g:scans:1}:names", "p:1"));
    assert_null(entry_find("{g:scans:1}:names", "p:2"));        /* reasons are further up */
    (void)snprintf(more, sizeof more, "p:%d", REASONS_FIRST);
    assert_memory_equal(entry_find("{g:scans:1}:names", more)->value, "because 0", 9);
}

/* A parcel's documents are a set with an end, and what comes after it is counted. */
static void lost_documents(void **state)
{
    int64_t before = metric_sum("documents_lost_total");
    char more[48];

    (void)state;
    run_from(0);
    for (int i = 0; i < DOCUMENTS_MAX + 2; i++) {
        (void)begin(1, PASSAGE_SCANS);
        (void)snprintf(more, sizeof more, ",\"reason\":\"d%d\"", i % (DOCUMENTS_MAX + 1));
        (void)scan("YT1", "DECLARED", "HGH", T0 + 1000 * (uint32_t)i, more);
        emit();
    }
    assert_int_equal(metric_sum("documents_lost_total") - before, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(shared_carrier_number), TEST(tombstone_without_carrier), TEST(changes_of_old_lives),
        TEST(undone), TEST(refused_names), TEST(lost_documents),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
