/* parcel_random.h - seeded random numbers, for the tests of room parcel. */
#ifndef TESTS_UNIT_PARCEL_RANDOM_H
#define TESTS_UNIT_PARCEL_RANDOM_H

#include <stdio.h>
#include <string.h>

#include "stages/parcel/parcel.h"

struct random {
    uint64_t state;
};

/* splitmix64 (Steele, Lea, Flood 2014) */
static inline uint64_t random_next(struct random *r)
{
    uint64_t z = r->state += 0x9E3779B97F4A7C15ull;

    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ z >> 27) * 0x94D049BB133111EBull;
    return z ^ z >> 31;
}

/* 0 … limit − 1 */
static inline uint32_t random_below(struct random *r, uint32_t limit)
{
    return (uint32_t)(random_next(r) % limit);
}

static inline bool random_one_in(struct random *r, uint32_t n)
{
    return random_below(r, n) == 0;
}

/* A number of the given length, the same for the same `which`; returns the length. */
static inline uint8_t random_number(uint32_t which, size_t length, char number[PARCEL_MAX])
{
    char text[64];

    snprintf(text, sizeof text, "%010u-ABCDEFGHIJKLMNOPQRSTUVWXYZ.abcdefg", which);
    memcpy(number, text, length);
    return (uint8_t)length;
}

#endif
