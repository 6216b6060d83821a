/* Where Redis is: what settings are accepted, what sentinels say, what a name stands for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netdb.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pipeline/config.h"
#include "pipeline/error.h"
#include "stages/outlet/redis_cluster.h"
#include "stages/outlet/redis_finder.h"
#include "stages/outlet/redis_place.h"

#define MASTER "*2\r\n$9\r\n127.0.0.1\r\n$4\r\n6380\r\n"

static const struct config_row rows[] = {REDIS_PLACE_ROWS("localhost:6379")};

static struct config     *config;
static struct redis_place place;
static pid_t              sentinel;

/* Reads the place of these assignments, NULL-ended. */
static int read_place(const char *const *assignments)
{
    config_destroy(config);
    config = config_create(rows, sizeof rows / sizeof rows[0]);
    for (size_t i = 0; assignments[i] != NULL; i++)
        assert_int_equal(config_set(config, assignments[i]), 0);
    assert_int_equal(config_finish(config), 0);
    return redis_place_read(config, &place);
}

#define READ(...) read_place((const char *const[]){__VA_ARGS__, NULL})

static int begin(void **state)
{
    (void)state;
    config = config_create(rows, sizeof rows / sizeof rows[0]);
    memset(&place, 0, sizeof place);
    return 0;
}

static int end(void **state)
{
    (void)state;
    redis_place_free(&place);
    config_destroy(config);
    config = NULL;
    error_clear();
    if (sentinel > 0) {
        (void)kill(sentinel, SIGKILL);
        (void)waitpid(sentinel, NULL, 0);
    }
    sentinel = 0;
    return 0;
}

static int parse(const char *text, struct redis_address *address)
{
    return redis_address_parse(text, strlen(text), address);
}

static void an_address(void **state)
{
    static const char *const bad[] = {"", "host", ":6379", "host:", "host:x", "host:123456",
                                      "unix:", "host:6379 ", "[]:1"};
    static const char *const good[] = {"redis.example:6380", "[::1]:6379", "10.0.0.1:1"};
    char                     text[REDIS_ADDRESS_TEXT];
    struct redis_address     address;

    (void)state;
    assert_int_equal(parse("[::1]:6379", &address), 0);
    assert_string_equal(address.host, "::1");
    assert_string_equal(address.port, "6379");
    assert_string_equal(address.path, "");
    assert_int_equal(parse("unix:/run/redis.sock", &address), 0);
    assert_string_equal(address.path, "/run/redis.sock");
    assert_string_equal(address.host, "");
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(parse(good[i], &address), 0);
        assert_string_equal(redis_address_print(&address, text), good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(parse(bad[i], &address), -1);
    assert_int_equal(redis_address_parse("a:1,b:2", 3, &address), 0);
    assert_string_equal(address.port, "1");
    assert_int_equal(redis_address_make("::2", 3, 65535, &address), 0);
    assert_string_equal(redis_address_print(&address, text), "[::2]:65535");
    assert_int_equal(redis_address_make("", 0, 1, &address), -1);
    assert_int_equal(redis_address_make("a", 1, 0, &address), -1);
}

static void modes(void **state)
{
    (void)state;
    assert_int_equal(READ("redis.address=unix:/a,b"), 0);
    assert_string_equal(place.list[0].path, "/a,b");
    assert_null(place.cluster);
    assert_int_equal(READ("redis.mode=cluster", "redis.address=a:1,[::1]:2"), 0);
    assert_non_null(place.cluster);
    assert_int_equal(place.cluster->nodes_count, 2);
    assert_string_equal(place.cluster->nodes[1].host, "::1");
    redis_place_free(&place);
    assert_int_equal(READ("redis.mode=sentinel", "redis.address=a:1,b:2"), 0);
    assert_true(place.sentinels);
    assert_int_equal(place.count, 2);
    assert_string_equal(place.list[1].host, "b");
    assert_null(place.cluster);
}

static void refused(void **state)
{
    static const struct { const char *mode, *other, *wanted; } wrong[] = {
        {"single", "redis.address=a:1,b:2", "redis.mode single is one"},
        {"single", "redis.address=a", "redis.address: found \"a\""},
        {"cluster", "redis.address=a", "redis.address: found \"a\""},
        {"cluster", "redis.address=a:1,", "redis.address: found \"\""},
        {"cluster", "redis.address=unix:/a", "of some of a cluster's nodes"},
        {"cluster", "redis.address=a:1,b", "redis.address: found \"b\""},
        {"cluster", "redis.database=1", "redis.database: found 1"},
        {"sentinel", "redis.address=unix:/a", "of sentinels"},
        {"sentinel", "redis.address=a:1,,b:1", "redis.address: found \"\""},
        {"sentinel", "redis.address=a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,"
                     "a:1,a:1", "more than 16"},
        {"single", "redis.tls.ca=/nowhere.pem", "redis.tls."},
    };
    char mode[40];
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        bool tls = strstr(wrong[i].other, "tls") != NULL;

        (void)snprintf(mode, sizeof mode, "redis.mode=%s", wrong[i].mode);
        assert_int_equal(READ(mode, wrong[i].other,
                              tls ? "redis.tls.enabled=true" : "redis.tls.enabled=false"), -1);
        if (strstr(error_text(), wrong[i].wanted) == NULL)
            fail_msg("\"%s\" lacks \"%s\"", error_text(), wrong[i].wanted);
        assert_null(place.cluster);
        assert_null(place.tls);
        error_clear();
    }
}

