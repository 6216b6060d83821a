/* learn - a file of priors from history, for models to begin with. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "pipeline/config.h"
#include "pipeline/error.h"
#include "pipeline/log.h"
#include "stages/command/command.h"
#include "stages/command/history.h"
#include "stages/command/rehearsal.h"
#include "stages/eta/priors.h"
#include "stages/partition.h"

static int read_file(const char *file)
{
    struct history history;
    struct scan    scan;
    int            more = history_open(&history, file);

    if (more == 0)
        while ((more = history_next(&history, &scan)) == 1)
            rehearsal_scan(&scan);
    history_close(&history);
    return more;
}

static int write_all(const char *output)
{
    const struct partition *p = rehearsal_partition();
    FILE *to = output != NULL ? fopen(output, "w") : stdout;

    if (to == NULL)
        return error_set("%s: %s", output, strerror(errno));
    int bad = priors_write(p->model, (uint32_t)(p->clock_ms / 1000), to);

    if (output != NULL && fclose(to) != 0 && bad == 0)
        bad = error_set("cannot be written: %s", strerror(errno));
    return bad == 0 ? 0 : error_add("%s", output != NULL ? output : "standard output");
}

static int rehearse(const struct config *config, char **files, const char *output)
{
    int bad = 0;

    if (rehearsal_open(config) != 0)
        return command_failed(&command_learn, EX_CONFIG);
    for (; *files != NULL && bad == 0; files++)
        bad = read_file(*files);
    if (bad == 0)
        bad = write_all(output);
    rehearsal_close();
    return bad == 0 ? 0 : command_failed(&command_learn, 1);
}

static int run(int argc, char **argv)
{
    const char *output = NULL;
    const struct command_option own[] = {
        {"output", "FILE", "where to write (default: standard output)", &output, NULL}, {0}};
    struct command_line line;
    struct config *config;
    int code = command_options(&command_learn, own, argc, argv, &line);

    if (code != COMMAND_GO_ON)
        return code;
    if (line.operands_count == 0)
        return command_misused(&command_learn, "no FILE is named");
    if (line.sets_count == COMMAND_SETS_MAX)
        return command_misused(&command_learn, "more than %d --set", COMMAND_SETS_MAX - 1);
    line.sets[line.sets_count++] = "clock.mode=event";
    code = command_config(&line, &config);
    if (code != COMMAND_GO_ON)
        return code;
    log_open(LOG_LEVEL_WARNING, LOG_FORM_AUTO);
    code = rehearse(config, line.operands, output);
    config_destroy(config);
    return code;
}

const struct command command_learn = {
    .name     = "learn",
    .operands = "FILE...",
    .summary  = "a file that models begin with, from files of past scans",
    .about    = "Sends the scans of the files, in order, through the product's own stages by\n"
                "the event clock, without Kafka and Redis, and writes what was learned of\n"
                "remaining times and dwells.  The setting model.priors names such a file: a\n"
                "partition that has no state begins with it, and so do `backtest` and `learn`.\n"
                "A FILE is what `peakline backtest` takes.",
    .run      = run,
};
