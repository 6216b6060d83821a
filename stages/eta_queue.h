/* eta_queue.h - estimates that wait while their partition is behind: the last of each parcel.
 *
 * `etas` is a compacted topic: whoever reads it wants the newest estimate of a parcel.  A
 * partition that catches up makes several of one parcel within a moment, and each costs Kafka
 * more than all the rest of its scan.  So they wait here until the next cut, and a newer one
 * takes its parcel's older one's place.  The state moves on as if each had been told: what is
 * left out is as if the topic had been compacted.
 *
 * A fixed number of them; nothing is allocated after creation.
 * thread: the partition's worker.
 */
#ifndef STAGES_ETA_QUEUE_H
#define STAGES_ETA_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stages/outlet/envelope.h"
#include "stages/outlet/trace.h"

enum { ETA_QUEUE_MAX = 8192 };

struct eta_queue;

/* owns: the caller. */
struct eta_queue *eta_queue_create(void);
void              eta_queue_destroy(struct eta_queue *);   /* NULL is none */

/* Room for one of a parcel that is not there yet, whatever its trace? */
bool     eta_queue_has_room(const struct eta_queue *);
uint32_t eta_queue_count(const struct eta_queue *);

/* The parcel's newest estimate, with what goes on of its scan's headers; `hash` is parcel_hash
 * of its number.  CHECKs room.  True: it took the place of an older one. */
bool     eta_queue_put(struct eta_queue *, uint64_t hash, const struct eta *,
                       const struct trace *);

/* One of them, any, which is then gone; NULL: none.  Valid until the next put. */
const struct eta *eta_queue_take(struct eta_queue *, struct trace *);

size_t   eta_queue_bytes(void);   /* memory that one takes */

#endif
