/* Configuration: what is accepted, what is said of the rest, and that print reads back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "pipeline/config.h"
#include "pipeline/error.h"

static const struct config_row rows[] = {
    {.path = "kafka.brokers", .kind = CONFIG_TEXT, .help = "Where Kafka listens."},
    {.path = "kafka.partitioner", .kind = CONFIG_CHOICE, .fallback = "murmur2",
     .choices = "murmur2|any", .help = "How keys find their partition."},
    {.path = "checkpoint.interval", .kind = CONFIG_DURATION, .fallback = "1s", .least = 10,
     .most = 60000, .help = "How often state is written."},
    {.path = "checkpoint.batch", .kind = CONFIG_BYTES, .fallback = "64KiB", .least = 1024,
     .most = 1 << 30},
    {.path = "workers", .kind = CONFIG_INTEGER, .fallback = "2", .least = 1, .most = 16},
    {.path = "eta.weight", .kind = CONFIG_REAL, .fallback = "0.25", .least = 0, .most = 1},
    {.path = "redis.password", .kind = CONFIG_TEXT, .fallback = "", .environment = true,
     .secret = true},
    {.path = "redis.url", .kind = CONFIG_TEXT, .fallback = "redis://localhost",
     .environment = true},
    {.path = "redis.tls", .kind = CONFIG_BOOL, .fallback = "false"},
    {.path = "limits.far", .kind = CONFIG_DURATION, .fallback = "10d"},
    {.path = "limits.negative", .kind = CONFIG_INTEGER, .fallback = "-5"},
    {.path = "services.*.promise", .kind = CONFIG_DURATION},
    {.path = "services.*.detectors.*.enabled", .kind = CONFIG_BOOL, .fallback = "true"},
    {.path = "rdkafka.*", .kind = CONFIG_TEXT, .help = "Handed to librdkafka as it is."},
};

static char file_name[] = "/tmp/peakline_config_XXXXXX";

static int make_file(void **state)
{
    int file = mkstemp(file_name);

    (void)state;
    return file < 0 || close(file) != 0;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(file_name);
}

static void write_bytes(const char *bytes, size_t length)
{
    FILE *file = fopen(file_name, "we");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static struct config *create(void)
{
    return config_create(rows, sizeof rows / sizeof rows[0]);
}

/* Reads text as a file; NULL, with the trail, when it is refused. */
static struct config *read_text(const char *text)
{
    struct config *config = create();

    write_bytes(text, strlen(text));
    error_clear();
    if (config_read(config, file_name) == 0 && config_finish(config) == 0)
        return config;
    config_destroy(config);
    return NULL;
}

static void defaults_apply(void **state)
{
    struct config *config = read_text("kafka: {brokers: a:9092}\n");

    (void)state;
    assert_non_null(config);
    assert_string_equal(config_text(config, "kafka.brokers"), "a:9092");
    assert_string_equal(config_text(config, "kafka.partitioner"), "murmur2");
    assert_int_equal(config_ms(config, "checkpoint.interval"), 1000);
    assert_int_equal(config_bytes(config, "checkpoint.batch"), 65536);
    assert_int_equal(config_integer(config, "workers"), 2);
    assert_true(config_real(config, "eta.weight") == 0.25);
    assert_string_equal(config_text(config, "redis.password"), "");
    assert_false(config_bool(config, "redis.tls"));
    assert_int_equal(config_ms(config, "limits.far"), 864000000);
    assert_int_equal(config_integer(config, "limits.negative"), -5);
    assert_true(config_bool(config, "services.any.detectors.stuck.enabled"));
    assert_string_equal(config_text(config, "rdkafka.client.id"), "");
    assert_true(config_given(config, "kafka.brokers"));
    assert_false(config_given(config, "workers"));
    config_destroy(config);
    config_destroy(NULL);
}

static void collect(void *self, const char *rest, const char *value)
{
    char *text = self;

    (void)snprintf(text + strlen(text), 512 - strlen(text), "%s=%s;", rest, value);
}

