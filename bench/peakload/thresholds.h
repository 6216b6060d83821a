/* thresholds.h - how much of something is enough to be told: the defaults by which Peakline tells
 * anomalies, read out of its documents and not out of its code.
 */
#ifndef PEAKLOAD_THRESHOLDS_H
#define PEAKLOAD_THRESHOLDS_H

#include <stdbool.h>
#include <stdint.h>

/* What the truth says of one happening; see labelled/truth.h. */
struct happening {
    int64_t start_s, end_s, amount, of, usual;
    bool    border;
};

struct measure {
    double  magnitude;   /* amount against threshold; told from 1 on                         */
    int64_t after_s;     /* elapsed time from the start until it is enough, without weekends */
};

/* What happens at once is told whatever its amount. */
struct measure thresholds_measure(const char *type, const struct happening *);

/* Learned types depend on what the consumer has seen so far. */
bool thresholds_learned(const char *type);

/* Nothing ends it but the parcel's end. */
bool thresholds_endless(const char *type);

/* "TYPE=90s": another than the default.  0, or -1 having said why. */
int thresholds_take(void *self, const char *text);

#endif
