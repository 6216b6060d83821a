/* norms.h - how long things take for untouched parcels: found by letting some live before the
 * world begins.  Promises are made by it, and the truth says by it what is usual.
 */
#ifndef PEAKLOAD_LABELLED_NORMS_H
#define PEAKLOAD_LABELLED_NORMS_H

#include <stdint.h>

#include "bench/peakload/life.h"

enum { WAYS = 128, GAP_BUCKETS = 96 };

struct norms {
    uint32_t whole_s[SERVICES][WAYS];                   /* PICKUP to arrival: the longest    */
    uint16_t gaps[SERVICES][CODES][CITIES_MAX][GAP_BUCKETS];
};

/* One parcel's pause after a scan of that code in that city. */
void norms_gap(struct norms *, int service, int code, int city, int64_t gap_s);
void norms_whole(struct norms *, int service, int way, int64_t whole_s);

/* What 99 of 100 pauses do not exceed; 0 = too few are known. */
int64_t norms_usual_s(const struct norms *, int service, int code, int city);

#endif
