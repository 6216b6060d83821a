/* The Redis Function library beside the program's own reading: the home of a key, and every
 * kind of parcel as JSON; what is no record; and that an older library never replaces a newer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "pipeline/config.h"
#include "pipeline/error.h"
#include "redis_server.h"
#include "stages/outlet/mark.h"
#include "stages/parcel/record.h"
#include "stages/scan/scan.h"
#include "stages/serve/api.h"
#include "stages/serve/library.h"
#include "stages/serve/view.h"
#include "tests/unit/parcel_samples.h"
#include "tests/unit/serve_rows.h"

enum { PARTITIONS = 5, BUCKETS = 16, PARCELS = 400, NAMES = 300 };

static redisContext  *redis;
static struct config *config;
static struct view   *view;

static redisReply *ask(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    redisReply *reply = redisvCommand(redis, format, arguments);
    va_end(arguments);
    assert_non_null(reply);
    return reply;
}

static void tell(redisReply *reply)
{
    assert_int_not_equal(reply->type, REDIS_REPLY_ERROR);
    freeReplyObject(reply);
}

static int32_t home(const char *number, size_t length)
{
    return (int32_t)(parcel_home(number, length) % PARTITIONS);
}

static const char *key_of(int32_t partition, const char *suffix)
{
    static char key[KEY_MAX];

    (void)key_print(key, sizeof key, "g", "scans", partition, suffix);
    return key;
}

static int begin(void **state)
{
    (void)state;
    char address[120];

    redis = redisConnectUnix(server.socket);
    tell(ask("FLUSHALL"));
    config = config_create(rows, sizeof rows / sizeof rows[0]);
    (void)snprintf(address, sizeof address, "redis.address=%s", server.address);
    assert_int_equal(config_set(config, address), 0);
    assert_int_equal(config_finish(config), 0);
    view = view_open(config);
    assert_int_equal(library_load(view), library_version);
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

static void put_partition(int32_t partition)
{
    const struct mark mark = {.partitions = PARTITIONS, .buckets = BUCKETS, .epoch = UINT64_MAX,
                              .owner = UINT64_MAX, .sequence = 7,
                              .offset = INT64_C(9007199254740993), .records = 8,
                              .clock_ms = INT64_C(1764340000123) + partition, .kafka_ms = -1,
                              .home = -1};
    char text[MARK_TEXT_MAX];
    size_t length = mark_print(&mark, text);

    tell(ask("SET %s %b", key_of(partition, "mark"), text, length));
    for (int i = 1; i < NAMES; i++) {
        tell(ask("HSET %s p:%d \"%d/\\é", key_of(partition, "names"), i, i));
        if (i < 256)
            tell(ask("HSET %s s:%d service-%d", key_of(partition, "names"), i, i));
    }
}

static void put_parcel(const struct parcel *parcel)
{
    uint8_t bytes[RECORD_BYTES_MAX];
    char    suffix[16];
    size_t  number = parcel->number_length, length = record_pack(parcel, bytes);
    int32_t partition = home(parcel->number, number);

    (void)snprintf(suffix, sizeof suffix, "b%08x",
                   parcel_home(parcel->number, number) / PARTITIONS % BUCKETS);
    tell(ask("HSET %s %b %b", key_of(partition, suffix), parcel->number, number, bytes, length));
    if (parcel->carrier_number_length > 0)
        tell(ask("HSET %s %b %b", key_of(partition, "carrier"), parcel->carrier_number,
                 (size_t)parcel->carrier_number_length, parcel->number, number));
}

/* Any parcel, its names among those that are known. */
static void some_parcel(struct random *r, uint32_t which, struct parcel *parcel)
{
    random_parcel(r, parcel);
    parcel->number_length = random_number(which, 1 + random_below(r, PARCEL_MAX), parcel->number);
    parcel->at %= NAMES;
    parcel->next %= NAMES;
    for (uint8_t i = 0; i < parcel->alerts_count; i++)
        parcel->alerts[i].sentence = 0; /* each detector has one */
    if (!random_one_in(r, 4))
        return;
    parcel->flags |= PARCEL_TOMBSTONE;
    parcel->state = STATE_LOST;
    parcel->code = SCAN_LOST;
}

