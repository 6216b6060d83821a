/* A minute's counts, beside a list that is searched from end to end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/error.h"
#include "stages/activity/counts.h"

enum { PLACES = 40, CARRIERS = 5, EVENTS = 20000, SUBJECTS_MAX = 500, T0 = 1731312000 };

struct world {
    struct counts *counts;
    struct names  *names;
    name_id        places[PLACES], carriers[CARRIERS];
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    char text[16];

    w->counts = counts_create(SUBJECTS_MAX);
    w->names = names_create();
    for (int i = 0; i < PLACES; i++)
        w->places[i] = names_intern(w->names, NAME_PLACE, text,
                                    (size_t)snprintf(text, sizeof text, "P%d", i));
    for (int i = 0; i < CARRIERS; i++)
        w->carriers[i] = names_intern(w->names, NAME_PLACE, text,
                                      (size_t)snprintf(text, sizeof text, "C%d", i));
    counts_begin(w->counts, T0 / 60);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    counts_destroy(w->counts);
    names_destroy(w->names);
    free(w);
    return 0;
}

static const struct tally *row_of(const struct world *w, const char *subject)
{
    const struct tally *row, *found = NULL;
    char text[SUBJECT_TEXT_MAX];

    for (uint32_t i = 0; (row = counts_at(w->counts, i)) != NULL; i++) {
        size_t length = counts_subject(w->counts, w->names, row, text);

        if (length != strlen(subject) || memcmp(text, subject, length) != 0)
            continue;
        assert_int_equal(row->home, parcel_home(text, length));
        assert_null(found);   /* each subject has one row */
        found = row;
    }
    return found;
}

static struct counted event(const struct world *w, struct scan *scan, enum scan_code code,
                            int here)
{
    *scan = (struct scan){.code = (uint8_t)code, .time_ms = T0 * 1000LL, .bytes = "K7"};
    return (struct counted){.scan = scan, .here = here < 0 ? NAME_NONE : w->places[here]};
}

/* ── What is counted ──────────────────────────────────────────────────────── */

static void of_each_subject(void **state)
{
    const struct world *w = *state;
    struct scan scan;
    struct counted e = event(w, &scan, SCAN_ARRIVE, 1);

    e.carrier = w->carriers[0];
    e.origin = w->places[2];
    e.dest = w->places[3];
    e.is_at = w->places[1];
    counts_scan(w->counts, w->names, &e);
    assert_null(row_of(w, "lane:P2>P3"));   /* neither an arrival nor an exception */
    const struct tally *row = row_of(w, "facility:P1");

    assert_true(row->events == 1 && row->in == 1 && row->out == 0 && row->on_hand == 1);
    e.was_at = w->places[1];
    e.is_at = NAME_NONE;
    scan.code = SCAN_DEPART;
    counts_scan(w->counts, w->names, &e);
    row = row_of(w, "facility:P1");
    assert_true(row->events == 2 && row->in == 1 && row->out == 1 && row->on_hand == 0);
    e.was_at = NAME_NONE;
    scan.code = SCAN_BAD_ADDRESS;
    e.here = w->places[3];
    counts_scan(w->counts, w->names, &e);
    scan.code = SCAN_DELIVERED;
    scan.courier.length = 2;
    e.arrived = true;
    counts_scan(w->counts, w->names, &e);
    row = row_of(w, "lane:P2>P3");
    assert_true(row->events == 2 && row->out == 1 && row->exceptions == 1);
    row = row_of(w, "carrier:C0");
    assert_true(row->events == 4 && row->out == 1 && row->exceptions == 1 && row->on_hand == 0);
    row = row_of(w, "facility:P3");
    assert_true(row->events == 2 && row->exceptions == 1 && row->out == 0);
    row = row_of(w, "courier:K7");
    assert_true(row->events == 1 && row->a == T0 && row->b == w->places[3]);
    assert_memory_equal(counts_courier(w->counts, row), "K7", 2);
}

