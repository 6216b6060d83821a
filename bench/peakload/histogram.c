/* histogram.c - counting, and HdrHistogram's three forms: G. Tene's log format 1.3, encoding V2
 * (ZigZag LEB128 counts; a negative count is a run of empty slots), percentile text with
 * 5 ticks per half distance. */
#include "bench/peakload/histogram.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "bench/peakload/base64.h"

enum { HALF = HISTOGRAM_STEPS / 2, HALF_BITS = 10, DIGITS = 3, HEAD_BYTES = 40, WRAP_BYTES = 8,
       TICKS = 5, COUNT_BYTES_MAX = 9 };

static const uint32_t cookie_plain = 0x1c849303 | 0x10, cookie_compressed = 0x1c849304 | 0x10;

static int slot_of(int64_t ns)
{
    uint64_t units = (uint64_t)ns >> HISTOGRAM_UNIT_BITS;
    int bucket = units < HISTOGRAM_STEPS ? 0 : 63 - __builtin_clzll(units) - HALF_BITS;

    return (bucket << HALF_BITS) + (int)(units >> bucket);
}

/* The smallest value of a slot. */
static int64_t value_of(int slot)
{
    int bucket = (slot >> HALF_BITS) - 1;
    int64_t step = (slot & (HALF - 1)) + HALF;

    if (bucket < 0) {
        bucket = 0;
        step -= HALF;
    }
    return step << (bucket + HISTOGRAM_UNIT_BITS);
}

/* The largest: what percentiles say. */
static int64_t top_of(int slot)
{
    return value_of(slot + 1) - 1;
}

void histogram_record(struct histogram *h, int64_t ns)
{
    ns = ns < 0 ? 0 : ns > HISTOGRAM_HIGHEST ? HISTOGRAM_HIGHEST : ns;
    h->slot[slot_of(ns)]++;
    if (h->count++ == 0 || ns < h->least)
        h->least = ns;
    if (ns > h->most)
        h->most = ns;
}

void histogram_add(struct histogram *h, const struct histogram *other)
{
    if (other->count == 0)
        return;
    for (int i = 0; i < HISTOGRAM_SLOTS; i++)
        h->slot[i] += other->slot[i];
    if (h->count == 0 || other->least < h->least)
        h->least = other->least;
    if (other->most > h->most)
        h->most = other->most;
    h->count += other->count;
}

/* The slot in which the wanted-th value lies (from 1), and how many lie in it and before. */
static int slot_at(const struct histogram *h, int64_t wanted, int64_t *passed)
{
    *passed = 0;
    for (int i = 0; i < HISTOGRAM_SLOTS; i++) {
        *passed += h->slot[i];
        if (*passed >= wanted)
            return i;
    }
    return HISTOGRAM_SLOTS - 1;
}

int64_t histogram_at(const struct histogram *h, double share)
{
    /* A share a hair smaller: its product with the count must not round up to the next rank. */
    int64_t wanted = (int64_t)ceil(nextafter(share, 0) * (double)h->count), passed, top;

    if (h->count == 0)
        return 0;
    top = top_of(slot_at(h, wanted < 1 ? 1 : wanted, &passed));
    return top < h->most ? top : h->most;
}

/* Of the middles of the slots: HdrHistogram's mean and deviation. */
static double moment(const struct histogram *h, double around, int power)
{
    double sum = 0;

    for (int i = 0; i < HISTOGRAM_SLOTS; i++)
        if (h->slot[i] > 0)
            sum += (double)h->slot[i] *
                   pow((double)(value_of(i) + value_of(i + 1)) / 2 - around, power);
    return h->count > 0 ? sum / (double)h->count : 0;
}

double histogram_mean(const struct histogram *h)
{
    return moment(h, 0, 1);
}

static uint8_t *put_big(uint8_t *p, uint64_t value, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--)
        *p++ = (uint8_t)(value >> (8 * i));
    return p;
}

