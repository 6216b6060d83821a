/* apply.c: what one scan makes of a parcel's record, and how long the record is kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "stages/apply.h"
#include "stages/parcel/history.h"
#include "stages/ports.h"
#include "stages/scan/format.h"

struct ports ports; /* the room of the real ones is above this one */

enum { T0 = 1731312000 };

static struct names *names;
static struct parcel parcel;
static char          text[512];

static int setup(void **state)
{
    (void)state;
    names = names_create();
    memset(&parcel, 0, sizeof parcel);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    names_destroy(names);
    return 0;
}

static struct scan scan_of(const char *code, const char *place, int at_s, const char *more)
{
    char time[TIME_TEXT];
    struct scan scan;

    (void)time_print((T0 + at_s) * 1000LL, time);
    int length = snprintf(text, sizeof text, "{\"parcel\":\"YT1\",\"code\":\"%s\",\"time\":"
                          "\"%.24s\",\"facility\":\"%s\"%s}", code, time, place, more);

    assert_true(length > 0 && (size_t)length < sizeof text);
    assert_int_equal(format_json.decode(text, (size_t)length, NULL, 0, (T0 + at_s) * 1000LL,
                                        NULL, &scan).reject, REJECT_NONE);
    return scan;
}

/* As track does it: classified, then applied. */
static bool put(const char *code, const char *place, int at_s, const char *more)
{
    struct scan scan = scan_of(code, place, at_s, more);
    struct noted noted = apply_note(names, &scan);
    struct classified class = dedup_classify(&parcel, &scan, noted.here);

    if (parcel.life == 0)
        apply_begin(&parcel, &scan, 1);
    assert_int_not_equal(class.class, CLASS_DUPLICATE);
    return apply_scan(&parcel, &scan, &class, &noted) & APPLIED_ARRIVED;
}

static name_id place(const char *name)
{
    return names_find(names, NAME_PLACE, name, strlen(name));
}

static void facts_are_kept_where_given(void **state)
{
    (void)state;
    (void)put("PICKUP", "HGH", 10, "");
    assert_int_equal(parcel.facts, 0);
    (void)put("ARRIVE", "PVG", 20, ",\"weight_g\":1200,\"declared_g\":900,\"lat\":31.1,"
              "\"lon\":121.8,\"dest_lat\":-1.5,\"dest_lon\":2.5,\"courier\":\"K7\"");
    assert_int_equal(parcel.facts, FACT_WEIGHT | FACT_DECLARED | FACT_TARGET | FACT_SPOT
                                   | FACT_COURIER);
    assert_true(parcel.courier_length == 2 && memcmp(parcel.courier, "K7", 2) == 0);
    assert_int_equal(parcel.weight_g, 1200);
    assert_int_equal(parcel.declared_g, 900);
    assert_true(parcel.target.lat < -1.4f && parcel.spot.lon > 121.7f);
    (void)put("SORT", "PVG", 15, ",\"weight_g\":1300,\"lat\":1,\"lon\":1,"
              "\"courier\":\"K8\""); /* late */
    assert_int_equal(parcel.weight_g, 1200);
    assert_true(parcel.spot.lat > 31 && parcel.courier[1] == '7');
    (void)put("DEPART", "PVG", 30, ""); /* where that was, only the facility says */
    assert_int_equal(parcel.facts, FACT_WEIGHT | FACT_DECLARED | FACT_TARGET | FACT_COURIER);
}

static void documents_are_named_once(void **state)
{
    static const char *const names_given[] = {"invoice", "cn23", "invoice", "a", "b", "c"};

    (void)state;
    for (int i = 0; i < 6; i++) {
        char more[48];

        (void)snprintf(more, sizeof more, ",\"reason\":\"%s\"", names_given[i]);
        (void)put("DECLARED", "HGH", 4000 * i, more);
    }
    (void)put("DECLARED", "HGH", 40000, "");
    assert_int_equal(parcel.facts, FACT_DOCUMENTS);
    assert_int_equal(parcel.documents_count, DOCUMENTS_MAX);
    assert_int_equal(parcel.documents[0], place("invoice"));
    assert_int_equal(parcel.documents[3], place("b"));
}

