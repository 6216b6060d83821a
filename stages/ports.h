/* ports.h - where the stages get their Kafka and Redis from: the real clients, or a
 * simulator's models.
 *
 * Set before graph_create; each stage takes its port in init and keeps it.
 * thread: the graph's creator.
 */
#ifndef STAGES_PORTS_H
#define STAGES_PORTS_H

#include "stages/intake/consumer.h"
#include "stages/outlet/producer.h"
#include "stages/outlet/redis_io.h"

struct ports {
    int (*consumer_open)(const struct config *, void (*wake)(void *), void *wake_self,
                         struct consumer *);
    int (*producer_open)(const struct config *, void (*wake)(void *), void *wake_self,
                         bool (*header)(const void *, size_t, const char **, const void **,
                                        size_t *),
                         struct producer *);
    /* Headers of a message that consumer_open's port gave out (output.original). */
    bool (*message_header)(const void *message, size_t i, const char **name, const void **value,
                           size_t *length);
    int (*redis_open)(const struct config *, uint32_t streams, struct redis_io *);
};

extern struct ports ports;   /* the real clients, unless somebody put others in place */

#endif
