/* time.c - RFC 3339 times to Unix milliseconds and back, without a time zone in sight.
 *
 * Pure arithmetic on the proleptic Gregorian calendar: no libc call, whose locks
 * and zone files do not belong on the hot path.
 */
#include <stdbool.h>
#include <string.h>

#include "pipeline/check.h"
#include "stages/scan/format.h"

enum { DAYS_TO_1970 = 719528 /* from 0000-01-01 */, DAY_S = 86400 };

static const uint16_t days_before[13] = {0,   0,   31,  59,  90,  120, 151,
                                         181, 212, 243, 273, 304, 334};
static const uint8_t  days_in[13] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

static bool is_leap(unsigned year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Two digits; anything else gives a number no part of a time can have. */
static inline unsigned two(const char *text)
{
    unsigned tens = (unsigned char)text[0] - '0', ones = (unsigned char)text[1] - '0';

    return tens <= 9 && ones <= 9 ? tens * 10 + ones : 1000;
}

/* Eight characters at once: takes `form` off, which leaves digits where it has a '0' and
 * nothing where it has a sign; `room` is what is left to 15.  Then each byte of
 * *pairs is ten times the digit there and the one after it. */
static inline bool parse_eight(const char *text, const char *form, uint64_t room, uint64_t *pairs)
{
    uint64_t bytes, signs;

    memcpy(&bytes, text, 8);
    memcpy(&signs, form, 8);
    bytes ^= signs;
    *pairs = bytes * 10 + (bytes >> 8);
    return ((bytes | (bytes + room)) & 0xf0f0f0f0f0f0f0f0u) == 0;
}

static bool date_valid(unsigned year, unsigned month, unsigned day)
{
    if (month < 1 || month > 12 || day < 1)
        return false;
    return day <= 28 || day <= days_in[month] + (unsigned)(month == 2 && is_leap(year));
}

/* A year's odd day counts from March on: the leap days before are those of the years up to
 * this one, or up to the last.  400 years more, with their 97 odd days, keep it positive. */
static int64_t days_of(unsigned year, unsigned month, unsigned day)
{
    unsigned y = year + 400 - (month < 3);
    unsigned leap_days = y / 4 - y / 100 + y / 400 - 97;

    return (int64_t)(year * 365 + leap_days + days_before[month] + day) - DAYS_TO_1970;
}

/* "2026-11-11T08:30:00": seconds since 1970, or false.  A leap second is the next minute's
 * first. */
static bool parse_moment(const char *text, int64_t *unix_s)
{
    uint64_t date, clock;
    char     middle[8];

    memcpy(middle, text + 8, 8);
    middle[2] = middle[2] == 't' || middle[2] == ' ' ? 'T' : middle[2]; /* RFC 3339, 5.6 */
    if (!parse_eight(text, "0000-00-", 0x0f06060f06060606u, &date)
        || !parse_eight(middle, "00T00:00", 0x06060f06060f0606u, &clock))
        return false;
    unsigned year = (unsigned)(date & 255) * 100 + (date >> 16 & 255),
             month = date >> 40 & 255, day = clock & 255, hour = clock >> 24 & 255,
             minute = clock >> 48 & 255, second = two(text + 17);

    if (!date_valid(year, month, day) || hour > 23 || minute > 59 || second > 60
        || text[16] != ':')
        return false;
    *unix_s = days_of(year, month, day) * DAY_S + hour * 3600 + minute * 60 + second;
    return true;
}

/* "Z", "+08:00": seconds to take off, or false. */
static bool parse_zone(const char *text, size_t length, int64_t *seconds)
{
    *seconds = 0;
    if (length == 1)
        return *text == 'Z' || *text == 'z';
    if (length != 6 || (*text != '+' && *text != '-') || text[3] != ':')
        return false;
    unsigned hours = two(text + 1), minutes = two(text + 4);
    if (hours > 23 || minutes > 59)
        return false;
    *seconds = (int64_t)(hours * 3600 + minutes * 60) * (*text == '-' ? -1 : 1);
    return true;
}

int time_parse(const char *text, size_t length, int64_t *unix_ms)
{
    int64_t seconds, zone;
    size_t  at = 19;
    int     ms = 0, weight = 100;

    if (length < 20 || !parse_moment(text, &seconds))
        return -1;
    if (text[at] == '.') {
        size_t first = ++at;

        for (; at < length && text[at] >= '0' && text[at] <= '9'; at++, weight /= 10)
            ms += (text[at] - '0') * weight;
        if (at == first)
            return -1;
    }
    if (at >= length || !parse_zone(text + at, length - at, &zone))
        return -1;
    *unix_ms = (seconds - zone) * 1000 + ms;
    return 0;
}

/* "00" "01" … "99" */
const char digit_pairs[200] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
    "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
    "8081828384858687888990919293949596979899";

static inline void put_two(char *text, int64_t number)
{
    memcpy(text, &digit_pairs[number * 2], 2);
}

/* After Howard Hinnant's civil_from_days: years that begin in March have their odd day last. */
static void put_date(char *text, int64_t days)
{
    int64_t from_march = days + DAYS_TO_1970 - 60;
    int64_t era = (from_march >= 0 ? from_march : from_march - 146096) / 146097;
    int64_t day_of_era = from_march - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524
                           - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    int64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    int64_t year = year_of_era + era * 400 + (month <= 2);

    put_two(text, year / 100);
    put_two(text + 2, year % 100);
    text[4] = text[7] = '-';
    put_two(text + 5, month);
    put_two(text + 8, day_of_year - (153 * month_from_march + 2) / 5 + 1);
}

/* Outputs speak of the same few days over and over. */
static void put_date_again(char *text, int64_t days)
{
    static _Thread_local struct { int64_t days; char text[10]; } seen[8];
    const size_t slot = (size_t)(days & 7);

    if (seen[slot].days != days || seen[slot].text[0] == '\0') {
        put_date(seen[slot].text, days);
        seen[slot].days = days;
    }
    memcpy(text, seen[slot].text, sizeof seen[slot].text);
}

size_t time_print(int64_t unix_ms, char *text)
{
    const int64_t day_ms = DAY_S * INT64_C(1000);

    CHECK(unix_ms >= -DAYS_TO_1970 * day_ms);         /* 0000-01-01 */
    CHECK(unix_ms < INT64_C(253402300800000));        /* 10000-01-01 */
    int64_t  day = unix_ms / day_ms - (unix_ms % day_ms < 0);
    uint32_t ms = (uint32_t)(unix_ms - day * day_ms), s = ms / 1000;

    put_date_again(text, day);
    text[10] = 'T';
    put_two(text + 11, s / 3600);
    text[13] = text[16] = ':';
    put_two(text + 14, s / 60 % 60);
    put_two(text + 17, s % 60);
    text[19] = '.';
    text[20] = (char)('0' + ms % 1000 / 100);
    put_two(text + 21, ms % 100);
    text[23] = 'Z';
    return TIME_TEXT;
}
