/* histogram.c - counts in log buckets: added to, mixed, asked, packed.
 *
 * A question mixes up to four histograms for every scan, so the mixing is written in
 * vectors of four floats (SSE2 and NEON have them) and sums are taken block by block:
 * 21 dependent additions instead of 84.
 */
#include "stages/eta/histogram.h"

#include <math.h>
#include <string.h>

#include "pipeline/check.h"
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

uint32_t bucket_of(uint32_t seconds)
{
    uint32_t low = 0, count = BUCKETS;

    while (count > 1) { /* the bucket is in [low, low + count) */
        uint32_t half = count / 2;

        low += seconds >= bucket_edges[low + half] ? half : 0;
        count -= half;
    }
    return low;
}

void histogram_add(struct histogram *h, uint32_t bucket, float weight)
{
    CHECK(bucket < BUCKETS);
    h->total += weight;
    h->counts[bucket] += weight;
}

void histogram_scale(struct histogram *h, float factor)
{
    h->total *= factor;
    for (int i = 0; i < BUCKETS; i++) {
        float count = h->counts[i] * factor;

        h->counts[i] = count < NEXT_TO_NOTHING ? 0 : count;
    }
}

/* ── Mixtures ────────────────────────────────────────────────────────────────────────── */

static lanes block_of(const struct blend *blend, uint32_t block)
{
    lanes mass = {blend->flat, blend->flat, blend->flat, blend->flat};

    for (uint32_t p = 0; p < blend->parts; p++) {
        lanes counts;

        memcpy(&counts, blend->of[p]->counts + block * LANES, sizeof counts);
        mass += counts * blend->share[p];
    }
    return mass;
}

static float lanes_sum(lanes v)
{
    return (v[0] + v[1]) + (v[2] + v[3]);
}

/* What is left of the bucket that holds elapsed_s. */
static float share_left(uint32_t bucket, uint32_t elapsed_s)
{
    float low = (float)bucket_edges[bucket], high = (float)bucket_edges[bucket + 1];

    return elapsed_s >= bucket_edges[bucket + 1] ? 0 : (high - (float)elapsed_s) / (high - low);
}

/* The mixture given that elapsed_s have passed; sums[b] = mass of the blocks up to b. */
static void mass_after(const struct blend *blend, uint32_t elapsed_s, lanes mass[BLOCKS],
                       float sums[BLOCKS])
{
    uint32_t bucket = bucket_of(elapsed_s), first = bucket / LANES;
    float    total = 0;

    for (uint32_t b = 0; b < first; b++)
        sums[b] = 0;
    for (uint32_t b = first; b < BLOCKS; b++)
        mass[b] = block_of(blend, b);
    for (uint32_t i = 0; i < bucket % LANES; i++)
        mass[first][i] = 0;
    if (elapsed_s > 0)
        mass[first][bucket % LANES] *= share_left(bucket, elapsed_s);
    for (uint32_t b = first; b < BLOCKS; b++)
        sums[b] = total += lanes_sum(mass[b]);
}

/* The second at which the mass up to it is `target`, in the block where that happens. */
static double second_in_block(lanes mass, uint32_t block, float below, float target,
                              uint32_t elapsed_s)
{
    uint32_t i = 0;

    while (i + 1 < LANES && below + mass[i] < target)
        below += mass[i++];
    double low = bucket_edges[block * LANES + i], high = bucket_edges[block * LANES + i + 1];
    double part = mass[i] > 0 ? (double)((target - below) / mass[i]) : 1;

    if (low < elapsed_s)
        low = elapsed_s;
    return low + (high - low) * (part > 1 ? 1 : part);
}

void blend_quantiles(const struct blend *blend, uint32_t elapsed_s,
                     const double probabilities[QUANTILES], double seconds[QUANTILES])
{
    lanes    mass[BLOCKS];
    float    sums[BLOCKS];
    uint32_t block = bucket_of(elapsed_s) / LANES;

    mass_after(blend, elapsed_s, mass, sums);
    for (int q = 0; q < QUANTILES; q++) {
        float target = (float)probabilities[q] * sums[BLOCKS - 1];

        CHECK(q == 0 || probabilities[q] >= probabilities[q - 1]);
        if (!(sums[BLOCKS - 1] > 0)) { /* longer than anything we can know of */
            seconds[q] = elapsed_s;
            continue;
        }
        while (block < BLOCKS - 1 && sums[block] < target)
            block++;
        seconds[q] = second_in_block(mass[block], block, block > 0 ? sums[block - 1] : 0, target,
                                     elapsed_s);
    }
}

uint32_t blend_quantile_within(const struct blend *blend, double probability, uint32_t low_s,
                               uint32_t high_s)
{
    uint32_t last = bucket_of(low_s) / LANES;
    float    wanted = (float)(1 - probability), above = 0;

    CHECK(low_s <= high_s);
    for (uint32_t b = BLOCKS; b-- > last;) {
        lanes mass = block_of(blend, b);
        float here = lanes_sum(mass);

        if (above + here < wanted) {
            above += here;
            continue;
        }
        double second = second_in_block(mass, b, 0, above + here - wanted, 0);

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
    for (int i = 0; i < BUCKETS; i++) {
        if (h->counts[i] == 0)
            continue;
        bitmap[i / 8] |= (uint8_t)(1 << i % 8);
        memcpy(at, &h->counts[i], sizeof h->counts[i]);
        at += sizeof h->counts[i];
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
        at += sizeof *h->counts;
    }
    return at == length ? 0 : error_set("a histogram has %zu bytes too many", length - at);
}
