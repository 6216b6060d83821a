/* output.h - where messages go: what the options and the configuration file say. */
#ifndef PEAKLOAD_OUTPUT_H
#define PEAKLOAD_OUTPUT_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sink { SINK_KAFKA, SINK_STDOUT, SINK_NULL };

struct setting {
    char *name, *value;      /* of librdkafka */
};

enum { SETTINGS_MAX = 128 };

struct output {
    const char *brokers, *topic, *config;  /* NULL = not said */
    enum sink   sink;
    int32_t     partitions;                /* of SINK_STDOUT and SINK_NULL                    */
    bool        json, quiet;
    struct setting setting[SETTINGS_MAX];  /* of the file, then of the command line           */
    int         settings;
};

/* The options all commands share: rows for getopt_long, codes from 512, and their help. */
enum { OUTPUT_CODES = 512, OUTPUT_BROKERS = OUTPUT_CODES, OUTPUT_TOPIC, OUTPUT_CONFIG,
       OUTPUT_STDOUT, OUTPUT_NULL, OUTPUT_PARTITIONS, OUTPUT_JSON, OUTPUT_QUIET };

#define OUTPUT_OPTIONS                                        \
    {"brokers", required_argument, NULL, OUTPUT_BROKERS},     \
    {"topic", required_argument, NULL, OUTPUT_TOPIC},         \
    {"config", required_argument, NULL, OUTPUT_CONFIG},       \
    {"stdout", no_argument, NULL, OUTPUT_STDOUT},             \
    {"null", no_argument, NULL, OUTPUT_NULL},                 \
    {"partitions", required_argument, NULL, OUTPUT_PARTITIONS}, \
    {"json", no_argument, NULL, OUTPUT_JSON},                 \
    {"quiet", no_argument, NULL, OUTPUT_QUIET}

#define OUTPUT_HELP                                                                    \
    "Where to:\n"                                                                      \
    "  --brokers HOST:PORT[,…]  Kafka (default localhost:9092)\n"                      \
    "  --topic NAME             default scans\n"                                       \
    "  --config FILE            YAML: kafka.brokers, kafka.topics.scans, and a block\n" \
    "                           rdkafka: of librdkafka settings; peakline's own will do\n" \
    "  -X NAME=VALUE            a librdkafka setting\n"                                \
    "  --stdout                 JSON lines as `kcat -J` writes them, instead of Kafka\n" \
    "  --null                   nowhere: what making the messages costs\n"             \
    "  --partitions N           with --stdout or --null (default 12); Kafka is asked\n" \
    "  --json                   ends with one JSON object on standard output (with\n"  \
    "                           --stdout: on standard error)\n"                        \
    "  --quiet                  neither progress nor summary\n"

/* An option's code: 1 taken, 0 not one of these, -1 a bad value, and said so. */
int output_option(struct output *, int code, const char *argument);

/* Reads the configuration file, fills in defaults.  0, or -1 having said why. */
int output_complete(struct output *);

/* Adds a librdkafka setting.  0, or -1 having said why. */
int output_set(struct output *, const char *name, size_t name_length, const char *value);

/* Reads a whole number within bounds for option `name`.  0, or -1 having said why. */
int option_integer(const char *name, const char *text, int64_t from, int64_t to, int64_t *value);
int option_real(const char *name, const char *text, double from, double to, double *value);
int option_duration(const char *name, const char *text, int64_t *ms);

#endif