static void begins(void **state)
{
    struct scan scan = scan_of("LABEL", "HGH", 0, "");

    (void)state;
    memset(&parcel, 0xff, offsetof(struct parcel, history));
    apply_begin(&parcel, &scan, 7);
    assert_int_equal(parcel.life, 7);
    assert_true(parcel.number_length == 3 && memcmp(parcel.number, "YT1", 3) == 0);
    assert_true(parcel.history_count == 0 && parcel.alerts_count == 0 && parcel.flags == 0);
    assert_true(parcel.deadlines_count == 0 && parcel.unsent_count == 0);
    assert_true(parcel.state == STATE_UNKNOWN && parcel.promise_s == 0 && parcel.at == 0);
}

static void notes(void **state)
{
    struct scan scan = scan_of("DEPART", "HGH", 5,
                               ",\"next\":\"PVG\",\"origin\":\"CAN\",\"dest\":\"PVG\","
                               "\"carrier\":\"SF\",\"service\":\"express\",\"reason\":\"fog\"");
    struct noted n = apply_note(names, &scan);

    (void)state;
    assert_int_equal(n.at_s, T0 + 5);
    assert_string_equal(names_text(names, NAME_PLACE, n.here), "HGH");
    assert_string_equal(names_text(names, NAME_PLACE, n.next), "PVG");
    assert_string_equal(names_text(names, NAME_PLACE, n.origin), "CAN");
    assert_int_equal(n.dest, n.next);
    assert_string_equal(names_text(names, NAME_PLACE, n.carrier), "SF");
    assert_string_equal(names_text(names, NAME_PLACE, n.reason), "fog");
    assert_string_equal(names_text(names, NAME_SERVICE, n.service), "express");
    scan = scan_of("DEPART", "HGH", 5, "");
    n = apply_note(names, &scan);
    assert_true(n.next == NAME_NONE && n.carrier == NAME_NONE && n.service == 0);
}

static void moves(void **state)
{
    (void)state;
    assert_false(put("LABEL", "HGH", 0, ""));
    assert_int_equal(parcel.state, STATE_LABELLED);
    assert_int_equal(parcel.physical_s, 0);
    assert_false(put("PICKUP", "HGH", 60, ""));
    assert_int_equal(parcel.state, STATE_COLLECTED);
    assert_int_equal(parcel.code, SCAN_PICKUP);
    assert_true(parcel.state_s == T0 + 60 && parcel.physical_s == T0 + 60);
    assert_false(put("INFO", "CAN", 90, ""));          /* leaves the state, names a place */
    assert_true(parcel.state == STATE_COLLECTED && parcel.state_s == T0 + 60);
    assert_int_equal(parcel.at, place("CAN"));
    assert_int_equal(parcel.physical_s, T0 + 60);
    assert_int_equal(parcel.history_count, 3);
    assert_true(put("STATION_IN", "PVG", 100, ""));    /* the first arrival */
    assert_true(parcel.flags & PARCEL_ARRIVED);
    assert_false(put("DELIVERED", "PVG", 200, ""));    /* and not a second */
    assert_int_equal(parcel.state, STATE_DELIVERED);
}

/* Where it was sent is fulfilled by arriving there, and forgotten when it leaves. */
static void next_place(void **state)
{
    (void)state;
    (void)put("PICKUP", "HGH", 0, ",\"next\":\"PVG\"");
    assert_int_equal(parcel.next, place("PVG"));
    (void)put("ARRIVE", "CAN", 60, "");
    assert_int_equal(parcel.next, place("PVG"));       /* not there */
    (void)put("SORT", "CAN", 70, "");
    assert_int_equal(parcel.next, place("PVG"));
    (void)put("ARRIVE", "PVG", 120, "");
    assert_int_equal(parcel.next, NAME_NONE);
    (void)put("DEPART", "PVG", 180, ",\"next\":\"SZX\"");
    assert_int_equal(parcel.next, place("SZX"));
    (void)put("DEPART", "CAN", 240, "");
    assert_int_equal(parcel.next, NAME_NONE);
    (void)put("LOAD", "CAN", 250, ",\"next\":\"SZX\"");
    (void)put("REROUTED", "CAN", 260, "");
    assert_int_equal(parcel.next, NAME_NONE);
    assert_int_equal(parcel.at, place("CAN"));
}

