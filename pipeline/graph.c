/* graph.c - stages and links from a table, the lanes that turn them, and the end.
 *
 * A lane is a runner's place: "in", "worker.0" …, "out", or one "all" when fused.
 * Every lane looks at the drain's ceiling, so none has to be alive for another.
 * When the ceiling is reached all lanes leave their stages alone; who waited for
 * what is read once their threads are gone.
 */
#include "pipeline/graph.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/check.h"
#include "pipeline/clock.h"
#include "pipeline/error.h"
#include "pipeline/graph_parts.h"
#include "pipeline/link.h"
#include "pipeline/log.h"
#include "pipeline/runner.h"

static void add_lane(struct graph *graph, const char *name, uint32_t worker)
{
    CHECK(graph->lanes_count < sizeof graph->lanes / sizeof graph->lanes[0]);
    struct lane *lane = &graph->lanes[graph->lanes_count];

    lane->graph = graph;
    lane->index = graph->lanes_count++;
    (void)snprintf(lane->name, sizeof lane->name,
                   strcmp(name, "worker") == 0 ? "%s.%u" : "%s", name, worker);
    lane->wake = wake_create();
    CHECK(lane->wake != NULL);
}

static void create_lanes(struct graph *graph)
{
    CHECK(graph->plan->workers <= GRAPH_WORKERS_MAX);
    CHECK(graph->lanes_count == 0);
    if (graph->plan->fused) {
        add_lane(graph, "all", 0);
        return;
    }
    add_lane(graph, "in", 0);
    for (uint32_t worker = 0; worker < graph->plan->workers; worker++)
        add_lane(graph, "worker", worker);
    add_lane(graph, "out", 0);
}

static uint32_t lane_of(const struct graph *graph, const struct graph_stage *row, uint32_t index)
{
    CHECK(row->runner != NULL);
    CHECK(graph->lanes_count > 0);
    if (graph->plan->fused || strcmp(row->runner, "in") == 0)
        return 0;
    return strcmp(row->runner, "out") == 0 ? graph->lanes_count - 1 : 1 + index;
}

static void create_stages(struct graph *graph)
{
    const struct graph_plan *plan = graph->plan;

    CHECK(graph->stages_count == 0);
    for (size_t row = 0; row < plan->stages_count; row++) {
        for (uint32_t copy = 0; copy < plan_copies(plan, row); copy++) {
            struct stage *stage = stage_create(graph, &plan->stages[row], copy);

            stage->lane = lane_of(graph, &plan->stages[row], copy);
            CHECK(stage->lane < graph->lanes_count);
            stage->wake = graph->lanes[stage->lane].wake;
            stage_open_metrics(stage);
            CHECK(graph->stages_count < GRAPH_STAGES_MAX);
            graph->stages[graph->stages_count++] = stage;
        }
    }
}

static void append(struct link ***links, uint32_t *count, struct link *link)
{
    struct link **more = realloc(*links, (*count + 1) * sizeof(struct link *));

    CHECK(more != NULL);
    CHECK(link != NULL);
    more[(*count)++] = link;
    *links = more;
}

/* The first copy of a row; its others follow. */
static struct stage **first_copy(struct graph *graph, const char *row_name)
{
    size_t   row = plan_find(graph->plan, row_name);
    uint32_t index = 0;

    CHECK(row != SIZE_MAX);
    for (size_t i = 0; i < row; i++)
        index += plan_copies(graph->plan, i);
    CHECK(index < graph->stages_count);
    return &graph->stages[index];
}

static void create_link(struct graph *graph, const struct graph_link *row, struct stage *from,
                        struct stage *to)
{
    char name[2 * STAGE_NAME_SIZE + 4];

    CHECK_MAGIC(from, STAGE_MAGIC);
    CHECK_MAGIC(to, STAGE_MAGIC);
    (void)snprintf(name, sizeof name, "%s→%s", from->name, to->name);
    struct link *link = link_create(name, row->kind, row->depth, row->outstanding_max,
                                    from->wake, to->wake);
    append(&from->outputs, &from->outputs_count, link);
    append(&to->inputs, &to->inputs_count, link);
    append(&graph->links, &graph->links_count, link);
}

