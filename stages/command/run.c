/* run.c - `peakline run`: the pipeline, until it is told to stop. */
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sysexits.h>

#include "pipeline/config.h"
#include "pipeline/log.h"
#include "stages/command/check.h"
#include "stages/command/command.h"
#include "stages/command/instance.h"
#include "stages/command/reload.h"

static enum log_level level_of(const char *name)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    int level = 0;

    while (strcmp(name, names[level]) != 0)
        level++;   /* the configuration allows these and no other */
    return (enum log_level)level;
}

static enum log_form form_of(const char *name)
{
    return strcmp(name, "text") == 0 ? LOG_FORM_TEXT
           : strcmp(name, "json") == 0 ? LOG_FORM_JSON : LOG_FORM_AUTO;
}

static int run(int argc, char **argv)
{
    bool accept_gap = false;
    const struct command_option own[] = {
        {"accept-gap", NULL, "go on where Kafka no longer has what follows the stored offset",
         NULL, &accept_gap},
        {NULL, NULL, NULL, NULL, NULL}};
    struct command_line line;
    struct config *config;
    int code = command_options(&command_run, own, argc, argv, &line);

    if (code != COMMAND_GO_ON)
        return code;
    if (line.operands_count > 0)
        return command_misused(&command_run, "\"%s\" is not an option", line.operands[0]);
    if (accept_gap && line.sets_count < COMMAND_SETS_MAX)
        line.sets[line.sets_count++] = "kafka.accept_gap=true";
    code = command_config(&line, &config);
    if (code != COMMAND_GO_ON)
        return code;
    if (check_memory_fits(config, 1) != 0) {
        config_destroy(config);
        return command_failed(&command_run, EX_CONFIG);
    }
    log_open(level_of(config_text(config, "log.level")),
             form_of(config_text(config, "log.form")));
    if (config_bool(config, "debug.core_dumps"))
        (void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    instance_signals();
    reload_start(&line, config);
    code = instance_run(config) == 0 ? 0 : command_failed(&command_run, EX_UNAVAILABLE);
    reload_stop();
    config_destroy(config);
    return code;
}

const struct command command_run = {
    .name = "run",
    .operands = "",
    .summary = "run the pipeline until SIGTERM",
    .about = "Reads scans from Kafka, writes alerts, ETAs and dead letters to Kafka and parcel\n"
             "state to Redis.  SIGTERM or Ctrl-C drains: what was read is finished, checkpointed\n"
             "and committed, then the program ends with 0.  A second one stops at once; nothing\n"
             "is lost by that either.  SIGHUP reads thresholds, calendars and reference data\n"
             "again; a mistake in them is logged, and what was in force stays.",
    .run = run,
};