/* A late scan fills in what is unknown, and contradicts nothing. */
static void late(void **state)
{
    (void)state;
    (void)put("ARRIVE", "PVG", 1000, ",\"dest\":\"SZX\",\"carrier\":\"SF\",\"promise\":"
              "\"2024-11-12T08:00:00Z\",\"service\":\"express\"");
    (void)put("ATTEMPT_FAILED", "CAN", 500, ",\"dest\":\"CAN\",\"carrier\":\"YTO\",\"promise\":"
              "\"2024-11-13T08:00:00Z\",\"service\":\"economy\",\"next\":\"CTU\","
              "\"origin\":\"HGH\",\"carrier_number\":\"C-1\"");
    assert_int_equal(parcel.state, STATE_IN_TRANSIT);
    assert_true(parcel.state_s == T0 + 1000 && parcel.physical_s == T0 + 1000);
    assert_int_equal(parcel.at, place("PVG"));
    assert_int_equal(parcel.next, NAME_NONE);
    assert_int_equal(parcel.dest, place("SZX"));
    assert_int_equal(parcel.carrier, place("SF"));
    assert_int_equal(parcel.service, names_find(names, NAME_SERVICE, "express", 7));
    assert_int_equal(parcel.promise_s, T0 + 86400);
    assert_int_equal(parcel.origin, place("HGH"));
    assert_true(parcel.carrier_number_length == 3);
    assert_int_equal(parcel.attempts, 1);              /* counters are filled */
    assert_int_equal(parcel.history_count, 2);
    assert_true(put("STATION_IN", "CAN", 700, ""));    /* it has been there: it had arrived */
    assert_int_equal(parcel.state, STATE_IN_TRANSIT);
}

/* What a later scan says of the journey holds; of the destination, only a reroute's. */
static void facts(void **state)
{
    (void)state;
    (void)put("LABEL", "HGH", 0, ",\"dest\":\"SZX\",\"origin\":\"HGH\",\"carrier_number\":"
              "\"C-12345\",\"promise\":\"2024-11-12T08:00:00Z\"");
    (void)put("PICKUP", "HGH", 60, ",\"dest\":\"CAN\",\"origin\":\"NKG\",\"carrier_number\":"
              "\"C-2\",\"promise\":\"2024-11-13T08:00:00Z\"");
    assert_int_equal(parcel.dest, place("SZX"));
    assert_int_equal(parcel.origin, place("NKG"));
    assert_int_equal(parcel.promise_s, T0 + 2 * 86400);
    assert_true(parcel.carrier_number_length == 3);
    assert_memory_equal(parcel.carrier_number, "C-2", 3);
    (void)put("REROUTED", "HGH", 120, ",\"dest\":\"CAN\"");
    assert_int_equal(parcel.dest, place("CAN"));
    (void)put("REROUTED", "HGH", 90, ",\"dest\":\"SZX\"");   /* the earlier of the two */
    assert_int_equal(parcel.dest, place("CAN"));
}

/* A near duplicate is history, and moves nothing. */
static void merged(void **state)
{
    (void)state;
    (void)put("PICKUP", "HGH", 0, "");
    (void)put("SORT", "HGH", 60, "");
    assert_false(put("SORT", "HGH", 120, ",\"next\":\"PVG\",\"dest\":\"SZX\""));
    assert_true(parcel.state_s == T0 + 60 && parcel.physical_s == T0 + 60);
    assert_int_equal(parcel.next, NAME_NONE);
    assert_int_equal(parcel.history_count, 3);
    assert_int_equal(entry_flags(parcel.history[2]), ENTRY_MERGED);
    assert_int_equal(parcel.dest, place("SZX"));       /* but it knew the destination */
}

static void flags(void **state)
{
    (void)state;
    (void)put("PICKUP", "HGH", 0, "");
    assert_false(parcel.flags & (PARCEL_CROSS_BORDER | PARCEL_RETURNING));
    (void)put("EXPORT_IN", "HGH", 60, "");
    assert_true(parcel.flags & PARCEL_CROSS_BORDER);
    for (int i = 0; i < 300; i++)
        (void)put("ATTEMPT_FAILED", "PVG", 1000 + i, "");
    assert_int_equal(parcel.attempts, 255);
    (void)put("RETURN_START", "PVG", 5000, "");
    assert_true(parcel.flags & PARCEL_RETURNING);
    (void)put("RETURNED", "HGH", 6000, "");
    assert_int_equal(parcel.state, STATE_RETURNED);
}

