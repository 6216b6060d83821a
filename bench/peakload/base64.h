/* base64.h - RFC 4648's alphabet, with padding. */
#ifndef PEAKLOAD_BASE64_H
#define PEAKLOAD_BASE64_H

#include <stddef.h>

#define BASE64_ROOM(length) (((size_t)(length) + 2) / 3 * 4 + 1)

/* Into BASE64_ROOM(length) bytes, NUL-terminated; returns the text's length. */
size_t base64_write(char *text, const void *bytes, size_t length);

/* Into at least length ÷ 4 × 3 bytes, which may be the text's own.  0, or -1: not base64. */
int base64_read(void *bytes, size_t *count, const char *text, size_t length);

#endif
