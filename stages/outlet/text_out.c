/* text_out.c - JSON written straight into bytes that are there.
 *
 * Two in three scans lead to a message of a dozen members, so each writer asks for room
 * once and then stores: digits in pairs, dates as they were printed last, texts whole where
 * nothing in them has to be escaped, which is nearly all.
 */
#include "stages/outlet/text_out.h"

#include "pipeline/check.h"
#include "stages/scan/format.h"

enum { NUMBER_TEXT = 20 /* digits of 2^64 - 1, or of 2^63 and a sign */, HEX_TEXT = 16 };

static const char hex_digits[] = "0123456789abcdef";

static inline bool has_room(struct text_out *o, size_t length)
{
    if (__builtin_expect((size_t)(o->end - o->at) >= length, 1))
        return true;
    o->full = true;
    return false;
}

void out_number(struct text_out *o, int64_t number)
{
    char     digits[NUMBER_TEXT];
    char    *first = digits + sizeof digits;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

    for (; rest >= 100; rest /= 100)
        memcpy(first -= 2, &digit_pairs[rest % 100 * 2], 2);
    if (rest >= 10)
        memcpy(first -= 2, &digit_pairs[rest * 2], 2);
    else
        *--first = (char)('0' + rest);
    if (number < 0)
        *--first = '-';
    out_bytes(o, first, (size_t)(digits + sizeof digits - first));
}

void out_hex16(struct text_out *o, uint64_t number)
{
    if (!has_room(o, HEX_TEXT))
        return;
    for (int i = HEX_TEXT - 1; i >= 0; i--, number >>= 4)
        o->at[i] = hex_digits[number & 15];
    o->at += HEX_TEXT;
}

static bool is_odd(unsigned char c)
{
    return c < 0x20 || c == '"' || c == '\\';
}

/* Bytes of a word that is_odd would name, in their top bits; a borrow may add others above
 * one that is, so it says whether there are any, not which. */
static inline uint64_t odd_bytes(uint64_t word)
{
    const uint64_t ones = 0x0101010101010101u, tops = ones << 7;
    uint64_t quotes = word ^ ones * '"', slashes = word ^ ones * '\\';

    return ((word - ones * 0x20) & ~word & tops) | ((quotes - ones) & ~quotes & tops)
         | ((slashes - ones) & ~slashes & tops);
}

static inline uint64_t word_at(const char *text, size_t length)
{
    uint64_t word = 0x2020202020202020u;   /* spaces: nothing odd in what is not there */

    memcpy(&word, text, length);
    return word;
}

/* Nothing in it has to be escaped. */
static bool is_plain(const char *text, size_t length)
{
    uint64_t odd = 0;
    size_t   at = 0;

    for (; at + 8 <= length; at += 8)
        odd |= odd_bytes(word_at(text + at, 8));
    if (length >= 8)   /* the last eight once more, rather than a tail of any length */
        return (odd | odd_bytes(word_at(text + length - 8, 8))) == 0;
    for (; at < length; at++)
        odd |= is_odd((unsigned char)text[at]);
    return odd == 0;
}

static void out_escaped(struct text_out *o, unsigned char c)
{
    char escape[6] = {'\\', 'u', '0', '0', hex_digits[c >> 4], hex_digits[c & 15]};

    if (c == '"' || c == '\\') {
        escape[1] = (char)c;
        out_bytes(o, escape, 2);
    } else {
        out_bytes(o, escape, sizeof escape);
    }
}

static void out_escaping(struct text_out *o, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (is_odd((unsigned char)text[i]))
            out_escaped(o, (unsigned char)text[i]);
        else
            out_bytes(o, text + i, 1);
    }
}

void out_string(struct text_out *o, const char *text, size_t length)
{
    out_literal(o, "\"");
    if (is_plain(text, length))
        out_bytes(o, text, length);
    else
        out_escaping(o, text, length);
    out_literal(o, "\"");
}

void out_time(struct text_out *o, uint32_t unix_s)
{
    if (unix_s == 0) {
        out_literal(o, "null");
        return;
    }
    if (!has_room(o, TIME_TEXT + 2))
        return;
    CHECK(time_print((int64_t)unix_s * 1000, o->at + 1) == TIME_TEXT);
    o->at[0] = '"';
    o->at[20] = 'Z';   /* whole seconds: the fraction is always zero */
    o->at[21] = '"';
    o->at += 22;
}