/* The library's answer beside the program's, but for what each says of its own scope. */
static void expect_same(const char *asked, int32_t partition)
{
    struct view_parcel found;
    struct buffer      text = {.bytes = NULL};
    redisReply *reply = ask("FCALL_RO peakline_parcel 1 %s %s", key_of(partition, "mark"), asked);

    assert_int_equal(reply->type, REDIS_REPLY_STRING);
    assert_int_equal(view_parcel(view, asked, &found), VIEW_FOUND);
    api_write_parcel(&text, &found);
    json_t *theirs = json_loads(reply->str, 0, NULL);
    json_t *ours = json_loadb(text.bytes, text.used, 0, NULL);

    assert_non_null(theirs);
    assert_non_null(ours);
    assert_true(json_is_array(json_object_get(theirs, "alerts")));
    (void)json_object_del(theirs, "scope");
    (void)json_object_del(ours, "scope");
    (void)json_object_del(theirs, "alerts");
    (void)json_object_del(ours, "alerts");
    if (!json_equal(theirs, ours))
        (void)fprintf(stderr, "%s\n%.*s\n", reply->str, (int)text.used, text.bytes);
    assert_true(json_equal(theirs, ours));
    json_decref(theirs);
    json_decref(ours);
    buffer_free(&text);
    view_parcel_free(&found);
    freeReplyObject(reply);
}

static void parcels(void **state)
{
    struct random r = {.state = 7};
    struct parcel parcel;
    char          number[PARCEL_MAX + 1] = "";

    (void)state;
    for (int32_t i = 0; i < PARTITIONS; i++)
        put_partition(i);
    for (uint32_t i = 0; i < PARCELS; i++) {
        some_parcel(&r, i, &parcel);
        put_parcel(&parcel);
        (void)snprintf(number, sizeof number, "%.*s", parcel.number_length, parcel.number);
        expect_same(number, home(parcel.number, parcel.number_length));
        if (parcel.carrier_number_length == 0 || (parcel.flags & PARCEL_TOMBSTONE))
            continue;
        (void)snprintf(number, sizeof number, "%.*s", parcel.carrier_number_length,
                       parcel.carrier_number);
        redisReply *reply = ask("FCALL_RO peakline_parcel 1 %s %s",
                                key_of(home(parcel.number, parcel.number_length), "mark"), number);
        assert_int_equal(reply->type, REDIS_REPLY_STRING);
        freeReplyObject(reply);
    }
}

static void open_alerts(void **state)
{
    struct parcel parcel;

    (void)state;
    typical_parcel(1, &parcel);
    int32_t partition = home(parcel.number, parcel.number_length);

    put_partition(partition);
    parcel.alerts_count = 2;
    parcel.alerts[0] = (struct alert) {.id = UINT64_C(0xfedcba9876543210), .state = 1};
    parcel.alerts[1] = (struct alert) {.id = 1, .state = ALERT_RESOLVED};
    put_parcel(&parcel);
    tell(ask("DEL %s", key_of(partition, "open")));
    tell(ask("HSET %s fedcba9876543210 {\"id\":\"x\"}", key_of(partition, "open")));
    redisReply *reply = ask("FCALL_RO peakline_parcel 1 %s %b", key_of(partition, "mark"),
                            parcel.number, (size_t)parcel.number_length);

    assert_non_null(strstr(reply->str, "\"alerts\":[{\"id\":\"x\"}]}"));
    freeReplyObject(reply);
    for (int i = 0; i < 500; i++)
        tell(ask("HSET %s %016x {\"id\":\"%016x\"}", key_of(partition, "open"), i, i));
    reply = ask("FCALL_RO peakline_alerts 1 %s 70", key_of(partition, "mark"));
    json_t *json = json_loads(reply->str, 0, NULL);

    assert_int_equal(json_integer_value(json_object_get(json, "matching")), 501);
    assert_int_equal(json_array_size(json_object_get(json, "alerts")), 70);
    assert_int_equal(json_integer_value(json_object_get(json, "offset")),
                     INT64_C(9007199254740993));
    json_decref(json);
    freeReplyObject(reply);
}

