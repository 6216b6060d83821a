/* store_redis against a real redis-server of its own, on a Unix socket and by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include "outlet_asker.h"
#include "pipeline/clock.h"
#include "pipeline/metric.h"
#include "redis_server.h"
#include "stages/outlet/redis_io.h"
#include "stages/outlet/redis_place.h"

static const struct config_row rows[] = {
    {"kafka.group", CONFIG_TEXT, "g", 0, 0, NULL, "group", false, false},
    {"kafka.topics.scans", CONFIG_TEXT, "scans", 0, 0, NULL, "topic", false, false},
    REDIS_PLACE_ROWS("localhost:1"),
    {"redis.connections", CONFIG_INTEGER, "2", 1, 16, NULL, "connections", false, false},
    {"redis.timeout", CONFIG_DURATION, "5s", 100, 600000, NULL, "timeout", false, false},
};

static struct config *config;
static struct graph  *graph;
static struct buffer  body;

static void set(const char *path, const char *value)
{
    char assignment[160];

    (void)snprintf(assignment, sizeof assignment, "%s=%s", path, value);
    assert_int_equal(config_set(config, assignment), 0);
}

static int begin(void **state)
{
    (void)state;
    memset(&asker, 0, sizeof asker);
    body.used = 0;
    ports.redis_open = redis_io_open_hiredis;
    config = config_create(rows, sizeof rows / sizeof rows[0]);
    return 0;
}

static void graph_begin(const char *address)
{
    set("redis.address", address);
    assert_int_equal(config_finish(config), 0);
    graph = graph_create(&asker_plan, config);
    assert_non_null(graph);
}

/* Turns both stages until all is answered: true, or so many milliseconds are over. */
static bool answered(uint32_t ms_max)
{
    uint64_t end_ns = clock_monotonic_ns() + ms_max * UINT64_C(1000000);

    while (asker.answered < asker.count && clock_monotonic_ns() < end_ns) {
        int work = graph_step(graph, 0, clock_monotonic_ns());

        work += graph_step(graph, 1, clock_monotonic_ns());
        if (work == 0)
            (void)usleep(100);
    }
    return asker.answered == asker.count;
}

static int end(void **state)
{
    (void)state;
    if (graph != NULL) {
        graph_stop(graph);
        for (int i = 0; i < 1000 && !graph_halted(graph); i++)
            (void)graph_step(graph, (uint32_t)i % 2, clock_monotonic_ns());
        assert_true(graph_halted(graph) && !graph_failed(graph));
        graph_destroy(graph);
    }
    graph = NULL;
    config_destroy(config);
    return 0;
}

static const struct request *last(void)
{
    assert_true(answered(20000));
    return &asker.list[asker.count - 1].request;
}

static void see_hash(const struct request *request)
{
    if (request->kind != REQUEST_READ || request->answer != REQUEST_APPLIED)
        return;
    assert_int_equal(request->replies_count, 2);
    assert_int_equal(request->replies[0]->type, REDIS_REPLY_ARRAY);
    assert_int_equal(request->replies[0]->elements, 2 * 100);
    assert_int_equal(request->replies[0]->element[1]->len, 100);
    assert_int_equal(request->replies[1]->type, REDIS_REPLY_NIL);
}

/* A cut as large as they come, told in one transaction; read back; then one that errs. */
static void there_and_back(void **state)
{
    static char value[100];
    char        field[32];

    (void)state;
    graph_begin(server.address);
    for (int bucket = 0; bucket < 1400; bucket++) {
        resp_command(&body, 2 + 2 * 100);
        resp_text(&body, "HSET");
        (void)snprintf(field, sizeof field, "{g:scans:1}:b%08x", (unsigned int)bucket);
        resp_text(&body, field);
        for (int i = 0; i < 100; i++) {
            (void)snprintf(field, sizeof field, "P%07d", i);
            resp_text(&body, field);
            resp_argument(&body, value, sizeof value);
        }
    }
    assert_true(body.used > 15 << 20);
    asker_cut(1, 0, &body, 1400);
    assert_int_equal(last()->answer, REQUEST_APPLIED);
    asker_cut(1, 0, &body, 1400); /* the same again is not expected any more */
    assert_int_equal(last()->answer, REQUEST_DIFFERS);
    assert_int_equal(last()->mark.sequence, 1);

    static struct buffer read;
    struct request      *request = asker_add(1, REQUEST_READ);

    resp_command(&read, 2);
    resp_text(&read, "HGETALL");
    resp_text(&read, "{g:scans:1}:b00000577");
    resp_command(&read, 2);
    resp_text(&read, "GET");
    resp_text(&read, "nothing");
    request->body = &read;
    request->commands = 2;
    asker.each = see_hash;
    assert_int_equal(last()->answer, REQUEST_APPLIED);
    read.used = 0;
    resp_command(&read, 3);
    resp_text(&read, "HDEL");
    resp_text(&read, "{g:scans:1}:mark");
    resp_text(&read, "f");
    asker_cut(1, 1, &read, 1); /* mark is no hash: applied but for that, and said so */
    assert_int_equal(last()->answer, REQUEST_REFUSED);
    assert_non_null(strstr(last()->text, "WRONGTYPE"));
    buffer_free(&read);
}

