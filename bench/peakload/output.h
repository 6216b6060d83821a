/* output.h - where messages go: what the options and the configuration file say. */
#ifndef PEAKLOAD_OUTPUT_H
#define PEAKLOAD_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/peakload/options.h"

enum sink { SINK_KAFKA, SINK_STDOUT, SINK_NULL };

enum scope { SCOPE_BOTH, SCOPE_PRODUCER, SCOPE_CONSUMER };

struct setting {
    char *name, *value;      /* of librdkafka */
    enum scope scope;
};

enum { SETTINGS_MAX = 128 };

/* Names that peakline's configuration knows too; NULL = not said. */
struct output {
    const char *brokers, *topic, *config;
    const char *alerts, *etas, *dead_letters;   /* topics of peakline's outputs              */
    const char *group, *redis;                  /* peakline's group; its Redis: HOST:PORT or
                                                   unix:PATH                                 */
    const char *redis_user, *redis_password;    /* of the file alone                         */
    enum sink   sink;
    int64_t     partitions;                /* of SINK_STDOUT and SINK_NULL                    */
    bool        json, quiet;
    bool        any_retention;             /* the topic keeps what is sent: it is not asked      */
    struct setting setting[SETTINGS_MAX];  /* of the file, then of the command line           */
    int         settings;
};

/* Two rows of options: where Kafka is and how to speak to it; and what a command says of
 * itself.  A third, of producers only: other places than Kafka. */
extern const struct option_row output_rows[], output_place_rows[];
enum { OUTPUT_ROWS = 7, OUTPUT_PLACE_ROWS = 4 };

#define OUTPUT_GROUP(output) {(output), output_rows, OUTPUT_ROWS}
#define OUTPUT_PLACE_GROUP(output) {(output), output_place_rows, OUTPUT_PLACE_ROWS}

/* Reads the configuration file, fills in defaults.  0, or -1 having said why. */
int output_complete(struct output *);

#endif
