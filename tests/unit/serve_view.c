/* What view reads out of Redis, beside what was put there: parcels of all partitions by both
 * numbers, alerts filtered and sorted, marks; and a Redis that is away, or holds nonsense. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "pipeline/clock.h"
#include "pipeline/config.h"
#include "pipeline/error.h"
#include "redis_server.h"
#include "stages/outlet/mark.h"
#include "stages/parcel/record.h"
#include "stages/scan/scan.h"
#include "stages/serve/view.h"
#include "tests/unit/serve_rows.h"

enum { PARTITIONS = 3, BUCKETS = 16, PARCELS = 200 };

static redisContext  *redis;
static struct config *config;
static struct view   *view;

static void put(const char *verb, int32_t partition, const char *suffix, const char *field,
                const void *value, size_t length)
{
    char        key[KEY_MAX];
    const char *arguments[] = {verb, key, field, value};
    size_t      lengths[] = {strlen(verb), 0, field != NULL ? strlen(field) : 0, length};

    lengths[1] = key_print(key, sizeof key, "g", "scans", partition, suffix);
    if (field == NULL) {
        arguments[2] = value;
        lengths[2] = length;
    }
    redisReply *reply = redisCommandArgv(redis, field == NULL ? 3 : 4, arguments, lengths);
    assert_true(reply != NULL && reply->type != REDIS_REPLY_ERROR);
    freeReplyObject(reply);
}

static void put_mark(int32_t partition, int64_t clock_ms)
{
    const struct mark mark = {.partitions = PARTITIONS, .buckets = BUCKETS, .epoch = 5,
                              .owner = 6, .sequence = 7, .offset = 100 + partition,
                              .clock_ms = clock_ms, .records = 8, .kafka_ms = -1, .home = -1};
    char text[MARK_TEXT_MAX];

    put("SET", partition, "mark", NULL, text, mark_print(&mark, text));
}

static void put_parcel(int32_t partition, const char *number, const char *carrier_number)
{
    struct parcel parcel = {.life = 1, .state = STATE_IN_TRANSIT, .code = SCAN_ARRIVE,
                            .service = 1, .base_s = 1700000000, .at = 3, .next = 4,
                            .carrier = 900000, .history_count = 1, .state_s = 1700000000};
    uint8_t bytes[RECORD_BYTES_MAX];
    char    suffix[16];

    parcel.number_length = (uint8_t)strlen(number);
    memcpy(parcel.number, number, parcel.number_length);
    parcel.carrier_number_length = (uint8_t)strlen(carrier_number);
    memcpy(parcel.carrier_number, carrier_number, parcel.carrier_number_length);
    parcel.history[0] = (uint64_t)3 << 17 | (uint64_t)SCAN_ARRIVE << 12;
    (void)snprintf(suffix, sizeof suffix, "b%08x",
                   parcel_home(number, strlen(number)) / PARTITIONS % BUCKETS);
    put("HSET", partition, suffix, number, bytes, record_pack(&parcel, bytes));
    if (carrier_number[0] != '\0')
        put("HSET", partition, "carrier", carrier_number, number, strlen(number));
}

static int32_t home(const char *number)
{
    return (int32_t)(parcel_home(number, strlen(number)) % PARTITIONS);
}

static void fill(void)
{
    char number[24], carrier_number[24];

    for (int32_t partition = 0; partition < PARTITIONS; partition++) {
        put_mark(partition, 1700000000000 - partition * 1000);
        put("HSET", partition, "names", "p:3", "HGH-HUB", 7);
        put("HSET", partition, "names", "p:4", "PVG-HUB", 7);
        put("HSET", partition, "names", "p:900000", "yunda", 5);
        put("HSET", partition, "names", "s:1", "express", 7);
    }
    for (int i = 0; i < PARCELS; i++) {
        (void)snprintf(number, sizeof number, "P%05d", i);
        (void)snprintf(carrier_number, sizeof carrier_number, "CN-%d", i);
        put_parcel(home(number), number, i % 2 == 0 ? carrier_number : "");
    }
}

static void open_view(const char *partitioner)
{
    char address[120];

    config = config_create(rows, sizeof rows / sizeof rows[0]);
    (void)snprintf(address, sizeof address, "redis.address=%s", server.address);
    assert_int_equal(config_set(config, address), 0);
    assert_int_equal(config_set(config, partitioner), 0);
    assert_int_equal(config_finish(config), 0);
    view = view_open(config);
    assert_non_null(view);
}

static int begin(void **state)
{
    (void)state;
    redis = redisConnectUnix(server.socket);
    freeReplyObject(redisCommand(redis, "FLUSHALL"));
    open_view("kafka.partitioner=murmur2");
    return 0;
}

static int end(void **state)
{
    (void)state;
    view_close(view);
    config_destroy(config);
    redisFree(redis);
    return 0;
}

static void expect_parcel(const char *asked, const char *number)
{
    struct view_parcel found;

    assert_int_equal(view_parcel(view, asked, &found), VIEW_FOUND);
    assert_int_equal(found.parcel.number_length, strlen(number));
    assert_memory_equal(found.parcel.number, number, strlen(number));
    assert_int_equal(found.partition, home(number));
    assert_int_equal(found.mark.offset, 100 + home(number));
    assert_string_equal(names_text(found.names, NAME_PLACE, found.parcel.at), "HGH-HUB");
    assert_string_equal(names_text(found.names, NAME_PLACE, found.parcel.next), "PVG-HUB");
    assert_string_equal(names_text(found.names, NAME_PLACE, found.parcel.carrier), "yunda");
    assert_string_equal(names_text(found.names, NAME_SERVICE, found.parcel.service), "express");
    view_parcel_free(&found);
}

static void parcels(void **state)
{
    struct view_parcel found;
    char               number[24], carrier_number[24];

    (void)state;
    assert_int_equal(view_parcel(view, "P00001", &found), VIEW_ABSENT); /* nothing at all yet */
    fill();
    for (int i = 0; i < PARCELS; i++) {
        (void)snprintf(number, sizeof number, "P%05d", i);
        (void)snprintf(carrier_number, sizeof carrier_number, "CN-%d", i);
        expect_parcel(number, number);
        if (i % 2 == 0)
            expect_parcel(carrier_number, number);
    }
    assert_int_equal(view_parcel(view, "P99999", &found), VIEW_ABSENT);
    assert_int_equal(view_parcel(view, "", &found), VIEW_ABSENT);
    assert_int_equal(view_parcel(view, "longer than any number of a parcel that there can be",
                                 &found), VIEW_ABSENT);
}

