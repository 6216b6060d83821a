/* stage.h - what a stage is.  Read this first.
 *
 * A stage is a type (one const struct, one per file) and a state (memory the
 * engine gives it).  Stages are joined by links in one table
 * (stages/topology.c) and run by runners, which is configuration.
 *
 * The engine owns the loop.  It calls on_batch and on_tick only when EVERY
 * output has room for `burst` batches, so stage_emit cannot fail and no stage
 * has a branch for a full ring: back-pressure is one `if`, in graph.c.
 * No callback blocks, sleeps, or allocates after init (what a newly assigned
 * partition needs is taken when it is assigned).  Each call is bounded by one batch.
 *
 *     emitter ──stage_emit──► link ──on_batch──► receiver
 *             ◄──on_return──  back ◄──stage_finish──
 *
 * Facts travel forward in batches; answers travel back in the same batches.
 * There is no other channel between stages.
 */
#ifndef PIPELINE_STAGE_H
#define PIPELINE_STAGE_H

#include <stddef.h>
#include <stdint.h>

#include "pipeline/batch.h"

struct config;
struct stage;

enum stage_verdict {
    STAGE_TAKEN, /* the batch is mine: I emitted, finished or kept it             */
    STAGE_HOLD,  /* not taken; it stays at the head of its input                  */
    STAGE_FATAL  /* the error trail says why; the graph drains and fails          */
};

struct stage_type {
    const char *name;
    size_t      state_size;                    /* zeroed, cache-line aligned       */
    uint8_t     inputs_min, inputs_max;
    uint8_t     outputs_min, outputs_max;
    uint8_t     burst;                         /* most batches emitted per call and output */

    /* Takes what it needs.  0, or -1 with the error trail.  thread: the graph's creator. */
    int (*init)(struct stage *, const struct config *);

    /* A batch arrived.  thread (here and below): the stage's runner. */
    enum stage_verdict (*on_batch)(struct stage *, struct batch *, uint64_t now_ns);

    /* Sources, replies, timers; called each turn.  Returns work done, 0 = nothing,
     * -1 = fatal, the error trail says why.  May be NULL. */
    int (*on_tick)(struct stage *, uint64_t now_ns);

    /* A batch this stage emitted is back, its outcome in batch->outcome: give it to its
     * pool, or finish the batch it came from.  Must not emit.  NULL: pool_give. */
    void (*on_return)(struct stage *, struct batch *);

    /* The inputs are closed and empty (for a source: the graph was told to stop).
     * Emits what is held; returns 0 when nothing is held any more, else how much.
     * May be NULL. */
    int (*on_drain)(struct stage *, uint64_t now_ns);

    /* Gives back what init took.  All batches are home, or the graph failed. */
    void (*fini)(struct stage *);
};

void       *stage_state(struct stage *);
const char *stage_name(const struct stage *);   /* "track.1" */
uint32_t    stage_index(const struct stage *);  /* which of the stages of its type, from 0 */
uint32_t    stage_inputs(const struct stage *);
uint32_t    stage_outputs(const struct stage *);

/* Gives the batch to the receiver of `output`.  *batch = NULL: it is no longer yours. */
void stage_emit(struct stage *, uint32_t output, struct batch **batch);

/* Sends a batch taken in on_batch back to its emitter.  *batch = NULL. */
void stage_finish(struct stage *, struct batch **batch, enum outcome outcome);

/* Wakes the stage's runner.  thread: any (a library's callback). */
void stage_wake(struct stage *);

/* A pool as large as `output` may have outstanding; the usual way to make one. */
struct pool *stage_pool(struct stage *, uint32_t output, const struct batch_shape *shape);

#endif
