/* child.c - programs the demo starts and ends. */
#include "stages/command/child.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pipeline/check.h"
#include "pipeline/error.h"

enum { GRACE_MS = 5000, POLL_MS = 20, EXEC_FAILED = 127 };

/* In the new process: never returns. */
static void child_become(const char *const argv[], const char *log_file)
{
    int log = open(log_file, O_WRONLY | O_CREAT | O_APPEND, 0600);
    int nothing = open("/dev/null", O_RDONLY);

    prctl(PR_SET_PDEATHSIG, SIGTERM);
    setpgid(0, 0);   /* a Ctrl-C is ours to pass on, in order */
    if (log >= 0 && nothing >= 0) {
        dup2(nothing, STDIN_FILENO);
        dup2(log, STDOUT_FILENO);
        dup2(log, STDERR_FILENO);
    }
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
    _exit(EXEC_FAILED);
}

int child_start(struct child *child, const char *const argv[], const char *log_file)
{
    const char *slash = strrchr(argv[0], '/');

    snprintf(child->name, sizeof child->name, "%s", slash != NULL ? slash + 1 : argv[0]);
    fflush(NULL);
    child->pid = fork();
    if (child->pid < 0) {
        child->pid = 0;
        return error_set("cannot start %s: %s", argv[0], strerror(errno));
    }
    if (child->pid == 0)
        child_become(argv, log_file);
    return 0;
}

bool child_ended(struct child *child, int *status)
{
    if (child->pid == 0)
        return true;
    if (waitpid(child->pid, status, WNOHANG) != child->pid)
        return false;
    child->pid = 0;
    return true;
}

void child_stop(struct child *child)
{
    struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};
    int status;

    if (child_ended(child, &status))
        return;
    kill(child->pid, SIGTERM);
    for (int waited = 0; waited < GRACE_MS; waited += POLL_MS) {
        if (child_ended(child, &status))
            return;
        nanosleep(&pause, NULL);
    }
    kill(child->pid, SIGKILL);
    waitpid(child->pid, &status, 0);
    child->pid = 0;
}

int child_port_free(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        if (fd >= 0)
            close(fd);
        return error_set("no free port on loopback: %s", strerror(errno));
    }
    close(fd);
    return ntohs(address.sin_port);
}
