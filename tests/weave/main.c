/* weave - tries interleavings of the engine's hand-overs, each a function of a seed.
 *
 *     weave [--seeds N] [--seed S] [--scenario NAME]
 *
 * Without options 100,000 seeds of each scenario.  The last line counts; a failed
 * seed is named, and --seed repeats it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fiber.h"
#include "pipeline/error.h"
#include "pipeline/log.h"
#include "scenario.h"

enum { NAMED_MAX = 5 };

static const struct scenario *const scenarios[] = {
    &scenario_link,
    &scenario_ledger,
    &scenario_drain,
    &scenario_pool,
};

struct options {
    uint64_t    first, count;
    const char *scenario; /* NULL = all */
};

static int parse_number(const char *text, uint64_t *number)
{
    char *end = NULL;

    *number = strtoull(text, &end, 10);
    return *text != '\0' && *end == '\0' ? 0 : error_set("%s is not a number", text);
}

static int parse(int count, char **arguments, struct options *options)
{
    for (int i = 1; i < count; i++) {
        const char *name = arguments[i], *value = i + 1 < count ? arguments[++i] : "";

        if (strcmp(name, "--seeds") == 0) {
            if (parse_number(value, &options->count) != 0)
                return -1;
        } else if (strcmp(name, "--seed") == 0) {
            if (parse_number(value, &options->first) != 0)
                return -1;
            options->count = 1;
        } else if (strcmp(name, "--scenario") == 0) {
            options->scenario = value;
        } else {
            return error_set("usage: weave [--seeds N] [--seed S] [--scenario NAME]");
        }
    }
    return 0;
}

static uint64_t run(const struct scenario *scenario, const struct options *options)
{
    uint64_t failed = 0;

    for (uint64_t i = 0; i < options->count; i++) {
        uint64_t seed = options->first + i;

        weave_forget();
        scenario->run(seed);
        if (weave_failure()[0] == '\0')
            continue;
        if (failed++ < NAMED_MAX)
            printf("FAIL %s --seed %" PRIu64 ": %s\n", scenario->name, seed, weave_failure());
    }
    printf("%-8s %" PRIu64 " interleavings: %s\n", scenario->name, options->count,
           scenario->summary);
    (void)fflush(stdout);
    return failed;
}

int main(int count, char **arguments)
{
    struct options options = {.first = 1, .count = 100000};
    uint64_t       passed = 0, failed = 0;

    log_open(LOG_LEVEL_ERROR, LOG_FORM_AUTO);
    if (parse(count, arguments, &options) != 0) {
        fprintf(stderr, "weave: %s\n", error_text());
        return 2;
    }
    for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++) {
        if (options.scenario != NULL && strcmp(options.scenario, scenarios[i]->name) != 0)
            continue;
        uint64_t bad = run(scenarios[i], &options);

        failed += bad;
        passed += options.count - bad;
    }
    printf("%" PRIu64 " passed, %" PRIu64 " failed\n", passed, failed);
    return failed == 0 && passed > 0 ? 0 : 1;
}