static void given_values(void **state)
{
    char           text[512] = "";
    struct config *config = read_text("# a comment\n"
                                      "kafka:\n"
                                      "  brokers: [a:1, 'b:2', \"c:3\"]\n"
                                      "  partitioner: any\n"
                                      "checkpoint:\n"
                                      "  interval: 250ms\n"
                                      "  batch: 2MiB\n"
                                      "workers: 16\n"
                                      "eta.weight: 1e-2\n"
                                      "redis:\n"
                                      "limits: {}\n"
                                      "services:\n"
                                      "  express:\n"
                                      "    promise: 12h\n"
                                      "    detectors:\n"
                                      "      stuck: {enabled: false}\n"
                                      "rdkafka:\n"
                                      "  socket.timeout.ms: 5000\n"
                                      "  client: {id: me}\n");

    (void)state;
    assert_non_null(config);
    assert_string_equal(config_text(config, "kafka.brokers"), "a:1,b:2,c:3");
    assert_string_equal(config_text(config, "kafka.partitioner"), "any");
    assert_int_equal(config_ms(config, "checkpoint.interval"), 250);
    assert_int_equal(config_bytes(config, "checkpoint.batch"), 2 << 20);
    assert_int_equal(config_integer(config, "workers"), 16);
    assert_true(config_real(config, "workers") == 16.0);
    assert_true(config_real(config, "eta.weight") == 0.01);
    assert_int_equal(config_ms(config, "services.express.promise"), 43200000);
    assert_false(config_bool(config, "services.express.detectors.stuck.enabled"));
    assert_true(config_bool(config, "services.express.detectors.misrouted.enabled"));
    assert_string_equal(config_text(config, "rdkafka.socket.timeout.ms"), "5000");
    config_each(config, "rdkafka", collect, text);
    assert_string_equal(text, "socket.timeout.ms=5000;client.id=me;");
    text[0] = '\0';
    config_each(config, "services", collect, text);
    assert_string_equal(text, "express.promise=12h;express.detectors.stuck.enabled=false;");
    config_destroy(config);
}

struct refusal {
    const char *text;
    const char *said; /* after the file's name */
};

