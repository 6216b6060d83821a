/* demo.c - `peakline demo`: the whole way in twenty seconds, on this machine alone.
 *
 * Starts a private Redis and a broker, lets peakload send Double 11 traffic, runs
 * the pipeline in this process and shows what a user wants to see.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "pipeline/check.h"
#include "pipeline/clock.h"
#include "pipeline/config.h"
#include "pipeline/error.h"
#include "pipeline/log.h"
#include "pipeline/metric.h"
#include "stages/board.h"
#include "stages/command/child.h"
#include "stages/command/command.h"
#include "stages/command/embedded.h"
#include "stages/command/instance.h"
#include "stages/scan/format.h"
#include "stages/serve/view.h"

enum { PARTITIONS = 12, CATCH_UP_S = 20, TYPES_MAX = 32, SPEED = 20000 };
#define SPEED_TEXT "20000"

struct demo {
    struct embedded  services;
    struct child     load;
    struct config   *config;
    pthread_t        runner;
    _Atomic int      ended;
    int              result;
    char             error[512];
    char             brokers[160], redis[160], listen[64];
    int              port;
};

static _Atomic int interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

static void *run_instance(void *self)
{
    struct demo *demo = self;

    demo->result = instance_run(demo->config);
    if (demo->result != 0)
        snprintf(demo->error, sizeof demo->error, "%s", error_text());
    demo->ended = 1;
    return NULL;
}

static void wait_s(double seconds)
{
    struct timespec pause = {.tv_sec = (time_t)seconds,
                             .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};

    nanosleep(&pause, NULL);
}

/* ── Starting ─────────────────────────────────────────────────────────────── */

static int configure(struct demo *demo, struct command_line *line)
{
    demo->port = child_port_free();
    if (demo->port < 0)
        return command_failed(&command_demo, EX_UNAVAILABLE);
    snprintf(demo->brokers, sizeof demo->brokers, "kafka.brokers=%s", demo->services.brokers);
    snprintf(demo->redis, sizeof demo->redis, "redis.address=%s", demo->services.redis);
    snprintf(demo->listen, sizeof demo->listen, "http.listen=127.0.0.1:%d", demo->port);
    const char *own[] = {demo->brokers, demo->redis, demo->listen, "log.level=warning",
                         /* Days pass in seconds: wall time would run ahead of the traffic's. */
                         "clock.idle_advance=false"};
    const int count = (int)(sizeof own / sizeof own[0]);

    if (line->sets_count + count > COMMAND_SETS_MAX)
        return command_misused(&command_demo, "too many --set");
    memmove(line->sets + count, line->sets, (size_t)line->sets_count * sizeof line->sets[0]);
    memcpy(line->sets, own, sizeof own);
    line->sets_count += count;
    return command_config(line, &demo->config);
}

/* peakload stands beside this program. */
static int load_start(struct demo *demo, const char *seconds, const char *rate)
{
    char self[PATH_MAX - 64] = "", program[PATH_MAX], log[128], start[TIME_TEXT + 1] = "";
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);

    if (length <= 0)
        return error_set("cannot find this program's folder: %s", strerror(errno));
    self[length] = '\0';
    *strrchr(self, '/') = '\0';
    snprintf(program, sizeof program, "%s/peakload", self);
    snprintf(log, sizeof log, "%s/peakload.log", demo->services.folder);
    /* Days pass in seconds, and end now: nothing lies in the future. */
    time_print(clock_wall_ms() - strtol(seconds, NULL, 10) * SPEED * 1000, start);
    const char *const argv[] = {program, "generate", "--brokers", demo->services.brokers,
                                "--topic", config_text(demo->config, "kafka.topics.scans"),
                                "--rate", rate, "--seconds", seconds, "--speed", SPEED_TEXT,
                                "--start", start,
                                /* librdkafka's stand-in keeps all, and can't be asked. */
                                "--broken", "0.0005", "--any-retention", NULL};

    return child_start(&demo->load, argv, log);
}

/* ── While it runs ────────────────────────────────────────────────────────── */

static void show_progress(double elapsed_s, int64_t read, double per_s)
{
    int64_t lag = instance_lag();
    const char *end = isatty(STDOUT_FILENO) ? "\r" : "\n";

    printf("  %4.0f s  %9lld scans  %8.0f scans/s  lag %7lld  %8lld ETAs  %7lld alert changes  "
           "%5lld dead letters%s",
           elapsed_s, (long long)read, per_s, (long long)(lag < 0 ? 0 : lag),
           (long long)metric_sum("etas_total"), (long long)metric_sum("alert_changes_total"),
           (long long)metric_sum("dead_letters_total"), end);
    fflush(stdout);
}

