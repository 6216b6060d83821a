/* control.c - the control socket, and the commands that speak to it: reload and drain. */
#include "stages/command/control.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "pipeline/check.h"
#include "pipeline/config.h"
#include "pipeline/error.h"
#include "pipeline/log.h"
#include "stages/command/command.h"
#include "stages/command/instance.h"

enum { LINE_MAX_BYTES = 64, ANSWER_MAX = 256, BACKLOG = 4 };

static int address_of(const char *path, struct sockaddr_un *address)
{
    size_t length = strlen(path);

    *address = (struct sockaddr_un) {.sun_family = AF_UNIX};
    if (length == 0 || length >= sizeof address->sun_path)
        return error_set("control.socket: \"%s\": a path has 1 to %zu bytes", path,
                         sizeof address->sun_path - 1);
    memcpy(address->sun_path, path, length);
    return 0;
}

/* A connection to whoever listens there; -1, errno says why. */
static int reach(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK(fd >= 0);
    if (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0)
        return fd;
    int error = errno;

    CHECK(close(fd) == 0);
    errno = error;
    return -1;
}

int control_listen(const char *path)
{
    struct sockaddr_un address;

    if (address_of(path, &address) != 0)
        return -1;
    int other = reach(&address);

    if (other >= 0) {
        CHECK(close(other) == 0);
        return error_set("control.socket: another instance listens at %s", path);
    }
    if (errno == ECONNREFUSED) /* left by one that was killed */
        (void)unlink(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    CHECK(fd >= 0);
    mode_t before = umask(0177);
    int    bound = bind(fd, (const struct sockaddr *)&address, sizeof address);
    int    error = errno;

    (void)umask(before);
    if (bound == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    CHECK(close(fd) == 0);
    return error_set("control.socket: %s: %s", path, strerror(error));
}

void control_close(int listener, const char *path)
{
    if (listener < 0)
        return;
    CHECK(close(listener) == 0);
    (void)unlink(path);
}

static void limit_time(int fd)
{
    struct timeval second = {.tv_sec = 1};

    CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second) == 0);
    CHECK(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof second) == 0);
}

static const char *obey(const char *line)
{
    if (strcmp(line, "reload") == 0) {
        CHECK(kill(getpid(), SIGHUP) == 0); /* the one way in which reload.h is asked */
        return "ok: reading thresholds and reference data anew; the log says how it went\n";
    }
    if (strcmp(line, "drain") == 0) {
        instance_stop();
        return "ok: finishing what was read, then ending\n";
    }
    return "error: say reload or drain\n";
}

void control_answer(int listener)
{
    char line[LINE_MAX_BYTES] = "";
    int  fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

    if (fd < 0)
        return;
    limit_time(fd);
    ssize_t got = recv(fd, line, sizeof line - 1, 0);

    if (got > 0) {
        line[strcspn(line, "\r\n")] = '\0';
        const char *answer = obey(line);

        log_info("control", "asked to %s: %.*s", answer[0] == 'o' ? line : "do what it cannot",
                 (int)strcspn(answer, "\n"), answer);
        (void)send(fd, answer, strlen(answer), MSG_NOSIGNAL);
    }
    CHECK(close(fd) == 0 || errno == ECONNRESET);
}

/* ── The commands ─────────────────────────────────────────────────────────── */

static int speak(const char *path, const char *line, char answer[ANSWER_MAX])
{
    struct sockaddr_un address;

    if (path[0] == '\0')
        return error_set("control.socket is not set: give it the path the instance has");
    if (address_of(path, &address) != 0)
        return -1;
    int fd = reach(&address);

    if (fd < 0)
        return error_set("control.socket: %s: %s", path, strerror(errno));
    limit_time(fd);
    ssize_t got = -1;

    if (send(fd, line, strlen(line), MSG_NOSIGNAL) > 0)
        got = recv(fd, answer, ANSWER_MAX - 1, 0);
    CHECK(close(fd) == 0);
    if (got <= 0)
        return error_set("control.socket: %s: no answer within a second", path);
    answer[got] = '\0';
    return 0;
}

static int ask(const struct command *command, int argc, char **argv)
{
    char                answer[ANSWER_MAX], line[LINE_MAX_BYTES];
    struct command_line given;
    struct config      *config;
    int                 code = command_options(command, NULL, argc, argv, &given);

    if (code != COMMAND_GO_ON)
        return code;
    if (given.operands_count > 0)
        return command_misused(command, "\"%s\" is not an option", given.operands[0]);
    code = command_config(&given, &config);
    if (code != COMMAND_GO_ON)
        return code;
    (void)snprintf(line, sizeof line, "%s\n", command->name);
    code = 0;
    if (speak(config_text(config, "control.socket"), line, answer) != 0)
        code = command_failed(command, EX_UNAVAILABLE);
    else
        (void)fputs(answer, stdout);
    config_destroy(config);
    return code;
}

static int run_reload(int argc, char **argv) { return ask(&command_reload, argc, argv); }

static int run_drain(int argc, char **argv) { return ask(&command_drain, argc, argv); }

const struct command command_reload = {
    .name = "reload",
    .operands = "",
    .summary = "have a running instance read its thresholds and reference data anew",
    .about = "Asks the instance at control.socket, as SIGHUP does.  A mistake leaves what was in\n"
             "force; the instance's log says how it went.",
    .run = run_reload,
};

const struct command command_drain = {
    .name = "drain",
    .operands = "",
    .summary = "have a running instance finish and end",
    .about = "Asks the instance at control.socket, as SIGTERM does: what was read is finished,\n"
             "checkpointed and committed, then it ends.",
    .run = run_drain,
};
