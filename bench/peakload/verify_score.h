/* verify_score.h - the truth against what was told: counts by type, and the limits. */
#ifndef PEAKLOAD_VERIFY_SCORE_H
#define PEAKLOAD_VERIFY_SCORE_H

#include <stdbool.h>
#include <stdio.h>

#include "bench/peakload/verify_truth.h"

enum { BAND_BELOW, BAND_NEAR, BAND_ABOVE, BANDS };   /* < 1, 1 to 1.5, beyond                  */

struct score {
    uint64_t planted, found, missed, told_for_nothing, unresolved;
    uint64_t band_planted[BANDS], band_found[BANDS];
    uint64_t undecided;              /* learned types, 0.8 to 1: told or not, neither counts  */
    double   delay_s;                /* median from when it was enough until it was told      */
};

/* Those flagged as promise-at-risk against those that came late. */
struct forecast {
    uint64_t flagged, flagged_late;              /* P90 behind the promise: at least 10 %     */
    uint64_t warned, warned_late;                /* P50 behind it: at least half              */
    uint64_t late, foreseen;                     /* a cause 24 h before, seen 12 h before     */
};

struct limits_of_score {
    double   least, least_learned;   /* of precision and recall                              */
    double   foreseen;               /* of those that could be foreseen                      */
    bool     forecasts;              /* whether promise-at-risk has to reach its limits       */
};

void score_types(const struct truth_table *, struct score score[TYPES_MAX]);
struct forecast score_forecast(const struct truth_table *);

double score_precision(const struct score *);
double score_recall(const struct score *);

/* A type that was planted or told at all keeps its limits. */
bool score_passes(const struct truth_table *, int type, const struct score *,
                  const struct limits_of_score *);
bool forecast_passes(const struct forecast *, const struct limits_of_score *);

/* Whether a type is scored by its happenings: not promise-at-risk, not what is no alert. */
bool score_counts(const struct truth_table *, int type);

/* The table; what a person compares. */
void score_print(const struct truth_table *, const struct score score[TYPES_MAX],
                 const struct forecast *, const struct limits_of_score *, FILE *);

/* Members of a JSON object, each with a comma before it. */
void score_print_json(const struct truth_table *, const struct score score[TYPES_MAX],
                      const struct forecast *, FILE *);

#endif
