/* detect_rulebook.c - the current book: who holds an old one keeps it until it turns. */
#include <pthread.h>

#include "pipeline/check.h"
#include "stages/detect/rulebook.h"
#include "tests/unit/detect_sequences.h"

static const struct config_row extra[] = {
    {"reference.facilities", CONFIG_TEXT, "", 0, 0, NULL, "", false, false},
    {"reference.routes", CONFIG_TEXT, "", 0, 0, NULL, "", false, false},
    {"reference.departures", CONFIG_TEXT, "", 0, 0, NULL, "", false, false},
    {"reference.promises", CONFIG_TEXT, "", 0, 0, NULL, "", false, false},
    {"reference.calendars", CONFIG_TEXT, "", 0, 0, NULL, "", false, false},
};
enum { EXTRA = sizeof extra / sizeof extra[0] };

static struct config_row rows[512];

static struct config *configured(const char *setting)
{
    size_t count = 0;
    const struct config_row *detectors = detect_rows(&count);

    memcpy(rows, extra, sizeof extra);
    memcpy(rows + EXTRA, detectors, count * sizeof *detectors);
    struct config *config = config_create(rows, count + EXTRA);

    if (setting != NULL)
        assert_int_equal(config_set(config, setting), 0);
    assert_int_equal(config_finish(config), 0);
    return config;
}

static int64_t lost_after(const struct rulebook *book)
{
    return rules_thresholds(rules_of(book->rules, ""), DETECTOR_LOST)[0];
}

static void holders_turn_when_they_like(void **state)
{
    struct config *old = configured(NULL), *new = configured("detectors.lost.domestic=20d");
    const struct rulebook *one = rulebook_join(old), *two = rulebook_join(new);

    (void)state;
    assert_non_null(one);
    assert_ptr_equal(one, two); /* one process, one book */
    assert_false(rulebook_is_old(one));
    rulebook_publish(rulebook_create(new));
    assert_true(rulebook_is_old(one));
    one = rulebook_turn(one);
    assert_int_equal(lost_after(one), 20 * DAY);
    assert_int_equal(lost_after(two), 10 * DAY); /* kept for its holder */
    rulebook_publish(rulebook_create(old));      /* two steps at once */
    two = rulebook_turn(two);
    assert_int_equal(lost_after(two), 10 * DAY);
    assert_int_equal(lost_after(one), 20 * DAY);
    rulebook_publish(rulebook_create(new));
    rulebook_leave(rulebook_turn(two));          /* the current one's last holder leaves … */
    one = rulebook_turn(one);                    /* … and another still turns to it */
    assert_int_equal(lost_after(one), 20 * DAY);
    rulebook_leave(one);
    one = rulebook_join(new);                    /* all had left: made anew */
    assert_int_equal(lost_after(one), 20 * DAY);
    rulebook_leave(one);
    config_destroy(old);
    config_destroy(new);
}

/* ── Under way ───────────────────────────────────────────────────────────────────────── */

enum { WORKERS = 4, RELOADS = 300 };

static struct config *either[2];

/* A worker: between two batches it turns if another book is current. */
static void *work(void *self)
{
    const struct rulebook *book = rulebook_join(either[0]);
    size_t                 turns = 0;

    while (lost_after(book) != 99 * DAY) {
        CHECK(lost_after(book) == 10 * DAY || lost_after(book) == 20 * DAY);
        if (!rulebook_is_old(book))
            continue;
        book = rulebook_turn(book);
        turns++;
    }
    rulebook_leave(book);
    *(size_t *)self = turns;
    return NULL;
}

/* Whoever turns away from a book as the last one has no time to free it. */
static void retired_until_swept(void **state)
{
    struct config         *config = configured(NULL);
    const struct rulebook *one = rulebook_join(config), *other = rulebook_join(config);

    (void)state;
    rulebook_publish(rulebook_create(config));
    one = rulebook_turn(one);
    assert_int_equal(rulebook_sweep(), 0);   /* the other holds it still */
    other = rulebook_turn(other);
    assert_int_equal(rulebook_sweep(), 1);
    assert_int_equal(rulebook_sweep(), 0);
    rulebook_leave(one);
    rulebook_leave(other);
    config_destroy(config);
}

static void reloads_under_way(void **state)
{
    struct config *last = configured("detectors.lost.domestic=99d");
    pthread_t      threads[WORKERS];
    size_t         turns[WORKERS];

    (void)state;
    either[0] = configured(NULL);
    either[1] = configured("detectors.lost.domestic=20d");
    rulebook_publish(rulebook_create(either[0]));
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, &turns[i]), 0);
    for (int i = 0; i < RELOADS; i++)
        rulebook_publish(rulebook_create(either[i % 2]));
    rulebook_publish(rulebook_create(last));
    for (int i = 0; i < WORKERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_in_range(turns[i], 0, RELOADS + 1);
    }
    config_destroy(last);
    config_destroy(either[0]);
    config_destroy(either[1]);
}

static void what_lacks_its_reference_is_off(void **state)
{
    struct config *without = configured(NULL);
    struct config *with = configured("reference.routes=" PEAKLINE_SOURCE
                                     "/deploy/reference/routes.csv");
    struct rulebook *book = rulebook_create(without);

    (void)state;
    assert_null(rules_thresholds(rules_of(book->rules, ""), DETECTOR_DOCUMENTS_MISSING));
    assert_non_null(rules_thresholds(rules_of(book->rules, ""), DETECTOR_LOST));
    rulebook_destroy(book);
    book = rulebook_create(with);
    assert_non_null(rules_thresholds(rules_of(book->rules, ""), DETECTOR_DOCUMENTS_MISSING));
    rulebook_destroy(book);
    config_destroy(with);
    with = configured("reference.calendars=/nonexistent/calendars.csv");
    assert_null(rulebook_create(with));
    assert_non_null(strstr(error_text(), "/nonexistent/calendars.csv"));
    error_clear();
    config_destroy(with);
    config_destroy(without);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holders_turn_when_they_like),
        cmocka_unit_test(retired_until_swept),
        cmocka_unit_test(reloads_under_way),
        cmocka_unit_test(what_lacks_its_reference_is_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
