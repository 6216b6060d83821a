/* norms.c - histograms of pauses, by service, code and city. */
#include "bench/peakload/labelled/norms.h"

#include <math.h>

enum { ENOUGH = 100, FIRST_S = 60 };
static const double ratio = 1.1;

static int bucket_of(int64_t gap_s)
{
    int bucket = gap_s <= FIRST_S ? 0 : (int)(log((double)gap_s / FIRST_S) / log(ratio)) + 1;

    return bucket < GAP_BUCKETS ? bucket : GAP_BUCKETS - 1;
}

void norms_gap(struct norms *n, int service, int code, int city, int64_t gap_s)
{
    uint16_t *count = &n->gaps[service][code][city][bucket_of(gap_s)];

    *count = (uint16_t)(*count + (*count < UINT16_MAX));
}

void norms_whole(struct norms *n, int service, int way, int64_t whole_s)
{
    if ((uint32_t)whole_s > n->whole_s[service][way])
        n->whole_s[service][way] = (uint32_t)whole_s;
}

int64_t norms_usual_s(const struct norms *n, int service, int code, int city)
{
    const uint16_t *count = n->gaps[service][code][city];
    uint32_t total = 0, above = 0;
    int bucket = GAP_BUCKETS - 1;

    for (int i = 0; i < GAP_BUCKETS; i++)
        total += count[i];
    if (total < ENOUGH)
        return 0;
    while (bucket > 0 && (above + count[bucket]) * 100 <= total)
        above += count[bucket--];
    return (int64_t)(FIRST_S * pow(ratio, bucket));
}
