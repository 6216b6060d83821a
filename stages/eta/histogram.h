/* histogram.h - durations from seconds to two months in 84 buckets, 15 % apart.
 *
 * Counts are weights (newer samples weigh more, model.c), so they are floats.
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
    BUCKETS = 84, LANES = 4, BLOCKS = BUCKETS / LANES, BLEND_PARTS_MAX = 4, QUANTILES = 3,
    ROW_BLOCKS = 3, ROW = ROW_BLOCKS * LANES, ROWS = BUCKETS / ROW,
    BITMAP_BYTES = (BUCKETS + 7) / 8,
    HISTOGRAM_BYTES_MAX = 4 + BITMAP_BYTES + 4 * BUCKETS
};

extern const uint32_t bucket_edges[BUCKETS + 1]; /* bucket i: [edges[i], edges[i + 1]) */

struct histogram {
    float    total;          /* of the counts, kept beside them                        */
    uint32_t rows;           /* bit 4 r: row r, of ROW buckets, has a count other than 0 */
    float    counts[BUCKETS];
};

/* The bucket that holds so many seconds; the last one whatever is longer. */
uint32_t bucket_of(uint32_t seconds);   /* which of the buckets a duration falls into */

/* `weight` is more than 0. */
static inline void histogram_add(struct histogram *h, uint32_t bucket, float weight)
{
    CHECK(bucket < BUCKETS);
    h->total += weight;
    h->rows |= 1u << bucket / ROW * 4;
    h->counts[bucket] += weight;
}

/* Exact when the factor is a power of two; what is then next to nothing becomes nothing. */
void histogram_scale(struct histogram *, float factor);

/* A mixture: mass of bucket i = flat + sum of shares × counts[i].  Its mass is 1. */
struct blend {
    uint32_t                parts;
    const struct histogram *of[BLEND_PARTS_MAX];
    float                   share[BLEND_PARTS_MAX];
    float                   flat;   /* of each bucket                                  */
};

/* Quantiles of the whole duration, in seconds, given that `elapsed_s` have passed;
 * probabilities ascending; one given again costs nothing. */
void blend_quantiles(const struct blend *, uint32_t elapsed_s,
                     const double probabilities[QUANTILES], double seconds[QUANTILES]);

/* The quantile, clamped to [low_s, high_s]: looks only at what lies above low_s, from the
 * far end, so it is cheap where low_s is not small. */
uint32_t blend_quantile_within(const struct blend *, double probability, uint32_t low_s,
                               uint32_t high_s);

/* Total, a bitmap of the buckets that hold anything, their counts; bit for bit.  Returns
 * the length. */
size_t histogram_pack(const struct histogram *, uint8_t bytes[HISTOGRAM_BYTES_MAX]);
/* 0; -1 with the error trail when the bytes are none. */
int    histogram_unpack(struct histogram *, const uint8_t *bytes, size_t length);

#endif