static const struct refusal refusals[] = {
    {"workers: 1\n", ": kafka.brokers: found nothing, accepted is text"},
    {"kafka: {brokers: a}\nworkers: 17\n",
     ":2: workers: found \"17\", accepted is a whole number from 1 to 16"},
    {"workers: 2.5\n", ":1: workers: found \"2.5\", accepted is a whole number from 1 to 16"},
    {"workers: 99999999999999999999\n", ":1: workers: found \"99999999999999999999\", accepted"},
    {"\ncheckpoint:\n  interval: 5\n",
     ":3: checkpoint.interval: found \"5\", accepted is a duration like 250ms, 1s, 30min, 12h or "
     "10d from 10ms to 1min"},
    {"checkpoint: {interval: 2min}\n", ":1: checkpoint.interval: found \"2min\", accepted"},
    {"checkpoint: {interval: 1 s}\n", ":1: checkpoint.interval: found \"1 s\", accepted"},
    {"checkpoint: {batch: 64KB}\n",
     ":1: checkpoint.batch: found \"64KB\", accepted is a size like 64KiB, 512MiB or 2GiB from "
     "1KiB to 1GiB"},
    {"limits: {far: 9223372036854775807d}\n", ":1: limits.far: found"},
    {"eta: {weight: nan}\n", ":1: eta.weight: found \"nan\", accepted is a number from 0 to 1"},
    {"redis: {tls: yes}\n", ":1: redis.tls: found \"yes\", accepted is true or false"},
    {"kafka: {partitioner: murmur}\n",
     ":1: kafka.partitioner: found \"murmur\", accepted is one of murmur2|any"},
    {"kafka:\n  broker: a\n",
     ":2: kafka.broker: found no such setting, nearest is kafka.brokers"},
    {"services: {slow: {detector: {stuck: {enabled: true}}}}\n",
     ":1: services.slow.detector: found no such section, nearest is services.slow.detectors"},
    {"rdkafk: {a.b: c}\n", ":1: rdkafk: found no such section, nearest is rdkafka"},
    {"kafak:\n  brokers: a\n", ":1: kafak: found no such section, nearest is kafka"},
    {"nothing: {}\n", ":1: nothing: found no such section, nearest is "},
    {"kafka: here\n",
     ":1: kafka: found \"here\", accepted are settings below it, such as kafka.brokers"},
    {"kafka:\n  brokers:\n    host: a\n",
     ":2: kafka.brokers: found settings below it, accepted is text"},
    {"workers: 1\nworkers: 2\n", ":2: workers: found a second time, it is in line 1 already"},
    {"kafka: {brokers: a}\nkafka.brokers: b\n",
     ":2: kafka.brokers: found a second time, it is in line 1 already"},
    {"kafka: {brokers: a}\nkafka: {partitioner: any}\n", ":2: kafka: found a second time"},
    {"kafka: {brokers: [[a]]}\n", ":1: kafka.brokers: found a list of more than plain texts"},
    {"kafka: {brokers: ['a,b']}\n", ":1: kafka.brokers: found a list of more than plain texts"},
    {"workers: [1]\n", ":1: workers: found a list, accepted is a whole number from 1 to 16"},
    {"redis: {url: '${PEAKLINE_NOT_SET}'}\n",
     ":1: redis.url: the environment variable PEAKLINE_NOT_SET is not set"},
    {"kafka: {brokers: &x a}\nredis: {url: *x}\n", ":2: redis.url: found an alias"},
    {"- a\n", ":1: found no mapping"},
    {"just text\n", ":1: found no mapping"},
    {"kafka: {brokers: a}\n---\nworkers: 1\n", ":2: found a second document"},
    {"kafka: {brokers: a\n", ": not YAML: "},
    {"rdkafka: {b: {c: {d: {e: {f: {g: {h: {i: {j: {k: {l: {m: {n: {o: {p: {q: 1}}}}}}}}}}}}}}}}\n",
     "found more than 16 levels"},
    {"? [a]\n: b\n", "found a key that is no text"},
    {"'': b\n", "found a key that is no text, or empty"},
    {"kafka: {brokers: \"a\\0b\"}\n", "found a value with a NUL in it"},
    {"kafka: {brokers: a}\nservices: {slow: {detectors: {stuck: {enabled: true}}}}\n",
     ": services.slow.promise: found nothing, accepted is a duration"},
    {"\"a\\x01b\": 1\n", "found a path with control characters"},
};

static void refused_with_file_line_and_path(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        struct config *config = read_text(refusals[i].text);

        if (config != NULL || strstr(error_text(), refusals[i].said) == NULL
            || strstr(error_text(), file_name) != error_text())
            print_message("given %s  said %s\n", refusals[i].text,
                          config != NULL ? "nothing" : error_text());
        assert_null(config);
        assert_ptr_equal(strstr(error_text(), file_name), error_text());
        assert_non_null(strstr(error_text(), refusals[i].said));
    }
    struct config *config = create();
    assert_int_equal(config_read(config, "/nowhere/peakline.yaml"), -1);
    assert_string_equal(error_text(), "/nowhere/peakline.yaml: No such file or directory");
    config_destroy(config);
}

static void a_secret_is_never_shown(void **state)
{
    static const struct config_row secret[] = {
        {.path = "pin", .kind = CONFIG_INTEGER, .fallback = "0", .secret = true},
    };
    struct config *config = config_create(secret, 1);

    (void)state;
    write_bytes("pin: hunter2\n", 13);
    assert_int_equal(config_read(config, file_name), -1);
    assert_null(strstr(error_text(), "hunter2"));
    config_destroy(config);
}

