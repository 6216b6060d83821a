/* faults.h - what goes wrong between a scanner and Kafka, on purpose: --fault NAME=SHARE.
 *
 *   repeats   said again, up to 1,000 messages later
 *   disorder  overtaken by up to 100 messages
 *   late      held back for --late-by messages, event time unchanged
 *   broken    a message more that is no scan, with header peakload-expect
 *   skew      devices whose clock is off by n × 30 min, up to 8 h, either way
 *   offline   devices (courier, or facility) silent for --offline-for messages, then all at once
 *
 * A seed decides, and messages are what is counted, not time: a run can be repeated.
 */
#ifndef PEAKLOAD_FAULTS_H
#define PEAKLOAD_FAULTS_H

#include <stdio.h>

#include "bench/peakload/broken.h"
#include "bench/peakload/options.h"
#include "bench/peakload/sender.h"

enum fault { FAULT_REPEATS, FAULT_DISORDER, FAULT_LATE, FAULT_BROKEN, FAULT_SKEW, FAULT_OFFLINE,
             FAULTS };

struct fault_options {
    double  share[FAULTS];       /* 0 … 1 */
    int64_t seed, late_by, offline_for;
};

extern const struct option_row fault_rows[];
enum { FAULT_ROWS = 5 };
#define FAULT_GROUP(options) {(options), fault_rows, FAULT_ROWS}

struct faults;

/* `emit` gets every message in the order in which it is to be sent: 0, or what faults_put()
 * then returns. */
struct faults *faults_open(const struct fault_options *,
                           int (*emit)(void *self, struct message *), void *self);

/* How much the clock of the message's device is off, ms. */
int64_t faults_skew_ms(struct faults *, const struct message *);

/* The next message.  owns: the caller; what is held back is copied. */
int faults_put(struct faults *, struct message *);

/* The end: gives what is still held back. */
int faults_end(struct faults *);

uint64_t faults_count(const struct faults *, enum fault);

/* A member of a JSON object, with a comma before it. */
void faults_print_json(const struct faults *, FILE *);

void faults_close(struct faults *);

#endif