/* An event is taken back: the state is what the history says without it. */
static void taken_back(void **state)
{
    (void)state;
    (void)put("PICKUP", "HGH", 0, "");
    (void)put("ATTEMPT_FAILED", "PVG", 60, "");
    (void)put("ATTEMPT_FAILED", "PVG", 120, "");
    (void)put("DELIVERED", "PVG", 180, "");
    assert_false(put("DELIVERED", "PVG", 180, ",\"retracts\":true"));
    assert_int_equal(parcel.state, STATE_WITH_COURIER);
    assert_true(parcel.state_s == T0 + 120 && parcel.code == SCAN_ATTEMPT_FAILED);
    assert_false(parcel.flags & PARCEL_ARRIVED);
    assert_int_equal(parcel.attempts, 2);
    (void)put("ATTEMPT_FAILED", "PVG", 120, ",\"retracts\":true");
    assert_true(parcel.attempts == 1 && parcel.state_s == T0 + 60);
    (void)put("RETURN_START", "PVG", 300, "");
    (void)put("RETURN_START", "PVG", 300, ",\"retracts\":true");
    assert_false(parcel.flags & PARCEL_RETURNING);
    (void)put("ATTEMPT_FAILED", "PVG", 60, ",\"retracts\":true");
    assert_true(parcel.state == STATE_COLLECTED && parcel.at == place("HGH"));
    (void)put("PICKUP", "HGH", 0, ",\"retracts\":true");
    assert_int_equal(parcel.state, STATE_UNKNOWN);
    assert_true(put("DELIVERED", "PVG", 400, ""));     /* arriving anew counts anew */
}

/* What comes after its own retraction is in the history, and counts for nothing. */
static void undone(void **state)
{
    static const struct { const char *code, *more; } events[] = {
        {"ATTEMPT_FAILED", ""}, {"DELIVERED", ",\"courier\":\"K7\",\"declared_g\":9"},
        {"RETURN_START", ",\"dest\":\"CAN\""}, {"EXPORT_IN", ",\"weight_g\":7,\"carrier\":\"SF\""},
        {"DECLARED", ",\"reason\":\"cn23\""}};
    struct parcel before;
    char more[96];

    (void)state;
    (void)put("PICKUP", "HGH", 0, "");
    before = parcel;
    for (int i = 0; i < 5; i++) {
        (void)snprintf(more, sizeof more, "%s,\"retracts\":true", events[i].more);
        (void)put(events[i].code, "PVG", 1000 * (i + 1), more);
    }
    before.dest = parcel.dest;   /* of the journey retractions say what they know */
    before.carrier = parcel.carrier;
    for (int i = 0; i < 5; i++)
        assert_false(put(events[i].code, "PVG", 1000 * (i + 1), events[i].more));
    assert_int_equal(parcel.history_count, 11);
    before.history_count = parcel.history_count;
    assert_memory_equal(&parcel, &before, offsetof(struct parcel, history));
}

/* A retraction takes back what its event had measured, and the document it had named. */
static void measures_taken_back(void **state)
{
    const char *more = ",\"weight_g\":1200,\"declared_g\":900,\"dest_lat\":-1.5,\"dest_lon\":2.5,"
                       "\"lat\":31.1,\"lon\":121.8,\"courier\":\"K7\"";
    char retracts[160];

    (void)state;
    (void)put("PICKUP", "HGH", 0, "");
    (void)put("ARRIVE", "PVG", 1000, more);
    (void)put("DECLARED", "", 2000, ",\"reason\":\"invoice\"");
    (void)put("DECLARED", "", 3000, ",\"reason\":\"cn23\"");
    (void)put("SORT", "HGH", 0, ",\"weight_g\":7,\"retracts\":true");   /* not what is known */
    assert_int_equal(parcel.weight_g, 1200);
    (void)snprintf(retracts, sizeof retracts, "%s,\"retracts\":true", more);
    (void)put("ARRIVE", "PVG", 1000, retracts);
    assert_int_equal(parcel.facts, FACT_DOCUMENTS);
    assert_int_equal(parcel.courier_length, 0);
    assert_int_equal(parcel.physical_s, T0);
    (void)put("DECLARED", "", 2000, ",\"reason\":\"invoice\",\"retracts\":true");
    assert_int_equal(parcel.documents_count, 1);
    assert_int_equal(parcel.documents[0], place("cn23"));
    (void)put("DECLARED", "", 3000, ",\"reason\":\"cn23\",\"retracts\":true");
    assert_true(parcel.documents_count == 0 && parcel.facts == 0);
}

