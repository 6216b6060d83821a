/* instance.c - one running pipeline: what `run` and `demo` share. */
#include "stages/command/instance.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#include "pipeline/check.h"
#include "pipeline/clock.h"
#include "pipeline/config.h"
#include "pipeline/error.h"
#include "pipeline/graph.h"
#include "pipeline/log.h"
#include "pipeline/metric.h"
#include "stages/board.h"
#include "stages/command/attend.h"
#include "stages/serve/http.h"
#include "stages/topology.h"

static _Atomic(struct graph *) running;
static _Atomic bool stopping;

void instance_stop(void)
{
    struct graph *graph = running;

    stopping = true;
    if (graph != NULL)
        graph_stop(graph);
}

static void on_signal(int number)
{
    (void)number;
    instance_stop();
}

void instance_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};

    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
    sigaction(SIGHUP, &action, NULL);   /* a terminal that goes away ends nothing */
}

int64_t instance_lag(void)
{
    int64_t lag = -1;

    for (int i = 0; i < board_partitions && i < BOARD_PARTITIONS_MAX; i++) {
        const struct board_row *row = &board[i];

        if (row->phase != PHASE_RUNNING)
            continue;
        int64_t behind = row->high > row->position ? row->high - row->position : 0;

        lag = (lag < 0 ? 0 : lag) + behind;
    }
    return lag;
}

/* ── What HTTP asks ───────────────────────────────────────────────────────── */

static uint32_t hook_runners(void *self) { return graph_runners(self); }

static uint64_t hook_turned_ns(void *self, uint32_t runner)
{
    return graph_turned_ns(self, runner);
}

static bool hook_draining(void *self)
{
    (void)self;
    return stopping;
}

static int32_t hook_partitions(void *self)
{
    (void)self;
    return board_partitions;
}

static bool hook_partition(void *self, int32_t number, struct serve_partition *shown)
{
    const struct board_row *row = &board[number];
    const char *why = NULL;

    (void)self;
    if (row->phase == PHASE_NONE)
        return false;
    bool healthy = board_healthy(number, clock_wall_ms(), &why);

    *shown = (struct serve_partition){
        .phase = phase_name((enum phase)row->phase),
        .why = why,
        .healthy = healthy,
        .position = row->position,
        .stored = row->stored,
        .committed = row->committed,
        .low = row->low,
        .high = row->high,
        .clock_ms = row->clock_ms,
        .records = row->records,
        .epoch = row->epoch,
    };
    return true;
}

static const char *hook_stuck(void *self)
{
    (void)self;
    return board_stuck(clock_wall_ms());
}

/* ── What attend asks ─────────────────────────────────────────────────────── */

#define HANGING_NS UINT64_C(10000000000)

/* Every runner turned lately, and every partition that is ours moves or is at its end. */
static bool hook_healthy(void *self)
{
    uint64_t    now_ns = clock_monotonic_ns();
    const char *why = NULL;

    for (uint32_t i = 0; i < graph_runners(self); i++) {
        uint64_t turned_ns = graph_turned_ns(self, i);

        if (now_ns > turned_ns && now_ns - turned_ns > HANGING_NS)
            return false;
    }
    for (int i = 0; i < board_partitions && i < BOARD_PARTITIONS_MAX; i++)
        if (board[i].phase != PHASE_STOPPED && !board_healthy(i, clock_wall_ms(), &why))
            return false;
    return true;
}

/* ── Running ──────────────────────────────────────────────────────────────── */

static void say_summary(void)
{
    log_info("run", "stopped: %lld scans read = %lld effective + %lld merged + %lld duplicate + "
             "%lld skipped + %lld dead letters",
             (long long)metric_sum("scans_read_total"),
             (long long)metric_sum("scans_effective_total"),
             (long long)metric_sum("scans_merged_total"),
             (long long)metric_sum("scans_duplicate_total"),
             (long long)metric_sum("scans_skipped_total"),
             (long long)metric_sum("dead_letters_total"));
}

static int serve_and_run(const struct config *config, struct graph *graph)
{
    struct serve_hooks hooks = {
        .self = graph,
        .runners = hook_runners,
        .turned_ns = hook_turned_ns,
        .draining = hook_draining,
        .partitions = hook_partitions,
        .partition = hook_partition,
        .stuck = hook_stuck,
    };

    error_clear();
    struct http *http = http_start(config, &hooks);

    if (http == NULL && error_text()[0] != '\0')
        return -1;
    if (http != NULL)
        log_info("run", "HTTP on port %u", http_port(http));
    int result = attend_start(config, &(struct attend_hooks) {
        .healthy = hook_healthy, .stopping = hook_draining, .self = graph});

    if (result == 0) {
        result = graph_run(graph);
        attend_stop();
    }
    http_stop(http);
    return result;
}

int instance_run(const struct config *config)
{
    struct graph *graph = graph_create(topology_plan(config), config);

    if (graph == NULL)
        return -1;
    CHECK(running == NULL);
    running = graph;
    if (stopping)   /* the signal came while the graph was being built */
        graph_stop(graph);
    int result = serve_and_run(config, graph);

    running = NULL;
    graph_destroy(graph);
    say_summary();
    return result;
}
