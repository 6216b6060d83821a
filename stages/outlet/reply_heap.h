/* reply_heap.h - memory for the objects of a request's replies, in a few large pieces.
 *
 * Streaming in a partition's state builds two objects a parcel.  Nobody frees one of
 * them before the others: so they lie one behind the other, in the order they were
 * read, and go together.
 */
#ifndef STAGES_OUTLET_REPLY_HEAP_H
#define STAGES_OUTLET_REPLY_HEAP_H

#include <stddef.h>

struct reply_heap;      /* NULL = nothing taken yet */

/* `bytes` for any kind of object, not cleared; valid until the heap is freed or emptied.
 * owns: whoever has the pointer.  thread: its owner's.  Out of memory aborts (CHECK). */
void *reply_heap_take(struct reply_heap **, size_t bytes);

/* All objects are gone; a small heap's memory stays for the next ones. */
void  reply_heap_empty(struct reply_heap **);
void  reply_heap_free(struct reply_heap **);    /* NULL again */

#endif
