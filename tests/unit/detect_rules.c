/* detect_rules.c - the table of detectors, and its settings. */
#include "stages/detect/rules.h"
#include "tests/unit/detect_sequences.h"

static struct config *configured(const char *const *settings)
{
    size_t count = 0;
    const struct config_row *rows = detect_rows(&count);
    struct config *config = config_create(rows, count);

    for (; *settings != NULL; settings++)
        assert_int_equal(config_set(config, *settings), 0);
    assert_int_equal(config_finish(config), 0);
    return config;
}

static void every_detector_is_whole(void **state)
{
    (void)state;
    for (uint8_t id = 0; id < DETECTORS; id++) {
        const struct detector *d = detector_table[id];

        assert_non_null(d);
        assert_ptr_equal(detector_find(d->type), d);
        assert_int_equal(detector_id(d), id);
        assert_non_null(d->summary);
        assert_non_null(d->action);
        assert_non_null(d->unit);
        assert_non_null(d->sentences[0]);
        assert_non_null(d->on_scan);
        assert_int_equal(d->deadline_s != NULL, d->on_deadline != NULL);
        assert_int_equal(d->states != 0, d->deadline_s != NULL);
        assert_true((d->codes | d->codes_open) != 0);
        assert_int_equal(strspn(d->type, "abcdefghijklmnopqrstuvwxyz-"), strlen(d->type));
        assert_true(strlen(owner_name((enum alert_owner)d->owner)) > 0);
    }
    assert_null(detector_table[DETECTORS]);
    assert_null(detector_find("no-such-type"));
}

/* Ids are stored in records. */
static void ids_never_move(void **state)
{
    static const char *const types[] = {
        "never-collected", "stalled", "misrouted", "looped", "customs-held", "delivery-failed",
        "uncollected", "promise-at-risk", "promise-broken", "lost", "damaged", "refused",
        "bad-address", "returning", "weight-mismatch", "number-reused", "clock-skew",
        "out-of-order", "doubtful-delivery", "impossible-travel",
        "missed-departure", "documents-missing"};

    (void)state;
    for (uint8_t id = 0; id < sizeof types / sizeof types[0]; id++)
        assert_string_equal(detector_table[id]->type, types[id]);
}

static void physical_codes_are_those_of_the_table(void **state)
{
    (void)state;
    for (int code = 0; code < SCAN_CODES; code++)
        assert_int_equal(ON_PHYSICAL >> code & 1, code_table[code].physical);
}

/* Every sentence's places are known: a misspelt one CHECKs. */
static void every_sentence_can_be_said(void **state)
{
    struct names *names = names_create();
    struct parcel parcel = {.number = "P1", .number_length = 2, .state_s = T0};
    char          text[256];

    (void)state;
    for (uint8_t id = 0; id < DETECTORS; id++)
        for (uint8_t s = 0; s < SENTENCES_MAX && detector_table[id]->sentences[s] != NULL; s++) {
            struct alert a = {.type = id, .sentence = s, .value = 100000, .at_s = T0 + 61};
            size_t length = alert_sentence(&a, &parcel, names, text, sizeof text);

            assert_in_range(length, 20, sizeof text - 2);
            assert_null(strchr(text, '{'));
            assert_int_equal(alert_sentence(&a, &parcel, names, text, 10), 9);
        }
    names_destroy(names);
}

static int64_t threshold(const struct rules *rules, const char *service,
                         enum detector_number id, int i)
{
    const int64_t *thresholds = rules_thresholds(rules_of(rules, service), (uint8_t)id);

    assert_non_null(thresholds);
    return thresholds[i];
}