static void create_links(struct graph *graph)
{
    const struct graph_plan *plan = graph->plan;

    CHECK(graph->links_count == 0);
    for (size_t i = 0; i < plan->links_count; i++) {
        const struct graph_link *row = &plan->links[i];
        struct stage           **from = first_copy(graph, row->from);
        struct stage           **to = first_copy(graph, row->to);
        uint32_t                 from_copies = plan_copies(plan, plan_find(plan, row->from));
        uint32_t                 to_copies = plan_copies(plan, plan_find(plan, row->to));

        for (uint32_t f = 0; f < from_copies; f++)
            for (uint32_t t = 0; t < to_copies; t++)
                if (plan_joins(plan, row, f, t))
                    create_link(graph, row, from[f], to[t]);
    }
    CHECK(graph->links_count == plan_links(plan));
}

struct graph *graph_create(const struct graph_plan *plan, const struct config *config)
{
    CHECK(plan != NULL);
    if (plan_check(plan) != 0) {
        (void)error_add("topology");
        return NULL;
    }
    struct graph *graph = calloc(1, sizeof *graph);

    CHECK(graph != NULL);
    graph->magic = GRAPH_MAGIC;
    graph->plan = plan;
    graph->ended = wake_create();
    create_lanes(graph);
    create_stages(graph);
    create_links(graph);
    for (uint32_t i = 0; i < graph->stages_count; i++) {
        struct stage *stage = graph->stages[i];

        if (stage->type->init != NULL && stage->type->init(stage, config) != 0) {
            (void)error_add("%s", stage->name);
            graph_destroy(graph);
            return NULL;
        }
        stage->ready = true;
    }
    return graph;
}

bool graph_stopping(const struct graph *graph)
{
    CHECK_MAGIC(graph, GRAPH_MAGIC);
    CHECK(graph->lanes_count > 0);
    return atomic_load(&graph->stops) > 0 || atomic_load(&graph->failing);
}

static void wake_all(struct graph *graph)
{
    CHECK_MAGIC(graph, GRAPH_MAGIC);
    CHECK(graph->lanes_count > 0);
    for (uint32_t i = 0; i < graph->lanes_count; i++)
        wake_up(graph->lanes[i].wake);
}

void graph_stop(struct graph *graph)
{
    CHECK_MAGIC(graph, GRAPH_MAGIC);
    atomic_fetch_add(&graph->stops, 1);
    wake_all(graph);
}

void graph_fail(struct graph *graph, const struct stage *stage)
{
    CHECK_MAGIC(graph, GRAPH_MAGIC);
    CHECK_MAGIC(stage, STAGE_MAGIC);
    if (!atomic_exchange(&graph->failing, true)) {
        (void)snprintf(graph->failure, sizeof graph->failure, "%s: %s", stage->name,
                       error_text());
        atomic_store(&graph->failed, true);
    }
    wake_all(graph);
}

/* Notes when the end began, and gives up when it has taken too long.  Returns whether it
 * begins just now. */
static bool watch(struct graph *graph, uint64_t now_ns)
{
    uint64_t began_ns = 0;

    CHECK_MAGIC(graph, GRAPH_MAGIC);
    if (!graph_stopping(graph) || atomic_load(&graph->given_up))
        return false;
    bool begins = atomic_compare_exchange_strong(&graph->stop_ns, &began_ns,
                                                 now_ns > 0 ? now_ns : 1);
    if (begins)
        began_ns = now_ns;
    uint64_t most_ns = (uint64_t)graph->plan->drain_ms_max * 1000000u;
    bool     late = graph->plan->drain_ms_max > 0 && now_ns > began_ns
                && now_ns - began_ns > most_ns;
    if (late || atomic_load(&graph->stops) >= 2) {
        atomic_store(&graph->given_up, true);
        wake_all(graph);
    }
    return begins;
}

int lane_turn(void *self)
{
    struct lane  *lane = self;
    struct graph *graph = lane->graph;
    uint64_t      now_ns = clock_monotonic_ns();
    int           work = 0;
    bool          alive = false;

    CHECK_MAGIC(graph, GRAPH_MAGIC);
    CHECK(lane->index < graph->lanes_count);
    atomic_store_explicit(&lane->turned_ns, now_ns, memory_order_relaxed);
    if (watch(graph, now_ns))
        log_info("graph", "draining");
    for (uint32_t i = 0; i < graph->stages_count && !atomic_load(&graph->given_up); i++) {
        if (graph->stages[i]->lane != lane->index)
            continue;
        atomic_store_explicit(&lane->inside, graph->stages[i], memory_order_relaxed);
        int done = stage_turn(graph->stages[i], now_ns);

        alive = alive || done >= 0;
        work += done > 0 ? done : 0;
    }
    atomic_store_explicit(&lane->inside, NULL, memory_order_relaxed);
    if (alive)
        return work;
    atomic_store(&lane->ended, true);
    wake_up(graph->ended);
    return -1;
}