/* partitioner `any`: a number may lie anywhere, its bucket is as ever. */
static void anywhere(void **state)
{
    struct view_parcel found;

    (void)state;
    fill();
    put_parcel((home("ASTRAY") + 1) % PARTITIONS, "ASTRAY", "");
    assert_int_equal(view_parcel(view, "ASTRAY", &found), VIEW_ABSENT);
    view_close(view);
    config_destroy(config);
    open_view("kafka.partitioner=any");
    assert_int_equal(view_parcel(view, "ASTRAY", &found), VIEW_FOUND);
    assert_int_equal(found.partition, (home("ASTRAY") + 1) % PARTITIONS);
    view_parcel_free(&found);
}

static void partitions(void **state)
{
    struct view_partitions found;

    (void)state;
    assert_int_equal(view_partitions(view, &found), VIEW_ABSENT);
    put_mark(1, 5000); /* one that isn't the first tells how many there are */
    assert_int_equal(view_partitions(view, &found), VIEW_FOUND);
    assert_int_equal(found.count, PARTITIONS);
    assert_false(found.list[0].present);
    assert_true(found.list[1].present);
    assert_int_equal(found.list[1].mark.offset, 101);
    assert_int_equal(view_clock_ms(&found), 5000);
    view_partitions_free(&found);
    put_mark(2, 4000);
    assert_int_equal(view_partitions(view, &found), VIEW_FOUND);
    assert_int_equal(view_clock_ms(&found), 4000);
    view_partitions_free(&found);
    put("SET", 0, "mark", NULL, "nonsense", 8);
    assert_int_equal(view_partitions(view, &found), VIEW_FAILED);
    assert_non_null(strstr(error_text(), "not a mark"));
}

static void put_alert(int i)
{
    char id[20], json[300];

    (void)snprintf(id, sizeof id, "%016x", (unsigned int)i);
    int length = snprintf(json, sizeof json,
                          "{\"id\":\"%s\",\"type\":\"%s\",\"severity\":\"%s\",\"parcel\":\"P%d\","
                          "\"opened_at\":\"2026-11-11T%02d:%02d:00Z\",\"text\":\"%s\"}",
                          id, i % 3 == 0 ? "stalled" : "misrouted",
                          i % 2 == 0 ? "warning" : "critical", i, i / 60 % 24, i % 60,
                          "says \\\",\\\"type\\\":\\\"lost\\\",\\\" \\u00e9\\n");
    put("HSET", i % PARTITIONS, "open", id, json, (size_t)length);
}

