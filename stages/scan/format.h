/* format.h - a wire format of scan events: bytes in, struct scan out.
 *
 * One const struct per format, listed in formats/all.c.  decode() is pure: no
 * state, no clock but the one given, no allocation; whatever the bytes are, it
 * answers within time linear in their length.
 */
#ifndef STAGES_SCAN_FORMAT_H
#define STAGES_SCAN_FORMAT_H

#include "stages/scan/scan.h"

struct format {
    const char *name;   /* "json": configuration `intake.format` */

    /* Fills *scan from value and checks it against key (NULL = not checked), with `now_ms`
     * for the 30-day rule.  offset, kafka_ms, message are the caller's to fill.
     * On a reject *scan is undefined.  value need not be NUL-terminated. */
    struct verdict (*decode)(const char *value, size_t length, const char *key,
                             size_t key_length, int64_t now_ms, struct scan *scan);
};

extern const struct format format_json;
extern const struct format *const format_table[];   /* NULL-ended */

const struct format *format_find(const char *name);  /* NULL: not there */

/* RFC 3339 with zone, up to ms (further digits are cut).  0, or -1. */
int time_parse(const char *text, size_t length, int64_t *unix_ms);

enum { TIME_TEXT = 24 };
/* "2026-11-11T08:30:00.000Z" into text[TIME_TEXT], not NUL-terminated; returns TIME_TEXT.
 * The years 0000 to 9999. */
size_t time_print(int64_t unix_ms, char *text);

#endif
