/* scan.h - one scan event, decoded: fixed numbers and slices of the original bytes.
 *
 * The slices point into Kafka's message, which lives until the batch has
 * returned to decode; who keeps a text longer copies it.  Fields, forms and
 * meaning: README.md beside this file.
 */
#ifndef STAGES_SCAN_SCAN_H
#define STAGES_SCAN_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stages/scan/codes.h"

enum {
    SCAN_BYTES_MAX  = 65535,  /* a longer value is a dead letter: too-large              */
    PARCEL_MAX      = 40, FACILITY_MAX = 24, CARRIER_MAX = 16, SERVICE_MAX = 16,
    CARRIER_NUMBER_MAX = 40, RAW_MAX = 48, COURIER_MAX = 24, BAG_MAX = 24,
    REASON_MAX      = 24, EVENT_ID_MAX = 64
};

/* A slice of scan.bytes.  length 0 = the field was absent. */
struct text {
    uint16_t at;
    uint16_t length;
};

enum scan_flags {
    SCAN_RETRACTS = 1, SCAN_HAS_POSITION = 2, SCAN_HAS_TARGET = 4, /* lat/lon, dest_lat/lon */
    SCAN_HAS_WEIGHT = 8, SCAN_HAS_DECLARED = 16
};

struct scan {
    const char *bytes;            /* what the slices slice                                 */
    const void *message;          /* the consumer's handle, for headers; NULL in tests      */
    int64_t     offset;           /* Kafka offset                                          */
    int64_t     kafka_ms;         /* Kafka timestamp; -1 = none                            */
    int64_t     time_ms;          /* event time, Unix ms                                   */
    int64_t     promise_ms;       /* 0 = none                                              */
    uint64_t    hash;             /* parcel_hash(number): table, buckets of memory, ids      */
    uint32_t    home;             /* murmur2 of the number, positive: partition and bucket  */
    uint8_t     code;             /* enum scan_code                                        */
    uint8_t     flags;            /* enum scan_flags                                       */
    uint16_t    unknown;          /* fields that no row of the format's table names         */
    struct text parcel, facility, next, origin, dest, carrier, service, carrier_number,
                raw, courier, bag, reason, event_id;
    int32_t     weight_g, declared_g;
    float       lat, lon, dest_lat, dest_lon;
};

/* Why a message is a dead letter.  The names are stable: header `reason`. */
enum reject {
    REJECT_NONE = 0,
    REJECT_EMPTY,            /* a value of no bytes (a null value is skipped, not rejected) */
    REJECT_TOO_LARGE,        /* over SCAN_BYTES_MAX                                         */
    REJECT_BAD_JSON,         /* not one JSON object, truncated, trailing bytes              */
    REJECT_BAD_UTF8,
    REJECT_UNSUPPORTED_FORMAT, /* behind 0x00 + schema id stands Avro or Protobuf           */
    REJECT_DUPLICATE_FIELD,
    REJECT_MISSING_FIELD,    /* `field` says which                                          */
    REJECT_BAD_TYPE,
    REJECT_TOO_LONG,
    REJECT_BAD_PARCEL,       /* characters outside A-Z a-z 0-9 - _ .                        */
    REJECT_UNKNOWN_CODE,
    REJECT_BAD_TIME,         /* not RFC 3339 with zone                                      */
    REJECT_TIME_RANGE,       /* before 2000, or more than 30 days ahead                     */
    REJECT_BAD_NUMBER,       /* out of range for its field                                  */
    REJECT_KEY_MISMATCH,     /* Kafka key differs from `parcel`                             */
    REJECT_WRONG_PARTITION,  /* the key's home is another partition                         */
    REJECTS
};

const char *reject_name(enum reject);   /* "bad-json" */

/* Result of decoding one message. */
struct verdict {
    enum reject reject;
    const char *field;   /* which field, "" when none; static */
};

static inline const char *scan_text(const struct scan *s, struct text t)
{
    return s->bytes + t.at;
}

/* Of a record that is no scan (null, or a dead letter): only offset, kafka_ms, home and message
 * are set.  It moves its partition's clock and position, in its turn. */
static inline bool scan_is_blank(const struct scan *s)
{
    return s->parcel.length == 0;
}

/* A good 64-bit hash of a parcel number (not stored anywhere outside alert ids). */
uint64_t parcel_hash(const char *number, size_t length);

/* murmur2 as Java's Kafka clients compute it, made positive: partition = home % partitions,
 * bucket = (home / partitions) % buckets. */
uint32_t parcel_home(const char *number, size_t length);

#endif
