/* buffer.h - growable bytes that Redis commands are written into, straight as RESP.
 *
 * A cut writes some six arguments per dirty parcel, so the writers are inline and
 * ask for room once each.  Running out of memory aborts (CHECK).
 * owns: bytes, until buffer_free.  thread: its owner's.
 */
#ifndef STAGES_OUTLET_BUFFER_H
#define STAGES_OUTLET_BUFFER_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buffer {
    char  *bytes;
    size_t used, size;
};

enum { DIGITS_MAX = 20 /* of a 64-bit number */ };

void  buffer_free(struct buffer *);                 /* empty again, and may be used again */
char *buffer_grow(struct buffer *, size_t bytes);   /* buffer_room's rare half            */

/* Where `bytes` may be written; not yet used.  Valid until the next call. */
static inline char *buffer_room(struct buffer *buffer, size_t bytes)
{
    if (__builtin_expect(buffer->size - buffer->used < bytes, 0))
        return buffer_grow(buffer, bytes);
    return buffer->bytes + buffer->used;
}

static inline void buffer_add(struct buffer *buffer, const void *bytes, size_t length)
{
    char *at = buffer_room(buffer, length);

    if (length > 0)
        memcpy(at, bytes, length);
    buffer->used += length;
}

/* The number in decimal at `at`; returns where it ends.  Lengths have one to three digits. */
char *digits_write_long(char *at, uint64_t number);

static inline char *digits_write(char *at, uint64_t number)
{
    if (number >= 1000)
        return digits_write_long(at, number);
    if (number >= 100)
        *at++ = (char)('0' + number / 100);
    if (number >= 10)
        *at++ = (char)('0' + number / 10 % 10);
    *at++ = (char)('0' + number % 10);
    return at;
}

static inline char *resp_prefix(char *at, char kind, uint64_t number)
{
    *at++ = kind;
    at = digits_write(at, number);
    *at++ = '\r';
    *at++ = '\n';
    return at;
}

/* "*count\r\n": a command of `count` arguments follows. */
static inline void resp_command(struct buffer *buffer, uint32_t count)
{
    char *at = buffer_room(buffer, DIGITS_MAX + 3);

    buffer->used = (size_t)(resp_prefix(at, '*', count) - buffer->bytes);
}

/* "$length\r\n…\r\n" */
static inline void resp_argument(struct buffer *buffer, const void *bytes, size_t length)
{
    char *at = resp_prefix(buffer_room(buffer, length + DIGITS_MAX + 5), '$', length);

    if (length > 0)
        memcpy(at, bytes, length);
    at[length] = '\r';
    at[length + 1] = '\n';
    buffer->used = (size_t)(at + length + 2 - buffer->bytes);
}

static inline void resp_text(struct buffer *buffer, const char *text)
{
    resp_argument(buffer, text, strlen(text));
}

/* A number as an argument: "$2\r\n42\r\n". */
void resp_number(struct buffer *, int64_t number);

#endif
