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
#include "stages/eta/model_store.h"
#include "stages/scan/codes.h"

enum {
    MODEL_MAGIC = 0x30DE1CE1, FAMILIES = 3,
    STEPS = 64,             /* weights change 64 times in a half-life, an era                */
    UNIT = 32,              /* a sample's weight at the beginning of an era                   */
    CELL_NONE = UINT32_MAX >> 1,
    SLOT_CELL_BITS = 20, CELLS_MAX = (1 << SLOT_CELL_BITS) - 1,
    FACTOR_ONE = 8192       /* of P90s: as the histograms say                                */
};

/* A cell's notes: what it answers, made anew when it has learned an eighth more.  LOW, MIDDLE
 * and HIGH are short_pack'ed seconds: of REMAINING P1½, P50 and P90; of DWELL HIGH is P99, and
 * MIDDLE its support in samples.  UNTIL: so many samples more until they are made anew. */
enum { NOTE_LOW, NOTE_MIDDLE, NOTE_HIGH, NOTE_UNTIL, NOTES };

struct cell {
    uint64_t key;           /* keys_of                                                      */
    uint32_t touched_s;     /* last learned; its weights are counted from that era           */
    struct histogram h;     /* the room of its last row holds the notes                    */
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct cell) == 192 && HISTOGRAM_NOTES + (int)NOTES <= ROW,
               "three cache lines");

struct coldness {
    uint64_t weight, key;
};

struct model {
    uint32_t magic;
    uint32_t cells_max, step_s;
    double   shrink;
    const struct names *names; /* whose codes keys are made of                              */
    uint32_t count, size;   /* cells in use and allocated; the first FAMILIES are global      */
    uint32_t slots_mask, slots_shift; /* their number less one; 64 - its logarithm           */
    uint32_t pruned, born_s; /* quarter day of the last pruning; first lesson: field "m"      */
    bool     times_dirty;   /* one of the two has changed                                   */
    struct cell     *cells;
    uint32_t        *slots; /* by hash of the key: its tag, and the cell's number + 1         */
    uint64_t        *dirty; /* a bit for each cell changed since model_clean                   */
    struct coldness *order; /* pruning's sorting area                                       */
    uint64_t        *gone;  /* keys dropped since model_clean                               */
    uint32_t         gone_count, gone_size;
    char           **old;   /* fields of older formats, to be deleted                         */
    uint32_t         old_count;
    uint16_t       (*factors)[SCAN_CODES]; /* of P90, by service and code                     */
    uint64_t         factors_dirty[4];     /* services of which one has changed                */
    uint16_t weights[STEPS]; /* of a sample, in units, by step of its era                     */
};

/* A moment, as weights see it. */
struct moment {
    uint32_t begun_s, era_s; /* its era's first second, and how long one is                    */
    uint32_t weight;
};

/* Weights at that second. */
struct moment moment_of(const struct model *, uint32_t now_s);

/* How many eras ago the cell was touched; 0 too if that is still to come, or it never was: what
 * a model began with counts as it is. */
static inline uint32_t eras_since(const struct cell *c, struct moment now)
{
    if (__builtin_expect(c->touched_s >= now.begun_s, 1) || c->touched_s == 0)
        return 0;
    return (now.begun_s - c->touched_s - 1) / now.era_s + 1;
}

/* The key's cell, or CELL_NONE; the same but for one chance in thousands, by the index alone, so
 * that its lines can be on their way before its key is compared; a new, empty one. */
uint32_t cell_find(const struct model *, uint64_t key);
uint32_t cell_likely(const struct model *, uint64_t key);
uint32_t cell_create(struct model *, uint64_t key, uint32_t now_s);
/* Room for `size` cells.  Only at creation, and while more is restored than cells_max. */
void     cells_resize(struct model *, uint32_t size);
/* The coldest go, down to three quarters of cells_max. */
void     cells_drop_coldest(struct model *, struct moment now);

/* The field a cell is stored under, not terminated; returns its length. */
size_t   cell_field(uint64_t key, char field[MODEL_FIELD_MAX]);

/* Family and level of a key, its lowest bits; the others are a hash. */
static inline enum model_family key_family(uint64_t key)
{
    return (enum model_family)(key >> 3 & 3);
}
static inline uint32_t key_level(uint64_t key) { return (uint32_t)key & 7; }

/* The slot of a key, and its tag: the bits below those that choose the slot, above the cell's
 * number. */
static inline uint32_t slot_of(const struct model *m, uint64_t key)
{
    return (uint32_t)(key >> m->slots_shift);
}

static inline uint32_t tag_of(const struct model *m, uint64_t key)
{
    return (uint32_t)(key >> (m->slots_shift - 12)) << SLOT_CELL_BITS;
}

static inline void cell_mark(struct model *m, uint32_t cell)
{
    m->dirty[cell / 64] |= 1ull << cell % 64;
}

#endif
