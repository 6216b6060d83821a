/* times.h - RFC 3339 in and out, without locale, zone files or allocation. */
#ifndef PEAKLOAD_TIMES_H
#define PEAKLOAD_TIMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TIME_TEXT_MAX = 30, MINUTE_MS = 60000, HOUR_MS = 3600000, DAY_MS = 86400000 };

/* Writes "2026-11-11T08:30:00+08:00", with ".123" when `millis`, at p, not NUL-terminated.
 * At most TIME_TEXT_MAX bytes; returns the end.  Years 0 to 9999. */
char *time_write(char *p, int64_t unix_ms, int zone_minutes, bool millis);

/* Reads "2026-11-11T08:30:00[.123][Z|+08:00]" (a space may stand for T).  Without a zone the
 * time is `zone_minutes` ahead of UTC.  0, or -1: not such a time. */
int time_read(const char *text, size_t length, int zone_minutes, int64_t *unix_ms);

/* "+08:00", "-03:00", "Z".  0, or -1. */
int zone_read(const char *text, int *zone_minutes);

/* "90s", "15m", "12h", "3d", "250ms" or plain seconds.  0, or -1. */
int duration_read(const char *text, int64_t *ms);

int64_t  wall_ms(void);        /* Unix time now */
int64_t  wall_us(void);
uint64_t monotonic_ns(void);

#endif
