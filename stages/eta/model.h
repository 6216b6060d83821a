/* model.h - what a partition has learned: decaying log-bucket histograms in a
 * hierarchy, each level shrunk towards its parent.
 *
 * Three families: time REMAINING from a scan to the parcel's arrival (DELIVERED or STATION_IN,
 * whichever is first), DWELL, the time until the next physical scan, and of a LEG with a plan
 * the actual time over the planned one.  Levels of REMAINING:
 * global → (service, code, nearness) → and the destination's region → and that of the place →
 * and the destination's area.  Of DWELL: global → (service, code, nearness) → (code, nearness,
 * destination's region, place).  Of LEG: global → (service) → (service, place) → (place, dest) →
 * and service → and code, which here is a part of the day.  Nearness: at the destination, in its
 * area, in its region, elsewhere, nowhere known.  A level's distribution is its own counts plus
 * its parent's distribution counted as `shrink` samples: measured, that beats falling back at a
 * sample count.
 * A finer cell is made once its parent has that many.  Early in a world only short durations
 * have ended: a sample counts as many as it stands for (model.c).
 * A pure function of the partition's log: no wall clock, no randomness.
 */
#ifndef STAGES_ETA_MODEL_H
#define STAGES_ETA_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stages/parcel/names.h"

struct model;

enum model_family { MODEL_REMAINING, MODEL_DWELL, MODEL_LEG };
enum { MODEL_LEG_ONE = 3600 /* an hour for actual = planned */ };
enum { MODEL_LEVELS = 6, MODEL_SAMPLES_MAX = 32 };

struct model_settings {
    uint32_t cells_max;       /* per partition; beyond it no finer cell is made until the
                                 coldest have been dropped (their parents have learned them) */
    uint32_t half_life_s;     /* weight of a sample halves in this time                     */
    double   shrink;          /* the parent's distribution counts as so many samples          */
    const struct names *names; /* whose texts the keys mean; NULL: numbers mean themselves     */
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

/* The histograms' P90 for a parcel of this service at a scan of this code was raw_s (outlook),
 * and it took so long: if that is more than what would be said of raw_s now, P90s of both are a
 * little later from now on, else a ninth of that sooner. */
void model_judge(struct model *, uint8_t service, uint8_t code, uint32_t raw_s, uint32_t took_s);

/* What is asked at every scan: as last made for the finest cell there is, at most an eighth of
 * its samples ago.  Whole durations, given that elapsed_s have passed already (so that a parcel
 * past its P50 is not "due now"); P90 as the judgements have moved it. */
struct outlook {
    uint32_t p50_s, p90_s;
    uint32_t raw_s;         /* P90 without that                                             */
    uint8_t  level;         /* that answered, 0 = global                                    */
    bool     known;         /* false: nothing of the remaining time learned yet             */
};
struct outlook model_outlook(const struct model *, struct model_key, uint32_t elapsed_s,
                             uint32_t now_s);

/* P99 of DWELL; 0 = fewer than 50 samples stand behind it.  One look-up, like outlook. */
uint32_t model_dwell_s(const struct model *, struct model_key);

/* For how long it has been learning: what takes longer it cannot have seen end. */
uint32_t model_age_s(const struct model *, uint32_t now_s);

struct quantiles {
    double  p[3];           /* seconds, at the asked probabilities                          */
    double  samples;        /* weight at the finest level that has any                      */
    double  support;        /* samples behind the answer, each level's weighted by its part
                               in it: one sample on a lane that leans on 10,000 of its
                               destination's is well supported                            */
    uint8_t level;          /* the finest level that has any, 0 = global                    */
    bool    known;          /* false: nothing learned yet                                   */
};

/* Any quantiles of the whole duration, as of now, from the histograms themselves. */
struct quantiles model_ask(const struct model *, enum model_family, struct model_key,
                           uint32_t elapsed_s, const double probabilities[3], uint32_t now_s);

uint32_t model_cells(const struct model *);   /* histograms there are          */
size_t   model_bytes(const struct model *);   /* memory they take, all told     */

#endif
