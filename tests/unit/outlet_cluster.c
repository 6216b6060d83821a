/* The map of a Redis Cluster: slots of keys, what nodes say, what moved. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <hiredis/hiredis.h>

#include "pipeline/error.h"
#include "stages/outlet/redis_cluster.h"

static struct redis_cluster *cluster;

static int begin(void **state)
{
    static const struct redis_address seeds[] = {{.host = "a", .port = "1"},
                                                 {.host = "::1", .port = "2"}};
    (void)state;
    cluster = redis_cluster_create(seeds, 2);
    return 0;
}

static int end(void **state)
{
    (void)state;
    free(cluster);
    cluster = NULL;
    error_clear();
    return 0;
}

/* Redis' own examples, and CRC16's check value. */
static void slots(void **state)
{
    static const struct { const char *key, *same; } alike[] = {
        {"{user1000}.following", "user1000"}, {"foo{bar}{zap}", "bar"}, {"foo{{bar}}zap", "{bar"},
        {"{g:scans:12}:b0000001f", "g:scans:12"}};
    static const char *const whole[] = {"foo{}{bar}", "foo{bar", "}foo{"};
    (void)state;
    assert_int_equal(redis_slot("123456789", 9), 0x31c3 % REDIS_SLOTS);
    assert_int_equal(redis_slot("foo", 3), 12182);
    for (size_t i = 0; i < sizeof alike / sizeof alike[0]; i++)
        assert_int_equal(redis_slot(alike[i].key, strlen(alike[i].key)),
                         redis_slot(alike[i].same, strlen(alike[i].same)));
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++)
        assert_int_not_equal(redis_slot(whole[i], strlen(whole[i])), redis_slot("bar", 3));
}

static int learn(const char *resp, uint32_t asked)
{
    redisReader *reader = redisReaderCreate();
    void        *reply = NULL;

    assert_int_equal(redisReaderFeed(reader, resp, strlen(resp)), REDIS_OK);
    assert_int_equal(redisReaderGetReply(reader, &reply), REDIS_OK);
    assert_non_null(reply);
    int result = redis_cluster_learn(cluster, reply, asked);

    freeReplyObject(reply);
    redisReaderFree(reader);
    return result;
}

static const char *node(uint32_t slot)
{
    static char text[REDIS_ADDRESS_TEXT];
    int32_t     number = redis_cluster_node(cluster, slot);

    return number < 0 ? "none" : redis_address_print(&cluster->nodes[number], text);
}

static void learned(void **state)
{
    (void)state;
    assert_string_equal(node(0), "none");
    assert_int_equal(learn("*3\r\n*3\r\n:0\r\n:99\r\n*2\r\n$9\r\n127.0.0.1\r\n:7\r\n"
                           "*3\r\n:100\r\n:100\r\n*2\r\n$0\r\n\r\n:8\r\n"
                           "*3\r\n:16383\r\n:16383\r\n*2\r\n$3\r\n::2\r\n:9\r\n", 1), 0);
    assert_string_equal(node(99), "127.0.0.1:7");
    assert_string_equal(node(100), "[::1]:8");      /* it does not know its name: as we asked it */
    assert_string_equal(node(16383), "[::2]:9");
    assert_string_equal(node(101), "none");
    assert_true(redis_cluster_has_slots(cluster, (uint32_t)redis_cluster_node(cluster, 0)));
    assert_false(redis_cluster_has_slots(cluster, 0));
    /* What a later answer does not name, nobody has. */
    assert_int_equal(learn("*1\r\n*3\r\n:5\r\n:6\r\n*2\r\n$1\r\na\r\n:1\r\n", 0), 0);
    assert_string_equal(node(5), "a:1");
    assert_string_equal(node(99), "none");
}

static void answers_that_are_none(void **state)
{
    static const char *const wrong[] = {
        "-ERR This instance has cluster support disabled\r\n", ":1\r\n", "*1\r\n:1\r\n",
        "*1\r\n*3\r\n:0\r\n:16384\r\n*2\r\n$1\r\na\r\n:1\r\n",
        "*1\r\n*3\r\n:-1\r\n:1\r\n*2\r\n$1\r\na\r\n:1\r\n",
        "*1\r\n*3\r\n:0\r\n:1\r\n*1\r\n$1\r\na\r\n",
        "*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n$1\r\na\r\n:65536\r\n", "*1\r\n*2\r\n:0\r\n:1\r\n"};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(learn(wrong[i], 0), -1);
        assert_non_null(strstr(error_text(), "CLUSTER SLOTS"));
        error_clear();
    }
}

static void moved(void **state)
{
    (void)state;
    assert_true(redis_cluster_moved(cluster, "MOVED 3999 127.0.0.1:6381"));
    assert_string_equal(node(3999), "127.0.0.1:6381");
    assert_true(redis_cluster_moved(cluster, "MOVED 16384 127.0.0.1:6381"));   /* no such slot */
    assert_true(redis_cluster_moved(cluster, "MOVED 1 :6381"));        /* the one that was asked */
    assert_string_equal(node(1), "none");
    assert_false(redis_cluster_moved(cluster, "ASK 3999 127.0.0.1:6382"));
    assert_string_equal(node(3999), "127.0.0.1:6381");
}

/* Nodes come and go: places that no slot needs are taken again. */
static void many_nodes(void **state)
{
    char text[64];
    (void)state;
    for (int i = 0; i < 3 * REDIS_NODES_MAX; i++) {
        (void)snprintf(text, sizeof text, "MOVED 7 10.0.%d.%d:1", i / 200, i % 200);
        assert_true(redis_cluster_moved(cluster, text));
        assert_string_equal(node(7), text + strlen("MOVED 7 "));
    }
    assert_string_equal(cluster->nodes[0].host, "a");   /* those of redis.address stay */
    assert_int_equal(redis_cluster_next(cluster, cluster->nodes_count - 1), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(slots), TEST(learned), TEST(answers_that_are_none),
                                       TEST(moved), TEST(many_nodes)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
