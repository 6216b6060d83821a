/* check_kafka.c - are the brokers there, and each topic as it should be? */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/config.h"
#include "pipeline/error.h"
#include "stages/board.h"
#include "stages/command/check.h"
#include "stages/outlet/rdkafka_conf.h"

enum { WAIT_MS = 10000, ACTIVITY = 5 /* its row */, TOPICS_CHECKED = 6, TEXT_SIZE = 256 };

/* Before it librdkafka repeats a nonce, which Kafka 4 takes for a wrong password. */
#define SCRAM_VERSION 0x02060100

/* Why librdkafka could not connect, as it said last.  thread: check's own. */
struct trouble {
    rd_kafka_resp_err_t code;
    char                text[TEXT_SIZE];
};

/* Keys must stay in their partition as long as the topic lives: compacted ones are views. */
static const struct {
    const char *setting, *role;
    bool        compacted;
} roles[TOPICS_CHECKED] = {
    {"kafka.topics.scans", "scans", false},
    {"kafka.topics.alerts", "alerts", false},
    {"kafka.topics.etas", "ETAs", true},
    {"kafka.topics.dead_letters", "dead letters", false},
    {"kafka.topics.progress", "progress", true},
    {"kafka.topics.activity", "counts by the minute", false},
};

static const rd_kafka_metadata_topic_t *topic_of(const rd_kafka_metadata_t *metadata,
                                                 const char *name)
{
    for (int i = 0; i < metadata->topic_cnt; i++)
        if (strcmp(metadata->topics[i].topic, name) == 0)
            return &metadata->topics[i];
    return NULL;
}

/* Value of a topic's setting as the broker has it; "" = not told. */
static void ask_setting(rd_kafka_t *rk, const char *topic, const char *setting, char *value,
                        size_t size)
{
    rd_kafka_queue_t          *queue = rd_kafka_queue_new(rk);
    rd_kafka_ConfigResource_t *resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC,
                                                                      topic);
    size_t                     count = 0, entries = 0;

    value[0] = '\0';
    rd_kafka_DescribeConfigs(rk, &resource, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, WAIT_MS);
    const rd_kafka_DescribeConfigs_result_t *result =
        event != NULL ? rd_kafka_event_DescribeConfigs_result(event) : NULL;
    const rd_kafka_ConfigResource_t **resources =
        result != NULL ? rd_kafka_DescribeConfigs_result_resources(result, &count) : NULL;
    const rd_kafka_ConfigEntry_t **entry =
        count > 0 ? rd_kafka_ConfigResource_configs(resources[0], &entries) : NULL;

    for (size_t i = 0; i < entries; i++)
        if (strcmp(rd_kafka_ConfigEntry_name(entry[i]), setting) == 0
            && rd_kafka_ConfigEntry_value(entry[i]) != NULL)
            (void)snprintf(value, size, "%s", rd_kafka_ConfigEntry_value(entry[i]));
    if (event != NULL)
        rd_kafka_event_destroy(event);
    rd_kafka_ConfigResource_destroy(resource);
    rd_kafka_queue_destroy(queue);
}

/* What matters beyond that the topic is there: `noted` is what to add to the line.  False
 * and what to do about it in `fix`. */
static bool judge_settings(rd_kafka_t *rk, const char *name, int role, char *noted, char *fix)
{
    char value[64];

    noted[0] = '\0';
    if (role == 0) {
        ask_setting(rk, name, "message.timestamp.type", value, sizeof value);
        (void)snprintf(noted, TEXT_SIZE, "%s%s", *value != '\0' ? ", timestamps " : "", value);
        if (strcmp(value, "CreateTime") == 0)
            (void)snprintf(noted, TEXT_SIZE, ", timestamps CreateTime: deadlines then go by the "
                                             "producers' clocks; LogAppendTime is better");
        return true;
    }
    if (!roles[role].compacted)
        return true;
    ask_setting(rk, name, "cleanup.policy", value, sizeof value);
    if (*value == '\0' || strstr(value, "compact") != NULL)
        return true;
    (void)snprintf(noted, TEXT_SIZE, ", but cleanup.policy is %s", value);
    (void)snprintf(fix, TEXT_SIZE,
                   "kafka-configs.sh --alter --topic %s --add-config cleanup.policy=compact", name);
    return false;
}

/* Partitions, 0 = not usable. */
static int64_t check_topic(struct report *r, rd_kafka_t *rk, const rd_kafka_metadata_t *metadata,
                           const char *name, int role)
{
    const rd_kafka_metadata_topic_t *topic = topic_of(metadata, name);
    char                             what[TEXT_SIZE], fix[TEXT_SIZE], noted[TEXT_SIZE];

    (void)snprintf(what, sizeof what, "topic %s (%s)", name, roles[role].role);
    (void)snprintf(fix, sizeof fix,
                   "kafka-topics.sh --create --topic %s --partitions %s%s, or let this user "
                   "describe it", name, role == 0 ? "12" : "N",
                   roles[role].compacted ? " --config cleanup.policy=compact" : "");
    if (topic == NULL || topic->partition_cnt == 0) {
        report_failed(r, what, fix, "is not there, or may not be seen");
        return 0;
    }
    if (topic->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        report_failed(r, what, fix, "%s", rd_kafka_err2str(topic->err));
        return 0;
    }
    if (role == 0 && topic->partition_cnt > BOARD_PARTITIONS_MAX) {
        report_failed(r, what, "read a topic with fewer partitions", "%d partitions; at most %d",
                      topic->partition_cnt, BOARD_PARTITIONS_MAX);
        return 0;
    }
    if (!judge_settings(rk, name, role, noted, fix))
        report_failed(r, what, fix, "%d partitions%s", topic->partition_cnt, noted);
    else
        report_ok(r, what, "%d partitions%s", topic->partition_cnt, noted);
    return topic->partition_cnt;
}

