/* Unit tests of the JSON decoder: each reason by example, and all of it beside jansson. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/scan_oracle.h"

static const int64_t now_ms = INT64_C(1794355200000); /* 2026-11-11 */

#define MUST "\"parcel\":\"YT75\",\"code\":\"ARRIVE\",\"time\":\"2026-11-11T08:30:00+08:00\""
#define HERE MUST ",\"facility\":\"HGH\""

/* Where what is tested by example stands; the scratch must outlive the scan. */
static struct scan    scan;
static char           scratch_bytes[SCAN_SCRATCH];
static struct scratch scratch;

static struct verdict decode(const char *value, size_t length)
{
    scratch = (struct scratch) {.bytes = scratch_bytes, .size = sizeof scratch_bytes};
    return format_json.decode(value, length, NULL, 0, now_ms, &scratch, &scan);
}

static void want_text(struct text text, const char *wanted)
{
    assert_int_equal(text.length, strlen(wanted));
    assert_memory_equal(scan_text(&scan, text), wanted, text.length);
}

static void test_all_fields(void **state)
{
    static const char value[] =
        "{\"parcel\":\"YT7512345678901\",\"code\":\"DELIVERED\",\"time\":\"2026-11-11T08:30:00."
        "123+08:00\",\"facility\":\"HGH-HUB-001\",\"next\":\"PVG-HUB-002\",\"origin\":\"HGH-1\","
        "\"dest\":\"CAN-2\",\"carrier\":\"yunda\",\"service\":\"standard\",\"carrier_number\":"
        "\"LP00123456789CN\",\"promise\":\"2026-11-14T18:00:00Z\",\"raw\":\"20\",\"weight_g\":1250,"
        "\"declared_g\":0,\"lat\":30.2741,\"lon\":-120.1551e0,\"dest_lat\":-90,\"dest_lon\":180.0,"
        "\"courier\":\"C1\",\"bag\":\"B2\",\"reason\":\"R3\",\"event_id\":\"E4\",\"retracts\":true,"
        "\"colour\":\"red\",\"more\":[1,{\"a\":null}]}";

    (void)state;
    assert_int_equal(decode(value, sizeof value - 1).reject, REJECT_NONE);
    assert_ptr_equal(scan.bytes, value);
    want_text(scan.parcel, "YT7512345678901");
    want_text(scan.facility, "HGH-HUB-001");
    want_text(scan.next, "PVG-HUB-002");
    want_text(scan.origin, "HGH-1");
    want_text(scan.dest, "CAN-2");
    want_text(scan.carrier, "yunda");
    want_text(scan.service, "standard");
    want_text(scan.carrier_number, "LP00123456789CN");
    want_text(scan.raw, "20");
    want_text(scan.courier, "C1");
    want_text(scan.bag, "B2");
    want_text(scan.reason, "R3");
    want_text(scan.event_id, "E4");
    assert_int_equal(scan.code, SCAN_DELIVERED);
    assert_int_equal(scan.time_ms, INT64_C(1794357000123));
    assert_int_equal(scan.promise_ms, INT64_C(1794679200000));
    assert_int_equal(scan.weight_g, 1250);
    assert_int_equal(scan.declared_g, 0);
    assert_true(scan.lat == 30.2741f && scan.lon == -120.1551f);
    assert_true(scan.dest_lat == -90 && scan.dest_lon == 180);
    assert_int_equal(scan.flags, SCAN_RETRACTS | SCAN_HAS_POSITION | SCAN_HAS_TARGET
                                     | SCAN_HAS_WEIGHT | SCAN_HAS_DECLARED);
    assert_int_equal(scan.unknown, 2);
}

