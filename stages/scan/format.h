/* format.h - a wire format of scan events: bytes in, struct scan out.
 *
 * One const struct per format, listed in formats/all.c.  decode() is pure: no
 * state, no clock but the one given, no allocation; whatever the bytes are, it
 * answers within time linear in their length.
 */
#ifndef STAGES_SCAN_FORMAT_H
#define STAGES_SCAN_FORMAT_H

#include "stages/scan/scan.h"

/* Texts written with escapes ("\u4e0a") must be told without them, and the value's own
 * bytes are not ours to change: such a scan's texts are put here, and scan.bytes with them.
 * owns: the caller keeps bytes as long as the scans; one scan takes at most SCAN_SCRATCH. */
struct scratch {
    char  *bytes;
    size_t used, size;
};

enum { SCAN_SCRATCH = 640 };

struct format {
    const char *name;   /* "json": configuration `intake.format` */

    /* Fills *scan from value and checks it against key (NULL = not checked), with `now_ms`
     * (wall time) for the 30-day rule.  offset, kafka_ms, message are the caller's to fill.
     * On a reject *scan is undefined.  value need not be NUL-terminated.  CHECKs that the
     * scratch has room for SCAN_SCRATCH when it is needed. */
    struct verdict (*decode)(const char *value, size_t length, const char *key,
                             size_t key_length, int64_t now_ms, struct scratch *,
                             struct scan *);
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

extern const char digit_pairs[200];   /* "00" "01" … "99": two digits of a number at once */

#endif
