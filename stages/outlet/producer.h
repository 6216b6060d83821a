/* producer.h - the port to Kafka's producer: what sink_kafka needs of a client.
 *
 * producer_kafka.c implements it with librdkafka (idempotent, acks=all); the
 * simulator with a model of a broker.  No call blocks.  thread: sink_kafka's runner.
 */
#ifndef STAGES_OUTLET_PRODUCER_H
#define STAGES_OUTLET_PRODUCER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stages/outlet/output.h"

struct config;

struct producer_ack {
    void *owner;          /* as given to produce()                                          */
    bool  delivered;      /* false: this message will not arrive; `text` says why             */
    bool  too_large;      /* false answer because the broker takes no message of that size     */
    char  text[160];
};

struct producer_ops {
    /* Takes as many of `count` outputs as there is room for, in order; returns how many.
     * Bytes are copied.  Each taken output is acknowledged once, with `owner`. */
    size_t (*produce)(void *self, const struct output *, size_t count, void *owner);

    /* Next acknowledgement; false = none. */
    bool   (*poll)(void *self, struct producer_ack *);

    /* Non-empty = the client can't go on (a fatal idempotence error): reopen() makes a new
     * one; what was not acknowledged by then is acknowledged as not delivered. */
    const char *(*fatal)(void *self);
    int    (*reopen)(void *self);

    int    (*flush_left)(void *self);   /* messages not yet acknowledged */
    void   (*close)(void *self);
};

struct producer {
    const struct producer_ops *ops;
    void                      *self;
    uint32_t                   bytes_max; /* values longer than this are not taken; 0 = not known */
};

/* -1 with the error trail.  `header` reads the headers of output.original (consumer_ops). */
int producer_open_kafka(const struct config *, void (*wake)(void *), void *wake_self,
                        bool (*header)(const void *, size_t, const char **, const void **,
                                       size_t *),
                        struct producer *);

#endif