struct report {
    char   text[1024];
    size_t length;
};

__attribute__((format(printf, 2, 3)))
static void report_add(struct report *report, const char *format, ...)
{
    va_list arguments;
    size_t  left = sizeof report->text - report->length;

    CHECK(report->length < sizeof report->text);
    va_start(arguments, format);
    int length = vsnprintf(report->text + report->length, left, format, arguments);
    va_end(arguments);
    CHECK(length >= 0);
    report->length += (size_t)length < left ? (size_t)length : left - 1;
}

/* What one stage waited for.  Those who only wait for the end of their inputs are not to
 * blame and not named. */
static void report_stage(struct report *report, const struct stage *stage)
{
    CHECK(report != NULL);
    CHECK_MAGIC(stage, STAGE_MAGIC);
    if (stage->phase == PHASE_DRAIN && stage->held > 0)
        report_add(report, "; %s: holds %d", stage->name, stage->held);
    for (uint32_t i = 0; i < stage->outputs_count; i++) {
        const struct link *link = stage->outputs[i];
        uint32_t           out = link_outstanding(link), waiting = link_waiting(link);

        if (out > 0)
            report_add(report, "; %s: %u batch%s out on %s, %u not taken", stage->name, out,
                       out == 1 ? "" : "es", link_name(link), waiting);
    }
    for (uint32_t i = 0; i < stage->inputs_count; i++)
        if (link_held(stage->inputs[i]) > 0)
            report_add(report, "; %s: has not finished %u of %s", stage->name,
                       link_held(stage->inputs[i]), link_name(stage->inputs[i]));
}

/* Nobody turns any more: puts into words who held what, and ends every stage. */
static void give_up(struct graph *graph)
{
    struct report report = {.length = 0};

    CHECK_MAGIC(graph, GRAPH_MAGIC);
    CHECK(atomic_load(&graph->given_up));
    if (atomic_load(&graph->failed))
        report_add(&report, "%s; then ", graph->failure);
    if (atomic_load(&graph->stops) >= 2)
        report_add(&report, "the drain was given up by a second stop");
    else
        report_add(&report, "the drain took longer than %lld ms",
                   (long long)graph->plan->drain_ms_max);
    for (uint32_t i = 0; i < graph->stages_count; i++)
        report_stage(&report, graph->stages[i]);
    for (uint32_t i = 0; i < graph->stages_count; i++)
        graph->stages[i]->phase = PHASE_HALT;
    memcpy(graph->failure, report.text, sizeof graph->failure);
    atomic_store(&graph->failing, true);
    atomic_store(&graph->failed, true);
}

/* Starts all lanes, or none. */
static int start_lanes(struct graph *graph)
{
    CHECK_MAGIC(graph, GRAPH_MAGIC);
    CHECK(graph->lanes_count > 0);
    for (uint32_t i = 0; i < graph->lanes_count; i++) {
        struct lane *lane = &graph->lanes[i];

        lane->runner = runner_start(lane->name, lane->wake, lane_turn, lane);
        if (lane->runner != NULL)
            continue;
        atomic_store(&graph->given_up, true);
        wake_all(graph);
        for (uint32_t k = 0; k < i; k++)
            runner_join(graph->lanes[k].runner);
        return -1;
    }
    return 0;
}

/* No callback may block.  One that does stops its whole lane, and the drain's ceiling too
 * can only wait for it: then at least the log names it. */
static void name_stuck(struct lane *lane)
{
    enum { STUCK_S = 2 };
    uint64_t            turned_ns = atomic_load(&lane->turned_ns);
    const struct stage *inside = atomic_load(&lane->inside);

    CHECK(lane->graph != NULL);
    CHECK(lane->seen_count >= 0);
    lane->seen_count = turned_ns == lane->seen_ns ? lane->seen_count + 1 : 0;
    lane->seen_ns = turned_ns;
    if (lane->seen_count > 0 && lane->seen_count % STUCK_S == 0 && inside != NULL)
        log_error("graph", "%s has not come back from %s for %d s", lane->name, inside->name,
                  lane->seen_count);
}