/* May this user fetch and commit the group's offsets? */
static void check_group(struct report *r, const struct config *config)
{
    static const struct rdkafka_setting none[] = {{NULL, NULL}};
    const char *group = config_text(config, "kafka.group");
    const struct rdkafka_setting fixed[] = {{"group.id", group}, {NULL, NULL}};
    rd_kafka_conf_t *conf = rdkafka_conf_create(config, "consumer", none, fixed);
    rd_kafka_t      *rk = conf != NULL ? rdkafka_open(RD_KAFKA_CONSUMER, conf) : NULL;
    char             what[TEXT_SIZE];

    (void)snprintf(what, sizeof what, "group %s", group);
    if (rk == NULL) {
        report_failed(r, what, "correct the settings below rdkafka", "%s", error_text());
        error_clear();
        return;
    }
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

    rd_kafka_topic_partition_list_add(list, config_text(config, "kafka.topics.scans"), 0);
    rd_kafka_resp_err_t error = rd_kafka_committed(rk, list, WAIT_MS);

    if (error == RD_KAFKA_RESP_ERR_NO_ERROR)
        error = list->elems[0].err;
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR)
        report_ok(r, what, "its offsets may be read");
    else /* whoever may not use a group is asked to wait for its coordinator, for ever */
        report_failed(r, what, "let this user Read and Describe it, or set kafka.group",
                      "its offsets may not be read: %s", rd_kafka_err2str(error));
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(rk);
}

static void on_error(rd_kafka_t *rk, int code, const char *text, void *self)
{
    struct trouble *trouble = self;

    (void)rk;
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        return;
    trouble->code = code;
    (void)snprintf(trouble->text, sizeof trouble->text, "%s", text);
}

/* What to do about a connection that does not come about. */
static const char *remedy(const struct config *config, const struct trouble *trouble)
{
    static const char *const mechanisms[] = {"rdkafka.sasl.mechanism", "rdkafka.sasl.mechanisms"};

    if (trouble->code == RD_KAFKA_RESP_ERR__SSL)
        return "set rdkafka.ssl.ca.location to who signed the brokers' certificates; where they "
               "want yours, ssl.certificate.location and ssl.key.location";
    if (trouble->code != RD_KAFKA_RESP_ERR__AUTHENTICATION)
        return "start it, or set kafka.brokers; for TLS and SASL set rdkafka.security."
               "protocol and what belongs to it";
    for (size_t i = 0; i < sizeof mechanisms / sizeof mechanisms[0]; i++)
        if (rd_kafka_version() < SCRAM_VERSION && config_given(config, mechanisms[i])
            && strncmp(config_text(config, mechanisms[i]), "SCRAM", 5) == 0)
            return "set rdkafka.sasl.username and sasl.password; and before librdkafka 2.6.1 SCRAM "
                   "does not work with Kafka 4: take a certificate, or Debian 13";
    return "set rdkafka.sasl.mechanism, sasl.username and sasl.password";
}

static int64_t check_topics(struct report *r, const struct config *config, rd_kafka_t *rk,
                            const struct trouble *trouble)
{
    const rd_kafka_metadata_t *metadata;
    const char                *brokers = config_text(config, "kafka.brokers");
    rd_kafka_resp_err_t        error = rd_kafka_metadata(rk, 1, NULL, &metadata, WAIT_MS);
    int64_t                    partitions = 0;

    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        (void)rd_kafka_poll(rk, 0);
        report_failed(r, "kafka", remedy(config, trouble), "no answer from %s: %s", brokers,
                      *trouble->text != '\0' ? trouble->text : rd_kafka_err2str(error));
        return 0;
    }
    report_ok(r, "kafka", "%d broker%s by way of %s", metadata->broker_cnt,
              metadata->broker_cnt == 1 ? "" : "s", brokers);
    for (int i = 0; i < TOPICS_CHECKED; i++) {
        if (i == ACTIVITY && !config_bool(config, "activity.enabled"))
            continue;
        int64_t count = check_topic(r, rk, metadata, config_text(config, roles[i].setting), i);

        partitions = i == 0 ? count : partitions;
    }
    rd_kafka_metadata_destroy(metadata);
    check_group(r, config);
    return partitions;
}

int64_t check_kafka(struct report *r, const struct config *config)
{
    static const struct rdkafka_setting none[] = {{NULL, NULL}};
    struct trouble   trouble = {.code = RD_KAFKA_RESP_ERR_NO_ERROR};
    rd_kafka_conf_t *conf = rdkafka_conf_create(config, "producer", none, none);

    if (conf != NULL) {
        rd_kafka_conf_set_opaque(conf, &trouble);
        rd_kafka_conf_set_error_cb(conf, on_error);
    }
    rd_kafka_t *rk = conf != NULL ? rdkafka_open(RD_KAFKA_PRODUCER, conf) : NULL;

    if (rk == NULL) {
        report_failed(r, "kafka", "correct the settings below rdkafka", "%s", error_text());
        error_clear();
        return 0;
    }
    int64_t partitions = check_topics(r, config, rk, &trouble);
    rd_kafka_destroy(rk);
    return partitions;
}
