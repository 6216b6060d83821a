/* command.h - what a subcommand is, and what all of them share: options, help, the
 * configuration, exit codes.
 *
 * One file per subcommand, one row in main.c's table.  A command's run() calls
 * command_options first and returns what it says unless that is COMMAND_GO_ON.
 * Exit codes are sysexits.h's: 0, 1 = not found or failed, EX_USAGE (64),
 * EX_UNAVAILABLE (69: a server can't be used), EX_CONFIG (78).
 */
#ifndef STAGES_COMMAND_COMMAND_H
#define STAGES_COMMAND_COMMAND_H

#include <stdbool.h>

struct config;

struct command {
    const char *name;
    const char *operands;   /* as in the usage line: "NUMBER", or ""      */
    const char *summary;    /* one line of `peakline --help`               */
    const char *about;      /* a paragraph of `peakline NAME --help`       */
    int       (*run)(int argc, char **argv);   /* argv[0] is the command's name; exit code */
};

extern const struct command command_run, command_check, command_parcel, command_alerts,
    command_partitions, command_detectors, command_graph, command_demo, command_backtest,
    command_learn, command_activity, command_reload, command_drain, command_reshard;

/* An option of one command: with an argument (`value` is set to it) or without (`flag`). */
struct command_option {
    const char  *name;      /* NULL ends the list                         */
    const char  *argument;  /* its name in the help; NULL = takes none     */
    const char  *help;
    const char **value;
    bool        *flag;
};

enum { COMMAND_GO_ON = -1, COMMAND_SETS_MAX = 64 };

/* What every command understands. */
struct command_line {
    const char *config_file;              /* --config FILE, NULL = defaults     */
    const char *sets[COMMAND_SETS_MAX];   /* --set path=value                   */
    int         sets_count;
    bool        json;                     /* --json                             */
    char      **operands;                 /* what is left, NULL-ended           */
    int         operands_count;
};

/* Reads argv, answers --help and --version itself.  COMMAND_GO_ON, or the exit code; then
 * it has printed what there is to say.  `own` may be NULL. */
int command_options(const struct command *, const struct command_option *own, int argc,
                    char **argv, struct command_line *);

/* Says on stderr what is wrong with the command line; returns EX_USAGE. */
int command_misused(const struct command *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The configuration that --config and --set describe, checked.  NULL with the error trail.
 * owns: the caller, config_destroy. */
struct config *command_config_read(const struct command_line *);

/* The same for a command that begins with it.  COMMAND_GO_ON, or EX_CONFIG
 * with the mistake on stderr: file, line, path, what is accepted.
 * owns: the caller, config_destroy. */
int command_config(const struct command_line *, struct config **);

/* Prints the error trail to stderr, "peakline NAME: …", and clears it; returns `code`. */
int command_failed(const struct command *, int code);

#endif
