/* CHECK: nothing when it holds; a line that says where and what, and SIGABRT, when not. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "pipeline/check.h"

struct thing {
    uint32_t magic;
};

static void holds(void **state)
{
    struct thing thing = {.magic = 7};

    (void)state;
    CHECK(1 + 1 == 2);
    CHECK_MAGIC(&thing, 7);
}

/* Runs mistake() in a child; its stderr and how it ended. */
static int run_child(void (*mistake)(void), char *text, size_t size)
{
    int   ends[2], status = 0;
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)signal(SIGABRT, SIG_DFL); /* cmocka's own handler is not the child's */
        (void)dup2(ends[1], STDERR_FILENO);
        mistake();
        _exit(0);
    }
    close(ends[1]);
    ssize_t length = read(ends[0], text, size - 1);
    text[length > 0 ? length : 0] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void break_sum(void)
{
    CHECK(1 + 1 == 3);
}

static void break_magic(void)
{
    struct thing thing = {.magic = 8};

    CHECK_MAGIC(&thing, 7);
}

static void aborts_and_says_where(void **state)
{
    char text[512];

    (void)state;
    int status = run_child(break_sum, text, sizeof text);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_non_null(strstr(text, "pipeline_check.c:"));
    assert_non_null(strstr(text, "break_sum: CHECK failed: 1 + 1 == 3\n"));

    status = run_child(break_magic, text, sizeof text);
    assert_true(WIFSIGNALED(status));
    assert_non_null(strstr(text, "break_magic"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds),
        cmocka_unit_test(aborts_and_says_where),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