static void test_least_fields(void **state)
{
    static const char value[] = " { \"time\" : \"2026-11-11T00:30:00Z\" ,\n\t\"code\":\"LABEL\",\r"
                                "\"parcel\":\"A\" } \n";

    (void)state;
    memset(&scan, 0x55, sizeof scan);
    assert_int_equal(decode(value, sizeof value - 1).reject, REJECT_NONE);
    want_text(scan.parcel, "A");
    want_text(scan.facility, "");
    want_text(scan.event_id, "");
    assert_int_equal(scan.promise_ms, 0);
    assert_int_equal(scan.flags, 0);
    assert_int_equal(scan.unknown, 0);
    assert_int_equal(scan.weight_g, 0);
    assert_true(scan.lat == 0 && scan.dest_lon == 0);
}

struct refusal {
    const char *value;
    enum reject reject;
    const char *field;
};

static const struct refusal refusals[] = {
    {"", REJECT_EMPTY, ""},
    {" ", REJECT_BAD_JSON, ""},
    {"}", REJECT_BAD_JSON, ""},
    {"null", REJECT_BAD_JSON, ""},
    {"[{" HERE "}]", REJECT_BAD_JSON, ""},
    {"{" HERE "", REJECT_BAD_JSON, ""},
    {"{" HERE "}}", REJECT_BAD_JSON, ""},
    {"{" HERE "}{}", REJECT_BAD_JSON, ""},
    {"{" HERE ",}", REJECT_BAD_JSON, ""},
    {"{," HERE "}", REJECT_BAD_JSON, ""},
    {"{" HERE ",\"x\"}", REJECT_BAD_JSON, ""},
    {"{" HERE ",\"x\":}", REJECT_BAD_JSON, ""},
    {"{" HERE ",x:1}", REJECT_BAD_JSON, ""},
    {"{" HERE ",\"x\":'1'}", REJECT_BAD_JSON, ""},
    {"{" HERE ",\"x\":tru}", REJECT_BAD_JSON, ""},
    {"{" HERE ",\"x\":truee}", REJECT_BAD_JSON, ""},
    {"{" HERE ",\"x\":NaN}", REJECT_BAD_JSON, ""},
    {"{" HERE ",\"x\":01}", REJECT_BAD_JSON, ""},
    {"{" HERE ",\"x\":-}", REJECT_BAD_JSON, ""},
    {"{" HERE ",\"x\":1.}", REJECT_BAD_JSON, ""},
    {"{" HERE ",\"x\":.5}", REJECT_BAD_JSON, ""},
    {"{" HERE ",\"x\":1e}", REJECT_BAD_JSON, ""},
    {"{" HERE ",\"x\":1e+}", REJECT_BAD_JSON, ""},
    {"{" HERE ",\"x\":+1}", REJECT_BAD_JSON, ""},
    {"{" HERE ",\"x\":[1,]}", REJECT_BAD_JSON, ""},
    {"{" HERE ",\"x\":[1}", REJECT_BAD_JSON, ""},
    {"{" HERE ",\"x\":[1}}", REJECT_BAD_JSON, ""},
    {"{" HERE ",\"x\":{\"a\"}}", REJECT_BAD_JSON, ""},
    {"{" HERE ",\"x\":{\"a\":1,}}", REJECT_BAD_JSON, ""},
    {"{" HERE ",\"x\":{1:2}}", REJECT_BAD_JSON, ""},
    {"{" HERE ",\"x\":\"\\x\"}", REJECT_BAD_JSON, ""},
    {"{" HERE ",\"x\":\"\\u12g4\"}", REJECT_BAD_JSON, ""},
    {"{" HERE ",\"x\":\"\\ud800\"}", REJECT_BAD_JSON, ""},
    {"{" HERE ",\"x\":\"\\udc00\"}", REJECT_BAD_JSON, ""},
    {"{" HERE ",\"x\":\"\\ud800\\u0041\"}", REJECT_BAD_JSON, ""},
    {"{" HERE ",\"x\":\"\t\"}", REJECT_BAD_JSON, ""},
    {"{" HERE ",\"x\":\"\\\"}", REJECT_BAD_JSON, ""},
    {"\xef\xbb\xbf{" HERE "}", REJECT_BAD_JSON, ""},
    {"{" HERE ",\"x\":\"\xc0\x80\"}", REJECT_BAD_UTF8, ""},
    {"{" HERE ",\"x\":\"\xed\xa0\x80\"}", REJECT_BAD_UTF8, ""},
    {"{" HERE ",\"x\":\"\xf4\x90\x80\x80\"}", REJECT_BAD_UTF8, ""},
    {"{" HERE ",\"x\":\"\xe4\xb8\"}", REJECT_BAD_UTF8, ""},
    {"{" HERE ",\"x\":\"\x80\"}", REJECT_BAD_UTF8, ""},
    {"{" HERE ",\"\xff\":1}", REJECT_BAD_UTF8, ""},
    {"{" HERE ",\"reason\":\"\\u0000\"}", REJECT_BAD_UTF8, "reason"},
    {"{}", REJECT_MISSING_FIELD, "parcel"},
    {"{\"parcel\":\"A\",\"time\":\"2026-11-11T00:30:00Z\"}", REJECT_MISSING_FIELD, "code"},
    {"{\"parcel\":\"A\",\"code\":\"LABEL\"}", REJECT_MISSING_FIELD, "time"},
    {"{" MUST "}", REJECT_MISSING_FIELD, "facility"},
    {"{" MUST ",\"facility\":\"\"}", REJECT_MISSING_FIELD, "facility"},
    {"{" HERE ",\"next\":null}", REJECT_BAD_TYPE, "next"},
    {"{" HERE ",\"next\":1}", REJECT_BAD_TYPE, "next"},
    {"{" HERE ",\"promise\":1}", REJECT_BAD_TYPE, "promise"},
    {"{" HERE ",\"weight_g\":\"1\"}", REJECT_BAD_TYPE, "weight_g"},
    {"{" HERE ",\"weight_g\":1.0}", REJECT_BAD_TYPE, "weight_g"},
    {"{" HERE ",\"lat\":\"1\"}", REJECT_BAD_TYPE, "lat"},
    {"{" HERE ",\"retracts\":1}", REJECT_BAD_TYPE, "retracts"},
    {"{" HERE ",\"retracts\":\"true\"}", REJECT_BAD_TYPE, "retracts"},
    {"{" HERE ",\"bag\":{}}", REJECT_BAD_TYPE, "bag"},
    {"{" HERE ",\"bag\":[]}", REJECT_BAD_TYPE, "bag"},
    {"{" HERE ",\"bag\":\"1234567890123456789012345\"}", REJECT_TOO_LONG, "bag"},
    {"{" HERE ",\"carrier\":\"12345678901234567\"}", REJECT_TOO_LONG, "carrier"},
    {"{\"parcel\":\"12345678901234567890123456789012345678901\",\"code\":\"LABEL\",\"time\":"
     "\"2026-11-11T00:30:00Z\"}", REJECT_TOO_LONG, "parcel"},
    {"{\"parcel\":\"\",\"code\":\"LABEL\",\"time\":\"2026-11-11T00:30:00Z\"}", REJECT_BAD_PARCEL,
     "parcel"},
    {"{\"parcel\":\"A B\",\"code\":\"LABEL\",\"time\":\"2026-11-11T00:30:00Z\"}", REJECT_BAD_PARCEL,
     "parcel"},
    {"{\"parcel\":\"A\",\"code\":\"label\",\"time\":\"2026-11-11T00:30:00Z\"}", REJECT_UNKNOWN_CODE,
     "code"},
    {"{\"parcel\":\"A\",\"code\":\"LABEL\",\"time\":\"2026-11-11T00:30:00\"}", REJECT_BAD_TIME,
     "time"},
    {"{\"parcel\":\"A\",\"code\":\"LABEL\",\"time\":\"1999-12-31T23:59:59.999Z\"}",
     REJECT_TIME_RANGE, "time"},
    {"{\"parcel\":\"A\",\"code\":\"LABEL\",\"time\":\"2026-12-11T00:00:00.001Z\"}",
     REJECT_TIME_RANGE, "time"},
    {"{" HERE ",\"promise\":\"tomorrow\"}", REJECT_BAD_TIME, "promise"},
    {"{" HERE ",\"promise\":\"2106-02-07T06:28:16Z\"}", REJECT_TIME_RANGE, "promise"},
    {"{" HERE ",\"weight_g\":2147483648}", REJECT_BAD_NUMBER, "weight_g"},
    {"{" HERE ",\"weight_g\":99999999999999999999999}", REJECT_BAD_NUMBER, "weight_g"},
    {"{" HERE ",\"declared_g\":-1}", REJECT_BAD_NUMBER, "declared_g"},
    {"{" HERE ",\"lat\":90.0001}", REJECT_BAD_NUMBER, "lat"},
    {"{" HERE ",\"lon\":-181}", REJECT_BAD_NUMBER, "lon"},
    {"{" HERE ",\"lon\":1e9999999999}", REJECT_BAD_NUMBER, "lon"},
    /* of several reasons, the first in the table's order */
    {"{" HERE ",\"bag\":1,\"bag\":1,\"next\":1}", REJECT_DUPLICATE_FIELD, "bag"},
    {"{\"lon\":181,\"next\":1," HERE "}", REJECT_BAD_TYPE, "next"},
    {"{" HERE ",\"lon\":181,\"x\":}", REJECT_BAD_JSON, ""},
};

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const struct refusal *r = &refusals[i];
        struct verdict        verdict = decode(r->value, strlen(r->value));

        if (verdict.reject != r->reject || strcmp(verdict.field, r->field) != 0)
            fail_msg("%s: %s %s", r->value, reject_name(verdict.reject), verdict.field);
        (void)oracle_check(r->value, strlen(r->value), NULL, 0, now_ms);
    }
}

