/* What is written for Kafka, read back by another reader of JSON: envelope and text_out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "stages/detect/detect.h"
#include "stages/kinds.h"
#include "stages/outlet/envelope.h"
#include "stages/outlet/trace.h"
#include "stages/outlet/text_out.h"
#include "stages/parcel/names.h"
#include "stages/ports.h"

struct ports ports; /* the room of the real ones is above this one */

enum { T0 = 1731312000 /* 2024-11-11T08:00:00Z */ };

static struct pool  *pool;
static struct batch *batch;
static struct names *names;
static struct parcel parcel;
static struct alert  alert;
static struct origin origin;

static name_id place(const char *text)
{
    return names_intern(names, NAME_PLACE, text, strlen(text));
}

static int setup(void **state)
{
    static const struct batch_shape shape = {
        .kind = KIND_OUTPUTS, .head_size = sizeof(struct outputs),
        .record_size = sizeof(struct output), .capacity = OUTPUTS_RECORDS,
        .arena_size = OUTPUTS_ARENA};

    (void)state;
    pool = pool_create(&shape, 1);
    batch = pool_take(pool);
    names = names_create();
    parcel = (struct parcel){
        .number = "YT1", .number_length = 3, .life = 2, .carrier = place("SF"),
        .service = (uint8_t)names_intern(names, NAME_SERVICE, "express", 7),
        .carrier_number = "C-77", .carrier_number_length = 4, .state_s = T0 - 60};
    alert = (struct alert){
        .id = 0x0123456789abcdef, .type = detector_id(detector_find("misrouted")),
        .state = ALERT_UPDATED, .severity = SEVERITY_CRITICAL, .sequence = 3, .opened_s = T0,
        .at_s = T0 + 90, .deadline_s = T0 + 3600, .at = place("HGH"), .expected = place("PVG"),
        .note = place("strike"), .value = -7, .threshold = 12};
    origin = (struct origin){.source = "/peakline/test", .topic = "scans", .partition = 9,
                             .offset = 4711, .epoch = 1731312000000001, .owner = 0xfeed,
                             .home = 77};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    names_destroy(names);
    pool_give(pool, &batch);
    pool_destroy(pool);
    return 0;
}

/* ── Reading it back ──────────────────────────────────────────────────────── */

static json_t *json_of(const struct output *output)
{
    json_error_t error;
    json_t *json = json_loadb(output->value, output->length, JSON_REJECT_DUPLICATES, &error);

    if (json == NULL)
        fail_msg("%s: %.*s", error.text, (int)output->length, (const char *)output->value);
    return json;
}

static void want_text(json_t *json, const char *name, const char *wanted)
{
    const char *text = json_string_value(json_object_get(json, name));

    if (text == NULL)
        fail_msg("no %s", name);
    assert_string_equal(text, wanted);
}

static void want_number(json_t *json, const char *name, int64_t wanted)
{
    if (!json_is_integer(json_object_get(json, name)))
        fail_msg("no %s", name);
    assert_int_equal(json_integer_value(json_object_get(json, name)), wanted);
}

static void want_header(const struct output *output, const char *name, const char *wanted)
{
    for (uint8_t i = 0; i < output->headers_count; i++)
        if (strcmp(output->headers[i].name, name) == 0) {
            assert_int_equal(output->headers[i].length, strlen(wanted));
            assert_memory_equal(output->headers[i].value, wanted, strlen(wanted));
            return;
        }
    fail_msg("no header %s", name);
}

/* ── Alerts ───────────────────────────────────────────────────────────────── */

