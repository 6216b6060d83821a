/* legs.h - `backtest --per-leg`: how long each leg takes, against its plan.
 *
 * A leg begins with a DEPART that says where to (next) and when it should be there (promise), and
 * ends with that parcel's ARRIVE there.  Learned and asked is actual ÷ planned (MODEL_LEG).
 */
#ifndef STAGES_COMMAND_LEGS_H
#define STAGES_COMMAND_LEGS_H

#include <stdint.h>

struct config;
struct scan;

/* Nothing learned, no leg under way.  Forecasts go to score.h, which must have begun.
 * owns: legs_end. */
void legs_begin(const struct config *);
void legs_end(void);
/* Forecasts a leg that begins, scored if from score_from_ms on; learns from one that ends. */
void legs_scan(const struct scan *, int64_t score_from_ms);

#endif