/* Each field twice, whatever stands between; an unknown one as often as it likes. */
static void test_twice(void **state)
{
    static const char *const values[] = {
        "parcel\":\"YT75\"", "code\":\"ARRIVE\"", "time\":\"2026-11-11T08:30:00+08:00\"",
        "facility\":\"A\"", "next\":\"A\"", "origin\":\"A\"", "dest\":\"A\"", "carrier\":\"A\"",
        "service\":\"A\"", "carrier_number\":\"A\"", "promise\":\"2026-11-12T08:30:00Z\"",
        "raw\":\"A\"", "weight_g\":1", "declared_g\":1", "lat\":1", "lon\":1", "dest_lat\":1",
        "dest_lon\":1", "courier\":\"A\"", "bag\":\"A\"", "reason\":\"A\"", "event_id\":\"A\"",
        "retracts\":true"};
    char value[1024];

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        const char *others = i < 4 ? HERE : HERE ","; /* the first four stand there already */
        int         length = snprintf(value, sizeof value, "{%s%s%s,\"x\":1,\"%s}", others,
                                      i < 4 ? "" : "\"", i < 4 ? "" : values[i], values[i]);

        struct verdict verdict = decode(value, (size_t)length);
        if (verdict.reject != REJECT_DUPLICATE_FIELD
            || strncmp(verdict.field, values[i], strlen(verdict.field)) != 0)
            fail_msg("%s: %s", value, reject_name(verdict.reject));
    }
    static const char often[] = "{\"x\":1,\"x\":2," HERE ",\"x\":3}";
    assert_int_equal(decode(often, sizeof often - 1).reject, REJECT_NONE);
    assert_int_equal(scan.unknown, 3);
}

