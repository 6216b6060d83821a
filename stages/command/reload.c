/* reload.c - SIGHUP: thresholds, calendars and reference data anew, while the pipeline runs. */
#include "stages/command/reload.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>

#include "pipeline/check.h"
#include "pipeline/config.h"
#include "pipeline/error.h"
#include "pipeline/log.h"
#include "pipeline/metric.h"
#include "stages/command/command.h"
#include "stages/detect/rulebook.h"

static const struct metric_info info_reloads = {
    "reloads_total", "Reloads (SIGHUP) of thresholds and reference data that took effect.",
    METRIC_COUNTER};
static const struct metric_info info_refused = {
    "reloads_refused_total", "Reloads refused for a mistake; what was in force stays.",
    METRIC_COUNTER};

static struct {
    const struct command_line *line;
    uint64_t                   fixed;    /* hash of what a reload does not change            */
    pthread_t                  thread;
    sem_t                      asked;    /* made once: a handler may still be in it at the end */
    bool                       made;
    _Atomic bool               stopping;
    struct metric             *reloads, *refused;
} reload;

/* Of all settings but those that a reload changes. */
static uint64_t fixed_hash(const struct config *config)
{
    static const char *const except[] = {"detectors", "services", "reference", NULL};

    return config_hash(config, except);
}

/* NULL with the error trail. */
static struct rulebook *read_again(void)
{
    struct config   *config = command_config_read(reload.line);
    struct rulebook *book = config == NULL ? NULL : rulebook_create(config);

    if (book != NULL && fixed_hash(config) != reload.fixed)
        log_warning("reload", "settings other than detectors, services and reference differ "
                    "too: they take effect at the next start");
    config_destroy(config);
    return book;
}

static void reload_once(void)
{
    struct rulebook *book = read_again();

    if (book == NULL) {
        metric_add(reload.refused, 1);
        log_error("reload", "%s; what was in force stays", error_text());
        error_clear();
        return;
    }
    rulebook_say(book);
    rulebook_publish(book);
    metric_add(reload.reloads, 1);
    log_info("reload", "thresholds and reference data are read anew");
}

static void *reload_thread(void *self)
{
    for (;;) {
        while (sem_wait(&reload.asked) != 0)
            CHECK(errno == EINTR);
        if (reload.stopping)
            return self;
        reload_once();
    }
}

static void on_hangup(int number)
{
    int before = errno;

    (void)number;
    (void)sem_post(&reload.asked);
    errno = before;
}

void reload_start(const struct command_line *line, const struct config *in_force)
{
    struct sigaction action = {.sa_handler = on_hangup, .sa_flags = SA_RESTART};

    reload.line = line;
    reload.fixed = fixed_hash(in_force);
    reload.stopping = false;
    reload.reloads = metric_open(&info_reloads, "");
    reload.refused = metric_open(&info_refused, "");
    if (!reload.made)
        CHECK(sem_init(&reload.asked, 0, 0) == 0);
    reload.made = true;
    while (sem_trywait(&reload.asked) == 0)
        ;   /* of an earlier run */
    CHECK(pthread_create(&reload.thread, NULL, reload_thread, NULL) == 0);
    sigemptyset(&action.sa_mask);
    CHECK(sigaction(SIGHUP, &action, NULL) == 0);
}

void reload_stop(void)
{
    struct sigaction action = {.sa_handler = SIG_IGN};

    CHECK(sigaction(SIGHUP, &action, NULL) == 0);
    reload.stopping = true;
    CHECK(sem_post(&reload.asked) == 0);
    CHECK(pthread_join(reload.thread, NULL) == 0);
}
