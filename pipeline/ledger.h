/* ledger.h - numbered things in flight → the watermark below which all are done.
 *
 * Entries are opened with rising numbers (offsets or ordinals) and closed in any
 * order.  The watermark is the number of the oldest entry still open, or, when
 * none is, one past the highest number opened so far: it never goes back.
 */
#ifndef PIPELINE_LEDGER_H
#define PIPELINE_LEDGER_H

#include <stdint.h>

struct ledger;

/* At most `open_max` entries at once (rounded up to a power of two); one that stays open
 * for long takes its own place and no other.
 * owns: the caller.  thread: one. */
struct ledger *ledger_create(uint32_t open_max, int64_t first);
void           ledger_destroy(struct ledger *);

/* CHECKs that `number` is above all before, and that there is room. */
void     ledger_open(struct ledger *, int64_t number);
void     ledger_close(struct ledger *, int64_t number);   /* CHECKs that it is open */
/* Nothing below `number` is in flight but what is open: moves the watermark over gaps. */
void     ledger_reach(struct ledger *, int64_t number);

int64_t  ledger_watermark(const struct ledger *);
uint32_t ledger_count(const struct ledger *);              /* open entries */
uint32_t ledger_room(const struct ledger *);               /* entries that may be opened */

#endif
