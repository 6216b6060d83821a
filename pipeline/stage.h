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
    STAGE_FATAL  /* not taken, the error trail says why; the graph drains and fails:
                    this stage gets no more batches, they go back OUTCOME_FAILED   */
};

struct stage_type {
    const char *name;
    size_t      state_size;                    /* zeroed, cache-line aligned       */
    uint8_t     inputs_min, inputs_max;
    uint8_t     outputs_min, outputs_max;
    uint8_t     burst;                         /* most batches emitted per call and output */

    /* Takes what it needs.  0, or -1 with the error trail, and then it has given back what
     * it took: fini is not called.  May be NULL.  thread: the graph's creator. */
    int (*init)(struct stage *, const struct config *);

    /* A batch arrived.  NULL for a source.  thread (here and below): the stage's runner. */
    enum stage_verdict (*on_batch)(struct stage *, struct batch *, uint64_t now_ns);

    /* Sources, replies, timers; called each turn, also while the stage drains.  Once on_drain
     * has returned 0 the outputs are closed: it is still called, and emits nothing any more
     * (a stage with outputs and no on_drain, which cannot know, is not called then).
     * Returns work done, 0 = nothing, -1 = fatal, the error trail says why.  May be NULL. */
    int (*on_tick)(struct stage *, uint64_t now_ns);

    /* A batch this stage emitted is back, its outcome in batch->outcome: give it to its
     * pool, or finish the batch it came from.  Must not emit.  NULL: pool_give. */
    void (*on_return)(struct stage *, struct batch *);

    /* The inputs are closed and empty (for a source: the graph was told to stop).
     * Emits what is held; returns 0 when nothing is held any more, else how much; it is
     * called again until it does.  May be NULL. */
    int (*on_drain)(struct stage *, uint64_t now_ns);

    /* Gives back what init took.  All batches are home, or the graph failed or was dropped
     * in mid-run: then batches are still out, pool_destroy takes them with it, and fini must
     * not look into any.  Called from the last stage of the table to the first.  May be NULL.
     * thread: the graph's destroyer. */
    void (*fini)(struct stage *);

    /* Called instead of on_tick while an output is full: whatever must go on even then (a
     * poll, lest a broker take us for dead).  Emits nothing.  May be NULL. */
    int (*on_blocked)(struct stage *, uint64_t now_ns);
};

/* owns: the engine, as long as the stage.  thread: any. */
void       *stage_state(struct stage *);
const char *stage_name(const struct stage *);   /* "decode"; of a worker's copies "track.1" */
uint32_t    stage_index(const struct stage *);  /* which of the stages of its type, from 0 */
uint32_t    stage_inputs(const struct stage *);
uint32_t    stage_outputs(const struct stage *);

/* Gives the batch to the receiver of `output`.  *batch = NULL: it is no longer yours.
 * It may be one taken in on_batch (forwarding): once back in on_return it is finished
 * towards its emitter as usual. */
void stage_emit(struct stage *, uint32_t output, struct batch **batch);

/* Sends a batch taken in on_batch back to its emitter.  *batch = NULL. */
void stage_finish(struct stage *, struct batch **batch, enum outcome outcome);

/* Wakes the stage's runner.  thread: any (a library's callback). */
void stage_wake(struct stage *);

/* A pool as large as `output` may have outstanding; the usual way to make one.
 * owns: the stage, until fini.  thread: init only. */
struct pool *stage_pool(struct stage *, uint32_t output, const struct batch_shape *shape);

#endif