/* A process that answers whatever it is asked, once a connection.  Its port. */
static int sentinel_says(const char *answer)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t          length = sizeof at;
    int                listener = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(listener, (struct sockaddr *)&at, length), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &length), 0);
    sentinel = fork();
    while (sentinel == 0) {
        char question[256];
        int  asker = accept(listener, NULL, NULL);

        if (recv(asker, question, sizeof question, 0) > 0)
            (void)send(asker, answer, strlen(answer), MSG_NOSIGNAL);
        (void)close(asker);
    }
    (void)close(listener);
    return ntohs(at.sin_port);
}

static int read_sentinels(const char *answer)
{
    char address[64];

    /* The first is away. */
    (void)snprintf(address, sizeof address, "redis.address=127.0.0.1:1,127.0.0.1:%d",
                   sentinel_says(answer));
    return READ("redis.mode=sentinel", address, "redis.sentinel.master=m");
}

static void a_master(void **state)
{
    struct redis_address found;

    (void)state;
    assert_int_equal(read_sentinels(MASTER), 0);
    assert_int_equal(redis_place_find(&place, 2000, &found), 0);
    assert_string_equal(found.host, "127.0.0.1");
    assert_string_equal(found.port, "6380");
}

static void no_master(void **state)
{
    static const struct { const char *answer, *wanted; } none[] = {
        {"*-1\r\n", "knows no master m (redis.sentinel.master)"},
        {"-NOAUTH Authentication required.\r\n", "NOAUTH"},
        {"*2\r\n$1\r\na\r\n$1\r\nb\r\n", "no host and port"}, {"", "sentinel 127.0.0.1:"}};
    struct redis_address found;

    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        assert_int_equal(read_sentinels(none[i].answer), 0);
        assert_int_equal(redis_place_find(&place, 2000, &found), -1);
        if (strstr(error_text(), none[i].wanted) == NULL)
            fail_msg("\"%s\" lacks \"%s\"", error_text(), none[i].wanted);
        assert_int_equal(end(state), 0);
        assert_int_equal(begin(state), 0);
    }
}

static void wait_for(struct redis_finder *finder)
{
    for (int i = 0; i < 1000 && !redis_finder_done(finder); i++)
        (void)usleep(10000);
    assert_true(redis_finder_done(finder));
}

static void found(void **state)
{
    (void)state;
    assert_int_equal(read_sentinels(MASTER), 0);
    struct redis_finder *finder = redis_finder_create(&place, 2000);

    redis_finder_ask(finder);
    wait_for(finder);
    assert_non_null(redis_finder_server(finder));
    assert_string_equal(redis_finder_server(finder)->port, "6380");
    assert_non_null(redis_finder_list(finder));
    /* Who is not doubted is not asked again; who is and answers no more, is an error. */
    (void)kill(sentinel, SIGKILL);
    (void)waitpid(sentinel, NULL, 0);
    sentinel = 0;
    redis_finder_ask(finder);
    assert_true(redis_finder_done(finder));
    assert_non_null(redis_finder_server(finder));
    redis_finder_doubt(finder);
    redis_finder_ask(finder);
    wait_for(finder);
    assert_null(redis_finder_server(finder));
    assert_non_null(strstr(redis_finder_error(finder), "sentinel 127.0.0.1:"));
    redis_finder_destroy(finder);
}

/* Another node than was asked for: the answer that comes is to the last question. */
static void pointed(void **state)
{
    static const struct redis_address first = {.host = "127.0.0.1", .port = "7"},
                                      last = {.host = "127.0.0.1", .port = "8"};

    (void)state;
    assert_int_equal(READ("redis.mode=cluster", "redis.address=127.0.0.1:1"), 0);
    struct redis_finder *finder = redis_finder_create(&place, 2000);

    for (int i = 0; i < 20; i++) {
        redis_finder_point(finder, &first);
        redis_finder_ask(finder);
        redis_finder_point(finder, &last);
        redis_finder_ask(finder);
        wait_for(finder);
        assert_string_equal(redis_finder_server(finder)->port, "8");
        assert_int_equal(((const struct sockaddr_in *)(const void *)
                          redis_finder_list(finder)->ai_addr)->sin_port, htons(8));
    }
    redis_finder_destroy(finder);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(an_address), TEST(modes),     TEST(refused),
                                       TEST(a_master),   TEST(no_master), TEST(found),
                                       TEST(pointed)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
