/* client.h - librdkafka as the options and the configuration file want it. */
#ifndef PEAKLOAD_CLIENT_H
#define PEAKLOAD_CLIENT_H

#include <librdkafka/rdkafka.h>

#include "bench/peakload/output.h"

enum { CLIENT_MS = 10000 };    /* how long a broker may take to answer */

/* What a client was told by librdkafka; its opaque. */
struct client {
    rd_kafka_t *kafka;
    int  error;                /* of the connection, the last that was said                   */
    bool fatal;
    void *owner;
};

struct client_default {
    const char *name, *value;
};

/* A producer or consumer: the defaults, then what the person set.  `on_report` may be NULL.
 * 0, or -1 having said why. */
int client_open(struct client *, const struct output *, rd_kafka_type_t,
                const struct client_default *, size_t defaults,
                void (*on_report)(rd_kafka_t *, const rd_kafka_message_t *, void *));

/* Partitions of a topic, or -1 having said why. */
int32_t client_partitions(struct client *, const char *topic);

/* How long a topic keeps a message, ms: INT64_MAX = for ever; *stamps false where the broker
 * sets timestamps itself.  0, or -1 having said why. */
int client_retention(struct client *, const char *topic, int64_t *ms, bool *stamps);

void client_close(struct client *);

#endif
