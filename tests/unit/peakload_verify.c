/* What was told against what happened: each planted mistake shows in its count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/peakload/thresholds.h"
#include "bench/peakload/verify_score.h"

static const char truth[] =
    "{\"type\":\"never-collected\",\"parcel\":\"A\",\"cause\":\"x\",\"start\":"
    "\"2026-11-02T00:00:00+00:00\",\"end\":\"2026-11-04T00:00:00+00:00\",\"amount\":172800}\n"
    "{\"type\":\"never-collected\",\"parcel\":\"B\",\"cause\":\"x\",\"start\":"
    "\"2026-11-02T00:00:00+00:00\",\"end\":null,\"amount\":100000}\n"
    "{\"type\":\"never-collected\",\"parcel\":\"C\",\"cause\":\"x\",\"start\":"
    "\"2026-11-02T00:00:00+00:00\",\"end\":\"2026-11-02T20:00:00+00:00\",\"amount\":72000}\n"
    "{\"type\":\"looped\",\"parcel\":\"A\",\"cause\":\"x\",\"start\":"
    "\"2026-11-02T00:00:00+00:00\",\"end\":null,\"may\":true}\n"
    "{\"confuser\":\"weekend\",\"parcel\":\"D\"}\n"
    "{\"late\":\"x\",\"parcel\":\"E\",\"promise\":\"2026-11-09T00:00:00+00:00\",\"arrival\":"
    "\"2026-11-10T00:00:00+00:00\",\"began\":\"2026-11-03T00:00:00+00:00\"}\n"
    "{\"tally\":{\"parcels\":5,\"scans\":50,\"repeats\":3,\"near\":1,\"caused\":3,"
    "\"confused\":1}}\n";

static int read_text(struct truth_table *t, const char *text)
{
    char file[] = "/tmp/peakload-verify-XXXXXX";
    int  fd = mkstemp(file), result;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    truth_table_make(t);
    result = truth_table_read(t, file);
    unlink(file);
    return result;
}

static struct entry *tell(struct truth_table *t, const char *parcel, const char *type)
{
    struct entry *e = truth_table_entry(t, parcel, strlen(parcel),
                                        truth_table_type(t, type, strlen(type)));

    e->told = true;
    return e;
}

static struct score score_of(const struct truth_table *t, const char *type)
{
    static struct score score[TYPES_MAX];

    score_types(t, score);
    for (int i = 0; i < t->types; i++)
        if (strcmp(t->type[i], type) == 0)
            return score[i];
    fail_msg("no type %s", type);
    return score[0];
}

static void found_missed_and_told_for_nothing(void **state)
{
    struct truth_table t;
    struct score s;

    (void)state;
    assert_int_equal(read_text(&t, truth), 0);
    assert_int_equal(t.tally.repeats, 3);
    tell(&t, "A", "never-collected")->told_s = 1793577600 + 86400 + 60;
    s = score_of(&t, "never-collected");
    assert_int_equal(s.planted, 2);
    assert_int_equal(s.found, 1);
    assert_int_equal(s.missed, 1);
    assert_int_equal(s.told_for_nothing, 0);
    assert_int_equal(s.delay_s, 60);
    assert_int_equal(s.band_planted[BAND_BELOW], 1);
    tell(&t, "C", "never-collected");     /* below its threshold */
    tell(&t, "D", "never-collected");     /* never happened      */
    tell(&t, "A", "looped");              /* may be told         */
    tell(&t, "A", "never-collected")->open = true;
    s = score_of(&t, "never-collected");
    assert_int_equal(s.told_for_nothing, 2);
    assert_int_equal(s.unresolved, 1);
    assert_int_equal(score_of(&t, "looped").told_for_nothing, 0);
    truth_table_free(&t);
}

static void limits_fail_what_is_below_them(void **state)
{
    const struct limits_of_score limits = {0.99, 0.95, 0.9, true};
    struct truth_table t;
    struct score s = {.planted = 100, .found = 96, .missed = 4};
    int deterministic, learned;

    (void)state;
    assert_int_equal(read_text(&t, truth), 0);
    deterministic = truth_table_type(&t, "looped", 6);
    learned = truth_table_type(&t, "stalled", 7);
    assert_false(score_passes(&t, deterministic, &s, &limits));
    assert_true(score_passes(&t, learned, &s, &limits));
    s.told_for_nothing = 10;
    assert_false(score_passes(&t, learned, &s, &limits));
    s = (struct score) {.planted = 1, .found = 1, .unresolved = 1};
    assert_false(score_passes(&t, learned, &s, &limits));
    truth_table_free(&t);
}

static void a_forecast_is_judged_by_what_came_late(void **state)
{
    const struct limits_of_score limits = {0.99, 0.95, 0.9, true};
    struct truth_table t;
    struct forecast f;
    struct entry *e;

    (void)state;
    assert_int_equal(read_text(&t, truth), 0);
    f = score_forecast(&t);
    assert_int_equal(f.late, 1);
    assert_int_equal(f.foreseen, 0);
    assert_false(forecast_passes(&f, &limits));
    e = tell(&t, "E", "promise-at-risk");
    e->warning = true;
    e->told_s = 1794182400 - 13 * 3600;   /* the promise is 2026-11-09 */
    f = score_forecast(&t);
    assert_int_equal(f.foreseen, 1);
    assert_int_equal(f.warned_late, 1);
    assert_true(forecast_passes(&f, &limits));
    tell(&t, "F", "promise-at-risk")->warning = true;
    tell(&t, "G", "promise-at-risk")->warning = true;
    f = score_forecast(&t);
    assert_false(forecast_passes(&f, &limits));   /* one in three, where half was said */
    truth_table_free(&t);
}

static void thresholds_are_those_of_the_documents(void **state)
{
    struct happening h = {.amount = 13 * 3600, .usual = 3600};

    (void)state;
    assert_true(thresholds_measure("stalled", &h).magnitude > 1);
    h.border = true;
    assert_true(thresholds_measure("stalled", &h).magnitude < 1);
    h = (struct happening) {.amount = 13 * 3600, .usual = 20 * 3600};
    assert_true(thresholds_measure("stalled", &h).magnitude < 1);
    h = (struct happening) {.amount = 120, .of = 1000};
    assert_true(thresholds_measure("weight-mismatch", &h).magnitude > 1);
    h.amount = 90;
    assert_true(thresholds_measure("weight-mismatch", &h).magnitude < 1);
    h = (struct happening) {.amount = 900000, .of = 3600};
    assert_true(thresholds_measure("impossible-travel", &h).magnitude > 5);
    assert_int_equal(thresholds_take(NULL, "clock-skew=1000"), 0);
    h = (struct happening) {.amount = 500};
    assert_true(thresholds_measure("clock-skew", &h).magnitude < 1);
    assert_int_equal(thresholds_take(NULL, "damaged=10"), -1);
    assert_int_equal(thresholds_take(NULL, "stalled=soon"), -1);
}

static void what_is_no_truth_is_refused(void **state)
{
    static const char *const texts[] = {"nonsense\n", "{\"parcel\":\"A\"}\n",
                                        "{\"type\":\"looped\"}\n",
                                        "{\"confuser\":\"weekend\",\"parcel\":\"D\"}\n"};
    struct truth_table t;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(read_text(&t, texts[i]), -1);
        truth_table_free(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(found_missed_and_told_for_nothing),
        cmocka_unit_test(limits_fail_what_is_below_them),
        cmocka_unit_test(a_forecast_is_judged_by_what_came_late),
        cmocka_unit_test(thresholds_are_those_of_the_documents),
        cmocka_unit_test(what_is_no_truth_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
