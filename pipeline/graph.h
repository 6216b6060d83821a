/* graph.h - builds the stages and links of a topology table, checks it, runs it.
 *
 * BOOT → RUN → DRAIN → RETURN → HALT | FAIL.  A stop drains from the sources
 * down: a stage whose inputs are closed and empty emits what it holds
 * (on_drain), closes its outputs, waits until all it emitted has come back,
 * then halts.  The drain has a ceiling; past it the graph fails and names who
 * still holds what.
 */
#ifndef PIPELINE_GRAPH_H
#define PIPELINE_GRAPH_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "pipeline/stage.h"

struct graph;

/* One row per stage.  `copies` 0 = as many as there are workers, 1 = one (on worker 0, if
 * its runner is "worker"). */
struct graph_stage {
    const struct stage_type *type;
    const char              *runner;  /* "in" | "worker" | "out": copy i of a worker stage
                                         runs on worker i                              */
    uint8_t                  copies;  /* 1, or 0 = one per worker                      */
};

/* One row per link: every copy of `from` to every copy of `to`, except that copies
 * on the same worker are paired (copy i to copy i).  Outputs and inputs are numbered
 * in the order of the rows, copies in a row. */
struct graph_link {
    const char *from, *to;
    uint16_t    kind;
    uint32_t    depth;           /* power of two                                       */
    uint32_t    outstanding_max; /* batches out at once; the emitter's pool size       */
};

struct graph_plan {
    const struct graph_stage *stages;
    size_t                    stages_count;
    const struct graph_link  *links;
    size_t                    links_count;
    const char *const        *kinds;   /* names by kind, for printing and errors       */
    uint32_t                  workers; /* 1 … GRAPH_WORKERS_MAX                        */
    int                       fused;   /* all stages on one thread                     */
    int64_t                   drain_ms_max; /* the drain's ceiling; 0 = none           */
};

enum { GRAPH_WORKERS_MAX = 16, GRAPH_STAGES_MAX = 64 };

/* Checks the plan (names, kinds, input and output counts, powers of two, no cycle),
 * makes stages and links, calls each init in table order.  NULL with the error trail.
 * owns: the caller keeps plan and config alive. */
struct graph *graph_create(const struct graph_plan *, const struct config *);

/* Runs until drained or failed.  0 = drained clean, -1 = failed, trail says why.
 * thread: the creator's; it only waits. */
int graph_run(struct graph *);

/* Turns one stage once, on the calling thread: for simulation.  Work done, 0 = none,
 * -1 = this stage has halted, or the graph has given up (trail).  Never mixed with
 * graph_run. */
int graph_step(struct graph *, uint32_t stage, uint64_t now_ns);

/* Stages in table order, copies in a row.  thread: any; graph_halted: after graph_run, or
 * the one that steps. */
uint32_t      graph_stages(const struct graph *);
struct stage *graph_stage(struct graph *, uint32_t index);
int           graph_halted(const struct graph *);   /* all stages halted, or it has given up */
int           graph_failed(const struct graph *);   /* it will not end clean; may still drain */

/* Starts the drain; a second call gives it up at once.  thread: any; async-signal-safe. */
void graph_stop(struct graph *);

/* Nanoseconds (monotonic) at which each runner last turned; for /live.  thread: any. */
uint32_t graph_runners(const struct graph *);
uint64_t graph_turned_ns(const struct graph *, uint32_t runner);

/* The plan as Graphviz dot: stages, links with kind and depth, runners as clusters.
 * thread: any. */
void graph_print(const struct graph_plan *, FILE *);

/* After graph_run, or a simulated crash at any step: fini of every stage, last to first,
 * then all memory.  A graph that did not end clean leaves batches out; their pools take them
 * along (pool_abandon), so no fini has to bring any home. */
void graph_destroy(struct graph *);

#endif