static void alert_value(void **state)
{
    char sentence[400];
    const struct output *output = envelope_alert(batch, &origin, &parcel, names, &alert);
    json_t *json = json_of(output);

    (void)state;
    want_text(json, "id", "0123456789abcdef");
    want_text(json, "type", "misrouted");
    want_text(json, "severity", "critical");
    want_text(json, "state", "UPDATED");
    want_number(json, "sequence", 3);
    want_text(json, "parcel", "YT1");
    want_number(json, "life", 2);
    want_text(json, "carrier", "SF");
    want_text(json, "carrier_number", "C-77");
    want_text(json, "service", "express");
    want_text(json, "facility", "HGH");
    want_text(json, "next", "PVG");
    want_text(json, "opened_at", "2024-11-11T08:00:00Z");
    want_text(json, "at", "2024-11-11T08:01:30Z");
    want_text(json, "deadline", "2024-11-11T09:00:00Z");
    want_number(json, "value", -7);
    want_number(json, "threshold", 12);
    want_text(json, "reason", "strike");
    want_text(json, "owner", owner_name((enum alert_owner)detector_find("misrouted")->owner));
    want_text(json, "action", detector_find("misrouted")->action);
    (void)alert_sentence(&alert, &parcel, names, sentence, sizeof sentence);
    want_text(json, "text", sentence);
    want_number(json, "epoch", 1731312000000001);
    want_text(json, "topic", "scans");
    want_number(json, "partition", 9);
    want_number(json, "offset", 4711);
    json_decref(json);

    assert_ptr_equal(output, batch->records);
    assert_int_equal(batch->count, 1);
    assert_int_equal(output->topic, TOPIC_ALERTS);
    assert_true(output->key_length == 3 && memcmp(output->key, "YT1", 3) == 0);
    assert_int_equal(output->home, 77);
    assert_int_equal(output->alert, 0x0123456789abcdef);
    assert_int_equal(output->sequence, 3);
    assert_null(output->original);
}

/* What is not known is not there: no empty text, no null. */
static void alert_without(void **state)
{
    static const char *const absent[] = {"carrier", "carrier_number", "service", "facility",
                                         "next", "deadline", "reason", "offset", "unit"};

    (void)state;
    parcel.carrier = parcel.service = parcel.carrier_number_length = 0;
    alert.at = alert.expected = alert.note = alert.deadline_s = 0;
    alert.type = detector_id(detector_find("damaged"));
    origin.offset = -1;
    json_t *json = json_of(envelope_alert(batch, &origin, &parcel, names, &alert));

    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++)
        assert_null(json_object_get(json, absent[i]));
    json_decref(json);
}

/* CloudEvents 1.0, Kafka binary binding; and four to filter by. */
static void alert_headers(void **state)
{
    const struct output *output = envelope_alert(batch, &origin, &parcel, names, &alert);

    (void)state;
    assert_int_equal(output->headers_count, 11);
    want_header(output, "ce_specversion", "1.0");
    want_header(output, "ce_id", "0123456789abcdef-3");
    want_header(output, "ce_source", "/peakline/test");
    want_header(output, "ce_type", "misrouted");
    want_header(output, "ce_time", "2024-11-11T08:01:30.000Z");
    want_header(output, "ce_subject", "YT1");
    want_header(output, "content-type", "application/json");
    want_header(output, "type", "misrouted");
    want_header(output, "severity", "critical");
    want_header(output, "state", "UPDATED");
    want_header(output, "epoch", "1731312000000001");
}

/* The causing scan's headers come last, in bytes of the output's own. */
static void traced(void **state)
{
    struct trace trace = {.length = 0};
    struct eta what = {.number = "YT1", .number_length = 3, .life = 2, .at_s = T0};
    static const char packed[] = "traceparent\0\4\0" "00-7" "peakload-intended\0\2\0" "42";

    (void)state;
    origin.trace = &trace;
    assert_int_equal(envelope_alert(batch, &origin, &parcel, names, &alert)->headers_count, 11);
    trace.length = sizeof packed - 1;
    memcpy(trace.bytes, packed, trace.length);
    const struct output *output = envelope_alert(batch, &origin, &parcel, names, &alert);

    envelope_eta(batch, &origin, &what);
    memset(&trace, 'x', sizeof trace);   /* the scan's batch has gone home */
    for (int i = 0; i < 2; i++, output++) {
        assert_int_equal(output->headers_count, i == 0 ? 13 : 2);
        want_header(output, "traceparent", "00-7");
        want_header(output, "peakload-intended", "42");
        json_decref(json_of(output));
    }
}

static void every_sentence(void **state)
{
    static const char *const severities[] = {"", "info", "warning", "critical"};
    static const char *const states[] = {"", "OPENED", "UPDATED", "RESOLVED"};
    struct outputs *head = batch->head;
    char sentence[400];

    (void)state;
    for (uint8_t type = 0; detector_table[type] != NULL; type++)
        for (uint8_t s = 0; s < SENTENCES_MAX && detector_table[type]->sentences[s]; s++) {
            const struct detector *detector = detector_table[type];

            batch->count = head->used = 0;
            alert.type = type;
            alert.sentence = s;
            alert.severity = (uint8_t)(1 + (type + s) % 3);
            alert.state = (uint8_t)(1 + type % 3);
            json_t *json = json_of(envelope_alert(batch, &origin, &parcel, names, &alert));

            want_text(json, "type", detector->type);
            want_text(json, "severity", severities[alert.severity]);
            want_text(json, "state", states[alert.state]);
            if (detector->unit[0] != '\0')
                want_text(json, "unit", detector->unit);
            (void)alert_sentence(&alert, &parcel, names, sentence, sizeof sentence);
            want_text(json, "text", sentence);
            json_decref(json);
        }
}