/* Texts with escapes come without them; the value's own bytes stay as they are. */
static void test_escapes(void **state)
{
    static const char value[] =
        "{\"parcel\":\"YT\\u00375\",\"\\u0063ode\":\"\\u0041RRIVE\",\"time\":\"2026-11-11T08:30:00"
        "\\u002b08:00\",\"facility\":\"\\u676d\\u5dde\",\"courier\":\"\\uD83D\\uDE00\",\"raw\":"
        "\"a\\\"b\\\\c\\/\\b\\f\\n\\r\\t\",\"lat\":1.5,\"bag\":\"plain\",\"\\u0078\":1}";
    char before[sizeof value];

    (void)state;
    memcpy(before, value, sizeof value);
    assert_int_equal(decode(value, sizeof value - 1).reject, REJECT_NONE);
    assert_memory_equal(before, value, sizeof value);
    assert_ptr_equal(scan.bytes, scratch_bytes);
    want_text(scan.parcel, "YT75");
    want_text(scan.facility, "\xe6\x9d\xad\xe5\xb7\x9e");
    want_text(scan.courier, "\xf0\x9f\x98\x80");
    want_text(scan.raw, "a\"b\\c/\b\f\n\r\t");
    want_text(scan.bag, "plain");
    assert_int_equal(scan.code, SCAN_ARRIVE);
    assert_int_equal(scan.time_ms, INT64_C(1794357000000));
    assert_true(scan.lat == 1.5f);
    assert_int_equal(scan.unknown, 1);
    assert_int_equal(scan.hash, parcel_hash("YT75", 4));

    /* Most that a scan can take of the scratch: every text as long as it may be, and more. */
    char   longest[8192];
    size_t used = (size_t)snprintf(longest, sizeof longest, "{" HERE);
    for (size_t i = 1; i < sizeof oracle_texts / sizeof *oracle_texts; i++) {
        used += (size_t)snprintf(longest + used, sizeof longest - used, ",\"%s\":\"",
                                 oracle_texts[i].name);
        for (size_t k = 0; k < oracle_texts[i].most; k++)
            used += (size_t)snprintf(longest + used, sizeof longest - used, "\\u0041");
        longest[used++] = '"';
    }
    longest[used++] = '}';
    assert_int_equal(oracle_check(longest, used, NULL, 0, now_ms).reject, REJECT_NONE);
    used = (size_t)snprintf(longest, sizeof longest, "{" HERE ",\"reason\":\"");
    for (int i = 0; i < 1000; i++)
        used += (size_t)snprintf(longest + used, sizeof longest - used, "\\u0041");
    used += (size_t)snprintf(longest + used, sizeof longest - used, "\"}");
    assert_int_equal(decode(longest, used).reject, REJECT_TOO_LONG);
}

