/* The HTTP interface over a real socket: paths, statuses, JSON beside jansson, limits, who may
 * ask; from 127.0.0.1 and from an address of this machine that is not loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cmocka.h>
#include <jansson.h>

#include "pipeline/clock.h"
#include "pipeline/config.h"
#include "pipeline/error.h"
#include "pipeline/metric.h"
#include "redis_server.h"
#include "stages/outlet/mark.h"
#include "stages/parcel/record.h"
#include "stages/scan/scan.h"
#include "stages/serve/api.h"
#include "stages/serve/http.h"
#include "tests/unit/serve_rows.h"

/* ── The instance that is served ──────────────────────────────────────────── */

static struct {
    uint64_t turned_ns;
    bool     draining, sick;
} instance;

static uint32_t hook_runners(void *self)
{
    (void)self;
    return 3;
}

static uint64_t hook_turned(void *self, uint32_t runner)
{
    (void)self;
    return runner == 2 ? instance.turned_ns : clock_monotonic_ns();
}

static bool hook_draining(void *self)
{
    (void)self;
    return instance.draining;
}

static int32_t hook_partitions(void *self)
{
    (void)self;
    return 4;
}

static bool hook_partition(void *self, int32_t number, struct serve_partition *p)
{
    (void)self;
    *p = (struct serve_partition) {.phase = "running", .healthy = number != 2 || !instance.sick,
                                   .why = number == 2 ? "waits for \"Redis\"" : NULL,
                                   .position = 90, .high = 100, .clock_ms = 1700000000000};
    return number >= 2;
}

static const struct serve_hooks hooks = {
    .runners = hook_runners, .turned_ns = hook_turned, .draining = hook_draining,
    .partitions = hook_partitions, .partition = hook_partition};

static struct config *config;
static struct http   *http;

static void start(const char *listen_at, const char *token)
{
    char text[160];

    config = config_create(rows, sizeof rows / sizeof rows[0]);
    (void)snprintf(text, sizeof text, "redis.address=%s", server.address);
    assert_int_equal(config_set(config, text), 0);
    (void)snprintf(text, sizeof text, "http.listen=%s", listen_at);
    assert_int_equal(config_set(config, text), 0);
    (void)snprintf(text, sizeof text, "http.token=%s", token);
    assert_int_equal(config_set(config, text), 0);
    assert_int_equal(config_finish(config), 0);
    http = http_start(config, &hooks);
}

static int begin(void **state)
{
    (void)state;
    instance.turned_ns = clock_monotonic_ns();
    instance.draining = instance.sick = false;
    start("127.0.0.1:0", "");
    return http == NULL;
}

static int end(void **state)
{
    (void)state;
    http_stop(http);
    config_destroy(config);
    http = NULL;
    return 0;
}

/* ── A client ─────────────────────────────────────────────────────────────── */

static struct answer {
    int    status;
    char   head[2048];
    char   body[65536];
    json_t *json;
} answer;

/* Sends the bytes, reads to the end; the status, 0 = the connection was just closed. */
static int say(struct in_addr to, const char *bytes, size_t length)
{
    static char        all[70000];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(http_port(http)),
                                  .sin_addr = to};
    size_t used = 0;
    int    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    json_decref(answer.json);
    memset(&answer, 0, sizeof answer);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    (void)send(fd, bytes, length, MSG_NOSIGNAL);
    for (ssize_t got = 1; got > 0 && used < sizeof all - 1; used += got > 0 ? (size_t)got : 0)
        got = recv(fd, all + used, sizeof all - 1 - used, 0);
    assert_int_equal(close(fd), 0);
    all[used] = '\0';
    char *body = strstr(all, "\r\n\r\n");
    if (body == NULL)
        return 0;
    (void)snprintf(answer.head, sizeof answer.head, "%.*s", (int)(body - all), all);
    (void)snprintf(answer.body, sizeof answer.body, "%s", body + 4);
    answer.json = json_loads(answer.body, 0, NULL);
    answer.status = (int)strtol(all + 9, NULL, 10);
    return answer.status;
}

