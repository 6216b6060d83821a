/* generate.h - `peakload generate`: a simulated network's scans. */
#ifndef PEAKLOAD_GENERATE_H
#define PEAKLOAD_GENERATE_H

#include "bench/peakload/life.h"
#include "bench/peakload/run.h"

enum { SCANS_PER_PARCEL = 12 };

/* Where event times come from. */
enum times {
    TIMES_NOW,         /* each scan is stamped as it is sent; lives are compressed           */
    TIMES_SIMULATED    /* the simulated clock; Kafka timestamps are simulated too            */
};

struct generate {
    struct run_options run;
    struct nature nature;
    const char   *csv_facilities;      /* NULL = not wanted                                  */
    const char   *truth, *reference;   /* of a labelled world: a file and a folder; NULL = none */
    enum times    times;
    int64_t       scans, parcels;      /* -1 = without end                                   */
    int64_t       alive;               /* parcels under way at once; 0 = choose              */
    int64_t       start_ms;            /* of the simulated clock; 0 = choose                 */
    double        speed;               /* 0 = not by the clock                               */
    double        broken;              /* share of all messages                              */
};

/* What holds where no option says otherwise. */
void generate_defaults(struct generate *);

/* Reads the command line.  0; 1: help was shown; -1 having said what is wrong. */
int generate_options(struct generate *, int argc, char **argv);

/* The command.  Returns an exit code. */
int generate_main(int argc, char **argv);

/* A run with these options: the network made, everything sent and measured.  Returns an exit
 * code. */
int generate_run(struct generate *);

#endif
