/* The error trail: order, length, threads. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/error.h"

static void outer_stands_first(void **state)
{
    (void)state;
    error_clear();
    assert_string_equal(error_text(), "");
    assert_int_equal(error_set("no route to %s", "redis"), -1);
    assert_int_equal(error_add("connect"), -1);
    assert_int_equal(error_add("claim of partition %d", 3), -1);
    assert_string_equal(error_text(), "claim of partition 3: connect: no route to redis");
    (void)error_set("another");
    assert_string_equal(error_text(), "another");
    error_clear();
    assert_string_equal(error_text(), "");
    (void)error_add("alone");
    assert_string_equal(error_text(), "alone");
}

static void may_quote_itself(void **state)
{
    (void)state;
    (void)error_set("inner");
    (void)error_set("wrapped (%s)", error_text());
    assert_string_equal(error_text(), "wrapped (inner)");
    (void)error_add("%s", error_text());
    assert_string_equal(error_text(), "wrapped (inner): wrapped (inner)");
}

static void too_long_keeps_the_outer(void **state)
{
    (void)state;
    (void)error_set("inner");
    for (int i = 0; i < 500; i++)
        (void)error_add("step %d", i);
    assert_true(strlen(error_text()) < 1024);
    assert_ptr_equal(strstr(error_text(), "step 499: step 498"), error_text());
}

static void *other_thread(void *self)
{
    *(size_t *)self = strlen(error_text());
    (void)error_set("theirs");
    return NULL;
}

static void belongs_to_its_thread(void **state)
{
    pthread_t thread;
    size_t    length = 99;

    (void)state;
    (void)error_set("mine");
    assert_int_equal(pthread_create(&thread, NULL, other_thread, &length), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(length, 0);
    assert_string_equal(error_text(), "mine");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outer_stands_first),
        cmocka_unit_test(may_quote_itself),
        cmocka_unit_test(too_long_keeps_the_outer),
        cmocka_unit_test(belongs_to_its_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
