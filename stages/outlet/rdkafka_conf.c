/* rdkafka_conf.c - librdkafka's configuration, made from ours. */
#include "stages/outlet/rdkafka_conf.h"

#include <stdio.h>
#include <string.h>

#include "pipeline/check.h"
#include "pipeline/config.h"
#include "pipeline/error.h"
#include "pipeline/log.h"
#include "stages/outlet/rdkafka_help.h"

enum { REASON_SIZE = 512, PATH_SIZE = 512 };

/* One side's layers while they are laid over each other. */
struct layers {
    const struct config          *config;
    rd_kafka_conf_t              *conf;
    const char                   *side, *other;
    const struct rdkafka_setting *fixed;
    bool                          own_side; /* second pass: `rdkafka.SIDE.` alone */
    bool                          failed;
};

static int set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char reason[REASON_SIZE];

    if (rd_kafka_conf_set(conf, name, value, reason, sizeof reason) == RD_KAFKA_CONF_OK)
        return 0;
    return error_set("%s", reason);
}

static int set_all(rd_kafka_conf_t *conf, const struct rdkafka_setting *settings)
{
    for (; settings->name != NULL; settings++)
        if (set(conf, settings->name, settings->value) != 0)
            return -1;
    return 0;
}

/* "consumer.linger.ms" with "consumer" → "linger.ms"; NULL = does not begin so. */
static const char *below(const char *name, const char *side)
{
    size_t length = strlen(side);

    return strncmp(name, side, length) == 0 && name[length] == '.' ? name + length + 1 : NULL;
}

/* What librdkafka does not take, by where it was written; its reasons hold no values. */
static int blame(const struct layers *layers, const char *rest)
{
    char path[PATH_SIZE];

    (void)snprintf(path, sizeof path, "rdkafka.%s", rest);
    return config_blame(layers->config, path);
}

/* config_each calls it for every setting the operator gave below `rdkafka.`. */
static void add_given(void *self, const char *rest, const char *value)
{
    struct layers *layers = self;
    const char    *name = below(rest, layers->side);

    if (layers->failed || below(rest, layers->other) != NULL)
        return;
    if ((name != NULL) != layers->own_side)
        return;
    name = name != NULL ? name : rest;
    for (const struct rdkafka_setting *fixed = layers->fixed; fixed->name != NULL; fixed++) {
        if (strcmp(fixed->name, name) != 0)
            continue;
        (void)error_set("is Peakline's own to set (%s); take it out", fixed->value);
        layers->failed = blame(layers, rest) != 0;
        return;
    }
    layers->failed = set(layers->conf, name, value) != 0 && rdkafka_help(name) != 0
                     && blame(layers, rest) != 0;
}

/* librdkafka's levels are syslog's.  thread: any of librdkafka's. */
static void write_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    (void)rk;
    enum log_level ours = level <= 4 ? LOG_LEVEL_WARNING
                          : level <= 6 ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG;

    log_write(ours, "rdkafka", "%s: %s", facility, text);
}

static int fill(struct layers *layers, const struct config *config,
                const struct rdkafka_setting *defaults)
{
    rd_kafka_conf_set_log_cb(layers->conf, write_log);
    if (set(layers->conf, "bootstrap.servers", config_text(config, "kafka.brokers")) != 0 ||
        set(layers->conf, "client.id", "peakline") != 0 ||
        set(layers->conf, "socket.nagle.disable", "true") != 0 ||
        set(layers->conf, "reconnect.backoff.max.ms", "2000") != 0 ||
        set_all(layers->conf, defaults) != 0)
        return -1;
    config_each(config, "rdkafka", add_given, layers);
    layers->own_side = true;
    config_each(config, "rdkafka", add_given, layers);
    return layers->failed ? -1 : set_all(layers->conf, layers->fixed);
}

rd_kafka_conf_t *rdkafka_conf_create(const struct config *config, const char *side,
                                     const struct rdkafka_setting *defaults,
                                     const struct rdkafka_setting *fixed)
{
    struct layers layers = {
        .config = config, .conf = rd_kafka_conf_new(), .side = side, .fixed = fixed};

    layers.other = strcmp(side, "consumer") == 0 ? "producer" : "consumer";
    CHECK(layers.conf != NULL);
    if (fill(&layers, config, defaults) == 0)
        return layers.conf;
    rd_kafka_conf_destroy(layers.conf);
    return NULL;
}

rd_kafka_t *rdkafka_open(rd_kafka_type_t type, rd_kafka_conf_t *conf)
{
    char        reason[REASON_SIZE];
    rd_kafka_t *rk = rd_kafka_new(type, conf, reason, sizeof reason);

    if (rk != NULL)
        return rk;
    rd_kafka_conf_destroy(conf);
    (void)error_set("rdkafka: %s", reason);
    return NULL;
}
