/* times.c - RFC 3339 in and out.  Civil dates by the days-from-era arithmetic of
 * H. Hinnant, "chrono-compatible low-level date algorithms": years begin in March. */
#include "bench/peakload/times.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static char *put2(char *p, unsigned value)
{
    p[0] = (char)('0' + value / 10);
    p[1] = (char)('0' + value % 10);
    return p + 2;
}

static char *put_date(char *p, int64_t days)
{
    uint32_t z   = (uint32_t)(days + 719468);
    uint32_t era = z / 146097, doe = z % 146097;
    uint32_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    uint32_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    uint32_t mp  = (5 * doy + 2) / 153;
    uint32_t month = mp < 10 ? mp + 3 : mp - 9;
    uint32_t year  = yoe + era * 400 + (month <= 2);

    p = put2(put2(p, year / 100), year % 100);
    *p++ = '-';
    p = put2(p, month);
    *p++ = '-';
    return put2(p, doy - (153 * mp + 2) / 5 + 1);
}

static int64_t days_of(int year, int month, int day)
{
    int64_t  y   = year - (month <= 2);
    int64_t  era = (y >= 0 ? y : y - 399) / 400;
    int64_t  yoe = y - era * 400;
    int64_t  doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

char *time_write(char *p, int64_t unix_ms, int zone_minutes, bool millis)
{
    int64_t  local = unix_ms + (int64_t)zone_minutes * MINUTE_MS;
    int64_t  days = local / DAY_MS - (local % DAY_MS < 0);
    uint32_t ms   = (uint32_t)(local - days * DAY_MS), s = ms / 1000;
    unsigned ahead = (unsigned)(zone_minutes < 0 ? -zone_minutes : zone_minutes);

    p = put_date(p, days);
    *p++ = 'T';
    p = put2(p, s / 3600);
    *p++ = ':';
    p = put2(p, s / 60 % 60);
    *p++ = ':';
    p = put2(p, s % 60);
    if (millis) {
        *p++ = '.';
        *p++ = (char)('0' + ms % 1000 / 100);
        p = put2(p, ms % 100);
    }
    if (zone_minutes == 0) {
        *p++ = 'Z';
        return p;
    }
    *p++ = zone_minutes < 0 ? '-' : '+';
    p = put2(p, ahead / 60);
    *p++ = ':';
    return put2(p, ahead % 60);
}

/* `digits` decimal digits at *p, then moves on; -1: not digits. */
static int number(const char **p, const char *end, int digits)
{
    int value = 0;

    if (end - *p < digits)
        return -1;
    for (; digits > 0; digits--, (*p)++) {
        if (**p < '0' || **p > '9')
            return -1;
        value = value * 10 + (**p - '0');
    }
    return value;
}

static bool skip(const char **p, const char *end, char wanted)
{
    if (*p >= end || **p != wanted)
        return false;
    (*p)++;
    return true;
}

static int read_zone(const char *p, const char *end, int *minutes)
{
    int sign, hours, rest;

    if (end - p == 1 && (*p == 'Z' || *p == 'z')) {
        *minutes = 0;
        return 0;
    }
    if (p >= end || (*p != '+' && *p != '-'))
        return -1;
    sign = *p++ == '-' ? -1 : 1;
    hours = number(&p, end, 2);
    if (!skip(&p, end, ':'))
        return -1;
    rest = number(&p, end, 2);
    if (hours < 0 || hours > 23 || rest < 0 || rest > 59 || p != end)
        return -1;
    *minutes = sign * (hours * 60 + rest);
    return 0;
}

static int read_fraction(const char **p, const char *end)
{
    int ms = 0, scale = 100;

    if (!skip(p, end, '.'))
        return 0;
    for (; *p < end && **p >= '0' && **p <= '9'; (*p)++, scale /= 10)
        ms += (**p - '0') * scale;
    return ms;
}

int time_read(const char *text, size_t length, int zone_minutes, int64_t *unix_ms)
{
    const char *p = text, *end = text + length;
    int year, month, day, hour, minute, second, ms;

    year = number(&p, end, 4);
    if (!skip(&p, end, '-'))
        return -1;
    month = number(&p, end, 2);
    if (!skip(&p, end, '-'))
        return -1;
    day = number(&p, end, 2);
    if (!skip(&p, end, 'T') && !skip(&p, end, ' '))
        return -1;
    hour = number(&p, end, 2);
    if (!skip(&p, end, ':'))
        return -1;
    minute = number(&p, end, 2);
    if (!skip(&p, end, ':'))
        return -1;
    second = number(&p, end, 2);
    if (year < 0 || month < 1 || month > 12 || day < 1 || day > 31 || hour < 0 || hour > 23 ||
        minute < 0 || minute > 59 || second < 0 || second > 60)
        return -1;
    ms = read_fraction(&p, end);
    if (p != end && read_zone(p, end, &zone_minutes) != 0)
        return -1;
    *unix_ms = days_of(year, month, day) * DAY_MS +
               ((hour * 60 + minute - zone_minutes) * 60 + second) * INT64_C(1000) + ms;
    return 0;
}

int zone_read(const char *text, int *zone_minutes)
{
    return read_zone(text, text + strlen(text), zone_minutes);
}

int duration_read(const char *text, int64_t *ms)
{
    static const struct { const char *unit; double ms; } units[] = {
        {"", 1000}, {"ms", 1}, {"s", 1000}, {"m", MINUTE_MS}, {"h", HOUR_MS}, {"d", DAY_MS}};
    char  *end;
    double value = strtod(text, &end);

    if (end == text || !(value >= 0) || value > 1e9)
        return -1;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcmp(end, units[i].unit) == 0) {
            *ms = (int64_t)(value * units[i].ms);
            return 0;
        }
    return -1;
}

int64_t wall_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t wall_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

uint64_t monotonic_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}
