/* main.c - the program: a table of commands. */
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sysexits.h>

#include "stages/command/command.h"

/* jemalloc reads it when the program starts.  Freed memory goes back on a thread of its own;
 * huge pages, because tables of parcels are read all over: each access would miss the TLB. */
const char *malloc_conf = "background_thread:true,thp:always,metadata_thp:auto";

static const struct command *const commands[] = {
    &command_run,       &command_check,     &command_demo,  &command_parcel, &command_alerts,
    &command_partitions, &command_detectors, &command_graph,
    &command_backtest,  &command_learn,     &command_activity,  &command_reload, &command_drain,
    &command_reshard,
};

enum { COMMANDS = sizeof commands / sizeof commands[0] };

static void print_help(FILE *file)
{
    (void)fprintf(file,
                  "Usage: peakline COMMAND [OPTION]...\n\n"
                  "Peakline turns the scan events of a parcel network, read from Kafka, into\n"
                  "alerts, ETAs and live parcel state.\n\n"
                  "Commands:\n");
    for (int i = 0; i < COMMANDS; i++)
        (void)fprintf(file, "  %-12s %s\n", commands[i]->name, commands[i]->summary);
    (void)fprintf(file, "\n`peakline COMMAND --help` says more about one of them.\n");
}

/* A core would hold passwords, tokens and people's parcels, and so would the memory that any
 * other process of this user may read: `run` allows it where it is asked to. */
static void keep_to_ourselves(void)
{
#ifndef __SANITIZE_ADDRESS__    /* which looks at its own process as a debugger does */
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

static int run(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";

    keep_to_ourselves();
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_help(stdout);
        return 0;
    }
    if (strcmp(name, "--version") == 0) {
        (void)printf("peakline %s\n", PEAKLINE_VERSION);
        return 0;
    }
    for (int i = 0; i < COMMANDS; i++)
        if (strcmp(name, commands[i]->name) == 0)
            return commands[i]->run(argc - 1, argv + 1);
    if (*name != '\0')
        (void)fprintf(stderr, "peakline: there is no command \"%s\"\n\n", name);
    print_help(stderr);
    return EX_USAGE;
}

/* What was said and has not arrived is no success: the disk may be full, the reader gone. */
int main(int argc, char **argv)
{
    int code = run(argc, argv);

    if ((fflush(stdout) != 0 || ferror(stdout)) && code == 0) {
        perror("peakline: standard output");
        return EX_IOERR;
    }
    return code;
}
