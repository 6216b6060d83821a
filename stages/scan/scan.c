/* scan.c - names of rejects, and the two hashes of a parcel number. */
#include "stages/scan/scan.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "pipeline/check.h"

const char *reject_name(enum reject reject)
{
    static const char *const names[REJECTS] = {
        [REJECT_NONE]               = "none",
        [REJECT_EMPTY]              = "empty",
        [REJECT_TOO_LARGE]          = "too-large",
        [REJECT_BAD_JSON]           = "bad-json",
        [REJECT_BAD_UTF8]           = "bad-utf8",
        [REJECT_UNSUPPORTED_FORMAT] = "unsupported-format",
        [REJECT_DUPLICATE_FIELD]    = "duplicate-field",
        [REJECT_MISSING_FIELD]      = "missing-field",
        [REJECT_BAD_TYPE]           = "bad-type",
        [REJECT_TOO_LONG]           = "too-long",
        [REJECT_BAD_PARCEL]         = "bad-parcel",
        [REJECT_UNKNOWN_CODE]       = "unknown-code",
        [REJECT_BAD_TIME]           = "bad-time",
        [REJECT_TIME_RANGE]         = "time-range",
        [REJECT_BAD_NUMBER]         = "bad-number",
        [REJECT_KEY_MISMATCH]       = "key-mismatch",
        [REJECT_WRONG_PARTITION]    = "wrong-partition",
    };

    CHECK((unsigned)reject < REJECTS);
    return names[reject];
}

uint64_t parcel_hash(const char *number, size_t length)
{
    return XXH3_64bits(number, length);
}

/* org.apache.kafka.common.utils.Utils.murmur2 and toPositive; librdkafka calls it murmur2
 * too, but its default partitioner is another. */
uint32_t parcel_home(const char *number, size_t length)
{
    const uint32_t m = 0x5bd1e995;
    uint32_t       h = 0x9747b28cu ^ (uint32_t)length, k = 0;
    size_t         left = length;

    for (; left >= 4; left -= 4, number += 4) {
        memcpy(&k, number, 4);
        k *= m;
        k ^= k >> 24;
        h = h * m ^ k * m;
    }
    if (left > 0) {
        k = 0;
        for (size_t i = 0; i < left; i++)
            k |= (uint32_t)(unsigned char)number[i] << 8 * i;
        h = (h ^ k) * m;
    }
    h = (h ^ h >> 13) * m;
    return (h ^ h >> 15) & 0x7fffffff;
}
