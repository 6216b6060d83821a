/* histogram.c - counts in log buckets: added to, mixed, asked, packed.
 *
 * A question mixes up to four histograms for every scan, so the mixing is written in
 * vectors of four floats (SSE2 and NEON have them), rows of 12 buckets in which a
 * histogram has nothing are passed over, and sums are taken block by block: 21
 * dependent additions instead of 84.
 */
#include "stages/eta/histogram.h"

#include <math.h>
#include <string.h>

#include "pipeline/error.h"

typedef float lanes __attribute__((vector_size(4 * LANES)));

static const float NEXT_TO_NOTHING = 1e-6f;

const uint32_t bucket_edges[BUCKETS + 1] = {
    0, 60, 69, 79, 90, 103, 118, 135, 155, 178, 204, 234, 269, 309, 355, 408, 469, 539, 619, 711,
    817, 939, 1079, 1240, 1426, 1639, 1884, 2166, 2490, 2863, 3292, 3785, 4352, 5004, 5754, 6617,
    7609, 8750, 10062, 11571, 13306, 15301, 17596, 20235, 23270, 26760, 30774, 35390, 40698,
    46802, 53822, 61895, 71179, 81855, 94133, 108252, 124489, 143162, 164636, 189331, 217730,
    250389, 287947, 331139, 380809, 437930, 503619, 579161, 666035, 765940, 880831, 1012955,
    1164898, 1339632, 1540576, 1771662, 2037411, 2343022, 2694475, 3098646, 3563442, 4097958,
    4712651, 5419548, 6232480,
};

/* The first bucket to look at for a number of so many bits: five edges at most lie between
 * 2^n and 2^(n+1), as 1.15^5 > 2. */
static const uint8_t bits_bucket[33] = {
    0, 0, 0, 0, 0, 0, 0, 1, 6, 11, 16, 21, 26, 31, 36, 41, 46, 51, 56, 61, 66, 71, 76,
    78, 78, 78, 78, 78, 78, 78, 78, 78, 78,
};

uint32_t bucket_of(uint32_t seconds)
{
    uint32_t bucket = bits_bucket[seconds == 0 ? 0 : 32 - __builtin_clz(seconds)];
    const uint32_t *edges = bucket_edges + bucket;

    return bucket + (seconds >= edges[1]) + (seconds >= edges[2]) + (seconds >= edges[3])
         + (seconds >= edges[4]) + (seconds >= edges[5]);
}

void histogram_scale(struct histogram *h, float factor)
{
    h->total *= factor;
    h->rows = 0;
    for (uint32_t i = 0; i < BUCKETS; i++) {
        float count = h->counts[i] * factor;

        h->counts[i] = count < NEXT_TO_NOTHING ? 0 : count;
        h->rows |= (uint32_t)(h->counts[i] > 0) << i / ROW * 4;
    }
}

/* ── Mixtures ────────────────────────────────────────────────────────────────────────── */

static lanes lanes_at(const float *counts)
{
    lanes v;

    memcpy(&v, counts, sizeof v);
    return v;
}

static lanes neighbours_sum(lanes a, lanes b)
{
    return __builtin_shufflevector(a, b, 0, 2, 4, 6) + __builtin_shufflevector(a, b, 1, 3, 5, 7);
}

static float lanes_sum(lanes v)
{
    return (v[0] + v[1]) + (v[2] + v[3]);
}

/* Which parts have something in which row: bit 4 row + part. */
static uint32_t parts_in_rows(const struct blend *blend)
{
    uint32_t present = 0;

    CHECK(blend->parts <= BLEND_PARTS_MAX);
    for (uint32_t p = 0; p < blend->parts && p < BLEND_PARTS_MAX; p++)
        present |= blend->of[p]->rows << p;
    return present;
}

/* A row's mass, block by block, and each block's sum; what it writes to sums[] behind the row's
 * three the next row overwrites. */