static int ask(const char *method, const char *path, const char *header)
{
    struct in_addr loopback = {.s_addr = htonl(INADDR_LOOPBACK)};
    char           request[4096];
    int length = snprintf(request, sizeof request,
                          "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n", method, path,
                          header);

    return say(loopback, request, (size_t)length);
}

static int get(const char *path)
{
    int status = ask("GET", path, "");

    if (status != 200 && status != 503 && answer.json != NULL)
        assert_int_equal(json_integer_value(json_object_get(answer.json, "status")), status);
    return status;
}

static const char *text_of(const char *name)
{
    return json_string_value(json_object_get(answer.json, name));
}

static int64_t number_of(const char *name)
{
    return json_integer_value(json_object_get(answer.json, name));
}

/* ── Tests ────────────────────────────────────────────────────────────────── */

static void health(void **state)
{
    (void)state;
    assert_int_equal(get("/live"), 200);
    assert_int_equal(number_of("runners"), 3);
    instance.turned_ns -= UINT64_C(11000000000);
    assert_int_equal(get("/live"), 503);
    assert_int_equal(json_array_size(json_object_get(answer.json, "hanging")), 1);
    assert_int_equal(get("/ready"), 200);
    instance.sick = true;
    assert_int_equal(get("/ready"), 503);
    json_t *one = json_array_get(json_object_get(answer.json, "partitions"), 0);
    assert_int_equal(json_integer_value(json_object_get(one, "partition")), 2);
    assert_string_equal(json_string_value(json_object_get(one, "why")), "waits for \"Redis\"");
    instance.sick = false;
    instance.draining = true;
    assert_int_equal(get("/ready"), 503);
    assert_true(json_is_true(json_object_get(answer.json, "draining")));
}

static void the_instance(void **state)
{
    (void)state;
    assert_int_equal(get("/partitions"), 200);
    assert_string_equal(text_of("scope"), "instance");
    json_t *list = json_object_get(answer.json, "partitions");
    assert_int_equal(json_array_size(list), 2);
    json_t *one = json_array_get(list, 1);
    assert_int_equal(json_integer_value(json_object_get(one, "partition")), 3);
    assert_int_equal(json_integer_value(json_object_get(one, "lag")), 10);
    assert_string_equal(json_string_value(json_object_get(one, "clock")),
                        "2023-11-14T22:13:20.000Z");
    assert_int_equal(get("/version"), 200);
    assert_string_equal(text_of("version"), PEAKLINE_VERSION);
    assert_int_equal(get("/metrics"), 200);
    assert_non_null(strstr(answer.body, "# TYPE peakline_http_requests_total counter\n"));
    assert_non_null(strstr(answer.body, "peakline_http_requests_total{status=\"2xx\"} "));
    assert_non_null(strstr(answer.head, "text/plain; version=0.0.4"));
    assert_non_null(strstr(answer.body,
                           "peakline_partition_lag_records{partition=\"3\"} 10.000\n"));
    assert_null(strstr(answer.body, "partition=\"0\"")); /* not ours: no series */
    assert_non_null(strstr(answer.body, "peakline_build_info{version=\"" PEAKLINE_VERSION "\"} 1"));
}

static void not_here(void **state)
{
    static const char *const paths[] = {"/", "/v1", "/v1/parcels/", "/v1/parcels/a/b", "/livee",
                                        "/v1/alerts/", "/%00", "/../live", "/v1/work",
                                        "/v1/work/", "/v1/work/a/b"};

    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        assert_int_equal(get(paths[i]), 404);
        assert_non_null(strstr(answer.head, "application/problem+json"));
    }
    assert_int_equal(ask("POST", "/live", "Content-Length: 0\r\n"), 405);
    assert_non_null(strstr(answer.head, "Allow: GET, HEAD"));
    assert_int_equal(ask("DELETE", "/v1/parcels/P1", ""), 405);
    assert_int_equal(ask("HEAD", "/live", ""), 200);
    assert_string_equal(answer.body, "");
    assert_int_equal(get("/v1/alerts?limit=x"), 400);
    assert_int_equal(get("/v1/alerts?limit=0"), 400);
    assert_int_equal(get("/v1/alerts?limit=10001"), 400);
    assert_int_equal(get("/v1/alerts?limit=99999999999999999999"), 400);
}