/* ZigZag LEB128; the ninth byte holds eight bits. */
static uint8_t *put_count(uint8_t *p, int64_t count)
{
    uint64_t value = ((uint64_t)count << 1) ^ (uint64_t)(count >> 63);

    for (int i = 0; i < COUNT_BYTES_MAX - 1 && value >= 0x80; i++) {
        *p++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *p++ = (uint8_t)value;
    return p;
}

static uint8_t *put_counts(uint8_t *p, const struct histogram *h)
{
    int last = slot_of(h->most);

    for (int i = 0; i <= last; i++) {
        int from = i;

        while (i < last && h->slot[i] == 0)
            i++;
        if (i > from)
            p = put_count(p, from - i);
        p = put_count(p, h->slot[i]);
    }
    return p;
}

static uint8_t *put_histogram(uint8_t *p, const struct histogram *h)
{
    const double ratio = 1;
    uint8_t *counts = p + HEAD_BYTES, *end = put_counts(counts, h);
    uint64_t ratio_bits;

    memcpy(&ratio_bits, &ratio, sizeof ratio_bits);
    p = put_big(p, cookie_plain, 4);
    p = put_big(p, (uint64_t)(end - counts), 4);
    p = put_big(p, 0, 4);
    p = put_big(p, DIGITS, 4);
    p = put_big(p, (uint64_t)HISTOGRAM_LOWEST, 8);
    p = put_big(p, (uint64_t)HISTOGRAM_HIGHEST, 8);
    put_big(p, ratio_bits, 8);
    return end;
}

char *histogram_encode(const struct histogram *h)
{
    size_t   room = HEAD_BYTES + (size_t)HISTOGRAM_SLOTS * COUNT_BYTES_MAX;
    uint8_t *plain = malloc(room), *packed = NULL;
    uLongf   length = 0;
    char    *text = NULL;

    if (plain != NULL && h->count > 0) {
        size_t size = (size_t)(put_histogram(plain, h) - plain);

        length = compressBound(size);
        packed = malloc(length + WRAP_BYTES);
        if (packed != NULL && compress(packed + WRAP_BYTES, &length, plain, size) == Z_OK) {
            put_big(put_big(packed, cookie_compressed, 4), length, 4);
            text = malloc(BASE64_ROOM(length + WRAP_BYTES));
            if (text != NULL)
                base64_write(text, packed, length + WRAP_BYTES);
        }
    }
    free(packed);
    free(plain);
    return text;
}

void histogram_log_begin(FILE *out, int64_t start_ms)
{
    double start = (double)start_ms / 1000;

    fprintf(out, "#[Histogram log format version 1.3]\n#[StartTime: %.3f (seconds since epoch)]\n"
            "#[BaseTime: %.3f (seconds since epoch)]\n"
            "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\","
            "\"Interval_Compressed_Histogram\"\n", start, start);
}

void histogram_log(FILE *out, const char *tag, const struct histogram *h, int64_t log_start_ms,
                   int64_t from_ms, int64_t to_ms)
{
    char *text = histogram_encode(h);

    if (text != NULL)
        fprintf(out, "Tag=%s,%.3f,%.3f,%.3f,%s\n", tag, (double)(from_ms - log_start_ms) / 1000,
                (double)(to_ms - from_ms) / 1000, (double)h->most / 1e6, text);
    free(text);
}

static void print_line(FILE *out, int64_t ns, double share, int64_t passed)
{
    fprintf(out, "%12.3f %2.12f %10lld", (double)ns / 1e6, share, (long long)passed);
    if (share < 1)
        fprintf(out, " %14.2f", 1 / (1 - share));
    fputc('\n', out);
}

/* Ticks: TICKS of them for each halving of what is left. */
static double next_share(double share)
{
    double halvings = floor(log2(1 / (1 - share))) + 1;

    return share + 1 / (TICKS * exp2(halvings));
}

void histogram_print(FILE *out, const struct histogram *h)
{
    double mean = histogram_mean(h), share = 0;

    fprintf(out, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount",
            "1/(1-Percentile)");
    while (h->count > 0) {
        int64_t wanted = (int64_t)ceil(share * (double)h->count), passed;
        int slot = slot_at(h, wanted < 1 ? 1 : wanted, &passed);

        if (passed >= h->count)
            break;
        print_line(out, top_of(slot), share, passed);
        share = next_share(share);
    }
    if (h->count > 0)
        print_line(out, h->most, 1, h->count);
    fprintf(out, "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n", mean / 1e6,
            sqrt(moment(h, mean, 2)) / 1e6);
    fprintf(out, "#[Max     = %12.3f, Total count    = %12lld]\n", (double)h->most / 1e6,
            (long long)h->count);
    fprintf(out, "#[Buckets = %12d, SubBuckets     = %12d]\n", HISTOGRAM_SLOTS / HALF - 1,
            HISTOGRAM_STEPS);
}
