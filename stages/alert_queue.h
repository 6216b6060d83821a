/* alert_queue.h - changes of alerts since they were made, until state and Kafka have them.
 *
 * Each change waits here for the next cut, which brings the index of open alerts up to date
 * with it.  One that a deadline caused then waits on, until that cut is applied: told earlier,
 * a crash could leave an alert in the world that no state knows (its number is in the record,
 * among the unsent, so a new owner tells it again).
 *
 * A list that grows to the largest number that ever waited.
 * thread: the partition's worker.
 */
#ifndef STAGES_ALERT_QUEUE_H
#define STAGES_ALERT_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "stages/outlet/trace.h"
#include "stages/parcel/parcel.h"

/* So many wait in a partition before a scan has to; the list may be twice as long. */
enum { ALERTS_WAITING_MAX = 32768 };

/* One change, apart from its parcel, which may move on meanwhile. */
struct alert_change {
    struct alert alert;
    struct trace *trace;      /* headers of the causing scan, the queue's; nearly always NULL    */
    int64_t  offset;          /* of the causing scan; -1 = one that waits, and names no scan  */
    uint64_t cut;             /* ordinal of the cut that holds it                            */
    uint16_t life;            /* it belongs to: the parcel may be in a later one by then      */
    bool     sent;            /* told at once: only the index waits for it                    */
    uint8_t  number_length;
    char     number[PARCEL_MAX];
};

struct alert_queue {
    struct alert_change *list;       /* those of `first` to `count` wait                       */
    uint32_t first, indexed, count;  /* from `indexed` on, the index does not know them        */
    uint32_t size;
};

/* A copy for one that waits to be told.  owns: the queue, once it is in a change. */
struct trace *alert_queue_trace(const struct trace *);

/* Room for one more, at the end; the caller fills it.  Valid until the next call. */
struct alert_change *alert_queue_add(struct alert_queue *);

/* The first that waits to be told and is held by a cut up to `applied`, or NULL.  What was
 * told at once is passed over once the index knows it. */
const struct alert_change *alert_queue_first(struct alert_queue *, uint64_t applied);
void     alert_queue_pop(struct alert_queue *);   /* with its trace */

static inline uint32_t alert_queue_count(const struct alert_queue *q)
{
    return q->count - q->first;
}

void     alert_queue_free(struct alert_queue *);   /* empty again, and may be used again */

#endif
