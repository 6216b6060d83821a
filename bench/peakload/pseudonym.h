/* pseudonym.h - names that stand for parcels, couriers and carrier numbers.
 *
 * A keyed hash (SipHash-2-4, 128 bits of which 80 are kept, as 16 characters of base32): who has
 * the key can find a parcel again, who has not cannot guess it by trying numbers.  Equal stays
 * equal, so each parcel's scans keep their order under their new key.
 */
#ifndef PEAKLOAD_PSEUDONYM_H
#define PEAKLOAD_PSEUDONYM_H

#include <stddef.h>
#include <stdint.h>

#include "bench/peakload/edit.h"

enum { PSEUDONYM_KEY = 16, PSEUDONYM_TEXT = 16 };

struct pseudonym {
    uint8_t key[PSEUDONYM_KEY];
    struct bytes value;
};

/* Reads the key: 32 hexadecimal digits.  0, or -1 having said why. */
int pseudonym_read_key(struct pseudonym *, const char *file);

/* Writes PSEUDONYM_TEXT characters. */
void pseudonym_make(const struct pseudonym *, const void *bytes, size_t length, char *text);

/* The value with its parcel, courier and carrier_number replaced, in p->value.  0, or -1: not
 * an object that can be read, or one of the three is not a text. */
int pseudonym_edit(struct pseudonym *, const char *json, size_t length);

/* SipHash-2-4 with 128 bits of result, after its reference; for the tests. */
void siphash128(const uint8_t key[PSEUDONYM_KEY], const void *bytes, size_t length,
                uint8_t out[16]);

#endif