/* Until the load has ended and all of it is in Redis. */
static bool all_stored(void)
{
    for (int i = 0; i < board_partitions && i < BOARD_PARTITIONS_MAX; i++)
        if (board[i].phase != PHASE_RUNNING || board[i].stored < board[i].high ||
            board[i].position < board[i].high)
            return false;
    return board_partitions > 0;
}

static int watch(struct demo *demo)
{
    uint64_t began_ns = clock_monotonic_ns(), quiet_ns = 0;
    int64_t before = 0;
    int status = 0;
    bool loaded = false, said = false;

    while (!interrupted && !demo->ended) {
        wait_s(1);
        uint64_t now_ns = clock_monotonic_ns();
        int64_t read = metric_sum("scans_read_total");

        if (read > 0)
            show_progress((double)(now_ns - began_ns) / 1e9, read, (double)(read - before));
        else if (!said)
            printf("  waiting until the group has given us its partitions …\n");
        said = true;
        if (!loaded && child_ended(&demo->load, &status)) {
            loaded = true;
            quiet_ns = now_ns;
        }
        if (loaded && ((read == before && read > 0 && all_stored()) ||
                       now_ns - quiet_ns > CATCH_UP_S * 1000000000ull))
            break;
        before = read;
    }
    printf("\n");
    if (demo->ended)
        return error_set("the pipeline ended: %s", demo->error);
    if (status != 0)
        return error_set("peakload failed; its words are in %s/peakload.log",
                         demo->services.folder);
    return before > 0 || interrupted ? 0 : error_set("no scan arrived");
}

/* ── What a user wants to see ─────────────────────────────────────────────── */

struct tally { char type[32]; size_t count; };

static size_t tally_types(const struct view_alerts *alerts, struct tally *types)
{
    size_t count = 0;

    for (size_t i = 0; i < alerts->count; i++) {
        char type[32];
        size_t k = 0;

        if (!view_member(alerts->list[i].json, "type", type, sizeof type))
            continue;
        while (k < count && strcmp(types[k].type, type) != 0)
            k++;
        if (k == TYPES_MAX)
            continue;
        if (k == count)
            types[count++] = (struct tally){.count = 0};
        memcpy(types[k].type, type, sizeof type);
        types[k].count++;
    }
    return count;
}

static int by_count(const void *a, const void *b)
{
    const struct tally *x = a, *y = b;

    return x->count < y->count ? 1 : x->count > y->count ? -1 : strcmp(x->type, y->type);
}

static void show_alerts(const struct view_alerts *alerts)
{
    struct tally types[TYPES_MAX];
    size_t count = tally_types(alerts, types);

    qsort(types, count, sizeof types[0], by_count);
    printf("\nOpen alerts by type%s:\n",
           alerts->matching > alerts->count ? " (of the latest 10,000)" : "");
    for (size_t i = 0; i < count; i++)
        printf("  %-20s %7zu\n", types[i].type, types[i].count);
}

/* Prefers a parcel whose alert tells a story. */
static const struct view_alert *alert_choose(const struct view_alerts *alerts)
{
    static const char *const wanted[] = {"misrouted", "looped", "delivery-failed", NULL};
    char type[32];

    for (size_t w = 0; wanted[w] != NULL; w++)
        for (size_t i = 0; i < alerts->count; i++)
            if (view_member(alerts->list[i].json, "type", type, sizeof type) &&
                strcmp(type, wanted[w]) == 0)
                return &alerts->list[i];
    return alerts->count > 0 ? &alerts->list[0] : NULL;
}

static void show_story(const struct demo *demo, const struct view_alert *alert)
{
    char text[400] = "", parcel[64] = "", severity[16] = "", type[32] = "";

    view_member(alert->json, "text", text, sizeof text);
    view_member(alert->json, "parcel", parcel, sizeof parcel);
    view_member(alert->json, "severity", severity, sizeof severity);
    view_member(alert->json, "type", type, sizeof type);
    printf("\nOne of them (%s, %s):\n  %s: %s\n\nThat parcel:\n\n", type, severity, parcel, text);
    fflush(stdout);
    char *argv[] = {"parcel", parcel, "--set", (char *)(uintptr_t)demo->redis, NULL};

    optind = 0;   /* a second command line in this process */
    command_parcel.run(4, argv);
}