/* Until all lanes have ended; looks at those that have not once a second. */
static void wait_for_lanes(struct graph *graph)
{
    uint32_t ended = 0;
    uint64_t looked_ns = 0;

    CHECK_MAGIC(graph, GRAPH_MAGIC);
    CHECK(graph->lanes_count > 0);
    while (ended < graph->lanes_count) {
        uint32_t value = wake_value(graph->ended);
        uint64_t now_ns = clock_monotonic_ns();
        bool     look = now_ns - looked_ns >= 1000000000u;

        ended = 0;
        for (uint32_t i = 0; i < graph->lanes_count; i++) {
            if (atomic_load(&graph->lanes[i].ended))
                ended++;
            else if (look)
                name_stuck(&graph->lanes[i]);
        }
        looked_ns = look ? now_ns : looked_ns;
        if (ended < graph->lanes_count)
            (void)wake_wait(graph->ended, value, 1000);
    }
}

int graph_run(struct graph *graph)
{
    CHECK_MAGIC(graph, GRAPH_MAGIC);
    CHECK(!graph_halted(graph));
    if (start_lanes(graph) != 0)
        return -1;
    log_info("graph", "running: %u stages, %u links, %u threads", graph->stages_count,
             graph->links_count, graph->lanes_count);
    wait_for_lanes(graph);
    for (uint32_t i = 0; i < graph->lanes_count; i++) {
        runner_join(graph->lanes[i].runner);
        graph->lanes[i].runner = NULL;
    }
    if (atomic_load(&graph->given_up) && !graph_halted(graph))
        give_up(graph);
    CHECK(graph_halted(graph));
    if (atomic_load(&graph->failed))
        return error_set("%s", graph->failure);
    log_info("graph", "drained: every batch is home");
    return 0;
}

int graph_step(struct graph *graph, uint32_t stage, uint64_t now_ns)
{
    CHECK_MAGIC(graph, GRAPH_MAGIC);
    CHECK(stage < graph->stages_count);
    CHECK(graph->lanes[0].runner == NULL);
    if (graph_halted(graph))
        return -1;
    (void)watch(graph, now_ns);
    if (atomic_load(&graph->given_up)) {
        give_up(graph);
        return error_set("%s", graph->failure);
    }
    return stage_turn(graph->stages[stage], now_ns);
}

uint32_t graph_stages(const struct graph *graph)
{
    CHECK_MAGIC(graph, GRAPH_MAGIC);
    CHECK(graph->stages_count > 0);
    return graph->stages_count;
}

struct stage *graph_stage(struct graph *graph, uint32_t index)
{
    CHECK_MAGIC(graph, GRAPH_MAGIC);
    CHECK(index < graph->stages_count);
    return graph->stages[index];
}

int graph_halted(const struct graph *graph)
{
    CHECK_MAGIC(graph, GRAPH_MAGIC);
    CHECK(graph->stages_count > 0);
    for (uint32_t i = 0; i < graph->stages_count; i++)
        if (graph->stages[i]->phase != PHASE_HALT)
            return 0;
    return 1;
}

int graph_failed(const struct graph *graph)
{
    CHECK_MAGIC(graph, GRAPH_MAGIC);
    CHECK(!atomic_load(&graph->failed) || atomic_load(&graph->failing));
    return atomic_load(&graph->failing);
}

uint32_t graph_runners(const struct graph *graph)
{
    CHECK_MAGIC(graph, GRAPH_MAGIC);
    CHECK(graph->lanes_count > 0);
    return graph->lanes_count;
}

uint64_t graph_turned_ns(const struct graph *graph, uint32_t runner)
{
    CHECK_MAGIC(graph, GRAPH_MAGIC);
    CHECK(runner < graph->lanes_count);
    return atomic_load_explicit(&graph->lanes[runner].turned_ns, memory_order_relaxed);
}

void graph_destroy(struct graph *graph)
{
    if (graph == NULL)
        return;
    CHECK_MAGIC(graph, GRAPH_MAGIC);
    bool clean = graph_halted(graph) && !graph_failed(graph);

    if (!clean)
        pool_abandon(true);
    for (uint32_t i = graph->stages_count; i-- > 0;) /* receivers before emitters */
        if (graph->stages[i]->ready && graph->stages[i]->type->fini != NULL)
            graph->stages[i]->type->fini(graph->stages[i]);
    if (!clean)
        pool_abandon(false);
    for (uint32_t i = 0; i < graph->links_count; i++) {
        CHECK(!clean || link_outstanding(graph->links[i]) == 0);
        link_destroy(graph->links[i]);
    }
    for (uint32_t i = 0; i < graph->stages_count; i++)
        stage_destroy(graph->stages[i]);
    for (uint32_t i = 0; i < graph->lanes_count; i++)
        wake_destroy(graph->lanes[i].wake);
    wake_destroy(graph->ended);
    free(graph->links);
    graph->magic = 0;
    free(graph);
}