/* Names are a carrier's: quotes, control characters, Chinese; all at their longest. */
static void escaped(void **state)
{
    static const char *const hard[] = {"a\"b\\c", "\x01\x1f\n\t", "\xe6\x9d\xad\xe5\xb7\x9e",
                                       "\"", "\\", "\x7f/"};
    struct outputs *head = batch->head;
    char longest[NAME_LENGTH_MAX + 1] = {0};

    (void)state;
    for (size_t i = 0; i < sizeof hard / sizeof hard[0]; i++) {
        batch->count = head->used = 0;
        alert.at = place(hard[i]);
        size_t length = strlen(hard[i]);

        memcpy(parcel.carrier_number, hard[i], length);
        parcel.carrier_number_length = (uint8_t)length;
        json_t *json = json_of(envelope_alert(batch, &origin, &parcel, names, &alert));

        want_text(json, "facility", hard[i]);
        want_text(json, "carrier_number", hard[i]);
        json_decref(json);
    }
    memset(longest, 1, NAME_LENGTH_MAX);
    memset(parcel.carrier_number, 1, CARRIER_NUMBER_MAX);
    parcel.carrier_number_length = CARRIER_NUMBER_MAX;
    memset(parcel.number, 'X', PARCEL_MAX);
    parcel.number_length = PARCEL_MAX;
    alert.at = alert.expected = alert.note = parcel.carrier = place(longest);
    parcel.service = (uint8_t)names_intern(names, NAME_SERVICE, longest, NAME_LENGTH_MAX);
    batch->count = head->used = 0;
    json_decref(json_of(envelope_alert(batch, &origin, &parcel, names, &alert)));
    assert_in_range(head->used, 2000, OUTPUT_BYTES_MAX);
}

/* A batch full of them, each still whole at the end. */
static void a_batch(void **state)
{
    const struct output *outputs = batch->records;

    (void)state;
    for (alert.sequence = 1; envelope_room(batch); alert.sequence++)
        (void)envelope_alert(batch, &origin, &parcel, names, &alert);   /* of many lengths */
    assert_true(batch->count > 100 && batch->count == (uint32_t)alert.sequence - 1);
    for (uint32_t i = 0; i < batch->count; i++) {
        json_t *json = json_of(&outputs[i]);
        char id[32];

        want_number(json, "sequence", i + 1);
        assert_int_equal((uintptr_t)outputs[i].headers % _Alignof(struct output_header), 0);
        (void)snprintf(id, sizeof id, "0123456789abcdef-%" PRIu32, i + 1);
        want_header(&outputs[i], "ce_id", id);
        assert_memory_equal(outputs[i].key, "YT1", 3);
        json_decref(json);
    }
}

static void capacity(void **state)
{
    uint32_t count = 0;

    (void)state;
    for (; envelope_room(batch); count++)
        envelope_progress(batch, &origin, 1, 2000, 3, 4000);
    assert_int_equal(count, OUTPUTS_RECORDS);
}

/* ── ETAs and progress ────────────────────────────────────────────────────── */

static void eta(void **state)
{
    static const char *const reasons[] = {"first", "moved", "state"};
    struct eta what = {.number = "YT1", .number_length = 3, .life = 2, .home = 77, .sequence = 5,
                       .at_s = T0, .p50_s = T0 + 3600, .p90_s = T0 + 7200, .basis = BASIS_LANE,
                       .promise_s = T0 + 86400, .moved_by_s = -60};
    const struct output *outputs = batch->records;

    (void)state;
    for (int i = 0; i < ETA_ARRIVED; i++) {
        what.reason = (uint8_t)i;
        envelope_eta(batch, &origin, &what);
        json_t *json = json_of(&outputs[i]);

        want_text(json, "parcel", "YT1");
        want_number(json, "life", 2);
        want_text(json, "p50", "2024-11-11T09:00:00Z");
        want_text(json, "p90", "2024-11-11T10:00:00Z");
        want_text(json, "promise", "2024-11-12T08:00:00Z");
        want_text(json, "basis", "lane");
        want_text(json, "reason", reasons[i]);
        want_number(json, "moved_by_s", -60);
        want_text(json, "at", "2024-11-11T08:00:00Z");
        want_number(json, "sequence", 5);
        want_number(json, "epoch", 1731312000000001);
        assert_null(json_object_get(json, "actual"));
        json_decref(json);
        assert_int_equal(outputs[i].topic, TOPIC_ETAS);
        assert_int_equal(outputs[i].home, 77);
        assert_true(outputs[i].key_length == 3 && memcmp(outputs[i].key, "YT1", 3) == 0);
        assert_int_equal(outputs[i].headers_count, 0);
    }
}

