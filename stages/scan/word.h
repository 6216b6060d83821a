/* word.h - a short name as one number, so that a table finds it without a search.
 *
 * The first eight bytes tell all our names apart.  A multiplier, found by trial,
 * spreads them over a table without a collision; a new name that collides does
 * not compile (a slot initialised twice), then try another odd multiplier.
 */
#ifndef STAGES_SCAN_WORD_H
#define STAGES_SCAN_WORD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* WORD('b', 'a', 'g'): what word_of("bag", 3) returns, as a constant. */
#define WORD(...) WORD_OF_EIGHT(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)
#define WORD_OF_EIGHT(a, b, c, d, e, f, g, h, ...)                                    \
    ((uint64_t)(a) | (uint64_t)(b) << 8 | (uint64_t)(c) << 16 | (uint64_t)(d) << 24 | \
     (uint64_t)(e) << 32 | (uint64_t)(f) << 40 | (uint64_t)(g) << 48 | (uint64_t)(h) << 56)

/* Slot of a word in a table of 64. */
#define WORD_SLOT(word, multiplier) ((word) * (multiplier) >> 58)

/* The first eight bytes of text, fewer filled with 0.  Reads nothing beyond `length`. */
static inline uint64_t word_of(const char *text, size_t length)
{
    uint64_t word = 0;
    uint32_t low, high;

    if (length >= 8) {
        memcpy(&word, text, 8);
    } else if (length >= 4) {
        memcpy(&low, text, 4);
        memcpy(&high, text + length - 4, 4);
        word = low | (uint64_t)high << 8 * (length - 4);
    } else {
        for (size_t i = 0; i < length; i++)
            word |= (uint64_t)(unsigned char)text[i] << 8 * i;
    }
    return word;
}

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "words, murmur2 and records are little-endian"
#endif

#endif
