/* record.h - the packed form of a parcel: what the table holds and Redis stores.
 *
 * 48 bytes fixed + 8 per scan kept; numbers beyond 16 characters, promise, ETA,
 * carrier number, deadlines, alerts, weights, positions, documents and courier are optional
 * trailing fields: 143 bytes with 8 scans, promise, ETA and 3 deadlines.  Deadlines
 * are stored whole (5 bytes): seconds since the base would not survive a wild event time,
 * which is years before the clock.
 *
 * A tombstone is 13 bytes + the number (in Redis the field, so counted apart): life, end,
 * its time, flags, the house deadline; 40 bytes more for each alert that is left.  What it
 * forgets reads as none; its code and physical_s follow from the end.
 *
 * Little-endian, first byte = format version.  A newer binary reads the previous version;
 * an unknown one is an error.  Format 1 had no weights, positions, documents and courier, and is
 * otherwise the same.  thread: any; nothing is kept.
 */
#ifndef STAGES_PARCEL_RECORD_H
#define STAGES_PARCEL_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "stages/parcel/parcel.h"

enum { RECORD_FORMAT = 2, RECORD_FORMAT_BEFORE = 1, RECORD_BYTES_MAX = 3072 };

/* Length of the packed form. */
size_t record_size(const struct parcel *);

/* Packs into bytes (record_size of them); returns the length.  Same parcel, same bytes.
 * CHECKs what cannot be packed: no number, a tombstone that is not terminal, a sentence
 * above 7, a detector above 31 (30 for alerts). */
size_t record_pack(const struct parcel *, uint8_t *bytes);

/* 0; -1 with the error trail when the bytes are not what packing would write: nothing is
 * read past length.  Of the lists only the entries in use are written. */
int record_unpack(const uint8_t *bytes, size_t length, struct parcel *);

/* What the table asks of a packed record, known to be whole, without unpacking it. */
size_t   record_number(const uint8_t *bytes, char number[PARCEL_MAX]);  /* its length      */
int      record_is(const uint8_t *bytes, const char *number, size_t length);
uint32_t record_deadline_first(const uint8_t *bytes);                   /* 0 = none        */

#endif
