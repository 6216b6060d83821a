/* link.h - a bounded single-producer, single-consumer ring of batches, and the
 * ring of their way back.
 *
 * Forward: the producer emits, the consumer takes.  Back: the consumer finishes,
 * the producer is told.  A link owns no batches.  Each end can wake the other's
 * runner, so nobody spins.  This is the only file that includes ck's ring.
 */
#ifndef PIPELINE_LINK_H
#define PIPELINE_LINK_H

#include <stdbool.h>
#include <stdint.h>

struct batch;
struct link;
struct wake;   /* an event count a runner sleeps on, see runner.h */

/* A new, empty link; `name` is copied.  `depth`: batches that may wait forward;
 * `outstanding_max`: batches that may be out (waiting, held or on their way back) at once.
 * `kind` is checked on each push.  The wakes may be NULL (nobody sleeps).
 * owns: the caller, and it keeps the wakes alive.  thread: before the ends are used. */
struct link *link_create(const char *name, uint16_t kind, uint32_t depth,
                         uint32_t outstanding_max, struct wake *producer, struct wake *consumer);
void         link_destroy(struct link *); /* whatever is on it stays its pool's */

/* Producer's end.  thread: the producer's runner. */
uint32_t      link_room(const struct link *);                  /* batches that may be pushed   */
bool          link_ready(struct link *, uint32_t batches);     /* room for so many?  If not,
                                         the consumer wakes the producer when it makes room */
void          link_push(struct link *, struct batch **batch);  /* CHECKs room; *batch = NULL   */
struct batch *link_returned(struct link *);                    /* next one back, or NULL       */
uint32_t      link_outstanding(const struct link *);           /* pushed and not yet back      */
uint32_t      link_waiting(const struct link *);               /* pushed and not yet popped    */
void          link_close(struct link *);                       /* no push will follow          */

/* Consumer's end.  thread: the consumer's runner. */
struct batch *link_peek(struct link *);                        /* head, stays; or NULL         */
struct batch *link_pop(struct link *);                         /* CHECKs that there is one     */
void          link_finish(struct link *, struct batch **batch); /* sends it back; *batch = NULL.
                                         The head may be finished just before it is popped  */
uint32_t      link_held(const struct link *);                  /* popped and not yet finished  */
bool          link_finished(const struct link *);              /* closed and empty             */

/* As they were given.  thread: any. */
const char *link_name(const struct link *);
uint16_t    link_kind(const struct link *);
uint32_t    link_outstanding_max(const struct link *);

#endif
