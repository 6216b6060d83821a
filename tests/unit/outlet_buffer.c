/* RESP as written beside RESP as printf would write it; room, growth, every number of digits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "stages/outlet/buffer.h"

static void expect(struct buffer *buffer, const char *text)
{
    assert_int_equal(buffer->used, strlen(text));
    assert_memory_equal(buffer->bytes, text, buffer->used);
    assert_true(buffer->size >= buffer->used);
    buffer->used = 0;
}

static void a_command(void **state)
{
    struct buffer buffer = {.bytes = NULL};

    (void)state;
    resp_command(&buffer, 4);
    resp_text(&buffer, "HSET");
    resp_argument(&buffer, "k\0y", 3);
    resp_text(&buffer, "");
    resp_number(&buffer, -1203);
    assert_int_equal(buffer.used, 40);
    assert_memory_equal(buffer.bytes, "*4\r\n$4\r\nHSET\r\n$3\r\nk\0y\r\n$0\r\n\r\n$5\r\n-1203\r\n",
                        40);
    buffer_free(&buffer);
    assert_null(buffer.bytes);
    resp_command(&buffer, 1234567);
    expect(&buffer, "*1234567\r\n");
    buffer_free(&buffer);
}

/* Around every power of ten, and the ends. */
static void numbers(void **state)
{
    static const int64_t ends[] = {INT64_MIN, INT64_MAX, 0, -1};
    struct buffer buffer = {.bytes = NULL};
    char          digits[24], text[64];

    (void)state;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        int length = snprintf(digits, sizeof digits, "%lld", (long long)ends[i]);

        (void)snprintf(text, sizeof text, "$%d\r\n%s\r\n", length, digits);
        resp_number(&buffer, ends[i]);
        expect(&buffer, text);
    }
    for (uint64_t power = 1; power < UINT64_MAX / 10; power *= 10)
        for (uint64_t number = power - 1; number <= power + 1; number++) {
            char *end = digits_write(digits, number);

            (void)snprintf(text, sizeof text, "%llu", (unsigned long long)number);
            assert_int_equal(end - digits, strlen(text));
            assert_memory_equal(digits, text, strlen(text));
        }
    buffer_free(&buffer);
}

/* Arguments of every length around the borders of its length's digits, growing from nothing. */
static void growth(void **state)
{
    static char bytes[70000];
    struct buffer buffer = {.bytes = NULL};
    size_t        lengths[] = {0, 1, 9, 10, 99, 100, 999, 1000, 9999, 10000, 65536};
    char          head[32];

    (void)state;
    memset(bytes, 'x', sizeof bytes);
    for (int round = 0; round < 20; round++)
        for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
            size_t at = buffer.used;
            int    n = snprintf(head, sizeof head, "$%zu\r\n", lengths[i]);

            resp_argument(&buffer, bytes, lengths[i]);
            assert_int_equal(buffer.used - at, (size_t)n + lengths[i] + 2);
            assert_memory_equal(buffer.bytes + at, head, (size_t)n);
            assert_memory_equal(buffer.bytes + at + n, bytes, lengths[i]);
            assert_memory_equal(buffer.bytes + buffer.used - 2, "\r\n", 2);
        }
    char *room = buffer_room(&buffer, 100);
    assert_ptr_equal(room, buffer.bytes + buffer.used);
    assert_true(buffer.size - buffer.used >= 100);
    buffer_free(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command), cmocka_unit_test(numbers), cmocka_unit_test(growth)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
