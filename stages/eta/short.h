/* short.h - durations in few bits, as floating point is: what is long is said less exactly. */
#ifndef STAGES_ETA_SHORT_H
#define STAGES_ETA_SHORT_H

#include <stdint.h>

/* A number in fewer bits: `bits` of mantissa, rounded down; the larger, the larger.
 * short_unpack gives the middle of what it may have been. */
static inline uint32_t short_pack(uint32_t n, uint32_t bits)
{
    uint32_t length = n == 0 ? 0 : 32 - (uint32_t)__builtin_clz(n);
    uint32_t shift = length > bits + 1 ? length - bits - 1 : 0;

    return (shift << bits) + (n >> shift);
}

static inline uint32_t short_unpack(uint32_t packed, uint32_t bits)
{
    uint32_t shift = packed >> bits > 1 ? (packed >> bits) - 1 : 0;

    return ((packed - (shift << bits)) << shift) + ((1u << shift) >> 1);
}

#endif
