/* main.c - peakload: load for Peakline, made up or replayed. */
#include <stdio.h>
#include <string.h>

#include "bench/peakload/generate.h"
#include "bench/peakload/record.h"
#include "bench/peakload/replay.h"
#include "bench/peakload/say.h"
#include "bench/peakload/search.h"
#include "bench/peakload/verify.h"

static const struct {
    const char *name, *summary;
    int       (*run)(int argc, char **argv);
} commands[] = {
    {"generate", "sends the scans of a simulated parcel network", generate_main},
    {"record", "writes what topics hold to a file that replays", record_main},
    {"replay", "sends what a file holds: a recording, kcat -J lines, or CSV with a mapping",
     replay_main},
    {"search", "finds the highest rate that keeps limits of latency and lag", search_main},
    {"verify", "compares what came of a run with what was sent", verify_main},
};

enum { COMMANDS = sizeof commands / sizeof commands[0] };

static void print_help(FILE *out)
{
    fputs("Usage: peakload COMMAND [OPTION]…\n\nCommands:\n", out);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fputs("\npeakload COMMAND --help tells the rest; peakload --version, the version.\n", out);
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";

    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(name, commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        print_help(stdout);
        return EXIT_DONE;
    }
    if (strcmp(name, "--version") == 0) {
        puts("peakload " PEAKLINE_VERSION);
        return EXIT_DONE;
    }
    if (*name != '\0')
        say("%s: no such command", name);
    print_help(stderr);
    return EXIT_USAGE;
}
