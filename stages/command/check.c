/* check - is the configuration right, does it fit the machine, is everything there? */
#include "stages/command/check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "pipeline/config.h"
#include "pipeline/error.h"
#include "stages/board.h"
#include "stages/command/command.h"
#include "stages/command/print.h"
#include "stages/eta/priors.h"
#include "stages/reference/reference.h"
#include "stages/serve/api_json.h"

enum { TEXT_SIZE = 512, PARTITIONS_GUESSED = 12 };

static void report(struct report *report, const char *what, const char *fix, const char *format,
                   va_list arguments)
{
    char text[TEXT_SIZE];

    (void)vsnprintf(text, sizeof text, format, arguments);
    if (!report->json) {
        (void)printf("%-7s %s: %s\n", fix != NULL ? "FAILED" : "ok", what, text);
        if (fix != NULL)
            (void)printf("        -> %s\n", fix);
        return;
    }
    json_comma(&report->out);
    json_raw(&report->out, "{");
    json_text(&report->out, "what", what);
    json_bool(&report->out, "ok", fix == NULL);
    json_text(&report->out, "text", text);
    json_text(&report->out, "fix", fix != NULL ? fix : "");
    json_raw(&report->out, "}");
}

void report_ok(struct report *r, const char *what, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    report(r, what, NULL, format, arguments);
    va_end(arguments);
}

void report_failed(struct report *r, const char *what, const char *fix, const char *format, ...)
{
    va_list arguments;

    r->failures++;
    va_start(arguments, format);
    report(r, what, fix, format, arguments);
    va_end(arguments);
}

void report_cost(struct report *r, const char *what, int64_t bytes, const char *why)
{
    char size[PRINT_SIZE];

    if (!r->json) {
        (void)printf("%12s  %-16s %s\n", print_bytes(bytes, size), what, why);
        return;
    }
    json_comma(&r->costs);
    json_raw(&r->costs, "{");
    json_text(&r->costs, "what", what);
    json_number(&r->costs, "bytes", bytes);
    json_text(&r->costs, "why", why);
    json_raw(&r->costs, "}");
}

static void write_report(struct report *r)
{
    struct buffer all = {0};

    json_raw(&all, "{\"checks\":[");
    buffer_add(&all, r->out.bytes, r->out.used);
    json_raw(&all, "],\"memory\":[");
    buffer_add(&all, r->costs.bytes, r->costs.used);
    json_raw(&all, "]");
    json_number(&all, "failures", r->failures);
    json_raw(&all, "}\n");
    (void)fwrite(all.bytes, 1, all.used, stdout);
    buffer_free(&all);
}

/* The reference files, and what is off without those that are not given. */
static void check_reference(struct report *r, const struct config *config)
{
    struct reference *reference = reference_load(config);

    if (reference == NULL) {
        report_failed(r, "reference", "mend the file; nothing of it is taken", "%s", error_text());
        error_clear();
        return;
    }
    for (uint32_t part = REFERENCE_FACILITIES; part <= REFERENCE_CALENDARS; part <<= 1) {
        const char *name = reference_part_name((enum reference_part)part);

        if (reference_parts(reference) & part)
            report_ok(r, "reference", "%zu %s",
                      reference_count(reference, (enum reference_part)part), name);
        else
            report_ok(r, "reference", "reference.%s is not given: %s", name,
                      reference_part_lack((enum reference_part)part));
    }
    reference_destroy(reference);
}

/* What a model begins with, where that is given. */
static void check_priors(struct report *r, const struct config *config)
{
    static const char setting[] = "model.priors";
    const char       *file = config_text(config, setting);

    if (*file == '\0')
        return;
    struct priors *priors = priors_read(file);

    if (priors == NULL) {
        (void)config_blame(config, setting);
        report_failed(r, "models", "name a file that `peakline learn` has made, or none", "%s",
                      error_text());
        error_clear();
        return;
    }
    report_ok(r, "models", "begin with %" PRIu32 " cells of %s", priors_count(priors), file);
    priors_destroy(priors);
}

/* EX_CONFIG where the configuration can't work, EX_UNAVAILABLE where a server does not. */
static int check(const struct config *config, bool connect, int64_t partitions, bool json)
{
    struct report r = {.json = json};
    int           code = 0;

    if (!json) {
        config_print(config, stdout);
        (void)printf("\n");
    }
    if (connect) {
        int64_t count = check_kafka(&r, config);

        check_redis(&r, config, count);
        code = r.failures > 0 ? EX_UNAVAILABLE : 0;
        partitions = count > 0 && partitions == 0 ? count : partitions;
        if (!json)
            (void)printf("\n");
    }
    int failures = r.failures;
    check_reference(&r, config);
    check_priors(&r, config);
    check_memory(&r, config, partitions > 0 ? partitions : PARTITIONS_GUESSED);
    code = r.failures > failures ? EX_CONFIG : code;
    if (json)
        write_report(&r);
    else if (r.failures > 0)
        (void)printf("\n%" PRId64 " FAILED: see above what to do\n", (int64_t)r.failures);
    else
        (void)printf("\nnothing found that stands against `peakline run`%s\n",
                     connect ? "" : "; --connect asks the servers, too");
    buffer_free(&r.costs);
    buffer_free(&r.out);
    return code;
}

static int run(int argc, char **argv)
{
    bool                        connect = false;
    const char                 *count = NULL;
    char                       *end;
    int64_t                     partitions = 0;
    const struct command_option own[] = {
        {"connect", NULL, "try the brokers, each topic, and Redis", NULL, &connect},
        {"partitions", "N", "reckon memory for so many partitions (the topic's, or 12)", &count,
         NULL},
        {0}};
    struct command_line line;
    struct config      *config;
    int                 code = command_options(&command_check, own, argc, argv, &line);

    if (code != COMMAND_GO_ON)
        return code;
    if (line.operands_count > 0)
        return command_misused(&command_check, "no operand is wanted: %s", line.operands[0]);
    if (count != NULL) {
        errno = 0;
        partitions = strtol(count, &end, 10);
        if (errno != 0 || *end != '\0' || partitions < 1 || partitions > BOARD_PARTITIONS_MAX)
            return command_misused(&command_check, "--partitions is a number from 1 to %d",
                                   BOARD_PARTITIONS_MAX);
    }
    code = command_config(&line, &config);
    if (code != COMMAND_GO_ON)
        return code;
    code = check(config, connect, partitions, line.json);
    config_destroy(config);
    return code;
}

const struct command command_check = {
    .name     = "check",
    .operands = "",
    .summary  = "check the configuration, the memory it needs, and the servers",
    .about    = "Prints the configuration in effect, every setting with what it does, and what\n"
                "each limit costs in memory.  With --connect it also tries the brokers, each\n"
                "topic and Redis, and says what is wrong and how it is put right; it writes one\n"
                "key of Peakline's own to Redis, which expires.\n\n"
                "Ends with 0, with 78 when the configuration is wrong or does not fit the\n"
                "machine, with 69 when a server can't be used.",
    .run      = run,
};
