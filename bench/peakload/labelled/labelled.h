/* labelled.h - the labelled world: lives as life.h makes them, and a file that says what really
 * happens in each.
 *
 * At most two in a hundred parcels meet a cause; at least as many only look as if.  A world lasts
 * WORLD_DAYS: parcels are born in the first BIRTH_DAYS of them, so that every life ends.  A pure
 * function of the seed and the start.
 */
#ifndef PEAKLOAD_LABELLED_LABELLED_H
#define PEAKLOAD_LABELLED_LABELLED_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/peakload/life.h"

enum { BIRTH_DAYS = 21, WORLD_DAYS = 57 };

struct labelled;

/* Writes the reference files into `reference` (NULL: none), begins the truth's.  NULL having said
 * why.  The world must outlive it. */
struct labelled *labelled_open(const struct world *, const struct nature *, int64_t start_ms,
                               const char *truth, const char *reference);

/* Plans the life of the index-th parcel, born at base_ms, and writes its truths. */
void labelled_make(struct labelled *, struct life *, uint64_t index, int64_t base_ms);

/* `whole`: all was sent; else the truth has no tally at its end, and verify refuses it.  0, or -1:
 * a file could not be written, and said so. */
int labelled_close(struct labelled *, bool whole);

#endif