static void eta_arrived(void **state)
{
    struct eta what = {.number = "YT1", .number_length = 3, .life = 2, .reason = ETA_ARRIVED,
                       .at_s = T0, .first_s = T0 + 100, .last_s = T0 - 50};
    const struct output *outputs = batch->records;

    (void)state;
    envelope_eta(batch, &origin, &what);
    json_t *json = json_of(&outputs[0]);

    want_text(json, "actual", "2024-11-11T08:00:00Z");
    want_number(json, "first_error_s", -100);
    want_number(json, "last_error_s", 50);
    want_text(json, "reason", "arrived");
    assert_null(json_object_get(json, "p50"));
    assert_null(json_object_get(json, "promise"));
    json_decref(json);
    what.first_s = 0;   /* none was ever told */
    envelope_eta(batch, &origin, &what);
    json = json_of(&outputs[1]);
    want_text(json, "actual", "2024-11-11T08:00:00Z");
    assert_null(json_object_get(json, "first_error_s"));
    json_decref(json);
}

static void progress(void **state)
{
    const struct output *output = batch->records;

    (void)state;
    envelope_progress(batch, &origin, 500, T0 * 1000LL + 999, 12, (T0 + 1) * 1000LL);
    json_t *json = json_of(output);

    want_number(json, "partition", 9);
    want_number(json, "offset", 500);
    want_text(json, "clock", "2024-11-11T08:00:00Z");
    want_number(json, "lag", 12);
    want_text(json, "owner", "000000000000feed");
    want_number(json, "epoch", 1731312000000001);
    want_text(json, "at", "2024-11-11T08:00:01Z");
    json_decref(json);
    assert_int_equal(output->topic, TOPIC_PROGRESS);
    assert_true(output->key_length == 1 && output->key[0] == '9');
    assert_int_equal(output->home, parcel_home("9", 1));
}

/* ── text_out ─────────────────────────────────────────────────────────────── */

static void numbers(void **state)
{
    static const int64_t samples[] = {0, 7, -7, 10, 1731312000000001, INT64_MAX, INT64_MIN};
    char text[64], wanted[64];

    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        struct text_out o = {.at = text, .end = text + sizeof text};

        out_number(&o, samples[i]);
        out_literal(&o, " ");
        out_hex16(&o, (uint64_t)samples[i]);
        *o.at = '\0';
        (void)snprintf(wanted, sizeof wanted, "%" PRId64 " %016" PRIx64, samples[i], samples[i]);
        assert_string_equal(text, wanted);
    }
}

static void times(void **state)
{
    char text[64];
    struct text_out o = {.at = text, .end = text + sizeof text};

    (void)state;
    out_time(&o, 0);
    out_time(&o, T0);
    out_time(&o, UINT32_MAX);
    *o.at = '\0';
    assert_string_equal(text, "null\"2024-11-11T08:00:00Z\"\"2106-02-07T06:28:15Z\"");
}

/* What does not fit is left out whole and said; nothing is written behind the end. */
static void too_long(void **state)
{
    char text[8] = "........";
    struct text_out o = {.at = text, .end = text + 4};

    (void)state;
    out_bytes(&o, "abc", 3);
    assert_false(o.full);
    out_bytes(&o, "de", 2);
    assert_true(o.full);
    out_bytes(&o, "f", 1);
    assert_true(o.full && o.at == o.end);
    assert_memory_equal(text, "abcf....", 8);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(alert_value), TEST(alert_without), TEST(alert_headers), TEST(traced),
        TEST(every_sentence),
        TEST(escaped), TEST(a_batch), TEST(capacity), TEST(eta), TEST(eta_arrived),
        TEST(progress), cmocka_unit_test(numbers),
        cmocka_unit_test(times), cmocka_unit_test(too_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
