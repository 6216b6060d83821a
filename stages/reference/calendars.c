/* calendars.c - the file of calendars: on which days of a country work is done.
 *
 * A network works round the clock on a working day, so working time is the time of whole
 * local days.  The year round a zone's days begin as its standard time says: in summer the
 * border of a weekend is an hour off.
 */
#include <stdlib.h>
#include <string.h>

#include "pipeline/check.h"
#include "pipeline/error.h"
#include "stages/reference/parts.h"

enum { COUNTRY, DAY, KIND };
enum { WEEK = 7, MONDAY = 4 /* 1970-01-05, as a day */, DAYS_MAX = 800 };

struct date {
    int32_t day;         /* since 1970-01-01                                                */
    bool    working;
};

struct calendar {
    char         country[3];
    uint8_t      weekend;     /* set of days, from Monday                                    */
    uint32_t     count;
    struct date *dates;
};

static const char *const weekdays[WEEK] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};

static int read_weekend(const struct reading *in, struct calendar *c)
{
    for (int i = 0; i < WEEK; i++)
        if (strcmp(reading_field(in, DAY), weekdays[i]) == 0) {
            c->weekend |= (uint8_t)(1u << i);
            return 0;
        }
    return reading_refuse(in, DAY, "is Mon, Tue, Wed, Thu, Fri, Sat or Sun where kind is weekend");
}

static int read_day(struct reading *in, void *self)
{
    struct reference *r = self;
    struct calendar   fresh = {.weekend = 0}, *c;
    struct date       date = {.working = strcmp(reading_field(in, KIND), "working") == 0};

    if (*reading_field(in, COUNTRY) == '\0' || reading_country(in, COUNTRY, fresh.country) != 0)
        return reading_refuse(in, COUNTRY, "are two letters A-Z");
    c = rows_find(&r->calendars, fresh.country);
    c = c != NULL ? c : rows_add(&r->calendars, &fresh);
    if (strcmp(reading_field(in, KIND), "weekend") == 0)
        return read_weekend(in, c);
    if (!date.working && strcmp(reading_field(in, KIND), "holiday") != 0)
        return reading_refuse(in, KIND, "are weekend, holiday and working");
    if (reading_date(in, DAY, &date.day) != 0)
        return -1;
    c->dates = realloc(c->dates, (c->count + 1) * sizeof date);
    CHECK(c->dates != NULL);
    c->dates[c->count++] = date;
    return 0;
}

const struct form calendars_form = {
    .columns  = {"country", "day", "kind"},
    .must     = 1u << COUNTRY | 1u << DAY | 1u << KIND,
    .row_size = sizeof(struct calendar),
    .row      = read_day,
};

static int compare(const void *a, const void *b)
{
    const struct date *one = a, *other = b;

    return (one->day > other->day) - (one->day < other->day);
}

void calendars_settle(struct reference *r)
{
    for (size_t i = 0; i < r->calendars.count; i++) {
        struct calendar *c = rows_at(&r->calendars, i);

        if (c->count > 0)
            qsort(c->dates, c->count, sizeof *c->dates, compare);
    }
    for (size_t i = 0; i < r->facilities.count; i++) {
        struct facility *f = rows_at(&r->facilities, i);

        f->calendar = rows_find(&r->calendars, f->country);
    }
}

void calendars_free(struct reference *r)
{
    for (size_t i = 0; i < r->calendars.count; i++)
        free(((struct calendar *)rows_at(&r->calendars, i))->dates);
    rows_free(&r->calendars);
}

static bool is_working(const struct calendar *c, int32_t day)
{
    const struct date  wanted = {.day = day};
    const struct date *found = c->count == 0 ? NULL
                             : bsearch(&wanted, c->dates, c->count, sizeof wanted, compare);

    return found != NULL ? found->working : !(c->weekend >> ((day + WEEK - MONDAY) % WEEK) & 1);
}

uint32_t facility_work_after(const struct facility *f, uint32_t from_s, uint32_t duration_s)
{
    if (f == NULL || f->calendar == NULL)
        return from_s + duration_s;
    int64_t local_s = (int64_t)from_s + f->zone_s, left_s = duration_s;

    for (int days = 0; days < DAYS_MAX; days++) {
        int32_t today = (int32_t)(local_s / DAY_S);
        int64_t tomorrow_s = ((int64_t)today + 1) * DAY_S;

        if (is_working(f->calendar, today)) {
            if (local_s + left_s <= tomorrow_s)
                break;
            left_s -= tomorrow_s - local_s;
        }
        local_s = tomorrow_s;
    }
    return (uint32_t)(local_s + left_s - f->zone_s);
}