/* By name and port, with password and database; a wrong password and an evicting server never
 * become a connection. */
static void by_name(void **state)
{
    char address[32];

    (void)state;
    server_stop(SIGTERM);
    server_start("secret", "noeviction");
    (void)snprintf(address, sizeof address, "localhost:%s", server.port);
    assert_int_equal(setenv("PEAKLINE_TEST", "secret", 1), 0);
    set("redis.password", "${PEAKLINE_TEST}");
    set("redis.user", "default");
    set("redis.database", "3");
    graph_begin(address);
    asker_cut(1, 0, NULL, 0);
    assert_int_equal(last()->answer, REQUEST_APPLIED);
    assert_int_equal(metric_sum("redis_connected") > 0, 1);

    redisContext *context = redisConnectUnix(server.socket);
    freeReplyObject(redisCommand(context, "AUTH secret"));
    freeReplyObject(redisCommand(context, "SELECT 3"));
    redisReply *reply = redisCommand(context, "GET {g:scans:1}:mark");
    assert_string_equal(reply->str, last()->wanted);
    freeReplyObject(reply);
    redisFree(context);
}

/* A server that would forget parcels, or does not let us in, never becomes a connection; put
 * right, all goes on. */
static void not_welcome(void **state)
{
    static const char *const servers[][2] = {{"", "allkeys-lru"}, {"secret", "noeviction"}};

    (void)state;
    graph_begin(server.address);
    for (int i = 0; i < 2; i++) {
        server_stop(SIGTERM);
        server_start(servers[i][0], servers[i][1]);
        while (metric_sum("redis_connected") > 0) { /* who comes first finds out */
            asker_add(1, REQUEST_LOOK);
            assert_int_equal(last()->answer, REQUEST_UNSENT);
        }
        asker_add(1, REQUEST_LOOK);
        assert_false(answered(500));
        assert_int_equal(metric_sum("redis_connected"), 0);
        server_stop(SIGTERM);
        server_start("", "noeviction");
        assert_int_equal(last()->answer, REQUEST_APPLIED);
    }
}

/* Killed in the middle of whatever it does, and back: told apart, then served again. */
static void killed(void **state)
{
    (void)state;
    graph_begin(server.address);
    asker_add(1, REQUEST_LOOK);
    assert_int_equal(last()->answer, REQUEST_APPLIED);
    for (int i = 0; i < 200000; i++) {
        resp_command(&body, 3);
        resp_text(&body, "SET");
        resp_text(&body, "{g:scans:1}:x");
        resp_number(&body, i);
    }
    asker_cut(1, 0, &body, 200000);
    assert_false(answered(30));
    server_stop(SIGKILL);
    assert_true(last()->answer == REQUEST_UNSENT || last()->answer == REQUEST_UNKNOWN);
    server_start("", "noeviction");
    do /* the other connection finds out too */
        asker_add(1, REQUEST_LOOK);
    while (last()->answer == REQUEST_UNSENT && asker.count < 10);
    assert_int_equal(last()->answer, REQUEST_APPLIED); /* nothing was kept, nothing was applied */
}

/* Stopped, not dead: the time-out ends the wait. */
static void frozen(void **state)
{
    (void)state;
    set("redis.timeout", "200ms");
    graph_begin(server.address);
    asker_cut(1, 0, NULL, 0);
    assert_int_equal(last()->answer, REQUEST_APPLIED);
    assert_int_equal(kill(server.pid, SIGSTOP), 0);
    asker_add(1, REQUEST_LOOK);
    assert_int_equal(last()->answer, REQUEST_UNSENT);
    assert_int_equal(kill(server.pid, SIGCONT), 0);
    memcpy(asker_add(1, REQUEST_LOOK)->expected, asker.list[0].request.wanted, MARK_TEXT_MAX);
    assert_int_equal(last()->answer, REQUEST_APPLIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(there_and_back, begin, end),
        cmocka_unit_test_setup_teardown(by_name, begin, end),
        cmocka_unit_test_setup_teardown(not_welcome, begin, end),
        cmocka_unit_test_setup_teardown(killed, begin, end),
        cmocka_unit_test_setup_teardown(frozen, begin, end)};

    if (!server_begin())
        return 0;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    server_end();
    buffer_free(&body);
    return failed;
}