static void test_key(void **state)
{
    static const char value[] = "{" HERE "}";

    (void)state;
    for (int wrong = 0; wrong < 3; wrong++) {
        static const char *const keys[] = {"YT75", "YT74", "YT7"};
        struct verdict v = format_json.decode(value, sizeof value - 1, keys[wrong],
                                              strlen(keys[wrong]), now_ms, &scratch, &scan);

        assert_int_equal(v.reject, wrong ? REJECT_KEY_MISMATCH : REJECT_NONE);
    }
    struct verdict v = format_json.decode(value, sizeof value - 1, "", 0, now_ms, &scratch, &scan);
    assert_int_equal(v.reject, REJECT_KEY_MISMATCH);
}

/* Confluent's header: JSON behind it is read, anything else is another format. */
static void test_frame(void **state)
{
    static const char framed[] = "\0\0\0\1\2 {" HERE "}", avro[] = "\0\0\0\1\2\x1eYT75",
                      broken[] = "\0\0\0\1\2{\"parcel\"", brief[] = "\0\0\0{";

    (void)state;
    assert_int_equal(decode(framed, sizeof framed - 1).reject, REJECT_NONE);
    want_text(scan.parcel, "YT75");
    assert_int_equal(decode(avro, sizeof avro - 1).reject, REJECT_UNSUPPORTED_FORMAT);
    assert_int_equal(decode(broken, sizeof broken - 1).reject, REJECT_BAD_JSON);
    assert_int_equal(decode(brief, sizeof brief - 1).reject, REJECT_UNSUPPORTED_FORMAT);
    assert_int_equal(decode(framed, 5).reject, REJECT_UNSUPPORTED_FORMAT);
}

