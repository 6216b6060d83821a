/* consumer_conf.h - what librdkafka's consumer is told before it starts. */
#ifndef STAGES_INTAKE_CONSUMER_CONF_H
#define STAGES_INTAKE_CONSUMER_CONF_H

#include <librdkafka/rdkafka.h>

struct config;

/* Asks the brokers, for a few seconds at most, how many partitions will share kafka.buffer.
 * NULL with the error trail.  owns: the caller, until rd_kafka_new takes it.
 * thread: the graph's creator. */
rd_kafka_conf_t *consumer_conf(const struct config *);

#endif
