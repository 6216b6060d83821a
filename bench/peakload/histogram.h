/* histogram.h - how often each duration occurred, to 3 significant digits, as HdrHistogram
 * counts: buckets that double in width, each in 2048 steps; 1 µs to an hour in 192 KiB.
 *
 * Written out, it is HdrHistogram's: interval logs with the compressed V2 encoding, and
 * percentile text, which its own tools read.
 */
#ifndef PEAKLOAD_HISTOGRAM_H
#define PEAKLOAD_HISTOGRAM_H

#include <stdint.h>
#include <stdio.h>

/* Values are ns.  Steps of 512 ns (the power of two below a µs); more than an hour counts as
 * an hour. */
enum { HISTOGRAM_UNIT_BITS = 9, HISTOGRAM_STEPS = 2048, HISTOGRAM_SLOTS = 24 * 1024 };
#define HISTOGRAM_LOWEST  INT64_C(1000)
#define HISTOGRAM_HIGHEST INT64_C(3600000000000)

struct histogram {
    int64_t slot[HISTOGRAM_SLOTS];
    int64_t count, least, most;       /* least and most as recorded */
};

/* A negative value (clocks that differ) counts as 0. */
void histogram_record(struct histogram *, int64_t ns);

void histogram_add(struct histogram *, const struct histogram *);

/* The value that `share` (0 … 1) of all do not exceed; 0 when empty. */
int64_t histogram_at(const struct histogram *, double share);

double histogram_mean(const struct histogram *);

/* "HISTFAAA…" into a text; owns: the caller, free().  NULL when empty or out of memory. */
char *histogram_encode(const struct histogram *);

/* The head of an interval log, and a line of it.  Times are Unix ms; the tag may not hold a
 * comma.  An empty interval writes nothing. */
void histogram_log_begin(FILE *, int64_t start_ms);
void histogram_log(FILE *, const char *tag, const struct histogram *, int64_t log_start_ms,
                   int64_t from_ms, int64_t to_ms);

/* Percentile text, in ms. */
void histogram_print(FILE *, const struct histogram *);

#endif