static void test_size(void **state)
{
    static char value[SCAN_BYTES_MAX + 1];
    size_t      used = (size_t)snprintf(value, sizeof value, "{" HERE ",\"x\":\"");

    (void)state;
    memset(value + used, 'x', sizeof value - used);
    memcpy(value + SCAN_BYTES_MAX - 2, "\"}", 2);
    assert_int_equal(oracle_check(value, SCAN_BYTES_MAX, NULL, 0, now_ms).reject, REJECT_NONE);
    memcpy(value + SCAN_BYTES_MAX - 2, "x\"}", 3);
    assert_int_equal(decode(value, SCAN_BYTES_MAX + 1).reject, REJECT_TOO_LARGE);
    value[0] = '\0'; /* the largest that cannot be told from the first bytes alone */
    assert_int_equal(decode(value, SCAN_BYTES_MAX).reject, REJECT_UNSUPPORTED_FORMAT);
}

/* 64 levels within the outermost, and not one more. */
static void test_depth(void **state)
{
    char value[512];

    (void)state;
    for (int depth = 60; depth < 70; depth++) {
        size_t used = (size_t)snprintf(value, sizeof value, "{" HERE ",\"x\":");

        for (int i = 0; i < depth; i++) {
            const char *open = i % 2 == 0 ? "[" : "{\"\":";

            memcpy(value + used, open, strlen(open));
            used += strlen(open);
        }
        memcpy(value + used, "0", 1);
        used++;
        for (int i = depth - 1; i >= 0; i--)
            value[used++] = i % 2 == 0 ? ']' : '}';
        value[used++] = '}';
        assert_int_equal(decode(value, used).reject, depth <= 64 ? REJECT_NONE : REJECT_BAD_JSON);
    }
}

/* Every prefix, and every change of one byte, of a value with all there is: beside jansson,
 * each in memory of its own size. */
static void test_beside_jansson(void **state)
{
    static const char value[] =
        "{\"parcel\":\"YT75\",\"code\":\"ARRIVE\",\"time\":\"2026-11-11T08:30:00.12+08:00\","
        "\"facility\":\"H\xe6\x9d\xad\",\"lat\":30.27e0,\"lon\":-1,\"weight_g\":12,\"retracts\":"
        "false,\"raw\":\"\\u676d\\n\",\"promise\":\"2026-11-14T18:00:00Z\",\"x\":{\"a\":[1,{},[]],"
        "\"\":null} , \"dest\":\"B\"}";
    static const char bytes[] = "\0\x01\x1f \"\\/,:;{}[]()0159-+.eEtTfnuaZz'"
                                "\x7f\x80\xbf\xc3\xe0\xf0\xff";
    size_t            taken = 0;

    (void)state;
    for (size_t length = 0; length < sizeof value; length++) {
        char *exact = malloc(length > 0 ? length : 1);

        assert_non_null(exact);
        memcpy(exact, value, length);
        assert_int_equal(oracle_check(exact, length, NULL, 0, now_ms).reject == REJECT_NONE,
                         length == sizeof value - 1);
        for (size_t at = 0; length == sizeof value - 1 && at < length; at++) {
            for (size_t i = 0; i < sizeof bytes - 1; i++) {
                exact[at] = bytes[i];
                taken += oracle_check(exact, length, NULL, 0, now_ms).reject == REJECT_NONE;
            }
            exact[at] = value[at];
        }
        free(exact);
    }
    assert_in_range(taken, 500, 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_fields), cmocka_unit_test(test_least_fields),
        cmocka_unit_test(test_refusals),   cmocka_unit_test(test_twice),
        cmocka_unit_test(test_escapes),    cmocka_unit_test(test_key),
        cmocka_unit_test(test_frame),      cmocka_unit_test(test_size),
        cmocka_unit_test(test_depth),      cmocka_unit_test(test_beside_jansson),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
