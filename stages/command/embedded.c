/* embedded.c - a Kafka broker and a Redis server of the demo's own. */
#include "stages/command/embedded.h"

#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pipeline/error.h"

enum { READY_MS = 5000, POLL_MS = 20, PATH_SIZE = 512 };

static const char *const topics[] = {"scans", "alerts", "etas", "dead-letters", "progress"};

/* ── Redis ────────────────────────────────────────────────────────────────── */

static int redis_start(struct embedded *e)
{
    char socket[112], log[PATH_SIZE];
    struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};
    struct stat there;
    int status;

    snprintf(socket, sizeof socket, "%s/redis.sock", e->folder);
    snprintf(log, sizeof log, "%s/redis.log", e->folder);
    const char *const argv[] = {"redis-server", "--port", "0", "--unixsocket", socket,
                                "--save", "", "--appendonly", "no", "--dir", e->folder,
                                "--maxmemory-policy", "noeviction", NULL};

    snprintf(e->redis, sizeof e->redis, "unix:%s", socket);
    if (child_start(&e->redis_server, argv, log) != 0)
        return -1;
    for (int waited = 0; waited < READY_MS; waited += POLL_MS) {
        if (stat(socket, &there) == 0)
            return 0;
        if (child_ended(&e->redis_server, &status))
            return error_set("redis-server ended at once; is the package redis-server installed? "
                             "see %s", log);
        nanosleep(&pause, NULL);
    }
    return error_set("redis-server is not ready after %d s; see %s", READY_MS / 1000, log);
}

/* ── Kafka, as librdkafka's mock cluster ──────────────────────────────────── */

static int mock_start(struct embedded *e, int partitions)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    rd_kafka_conf_set(conf, "log_level", "3", NULL, 0);   /* that it has no broker is known */
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);

    if (client == NULL)
        return error_set("librdkafka: %s", text);
    e->mock_client = client;
    rd_kafka_mock_cluster_t *mock = rd_kafka_mock_cluster_new(client, 1);

    if (mock == NULL)
        return error_set("librdkafka's mock cluster does not start");
    e->mock = mock;
    for (size_t i = 0; i < sizeof topics / sizeof topics[0]; i++)
        if (rd_kafka_mock_topic_create(mock, topics[i], partitions, 1) != 0)
            return error_set("mock cluster: topic %s is refused", topics[i]);
    snprintf(e->brokers, sizeof e->brokers, "%s", rd_kafka_mock_cluster_bootstraps(mock));
    return 0;
}

/* ── Apache Kafka, by the start script ────────────────────────────────────── */

static int script(const char *verb, struct embedded *e, int partitions)
{
    char folder[PATH_SIZE], log[PATH_SIZE], wanted[5][48];
    const char *argv[16] = {"deploy/services/kafka", verb, folder};
    int count = 3, status = 0;
    struct child child;
    struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};

    snprintf(folder, sizeof folder, "%s/kafka", e->folder);
    snprintf(log, sizeof log, "%s/kafka.out", e->folder);
    for (size_t i = 0; strcmp(verb, "start") == 0 && i < 5; i++) {
        snprintf(wanted[i], sizeof wanted[i], "%s:%d", topics[i], partitions);
        argv[count++] = "--topic";
        argv[count++] = wanted[i];
    }
    argv[count] = NULL;
    if (child_start(&child, argv, log) != 0)
        return -1;
    while (!child_ended(&child, &status))
        nanosleep(&pause, NULL);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return error_set("deploy/services/kafka %s failed (run it from the repository's folder); "
                         "see %s", verb, log);
    return 0;
}

/* The script has written "broker=HOST:PORT …" into its answer. */
static int kafka_start(struct embedded *e, int partitions)
{
    char log[PATH_SIZE], line[256];

    e->real_kafka = true;
    if (script("start", e, partitions) != 0)
        return -1;
    snprintf(log, sizeof log, "%s/kafka.out", e->folder);
    FILE *file = fopen(log, "r");

    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        const char *at = strstr(line, "broker=");

        if (at != NULL)
            snprintf(e->brokers, sizeof e->brokers, "%.*s", (int)strcspn(at + 7, " \r\n"), at + 7);
    }
    if (file != NULL)
        fclose(file);
    return e->brokers[0] != '\0' ? 0 : error_set("deploy/services/kafka named no broker");
}

/* ── Both ─────────────────────────────────────────────────────────────────── */

static int remove_folder(const char *folder)
{
    const char *const argv[] = {"rm", "-rf", folder, NULL};
    struct child child;
    int status = 0;

    if (child_start(&child, argv, "/dev/null") != 0)
        return -1;
    waitpid(child.pid, &status, 0);
    return status;
}

int embedded_start(struct embedded *e, bool kafka, int partitions)
{
    *e = (struct embedded){.folder = "/tmp/peakline-demo-XXXXXX"};
    if (mkdtemp(e->folder) == NULL)
        return error_set("cannot make a folder in /tmp: %s", strerror(errno));
    if (redis_start(e) == 0 &&
        (kafka ? kafka_start(e, partitions) : mock_start(e, partitions)) == 0)
        return 0;
    child_stop(&e->redis_server);   /* the folder stays: its logs say why */
    return -1;
}

void embedded_stop(struct embedded *e)
{
    if (e->mock != NULL)
        rd_kafka_mock_cluster_destroy(e->mock);
    if (e->mock_client != NULL)
        rd_kafka_destroy(e->mock_client);
    if (e->real_kafka)
        script("stop", e, 0);
    child_stop(&e->redis_server);
    remove_folder(e->folder);
}
