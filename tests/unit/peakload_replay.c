/* What a replay does to messages: envelopes there and back, copies, times, faults. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "bench/peakload/faults.h"
#include "bench/peakload/kcat.h"
#include "bench/peakload/random.h"
#include "bench/peakload/reshape.h"
#include "bench/peakload/times.h"

/* ── Envelopes ────────────────────────────────────────────────────────────── */

static bool same(const void *a, size_t a_length, const void *b, size_t b_length)
{
    return (a == NULL) == (b == NULL) && a_length == b_length &&
           (a == NULL || memcmp(a, b, a_length) == 0);
}

static void there_and_back(const struct message *m)
{
    struct kcat k = {0};
    char  *line = NULL;
    size_t size;
    FILE  *out = open_memstream(&line, &size);
    json_t *parsed;

    assert_non_null(out);
    assert_int_equal(kcat_write(out, "scans", 3, 17, m), 0);
    fclose(out);
    parsed = json_loadb(line, size, 0, NULL);
    assert_non_null(parsed);            /* whatever the bytes, the line is JSON */
    json_decref(parsed);
    assert_int_equal(kcat_read(&k, line, size), 0);
    assert_true(same(k.message.key, k.message.key_length, m->key, m->key_length));
    assert_true(same(k.message.value, k.message.length, m->value, m->length));
    assert_int_equal(k.message.kafka_ms, m->kafka_ms);
    assert_int_equal(k.message.partition, 3);
    assert_int_equal(k.message.headers, m->headers);
    for (int i = 0; i < m->headers; i++) {
        const struct header *one = &k.message.header[i], *other = &m->header[i];

        assert_true(same(one->name, one->name_length, other->name, other->name_length));
        assert_true(same(one->value, one->length, other->value, other->length));
    }
    kcat_free(&k);
    free(line);
}

static void envelopes(void **state)
{
    static const char *const texts[] = {NULL, "", "plain", "\"quoted\\\"\n\t", "上门揽收",
                                        "\xff\x01", "\xed\xa0\x80", "{\"base64\":\"AAAA\"}"};
    enum { TEXTS = sizeof texts / sizeof texts[0] };

    (void)state;
    for (size_t i = 0; i < TEXTS; i++)
        for (size_t j = 0; j < TEXTS; j++) {
            const char *key = texts[i], *value = texts[j];
            struct header header[2] = {{"name", value, 4, value ? strlen(value) : 0},
                                       {"other", key, 5, key ? strlen(key) : 0}};

            there_and_back(&(struct message) {
                .key = key, .key_length = key ? strlen(key) : 0, .value = value,
                .length = value ? strlen(value) : 0, .kafka_ms = 1762790400000, .headers = 2,
                .header = header});
        }
}

static void random_bytes(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct random r = random_of(seed, 0);
        char bytes[200];
        size_t length = random_below(&r, sizeof bytes);

        for (size_t i = 0; i < length; i++)
            bytes[i] = (char)random_next(&r);
        there_and_back(&(struct message) {.key = bytes, .key_length = length / 2, .value = bytes,
                                          .length = length, .kafka_ms = 0});
    }
}

/* ── Copies and times ─────────────────────────────────────────────────────── */

static struct message scan(const char *value)
{
    return (struct message) {.key = "SF1", .key_length = 3, .value = value,
                             .length = strlen(value), .kafka_ms = -1, .partition = -1};
}

static void becomes(const struct reshape_options *o, double speed, int64_t number, int64_t event_ms,
                    int64_t skew_ms, const char *from, const char *key, const char *to)
{
    struct reshape *r = reshape_open(o, speed, 1764547200000);      /* 2025-12-01T00:00:00Z */
    struct message m = scan(from), copy, first = scan("{}");

    if (event_ms >= 0)      /* the recording began an hour earlier */
        reshape_make(r, &copy, &first, 0, event_ms - HOUR_MS, 0);
    reshape_make(r, &copy, &m, number, event_ms, skew_ms);
    assert_true(same(copy.key, copy.key_length, key, strlen(key)));
    if (!same(copy.value, copy.length, to, strlen(to)))
        fail_msg("%.*s instead of %s", (int)copy.length, (const char *)copy.value, to);
    reshape_close(r);
}

