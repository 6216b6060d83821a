/* What goes on of a scan's headers: to the alerts and estimates it causes, also those that
 * wait, and to nothing that time alone causes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stages/outlet/trace.h"
#include "tests/unit/track_run.h"

/* A message as its consumer sees it: pairs of name and value, ended by NULL. */
static uint32_t asked_for;

static bool header_of(const void *message, size_t i, const char **name, const void **value,
                      size_t *length)
{
    const char *const *pairs = message;

    asked_for++;
    if (pairs[2 * i] == NULL)
        return false;
    *name = pairs[2 * i];
    *value = pairs[2 * i + 1];
    *length = *value != NULL ? strlen(*value) : 0;
    return true;
}

static const char *const none[] = {NULL},
    *const first[] = {"traceparent", "00-1", NULL}, *const second[] = {"traceparent", "00-2", NULL};

static int setup_behind(void **state)
{
    static const char *const settings[] = {"catch_up.records=1", "catch_up.interval=1s", NULL};

    (void)state;
    bench_open(settings);
    ports.message_header = header_of;
    run_from(0);
    return 0;
}

static void one_traced(const char *number, const char *code, uint32_t at_s,
                       const char *const *message)
{
    (void)begin(1, PASSAGE_SCANS);
    scan(number, code, "HGH", at_s, "")->message = message;
    emit();
}

static const struct told *told_of(enum output_topic topic, const char *number, int which)
{
    for (uint32_t i = 0; i < gate.told_count; i++)
        if (gate.told[i].topic == topic && strcmp(gate.told[i].key, number) == 0 && which-- == 0)
            return &gate.told[i];
    fail_msg("%s was told nothing", number);
    return NULL;
}

static void alerts(void **state)
{
    (void)state;
    one_traced("YT1", "DAMAGED", T0, first);
    one_traced("YT2", "DAMAGED", T0, none);
    one_traced("YT3", "LABEL", T0, first);
    one_traced("YT3", "PICKUP", T0 + 30 * HOURS, second); /* time has opened what it resolves */
    pass_ms(1000);
    assert_string_equal(told_of(TOPIC_ALERTS, "YT1", 0)->trace, "00-1");
    assert_string_equal(told_of(TOPIC_ALERTS, "YT2", 0)->trace, "");
    assert_string_equal(told_of(TOPIC_ALERTS, "YT3", 0)->trace, "");
    assert_string_equal(told_of(TOPIC_ALERTS, "YT3", 1)->trace, "00-2");
    asked_for = 0;
    one_traced("YT2", "SORT", T0 + 31 * HOURS, first);   /* tells nothing: nobody asks */
    assert_int_equal(asked_for, 0);
}

static void estimates(void **state)
{
    (void)state;
    one_traced("YT1", "PICKUP", T0, first);
    one_traced("YT1", "DELIVERED", T0 + 10 * HOURS, second);
    assert_string_equal(told_of(TOPIC_ETAS, "YT1", 0)->trace, "00-2");
    one_traced("YT2", "PICKUP", T0 + 10 * HOURS, first);
    assert_string_equal(told_of(TOPIC_ETAS, "YT2", 0)->trace, "00-1");

    begin(1, PASSAGE_PULSE)->high = 100;   /* behind: estimates wait, the newest of a parcel */
    emit();
    gate.told_count = 0;
    one_traced("YT2", "OUT_FOR_DELIVERY", T0 + 11 * HOURS, first);
    one_traced("YT2", "DELIVERED", T0 + 12 * HOURS, second);
    one_traced("YT3", "PICKUP", T0 + 12 * HOURS, none);
    assert_int_equal(gate.told_count, 0);
    pass_ms(1000);
    assert_true(strstr(told_of(TOPIC_ETAS, "YT2", 0)->value, "\"arrived\"") != NULL);
    assert_string_equal(told_of(TOPIC_ETAS, "YT2", 0)->trace, "00-2");
    assert_string_equal(told_of(TOPIC_ETAS, "YT3", 0)->trace, "");
}

/* Those that go on, as many as there is room for; a long one keeps no short one out. */
static void which(void **state)
{
    static char long_value[TRACE_BYTES_MAX];
    const char *const message[] = {
        "tracestate", "other", "peakload-", "", "peakload-long", long_value, "peakload-intended",
        "123", "peakloads", "no", "peakload-null", NULL, "traceparent", "00-1",
        "peakload-fifth", "x", NULL};
    static const char *const wanted[] = {"peakload-", "", "peakload-intended", "123",
                                         "peakload-null", "", "traceparent", "00-1"};
    struct trace trace;
    uint32_t count = 0;

    (void)state;
    ports.message_header = header_of;
    memset(long_value, 'x', sizeof long_value - 1);
    trace_read(&trace, message);
    for (const char *at = trace.bytes; at < trace.bytes + trace.length; count++) {
        struct trace_header header;

        at = trace_next(at, &header);
        assert_string_equal(header.name, wanted[2 * count]);
        assert_int_equal(header.length, strlen(wanted[2 * count + 1]));
        assert_memory_equal(header.value, wanted[2 * count + 1], header.length);
    }
    assert_int_equal(count, TRACE_HEADERS_MAX);
    trace_read(&trace, NULL);
    assert_int_equal(trace.length, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(alerts, setup_behind, teardown),
        cmocka_unit_test_setup_teardown(estimates, setup_behind, teardown),
        cmocka_unit_test(which),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
