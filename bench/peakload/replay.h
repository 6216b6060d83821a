/* replay.h - `peakload replay`: sends what a file holds. */
#ifndef PEAKLOAD_REPLAY_H
#define PEAKLOAD_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/peakload/faults.h"
#include "bench/peakload/lines.h"
#include "bench/peakload/mapping.h"
#include "bench/peakload/reshape.h"
#include "bench/peakload/run.h"

enum stamps { STAMPS_NOW, STAMPS_EVENT, STAMPS_RECORDED };

struct replay {
    struct run_options run;
    struct fault_options faults;
    struct reshape_options reshape;
    const char *file, *mapping;        /* mapping NULL = kcat -J lines                       */
    enum stamps stamps;                /* Kafka timestamps                                   */
    double      speed;                 /* 0 = not by the recording                           */
    int64_t     from, to, limit;       /* lines, from 1; messages                            */
    int64_t     from_ms, to_ms;        /* Kafka timestamps of a recording                    */
    bool        zone_given;
    int         zone_minutes;
    bool        recorded_partitions;   /* instead of the keys' homes                         */
};

/* A replay under way. */
struct replaying {
    struct replay  *options;
    struct mapping *mapping;           /* NULL = kcat -J lines                               */
    struct lines   *lines;
    struct run      run;
    struct faults  *faults;
    struct reshape *reshape;
    int64_t         first_ms;          /* time of the first message; INT64_MIN = none yet    */
    uint64_t        due_ns;            /* of the message being sent, by --speed              */
    int64_t         oldest_ms;         /* that the topic keeps; INT64_MIN = not asked        */
    uint64_t        sent;
};

/* One message is read: reshapes it, lets happen to it what may, waits for its time, sends it.
 * recorded_ms and event_ms may be -1: not known.  0; 1: stop, all is well; -1 having said
 * why. */
int replay_send(struct replaying *, struct message *, int64_t recorded_ms, int64_t event_ms);

/* The next line within --from … --to, as lines_next(). */
char *replay_line(struct replaying *, size_t *length, int *result);

/* Says FILE:LINE: and what.  Returns -1. */
int replay_fault(const struct replaying *, const char *what);

/* The two kinds of file: 0, or -1 having said why. */
int replay_kcat(struct replaying *);
int replay_csv(struct replaying *);

/* Reads the command line.  0; 1: help was shown; -1 having said what is wrong. */
int replay_options(struct replay *, int argc, char **argv);

/* The command.  Returns an exit code. */
int replay_main(int argc, char **argv);

#endif
