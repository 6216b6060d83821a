/* Pools: all out, all home, clean again; what is out at the end is a mistake. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "pipeline/batch.h"

struct head {
    int64_t note;
};

struct record {
    char bytes[24];
};

static const struct batch_shape shape = {
    .kind = 3, .head_size = sizeof(struct head), .record_size = sizeof(struct record),
    .capacity = 7, .arena_size = 100,
};

static void takes_and_gives(void **state)
{
    struct pool  *pool = pool_create(&shape, 5);
    struct batch *out[5];

    (void)state;
    assert_int_equal(pool_size(pool), 5);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(pool_free(pool), 5 - i);
        out[i] = pool_take(pool);
        assert_non_null(out[i]);
        assert_int_equal(out[i]->kind, 3);
        assert_int_equal(out[i]->capacity, 7);
        assert_int_equal((uintptr_t)out[i]->records % 64, 0);
        assert_int_equal((uintptr_t)out[i]->head % 64, 0);
        memset(out[i]->records, (int)i, 7 * sizeof(struct record));
        memset(out[i]->head, 0xFF, sizeof(struct head));
        memset(out[i]->arena, (int)(100 + i), 100);
        out[i]->count = 7;
    }
    assert_null(pool_take(pool));
    for (uint32_t i = 0; i < 5; i++) { /* nobody's bytes overlap another's */
        const unsigned char *records = out[i]->records;

        for (size_t k = 0; k < 7 * sizeof(struct record); k++)
            assert_int_equal(records[k], i);
        for (size_t k = 0; k < 100; k++)
            assert_int_equal((unsigned char)out[i]->arena[k], 100 + i);
    }
    pool_give(pool, &out[2]);
    assert_null(out[2]);
    out[2] = pool_take(pool);
    assert_int_equal(out[2]->count, 0);
    assert_int_equal(((struct head *)out[2]->head)->note, 0);
    assert_null(out[2]->kept);
    for (uint32_t i = 0; i < 5; i++)
        pool_give(pool, &out[i]);
    assert_int_equal(pool_free(pool), 5);
    pool_destroy(pool);
}

static void without_head_or_records(void **state)
{
    const struct batch_shape bare = {.kind = 0};
    struct pool             *pool = pool_create(&bare, 1);
    struct batch            *batch = pool_take(pool);

    (void)state;
    assert_null(batch->head);
    assert_null(batch->records);
    assert_null(batch->arena);
    pool_give(pool, &batch);
    pool_destroy(pool);
    pool_destroy(NULL);
}

static void give_twice(void)
{
    struct pool  *pool = pool_create(&shape, 2);
    struct batch *batch = pool_take(pool), *again = batch;

    pool_give(pool, &batch);
    pool_give(pool, &again);
}

static void destroy_with_one_out(void)
{
    struct pool *pool = pool_create(&shape, 2);

    (void)pool_take(pool);
    pool_destroy(pool);
}

static void give_to_another(void)
{
    struct pool  *pool = pool_create(&shape, 2), *other = pool_create(&shape, 2);
    struct batch *batch = pool_take(pool);

    (void)pool_take(other);
    pool_give(other, &batch);
}

static void mistakes_abort(void **state)
{
    void (*const mistakes[])(void) = {give_twice, destroy_with_one_out, give_to_another};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        int   status = 0;
        pid_t child = fork();

        assert_true(child >= 0);
        if (child == 0) {
            (void)signal(SIGABRT, SIG_DFL);
            close(STDERR_FILENO);
            mistakes[i]();
            _exit(0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    }
}

static void abandoned_pools_go_with_what_is_out(void **state)
{
    struct pool *pool = pool_create(&shape, 2);

    (void)state;
    (void)pool_take(pool);
    pool_abandon(true);
    pool_destroy(pool);
    pool_abandon(false);
}

/* The next pool of the same shape has the memory of the last one; its batches are clean all the
 * same, and aligned. */
static void recycled_pools_are_as_clean_and_aligned(void **state)
{
    static const char zeros[64];
    struct batch_shape large = shape;
    void *arena = NULL;

    (void)state;
    assert_true(shape.head_size > 0 && shape.head_size <= sizeof zeros);
    large.arena_size = 5000;   /* as no other block of it */
    pool_recycle(true);
    for (int life = 0; life < 2; life++) {
        struct pool  *pool = pool_create(&large, 1);
        struct batch *batch = pool_take(pool);

        assert_true(life == 0 || batch->arena == arena);
        arena = batch->arena;
        assert_int_equal(batch->count, 0);
        assert_int_equal((uintptr_t)batch->head % 64, 0);
        assert_int_equal((uintptr_t)batch->records % 64, 0);
        assert_memory_equal(batch->head, zeros, shape.head_size);
        memset(batch->head, 0xA5, shape.head_size);
        batch->count = 1;
        pool_give(pool, &batch);
        pool_destroy(pool);
    }
    pool_recycle(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_and_gives),
        cmocka_unit_test(without_head_or_records),
        cmocka_unit_test(mistakes_abort),
        cmocka_unit_test(abandoned_pools_go_with_what_is_out),
        cmocka_unit_test(recycled_pools_are_as_clean_and_aligned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
