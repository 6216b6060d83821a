/* text_out.h - JSON written straight into bytes that are there: no tree, no allocation.
 *
 * A cursor over a bounded area.  What does not fit is cut and `full` is set, so a
 * writer checks once, at the end.
 */
#ifndef STAGES_OUTLET_TEXT_OUT_H
#define STAGES_OUTLET_TEXT_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct text_out {
    char *at, *end;
    bool  full;
};

static inline void out_bytes(struct text_out *o, const char *bytes, size_t length)
{
    if (__builtin_expect((size_t)(o->end - o->at) < length, 0)) {
        o->full = true;
        return;
    }
    memcpy(o->at, bytes, length);
    o->at += length;
}

#define out_literal(o, text) out_bytes((o), "" text, sizeof(text) - 1)

/* `,"name":`, and its length: how a member begins, put together by the compiler. */
#define MEMBER(name) ",\"" name "\":", sizeof(",\"" name "\":") - 1

void out_number(struct text_out *, int64_t number);
void out_hex16(struct text_out *, uint64_t number);          /* 16 digits, lower case */
void out_string(struct text_out *, const char *text, size_t length); /* "…", escaped   */
void out_time(struct text_out *, uint32_t unix_s);           /* "…Z" in quotes; 0: null */

#endif
