/* embedded.h - a Kafka broker and a Redis server of the demo's own, in a private folder. */
#ifndef STAGES_COMMAND_EMBEDDED_H
#define STAGES_COMMAND_EMBEDDED_H

#include <stdbool.h>

#include "stages/command/child.h"

struct embedded {
    char  folder[64];        /* removed by embedded_stop                                   */
    char  brokers[128];      /* bootstrap servers                                          */
    char  redis[128];        /* as redis.address wants it                                  */
    struct child redis_server;
    void *mock;              /* librdkafka's mock cluster, and the client that carries it    */
    void *mock_client;
    bool  real_kafka;
};

/* Starts both; `kafka` wants Apache Kafka by `services/kafka` beside the quickstart
 * instead of librdkafka's mock cluster.  0, or -1 with the error trail, all stopped. */
int  embedded_start(struct embedded *, bool kafka, int partitions);
void embedded_stop(struct embedded *);

#endif