static void limits(void **state)
{
    static char    much[300000];
    struct in_addr loopback = {.s_addr = htonl(INADDR_LOOPBACK)};
    int            length;

    (void)state;
    memset(much, 'x', sizeof much);
    length = snprintf(much, sizeof much, "GET /live");
    much[length] = 'x'; /* a first line without end */
    int status = say(loopback, much, sizeof much);
    assert_true(status == 0 || (status >= 400 && status < 600));
    memset(much, 'x', sizeof much);
    length = snprintf(much, sizeof much,
                      "GET /live HTTP/1.1\r\nHost: x\r\nContent-Length: 290000\r\n\r\n");
    much[length] = 'x';
    status = say(loopback, much, sizeof much);
    assert_true(status == 0 || status >= 400);
    assert_int_equal(say(loopback, "\x16\x03\x01\r\n\r\n", 7) / 100 % 4, 0); /* 400, or closed */
    assert_int_equal(get("/live"), 200);
}

static void put(redisContext *redis, const char *key, const char *field, const void *value,
                size_t length)
{
    redisReply *reply = redisCommand(redis, "HSET %s %s %b", key, field, value, length);

    assert_true(reply != NULL && reply->type == REDIS_REPLY_INTEGER);
    freeReplyObject(reply);
}

/* One partition with one parcel that has all there is. */
static void fill(void)
{
    redisContext *redis = redisConnectUnix(server.socket);
    struct mark   mark = {.partitions = 1, .buckets = 1, .offset = 42,
                          .clock_ms = 1700000100500, .kafka_ms = -1, .home = -1};
    struct parcel parcel = {.number = "P1", .number_length = 2, .life = 2, .service = 1,
                            .state = STATE_IN_TRANSIT, .code = SCAN_ARRIVE, .attempts = 1,
                            .flags = PARCEL_RETURNING | PARCEL_CROSS_BORDER, .at = 1, .dest = 2,
                            .base_s = 1700000000, .state_s = 1700000060, .promise_s = 1700090000,
                            .physical_s = 1700000060, .eta_first_s = 1700050000,
                            .eta_last_s = 1700060000, .eta_sequence = 3, .history_count = 2,
                            .carrier_number = "CN/1 ?", .carrier_number_length = 6,
                            .alerts_count = 1};
    uint8_t bytes[RECORD_BYTES_MAX];
    char    text[MARK_TEXT_MAX];
    static const char alert[] = "{\"id\":\"00000000000000ab\",\"type\":\"stalled\","
                                "\"severity\":\"warning\",\"parcel\":\"P1\"}";

    parcel.history[0] = (uint64_t)1 << 17 | (uint64_t)SCAN_PICKUP << 12 | 1 << 11;
    parcel.history[1] = (uint64_t)60 << 37 | (uint64_t)1 << 17 | (uint64_t)SCAN_ARRIVE << 12
                        | ENTRY_MERGED;
    parcel.alerts[0] = (struct alert) {.id = 0xab, .type = 1, .state = ALERT_OPENED, .at = 1,
                                       .severity = SEVERITY_WARNING, .sequence = 1,
                                       .opened_s = 1700000070, .at_s = 1700000070};
    mark_print(&mark, text);
    freeReplyObject(redisCommand(redis, "SET {g:scans:0}:mark %s", text));
    put(redis, "{g:scans:0}:b00000000", "P1", bytes, record_pack(&parcel, bytes));
    put(redis, "{g:scans:0}:carrier", "CN/1 ?", "P1", 2);
    put(redis, "{g:scans:0}:names", "p:1", "H\"G\\H", 5);
    put(redis, "{g:scans:0}:names", "p:2", "\xe6\x9d\xad", 3);
    put(redis, "{g:scans:0}:names", "s:1", "express", 7);
    put(redis, "{g:scans:0}:open", "00000000000000ab", alert, sizeof alert - 1);
    redisFree(redis);
}

