/* envelope.h - how alerts, ETAs and progress look on Kafka: values, keys, headers.
 *
 * Alerts follow CloudEvents 1.0's Kafka binary binding, with headers `type
 * severity state epoch` besides, so that a filter need not parse.  Each writer
 * appends one output to an OUTPUTS batch that has room (envelope_room).
 */
#ifndef STAGES_OUTLET_ENVELOPE_H
#define STAGES_OUTLET_ENVELOPE_H

#include <stdbool.h>
#include <stdint.h>

#include "pipeline/batch.h"
#include "stages/eta/estimate.h"
#include "stages/outlet/output.h"
#include "stages/parcel/parcel.h"

struct names;

/* What every message of a partition says of where it comes from. */
struct origin {
    const char *source;      /* CloudEvents source                                   */
    const char *topic;       /* of the scans                                         */
    int32_t     partition;
    int64_t     offset;      /* of the causing scan; -1 = the clock caused it          */
    uint64_t    epoch, owner;
    uint32_t    home;        /* murmur2 of the parcel number                          */
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

/* An estimate; with ETA_ARRIVED the actual time and the errors of first and last. */
void envelope_eta(struct batch *outputs, const struct origin *, const struct parcel *,
                  const struct estimate *, enum eta_reason, uint32_t at_s, int64_t moved_by_s);

/* How far the partition is: key = partition number. */
void envelope_progress(struct batch *outputs, const struct origin *, int64_t offset,
                       int64_t clock_ms, int64_t lag, int64_t wall_ms);

const char *alert_state_name(enum alert_state);   /* "OPENED" */
const char *severity_name(enum severity);         /* "warning" */

#endif
