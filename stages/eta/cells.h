/* cells.h - the model's table of cells, which model.c learns and asks and model_store.c keeps.
 *
 * A cell is three cache lines: at 12 partitions of thousands of cells the table lies in no fast
 * cache, and waiting for lines is what a question costs.  The index holds 4 bytes a slot: which
 * cell, and 12 bits of the key's hash, so that a level that has no cell costs one line.
 */
#ifndef STAGES_ETA_CELLS_H
#define STAGES_ETA_CELLS_H

#include <stdbool.h>
#include <stdint.h>

#include "stages/eta/histogram.h"
#include "stages/eta/model.h"

enum {
    MODEL_MAGIC = 0x30DE1CE1, FAMILIES = 2,
    STEPS = 64,             /* weights change 64 times in a half-life, an era                */
    UNIT = 32,              /* a sample's weight at the beginning of an era                   */
    CELL_NONE = UINT32_MAX >> 1,
    SLOT_CELL_BITS = 20, CELLS_MAX = (1 << SLOT_CELL_BITS) - 1
};

struct cell {
    uint64_t key;           /* keys_of                                                      */
    uint32_t touched_s;     /* last learned; its weights are counted from that era           */
    struct histogram h;
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct cell) == 192, "three cache lines");

struct coldness {
    uint64_t weight, key;
};

struct model {
    uint32_t magic;
    uint32_t cells_max, step_s;
    double   shrink;
    const struct names *names; /* of destinations, for their areas                          */
    uint32_t count, size;   /* cells in use and allocated; the first FAMILIES are global      */
    uint32_t slots_mask, slots_shift; /* their number less one; 64 - its logarithm           */
    uint32_t pruned_hour;   /* hour of the last pruning: part of the state, field "m"          */
    bool     pruned_dirty;
    struct cell     *cells;
    uint32_t        *slots; /* by hash of the key: its tag, and the cell's number + 1         */
    uint64_t        *dirty; /* a bit for each cell changed since model_clean                   */
    struct coldness *order; /* pruning's sorting area                                       */
    uint64_t        *gone;  /* keys dropped since model_clean                               */
    uint32_t         gone_count, gone_size;
    uint16_t weights[STEPS]; /* of a sample, in units, by step of its era                     */
};

/* A moment, as weights see it. */
struct moment {
    uint32_t begun_s, era_s; /* its era's first second, and how long one is                    */
    uint32_t weight;
};

/* Weights at that second. */
struct moment moment_of(const struct model *, uint32_t now_s);

/* A cell at each level.  From the top: always 1, family, level, service, code, destination's
 * area, place. */
static inline void keys_of(enum model_family family, struct model_key k,
                           uint64_t keys[MODEL_LEVELS])
{
    uint64_t top = 1ull << 63 | (uint64_t)family << 58, code = (uint64_t)k.code << 40;
    uint64_t dest = (uint64_t)k.dest << 20;

    keys[0] = top;
    keys[1] = top | 1ull << 56 | (uint64_t)k.service << 48 | code;
    keys[2] = top | 2ull << 56 | code | dest;
    keys[3] = top | 3ull << 56 | code | dest | k.place;
}

/* The key's cell, or CELL_NONE; a new, empty one. */
uint32_t cell_find(const struct model *, uint64_t key);
uint32_t cell_create(struct model *, uint64_t key, uint32_t now_s);
/* Room for `size` cells.  Only at creation, and while more is restored than cells_max. */
void     cells_resize(struct model *, uint32_t size);

/* A destination as keys have it. */
static inline struct model_key key_in(const struct model *m, struct model_key key)
{
    if (m->names != NULL)
        key.dest = names_area(m->names, key.dest);
    return key;
}

static inline void cell_mark(struct model *m, uint32_t cell)
{
    m->dirty[cell / 64] |= 1ull << cell % 64;
}

#endif
