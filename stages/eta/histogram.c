/* histogram.c - counts in log buckets: added to, mixed, asked, packed.
 *
 * A question mixes up to four histograms for every scan, so the mixing is written in
 * vectors (SSE2 and NEON have them), in rows of 8 buckets: those in which a histogram has
 * nothing are passed over, and those beyond the quantile asked for are not looked at.
 */
#include "stages/eta/histogram.h"

#include <string.h>

#include "pipeline/error.h"

enum { LANES = 4, ROW_BLOCKS = ROW / LANES };

typedef float    lanes __attribute__((vector_size(16)));
typedef int32_t  wholes __attribute__((vector_size(16)));
typedef uint16_t units __attribute__((vector_size(16)));

const uint32_t bucket_edges[BUCKETS + 1] = {
    0, 60, 69, 79, 90, 103, 118, 135, 155, 178, 204, 234, 269, 309, 355, 408, 469, 539, 619, 711,
    817, 939, 1079, 1240, 1426, 1639, 1884, 2166, 2490, 2863, 3292, 3785, 4352, 5004, 5754, 6617,
    7609, 8750, 10062, 11571, 13306, 15301, 17596, 20235, 23270, 26760, 30774, 35390, 40698,
    46802, 53822, 61895, 71179, 81855, 94133, 108252, 124489, 143162, 164636, 189331, 217730,
    250389, 287947, 331139, 380809, 437930, 503619, 579161, 666035, 765940, 880831, 1012955,
    1164898, 1339632, 1540576, 1771662, 2037411, 2343022, 2694475, 3098646, 3563442, 4097958,
    4712651, 5419548, 6232480,
};

const uint8_t bucket_of_bits[33] = {
    0, 0, 0, 0, 0, 0, 0, 1, 6, 11, 16, 21, 26, 31, 36, 41, 46, 51, 56, 61, 66, 71, 76,
    78, 78, 78, 78, 78, 78, 78, 78, 78, 78,
};

/* Total and rows are what the counts make them. */
static void histogram_sum(struct histogram *h, uint32_t scale)
{
    uint32_t total = 0, rows = 0;

    for (uint32_t i = 0; i < BUCKETS; i++) {
        uint32_t count = h->places[bucket_place(i)];

        total += count;
        rows |= (uint32_t)(count > 0) << i / ROW;
    }
    CHECK(total <= TOTAL_MAX && scale <= SCALE_MAX);
    h->head = total << TOTAL_SHIFT | scale << ROWS | rows;
}

/* Halves the counts; half a unit that is left over goes to the next bucket, so that a long thin
 * tail does not vanish. */
static void counts_halve(struct histogram *h)
{
    uint32_t over = 0;

    for (uint32_t i = 0; i < BUCKETS; i++) {
        over += h->places[bucket_place(i)];
        h->places[bucket_place(i)] = (uint16_t)(over / 2);
        over %= 2;
    }
}

void histogram_halve(struct histogram *h, uint32_t times)
{
    uint32_t scale = histogram_scale(h), total = histogram_total(h);

    for (; times > scale && total > 0; times--, total /= 2)
        counts_halve(h);
    histogram_sum(h, scale > times ? scale - times : 0);
}

void histogram_coarsen(struct histogram *h)
{
    uint32_t scale = histogram_scale(h);

    counts_halve(h);
    histogram_sum(h, scale < SCALE_MAX ? scale + 1 : scale); /* else it forgets a little sooner */
}

void histogram_multiply(struct histogram *h, double factor)
{
    CHECK(factor >= 0 && factor <= 2);
    if (factor > 1)
        histogram_coarsen(h); /* there is room then */
    for (uint32_t i = 0; i < BUCKETS; i++) {
        uint16_t *count = &h->places[bucket_place(i)];

        *count = (uint16_t)(*count * factor + 0.5);
    }
    histogram_sum(h, histogram_scale(h));
}

void histogram_add(struct histogram *h, uint32_t bucket, uint32_t weight, uint32_t noise)
{
    CHECK(bucket < BUCKETS);
    uint32_t  dither = (noise + histogram_total(h) * 0xC2B2AE3Du) >> (32 - SCALE_MAX), added;
    uint16_t *count = &h->places[bucket_place(bucket)];

    while (1) {
        uint32_t scale = histogram_scale(h);

        added = (weight + (dither & ((1u << scale) - 1))) >> scale;
        if (__builtin_expect(*count + added <= COUNT_MAX
                             && histogram_total(h) + added <= TOTAL_MAX, 1))
            break;
        histogram_coarsen(h);
    }
    if (added == 0)
        return;
    h->head = (h->head + (added << TOTAL_SHIFT)) | 1u << bucket / ROW;
    *count = (uint16_t)(*count + added);
}

