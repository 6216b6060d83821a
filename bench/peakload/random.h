/* random.h - numbers that depend on the seed alone (splitmix64). */
#ifndef PEAKLOAD_RANDOM_H
#define PEAKLOAD_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct random {
    uint64_t state;
};

static inline uint64_t random_mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* A stream of its own for the `index`-th thing of a seed. */
static inline struct random random_of(uint64_t seed, uint64_t index)
{
    return (struct random) {random_mix(seed + UINT64_C(0x9e3779b97f4a7c15) * (index + 1))};
}

static inline uint64_t random_next(struct random *r)
{
    return random_mix(r->state += UINT64_C(0x9e3779b97f4a7c15));
}

/* 0 … limit − 1; limit > 0. */
static inline uint32_t random_below(struct random *r, uint32_t limit)
{
    return (uint32_t)(((random_next(r) >> 32) * limit) >> 32);
}

/* from … to, both included. */
static inline int random_between(struct random *r, int from, int to)
{
    return from + (int)random_below(r, (uint32_t)(to - from + 1));
}

/* True with probability share. */
static inline bool random_chance(struct random *r, double share)
{
    return (double)(random_next(r) >> 11) * 0x1p-53 < share;
}

#endif