static void copies(void **state)
{
    const struct reshape_options o = {.multiply = 9};
    const char *plain = "{ \"parcel\":\"SF1\", \"x\":[{\"parcel\":\"SF1\"}],"
                        "\"carrier_number\":\"C\\\"9\" }";

    (void)state;
    becomes(&o, 0, 0, -1, 0, plain, "SF1", plain);
    becomes(&o, 0, 7, -1, 0, plain, "SF1-7", "{ \"parcel\":\"SF1-7\", \"x\":[{\"parcel\":\"SF1\"}],"
            "\"carrier_number\":\"C\\\"9-7\" }");
    becomes(&o, 0, 7, -1, 0, "no JSON", "SF1-7", "no JSON");
    becomes(&o, 0, 7, -1, 0, "[\"parcel\"]", "SF1-7", "[\"parcel\"]");
    becomes(&o, 0, 7, -1, 0, "{\"parcel\":5,\"parcel\"", "SF1-7", "{\"parcel\":5,\"parcel\"");
}

static void times(void **state)
{
    const struct reshape_options kept = {.times = EVENT_KEPT}, rebased = {.times = EVENT_REBASED},
                                 scaled = {.times = EVENT_SCALED};
    const char *from = "{\"time\":\"2025-11-11T09:30:00.500+08:00\",\"promise\":"
                       "\"2025-11-12T01:30:00Z\",\"n\":1}";
    int64_t at_ms = 1762824600500;      /* 2025-11-11T01:30:00.500Z */

    (void)state;
    becomes(&kept, 0, 0, at_ms, 0, from, "SF1", from);
    becomes(&kept, 0, 0, at_ms, -30 * MINUTE_MS, from, "SF1",
            "{\"time\":\"2025-11-11T09:00:00.500+08:00\",\"promise\":\"2025-11-12T01:30:00Z\","
            "\"n\":1}");
    becomes(&rebased, 0, 0, at_ms, 0, from, "SF1",
            "{\"time\":\"2025-12-01T09:00:00.000+08:00\",\"promise\":\"2025-12-02T00:59:59Z\","
            "\"n\":1}");
    becomes(&scaled, 60, 0, at_ms, 0, from, "SF1",
            "{\"time\":\"2025-12-01T08:01:00.000+08:00\",\"promise\":\"2025-12-01T00:24:59Z\","
            "\"n\":1}");
    becomes(&rebased, 0, 0, at_ms, 0, "{\"time\":\"soon\"}", "SF1", "{\"time\":\"soon\"}");
}

/* ── Faults ───────────────────────────────────────────────────────────────── */

enum { MESSAGES = 20000, KEYS = 500, OUT_MAX = 3 * MESSAGES };

struct sent {
    int  number;             /* of the message put; -1 = broken */
};

static struct sent sent[OUT_MAX];
static int sents;

static int take(void *self, struct message *m)
{
    struct sent *s = &sent[sents++];
    json_t *value = m->headers == 1 ? NULL : json_loadb(m->value, m->length, 0, NULL);

    (void)self;
    assert_true(sents < OUT_MAX);
    s->number = value ? (int)json_integer_value(json_object_get(value, "n")) : -1;
    if (value == NULL)
        assert_int_equal(strncmp(m->header[0].name, "peakload-expect", 15), 0);
    json_decref(value);
    return 0;
}

static struct faults *run_faults(const struct fault_options *o)
{
    struct faults *f = faults_open(o, take, NULL);

    sents = 0;
    for (int i = 0; i < MESSAGES; i++) {
        char text[128];
        struct message m;

        snprintf(text, sizeof text, "{\"n\":%d,\"courier\":\"K%d\"}", i, i % KEYS);
        m = scan(text);
        assert_int_equal(faults_put(f, &m), 0);
    }
    assert_int_equal(faults_end(f), 0);
    return f;
}

