/* base64.c - three bytes as four characters. */
#include "bench/peakload/base64.h"

#include <stdint.h>
#include <string.h>

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t base64_write(char *text, const void *bytes, size_t length)
{
    const uint8_t *p = bytes;
    char *out = text;

    for (size_t i = 0; i < length; i += 3) {
        size_t left = length - i;
        uint32_t three = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) |
                         (left > 2 ? p[i + 2] : 0);

        *out++ = alphabet[three >> 18];
        *out++ = alphabet[three >> 12 & 63];
        *out++ = left > 1 ? alphabet[three >> 6 & 63] : '=';
        *out++ = left > 2 ? alphabet[three & 63] : '=';
    }
    *out = '\0';
    return (size_t)(out - text);
}

static int digit(char c)
{
    const char *at = c == '\0' ? NULL : strchr(alphabet, c);

    return at == NULL ? -1 : (int)(at - alphabet);
}

int base64_read(void *bytes, size_t *count, const char *text, size_t length)
{
    uint8_t *out = bytes;
    size_t pads = length == 0 ? 0 : (size_t)(text[length - 1] == '=') +
                                    (size_t)(length > 1 && text[length - 2] == '=');

    *count = length / 4 * 3 - pads;
    if (length % 4 != 0)
        return -1;
    for (size_t i = 0; i < length; i += 4) {
        uint32_t three = 0;
        size_t   there = i + 4 == length ? 4 - pads : 4;

        for (size_t k = 0; k < there; k++) {
            int value = digit(text[i + k]);

            if (value < 0)
                return -1;
            three |= (uint32_t)value << (18 - 6 * k);
        }
        for (size_t k = 0; k + 1 < there; k++)
            *out++ = (uint8_t)(three >> (16 - 8 * k));
    }
    return 0;
}