/* In the list of processes a secret would be for all to read. */
static void no_secret_on_the_command_line(void **state)
{
    struct config *config = create();

    (void)state;
    assert_int_equal(setenv("PEAKLINE_TEST", "hunter2", 1), 0);
    assert_int_equal(config_set(config, "redis.password=hunter2"), -1);
    assert_non_null(strstr(error_text(), "command line: redis.password: found a secret"));
    assert_null(strstr(error_text(), "hunter2"));
    assert_int_equal(config_set(config, "rdkafka.sasl.password=hunter2"), -1);
    assert_int_equal(config_set(config, "redis.password=x${PEAKLINE_TEST}"), -1);
    assert_int_equal(config_set(config, "redis.password=${PEAKLINE_TEST}"), 0);
    assert_int_equal(config_set(config, "kafka.brokers=a"), 0);
    assert_int_equal(config_finish(config), 0);
    assert_string_equal(config_text(config, "redis.password"), "hunter2");
    config_destroy(config);
}

/* What only the product can judge is told as the file's own mistakes are. */
static void blamed_where_it_was_given(void **state)
{
    struct config *config = read_text("kafka:\n  brokers: a\n");
    char           said[128];

    (void)state;
    assert_non_null(config);
    (void)error_set("found a, accepted is b");
    assert_int_equal(config_blame(config, "kafka.brokers"), -1);
    (void)snprintf(said, sizeof said, "%s:2: kafka.brokers: found a, accepted is b", file_name);
    assert_string_equal(error_text(), said);
    (void)error_set("found 2");
    assert_int_equal(config_blame(config, "workers"), -1);
    assert_string_equal(error_text(), "by default: workers: found 2");
    config_destroy(config);
}

static void command_line_wins(void **state)
{
    struct config *config = create();

    (void)state;
    write_bytes("kafka: {brokers: a}\nworkers: 3\n", 31);
    assert_int_equal(config_set(config, "workers=5"), 0);
    assert_int_equal(config_read(config, file_name), 0);
    assert_int_equal(config_set(config, "kafka.brokers=x=y"), 0);
    assert_int_equal(config_set(config, "workers"), -1);
    assert_int_equal(config_set(config, "=1"), -1);
    assert_int_equal(config_set(config, "wokers=1"), -1);
    assert_string_equal(error_text(),
                        "command line: wokers: found no such setting, nearest is workers");
    assert_int_equal(config_set(config, "redis.url=\xFF"), -1);
    assert_int_equal(config_finish(config), 0);
    assert_int_equal(config_integer(config, "workers"), 5);
    assert_string_equal(config_text(config, "kafka.brokers"), "x=y");
    config_destroy(config);
}

static void variables_only_where_declared(void **state)
{
    (void)state;
    assert_int_equal(setenv("PEAKLINE_TEST", "s3cret", 1), 0);
    struct config *config = read_text("kafka: {brokers: '${PEAKLINE_TEST}'}\n"
                                      "redis: {password: '${PEAKLINE_TEST}!'}\n");
    assert_non_null(config);
    assert_string_equal(config_text(config, "kafka.brokers"), "${PEAKLINE_TEST}");
    assert_string_equal(config_text(config, "redis.password"), "s3cret!");
    config_destroy(config);
}

static char *print(const struct config *config)
{
    char  *text = NULL;
    size_t size = 0;
    FILE  *file = open_memstream(&text, &size);

    assert_non_null(file);
    config_print(config, file);
    assert_int_equal(fclose(file), 0);
    return text;
}

static void prints_what_reads_back(void **state)
{
    struct config *config = read_text(
        "redis: {url: \"a \\\"b\\\" \\\\ \\n\\t \\x07 \\x85 \\u2028 \\uFEFF Zürich 東京 📦 # :\"}\n"
        "kafka: {brokers: [' a', 'b ', '- c', '{', '%', '@', 'null', '~']}\n"
        "services:\n"
        "  'a b': {promise: 1h, detectors: {'x: y': {enabled: false}}}\n"
        "  z: {promise: 1h}\n"
        "  '-': {promise: 2h}\n"
        "rdkafka: {socket.timeout: '5', socket.timeout.ms: '', '#': x, '.a': b}\n"
        "eta: {weight: 1e-1}\n");

    (void)state;
    assert_non_null(config);
    char *first = print(config);
    assert_non_null(strstr(first, "checkpoint:\n  # How often state is written.\n"
                                  "  interval: 1s\n"));
    struct config *again = read_text(first);
    if (again == NULL)
        print_message("%s\n%s\n", error_text(), first);
    assert_non_null(again);
    char *second = print(again);
    assert_string_equal(first, second);
    assert_true(config_hash(config, NULL) == config_hash(again, NULL));
    assert_string_equal(config_text(config, "redis.url"), config_text(again, "redis.url"));
    assert_string_equal(config_text(config, "kafka.brokers"),
                        config_text(again, "kafka.brokers"));
    free(first);
    free(second);
    config_destroy(config);
    config_destroy(again);
    config = read_text("kafka: {brokers: a}\nredis: {password: hush}\n");
    first = print(config);
    assert_null(strstr(first, "hush"));
    assert_non_null(strstr(first, "password: \"***\"\n"));
    free(first);
    config_destroy(config);
}

