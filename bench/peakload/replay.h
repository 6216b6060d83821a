/* replay.h - `peakload replay`: sends what a file holds. */
#ifndef PEAKLOAD_REPLAY_H
#define PEAKLOAD_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/peakload/lines.h"
#include "bench/peakload/mapping.h"
#include "bench/peakload/output.h"
#include "bench/peakload/pace.h"
#include "bench/peakload/sender.h"

enum stamps { STAMPS_NOW, STAMPS_EVENT, STAMPS_RECORDED };

struct replay {
    struct output output;
    const char *file, *mapping;        /* mapping NULL = kcat -J lines                       */
    enum stamps stamps;                /* Kafka timestamps                                   */
    double      rate, speed;           /* 0 = as fast as possible; 0 = not by the recording  */
    int64_t     from, to, limit;       /* lines, from 1; messages                            */
    bool        zone_given;
    int         zone_minutes;
    bool        recorded_partitions;   /* instead of the keys' homes                         */
};

/* A replay under way. */
struct replaying {
    const struct replay *options;
    struct mapping *mapping;           /* NULL = kcat -J lines                               */
    struct lines   *lines;
    struct sender  *sender;
    struct pace     pace;
    int64_t         first_ms;          /* time of the first message; INT64_MIN = none yet    */
    uint64_t        sent;
};

/* One message is read: waits for its time, sets its Kafka timestamp, sends it.  recorded_ms
 * and event_ms may be -1: not known.  0; 1: stop, all is well; -1 having said why. */
int replay_send(struct replaying *, struct message *, int64_t recorded_ms, int64_t event_ms);

/* The next line within --from … --to, as lines_next(). */
char *replay_line(struct replaying *, size_t *length, int *result);

/* Says FILE:LINE: and what.  Returns -1. */
int replay_fault(const struct replaying *, const char *what);

/* The two kinds of file: 0, or -1 having said why. */
int replay_kcat(struct replaying *);
int replay_csv(struct replaying *);

/* The command.  Returns an exit code. */
int replay_main(int argc, char **argv);

#endif