static void homes(void **state)
{
    struct random r = {.state = 9};
    char          number[80];

    (void)state;
    for (uint32_t i = 0; i < 3000; i++) {
        uint32_t length = random_below(&r, sizeof number);

        for (uint32_t at = 0; at < length; at++)
            number[at] = (char)random_next(&r);
        redisReply *reply = ask("FCALL_RO peakline_partition 0 %b 2147483647", number,
                                (size_t)length);
        assert_int_equal(reply->integer, parcel_home(number, length) % 2147483647);
        freeReplyObject(reply);
    }
}

static void expect_error(redisReply *reply, const char *what)
{
    assert_int_equal(reply->type, REDIS_REPLY_ERROR);
    if (strstr(reply->str, what) == NULL)
        print_message("%s\n", reply->str);
    assert_non_null(strstr(reply->str, what));
    freeReplyObject(reply);
}

static void nonsense(void **state)
{
    struct parcel parcel;
    uint8_t       bytes[RECORD_BYTES_MAX];
    char          suffix[16];

    (void)state;
    expect_error(ask("FCALL_RO peakline_parcel 1 some:key X"), "{GROUP:TOPIC:PARTITION}:mark");
    expect_error(ask("FCALL_RO peakline_alerts 1 %s 0", key_of(0, "mark")), "1 to 10000");
    expect_error(ask("FCALL_RO peakline_partition 0 X"), "NUMBER PARTITIONS");
    redisReply *reply = ask("FCALL_RO peakline_parcel 1 %s X", key_of(0, "mark"));
    assert_int_equal(reply->type, REDIS_REPLY_NIL); /* no mark: nobody has begun */
    freeReplyObject(reply);
    typical_parcel(1, &parcel);
    size_t  length = record_pack(&parcel, bytes);
    int32_t partition = home(parcel.number, parcel.number_length);

    put_partition(partition);
    (void)snprintf(suffix, sizeof suffix, "b%08x",
                   parcel_home(parcel.number, parcel.number_length) / PARTITIONS % BUCKETS);
    for (size_t cut = 1; cut < length; cut += 5) {
        tell(ask("HSET %s %b %b", key_of(partition, suffix), parcel.number,
                 (size_t)parcel.number_length, bytes, cut));
        expect_error(ask("FCALL_RO peakline_parcel 1 %s %b", key_of(partition, "mark"),
                         parcel.number, (size_t)parcel.number_length), "PEAKLINE ");
    }
    bytes[0] = RECORD_FORMAT + 1;
    tell(ask("HSET %s %b %b", key_of(partition, suffix), parcel.number,
             (size_t)parcel.number_length, bytes, length));
    expect_error(ask("FCALL_RO peakline_parcel 1 %s %b", key_of(partition, "mark"), parcel.number,
                     (size_t)parcel.number_length), "record format");
}

static void put_version(int version)
{
    char text[200];

    (void)snprintf(text, sizeof text, "#!lua name=peakline\nredis.register_function{function_name="
                   "'peakline_version', callback=function() return %d end, flags={'no-writes'}}",
                   version);
    tell(ask("FUNCTION LOAD REPLACE %s", text));
}

static int version_there(void)
{
    redisReply *reply = ask("FCALL_RO peakline_version 0");
    int         version = (int)reply->integer;

    freeReplyObject(reply);
    return version;
}

static void versions(void **state)
{
    (void)state;
    assert_int_equal(version_there(), library_version);
    put_version(library_version + 3);
    assert_int_equal(library_load(view), library_version + 3); /* a newer one stays */
    assert_int_equal(version_there(), library_version + 3);
    put_version(library_version - 1);
    assert_int_equal(library_load(view), library_version);
    assert_int_equal(version_there(), library_version);
    tell(ask("FUNCTION FLUSH"));
    assert_int_equal(library_load(view), library_version);
    server_stop(SIGKILL);
    assert_int_equal(library_load(view), -1);
    assert_non_null(strstr(error_text(), "Redis"));
    server_start("", "noeviction");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(homes, begin, end),
        cmocka_unit_test_setup_teardown(parcels, begin, end),
        cmocka_unit_test_setup_teardown(open_alerts, begin, end),
        cmocka_unit_test_setup_teardown(nonsense, begin, end),
        cmocka_unit_test_setup_teardown(versions, begin, end),
    };

    if (!server_begin())
        return 0;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    server_end();
    return failed;
}