/* A delivery is told apart by courier, second, facility and position. */
static void deliveries(void **state)
{
    const struct world *w = *state;
    struct scan scan;
    struct counted e = event(w, &scan, SCAN_DELIVERED, 1);
    uint32_t before, after;

    scan.courier.length = 2;
    for (before = 0; counts_at(w->counts, before) != NULL; before++)
        ;
    for (int i = 0; i < 2; i++) {
        counts_scan(w->counts, w->names, &e);
        scan.flags = SCAN_HAS_POSITION;
        scan.lat = 31.2304f;
        scan.lon = -121.4737f;
        counts_scan(w->counts, w->names, &e);
        scan.lon = 121.4737f;
        counts_scan(w->counts, w->names, &e);
        scan.time_ms += 1000;
        counts_scan(w->counts, w->names, &e);
        scan.bytes = "K8";
        counts_scan(w->counts, w->names, &e);
        scan = (struct scan){.code = SCAN_DELIVERED, .time_ms = T0 * 1000LL, .bytes = "K7",
                             .courier.length = 2};
    }
    for (after = 0; counts_at(w->counts, after) != NULL; after++) {
        const struct tally *row = counts_at(w->counts, after);

        assert_true(row->kind != SUBJECT_COURIER || row->events == 2);
    }
    assert_int_equal(after - before, 1 + 5);   /* the facility, and five deliveries */
}

/* Where a parcel is on hand: at the place of a scan that leaves it there. */
static void places(void **state)
{
    struct parcel parcel = {.life = 1, .at = 7, .code = SCAN_ARRIVE, .state = STATE_IN_TRANSIT};

    (void)state;
    assert_int_equal(counts_place(&parcel), 7);
    parcel.code = SCAN_DEPART;
    assert_int_equal(counts_place(&parcel), NAME_NONE);
    parcel.code = SCAN_STATION_IN;
    assert_int_equal(counts_place(&parcel), NAME_NONE);
    parcel.code = SCAN_IMPORT_HELD;
    assert_int_equal(counts_place(&parcel), 7);
    parcel.state = STATE_LOST;
    assert_int_equal(counts_place(&parcel), NAME_NONE);
    parcel = (struct parcel){.code = SCAN_ARRIVE, .at = 7};   /* none */
    assert_int_equal(counts_place(&parcel), NAME_NONE);
}

/* Beyond the limit a new subject is refused, and those that are known go on. */
static void too_many(void **state)
{
    struct world *w = *state;
    struct scan scan;
    struct counted e = event(w, &scan, SCAN_DELIVERED, 1);
    uint32_t i;

    scan.courier.length = 2;
    for (i = 0; i < SUBJECTS_MAX + 10; i++, scan.time_ms += 1000)
        counts_scan(w->counts, w->names, &e);
    assert_int_equal(counts_refused(w->counts), 11);   /* the facility is a subject, too */
    assert_int_equal(row_of(w, "facility:P1")->events, i);
    assert_null(counts_at(w->counts, SUBJECTS_MAX));
    assert_non_null(counts_at(w->counts, SUBJECTS_MAX - 1));
    assert_true(counts_bytes_max(SUBJECTS_MAX) >= SUBJECTS_MAX * sizeof(struct tally));
    counts_begin(w->counts, T0 / 60 + 1);
    assert_int_equal(counts_refused(w->counts), 0);
    counts_scan(w->counts, w->names, &e);
    assert_int_equal(counts_refused(w->counts), 0);
}

/* ── A whole minute, beside a list ────────────────────────────────────────── */

struct model { uint32_t events, in, out, exceptions; int32_t on_hand; };

static void matches(const struct world *w, const char *before, const struct model *model,
                    uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        char subject[32];

        (void)snprintf(subject, sizeof subject, "%s%u", before, i);
        const struct tally *row = row_of(w, subject);

        if (row == NULL) {
            assert_true(model[i].events == 0 && model[i].on_hand == 0);
            continue;
        }
        assert_int_equal(row->events, model[i].events);
        assert_int_equal(row->in, model[i].in);
        assert_int_equal(row->out, model[i].out);
        assert_int_equal(row->exceptions, model[i].exceptions);
        assert_int_equal(row->on_hand, model[i].on_hand);
    }
}

/* What was packed so far, some of it more than once and in another order, gives the minute. */
struct parts { uint8_t bytes[64][64 * TALLY_BYTES_MAX]; size_t length[64]; uint32_t count; };

static void pack(const struct world *w, struct parts *parts)
{
    uint8_t *at = parts->bytes[parts->count];

    assert_true(parts->count < 64);
    for (uint32_t i = 0; i < counts_dirty(w->counts); i++)
        at += counts_pack(w->counts, i, at);
    parts->length[parts->count] = (size_t)(at - parts->bytes[parts->count]);
    parts->count++;
    counts_clean(w->counts);
    assert_int_equal(counts_dirty(w->counts), 0);
}