/* ── Mixtures ────────────────────────────────────────────────────────────────────────── */

/* A blend while it is looked at, row by row and only where it must be: from the far end, as
 * what is known beforehand is the mass of it all. */
struct sight {
    const struct blend *blend;
    uint32_t present;            /* rows in which any part has a count                     */
    uint32_t row, bucket;        /* where elapsed_s lies: nothing is left of what is before  */
    uint32_t elapsed_s;
    lanes    mass[ROWS][ROW_BLOCKS];
    float    sums[ROWS];
};

static inline void row_add(lanes mass[ROW_BLOCKS], const uint16_t *counts, lanes share)
{
    units none = {0}, eight;

    memcpy(&eight, counts, sizeof eight);
    wholes low = (wholes)__builtin_shufflevector(eight, none, 0, 8, 1, 9, 2, 10, 3, 11);
    wholes high = (wholes)__builtin_shufflevector(eight, none, 4, 12, 5, 13, 6, 14, 7, 15);

    mass[0] += __builtin_convertvector(low, lanes) * share;
    mass[1] += __builtin_convertvector(high, lanes) * share;
}

static inline float lanes_sum(lanes v)
{
    return (v[0] + v[1]) + (v[2] + v[3]);
}

/* What is left of the bucket that holds elapsed_s. */
static float share_left(uint32_t bucket, uint32_t elapsed_s)
{
    float low = (float)bucket_edges[bucket], high = (float)bucket_edges[bucket + 1];

    return elapsed_s >= bucket_edges[bucket + 1] ? 0 : (high - (float)elapsed_s) / (high - low);
}

static void sight_cut(const struct sight *s, lanes mass[ROW_BLOCKS])
{
    uint32_t within = s->bucket % ROW;

    for (uint32_t i = 0; i < within; i++)
        mass[i / LANES][i % LANES] = 0;
    mass[within / LANES][within % LANES] *= share_left(s->bucket, s->elapsed_s);
}

static inline __attribute__((always_inline))
void row_make(struct sight *s, uint32_t row)
{
    const struct blend *blend = s->blend;
    float flat = blend->flat;
    lanes none = {0}, *mass = s->mass[row];

    mass[0] = none + flat;
    mass[1] = none + flat;
    if (s->present >> row & 1)
        for (uint32_t p = 0; p < blend->parts && p < BLEND_PARTS_MAX; p++)
            if (blend->of[p]->head >> row & 1)
                row_add(mass, blend->of[p]->places + row_place(row), none + blend->share[p]);
    if (row == ROWS - 1)
        mass[1] = none; /* it has but one block */
    if (row == s->row && s->elapsed_s > 0)
        sight_cut(s, mass);
    s->sums[row] = lanes_sum(mass[0] + mass[1]);
}

static void sight_begin(struct sight *s, const struct blend *blend, uint32_t elapsed_s)
{
    CHECK(blend->parts <= BLEND_PARTS_MAX);
    s->blend = blend;
    s->elapsed_s = elapsed_s;
    s->bucket = bucket_of(elapsed_s);
    s->row = s->bucket / ROW;
    s->present = 0;
    for (uint32_t p = 0; p < blend->parts && p < BLEND_PARTS_MAX; p++)
        s->present |= histogram_rows(blend->of[p]);
}

/* The mass beyond elapsed_s.  Mostly it lies before all counts. */
static float sight_mass(struct sight *s)
{
    float total = 0;

    if ((s->present & ((2u << s->row) - 1)) == 0)
        return s->blend->mass - s->blend->flat * ((float)(s->bucket + 1)
                                                  - share_left(s->bucket, s->elapsed_s));
    for (uint32_t row = ROWS; row-- > s->row; total += s->sums[row])
        row_make(s, row);
    return total;
}

/* The second above which the mass is `wanted`, in this row; `above` lies above the row.  Here,
 * places are counted and not walked to: where they lie no branch predictor knows. */
static inline double second_in_row(const struct sight *s, uint32_t row, float above, float wanted)
{
    float    high = lanes_sum(s->mass[row][1]);
    uint32_t block = above + high < wanted || row == ROWS - 1 ? 0 : 1;
    lanes    mass = s->mass[row][block];
    float    three = (block == 1 ? above : above + high) + mass[3];
    float    two = three + mass[2], one = two + mass[1];
    uint32_t i = (uint32_t)(three >= wanted) + (two >= wanted) + (one >= wanted);
    float    upto[LANES] = {one + mass[0], one, two, three};
    float    here = s->mass[row][block][i];
    double   low = bucket_edges[row * ROW + block * LANES + i];
    double   end = bucket_edges[row * ROW + block * LANES + i + 1];
    double   part = here > 0 ? (double)((upto[i] - wanted) / here) : 1;

    if (low < s->elapsed_s)
        low = s->elapsed_s;
    return low + (end - low) * (part > 1 ? 1 : part < 0 ? 0 : part);
}

