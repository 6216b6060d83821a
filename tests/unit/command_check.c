/* `peakline check`: its verdict, the addresses and files it looks at, the topics it misses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <sysexits.h>
#include <unistd.h>

#include "stages/command/command.h"
#include "stages/ports.h"

enum { WORDS_MAX = 24, SAID_MAX = 1 << 18 };

struct ports ports; /* the real ones come with the program */

static char said[SAID_MAX];   /* by the last check, on standard output and error */

/* The command's exit code; what it prints goes to `said`. */
static int check(const char *const *words)
{
    char *arguments[WORDS_MAX + 2] = {(char *)(uintptr_t)"check"};
    int   count = 1, kept[2] = {dup(STDOUT_FILENO), dup(STDERR_FILENO)};
    FILE *file = tmpfile();

    assert_non_null(file);
    while (words[count - 1] != NULL && count <= WORDS_MAX) {
        arguments[count] = strdup(words[count - 1]);
        count++;
    }
    (void)fflush(NULL);
    assert_true(dup2(fileno(file), STDOUT_FILENO) >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
    optind = 1;
    int code = command_check.run(count, arguments);

    (void)fflush(NULL);
    assert_true(dup2(kept[0], STDOUT_FILENO) >= 0 && dup2(kept[1], STDERR_FILENO) >= 0);
    rewind(file);
    said[fread(said, 1, sizeof said - 1, file)] = '\0';
    (void)fclose(file);
    for (int i = 0; i < 2; i++)
        assert_int_equal(close(kept[i]), 0);
    for (int i = 1; i < count; i++)
        free(arguments[i]);
    return code;
}

#define CHECK_WITH(...) check((const char *const[]){__VA_ARGS__, NULL})

/* It was said, and what else was is shown where not. */
static void says(const char *wanted)
{
    if (strstr(said, wanted) == NULL)
        fail_msg("not said: \"%s\" in:\n%s", wanted, strlen(said) > 4000
                 ? said + strlen(said) - 4000 : said);
}

/* The verdict is the last line, so that nobody has to read the rest to know it. */
static void ends_with(const char *wanted)
{
    size_t length = strlen(said), tail = strlen(wanted);

    says(wanted);
    assert_true(length > tail && strcmp(said + length - tail, wanted) == 0);
}

static void verdict(void **state)
{
    (void)state;
    assert_int_equal(CHECK_WITH("--set=log.level=warning"), 0);
    ends_with("\nnothing found that stands against `peakline run`; --connect asks the servers, "
              "too\n");
    assert_int_equal(CHECK_WITH("--set=reference.facilities=/nowhere/f.csv"), EX_CONFIG);
    says("FAILED  reference: ");
    says("/nowhere/f.csv");
    ends_with("\n1 FAILED: see above what to do\n");
    assert_int_equal(CHECK_WITH("--json", "--set=reference.facilities=/nowhere/f.csv"),
                     EX_CONFIG);
    ends_with("\"failures\":1}\n");
}

/* What `run` would refuse is refused before anything is asked. */
static void addresses(void **state)
{
    static const struct { const char *set, *wanted; } wrong[] = {
        {"--set=redis.address=localhost", "redis.address: found \"localhost\", accepted is host:p"},
        {"--set=redis.address=a:1,b:2", "redis.mode single is one host:port"},
        {"--set=kafka.brokers=", "kafka.brokers: found nothing, accepted is host:port"},
        {"--set=http.listen=here", "http.listen: found"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(CHECK_WITH(wrong[i].set), EX_CONFIG);
        says(wrong[i].wanted);
        assert_null(strstr(said, "nothing found"));
    }
}

static void priors(void **state)
{
    static const struct { const char *text; int code; const char *wanted; } files[] = {
        {"peakline-priors 1\n", 0, "ok      models: begin with 0 cells of "},
        {"not that\n", EX_CONFIG, ":1: not a file that `peakline learn` made"},
        {"peakline-priors 1\nx zz\n", EX_CONFIG, ":2: accepted is FIELD and bytes in hex"},
    };
    char path[] = "/tmp/peakline-priors-XXXXXX", setting[80];
    int  fd = mkstemp(path);

    (void)state;
    (void)snprintf(setting, sizeof setting, "--set=model.priors=%s", path);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_true(pwrite(fd, files[i].text, strlen(files[i].text), 0) > 0);
        assert_int_equal(CHECK_WITH(setting), files[i].code);
        says(files[i].wanted);
        says(path);
        if (files[i].code != 0)
            says("command line: model.priors: ");
    }
    assert_int_equal(close(fd), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(CHECK_WITH(setting), EX_CONFIG);
    says("No such file or directory");
    ends_with("\n1 FAILED: see above what to do\n");
}

/* A broker that has the scans and the alerts, and lacks the rest; a Redis that is away. */
static void missing(void **state)
{
    char                     text[256], brokers[200];
    rd_kafka_t              *client = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), text,
                                                   sizeof text);
    rd_kafka_mock_cluster_t *mock = rd_kafka_mock_cluster_new(client, 1);

    (void)state;
    assert_non_null(mock);
    assert_int_equal(rd_kafka_mock_topic_create(mock, "scans", 3, 1), 0);
    assert_int_equal(rd_kafka_mock_topic_create(mock, "alerts", 3, 1), 0);
    (void)snprintf(brokers, sizeof brokers, "--set=kafka.brokers=%s",
                   rd_kafka_mock_cluster_bootstraps(mock));
    assert_int_equal(CHECK_WITH("--connect", brokers, "--set=redis.address=127.0.0.1:1"),
                     EX_UNAVAILABLE);
    says("ok      topic scans (scans): 3 partitions");
    says("ok      topic alerts (alerts): 3 partitions");
    says("FAILED  topic etas (ETAs): is not there, or may not be seen");
    says("kafka-topics.sh --create --topic etas --partitions N --config cleanup.policy=compact");
    says("FAILED  topic dead-letters (dead letters): is not there");
    says("FAILED  topic progress (progress): is not there");
    says("FAILED  redis: connect to 127.0.0.1:1: Connection refused");
    ends_with("\n4 FAILED: see above what to do\n");
    rd_kafka_mock_cluster_destroy(mock);
    rd_kafka_destroy(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(verdict), cmocka_unit_test(addresses),
                                       cmocka_unit_test(priors), cmocka_unit_test(missing)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