/* Of a tombstone only what it still says can be taken back. */
static void tombstone_taken_back(void **state)
{
    static const struct retention keep = {.linger_s = 10, .terminal_s = 20, .idle_s = 30};

    (void)state;
    (void)put("PICKUP", "HGH", 0, "");
    (void)put("DELIVERED", "PVG", 180, "");
    apply_shrink(&parcel, &keep, T0 + 1000);
    (void)put("PICKUP", "HGH", 0, ",\"retracts\":true");
    assert_true(parcel.flags & PARCEL_TOMBSTONE);
    assert_int_equal(parcel.state, STATE_DELIVERED);
    (void)put("DELIVERED", "PVG", 180, ",\"retracts\":true");
    assert_false(parcel.flags & (PARCEL_TOMBSTONE | PARCEL_ARRIVED));
    assert_int_equal(parcel.state, STATE_UNKNOWN);
}

static void revived(void **state)
{
    static const struct retention keep = {.linger_s = 10, .terminal_s = 20, .idle_s = 30};

    (void)state;
    (void)put("PICKUP", "HGH", 0, "");
    (void)put("LOST", "HGH", 60, "");
    apply_shrink(&parcel, &keep, T0 + 1000);
    (void)put("ARRIVE", "PVG", 2000, "");
    assert_int_equal(parcel.state, STATE_IN_TRANSIT);
    assert_false(parcel.flags & PARCEL_TOMBSTONE);
    assert_int_equal(parcel.life, 1);
}

static void housekeeping(void **state)
{
    static const struct retention keep = {.linger_s = 10, .terminal_s = 200, .idle_s = 3000};

    (void)state;
    (void)put("PICKUP", "HGH", 0, "");
    parcel.deadlines[0] = (struct deadline){.detector = 3, .at_s = 77};
    parcel.deadlines_count = 1;
    apply_house(&parcel, &keep, T0 + 5);
    assert_int_equal(apply_deadline(&parcel, DEADLINE_HOUSE), T0 + 5 + 3000);
    assert_int_equal(apply_deadline(&parcel, 3), 77);
    assert_int_equal(apply_deadline(&parcel, 4), 0);
    (void)put("DELIVERED", "PVG", 100, "");
    apply_house(&parcel, &keep, T0 + 5);               /* its end lies before us */
    assert_int_equal(apply_deadline(&parcel, DEADLINE_HOUSE), T0 + 100 + 10);
    assert_int_equal(parcel.deadlines_count, 2);
    apply_house(&parcel, &keep, T0 + 150);
    assert_int_equal(apply_deadline(&parcel, DEADLINE_HOUSE), T0 + 150 + 10);
    parcel.alerts_count = 1;
    apply_shrink(&parcel, &keep, T0 + 160);
    assert_int_equal(apply_deadline(&parcel, DEADLINE_HOUSE), T0 + 160 + 200);
    assert_int_equal(apply_deadline(&parcel, 3), 0);
    assert_true(parcel.flags & PARCEL_TOMBSTONE);
    assert_true(parcel.history_count == 0 && parcel.alerts_count == 0);
    assert_true(parcel.state == STATE_DELIVERED && parcel.state_s == T0 + 100);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(begins), TEST(notes), TEST(moves), TEST(next_place), TEST(late), TEST(facts),
        TEST(facts_are_kept_where_given), TEST(documents_are_named_once),
        TEST(merged), TEST(flags), TEST(taken_back), TEST(undone), TEST(measures_taken_back),
        TEST(tombstone_taken_back), TEST(revived),
        TEST(housekeeping),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
