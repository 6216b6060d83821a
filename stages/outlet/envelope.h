/* envelope.h - how alerts, ETAs and progress look on Kafka: values, keys, headers.
 *
 * Alerts follow CloudEvents 1.0's Kafka binary binding, with headers `type
 * severity state epoch` besides, so that a filter need not parse.  Alerts and estimates
 * bear the causing scan's trace (trace.h).  Each writer appends one output to an OUTPUTS
 * batch that has room (envelope_room).
 */
#ifndef STAGES_OUTLET_ENVELOPE_H
#define STAGES_OUTLET_ENVELOPE_H

#include <stdbool.h>
#include <stdint.h>

#include "pipeline/batch.h"
#include "stages/eta/estimate.h"
#include "stages/outlet/output.h"
#include "stages/parcel/parcel.h"

struct counts;
struct names;
struct trace;

/* What every message of a partition says of where it comes from. */
struct origin {
    const char *source;      /* CloudEvents source                                   */
    const char *topic;       /* of the scans                                         */
    int32_t     partition;
    int64_t     offset;      /* of the causing scan; -1 = the clock caused it          */
    uint64_t    epoch, owner;
    uint32_t    home;        /* murmur2 of the parcel number                          */
    const struct trace *trace; /* headers of the causing scan that go on; NULL = none  */
};

/* Room for one more output of any kind? */
bool envelope_room(const struct batch *outputs);

/* One change of an alert.  Returns the output, whose value is the JSON (the open-alerts
 * index stores the same bytes). */
const struct output *envelope_alert(struct batch *outputs, const struct origin *,
                                    const struct parcel *, const struct names *,
                                    const struct alert *);

enum eta_reason { ETA_FIRST, ETA_MOVED, ETA_STATE, ETA_ARRIVED, ETA_REASONS };
const char *eta_reason_name(enum eta_reason);     /* "moved" */

/* An estimate as it is told, apart from its parcel, which may move on meanwhile. */
struct eta {
    char     number[PARCEL_MAX];
    uint8_t  number_length;
    uint8_t  reason;              /* enum eta_reason                                          */
    uint8_t  basis;               /* enum estimate_basis                                      */
    uint16_t life, sequence;
    uint32_t home;                /* murmur2 of the number                                    */
    uint32_t at_s;                /* event time of the scan; with ETA_ARRIVED the actual time   */
    uint32_t p50_s, p90_s;        /* moments                                                  */
    uint32_t promise_s;           /* 0 = none                                                 */
    uint32_t first_s, last_s;     /* ETA_ARRIVED: P50 of the first and last estimate, 0 = none  */
    int32_t  moved_by_s;          /* since the estimate before                                */
};

/* An estimate; with ETA_ARRIVED the actual time and the errors of first and last. */
void envelope_eta(struct batch *outputs, const struct origin *, const struct eta *);

/* How far the partition is: key = partition number. */
void envelope_progress(struct batch *outputs, const struct origin *, int64_t offset,
                       int64_t clock_ms, int64_t lag, int64_t wall_ms);

/* A minute's counts, told record by record: each share of the subjects is a stream of its own,
 * whose records have one key. */
struct minute {
    const struct counts *counts;
    const struct names  *names;
    uint32_t             until;   /* the minute the clock is in now: those between had nothing */
    uint32_t             sources; /* partitions of the scan topic, whose counts add up        */
    uint32_t             share, shares, part; /* which record of which share comes next         */
    uint32_t             row;     /* and with which subject it begins                         */
};

/* As much as one record holds; false: it was the last.  The batch has ACTIVITY_BYTES_MAX left. */
bool envelope_activity(struct batch *outputs, const struct origin *, struct minute *);

uint16_t    alert_life(const struct parcel *, const struct alert *); /* the change belongs to */
const char *alert_state_name(enum alert_state);   /* "OPENED" */
const char *severity_name(enum severity);         /* "warning" */

#endif
