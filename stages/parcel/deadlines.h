/* deadlines.h - a hierarchical timer wheel on the partition clock: (second, hash).
 *
 * It holds one entry per parcel at the earliest of its stored deadlines.  An entry may be
 * stale (the deadline moved): whoever is told looks at the record and arms again.
 * Arming and firing are O(1) amortised; 8 bytes an entry.
 */
#ifndef STAGES_PARCEL_DEADLINES_H
#define STAGES_PARCEL_DEADLINES_H

#include <stddef.h>
#include <stdint.h>

struct deadlines;

/* owns: the caller.  thread: the partition's worker. */
struct deadlines *deadlines_create(uint32_t now_s);
void              deadlines_destroy(struct deadlines *);

/* at_s in the past or present fires with the next deadlines_due. */
void deadlines_arm(struct deadlines *, uint32_t at_s, uint32_t hash32);

/* Collects up to `max` entries due at now_s, earliest second first; call again while it
 * returns max.  Never goes back. */
uint32_t deadlines_due(struct deadlines *, uint32_t now_s, uint32_t *at_s, uint32_t *hash32,
                       uint32_t max);

/* No entry is due before this second (a cheap lower bound); UINT32_MAX = empty. */
uint32_t deadlines_next(const struct deadlines *);
uint64_t deadlines_count(const struct deadlines *);
size_t   deadlines_bytes(const struct deadlines *);

#endif
