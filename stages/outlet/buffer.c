/* buffer.c - growable bytes that Redis commands are written into. */
#include "stages/outlet/buffer.h"

#include <stdlib.h>

#include "pipeline/check.h"

enum { BUFFER_BYTES_MIN = 1024 };

void buffer_free(struct buffer *buffer)
{
    free(buffer->bytes);
    *buffer = (struct buffer) {.bytes = NULL};
}

char *buffer_grow(struct buffer *buffer, size_t bytes)
{
    size_t wanted, size = buffer->size > 0 ? buffer->size : BUFFER_BYTES_MIN;

    CHECK(!__builtin_add_overflow(buffer->used, bytes, &wanted));
    CHECK(wanted <= SIZE_MAX / 2);
    while (size < wanted)
        size *= 2;
    buffer->bytes = realloc(buffer->bytes, size);
    CHECK(buffer->bytes != NULL);
    buffer->size = size;
    return buffer->bytes + buffer->used;
}

char *digits_write_long(char *at, uint64_t number)
{
    char   digits[DIGITS_MAX];
    size_t n = sizeof digits;

    do {
        digits[--n] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    memcpy(at, digits + n, sizeof digits - n);
    return at + sizeof digits - n;
}

void resp_number(struct buffer *buffer, int64_t number)
{
    char  text[DIGITS_MAX + 1];
    char *at = text;

    if (number < 0)
        *at++ = '-';
    at = digits_write(at, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
    resp_argument(buffer, text, (size_t)(at - text));
}