static void defaults_hold_for_all(void **state)
{
    const char *none[] = {NULL};
    struct config *config = configured(none);
    struct rules *rules = rules_create(config, NEEDS_REFERENCE);

    (void)state;
    for (uint8_t id = 0; id < DETECTORS; id++)
        for (int i = 0; i < THRESHOLDS_MAX && detector_table[id]->thresholds[i].name; i++)
            assert_int_equal(threshold(rules, "whoever", (enum detector_number)id, i),
                             detector_table[id]->thresholds[i].fallback);
    assert_ptr_equal(rules_of(rules, "whoever"), rules_of(rules, ""));
    rules_destroy(rules);
    config_destroy(config);
}

static void services_inherit_what_is_not_given(void **state)
{
    const char *settings[] = {"detectors.stalled.domestic_max=48h",
                              "detectors.delivery-failed.critical_at=4",
                              "services.express.detectors.stalled.domestic_max=24h",
                              "services.economy.detectors.stalled.enabled=false",
                              "services.express.detectors.lost.enabled=true",
                              "detectors.lost.enabled=false", NULL};
    struct config *config = configured(settings);
    struct rules *rules = rules_create(config, NEEDS_REFERENCE);

    (void)state;
    assert_int_equal(threshold(rules, "", DETECTOR_STALLED, 1), 48 * HOUR);
    assert_int_equal(threshold(rules, "express", DETECTOR_STALLED, 1), 24 * HOUR);
    assert_int_equal(threshold(rules, "express", DETECTOR_STALLED, 0), 12 * HOUR);
    assert_int_equal(threshold(rules, "express", DETECTOR_DELIVERY_FAILED, 1), 4);
    assert_null(rules_thresholds(rules_of(rules, "economy"), DETECTOR_STALLED));
    assert_null(rules_thresholds(rules_of(rules, ""), DETECTOR_LOST));
    assert_non_null(rules_thresholds(rules_of(rules, "express"), DETECTOR_LOST));
    assert_int_equal(rules_of(rules, "economy")->by_state[STATE_IN_TRANSIT] >> DETECTOR_STALLED
                     & 1, 0);
    rules_destroy(rules);
    config_destroy(config);
}

static void mistakes_are_named(void **state)
{
    const char *too_long[] = {"services.a-name-beyond-sixteen.detectors.lost.enabled=false", NULL};
    struct config *config = configured(too_long);
    size_t count = 0;
    const struct config_row *rows = detect_rows(&count);

    (void)state;
    assert_null(rules_create(config, NEEDS_REFERENCE));
    assert_non_null(strstr(error_text(), "a-name-beyond-sixteen"));
    config_destroy(config);
    config = config_create(rows, count);
    assert_int_equal(config_set(config, "detectors.stalled.domestic_max=0s"), -1);
    assert_int_equal(config_set(config, "detectors.stalled.domestic_max=soon"), -1);
    assert_int_equal(config_set(config, "detectors.delivery-failed.warning_at=0"), -1);
    assert_int_equal(config_set(config, "detectors.stolen.enabled=true"), -1);
    config_destroy(config);
    error_clear();
}

static void switched_off_says_nothing(void **state)
{
    static const char *const settings[] = {"detectors.stalled.enabled=false",
                                           "detectors.damaged.enabled=false", NULL};
    static struct world w;

    (void)state;
    world_open(&w, settings, "");
    SCAN(&w, SCAN_DAMAGED, T0, "HGH");
    SCAN(&w, SCAN_DEPART, T0 + 60, "HGH", "PVG");
    world_clock(&w, T0 + 9 * DAY);
    expect_quiet(&w);
    /* a deadline stored before it was switched off */
    w.parcel.deadlines[w.parcel.deadlines_count++] =
        (struct deadline) {DETECTOR_STALLED, T0 + 9 * DAY};
    world_clock(&w, T0 + 9 * DAY + 1);
    expect_quiet(&w);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_detector_is_whole),
        cmocka_unit_test(ids_never_move),
        cmocka_unit_test(physical_codes_are_those_of_the_table),
        cmocka_unit_test(every_sentence_can_be_said),
        cmocka_unit_test(defaults_hold_for_all),
        cmocka_unit_test(services_inherit_what_is_not_given),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(switched_off_says_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