static uint64_t hash_of(const char *text, const char *const *except)
{
    struct config *config = read_text(text);

    assert_non_null(config);
    uint64_t hash = config_hash(config, except);
    config_destroy(config);
    return hash;
}

static void hashes(void **state)
{
    const char *const but_rdkafka[] = {"rdkafka", "workers", NULL};
    uint64_t          plain = hash_of("kafka: {brokers: a}\n", NULL);

    (void)state;
    /* How and where a value was written makes no difference; defaults count. */
    assert_true(plain == hash_of("checkpoint: {interval: 1000ms}\nkafka.brokers: a\n", NULL));
    assert_true(plain == hash_of("checkpoint: {batch: 65536B}\nkafka.brokers: a\n", NULL));
    assert_true(plain == hash_of("eta: {weight: 25e-2}\nkafka.brokers: a\n", NULL));
    assert_true(plain != hash_of("kafka: {brokers: b}\n", NULL));
    assert_true(plain != hash_of("kafka: {brokers: a}\nrdkafka: {x: y}\n", NULL));
    assert_true(hash_of("kafka: {brokers: a}\n", but_rdkafka)
                == hash_of("kafka: {brokers: a}\nrdkafka: {x: y}\nworkers: 7\n", but_rdkafka));
    /* The same on every machine: state written by one is read by another. */
    assert_true(plain == 0x520b07703052512cu);
}

static void empty_files(void **state)
{
    const char *const texts[] = {"", "\n", "# only a comment\n", "---\n", "{}\n", "~\n"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct config *config = create();

        write_bytes(texts[i], strlen(texts[i]));
        assert_int_equal(config_read(config, file_name), i < 5 ? 0 : -1);
        config_destroy(config);
    }
}

/* Whatever the bytes: refused with a reason, or read and printed so that it reads back. */
static void random_bytes(void **state)
{
    static const char alphabet[] = "kafka:brokers{}[],'\"\\ \n\t#&*!|>%@-?~a.b1ms\xC3\xA4\x80\x01";
    uint64_t          random_state = 1;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        char   text[128] = "kafka.brokers: ";
        size_t length = strlen(text);

        while (length < sizeof text - 1) {
            random_state = random_state * 6364136223846793005u + 1442695040888963407u;
            if (random_state >> 60 == 0)
                break;
            text[length++] = alphabet[(random_state >> 33) % (sizeof alphabet - 1)];
        }
        text[length] = '\0';
        struct config *config = read_text(text);
        if (config == NULL) {
            assert_true(strlen(error_text()) > 0);
            continue;
        }
        char          *first = print(config);
        struct config *again = read_text(first);
        assert_non_null(again);
        assert_true(config_hash(config, NULL) == config_hash(again, NULL));
        free(first);
        config_destroy(config);
        config_destroy(again);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_apply),
        cmocka_unit_test(given_values),
        cmocka_unit_test(refused_with_file_line_and_path),
        cmocka_unit_test(a_secret_is_never_shown),
        cmocka_unit_test(no_secret_on_the_command_line),
        cmocka_unit_test(blamed_where_it_was_given),
        cmocka_unit_test(command_line_wins),
        cmocka_unit_test(variables_only_where_declared),
        cmocka_unit_test(prints_what_reads_back),
        cmocka_unit_test(hashes),
        cmocka_unit_test(empty_files),
        cmocka_unit_test(random_bytes),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
