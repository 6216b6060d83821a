/* facts.h - the end of a packed record: what few parcels have.
 *
 * One byte says which follow (enum parcel_facts), then in this order: weight, declared
 * weight, target, spot, documents, courier; the last two begin with their count.  A record
 * without any has not even that byte.
 */
#ifndef STAGES_PARCEL_FACTS_H
#define STAGES_PARCEL_FACTS_H

#include "stages/parcel/parcel.h"

/* Bytes that facts_pack writes; 0 = there are none.  thread: any. */
size_t facts_size(const struct parcel *);

/* Writes them, of which there is one at least; returns where they end.  thread: any. */
uint8_t *facts_pack(uint8_t *at, const struct parcel *);

/* Reads them from at most `length` bytes; how many they were, 0 = they are none.  Of the
 * parcel only what they name is written.  thread: any. */
size_t facts_unpack(const uint8_t *bytes, size_t length, struct parcel *);

#endif
