/* redis_server.h - a real redis-server of the test's own, in a folder of its own. */
#ifndef TESTS_UNIT_REDIS_SERVER_H
#define TESTS_UNIT_REDIS_SERVER_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <hiredis/hiredis.h>

static struct {
    pid_t pid;
    char  folder[40], socket[64], address[80], port[8];
} server = {.folder = "/tmp/peakline-redis-XXXXXX"};

/* $REDIS_SERVER names another program, such as valkey-server. */
static inline const char *server_program(void)
{
    const char *other = getenv("REDIS_SERVER");

    return other != NULL && *other != '\0' ? other : "redis-server";
}

static inline void server_start(const char *password, const char *policy)
{
    server.pid = fork();
    if (server.pid == 0) {
        if (freopen("/dev/null", "w", stdout) == NULL)
            _exit(126);
        execlp(server_program(), "redis-server", "--port", server.port, "--bind", "127.0.0.1",
               "--unixsocket", server.socket, "--save", "", "--dir", server.folder,
               "--requirepass", password, "--maxmemory-policy", policy, (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 500; i++, (void)usleep(10000)) {
        redisContext *context = redisConnectUnix(server.socket);
        bool          up = context != NULL && context->err == 0;

        redisFree(context);
        if (up || waitpid(server.pid, NULL, WNOHANG) == server.pid)
            return;
    }
}

static inline void server_stop(int how)
{
    if (kill(server.pid, how) == 0)
        (void)waitpid(server.pid, NULL, 0);
    (void)unlink(server.socket);
}

/* false, with the reason, where there is no redis-server: the test is skipped. */
static inline bool server_begin(void)
{
    char program[280];

    (void)snprintf(program, sizeof program, "/usr/bin/%s", server_program());
    if (access(program, X_OK) != 0 || mkdtemp(server.folder) == NULL) {
        (void)printf("skipped: no %s\n", program);
        return false;
    }
    (void)snprintf(server.socket, sizeof server.socket, "%s/socket", server.folder);
    (void)snprintf(server.address, sizeof server.address, "unix:%s", server.socket);
    (void)snprintf(server.port, sizeof server.port, "%d", 20000 + getpid() % 10000);
    server_start("", "noeviction");
    return true;
}

static inline void server_end(void)
{
    server_stop(SIGKILL);
    (void)rmdir(server.folder);
}

#endif
