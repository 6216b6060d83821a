/* incidents - what is wrong now: alerts folded by id, and up to when that is complete.
 *
 *     incidents BROKERS [ALERTS-TOPIC [PROGRESS-TOPIC]]
 *
 * incidents.py in C, with librdkafka and jansson:
 *     cc -o incidents incidents.c $(pkg-config --cflags --libs rdkafka jansson)
 * Reads both topics from their beginning to their present end and prints what is open.  After a
 * crash some alerts come again, with the same id and sequence: the highest (epoch, sequence)
 * of an id is what counts.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <librdkafka/rdkafka.h>

enum { WAIT_MS = 20000, ERROR_SIZE = 512 };

/* Called with each value of a topic.  owns: nothing. */
typedef void take(json_t *fold, json_t *value);

static const char *text(const json_t *value, const char *name)
{
    const char *found = json_string_value(json_object_get(value, name));

    return found != NULL ? found : "";
}

static json_int_t number(const json_t *value, const char *name)
{
    return json_integer_value(json_object_get(value, name));
}

/* Is a at or behind b, by epoch and then by the other member? */
static bool at_or_behind(const json_t *a, const json_t *b, const char *name)
{
    json_int_t before = number(a, "epoch"), now = number(b, "epoch");

    return before < now || (before == now && number(a, name) <= number(b, name));
}

/* ── The fold: values may come in any interleaving of partitions ──────────── */

/* alerts: id → its newest change */
static void take_alert(json_t *alerts, json_t *change)
{
    const char   *id = text(change, "id");
    const json_t *before = json_object_get(alerts, id);

    if (before == NULL || !at_or_behind(change, before, "sequence"))
        (void)json_object_set(alerts, id, change);
}

/* progress: partition → its newest report */
static void take_report(json_t *progress, json_t *report)
{
    char          partition[24];
    const json_t *before;

    (void)snprintf(partition, sizeof partition, "%lld", (long long)number(report, "partition"));
    before = json_object_get(progress, partition);
    if (before == NULL || at_or_behind(before, report, "offset"))
        (void)json_object_set(progress, partition, report);
}

/* Alerts are complete up to the slowest partition's clock; "None" = nobody said.  Times of one
 * form are ordered as their texts are. */
static const char *complete_to(json_t *progress)
{
    const char *least = NULL, *partition;
    json_t     *report;

    json_object_foreach(progress, partition, report) {
        const char *clock = text(report, "clock");

        if (least == NULL || strcmp(clock, least) < 0)
            least = clock;
    }
    return least != NULL ? least : "None";
}

static size_t print_open(json_t *alerts)
{
    const char *id;
    json_t     *alert;
    size_t      open = 0;

    json_object_foreach(alerts, id, alert) {
        if (strcmp(text(alert, "state"), "RESOLVED") == 0)
            continue;
        (void)printf("%-9s %-20s %s\n", text(alert, "severity"), text(alert, "parcel"),
                     text(alert, "text"));
        open++;
    }
    return open;
}

/* ── Kafka ────────────────────────────────────────────────────────────────── */

static void fail(const char *what, const char *why)
{
    (void)fprintf(stderr, "incidents: %s: %s\n", what, why);
    exit(1);
}

static rd_kafka_t *open_consumer(const char *brokers)
{
    static const char *const settings[][2] = {
        {"group.id", "incidents-example"}, {"enable.auto.commit", "false"},
        {"enable.partition.eof", "true"}};
    char             reason[ERROR_SIZE];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_res_t good = rd_kafka_conf_set(conf, "bootstrap.servers", brokers, reason,
                                                 sizeof reason);

    for (size_t i = 0; good == RD_KAFKA_CONF_OK && i < sizeof settings / sizeof settings[0]; i++)
        good = rd_kafka_conf_set(conf, settings[i][0], settings[i][1], reason, sizeof reason);
    if (good != RD_KAFKA_CONF_OK)
        fail("configuration", reason);
    rd_kafka_t *consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason, sizeof reason);

    if (consumer == NULL)
        fail("librdkafka", reason);
    return consumer;
}

/* All partitions from their beginning; how many there are. */
static int assign(rd_kafka_t *consumer, const char *topic)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t               *handle = rd_kafka_topic_new(consumer, topic, NULL);
    rd_kafka_resp_err_t error = rd_kafka_metadata(consumer, 0, handle, &metadata, WAIT_MS);

    if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
        fail(topic, rd_kafka_err2str(error));
    int count = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(count);

    for (int i = 0; i < count; i++)
        rd_kafka_topic_partition_list_add(list, topic, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
    error = count > 0 ? rd_kafka_assign(consumer, list) : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
        fail(topic, rd_kafka_err2str(error));
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(handle);
    return count;
}

static void take_value(const rd_kafka_message_t *message, take *each, json_t *fold)
{
    json_error_t why;
    json_t      *value = json_loadb(message->payload, message->len, 0, &why);

    if (value == NULL)
        fail("a message", why.text);
    each(fold, value);
    json_decref(value);
}

static void read_to_end(const char *brokers, const char *topic, take *each, json_t *fold)
{
    rd_kafka_t *consumer = open_consumer(brokers);

    for (int left = assign(consumer, topic); left > 0;) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, WAIT_MS);

        if (message == NULL)
            fail(topic, "no answer");
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
            left--; /* each partition says so once, as nobody waits for more */
        else if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
            fail(topic, rd_kafka_message_errstr(message));
        else if (message->payload != NULL)
            take_value(message, each, fold);
        rd_kafka_message_destroy(message);
    }
    (void)rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
}

int main(int argc, char **argv)
{
    json_t *alerts = json_object(), *progress = json_object();

    if (argc < 2) {
        (void)fprintf(stderr, "Usage: incidents BROKERS [ALERTS-TOPIC [PROGRESS-TOPIC]]\n");
        return 64;
    }
    read_to_end(argv[1], argc > 3 ? argv[3] : "progress", take_report, progress);
    read_to_end(argv[1], argc > 2 ? argv[2] : "alerts", take_alert, alerts);
    size_t open = print_open(alerts);

    (void)printf("%zu open of %zu, complete to %s\n", open, json_object_size(alerts),
                 complete_to(progress));
    json_decref(alerts);
    json_decref(progress);
    return 0;
}
