/* options.c - the options all commands share, their help, and the configuration. */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "pipeline/check.h"
#include "pipeline/config.h"
#include "pipeline/error.h"
#include "stages/command/command.h"
#include "stages/command/sense.h"
#include "stages/settings.h"

enum { OWN_MAX = 16, OWN_FIRST = 256, HELP_COLUMN = 22 };

enum common { COMMON_CONFIG = 1, COMMON_SET, COMMON_JSON, COMMON_HELP, COMMON_VERSION, COMMONS };

static const struct {
    const char *name, *argument, *help;
} common[COMMONS] = {
    [COMMON_CONFIG]  = {"config", "FILE", "read the configuration (YAML) from FILE"},
    [COMMON_SET]     = {"set", "PATH=VALUE", "one setting; wins over the file; may be repeated"},
    [COMMON_JSON]    = {"json", NULL, "print JSON, for programs"},
    [COMMON_HELP]    = {"help", NULL, "print this"},
    [COMMON_VERSION] = {"version", NULL, "print the version"},
};

static void print_option(const char *name, const char *argument, const char *help)
{
    char left[64];
    int  length = snprintf(left, sizeof left, "--%s%s%s", name, argument != NULL ? " " : "",
                           argument != NULL ? argument : "");

    (void)printf("  %-*s%s%s\n", HELP_COLUMN, left, length >= HELP_COLUMN ? "  " : "", help);
}

static void print_help(const struct command *command, const struct command_option *own)
{
    (void)printf("Usage: peakline %s [OPTION]...%s%s\n\n%s\n\nOptions:\n", command->name,
                 *command->operands != '\0' ? " " : "", command->operands, command->about);
    for (; own != NULL && own->name != NULL; own++)
        print_option(own->name, own->argument, own->help);
    for (int i = 1; i < COMMONS; i++)
        print_option(common[i].name, common[i].argument, common[i].help);
}

/* getopt's table: the common options by their number, the command's own from OWN_FIRST. */
static void list_options(const struct command_option *own,
                         struct option options[COMMONS + OWN_MAX + 1])
{
    int count = 0;

    for (int i = 1; i < COMMONS; i++)
        options[count++] = (struct option) {
            .name = common[i].name, .val = i,
            .has_arg = common[i].argument != NULL ? required_argument : no_argument};
    for (int i = 0; own != NULL && own[i].name != NULL; i++) {
        CHECK(i < OWN_MAX);
        options[count++] = (struct option) {
            .name = own[i].name, .val = OWN_FIRST + i,
            .has_arg = own[i].argument != NULL ? required_argument : no_argument};
    }
    options[count] = (struct option) {0};
}

static void take_own(const struct command_option *own, const char *argument)
{
    if (own->argument != NULL)
        *own->value = argument;
    else
        *own->flag = true;
}

int command_options(const struct command *command, const struct command_option *own, int argc,
                    char **argv, struct command_line *line)
{
    struct option options[COMMONS + OWN_MAX + 1];
    int           chosen;

    *line = (struct command_line) {0};
    list_options(own, options);
    opterr = 0;
    optind = 0;
    while ((chosen = getopt_long(argc, argv, ":", options, NULL)) != -1) {
        if (chosen == COMMON_CONFIG)
            line->config_file = optarg;
        else if (chosen == COMMON_SET && line->sets_count < COMMAND_SETS_MAX)
            line->sets[line->sets_count++] = optarg;
        else if (chosen == COMMON_SET)
            return command_misused(command, "--set more than %d times", COMMAND_SETS_MAX);
        else if (chosen == COMMON_JSON)
            line->json = true;
        else if (chosen == COMMON_HELP)
            return print_help(command, own), 0;
        else if (chosen == COMMON_VERSION)
            return (void)printf("peakline %s\n", PEAKLINE_VERSION), 0;
        else if (chosen >= OWN_FIRST)
            take_own(&own[chosen - OWN_FIRST], optarg);
        else if (chosen == ':')
            return command_misused(command, "%s wants a value", argv[optind - 1]);
        else
            return command_misused(command, "there is no option %s", argv[optind - 1]);
    }
    line->operands = argv + optind;
    line->operands_count = argc - optind;
    return COMMAND_GO_ON;
}

int command_misused(const struct command *command, const char *format, ...)
{
    va_list arguments;

    (void)fprintf(stderr, "peakline %s: ", command->name);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fprintf(stderr, "\nTry `peakline %s --help`.\n", command->name);
    return EX_USAGE;
}

struct config *command_config_read(const struct command_line *line)
{
    size_t                   count;
    const struct config_row *rows = settings_rows(&count);
    struct config           *config = config_create(rows, count);
    int                      failed = 0;

    if (line->config_file != NULL)
        failed = config_read(config, line->config_file);
    for (int i = 0; i < line->sets_count && failed == 0; i++)
        failed = config_set(config, line->sets[i]);
    if (failed == 0 && config_finish(config) == 0 && sense_check(config) == 0)
        return config;
    config_destroy(config);
    return NULL;
}

int command_config(const struct command_line *line, struct config **config)
{
    *config = command_config_read(line);
    if (*config != NULL)
        return COMMAND_GO_ON;
    (void)fprintf(stderr, "peakline: %s\n", error_text());
    error_clear();
    return EX_CONFIG;
}

int command_failed(const struct command *command, int code)
{
    (void)fprintf(stderr, "peakline %s: %s\n", command->name, error_text());
    error_clear();
    return code;
}
