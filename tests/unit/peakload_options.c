/* Options from a table, and limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/peakload/limits.h"
#include "bench/peakload/options.h"

struct target {
    bool    flag;
    const char *text, *short_text;
    int64_t whole, ms;
    double  real;
    int     calls;
};

static int take_call(void *self, const char *text)
{
    ((struct target *)self)->calls++;
    return strcmp(text, "no") == 0 ? -1 : 0;
}

#define AT(field) offsetof(struct target, field)

static const struct option_row rows[] = {
    {OPTION_HEADING, "All kinds:", NULL, NULL, 0, 0, 0, NULL},
    {OPTION_FLAG, "flag", NULL, "a flag", AT(flag), 0, 0, NULL},
    {OPTION_TEXT, "text", "TEXT", "a text", AT(text), 0, 0, NULL},
    {OPTION_TEXT, "x", "TEXT", "a letter", AT(short_text), 0, 0, NULL},
    {OPTION_INTEGER, "whole", "N", "a number", AT(whole), -3, 7, NULL},
    {OPTION_REAL, "real", "X", "another", AT(real), 0, 1, NULL},
    {OPTION_DURATION, "for", "TIME", "a duration", AT(ms), 0, 0, NULL},
    {OPTION_OTHER, "call", "WORD", "a call", 0, 0, 0, take_call},
};

static int read_words(struct target *t, int *operand, char **words)
{
    struct command c = {"test", "", "", 0, 1, {{t, OPTION_ROWS(rows)}}};
    int count = 0;

    *t = (struct target) {0};
    while (words[count] != NULL)
        count++;
    return options_read(&c, count, words, operand);
}

#define READ(t, operand, ...) \
    read_words(t, operand, (char *[]) {"test", __VA_ARGS__, NULL})

static void takes_all_kinds(void **state)
{
    struct target t;
    int operand;

    (void)state;
    assert_int_equal(READ(&t, &operand, "--flag", "--text=a", "-x", "b", "--whole", "-3", "--real",
                          "0.5", "--for", "2m", "--call", "yes", "FILE"), 0);
    assert_true(t.flag);
    assert_string_equal(t.text, "a");
    assert_string_equal(t.short_text, "b");
    assert_int_equal(t.whole, -3);
    assert_int_equal(t.ms, 120000);
    assert_true(t.real > 0.49 && t.real < 0.51);
    assert_int_equal(t.calls, 1);
    assert_int_equal(operand, 13);
}

static void refuses(void **state)
{
    struct target t;
    int operand;

    (void)state;
    assert_int_equal(READ(&t, &operand, "--whole", "8"), -1);
    assert_int_equal(READ(&t, &operand, "--whole", "1.5"), -1);
    assert_int_equal(READ(&t, &operand, "--real", "nan"), -1);
    assert_int_equal(READ(&t, &operand, "--for", "soon"), -1);
    assert_int_equal(READ(&t, &operand, "--call", "no"), -1);
    assert_int_equal(READ(&t, &operand, "--other"), -1);
    assert_int_equal(READ(&t, &operand, "one", "two"), -1);
}

static int judge(const char *limit, struct measured m)
{
    struct limits limits = {0};

    assert_int_equal(limits_take(&limits, limit), 0);
    return limits_check(&limits, &m);
}

static void limits(void **state)
{
    struct histogram *h = calloc(1, sizeof *h);
    struct measured m = {.lag = 1000, .slip = 0.02};

    (void)state;
    assert_non_null(h);
    for (int i = 1; i <= 100; i++)
        histogram_record(h, i * INT64_C(10000000));     /* 10 ms … 1 s */
    m.meter[METER_OUTPUTS] = h;
    assert_int_equal(judge("p50=510ms", m), 0);
    assert_int_equal(judge("p50=490ms", m), 1);
    assert_int_equal(judge("outputs.p99=1s", m), 0);
    assert_int_equal(judge("max=999ms", m), 1);
    assert_int_equal(judge("visible.p99=1s", m), 1);    /* nothing was measured */
    assert_int_equal(judge("lag=1000", m), 0);
    assert_int_equal(judge("lag=999", m), 1);
    assert_int_equal(judge("slip=2%", m), 0);
    assert_int_equal(judge("slip=0.019", m), 1);
    free(h);
}

static void limits_refused(void **state)
{
    static const char *const wrong[] = {"p99", "p99=", "p99=fast", "p0=1s", "p101=1s", "q99=1s",
                                        "lag=-1", "slip=1%%", "visible.=1s", "=1", "lag=5s"};
    struct limits l = {0};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(limits_take(&l, wrong[i]), -1);
    assert_int_equal(l.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_all_kinds), cmocka_unit_test(refuses), cmocka_unit_test(limits),
        cmocka_unit_test(limits_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
