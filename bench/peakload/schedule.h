/* schedule.h - when each message is due, decided before the first is sent.
 *
 * The n-th message is due when the rate, summed up since the start, reaches n: however late
 * the sender is, no message's due time moves.  The rate is constant, or a curve: lines
 * `seconds,rate`, between which it is interpolated (linear) or holds (step).
 */
#ifndef PEAKLOAD_SCHEDULE_H
#define PEAKLOAD_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/peakload/options.h"

struct knot {
    double s, per_s;         /* from s on …                                                 */
    double count;            /* messages due before s                                       */
};

struct schedule {
    double  rate;            /* constant, messages a second; 0 = as fast as possible         */
    const char *curve;       /* a file; NULL = the rate is constant                          */
    bool    step;
    double  scale;           /* of the curve's rates; 0 = 1                                  */
    int64_t squeeze_ms;      /* the whole curve within that time; 0 = as it stands           */
    struct knot *knot;       /* owns: schedule_close()                                      */
    int     knots, at;       /* `at`: where schedule_due was last                            */
};

extern const struct option_row schedule_rows[];
enum { SCHEDULE_ROWS = 5 };
#define SCHEDULE_GROUP(schedule) {(schedule), schedule_rows, SCHEDULE_ROWS}

/* After the options: reads the curve.  0, or -1 having said FILE:LINE and what. */
int schedule_open(struct schedule *);

/* Whether messages have due times at all. */
bool schedule_is_open(const struct schedule *);

/* How many are due within the first s seconds; for ever the same after a curve's end. */
double schedule_count(const struct schedule *, double s);

/* Seconds after which message n (from 0) is due.  Fast where n rises. */
double schedule_due(struct schedule *, double n);

/* Seconds that a curve lasts; 0 = without end. */
double schedule_lasts(const struct schedule *);

void schedule_close(struct schedule *);

#endif
