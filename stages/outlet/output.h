/* output.h - a message for Kafka, as track and dead_letter hand it on.
 *
 * Records of an OUTPUTS batch.  Bytes live in the batch's arena, or, for dead
 * letters, in the rejected message, which its batch keeps alive.
 */
#ifndef STAGES_OUTLET_OUTPUT_H
#define STAGES_OUTLET_OUTPUT_H

#include <stddef.h>
#include <stdint.h>

enum output_topic { TOPIC_ALERTS, TOPIC_ETAS, TOPIC_DEAD_LETTERS, TOPIC_PROGRESS, TOPIC_ACTIVITY,
                    TOPICS };

enum { OUTPUTS_RECORDS = 256, OUTPUTS_ARENA = 128 * 1024, OUTPUT_HEADERS_MAX = 16,
       OUTPUT_BYTES_MAX = 4096 /* most that one alert or ETA takes of the arena, all told */,
       ACTIVITY_BYTES_MAX = 32 * 1024 /* most that one record of counts takes                */ };

struct output_header {
    const char *name;      /* NUL-terminated; static or in the arena */
    const void *value;
    uint32_t    length;
};

struct output {
    uint8_t     topic;                /* enum output_topic                                */
    uint8_t     headers_count;
    uint32_t    key_length;           /* a dead letter's may be long                       */
    uint32_t    length;
    uint32_t    home;                 /* murmur2 of the key, positive: partition = home % count */
    const char *key;
    const void *value;                /* NULL with length 0 = a null value                 */
    const struct output_header *headers;
    const void *original;             /* a consumer's message whose headers are copied, or NULL */
    uint64_t    alert;                /* TOPIC_ALERTS: its id, and which change of it this is  */
    uint16_t    sequence;
};

enum output_mode {
    OUTPUTS_AT_ONCE = 0,   /* produced now; the next cut waits for their acknowledgement     */
    OUTPUTS_DEFERRED,      /* unsent alerts, which the state in Redis knows: a replay does not
                              repeat them, so no cut waits for them                         */
    OUTPUTS_FREE           /* nothing waits for them (progress)                              */
};

struct outputs {
    uint8_t  mode;         /* enum output_mode */
    uint64_t ordinal;      /* AT_ONCE: rises by one per partition and assignment, from 1       */
    uint32_t used;         /* bytes of the batch's arena (OUTPUTS_ARENA) in use               */
};

#endif
