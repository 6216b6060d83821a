/* attend.c - a thread beside a running pipeline, for what wants doing now and then. */
#include "stages/command/attend.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "pipeline/check.h"
#include "pipeline/config.h"
#include "pipeline/error.h"
#include "pipeline/log.h"
#include "stages/command/control.h"
#include "stages/detect/rulebook.h"
#include "stages/serve/library.h"
#include "stages/serve/view.h"

enum { TURN_MS = 500, LIBRARY_TURNS = 20 };

static struct {
    struct attend_hooks hooks;
    struct view        *view;
    int                 listener;      /* control socket, -1 = none                           */
    const char         *path;
    pthread_t           thread, library; /* what may wait for Redis has its own           */
    _Atomic bool        ending;
    bool                ready_told, stopping_told;
} attend = {.listener = -1};

void attend_notify(const char *line)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char        *path = getenv("NOTIFY_SOCKET");
    size_t             length = path != NULL ? strlen(path) : 0;

    CHECK(line != NULL);
    if (length < 2 || length >= sizeof address.sun_path)
        return;
    memcpy(address.sun_path, path, length);
    if (path[0] == '@') /* an abstract one */
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return;
    (void)sendto(fd, line, strlen(line), MSG_NOSIGNAL, (const struct sockaddr *)&address,
                 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
    CHECK(close(fd) == 0);
}

/* Until Redis has it; said once while it can't be had. */
static void *library_thread(void *self)
{
    int version = 0;

    for (unsigned turns = 0; version <= 0 && !attend.ending; turns++) {
        if (turns % LIBRARY_TURNS != 0) {
            (void)poll(NULL, 0, TURN_MS);
            continue;
        }
        version = library_load(attend.view);
        if (version > 0)
            log_info("attend", "Redis has the function library peakline, version %d", version);
        else if (turns == 0)
            log_warning("attend", "the function library peakline is not in Redis yet (readers by "
                        "FCALL_RO need it, nothing else does): %s", error_text());
        error_clear();
    }
    return self;
}

/* Ready is a pipeline whose runners turn.  One that is stuck is not alive: systemd's watchdog
 * then starts it anew. */
static void turn_systemd(void)
{
    bool healthy = attend.hooks.healthy(attend.hooks.self);

    if (healthy && !attend.ready_told) {
        attend.ready_told = true;
        attend_notify("READY=1");
    }
    if (!attend.stopping_told && attend.hooks.stopping(attend.hooks.self)) {
        attend.stopping_told = true;
        attend_notify("STOPPING=1");
    }
    if (healthy || attend.stopping_told)
        attend_notify("WATCHDOG=1");
}

static void *attend_thread(void *self)
{
    while (!attend.ending) {
        struct pollfd listening = {.fd = attend.listener, .events = POLLIN};

        turn_systemd();
        (void)rulebook_sweep();
        if (poll(&listening, 1, TURN_MS) > 0)
            control_answer(attend.listener);
    }
    return self;
}

int attend_start(const struct config *config, const struct attend_hooks *hooks)
{
    sigset_t all, before;

    attend.hooks = *hooks;
    attend.path = config_text(config, "control.socket");
    attend.listener = attend.path[0] != '\0' ? control_listen(attend.path) : -1;
    if (attend.path[0] != '\0' && attend.listener < 0)
        return -1;
    attend.view = view_open(config);
    if (attend.view == NULL) {
        control_close(attend.listener, attend.path);
        return -1;
    }
    attend.ending = attend.ready_told = attend.stopping_told = false;
    sigfillset(&all);
    CHECK(pthread_sigmask(SIG_BLOCK, &all, &before) == 0); /* signals are the others' */
    CHECK(pthread_create(&attend.thread, NULL, attend_thread, NULL) == 0);
    CHECK(pthread_create(&attend.library, NULL, library_thread, NULL) == 0);
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    return 0;
}

void attend_stop(void)
{
    attend.ending = true;
    CHECK(pthread_join(attend.thread, NULL) == 0);
    CHECK(pthread_join(attend.library, NULL) == 0);
    control_close(attend.listener, attend.path);
    attend.listener = -1;
    view_close(attend.view);
}
