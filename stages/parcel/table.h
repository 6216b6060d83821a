/* table.h - all parcels of one partition: number → packed record, in memory.
 *
 * Open addressing with 8-byte slots (hash, reference), one owner, no lock; the
 * records lie in size classes of 16 bytes in blocks of their own.  Which records
 * changed since the last cut is a list kept here.
 */
#ifndef STAGES_PARCEL_TABLE_H
#define STAGES_PARCEL_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "stages/parcel/record.h"

struct table;

/* `hash` is parcel_hash of the number throughout.  `each` must not change the table.
 * owns: the caller.  thread: the partition's worker. */
struct table *table_create(uint32_t parcels_expected);
void          table_destroy(struct table *);

/* Brings the slot of a hash nearer; then, a few scans later, the record. */
void table_prefetch_slot(const struct table *, uint64_t hash);
void table_prefetch_record(const struct table *, uint64_t hash);

/* The packed record, or NULL.  Valid until the next table_put or table_remove. */
const uint8_t *table_find(const struct table *, uint64_t hash, const char *number,
                          size_t number_length, size_t *length);

/* Stores the parcel (new or changed), marks it dirty when asked.  Returns where the second is
 * kept that table_arm sets; valid until the next table_put or table_remove. */
uint32_t *table_put(struct table *, uint64_t hash, const struct parcel *, bool dirty);
/* The same from packed bytes, as streamed in from Redis, and the parcel that they are: clean,
 * and never over an entry. */
uint32_t *table_restore(struct table *, uint64_t hash, const struct parcel *,
                        const uint8_t *bytes, size_t length);
void table_remove(struct table *, uint64_t hash, const char *number, size_t number_length);

uint64_t table_count(const struct table *);
size_t   table_bytes(const struct table *);          /* memory taken, all told */

/* The dirty records, in any order, with their packed bytes; then all are clean. */
uint32_t table_dirty_count(const struct table *);
size_t   table_dirty_bytes(const struct table *);
void     table_dirty_each(struct table *, void (*each)(void *self, const uint8_t *bytes,
                          size_t length), void *self);
void     table_clean(struct table *);

/* Timers: the second for which an entry of the wheel stands, 0 = none; kept with the record
 * until it is removed, stored nowhere.  table_arm CHECKs that the parcel is there. */
void     table_arm(struct table *, uint64_t hash, const char *number, size_t length,
                   uint32_t at_s);
/* Records whose 32-bit hash is this one: for a timer that fired. */
void     table_each_hash(struct table *, uint32_t hash32, void (*each)(void *self,
                         const uint8_t *bytes, size_t length, uint32_t armed_s), void *self);
static inline uint32_t table_hash32(uint64_t hash) { return (uint32_t)(hash >> 32); }

/* Every record; for rebuilding timers and for tests. */
void     table_each(struct table *, void (*each)(void *self, const uint8_t *bytes,
                    size_t length), void *self);

#endif
