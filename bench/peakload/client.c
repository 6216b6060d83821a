/* client.c - configuration, errors and questions common to producers and consumers. */
#include "bench/peakload/client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/peakload/say.h"

static void on_error(rd_kafka_t *kafka, int code, const char *reason, void *opaque)
{
    struct client *c = opaque;
    char text[256];

    if (code == RD_KAFKA_RESP_ERR__FATAL) {
        c->fatal = true;
        code = (int)rd_kafka_fatal_error(kafka, text, sizeof text);
        say("fatal: %s: %s", rd_kafka_err2name((rd_kafka_resp_err_t)code), text);
    } else if (code != c->error) {    /* once, not at every attempt to reconnect */
        c->error = code;
        say("%s", reason);
    }
}

static int configure(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[256];

    if (rd_kafka_conf_set(conf, name, value, text, sizeof text) != RD_KAFKA_CONF_OK)
        return say("librdkafka: %s=%s: %s", name, value, text);
    return 0;
}

static int configure_all(rd_kafka_conf_t *conf, const struct output *o, rd_kafka_type_t type,
                         const struct client_default *defaults, size_t count)
{
    enum scope other = type == RD_KAFKA_PRODUCER ? SCOPE_CONSUMER : SCOPE_PRODUCER;
    int bad = 0;

    bad |= configure(conf, "client.id", "peakload");
    bad |= configure(conf, "log_level", "2");
    bad |= configure(conf, "socket.nagle.disable", "true");
    for (size_t i = 0; i < count; i++)
        bad |= configure(conf, defaults[i].name, defaults[i].value);
    bad |= configure(conf, "bootstrap.servers", o->brokers);
    for (int i = 0; i < o->settings; i++)
        if (o->setting[i].scope != other)
            bad |= configure(conf, o->setting[i].name, o->setting[i].value);
    return bad;
}

int client_open(struct client *c, const struct output *o, rd_kafka_type_t type,
                const struct client_default *defaults, size_t count,
                void (*on_report)(rd_kafka_t *, const rd_kafka_message_t *, void *))
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char text[512];

    if (configure_all(conf, o, type, defaults, count) != 0) {
        rd_kafka_conf_destroy(conf);
        return -1;
    }
    if (on_report != NULL)
        rd_kafka_conf_set_dr_msg_cb(conf, on_report);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_opaque(conf, c);
    c->kafka = rd_kafka_new(type, conf, text, sizeof text);
    if (c->kafka == NULL) {
        rd_kafka_conf_destroy(conf);
        return say("librdkafka: %s", text);
    }
    return 0;
}

int32_t client_partitions(struct client *c, const char *topic)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *handle = must(rd_kafka_topic_new(c->kafka, topic, NULL));
    rd_kafka_resp_err_t error = rd_kafka_metadata(c->kafka, 0, handle, &metadata, CLIENT_MS);
    int32_t count = 0;

    rd_kafka_topic_destroy(handle);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
        return say("topic %s: %s", topic, rd_kafka_err2str(error));
    error = metadata->topic_cnt == 1 ? metadata->topics[0].err
                                     : RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR)
        count = metadata->topics[0].partition_cnt;
    rd_kafka_metadata_destroy(metadata);
    return count > 0 ? count : say("topic %s: %s", topic, rd_kafka_err2str(error));
}

static const char *entry_value(const rd_kafka_ConfigResource_t *resource, const char *name)
{
    size_t count;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &count);

    for (size_t i = 0; i < count; i++)
        if (strcmp(rd_kafka_ConfigEntry_name(entries[i]), name) == 0)
            return rd_kafka_ConfigEntry_value(entries[i]);
    return NULL;
}

/* 0, or -1 having said why. */
static int read_retention(rd_kafka_event_t *event, const char *topic, int64_t *ms, bool *stamps)
{
    const rd_kafka_ConfigResource_t **resources;
    const char *kept, *type, *policy;
    size_t count = 0;

    if (event == NULL || rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return say("topic %s: its retention cannot be read: %s", topic,
                   event == NULL ? "no answer" : rd_kafka_event_error_string(event));
    resources = rd_kafka_DescribeConfigs_result_resources(
        rd_kafka_event_DescribeConfigs_result(event), &count);
    if (count != 1 || rd_kafka_ConfigResource_error(resources[0]) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return say("topic %s: its retention cannot be read: %s", topic,
                   count == 1 ? rd_kafka_ConfigResource_error_string(resources[0]) : "no answer");
    kept = entry_value(resources[0], "retention.ms");
    type = entry_value(resources[0], "message.timestamp.type");
    policy = entry_value(resources[0], "cleanup.policy");
    if (kept == NULL)
        return say("topic %s: the broker does not tell its retention.ms", topic);
    *ms = strtoll(kept, NULL, 10);
    if (*ms < 0 || (policy != NULL && strstr(policy, "delete") == NULL))
        *ms = INT64_MAX;
    *stamps = type == NULL || strcmp(type, "LogAppendTime") != 0;
    return 0;
}

int client_retention(struct client *c, const char *topic, int64_t *ms, bool *stamps)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(c->kafka);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(c->kafka, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_ConfigResource_t *resource =
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    rd_kafka_event_t *event;
    int result;

    rd_kafka_AdminOptions_set_request_timeout(options, CLIENT_MS, NULL, 0);
    rd_kafka_DescribeConfigs(c->kafka, &resource, 1, options, queue);
    event = rd_kafka_queue_poll(queue, CLIENT_MS + 1000);
    result = read_retention(event, topic, ms, stamps);
    if (event != NULL)
        rd_kafka_event_destroy(event);
    rd_kafka_ConfigResource_destroy(resource);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(queue);
    return result;
}

void client_close(struct client *c)
{
    if (c->kafka != NULL)
        rd_kafka_destroy(c->kafka);
    c->kafka = NULL;
}
