/* consumer.h - the port to Kafka's consumer: what source_kafka needs of a client.
 *
 * consumer_kafka.c implements it with librdkafka; the simulator with a model of
 * a broker.  No call blocks.  thread: all on source_kafka's runner; `wake` may be
 * called from any.
 */
#ifndef STAGES_INTAKE_CONSUMER_H
#define STAGES_INTAKE_CONSUMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stages/intake/passage.h"

struct config;

enum consumer_event_kind {
    CONSUMER_ASSIGNED,    /* the group gives `partitions`; answered by assign()              */
    CONSUMER_REVOKED,     /* the group takes all back; waits until assign(none)              */
    CONSUMER_LOST,        /* the same, already over: no commit will be taken                 */
    CONSUMER_POSITION,    /* answer to ask(): group_offset, metadata, low, high, sent_ms     */
    CONSUMER_COMMITTED,   /* answer to commit(): error                                      */
    CONSUMER_COUNT,       /* the topic's partition count is now `count`                      */
    CONSUMER_GAP,         /* what consume(partition) wants next is not in the log             */
    CONSUMER_FATAL        /* `text`: cannot go on                                            */
};

enum consumer_error { CONSUMER_OK, CONSUMER_FENCED /* not a member of this generation */,
                      CONSUMER_RETRY /* no coordinator, time-out, … */ };

struct consumer_event {
    uint8_t  kind;                /* enum consumer_event_kind */
    uint8_t  error;               /* enum consumer_error; COMMITTED, POSITION */
    int32_t  partition;
    int32_t  count;               /* ASSIGNED: entries of `partitions`; COUNT               */
    const int32_t *partitions;    /* valid until the next poll                              */
    int64_t  offset;              /* POSITION: the group's commit, -1 = none; COMMITTED      */
    int64_t  low, high;           /* POSITION: the log's ends                               */
    int64_t  sent_ms;             /* POSITION: wall time at which the question was sent       */
    bool     with_group;          /* POSITION: as asked; offset and metadata are answers too  */
    int64_t  start;               /* POSITION with_group, kafka.start a time: first offset at or
                                     after it, -1 = none                                     */
    char     metadata[96];        /* POSITION */
    char     text[160];
};

struct consumer_ops {
    /* Next event; false = none. */
    bool (*poll)(void *self, struct consumer_event *);

    /* Takes on these partitions at these offsets (count 0 = gives all back).  Offset -1 =
     * not known yet: nothing is consumed before seek(). */
    int  (*assign)(void *self, const int32_t *partitions, const int64_t *offsets, int count);

    /* The next consume(partition) begins at offset; what was fetched before is dropped. */
    int  (*seek)(void *self, int32_t partition, int64_t offset);

    /* Asks for the group's commit and the log's ends (with_group false: ends only).  `high`
     * is where the next record will be, or lower if only markers of transactions follow the
     * last record.  Questions asked before an ASSIGNED or assign(none) stay unanswered. */
    void (*ask)(void *self, int32_t partition, bool with_group);

    /* Commits with metadata under the member's generation; COMMITTED answers, unless an
     * ASSIGNED or assign(none) came in between. */
    void (*commit)(void *self, int32_t partition, int64_t offset, const char *metadata);

    /* Up to `max` messages of one partition, in order; they stay the port's until
     * release().  Errors inside come as events. */
    size_t (*consume)(void *self, int32_t partition, struct raw *, size_t max);
    void   (*release)(void *self, struct raw *, size_t count);

    /* Headers of a message: the i-th, false = no more.  Static until release(). */
    bool   (*header)(const void *message, size_t i, const char **name, const void **value,
                     size_t *length);

    int32_t (*partition_count)(void *self);   /* 0 = not known yet */
    void    (*close)(void *self);             /* leaves the group; frees */
};

struct consumer {
    const struct consumer_ops *ops;
    void                      *self;
};

/* Opens the librdkafka consumer the configuration describes (group, topic, rdkafka.*).
 * `wake(wake_self)` is called when something arrives.  -1 with the error trail. */
int consumer_open_kafka(const struct config *, void (*wake)(void *), void *wake_self,
                        struct consumer *);

/* consumer_ops.header, for who has the message but not the consumer. */
bool consumer_header_kafka(const void *message, size_t i, const char **name, const void **value,
                           size_t *length);

#endif