static size_t count(const char *type, const char *severity, size_t limit, size_t *matching)
{
    struct view_filter filter = {.type = type, .severity = severity, .limit = limit};
    struct view_alerts found;
    size_t             listed;

    assert_int_equal(view_alerts(view, &filter, &found), VIEW_FOUND);
    for (size_t i = 1; i < found.count; i++)
        assert_true(strcmp(found.list[i - 1].opened_at, found.list[i].opened_at) >= 0);
    if (matching != NULL)
        *matching = found.matching;
    listed = found.count;
    view_alerts_free(&found);
    return listed;
}

static void alerts(void **state)
{
    struct view_filter filter = {.parcel = "P7"};
    struct view_alerts found;
    size_t             matching;

    (void)state;
    assert_int_equal(count(NULL, NULL, 0, NULL), 0);
    fill();
    for (int i = 0; i < 600; i++)
        put_alert(i);
    put("HSET", 1, "open", "broken", "no json", 7);
    assert_int_equal(count(NULL, NULL, 0, NULL), 600);
    assert_int_equal(count("stalled", NULL, 0, NULL), 200);
    assert_int_equal(count("lost", NULL, 0, NULL), 0); /* what a text says is no member */
    assert_int_equal(count("stalled", "critical", 0, NULL), 100);
    assert_int_equal(count("", "warning", 10, &matching), 10);
    assert_int_equal(matching, 300);
    filter.limit = 7;
    assert_int_equal(view_alerts(view, &filter, &found), VIEW_FOUND);
    assert_int_equal(found.count, 1);
    assert_int_equal(found.list[0].partition, 7 % PARTITIONS);
    assert_int_equal(found.clock_ms, 1700000000000 - 2000);
    json_t *parsed = json_loads(found.list[0].json, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(parsed, "parcel")), "P7");
    json_decref(parsed);
    view_alerts_free(&found);
    filter = (struct view_filter) {.limit = 3};
    assert_int_equal(view_alerts(view, &filter, &found), VIEW_FOUND);
    for (size_t i = 0; i < 3; i++) { /* the latest of all */
        char opened[32];

        (void)snprintf(opened, sizeof opened, "2026-11-11T09:%02d:00Z", 59 - (int)i);
        assert_string_equal(found.list[i].opened_at, opened);
    }
    view_alerts_free(&found);
}

/* Beside jansson, whatever the escapes. */
static void members(void **state)
{
    static const char json[] = "{\"a\":\"\",\"b\":\"q\\\"\\\\\\/\\b\\f\\n\\r\\t\",\"c\":-12.5,"
                               "\"d\":\"\\u0041\\u00e9\\u4e2d\",\"e\":true,\"text\":\"x\"}";
    json_t *parsed = json_loads(json, 0, NULL);
    char    text[64];

    (void)state;
    for (const char *name = "abd"; *name != '\0'; name++) {
        char one[2] = {*name, '\0'};

        assert_true(view_member(json, one, text, sizeof text));
        assert_string_equal(text, json_string_value(json_object_get(parsed, one)));
    }
    assert_true(view_member(json, "c", text, sizeof text));
    assert_string_equal(text, "-12.5");
    assert_true(view_member(json, "e", text, sizeof text));
    assert_string_equal(text, "true");
    assert_false(view_member(json, "ext", text, sizeof text));
    assert_true(view_member(json, "b", text, 4));
    assert_int_equal(strlen(text), 3);
    static const char *const cut[] = {"{\"a\":", "{\"a\":\"", "{\"a\":\"x\\", "{\"a\":\"\\u12", ""};
    for (size_t i = 0; i < sizeof cut / sizeof cut[0]; i++)
        (void)view_member(cut[i], "a", text, sizeof text); /* nothing is read past the end */
    json_decref(parsed);
}