static int show(struct demo *demo)
{
    struct view *view = view_open(demo->config);
    struct view_filter all = {.limit = 0};
    struct view_alerts alerts;

    if (view == NULL)
        return -1;
    if (view_alerts(view, &all, &alerts) != VIEW_FOUND) {
        view_close(view);
        return -1;
    }
    show_alerts(&alerts);
    const struct view_alert *chosen = alert_choose(&alerts);

    if (chosen != NULL)
        show_story(demo, chosen);
    view_alerts_free(&alerts);
    view_close(view);
    return 0;
}

static void show_next(const struct demo *demo, bool stay)
{
    printf("\nWhat to try next:\n");
    if (stay)
        printf("  build/peakline alerts --set %s --type misrouted\n"
               "  build/peakline partitions --set %s\n"
               "  curl http://127.0.0.1:%d/v1/alerts?limit=3\n"
               "  curl http://127.0.0.1:%d/metrics\n"
               "Kafka is at %s; Ctrl-C ends it all and leaves nothing behind.\n",
               demo->redis, demo->redis, demo->port, demo->port, demo->services.brokers);
    else
        printf("  deploy/quickstart --stay        keep it running, with HTTP and Redis to look at\n"
               "  deploy/quickstart --kafka       the same on Apache Kafka\n"
               "  build/peakline check            the configuration, explained\n"
               "  README.md, \"Your own topic in\"  scans of your own\n");
    fflush(stdout);
}

/* ── The command ──────────────────────────────────────────────────────────── */

static int play(struct demo *demo, const char *seconds, const char *rate, bool stay)
{
    if (load_start(demo, seconds, rate) != 0)
        return -1;
    printf("\nPeakline reads up to %s scans/s for %s s: parcels of a network of hubs, customs,\n"
           "flights and stations live through days in seconds.\n\n", rate, seconds);
    if (pthread_create(&demo->runner, NULL, run_instance, demo) != 0)
        return error_set("cannot start a thread");
    int result = watch(demo);

    if (result == 0)
        result = show(demo);
    if (result == 0)
        show_next(demo, stay);
    while (result == 0 && stay && !interrupted && !demo->ended)
        wait_s(0.2);
    child_stop(&demo->load);
    instance_stop();
    pthread_join(demo->runner, NULL);
    return result != 0 ? result : demo->result;
}

static int demo_run(struct command_line *line, bool kafka, bool stay, const char *seconds,
                    const char *rate)
{
    static struct demo demo;
    struct sigaction action = {.sa_handler = on_interrupt};

    log_open(LOG_LEVEL_WARNING, LOG_FORM_AUTO);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    printf("Starting a private Redis and %s ...\n",
           kafka ? "Apache Kafka" : "librdkafka's mock cluster");
    fflush(stdout);
    if (embedded_start(&demo.services, kafka, PARTITIONS) != 0)
        return command_failed(&command_demo, EX_UNAVAILABLE);
    int code = configure(&demo, line);

    if (code == COMMAND_GO_ON) {
        code = 0;
        if (play(&demo, seconds, rate, stay) != 0)
            code = command_failed(&command_demo, EX_SOFTWARE);
        config_destroy(demo.config);
    }
    embedded_stop(&demo.services);
    return code;
}

static int run(int argc, char **argv)
{
    bool kafka = false, stay = false;
    const char *seconds = "20", *rate = "20000";
    const struct command_option own[] = {
        {"kafka", NULL, "Apache Kafka (Java 17, fetched by Maven) instead of the mock cluster",
         NULL, &kafka},
        {"stay", NULL, "keep everything running afterwards, until Ctrl-C", NULL, &stay},
        {"seconds", "N", "how long traffic is generated (20)", &seconds, NULL},
        {"rate", "N", "scans per second (20000)", &rate, NULL},
        {NULL, NULL, NULL, NULL, NULL}};
    struct command_line line;
    int code = command_options(&command_demo, own, argc, argv, &line);

    if (code != COMMAND_GO_ON)
        return code;
    if (line.operands_count > 0)
        return command_misused(&command_demo, "\"%s\" is not an option", line.operands[0]);
    if (strtol(seconds, NULL, 10) < 1 || strtol(rate, NULL, 10) < 1)
        return command_misused(&command_demo, "--seconds and --rate want a number above 0");
    return demo_run(&line, kafka, stay, seconds, rate);
}

const struct command command_demo = {
    .name = "demo",
    .operands = "",
    .summary = "generated traffic through the whole pipeline, on this machine alone",
    .about = "Starts a private Redis and a Kafka broker, generates Double 11 traffic for about\n"
             "20 seconds, and shows what comes of it: rates and lag, alerts by type, one alert,\n"
             "one parcel's timeline with its ETA.  Leaves nothing behind unless told --stay.",
    .run = run,
};