static inline void row_make(const struct blend *blend, uint32_t present, uint32_t row,
                            lanes mass[BLOCKS], float sums[BLOCKS + 1])
{
    lanes flat = {blend->flat, blend->flat, blend->flat, blend->flat};
    lanes a = flat, b = flat, c = flat;

    for (uint32_t here = present >> 4 * row & 15; here != 0; here &= here - 1) {
        int          p = __builtin_ctz(here);
        const float *counts = blend->of[p]->counts + row * ROW;
        float        share = blend->share[p];

        a += lanes_at(counts) * share;
        b += lanes_at(counts + LANES) * share;
        c += lanes_at(counts + 2 * LANES) * share;
    }
    lanes three = neighbours_sum(neighbours_sum(a, b), neighbours_sum(c, c));

    mass += row * ROW_BLOCKS;
    mass[0] = a;
    mass[1] = b;
    mass[2] = c;
    memcpy(sums + row * ROW_BLOCKS, &three, sizeof three);
}

/* The mass up to the end of a row. */
static inline float row_add_up(float total, uint32_t row, const float sums[BLOCKS])
{
    sums += row * ROW_BLOCKS;
    return ((total + sums[0]) + sums[1]) + sums[2];
}

/* What is left of the bucket that holds elapsed_s. */
static float share_left(uint32_t bucket, uint32_t elapsed_s)
{
    float low = (float)bucket_edges[bucket], high = (float)bucket_edges[bucket + 1];

    return elapsed_s >= bucket_edges[bucket + 1] ? 0 : (high - (float)elapsed_s) / (high - low);
}

/* Nothing is left of what lies before elapsed_s in this block; returns what is. */
static float block_cut(lanes *block, uint32_t bucket, uint32_t elapsed_s)
{
    for (uint32_t i = 0; i < bucket % LANES; i++)
        (*block)[i] = 0;
    (*block)[bucket % LANES] *= share_left(bucket, elapsed_s);
    return lanes_sum(*block);
}

/* The second at which the mass up to it is `target`, in the block where that happens.  Here and
 * below, places are counted and not walked to: where they lie no branch predictor knows. */
static inline double second_in_block(const lanes *mass, uint32_t block, float below, float target,
                                     uint32_t elapsed_s)
{
    float    one = below + (*mass)[0], two = one + (*mass)[1], three = two + (*mass)[2];
    float    upto[LANES] = {below, one, two, three};
    uint32_t i = (uint32_t)(one < target) + (two < target) + (three < target);
    double   low = bucket_edges[block * LANES + i], high = bucket_edges[block * LANES + i + 1];
    double   part = (*mass)[i] > 0 ? (double)((target - upto[i]) / (*mass)[i]) : 1;

    if (low < elapsed_s)
        low = elapsed_s;
    return low + (high - low) * (part > 1 ? 1 : part);
}

/* What blend_quantiles has made of a blend, from block `first` on; in that one's row, nothing is
 * before it. */
struct sight {
    uint32_t first;
    lanes    mass[BLOCKS];
    float    sums[BLOCKS + 1];
    float    before[ROWS + 1]; /* the mass before each row; at last all of it */
};

/* `target` is more than 0. */
static double sight_find(const struct sight *s, float target, uint32_t elapsed_s)
{
    uint32_t row = s->first / ROW_BLOCKS;

    for (uint32_t r = row + 1; r < ROWS; r++)
        row = s->before[r] < target ? r : row;
    const float *sums = s->sums + row * ROW_BLOCKS;
    float    one = s->before[row] + sums[0], two = one + sums[1];
    float    upto[ROW_BLOCKS] = {s->before[row], one, two};
    uint32_t i = (uint32_t)(one < target) + (two < target), block = row * ROW_BLOCKS + i;

    return second_in_block(&s->mass[block], block, upto[i], target, elapsed_s);
}

