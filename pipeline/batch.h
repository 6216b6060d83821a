/* batch.h - the only currency between stages: records of one partition and one
 * kind, from a pool, moved and never shared.
 *
 * A batch has a head (one struct per batch) and records (an array of fixed-size
 * structs); what they mean is the product's business, told apart by `kind`.
 * Whoever holds the pointer owns the batch.  Emitting it gives it away; the
 * engine brings it back to the stage that emitted it (on_return), which may put
 * it into its pool or hand it back further.
 */
#ifndef PIPELINE_BATCH_H
#define PIPELINE_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BATCH_MAGIC = 0xBA7C4ED5u, BATCH_KINDS_MAX = 16, BATCH_HOPS_MAX = 4 };

/* What became of a batch; told to the stage that emitted it. */
enum outcome { OUTCOME_DONE, OUTCOME_FAILED };

struct link;
struct pool;

struct batch {
    uint32_t      magic;
    uint16_t      kind;         /* checked against the link's                          */
    int32_t       partition;
    uint32_t      assignment;   /* which ownership of the partition; older = stale      */
    uint32_t      count;        /* records in use                                       */
    uint32_t      capacity;
    int64_t       offset_first; /* source offsets [first, next) this batch covers       */
    int64_t       offset_next;
    void         *head;         /* product's struct for this kind                       */
    void         *records;      /* capacity × record_size bytes                         */
    char         *arena;        /* arena_size bytes for what records point to; not cleared */
    struct batch *kept;         /* a batch this one keeps alive, the stage's own use     */
    struct pool  *pool;         /* where it was born                                    */
    struct link  *via[BATCH_HOPS_MAX]; /* the way home, engine's use: emitting pushes the
                                   link, finishing pops it, so a stage may forward a
                                   batch it received and, when it is back (on_return),
                                   finish it towards where it came from                  */
    uint64_t      since_ns[BATCH_HOPS_MAX]; /* when it was given to each of them, engine's */
    uint8_t       hops;         /* links in `via`                                       */
    enum outcome  outcome;      /* set by stage_finish                                  */
};

/* The link the batch travels on, or NULL at its emitter's. */
static inline struct link *batch_via(const struct batch *batch)
{
    return batch->hops > 0 ? batch->via[batch->hops - 1] : NULL;
}

/* What the batches of one kind look like. */
struct batch_shape {
    uint16_t kind;
    size_t   head_size;
    size_t   record_size;
    uint32_t capacity;          /* records per batch                                    */
    size_t   arena_size;        /* bytes per batch beside the records, 0 = none          */
};

/* A fixed number of batches, all memory taken now, zeroed.
 * owns: the creating stage.  thread: that stage's runner. */
struct pool *pool_create(const struct batch_shape *shape, uint32_t batches);
void         pool_destroy(struct pool *);           /* all batches must be home */

/* While on, pool_destroy takes batches with it that are out.  For graph_destroy alone:
 * the graph failed, or a crash was simulated, and whoever could have brought them home is
 * gone.  thread: the calling one, and it alone is affected. */
void         pool_abandon(bool on);

/* While on, pool_destroy keeps its memory, and pool_create takes it as the last pool of that
 * size left it: of a simulator's many short lives none needs its pages anew.  Off, it is given
 * back.  thread: as pool_abandon. */
void         pool_recycle(bool on);

/* A clean batch (count 0, head zeroed, kept NULL; records and arena as they were) or NULL
 * when all are out.
 * owns: the caller, until it emits or gives it.  thread: the creating stage's runner. */
struct batch *pool_take(struct pool *);
void          pool_give(struct pool *, struct batch **batch); /* *batch = NULL */

uint32_t pool_free(const struct pool *);            /* batches at home */
uint32_t pool_size(const struct pool *);

#endif
