/* json.h - just enough JSON to read an envelope: the members of one object, as they stand. */
#ifndef PEAKLOAD_JSON_H
#define PEAKLOAD_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* A value's bytes in the text: with its quotes or brackets, without surrounding space. */
struct json_value {
    const char *text;
    size_t      length;
};

/* Calls `member` for each member of the object that `text` is, or each element (with an
 * empty name) of the array; the name comes without quotes, escapes left as they are.  0;
 * -1: not an object or array, or `member` answered otherwise than 0. */
int json_each(const char *text, size_t length,
              int (*member)(void *self, struct json_value name, struct json_value value),
              void *self);

/* The bytes that a JSON text stands for, into `out` (at least value.length bytes).  Bytes
 * beyond ASCII are taken as they are, UTF-8 or not.  -1: not a text. */
int json_unescape(struct json_value, char *out, size_t *length);

/* 0, or -1: not a whole number. */
int json_integer(struct json_value, long long *);

/* Whether the bytes are UTF-8: none overlong, no surrogates. */
bool json_is_utf8(const char *bytes, size_t length);

bool json_is(struct json_value, const char *literal);

/* Writes bytes as a JSON text with its quotes: what json_unescape reads.  As kcat does, bytes
 * beyond ASCII are written as they are. */
void json_put_text(FILE *, const char *bytes, size_t length);

#endif
