/* control.c and attend.c: the control socket's answers, its mode, callers who say nothing, an
 * abandoned socket; and what systemd is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "pipeline/config.h"
#include "pipeline/error.h"
#include "pipeline/log.h"
#include "stages/command/attend.h"
#include "stages/command/control.h"
#include "stages/ports.h"
#include "stages/settings.h"

struct ports ports; /* the real ones come with the program */

static char folder[] = "/tmp/peakline-control-XXXXXX";
static char path[64];
static volatile sig_atomic_t hangups;

static void on_hangup(int number)
{
    (void)number;
    hangups++;
}

static struct sockaddr_un address(void)
{
    struct sockaddr_un it = {.sun_family = AF_UNIX};

    (void)snprintf(it.sun_path, sizeof it.sun_path, "%s", path);
    return it;
}

/* What the instance answers to these words. */
static const char *asked(int listener, const char *words)
{
    static char        answer[200];
    struct sockaddr_un to = address();
    int                fd = socket(AF_UNIX, SOCK_STREAM, 0);

    memset(answer, 0, sizeof answer);
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
    if (words[0] != '\0')
        assert_true(send(fd, words, strlen(words), MSG_NOSIGNAL) > 0);
    else
        assert_int_equal(shutdown(fd, SHUT_WR), 0);
    control_answer(listener);
    (void)recv(fd, answer, sizeof answer - 1, 0);
    assert_int_equal(close(fd), 0);
    return answer;
}

static void answers(void **state)
{
    char        many[4000];
    int         listener = control_listen(path);
    struct stat found;

    (void)state;
    assert_true(listener >= 0);
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0600);
    (void)signal(SIGHUP, on_hangup);
    assert_non_null(strstr(asked(listener, "reload\n"), "ok:"));
    assert_int_equal(hangups, 1);
    assert_non_null(strstr(asked(listener, "shutdown\n"), "error:"));
    assert_non_null(strstr(asked(listener, "reload\r\nmore"), "ok:"));
    assert_string_equal(asked(listener, ""), "");
    memset(many, 'x', sizeof many);
    many[sizeof many - 1] = '\0';
    (void)asked(listener, many); /* an answer, or a connection reset: never a crash */
    assert_int_equal(hangups, 2);
    control_close(listener, path);
    assert_int_equal(stat(path, &found), -1);
}

static void takes_over(void **state)
{
    int first = control_listen(path);

    (void)state;
    assert_int_equal(control_listen(path), -1);
    assert_non_null(strstr(error_text(), "another instance"));
    assert_int_equal(close(first), 0); /* killed: the file stays */
    int second = control_listen(path);

    assert_true(second >= 0);
    control_close(second, path);
    error_clear();
    assert_int_equal(control_listen("/nowhere/at/all"), -1);
    assert_non_null(strstr(error_text(), "/nowhere/at/all"));
    error_clear();
}

static void notifies(void **state)
{
    struct sockaddr_un at = address();
    char               said[64] = "";
    int                fd = socket(AF_UNIX, SOCK_DGRAM, 0);

    (void)state;
    assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof at), 0);
    attend_notify("READY=1"); /* nobody asked for it */
    assert_int_equal(setenv("NOTIFY_SOCKET", path, 1), 0);
    attend_notify("WATCHDOG=1");
    assert_true(recv(fd, said, sizeof said - 1, MSG_DONTWAIT) > 0);
    assert_string_equal(said, "WATCHDOG=1");
    assert_int_equal(recv(fd, said, sizeof said, MSG_DONTWAIT), -1);
    assert_int_equal(close(fd), 0);
    assert_int_equal(unlink(path), 0);
}

static atomic_bool healthy;

static bool is_healthy(void *self)
{
    (void)self;
    return healthy;
}

static bool is_stopping(void *self)
{
    (void)self;
    return false;
}

/* READY is said once the pipeline turns, and the watchdog's word waits for no Redis. */
static void ready_when_it_turns(void **state)
{
    struct sockaddr_un at = address();
    struct attend_hooks hooks = {.healthy = is_healthy, .stopping = is_stopping};
    size_t rows_count;
    const struct config_row *rows = settings_rows(&rows_count);
    struct config *config = config_create(rows, rows_count);
    char said[64] = "";
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

    (void)state;
    assert_int_equal(config_set(config, "kafka.brokers=nowhere:9"), 0);
    assert_int_equal(config_set(config, "redis.address=unix:/nowhere/at/all"), 0);
    assert_int_equal(config_finish(config), 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", path, 1), 0);
    assert_int_equal(attend_start(config, &hooks), 0);
    (void)poll(NULL, 0, 700);
    assert_int_equal(recv(fd, said, sizeof said, MSG_DONTWAIT), -1);
    healthy = true;
    assert_true(recv(fd, said, sizeof said - 1, 0) > 0);
    assert_string_equal(said, "READY=1");
    memset(said, 0, sizeof said);
    assert_true(recv(fd, said, sizeof said - 1, 0) > 0);
    assert_string_equal(said, "WATCHDOG=1");
    attend_stop();
    assert_int_equal(close(fd), 0);
    assert_int_equal(unlink(path), 0);
    config_destroy(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers),
        cmocka_unit_test(takes_over),
        cmocka_unit_test(notifies),
        cmocka_unit_test(ready_when_it_turns),
    };

    if (mkdtemp(folder) == NULL)
        return 1;
    (void)snprintf(path, sizeof path, "%s/socket", folder);
    log_open(LOG_LEVEL_NONE, LOG_FORM_TEXT);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    return failed + (rmdir(folder) != 0);
}
