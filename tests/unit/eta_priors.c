/* eta_priors.c - a file of cells: written, read, begun with; and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "pipeline/error.h"
#include "stages/eta/model_store.h"
#include "stages/eta/priors.h"

enum { T0 = 1483228800 /* 2017 */, NOW = 1793577600, DAY = 86400 };

static const double probabilities[3] = {0.1, 0.5, 0.9};
static char name[] = "/tmp/peakline-priors-XXXXXX";

static struct model *model_of(uint32_t half_life_s)
{
    return model_create(&(struct model_settings) {
        .cells_max = 256, .half_life_s = half_life_s, .shrink = 5});
}

static FILE *file_open(void)
{
    memcpy(name + sizeof name - 7, "XXXXXX", 6);
    int fd = mkstemp(name);

    assert_true(fd >= 0);
    return fdopen(fd, "w");
}

static void *text_read(const char *text)
{
    FILE *file = file_open();

    assert_true(fputs(text, file) >= 0);
    (void)fclose(file);
    struct priors *priors = priors_read(name);

    (void)unlink(name);
    return priors;
}

/* What was learned nine years ago is worth now what it was worth then, whatever the half-life;
 * newer samples then weigh more and more. */
static void begun_with(uint32_t half_life_s)
{
    struct model *old = model_of(60 * DAY), *m = model_of(half_life_s);
    struct model_key key = {1, 2, 3, 4};
    FILE *file = file_open();

    for (uint32_t i = 0; i < 400; i++)
        model_learn(old, MODEL_REMAINING, key, 5 * DAY, T0 + i * DAY / 4);
    double samples = model_ask(old, MODEL_REMAINING, key, 0, probabilities, T0 + 100 * DAY).samples;

    assert_int_equal(priors_write(old, T0 + 100 * DAY, file), 0);
    (void)fclose(file);
    struct priors *priors = priors_read(name);

    (void)unlink(name);
    assert_non_null(priors);
    priors_give(priors, m);
    assert_int_equal(model_cells(m), model_cells(old));
    assert_int_equal(model_changes(m).set, model_cells(m) + 1); /* and field m */
    struct quantiles q = model_ask(m, MODEL_REMAINING, key, 0, probabilities, NOW);

    if (q.level != 3 || fabs(q.samples - samples) > 0.05 * samples)
        fail_msg("level %u, %g samples of %g", q.level, q.samples, samples);
    assert_in_range(model_outlook(m, key, 0, NOW).p50_s, 4 * DAY, 6 * DAY);
    assert_true(model_age_s(m, NOW) > 365 * DAY);
    for (int i = 0; i < 2000; i++)
        model_learn(m, MODEL_REMAINING, key, 2 * DAY, NOW);
    assert_in_range(model_outlook(m, key, 0, NOW).p50_s, 1 * DAY, 3 * DAY);
    priors_destroy(priors);
    model_destroy(old);
    model_destroy(m);
}

static void another_model_begins_with_them(void **state)
{
    (void)state;
    begun_with(60 * DAY);
    begun_with(7 * DAY);
}

static void what_is_none_is_named(void **state)
{
    static const struct { const char *text, *says; } cases[] = {
        {"", ":1: not a file that"}, {"peakline-priors 2\n", ":1: not a file that"},
        {"peakline-priors 1\nm 0000000001000000\nx\n", ":3: accepted is"},
        {"peakline-priors 1\nm 000\n", ":2: accepted is"},
        {"peakline-priors 1\nm 0Z\n", ":2: accepted is"},
        {"peakline-priors 1\nm 00\n", ":2"},
        {"peakline-priors 1\nr1.0123456789abcd01 00\n", ":2"}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_null(text_read(cases[i].text));
        if (strstr(error_text(), cases[i].says) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", error_text(), cases[i].says);
        error_clear();
    }
    assert_null(priors_read("/nowhere/at-all"));
    assert_non_null(strstr(error_text(), "/nowhere/at-all: No such file"));
    error_clear();
    struct priors *none = text_read("peakline-priors 1\nm 0000000001000000\n");

    assert_non_null(none);
    priors_destroy(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_model_begins_with_them),
        cmocka_unit_test(what_is_none_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
