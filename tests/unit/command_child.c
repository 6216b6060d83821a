/* child.c: programs started, looked after and ended one at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "stages/command/child.h"
#include "stages/ports.h"

struct ports ports; /* the real ones come with the program */

static char log_file[] = "/tmp/peakline-child-XXXXXX";

static int setup(void **state)
{
    (void)state;
    memcpy(strrchr(log_file, '-') + 1, "XXXXXX", 6);
    int fd = mkstemp(log_file);

    if (fd >= 0)
        close(fd);
    return fd < 0;
}

static int teardown(void **state)
{
    (void)state;
    return unlink(log_file);
}

static const char *logged(void)
{
    static char text[512];
    FILE *file = fopen(log_file, "r");

    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    assert_int_equal(fclose(file), 0);
    return text;
}

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* Waits until it has ended by itself; its status. */
static int end_of(struct child *child)
{
    const struct timespec pause = {.tv_nsec = 5000000};
    int64_t until_ms = now_ms() + 20000;
    int status = -1;

    while (!child_ended(child, &status)) {
        assert_true(now_ms() < until_ms);
        (void)nanosleep(&pause, NULL);
    }
    return status;
}

/* Until it has said so. */
static void wait_up(void)
{
    const struct timespec pause = {.tv_nsec = 5000000};
    int64_t until_ms = now_ms() + 20000;

    while (strcmp(logged(), "up\n") != 0) {
        assert_true(now_ms() < until_ms);
        (void)nanosleep(&pause, NULL);
    }
}

static void says_and_ends(void **state)
{
    const char *const argv[] = {"/bin/sh", "-c", "echo one; echo two >&2; cat; exit 3", NULL};
    struct child child = {0};
    int status;

    (void)state;
    assert_int_equal(child_start(&child, argv, log_file), 0);
    assert_string_equal(child.name, "sh");
    status = end_of(&child);                       /* cat ends: its input is empty */
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 3);
    assert_int_equal(child.pid, 0);
    assert_string_equal(logged(), "one\ntwo\n");
    assert_true(child_ended(&child, &status));     /* and stays ended */
    child_stop(&child);
}

static void not_there(void **state)
{
    const char *const argv[] = {"peakline-no-such-program", NULL};
    struct child child = {0};

    (void)state;
    assert_int_equal(child_start(&child, argv, log_file), 0);
    int status = end_of(&child);

    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 127);
    assert_non_null(strstr(logged(), "peakline-no-such-program: No such file"));
}

static void stopped(void **state)
{
    const char *const argv[] = {"/bin/sh", "-c", "echo up; exec sleep 60", NULL};
    struct child child = {0};
    int status;

    (void)state;
    assert_int_equal(child_start(&child, argv, log_file), 0);
    pid_t pid = child.pid;

    wait_up();
    assert_false(child_ended(&child, &status));
    assert_int_equal(getpgid(pid) == getpgrp(), 0);   /* a Ctrl-C is not the child's */
    int64_t since_ms = now_ms();

    child_stop(&child);
    assert_true(now_ms() - since_ms < 4000);       /* asked, not killed after the grace */
    assert_int_equal(child.pid, 0);
    assert_int_equal(kill(pid, 0), -1);
}

/* One that will not go is made to. */
static void stubborn(void **state)
{
    const char *const argv[] = {"/bin/sh", "-c", "trap '' TERM; echo up; exec sleep 60", NULL};
    struct child child = {0};

    (void)state;
    assert_int_equal(child_start(&child, argv, log_file), 0);
    pid_t pid = child.pid;

    wait_up();
    int64_t since_ms = now_ms();

    child_stop(&child);
    assert_true(now_ms() - since_ms >= 4900);
    assert_int_equal(child.pid, 0);
    assert_int_equal(kill(pid, 0), -1);
}

static void free_port(void **state)
{
    int port = child_port_free();
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    (void)state;
    assert_in_range(port, 1024, 65535);
    address.sin_port = htons((uint16_t)port);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_not_equal(child_port_free(), port);
    close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(says_and_ends), TEST(not_there), TEST(stopped), TEST(stubborn),
        cmocka_unit_test(free_port),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
