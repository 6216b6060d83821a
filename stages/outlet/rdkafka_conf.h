/* rdkafka_conf.h - librdkafka's configuration, made from ours.
 *
 * Three layers, later ones win: Peakline's defaults, what the operator wrote
 * under `rdkafka.` (for both sides, then `rdkafka.consumer.` or
 * `rdkafka.producer.`), and what Peakline's promise rests on, which nobody may
 * change: writing one of those is an error that names it.
 */
#ifndef STAGES_OUTLET_RDKAFKA_CONF_H
#define STAGES_OUTLET_RDKAFKA_CONF_H

#include <librdkafka/rdkafka.h>

struct config;

struct rdkafka_setting {
    const char *name, *value;
};

/* `side` is "consumer" or "producer"; both tables end with {NULL, NULL}.  Brokers, client id
 * and where librdkafka's own log lines go are set here.  NULL with the error trail.
 * owns: the caller, until rd_kafka_new takes it.  thread: any. */
rd_kafka_conf_t *rdkafka_conf_create(const struct config *, const char *side,
                                     const struct rdkafka_setting *defaults,
                                     const struct rdkafka_setting *fixed);

/* A client of it, which takes the configuration whatever comes.  NULL with the error trail.
 * owns: the caller.  thread: any. */
rd_kafka_t *rdkafka_open(rd_kafka_type_t, rd_kafka_conf_t *);

#endif
