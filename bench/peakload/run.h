/* run.h - what every command that sends has in common: where to, how fast, how it is measured,
 * and what is said in the end.
 */
#ifndef PEAKLOAD_RUN_H
#define PEAKLOAD_RUN_H

#include <stdbool.h>
#include <stdio.h>

#include "bench/peakload/output.h"
#include "bench/peakload/pace.h"
#include "bench/peakload/schedule.h"
#include "bench/peakload/sender.h"
#include "bench/peakload/watch.h"

struct run_options {
    struct output   output;
    struct schedule schedule;
    struct span     span;
    struct watch_options watch;
    const char     *manifest;      /* a file; NULL = none                                    */
    char          **arguments;     /* of the command, NULL at their end                      */
    bool            by_clock;      /* the command says what is due, not the schedule         */
};

extern const struct option_row run_rows[];
enum { RUN_ROWS = 1 };

/* The rows of all that is in it; five groups. */
#define RUN_GROUPS(run)                                                          \
    OUTPUT_GROUP(&(run)->output), OUTPUT_PLACE_GROUP(&(run)->output),            \
    WATCH_GROUP(&(run)->watch), {(run), run_rows, RUN_ROWS}

/* A run under way. */
struct run {
    struct run_options *options;
    struct watch  *watch;          /* NULL = not measured                                    */
    struct sender *sender;
    struct pace    pace;
};

/* Checks the options, connects.  EXIT_DONE, or an exit code having said why; closes what it
 * had opened. */
int run_open(struct run *, struct run_options *);

/* Waits for the common start. */
void run_begin(struct run *);

/* Everything has been handed over, or `failed`: waits for what is under way, says what there
 * is to say; `more` adds members to the JSON object, each with a comma before it.  Returns
 * the exit code. */
int run_end(struct run *, const char *command, bool failed,
            void (*more)(void *self, FILE *), void *self);

#endif
