/* consumer_conf.c - what librdkafka's consumer is told before it starts. */
#include "stages/intake/consumer_conf.h"

#include <inttypes.h>
#include <stdio.h>

#include "pipeline/config.h"
#include "stages/outlet/rdkafka_conf.h"

/* Bounds that librdkafka sets to its own settings, or below which it crawls. */
enum { KBYTES_LEAST = 1024, KBYTES_MOST = 2097151, MESSAGES_LEAST = 1000,
       MESSAGES_MOST = 10000000 };

enum {
    PARTITIONS_GUESS = 16,      /* while no broker says how many there are               */
    FIRST_LOOK_MS = 3000,
    FETCHED_BYTES = 512         /* of memory one fetched message takes at least           */
};

/* How many partitions share the buffer; a guess when no broker answers in time. */
static int64_t look_for_count(const struct config *config)
{
    static const struct rdkafka_setting none[] = {{NULL, NULL}};
    const struct rd_kafka_metadata     *metadata = NULL;
    rd_kafka_conf_t *conf = rdkafka_conf_create(config, "consumer", none, none);
    rd_kafka_t      *rk = conf != NULL ? rdkafka_open(RD_KAFKA_CONSUMER, conf) : NULL;
    int64_t          count = 0;

    if (rk == NULL)
        return -1;
    rd_kafka_topic_t *topic =
        rd_kafka_topic_new(rk, config_text(config, "kafka.topics.scans"), NULL);

    if (rd_kafka_metadata(rk, 0, topic, &metadata, FIRST_LOOK_MS) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        count = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
        rd_kafka_metadata_destroy(metadata);
    }
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(rk);
    return count > 0 ? count : PARTITIONS_GUESS;
}

static int64_t clamp(int64_t value, int64_t least, int64_t most)
{
    return value < least ? least : value > most ? most : value;
}

rd_kafka_conf_t *consumer_conf(const struct config *config)
{
    char        kbytes[24], messages[24];
    int64_t     partitions = look_for_count(config);
    int64_t     share;
    const char *instance = config_text(config, "kafka.instance");
    /* A fetch that finds the buffer full is tried again a second later, so the buffer is to
     * hold more than a second's scans. */
    const struct rdkafka_setting defaults[] = {
        {"queued.max.messages.kbytes", kbytes},
        {"queued.min.messages", messages},
        {"fetch.message.max.bytes", "4194304"},
        {"fetch.wait.max.ms", "100"},
        {"partition.assignment.strategy", "range,roundrobin"},
        {NULL, NULL},
    };
    const struct rdkafka_setting fixed[] = {
        {"group.id", config_text(config, "kafka.group")},
        {"enable.auto.commit", "false"},
        {"enable.auto.offset.store", "false"},
        {"auto.offset.reset", "error"},
        {"enable.partition.eof", "true"},
        {instance[0] != '\0' ? "group.instance.id" : NULL, instance},
        {NULL, NULL},
    };

    if (partitions < 0)
        return NULL;
    share = config_bytes(config, "kafka.buffer") / partitions;
    (void)snprintf(kbytes, sizeof kbytes, "%" PRId64,
                   clamp(share / 1024, KBYTES_LEAST, KBYTES_MOST));
    (void)snprintf(messages, sizeof messages, "%" PRId64,
                   clamp(share / FETCHED_BYTES, MESSAGES_LEAST, MESSAGES_MOST));
    return rdkafka_conf_create(config, "consumer", defaults, fixed);
}