static void a_parcel(void **state)
{
    (void)state;
    fill();
    assert_int_equal(get("/v1/parcels/P2"), 404);
    assert_int_equal(get("/v1/parcels/P1"), 200);
    assert_string_equal(text_of("scope"), "cluster");
    assert_string_equal(text_of("complete_to"), "2023-11-14T22:15:00.500Z");
    assert_string_equal(text_of("number"), "P1");
    assert_string_equal(text_of("state"), "in transit");
    assert_string_equal(text_of("code"), "ARRIVE");
    assert_string_equal(text_of("service"), "express");
    assert_string_equal(text_of("at"), "H\"G\\H");
    assert_string_equal(text_of("dest"), "\xe6\x9d\xad");
    assert_string_equal(text_of("carrier_number"), "CN/1 ?");
    assert_null(text_of("next"));
    assert_int_equal(number_of("life"), 2);
    assert_int_equal(number_of("offset"), 42);
    assert_int_equal(number_of("attempts"), 1);
    json_t *timeline = json_object_get(answer.json, "timeline"), *eta, *alert;
    assert_int_equal(json_array_size(timeline), 2);
    assert_true(json_is_true(json_object_get(json_array_get(timeline, 0), "retracts")));
    assert_true(json_is_true(json_object_get(json_array_get(timeline, 1), "merged")));
    assert_string_equal(json_string_value(json_object_get(json_array_get(timeline, 1), "time")),
                        "2023-11-14T22:14:20.000Z");
    eta = json_object_get(answer.json, "eta");
    assert_int_equal(json_integer_value(json_object_get(eta, "sequence")), 3);
    assert_int_equal(json_array_size(json_object_get(answer.json, "flags")), 2);
    alert = json_array_get(json_object_get(answer.json, "alerts"), 0);
    assert_string_equal(json_string_value(json_object_get(alert, "id")), "00000000000000ab");
    assert_string_equal(json_string_value(json_object_get(alert, "severity")), "warning");
    assert_true(json_string_length(json_object_get(alert, "text")) > 0);
    assert_int_equal(get("/v1/parcels/CN%2F1%20%3F"), 404); /* a slash is another path */
}

static void the_alerts(void **state)
{
    (void)state;
    fill();
    assert_int_equal(get("/v1/alerts?type=stalled&severity=warning&limit=5"), 200);
    assert_int_equal(json_array_size(json_object_get(answer.json, "alerts")), 1);
    assert_int_equal(number_of("matching"), 1);
    assert_string_equal(text_of("complete_to"), "2023-11-14T22:15:00.500Z");
    assert_int_equal(get("/v1/alerts?type=lost"), 200);
    assert_int_equal(json_array_size(json_object_get(answer.json, "alerts")), 0);
    assert_int_equal(get("/v1/work/nobody?limit=3"), 200);
    assert_int_equal(number_of("matching"), 0);
}

static void without_redis(void **state)
{
    (void)state;
    server_stop(SIGKILL);
    assert_int_equal(get("/v1/parcels/P1"), 503);
    assert_non_null(strstr(text_of("detail"), "Redis"));
    assert_int_equal(get("/v1/alerts"), 503);
    assert_int_equal(get("/live"), 200);
    assert_int_equal(get("/partitions"), 200);
    server_start("", "noeviction");
}