void blend_quantiles(const struct blend *blend, uint32_t elapsed_s,
                     const double probabilities[QUANTILES], double seconds[QUANTILES])
{
    uint32_t     bucket = bucket_of(elapsed_s), row = bucket / ROW;
    uint32_t     present = parts_in_rows(blend);
    struct sight s;
    float        total = 0;

    s.first = bucket / LANES;
    for (uint32_t r = row; r < ROWS; r++)
        row_make(blend, present, r, s.mass, s.sums);
    if (elapsed_s > 0) {
        for (uint32_t b = s.first; b-- > row * ROW_BLOCKS;)
            s.sums[b] = 0;
        s.sums[s.first] = block_cut(&s.mass[s.first], bucket, elapsed_s);
    }
    s.before[row] = 0;
    for (uint32_t r = row; r < ROWS; r++)
        s.before[r + 1] = total = row_add_up(total, r, s.sums);
    for (int q = 0; q < QUANTILES; q++) {
        float target = (float)probabilities[q] * total;

        CHECK(q == 0 || probabilities[q] >= probabilities[q - 1]);
        if (q > 0 && !(probabilities[q] > probabilities[q - 1]))
            seconds[q] = seconds[q - 1];
        else if (target > 0)
            seconds[q] = sight_find(&s, target, elapsed_s);
        else /* the 0th, or it has taken longer than anything we can know of */
            seconds[q] = elapsed_s;
    }
}

uint32_t blend_quantile_within(const struct blend *blend, double probability, uint32_t low_s,
                               uint32_t high_s)
{
    lanes    mass[BLOCKS];
    float    sums[BLOCKS + 1], wanted = (float)(1 - probability), above = 0;
    uint32_t first = bucket_of(low_s) / LANES, present = parts_in_rows(blend);

    CHECK(low_s <= high_s);
    for (uint32_t row = first / ROW_BLOCKS; row < ROWS; row++)
        row_make(blend, present, row, mass, sums);
    for (uint32_t b = BLOCKS; b-- > first; above += sums[b]) {
        if (above + sums[b] < wanted)
            continue;
        double second = second_in_block(&mass[b], b, 0, above + sums[b] - wanted, 0);

        return second < low_s ? low_s : second > high_s ? high_s : (uint32_t)second;
    }
    return low_s;
}

/* ── Bytes ───────────────────────────────────────────────────────────────────────────── */

size_t histogram_pack(const struct histogram *h, uint8_t bytes[HISTOGRAM_BYTES_MAX])
{
    uint8_t *bitmap = bytes + sizeof h->total, *at = bitmap + BITMAP_BYTES;

    memcpy(bytes, &h->total, sizeof h->total);
    memset(bitmap, 0, BITMAP_BYTES);
    for (uint32_t rows = h->rows; rows != 0; rows &= rows - 1) {
        uint32_t     first = (uint32_t)__builtin_ctz(rows) / 4 * ROW, bits = 0;
        const float *counts = h->counts + first;

        for (uint32_t i = 0; i < ROW; i++) { /* a 0 is overwritten by the next */
            uint32_t any = counts[i] > 0;

            bits |= any << i;
            memcpy(at, &counts[i], sizeof counts[i]);
            at += any * sizeof counts[i];
        }
        bits <<= first % 8; /* 12 bits, or 16: two bytes */
        bitmap[first / 8] |= (uint8_t)bits;
        bitmap[first / 8 + 1] |= (uint8_t)(bits >> 8);
    }
    return (size_t)(at - bytes);
}

static int weight_unpack(float *weight, const uint8_t *bytes)
{
    memcpy(weight, bytes, sizeof *weight);
    return isfinite(*weight) && *weight >= 0 ? 0 : error_set("a weight is %g", (double)*weight);
}

int histogram_unpack(struct histogram *h, const uint8_t *bytes, size_t length)
{
    const uint8_t *bitmap = bytes + sizeof h->total;
    size_t         at = sizeof h->total + BITMAP_BYTES;

    memset(h, 0, sizeof *h);
    if (length < at || weight_unpack(&h->total, bytes) != 0)
        return error_set("a histogram of %zu bytes", length);
    for (int i = 0; i < BITMAP_BYTES * 8; i++) {
        if (!(bitmap[i / 8] >> i % 8 & 1))
            continue;
        if (i >= BUCKETS || length - at < sizeof *h->counts)
            return error_set("a histogram's bitmap and length contradict each other");
        if (weight_unpack(&h->counts[i], bytes + at) != 0)
            return -1;
        h->rows |= (uint32_t)(h->counts[i] > 0) << i / ROW * 4;
        at += sizeof *h->counts;
    }
    return at == length ? 0 : error_set("a histogram has %zu bytes too many", length - at);
}
