/* limits.h - what a run must keep to pass: --limit p99=1s --limit lag=100000 --limit slip=1%.
 *
 * NAME is p50, p90, p99, p99.9, max (any pNN) of the outputs' latency, or of another meter's
 * with its name before it (acked.p99, visible.max); lag, records; slip, a share.
 */
#ifndef PEAKLOAD_LIMITS_H
#define PEAKLOAD_LIMITS_H

#include <stdbool.h>
#include <stdio.h>

#include "bench/peakload/histogram.h"

enum meter { METER_SENT, METER_ACKED, METER_OUTPUTS, METER_ALERTS, METER_ETAS, METER_VISIBLE,
             METERS };

extern const char *const meter_names[METERS];

enum limit_kind { LIMIT_LATENCY, LIMIT_LAG, LIMIT_SLIP };

enum { LIMITS_MAX = 32 };

struct limit {
    enum limit_kind kind;
    enum meter meter;
    double share;            /* of LIMIT_LATENCY: 0.99 for p99                                */
    double most;             /* ns, records, or a share                                       */
    const char *text;        /* as said                                                       */
};

struct limits {
    struct limit limit[LIMITS_MAX];
    int count;
};

/* What a run measured. */
struct measured {
    const struct histogram *meter[METERS];
    double lag, slip;
};

/* An option's argument.  0, or -1 having said why. */
int limits_take(struct limits *, const char *text);

/* Whether a limit of that kind was set. */
bool limits_has(const struct limits *, enum limit_kind);

/* How many are exceeded; each is said.  A meter that saw nothing exceeds its limits. */
int limits_check(const struct limits *, const struct measured *);

#endif