static void against_a_list(void **state)
{
    struct world *w = *state;
    static struct model places_of[PLACES], carriers_of[CARRIERS];
    static struct parts parts;
    struct scan scan;

    srand(7);
    for (int i = 0; i < EVENTS; i++) {
        int here = rand() % PLACES, carrier = rand() % CARRIERS, was = rand() % PLACES;
        bool wrong = rand() % 10 == 0, moves = rand() % 3 == 0;
        struct counted e = event(w, &scan, wrong ? SCAN_DAMAGED : SCAN_SORT, here);

        e.carrier = w->carriers[carrier];
        places_of[here].events++;
        places_of[here].exceptions += wrong;
        carriers_of[carrier].events++;
        carriers_of[carrier].exceptions += wrong;
        if (moves && was != here) {
            e.was_at = w->places[was];
            e.is_at = w->places[here];
            places_of[was].out++;
            places_of[was].on_hand--;
            places_of[here].in++;
            places_of[here].on_hand++;
        }
        counts_scan(w->counts, w->names, &e);
        if (i % 400 == 399)
            pack(w, &parts);
    }
    matches(w, "facility:P", places_of, PLACES);
    matches(w, "carrier:C", carriers_of, CARRIERS);

    counts_destroy(w->counts);   /* another process takes it on, from what was packed */
    w->counts = counts_create(SUBJECTS_MAX);
    counts_begin(w->counts, T0 / 60);
    for (int i = 0; i < PLACES; i++)
        counts_hold(w->counts, w->names, w->places[i], places_of[i].on_hand);
    for (uint32_t i = 0; i < 2 * parts.count; i++) {
        uint32_t k = i * 7 % parts.count;

        assert_int_equal(counts_restore(w->counts, w->names, parts.bytes[k], parts.length[k]), 0);
    }
    matches(w, "facility:P", places_of, PLACES);
    matches(w, "carrier:C", carriers_of, CARRIERS);

    counts_begin(w->counts, T0 / 60 + 1);   /* but what is on hand, all begins at 0 */
    for (int i = 0; i < PLACES; i++)
        places_of[i] = (struct model){.on_hand = places_of[i].on_hand};
    memset(carriers_of, 0, sizeof carriers_of);
    matches(w, "facility:P", places_of, PLACES);
    matches(w, "carrier:C", carriers_of, CARRIERS);
    assert_int_equal(counts_dirty(w->counts), 0);
}

static void couriers_come_back(void **state)
{
    struct world *w = *state;
    struct scan scan;
    struct counted e = event(w, &scan, SCAN_DELIVERED, -1);
    uint8_t bytes[TALLY_BYTES_MAX];

    scan.courier.length = 2;
    scan.flags = SCAN_HAS_POSITION;
    scan.lat = -33.5f;
    scan.lon = 18.25f;
    counts_scan(w->counts, w->names, &e);
    assert_int_equal(counts_dirty(w->counts), 1);
    size_t length = counts_pack(w->counts, 0, bytes);

    counts_begin(w->counts, T0 / 60 + 1);
    assert_null(row_of(w, "courier:K7"));   /* of its minute only */
    assert_int_equal(counts_restore(w->counts, w->names, bytes, length), 0);
    const struct tally *row = row_of(w, "courier:K7");

    assert_true(row->events == 1 && row->a == T0 && row->lat_e4 == -335000 &&
                row->lon_e4 == 182500);
}

/* What is no packed count is named; nothing is read beyond it. */
static void no_counts(void **state)
{
    struct world *w = *state;
    struct scan scan;
    struct counted e = event(w, &scan, SCAN_DELIVERED, -1);
    uint8_t bytes[TALLY_BYTES_MAX];

    scan.courier.length = 2;
    counts_scan(w->counts, w->names, &e);
    size_t length = counts_pack(w->counts, 0, bytes);

    for (size_t cut = 1; cut < length; cut++) {
        uint8_t *exact = malloc(cut);

        memcpy(exact, bytes, cut);
        assert_int_equal(counts_restore(w->counts, w->names, exact, cut), -1);
        assert_non_null(strstr(error_text(), "format 1"));
        error_clear();
        free(exact);
    }
    bytes[0] = 2;
    assert_int_equal(counts_restore(w->counts, w->names, bytes, length), -1);
    bytes[0] = 1;
    bytes[1] = SUBJECTS;
    assert_int_equal(counts_restore(w->counts, w->names, bytes, length), -1);
    error_clear();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(of_each_subject), TEST(deliveries), TEST(places), TEST(too_many), TEST(against_a_list),
        TEST(couriers_come_back), TEST(no_counts),
    };

    return cmocka_run_group_tests_name("activity_counts", tests, NULL, NULL);
}
