/* watch.h - measures a run from outside, from each message's due time:
 *
 *   sent      handed to the Kafka client (schedule slip)
 *   acked     acknowledged by Kafka
 *   outputs   its alerts and ETAs at a consumer of those topics (and each topic apart)
 *   visible   its offset below the partition's mark, as a reader of Redis sees it
 *
 * A message's due time does not move when the system is slow, so a stall is seen by every
 * message that was due in it: there is nothing to omit.  Probes carry the due time in the
 * header `peakload-intended` (Unix µs), which Peakline copies to what a scan causes.
 */
#ifndef PEAKLOAD_WATCH_H
#define PEAKLOAD_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "bench/peakload/limits.h"
#include "bench/peakload/options.h"
#include "bench/peakload/output.h"

#define INTENDED_HEADER "peakload-intended"

struct watch_options {
    bool    measure;
    int64_t every;               /* probes: one in so many messages                          */
    const char *hlog, *percentiles;    /* files; NULL = none                                 */
    int64_t warmup_ms, settle_ms;
    struct limits limits;
};

extern const struct option_row watch_rows[];
enum { WATCH_ROWS = 8 };
#define WATCH_GROUP(options) {(options), watch_rows, WATCH_ROWS}

struct watch;

/* Begins to listen.  NULL having said why. */
struct watch *watch_open(const struct watch_options *, const struct output *);

/* The run begins: what was due before `us` + warm-up does not count. */
void watch_begin(struct watch *, int64_t us);

/* A probe was sent, or acknowledged.  thread: the sender's. */
void watch_sent(struct watch *, int64_t intended_us);
void watch_acked(struct watch *, int32_t partition, int64_t offset, int64_t intended_us);

/* All is sent: waits until every probe is visible and the outputs have been still for a
 * second, at most settle_ms; then stops listening, and writes the files.  0, or -1: a file
 * could not be written, and said so. */
int watch_settle(struct watch *);

/* The results: a table on stderr; members of a JSON object, each with a comma before it. */
void watch_print(struct watch *, double slip);
void watch_print_json(struct watch *, FILE *, double slip);

/* What was measured; valid until watch_close(). */
struct measured watch_measured(struct watch *, double slip);

void watch_close(struct watch *);

#endif