/* Whatever is held back comes in the end, once. */
static void nothing_is_lost(void **state)
{
    const struct fault_options o = {.share = {0.06, 0.05, 0.02, 0.01, 0, 0.05}, .seed = 3,
                                    .late_by = 5000, .offline_for = 3000};
    struct faults *f = run_faults(&o);
    static int seen[MESSAGES];
    int broken = 0, twice = 0;

    (void)state;
    memset(seen, 0, sizeof seen);
    for (int i = 0; i < sents; i++) {
        if (sent[i].number < 0)
            broken++;
        else
            seen[sent[i].number]++;
    }
    for (int i = 0; i < MESSAGES; i++) {
        assert_in_range(seen[i], 1, 2);
        twice += seen[i] == 2;
    }
    assert_int_equal(broken, faults_count(f, FAULT_BROKEN));
    assert_int_equal(twice, faults_count(f, FAULT_REPEATS));
    assert_in_range(twice, MESSAGES * 5 / 100, MESSAGES * 7 / 100);
    for (int i = FAULT_DISORDER; i < FAULT_SKEW; i++)
        assert_in_range(faults_count(f, (enum fault)i), 1, MESSAGES / 10);
    faults_close(f);
}

/* A device that was offline is heard in its own order, all at once. */
static void offline(void **state)
{
    const struct fault_options o = {.share = {[FAULT_OFFLINE] = 0.1}, .seed = 5,
                                    .offline_for = 4000};
    struct faults *f = run_faults(&o);
    static int last[KEYS];
    int flood = 0;

    (void)state;
    memset(last, 0xff, sizeof last);
    assert_int_equal(sents, MESSAGES);
    for (int i = 0; i < sents; i++) {
        int key = sent[i].number % KEYS;

        assert_true(sent[i].number > last[key]);
        last[key] = sent[i].number;
        flood += i > 0 && sent[i].number < sent[i - 1].number;
    }
    assert_true(flood > 0);
    assert_in_range(faults_count(f, FAULT_OFFLINE), MESSAGES / 20, MESSAGES / 5);
    faults_close(f);
}

static void skew(void **state)
{
    const struct fault_options o = {.share = {[FAULT_SKEW] = 0.3}, .seed = 5};
    struct faults *f = faults_open(&o, take, NULL);
    int off = 0;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        char text[64];
        struct message m;
        int64_t ms;

        snprintf(text, sizeof text, "{\"facility\":\"F%d\"}", i);
        m = scan(text);
        ms = faults_skew_ms(f, &m);
        assert_int_equal(ms, faults_skew_ms(f, &m));        /* a device's clock is one clock */
        assert_int_equal(ms % (30 * MINUTE_MS), 0);
        assert_true(ms <= 8 * HOUR_MS && ms >= -8 * HOUR_MS);
        off += ms != 0;
    }
    assert_in_range(off, 230, 370);
    faults_close(f);
}

static void the_seed_decides(void **state)
{
    struct fault_options o = {.share = {0.1, 0.1, 0.1, 0.05, 0, 0.1}, .seed = 11};
    static struct sent before[OUT_MAX];
    int count;

    (void)state;
    faults_close(run_faults(&o));
    memcpy(before, sent, sizeof sent);
    count = sents;
    faults_close(run_faults(&o));
    assert_int_equal(sents, count);
    assert_memory_equal(before, sent, sizeof(struct sent) * (size_t)count);
    o.seed = 12;
    faults_close(run_faults(&o));
    assert_memory_not_equal(before, sent, sizeof(struct sent) * (size_t)count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(envelopes), cmocka_unit_test(random_bytes), cmocka_unit_test(copies),
        cmocka_unit_test(times), cmocka_unit_test(nothing_is_lost), cmocka_unit_test(offline),
        cmocka_unit_test(skew), cmocka_unit_test(the_seed_decides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
