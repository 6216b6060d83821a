/* rehearsal.h - the product's own track, without Kafka and Redis: scans go in, nothing comes
 * out, and what the partition knows can be looked at after each. */
#ifndef STAGES_COMMAND_REHEARSAL_H
#define STAGES_COMMAND_REHEARSAL_H

#include <stdint.h>

struct config;
struct partition;
struct scan;

/* One partition, claimed, knowing nothing; by the event clock if the configuration says so.
 * 0; -1 with the error trail.  One at a time. */
int  rehearsal_open(const struct config *);
/* All four steps of one scan.  Its texts must be valid until this returns. */
void rehearsal_scan(const struct scan *);
/* What is known now; valid until rehearsal_close. */
const struct partition *rehearsal_partition(void);
void rehearsal_close(void);

#endif
