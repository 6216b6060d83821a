/* record.h - the packed form of a parcel: what the table holds and Redis stores.
 *
 * 48 bytes fixed + 8 per scan kept; numbers beyond 16 characters, promise, ETA,
 * carrier number, deadlines and alerts are optional trailing fields; a tombstone
 * is at most 24 bytes + number beyond 16.  Little-endian, first byte = format
 * version.  A newer binary reads the previous version; an unknown one is an error.
 */
#ifndef STAGES_PARCEL_RECORD_H
#define STAGES_PARCEL_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "stages/parcel/parcel.h"

enum { RECORD_FORMAT = 1, RECORD_BYTES_MAX = 3072 };

/* Length of the packed form. */
size_t record_size(const struct parcel *);

/* Packs into bytes (record_size of them); returns the length.  Same parcel, same bytes. */
size_t record_pack(const struct parcel *, uint8_t *bytes);

/* 0; -1 with the error trail when the bytes are no record: nothing is read past length. */
int record_unpack(const uint8_t *bytes, size_t length, struct parcel *);

/* What the table asks of a packed record without unpacking it. */
size_t   record_number(const uint8_t *bytes, char number[PARCEL_MAX]);  /* its length      */
int      record_is(const uint8_t *bytes, const char *number, size_t length);
uint32_t record_deadline_first(const uint8_t *bytes);                   /* 0 = none        */

#endif