/* An address of this machine that is not loopback; false = it has none. */
static bool own_address(struct in_addr *own)
{
    struct ifaddrs *all = NULL;
    bool            found = false;

    assert_int_equal(getifaddrs(&all), 0);
    for (const struct ifaddrs *a = all; a != NULL && !found; a = a->ifa_next) {
        if (a->ifa_addr == NULL || a->ifa_addr->sa_family != AF_INET)
            continue;
        *own = ((const struct sockaddr_in *)(const void *)a->ifa_addr)->sin_addr;
        found = ntohl(own->s_addr) >> 24 != 127;
    }
    freeifaddrs(all);
    return found;
}

static int ask_from_afar(struct in_addr own, const char *path, const char *header)
{
    char request[256];
    int length = snprintf(request, sizeof request,
                          "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n", path,
                          header);

    return say(own, request, (size_t)length);
}

static void who_may_ask(void **state)
{
    static const char *const wrong[] = {"", "Authorization: Bearer secreT\r\n",
                                        "Authorization: Bearer secret2\r\n",
                                        "Authorization: Basic secret\r\n",
                                        "Authorization: Bearer \r\n"};
    struct in_addr own = {.s_addr = 0};

    if (!own_address(&own)) {
        (void)printf("skipped: this machine has no address but loopback\n");
        skip();
    }
    fill();
    (void)end(state);
    start(":0", "secret");
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(ask_from_afar(own, "/partitions", wrong[i]), 401);
        assert_int_equal(ask_from_afar(own, "/v1/parcels/P1", wrong[i]), 401);
        assert_int_equal(ask_from_afar(own, "/v1/alerts", wrong[i]), 401);
        assert_non_null(strstr(answer.head, "WWW-Authenticate: Bearer"));
        assert_int_equal(ask_from_afar(own, "/live", wrong[i]), 200);
    }
    assert_int_equal(ask_from_afar(own, "/v1/parcels/P1", "Authorization: Bearer secret\r\n"),
                     200);
    assert_int_equal(get("/v1/parcels/P1"), 401); /* from loopback: a proxy may ask there */
    (void)end(state);
    start(":0", ""); /* without a token nobody from afar */
    assert_int_equal(ask_from_afar(own, "/partitions", "Authorization: Bearer \r\n"), 401);
}

/* Hundreds who connect and say little keep nobody out. */
static void slow_clients(void **state)
{
    enum { CLIENTS = 300 };
    static int         slow[CLIENTS];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(http_port(http)),
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};

    (void)state;
    for (int i = 0; i < CLIENTS; i++) {
        slow[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(slow[i], (struct sockaddr *)&address, sizeof address), 0);
        (void)send(slow[i], "GET /live HT", 12, MSG_NOSIGNAL);
        if (i % 50 == 49)
            assert_int_equal(get("/live"), 200);
    }
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < CLIENTS; i++)
            (void)send(slow[i], "T", 1, MSG_NOSIGNAL);
        assert_int_equal(get("/live"), 200);
        assert_int_equal(get("/partitions"), 200);
    }
    for (int i = 0; i < CLIENTS; i++)
        assert_int_equal(close(slow[i]), 0);
}

static void starting(void **state)
{
    struct http *first = http;
    char         taken[32];

    (void)state;
    (void)snprintf(taken, sizeof taken, "127.0.0.1:%d", http_port(first));
    struct config *first_config = config;
    start(taken, "");
    assert_null(http);
    assert_non_null(strstr(error_text(), taken));
    config_destroy(config);
    start("nowhere", "");
    assert_null(http);
    assert_true(error_text()[0] != '\0');
    config_destroy(config);
    start("", "");
    assert_null(http);
    assert_string_equal(error_text(), "");
    config_destroy(config);
    config = first_config;
    http = first;
    assert_int_equal(get("/live"), 200);
}

#define SERVED(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVED(health), SERVED(the_instance), SERVED(not_here), SERVED(limits), SERVED(a_parcel),
        SERVED(the_alerts), SERVED(without_redis), SERVED(who_may_ask),
        SERVED(slow_clients), SERVED(starting)};

    if (!server_begin())
        return 0;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    json_decref(answer.json);
    server_end();
    return failed;
}