float blend_quantiles(const struct blend *blend, uint32_t elapsed_s,
                      const double probabilities[QUANTILES], double seconds[QUANTILES])
{
    struct sight s;
    uint32_t     row = ROWS;
    float        above = 0;   /* the mass above row `row` */

    sight_begin(&s, blend, elapsed_s);
    float total = sight_mass(&s);

    for (int q = QUANTILES; q-- > 0;) {
        float wanted = (float)(1 - probabilities[q]) * total;

        CHECK(q == 0 || probabilities[q] >= probabilities[q - 1]);
        if (q < QUANTILES - 1 && !(probabilities[q] < probabilities[q + 1])) {
            seconds[q] = seconds[q + 1];
            continue;
        }
        while (row > s.row && (row == ROWS || above + s.sums[row] < wanted)) {
            above += row == ROWS ? 0 : s.sums[row];
            row_make(&s, --row);
        }
        seconds[q] = total > 0 ? second_in_row(&s, row, above, wanted) : elapsed_s;
    }
    return total;
}

uint32_t blend_quantile_within(const struct blend *blend, double probability, uint32_t low_s,
                               uint32_t high_s)
{
    struct sight s;
    float        wanted = (float)(1 - probability) * blend->mass, above = 0;

    CHECK(low_s <= high_s);
    sight_begin(&s, blend, 0);
    for (uint32_t row = ROWS, last = bucket_of(low_s) / ROW; row-- > last; above += s.sums[row]) {
        row_make(&s, row);
        if (above + s.sums[row] < wanted)
            continue;
        double second = second_in_row(&s, row, above, wanted);

        return second < low_s ? low_s : second > high_s ? high_s : (uint32_t)second;
    }
    return low_s;
}

/* ── Bytes ───────────────────────────────────────────────────────────────────────────── */

/* A count takes one to three bytes: seven bits each, the low ones first, the eighth says that
 * more follow. */
size_t histogram_pack(const struct histogram *h, uint8_t bytes[HISTOGRAM_BYTES_MAX])
{
    uint8_t *bitmap = bytes + 1, *at = bitmap + BITMAP_BYTES;

    memset(bitmap, 0, BITMAP_BYTES);
    bytes[0] = (uint8_t)histogram_scale(h);
    for (uint32_t rows = histogram_rows(h); rows != 0; rows &= rows - 1) {
        uint32_t        row = (uint32_t)__builtin_ctz(rows);
        const uint16_t *counts = h->places + row_place(row);

        for (uint32_t i = 0; i < ROW && row * ROW + i < BUCKETS; i++) {
            uint32_t left = counts[i];

            bitmap[row] |= (uint8_t)((left > 0) << i);
            for (; left > 127; left >>= 7)
                *at++ = (uint8_t)(left | 128);
            *at = (uint8_t)left; /* a 0 is overwritten by the next */
            at += left > 0;
        }
    }
    return (size_t)(at - bytes);
}

/* The count at bytes[*at]; 0 = none is there. */
static uint32_t count_unpack(const uint8_t *bytes, size_t length, size_t *at)
{
    uint32_t count = 0;

    for (uint32_t shift = 0; *at < length && shift <= 14; shift += 7) {
        uint8_t byte = bytes[(*at)++];

        count |= (uint32_t)(byte & 127) << shift;
        if (byte < 128)
            return byte > 0 && count <= COUNT_MAX ? count : 0;
    }
    return 0;
}

int histogram_unpack(struct histogram *h, const uint8_t *bytes, size_t length)
{
    const uint8_t *bitmap = bytes + 1;
    size_t         at = 1 + BITMAP_BYTES;
    uint32_t       total = 0;

    memset(h, 0, sizeof *h);
    if (length < at || bytes[0] > SCALE_MAX)
        return error_set("a histogram of %zu bytes, or of an unknown scale", length);
    for (uint32_t i = 0; i < BITMAP_BYTES * 8; i++) {
        if (!(bitmap[i / 8] >> i % 8 & 1))
            continue;
        uint32_t count = i < BUCKETS ? count_unpack(bytes, length, &at) : 0;

        if (count == 0)
            return error_set("a histogram's bitmap and counts contradict each other");
        h->places[bucket_place(i)] = (uint16_t)count;
        total += count;
    }
    if (at != length || total > TOTAL_MAX)
        return error_set("a histogram has %zu bytes too many, or too much in it", length - at);
    histogram_sum(h, bytes[0]);
    return 0;
}
