/* partition.c - MurmurHash2, 32 bits, with the seed of Kafka's DefaultPartitioner.
 * Bytes are read little-endian; the sign bit of the hash is cleared ("toPositive"). */
#include "bench/peakload/partition.h"

#include <string.h>

int32_t partition_of(const void *key, size_t length, int32_t partitions)
{
    const uint32_t m = 0x5bd1e995;
    const uint8_t *p = key;
    uint32_t h = 0x9747b28cU ^ (uint32_t)length, k;

    for (; length >= 4; p += 4, length -= 4) {
        memcpy(&k, p, 4);
        k *= m;
        k ^= k >> 24;
        h = h * m ^ k * m;
    }
    if (length >= 3)
        h ^= (uint32_t)p[2] << 16;
    if (length >= 2)
        h ^= (uint32_t)p[1] << 8;
    if (length >= 1)
        h = (h ^ p[0]) * m;
    h ^= h >> 13;
    h *= m;
    h ^= h >> 15;
    return (int32_t)((h & 0x7fffffff) % (uint32_t)partitions);
}
