/* Any bytes as a configuration file: refused with the file's name, or read, and then each
 * setting can be asked for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pipeline/check.h"
#include "pipeline/config.h"
#include "pipeline/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct config_row rows[] = {
    {"kafka.brokers", CONFIG_TEXT, "localhost:9092", 0, 0, NULL, "text", true, false},
    {"redis.buckets", CONFIG_INTEGER, "512", 1, 1048576, NULL, "a number", false, false},
    {"model.shrink", CONFIG_REAL, "10", 0.1, 1000, NULL, "a real number", false, false},
    {"redis.timeout", CONFIG_DURATION, "5s", 100, 600000, NULL, "a time", false, false},
    {"memory.max", CONFIG_BYTES, "0", 0, 1e12, NULL, "a size", false, false},
    {"log.level", CONFIG_CHOICE, "info", 0, 0, "debug|info", "a choice", false, false},
    {"http.on", CONFIG_BOOL, "true", 0, 0, NULL, "yes or no", false, false},
    {"services.*.wait", CONFIG_DURATION, "1h", 0, 1e9, NULL, "of each", false, false},
    {"rdkafka.*", CONFIG_TEXT, "", 0, 0, NULL, "passed through", true, false},
};

static void ask(const struct config *config)
{
    CHECK(config_text(config, "kafka.brokers") != NULL);
    CHECK(config_integer(config, "redis.buckets") >= 1);
    CHECK(config_real(config, "model.shrink") >= 0.1);
    CHECK(config_ms(config, "redis.timeout") >= 100);
    CHECK(config_bytes(config, "memory.max") >= 0);
    CHECK(config_text(config, "log.level")[0] != '\0');
    (void)config_bool(config, "http.on");
    CHECK(config_ms(config, "services.any.wait") >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config *config = config_create(rows, sizeof rows / sizeof rows[0]);
    int            file = memfd_create("config", 0);
    char           path[32];

    CHECK(file >= 0 && write(file, data, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    if (config_read(config, path) != 0) {
        CHECK(strstr(error_text(), path) != NULL);
    } else if (config_finish(config) != 0) {
        CHECK(error_text()[0] != '\0');
    } else {
        ask(config);
    }
    error_clear();
    config_destroy(config);
    close(file);
    return 0;
}
