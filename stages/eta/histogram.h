/* histogram.h - durations from seconds to two months in 84 buckets, 15 % apart.
 *
 * Counts are weights (newer samples weigh more, model.c) in whole units of 16 bits, so that a
 * histogram with its cell's head is three cache lines: at national scale waiting for them is
 * most of what learning costs.  A histogram that is full counts in units twice as large from
 * then on: a weight that is no multiple of the unit is rounded up or down by a dither, so that
 * many of them are right in sum.
 * Edges are whole seconds, each the last but a tenth and a half more, rounded
 * down: 60, 69, 79 … 5,419,548 (62.7 days), one bucket below and one above.  The
 * same on every machine, no logarithm taken.  Inside a bucket mass is spread
 * evenly, which is within 0.3 % of spreading it evenly by logarithm.
 */
#ifndef STAGES_ETA_HISTOGRAM_H
#define STAGES_ETA_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "pipeline/check.h"

enum {
    BUCKETS = 84, ROW = 8, ROWS = (BUCKETS + ROW - 1) / ROW, BLEND_PARTS_MAX = 6, QUANTILES = 3,
    BITMAP_BYTES = (BUCKETS + 7) / 8, COUNT_MAX = 65535, TOTAL_MAX = (1 << 17) - 1, SCALE_BITS = 4,
    SCALE_MAX = (1 << SCALE_BITS) - 1, TOTAL_SHIFT = ROWS + SCALE_BITS,
    HISTOGRAM_BYTES_MAX = 1 + BITMAP_BYTES + 3 * BUCKETS
};

extern const uint32_t bucket_edges[BUCKETS + 1]; /* bucket i: [edges[i], edges[i + 1]) */

/* The last row stands first, as its four buckets leave room for the owner's notes, which share a
 * line with the head there. */
struct histogram {
    uint32_t head;               /* total of the counts << TOTAL_SHIFT | scale << ROWS |
                                    bit r: row r, of ROW buckets, has a count other than 0 */
    uint16_t places[ROWS * ROW];
};
enum { HISTOGRAM_NOTES = BUCKETS % ROW /* their first place */ };

/* The place of a row's first bucket, of a bucket. */
static inline uint32_t row_place(uint32_t row) { return row == ROWS - 1 ? 0 : (row + 1) * ROW; }
static inline uint32_t bucket_place(uint32_t bucket)
{
    return row_place(bucket / ROW) + bucket % ROW;
}

/* Parts of the head; the total is in units of a weight of 2^scale. */
static inline uint32_t histogram_total(const struct histogram *h) { return h->head >> TOTAL_SHIFT; }
static inline uint32_t histogram_rows(const struct histogram *h)
{
    return h->head & ((1u << ROWS) - 1);
}
static inline uint32_t histogram_scale(const struct histogram *h)
{
    return h->head >> ROWS & SCALE_MAX;
}

/* The first bucket to look at for a number of so many bits: five edges at most lie between
 * 2^n and 2^(n+1), as 1.15^5 > 2. */
extern const uint8_t bucket_of_bits[33];

/* The bucket that holds so many seconds. */
static inline uint32_t bucket_of(uint32_t seconds)
{
    uint32_t bucket = bucket_of_bits[seconds == 0 ? 0 : 32 - __builtin_clz(seconds)];
    const uint32_t *edges = bucket_edges + bucket;

    return bucket + (seconds >= edges[1]) + (seconds >= edges[2]) + (seconds >= edges[3])
         + (seconds >= edges[4]) + (seconds >= edges[5]);
}

/* All weights are halved so many times. */
void histogram_halve(struct histogram *, uint32_t times);

/* All weights times `factor`, 0 to 2, rounded. */
void histogram_multiply(struct histogram *, double factor);

/* It is full: units are twice as large from now on. */
void histogram_coarsen(struct histogram *);

/* `weight` is 1 to 255; `noise` decides which way it is rounded. */
void histogram_add(struct histogram *, uint32_t bucket, uint32_t weight, uint32_t noise);

/* A mixture: mass of bucket i = flat + sum of shares × counts[i].  Its mass is `mass`, 1 but
 * for what was left out as negligible. */
struct blend {
    uint32_t                parts;
    const struct histogram *of[BLEND_PARTS_MAX];
    float                   share[BLEND_PARTS_MAX];
    float                   flat;   /* of each bucket                                  */
    float                   mass;
};

/* Quantiles of the whole duration, in seconds, given that `elapsed_s` have passed;
 * probabilities ascending; one given again costs nothing.  Returns the mass that lies beyond
 * `elapsed_s`, about. */
float blend_quantiles(const struct blend *, uint32_t elapsed_s,
                      const double probabilities[QUANTILES], double seconds[QUANTILES]);

/* The quantile, clamped to [low_s, high_s]: looks only at what lies above low_s, from the
 * far end, so it is cheap where low_s is not small. */
uint32_t blend_quantile_within(const struct blend *, double probability, uint32_t low_s,
                               uint32_t high_s);

/* Scale, a bitmap of the buckets that hold anything, their counts.  Returns the length. */
size_t histogram_pack(const struct histogram *, uint8_t bytes[HISTOGRAM_BYTES_MAX]);
/* 0; -1 with the error trail when the bytes are none. */
int    histogram_unpack(struct histogram *, const uint8_t *bytes, size_t length);

#endif
