/* edit.h - a JSON object with some of its members' values replaced, all else byte for byte. */
#ifndef PEAKLOAD_EDIT_H
#define PEAKLOAD_EDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/peakload/json.h"

/* Bytes that grow; all zero is empty.  owns: free(bytes). */
struct bytes {
    char  *at;
    size_t length, room;
};

void bytes_put(struct bytes *, const void *, size_t length);
void bytes_free(struct bytes *);

/* Writes the object to `out` (emptied first); `replace` answers true having put another value
 * there.  0, or -1: not an object, and `out` means nothing. */
int edit_object(struct bytes *out, const char *json, size_t length,
                bool (*replace)(void *self, struct json_value name, struct json_value value,
                                struct bytes *out), void *self);

/* The text that is a member of an object: its bytes between the quotes, as they stand.
 * False: no such member, or not a text. */
bool edit_find(const char *json, size_t length, const char *name, struct json_value *text);

#endif