static void nonsense(void **state)
{
    struct view_parcel found;
    char               suffix[16];

    (void)state;
    fill();
    (void)snprintf(suffix, sizeof suffix, "b%08x", parcel_home("BAD", 3) / PARTITIONS % BUCKETS);
    put("HSET", home("BAD"), suffix, "BAD", "\xff\xff\xff", 3);
    assert_int_equal(view_parcel(view, "BAD", &found), VIEW_FAILED);
    freeReplyObject(redisCommand(redis, "DEL {g:scans:0}:carrier"));
    put("SET", 0, "carrier", NULL, "a string", 8);
    assert_int_equal(view_parcel(view, "CN-1", &found), VIEW_FAILED);
    assert_non_null(strstr(error_text(), "WRONGTYPE"));
    expect_parcel("P00001", "P00001"); /* and the next question is answered */
}

/* Gone: it fails, at once while it is gone, and serves again when it is back. */
static void away(void **state)
{
    struct view_parcel found;

    (void)state;
    fill();
    expect_parcel("P00001", "P00001");
    server_stop(SIGKILL);
    assert_int_equal(view_parcel(view, "P00001", &found), VIEW_FAILED);
    uint64_t from_ns = clock_monotonic_ns();
    for (int i = 0; i < 1000; i++)
        assert_int_equal(view_parcel(view, "P00001", &found), VIEW_FAILED);
    assert_true(error_text()[0] != '\0');
    assert_true(clock_monotonic_ns() - from_ns < 500000000);
    server_start("", "noeviction");
    (void)usleep(1000000);
    assert_int_equal(view_parcel(view, "P00001", &found), VIEW_ABSENT);
    server_stop(SIGKILL); /* a restart between two questions is not noticed at all */
    server_start("", "noeviction");
    assert_int_equal(view_parcel(view, "P00001", &found), VIEW_ABSENT);
}

#define SERVED(name) cmocka_unit_test_setup_teardown(name, begin, end)

/* One that is open at SHA3; what is "" is not in it. */
static void put_work(int i, const char *owner, const char *courier, const char *deadline)
{
    char id[20], json[300], named[40] = "", due[60] = "";

    (void)snprintf(id, sizeof id, "%016x", (unsigned int)i);
    if (courier[0] != '\0')
        (void)snprintf(named, sizeof named, "\"courier\":\"%s\",", courier);
    if (deadline[0] != '\0')
        (void)snprintf(due, sizeof due, ",\"deadline\":\"2026-11-%sT00:00:00Z\"", deadline);
    int length = snprintf(json, sizeof json,
                          "{\"id\":\"%s\",\"type\":\"lost\",\"parcel\":\"P%d\",%s\"owner\":\"%s\","
                          "\"facility\":\"SHA3\",\"opened_at\":\"2026-11-%02dT00:00:00Z\"%s}",
                          id, i, named, owner, 10 + i, due);

    put("HSET", i % PARTITIONS, "open", id, json, (size_t)length);
}

static void expect_work(const char *subject, size_t limit, const char *parcels)
{
    struct view_filter filter = {.work = subject, .limit = limit};
    struct view_alerts found;
    char               told[64] = "";

    assert_int_equal(view_alerts(view, &filter, &found), VIEW_FOUND);
    for (size_t i = 0; i < found.count; i++) {
        char number[8];

        assert_true(view_member(found.list[i].json, "parcel", number, sizeof number));
        (void)snprintf(told + strlen(told), sizeof told - strlen(told), "%s ", number);
    }
    assert_string_equal(told, parcels);
    view_alerts_free(&found);
}

/* The oldest deadline first; what has none is due since it was opened. */
static void work_lists(void **state)
{
    (void)state;
    fill();
    put_work(0, "facility", "", "25");
    put_work(1, "facility", "", "");      /* since the 11th */
    put_work(2, "courier", "K7", "20");
    put_work(3, "courier", "", "12");     /* nobody named: the depot's */
    put_work(4, "customs", "K7", "13");   /* whoever had it: customs have it now */
    put_work(5, "shipper", "", "01");
    put_work(6, "courier", "K7", "");     /* since the 16th */
    expect_work("SHA3", 0, "P1 P3 P4 P0 ");
    expect_work("SHA3", 1, "P1 ");
    expect_work("K7", 0, "P6 P2 ");
    expect_work("K8", 0, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {SERVED(parcels), SERVED(anywhere), SERVED(partitions),
                                       SERVED(alerts), SERVED(work_lists),
                                       cmocka_unit_test(members), SERVED(nonsense),
                                       SERVED(away)};

    if (!server_begin())
        return 0;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    server_end();
    return failed;
}
