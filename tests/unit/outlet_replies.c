/* Replies built on one heap, in pieces of any size; what is no answer to what was said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <hiredis/hiredis.h>

#include "stages/outlet/buffer.h"
#include "stages/outlet/redis_replies.h"
#include "stages/outlet/reply_heap.h"
#include "stages/outlet/request.h"

enum { FIELDS = 3000 };

static struct redis_replies replies;
static struct buffer        bytes;

static int begin(void **state)
{
    (void)state;
    memset(&replies, 0, sizeof replies);
    redis_replies_open(&replies);
    bytes.used = 0;
    return 0;
}

static int end(void **state)
{
    (void)state;
    redis_replies_close(&replies);
    buffer_free(&bytes);
    return 0;
}

static void say(const char *text)
{
    buffer_add(&bytes, text, strlen(text));
}

/* All of `bytes` in such pieces; how many became whole, -1 as soon as it is refused. */
static int feed(size_t piece)
{
    int whole = 0;

    for (size_t at = 0; at < bytes.used; at += piece) {
        size_t left = bytes.used - at;
        char  *exact = malloc(piece);   /* so that one byte too far is seen */

        memcpy(exact, bytes.bytes + at, left < piece ? left : piece);
        int came = redis_replies_feed(&replies, exact, left < piece ? left : piece);

        free(exact);
        if (came < 0)
            return -1;
        whole += came;
    }
    return whole;
}

/* A bucket as HGETALL answers it: values of every length up to 300, with zeros in them. */
static void say_bucket(void)
{
    static char value[300];
    char        field[16];

    resp_command(&bytes, 2 * FIELDS);
    for (int i = 0; i < FIELDS; i++) {
        (void)snprintf(field, sizeof field, "P%06d", i);
        resp_text(&bytes, field);
        value[i % 300] = (char)i;
        resp_argument(&bytes, value, (size_t)i % 300);
        value[i % 300] = 0;
    }
}

static void see_bucket(const redisReply *bucket)
{
    char field[16];

    assert_int_equal(bucket->type, REDIS_REPLY_ARRAY);
    assert_int_equal(bucket->elements, 2 * FIELDS);
    for (int i = 0; i < FIELDS; i++) {
        const redisReply *name = bucket->element[2 * i], *value = bucket->element[2 * i + 1];

        (void)snprintf(field, sizeof field, "P%06d", i);
        assert_string_equal(name->str, field);
        assert_int_equal(value->type, REDIS_REPLY_STRING);
        assert_int_equal(value->len, i % 300);
        assert_int_equal(value->str[i % 300], 0);
    }
}

static void whatever_the_pieces(void **state)
{
    static const size_t pieces[] = {1, 7, 64, 4096, 65536, 1 << 20};

    (void)state;
    for (size_t p = 0; p < sizeof pieces / sizeof pieces[0]; p++) {
        struct request request = {.kind = REQUEST_READ};

        bytes.used = 0;
        say_bucket();
        say("$-1\r\n:42\r\n*2\r\n*1\r\n+OK\r\n-ERR inside\r\n-ERR outside\r\n");
        redis_replies_build(&replies, 5);
        assert_int_equal(feed(pieces[p]), 5);
        assert_int_equal(replies.errors, 1);
        assert_string_equal(replies.error, "ERR outside");
        redis_replies_take(&replies, &request);
        assert_null(replies.heap);
        redis_replies_close(&replies);      /* the request's, whatever becomes of the connection */
        redis_replies_open(&replies);
        assert_int_equal(request.replies_count, 5);
        see_bucket(request.replies[0]);
        assert_int_equal(request.replies[1]->type, REDIS_REPLY_NIL);
        assert_int_equal(request.replies[2]->integer, 42);
        assert_string_equal(request.replies[3]->element[0]->element[0]->str, "OK");
        assert_int_equal(request.replies[3]->element[1]->type, REDIS_REPLY_ERROR);
        request_clear(&request);
        assert_null(request.heap);
        assert_int_equal(request.replies_count, 0);
    }
}

/* One more reply, or only its beginning, whether with the last bytes or after them. */
static void more_than_was_asked(void **state)
{
    static const char *const more[] = {"+OK\r\n", "*2\r\n", "*2\r\n$3\r\nab", "$3"};

    (void)state;
    for (size_t m = 0; m < sizeof more / sizeof more[0]; m++)
        for (size_t piece = 1; piece < 12; piece++) {
            bytes.used = 0;
            say("+OK\r\n");
            say(more[m]);
            redis_replies_build(&replies, 1);
            assert_int_equal(feed(piece), -1);
            redis_replies_reset(&replies);
        }
}

static void no_redis(void **state)
{
    static const char *const wrong[] = {"*100000000\r\n", "HTTP/1.1 200 OK\r\n", "$-7\r\n\r\n",
                                        "*-9\r\n", "*1\r\n*1\r\n*999999999\r\n"};

    (void)state;
    for (size_t w = 0; w < sizeof wrong / sizeof wrong[0]; w++) {
        bytes.used = 0;
        say(wrong[w]);
        redis_replies_build(&replies, 2);
        assert_int_equal(feed(bytes.used), -1);
        redis_replies_reset(&replies);
    }
}

/* Small answers, one after the other, live in the same memory; a large one leaves none behind. */
static void memory_stays(void **state)
{
    const void *first = NULL;

    (void)state;
    for (int i = 0; i < 100; i++) {
        bytes.used = 0;
        say("+OK\r\n$5\r\nhello\r\n");
        redis_replies_build(&replies, 2);
        assert_int_equal(feed(4096), 2);
        assert_true(first == NULL || first == replies.list);
        first = replies.list;
    }
    bytes.used = 0;
    say_bucket();
    redis_replies_build(&replies, 1);
    assert_int_equal(feed(4096), 1);
    redis_replies_clear(&replies);
    assert_null(replies.heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whatever_the_pieces, begin, end),
        cmocka_unit_test_setup_teardown(more_than_was_asked, begin, end),
        cmocka_unit_test_setup_teardown(no_redis, begin, end),
        cmocka_unit_test_setup_teardown(memory_stays, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
