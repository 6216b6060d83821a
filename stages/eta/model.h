/* model.h - what a partition has learned: decaying log-bucket histograms in a
 * hierarchy, each level shrunk towards its parent.
 *
 * Two families: time REMAINING from a scan to the parcel's arrival (DELIVERED or STATION_IN,
 * whichever is first), and DWELL, the time until the next physical scan.  Levels:
 * global → (service, code) → (code, area of the destination) → (place, code, area).  A level's
 * distribution is its own counts plus its parent's distribution counted as `shrink`
 * samples (10): measured, that beats falling back at a sample count by 7 % of MAE.
 * A finer cell is made once its parent has that many; coarse levels of which an answer would
 * take less than a 256th are left out of it.
 * A pure function of the partition's log: no wall clock, no randomness.
 */
#ifndef STAGES_ETA_MODEL_H
#define STAGES_ETA_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stages/parcel/names.h"

struct model;

enum model_family { MODEL_REMAINING, MODEL_DWELL };
enum { MODEL_LEVELS = 4, MODEL_CELL_BYTES_MAX = 288, MODEL_SAMPLES_MAX = 32 };

struct model_settings {
    uint32_t cells_max;       /* per partition; beyond it no finer cell is made until the
                                 coldest have been dropped (their parents have learned them) */
    uint32_t half_life_s;     /* weight of a sample halves in this time                     */
    double   shrink;          /* the parent's distribution counts as so many samples          */
    const struct names *names; /* whose areas destinations stand for; NULL: each for itself    */
};

struct model_key {
    uint8_t service, code;
    name_id dest, place;
};

/* owns: the caller.  thread: the partition's worker. */
struct model *model_create(const struct model_settings *);
void          model_destroy(struct model *);

/* One completed duration, known at now_s; learned at every level. */
void model_learn(struct model *, enum model_family, struct model_key, uint32_t seconds,
                 uint32_t now_s);

/* As many, at most MODEL_SAMPLES_MAX, in this order: what all of them touch is on its way
 * before the first is learned. */
struct model_sample {
    struct model_key key;
    uint32_t         seconds;
};
void model_learn_all(struct model *, enum model_family, const struct model_sample *,
                     uint32_t count, uint32_t now_s);

struct quantiles {
    double  p[3];           /* seconds, at the asked probabilities                          */
    double  samples;        /* weight at the finest level that has any                      */
    double  support;        /* samples behind the answer, each level's weighted by its part
                               in it: one sample on a lane that leans on 10,000 of its
                               destination's is well supported                            */
    uint8_t level;          /* the finest level that has any, 0 = global                    */
    bool    known;          /* false: nothing learned yet                                   */
};

/* Quantiles of the whole duration, given that `elapsed_s` have passed already (so that a
 * parcel past its P50 is not "due now"). */
struct quantiles model_ask(const struct model *, enum model_family, struct model_key,
                           uint32_t elapsed_s, const double probabilities[3], uint32_t now_s);

/* One quantile clamped to [low_s, high_s]; high_s when less than support_min samples stand
 * behind it.  A third of model_ask's time where low_s is hours. */
uint32_t model_ask_within(const struct model *, enum model_family, struct model_key,
                          double probability, uint32_t low_s, uint32_t high_s,
                          double support_min, uint32_t now_s);

/* Checkpoint: the cells changed since the last model_clean, packed; `field` names the cell.
 * First those that are gone (HDEL), `bytes` NULL: one may have come back since. */
struct model_changes {
    uint32_t gone, set;     /* how many calls of either kind model_dirty_each will make        */
};
struct model_changes model_changes(const struct model *);
void model_dirty_each(struct model *, void (*each)(void *self, const char *field,
                      size_t field_length, const uint8_t *bytes, size_t length), void *self);
void model_clean(struct model *);
/* 0; -1 with the error trail: not a cell this binary knows. */
int  model_restore(struct model *, const char *field, size_t field_length,
                   const uint8_t *bytes, size_t length);

/* How many cells there are, and the bytes that all of the model takes. */
uint32_t model_cells(const struct model *);   /* histograms there are          */
size_t   model_bytes(const struct model *);   /* memory they take, all told     */

#endif
