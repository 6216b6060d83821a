/* main.c - the product's own stages on one thread, between a log in memory and a real Redis.
 *
 *     peakline-stages FILE [PATH=VALUE]…
 *
 * FILE holds one topic's messages, as bench/stages.py writes them.  Whatever the stages ask of
 * Kafka is answered at once (feed.c, sink.c), so what is measured is ours alone: for each stage
 * the time its turns took, and, under callgrind, its instructions.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench/stages/stages.h"
#include "pipeline/check.h"
#include "pipeline/clock.h"
#include "pipeline/config.h"
#include "pipeline/error.h"
#include "pipeline/graph.h"
#include "pipeline/log.h"
#include "pipeline/metric.h"
#include "stages/board.h"
#include "stages/ports.h"
#include "stages/settings.h"
#include "stages/topology.h"

enum { STAGES_MAX = GRAPH_STAGES_MAX };

struct ports ports = {feed_open, sink_open, no_header, redis_io_open_hiredis};

bool no_header(const void *message, size_t i, const char **name, const void **value,
               size_t *length)
{
    (void)message, (void)i, (void)name, (void)value, (void)length;
    return false;
}

/* Work done in a turn of every stage; adds the time each took. */
static int turn(struct graph *graph, uint64_t spent_ns[])
{
    int work = 0;

    for (uint32_t i = 0; i < graph_stages(graph); i++) {
        uint64_t begun_ns = clock_monotonic_ns();
        int done = graph_step(graph, i, begun_ns);

        work += done > 0;
        if (done > 0)
            spent_ns[i] += clock_monotonic_ns() - begun_ns;
    }
    return work;
}

/* Does Redis have the state as of every partition's end? */
static bool is_stored(void)
{
    for (int32_t p = 0; p < feed_partitions(); p++)
        if (board[p].stored < feed_end(p))
            return false;
    return true;
}

static void drain(struct graph *graph, uint64_t spent_ns[])
{
    while (!is_stored())
        if (turn(graph, spent_ns) == 0)
            nanosleep(&(struct timespec) {.tv_nsec = 100000}, NULL);
}

static struct config *configured(int count, char *assignments[])
{
    size_t rows_count;
    const struct config_row *rows = settings_rows(&rows_count);
    struct config *config = config_create(rows, rows_count);

    for (int i = 0; i < count; i++)
        if (config_set(config, assignments[i]) < 0)
            return NULL;
    return config_finish(config) < 0 ? NULL : config;
}

static void report(struct graph *graph, const uint64_t spent_ns[], uint64_t all_ns)
{
    double scans = (double)feed_messages();

    printf("{\"scans\":%.0f,\"ns\":{", scans);
    for (uint32_t i = 0; i < graph_stages(graph); i++)
        printf("%s\"%s\":%.1f", i > 0 ? "," : "", stage_name(graph_stage(graph, i)),
               (double)spent_ns[i] / scans);
    printf("},\"ns_all\":%.1f,\"effective\":%lld,\"alerts\":%lld,\"etas\":%lld,"
           "\"superseded\":%lld,\"outputs\":%llu,\"output_bytes\":%llu}\n",
           (double)all_ns / scans, (long long)metric_sum("scans_effective_total"),
           (long long)metric_sum("alert_changes_total"), (long long)metric_sum("etas_total"),
           (long long)metric_sum("etas_superseded_total"),
           (unsigned long long)sink_outputs(), (unsigned long long)sink_bytes());
}

int main(int count, char *words[])
{
    uint64_t spent_ns[STAGES_MAX] = {0};
    struct config *config = configured(count - 2, words + 2);

    if (count < 2 || config == NULL || feed_load(words[1]) < 0) {
        fprintf(stderr, "peakline-stages: %s\n",
                count < 2 ? "FILE [PATH=VALUE]…" : error_text());
        return 64;
    }
    struct graph *graph = graph_create(topology_plan(config), config);

    if (graph == NULL) {
        fprintf(stderr, "peakline-stages: %s\n", error_text());
        return 69;
    }
    uint64_t begun_ns = clock_monotonic_ns();

    drain(graph, spent_ns);
    report(graph, spent_ns, clock_monotonic_ns() - begun_ns);
    graph_destroy(graph);
    config_destroy(config);
    feed_free();
    return 0;
}
