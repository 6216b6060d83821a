/* marks.h - watches Redis as a reader does: when does a partition's mark pass an offset?
 *
 * A thread of its own reads all marks every few milliseconds, without a pause for whoever
 * is slow.  Redis alone or behind a sentinel's master; not a cluster.
 */
#ifndef PEAKLOAD_MARKS_H
#define PEAKLOAD_MARKS_H

#include <stdint.h>

#include "bench/peakload/output.h"

struct marks;

/* `seen` is called on the thread of marks, for each message that became visible. */
struct marks *marks_open(const struct output *, int32_t partitions,
                         void (*seen)(void *self, int64_t intended_us), void *self);

/* A message lies at that offset.  Per partition, offsets rise.  thread: any. */
void marks_expect(struct marks *, int32_t partition, int64_t offset, int64_t intended_us);

/* Messages expected and not yet visible; and the most that there ever were between the last
 * expected offset and the mark, in all partitions together.  thread: any. */
uint64_t marks_pending(struct marks *);
int64_t  marks_lag_most(struct marks *);
void     marks_lag_forget(struct marks *);

void marks_close(struct marks *);

#endif
