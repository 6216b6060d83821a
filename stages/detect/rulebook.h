/* rulebook.h - what all workers of a process go by: thresholds and reference data.
 *
 * One immutable book is current.  A worker holds the one it has joined with, looks between
 * batches whether another is current, and then turns to that; a book that nobody holds and
 * that is not current any more is retired, and freed by somebody who has the time.  So a reload
 * stops no worker and loses no scan.
 * The graphs of one process share the current book: their configurations say the same.
 */
#ifndef STAGES_DETECT_RULEBOOK_H
#define STAGES_DETECT_RULEBOOK_H

#include <stdbool.h>
#include <stdint.h>

struct config;
struct reference;
struct rules;

struct rulebook {
    struct rules     *rules;
    struct reference *reference;
    uint32_t          holders;     /* under the room's lock                                 */
    struct rulebook  *retired;     /* under the room's lock: the next one to be freed         */
};

/* Reads everything that the configuration names.  NULL with the error trail.
 * owns: the caller, until it is published.  thread: any. */
struct rulebook *rulebook_create(const struct config *);
void             rulebook_destroy(struct rulebook *);

/* Makes it the current one.  owns: from now on the room.  thread: any. */
void rulebook_publish(struct rulebook *);

/* The current book, made from the configuration if there is none; NULL with the error trail.
 * Given back by rulebook_leave, the last of which forgets the current one too.
 * thread: a graph's creator. */
const struct rulebook *rulebook_join(const struct config *);
void                   rulebook_leave(const struct rulebook *);

/* Has this process gone by more than one book?  Then nobody knows which of them a replayed
 * scan was told under, and a replay suppresses nothing.  thread: any. */
bool rulebook_reloaded(void);

/* Is another one current?  Costs one load.  thread: any. */
bool rulebook_is_old(const struct rulebook *);
/* Gives this one back and returns the current one; frees nothing.  thread: any. */
const struct rulebook *rulebook_turn(const struct rulebook *);
/* Frees what is retired; how many.  thread: any that may take its time. */
uint32_t               rulebook_sweep(void);

/* Says in the log what reference data there is, and what is off or sees less without. */
void rulebook_say(const struct rulebook *);

#endif
