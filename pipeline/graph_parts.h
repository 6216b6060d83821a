/* graph_parts.h - what plan.c, stage.c and graph.c share; nobody else includes it.
 *
 * plan.c knows tables, stage.c one stage's turn, graph.c all of them together.
 */
#ifndef PIPELINE_GRAPH_PARTS_H
#define PIPELINE_GRAPH_PARTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/graph.h"

struct link;
struct metric;
struct runner;
struct wake;

enum { STAGE_MAGIC = 0x57A6E001, GRAPH_MAGIC = 0x6BA84001, STAGE_NAME_SIZE = 48 };

/* Where a stage is in its life; a stage never goes back. */
enum phase {
    PHASE_RUN,
    PHASE_DRAIN,  /* inputs are over; on_drain until it holds nothing                  */
    PHASE_RETURN, /* outputs closed; until what it emitted is back and what it took is
                     finished                                                          */
    PHASE_HALT
};

struct stage {
    uint32_t                 magic;
    const struct stage_type *type;
    char                     name[STAGE_NAME_SIZE];
    uint32_t                 index;   /* among the copies of its row                   */
    uint32_t                 lane;
    struct graph            *graph;
    struct wake             *wake;    /* its lane's                                    */
    void                    *state;
    struct link            **inputs, **outputs; /* the links are the graph's           */
    uint32_t                 inputs_count, outputs_count;
    uint32_t                 input_next; /* whose turn it is to be first               */
    enum phase               phase;
    bool                     ready;      /* init returned 0: fini is due               */
    bool                     failed;     /* said FATAL: takes no more batches          */
    bool                     tick_off;   /* on_tick said -1                            */
    bool                     quiet;      /* in a callback that must not emit           */
    int                      held;       /* what on_drain said last                    */
    uint64_t                 emitted;
    uint64_t                 now_ns;     /* of the turn */
    struct metric           *batch_seconds;
    struct metric           *taken_total, *emitted_total, *returned_total;
    struct metric           *held_total, *blocked_total;
};

/* A runner's place in a graph: its stages are those with its number. */
struct lane {
    struct graph    *graph;
    char             name[16];
    uint32_t         index;
    struct wake     *wake;
    struct runner   *runner;
    _Atomic uint64_t turned_ns;
    struct stage    *_Atomic inside; /* the stage that is being turned                 */
    _Atomic bool     ended;
    uint64_t         seen_ns;        /* what graph_run saw of turned_ns, and how often */
    int              seen_count;
};

struct graph {
    uint32_t                 magic;
    const struct graph_plan *plan;
    struct stage            *stages[GRAPH_STAGES_MAX];
    uint32_t                 stages_count;
    struct link            **links;
    uint32_t                 links_count;
    struct lane              lanes[GRAPH_WORKERS_MAX + 2];
    uint32_t                 lanes_count;
    struct wake             *ended;    /* a lane has                                   */
    _Atomic uint32_t         stops;    /* calls of graph_stop                          */
    _Atomic uint64_t         stop_ns;  /* when the first turn saw it; 0 = not yet      */
    _Atomic bool             failing;  /* somebody is writing, or has written, failure */
    _Atomic bool             failed;   /* failure may be read                          */
    _Atomic bool             given_up; /* nobody turns any more                        */
    char                     failure[1024];
};

/* plan.c.  All that can be wrong with a table; 0, or -1 with the trail. */
int         plan_check(const struct graph_plan *);
size_t      plan_find(const struct graph_plan *, const char *name); /* row, or SIZE_MAX     */
uint32_t    plan_copies(const struct graph_plan *, size_t row);
bool        plan_joins(const struct graph_plan *, const struct graph_link *, /* this copy   */
                       uint32_t from_copy, uint32_t to_copy);                /* to this one? */
uint32_t    plan_links(const struct graph_plan *);                 /* after expansion        */
const char *plan_kind(const struct graph_plan *, uint16_t kind);

/* stage.c.  One bounded turn: work done, 0 = none, -1 = halted.  thread: the stage's runner. */
struct stage *stage_create(struct graph *, const struct graph_stage *, uint32_t index);
void          stage_destroy(struct stage *);
void          stage_open_metrics(struct stage *);
int           stage_turn(struct stage *, uint64_t now_ns);

/* graph.c.  graph_fail keeps the trail of the first failure and starts the drain. */
bool graph_stopping(const struct graph *);
void graph_fail(struct graph *, const struct stage *);
int  lane_turn(void *lane);

#endif
