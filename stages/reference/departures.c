/* departures.c - the file of planned departures: weekly, or on one date; times are UTC. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/check.h"
#include "pipeline/error.h"
#include "stages/reference/parts.h"

enum { FACILITY, NEXT, SERVICE, DAYS, TIME, CUTOFF };
enum { WEEK = 7, MONDAY = 4 /* 1970-01-05, as a day */, EVERY_DAY = 127 };

struct departure {
    uint8_t  days;       /* set, from Monday; 0 = on `date`                                 */
    int32_t  date;       /* days since 1970-01-01                                           */
    uint32_t at_s;       /* of the day                                                      */
    uint32_t cutoff_s;   /* a parcel must be there so much earlier                          */
};

struct departures_row {
    char              key[KEY_SIZE];
    uint32_t          count;
    struct departure *list;
};

static int read_days(const struct reading *in, struct departure *d)
{
    const char *found = reading_field(in, DAYS);

    d->days = *found == '\0' ? EVERY_DAY : 0;
    if (strlen(found) > WEEK)
        return reading_date(in, DAYS, &d->date);
    for (; *found != '\0'; found++) {
        if (*found < '1' || *found > '7')
            return reading_refuse(in, DAYS, "are digits 1 (Monday) to 7, or YYYY-MM-DD");
        d->days |= (uint8_t)(1u << (*found - '1'));
    }
    return 0;
}

static int read_time(const struct reading *in, struct departure *d)
{
    const char *found = reading_field(in, TIME);
    unsigned    hour = 99, minute = 99;
    int         end = 0;

    if (strlen(found) != 5 || sscanf(found, "%2u:%2u%n", &hour, &minute, &end) != 2 || end != 5
        || hour > 23 || minute > 59)
        return reading_refuse(in, TIME, "is HH:MM, UTC");
    d->at_s = hour * 3600 + minute * 60;
    return 0;
}

static int read_departure(struct reading *in, void *self)
{
    struct reference     *r = self;
    struct departures_row fresh = {.count = 0}, *row;
    struct departure      d = {.days = 0};
    long                  cutoff_min = 0;

    if (key_read(in, 1u << FACILITY, fresh.key) != 0 || read_days(in, &d) != 0
        || read_time(in, &d) != 0
        || reading_number(in, CUTOFF, 0, 7 * 1440, 0, &cutoff_min) != 0)
        return -1;
    d.cutoff_s = (uint32_t)cutoff_min * 60;
    row = rows_find(&r->departures, fresh.key);
    row = row != NULL ? row : rows_add(&r->departures, &fresh);
    row->list = realloc(row->list, (row->count + 1) * sizeof d);
    CHECK(row->list != NULL);
    row->list[row->count++] = d;
    r->departures_count++;
    return 0;
}

const struct form departures_form = {
    .columns  = {"facility", "next", "service", "days", "time", "cutoff_min"},
    .must     = 1u << FACILITY | 1u << TIME,
    .row_size = sizeof(struct departures_row),
    .row      = read_departure,
};

void departures_free(struct reference *r)
{
    for (size_t i = 0; i < r->departures.count; i++)
        free(((struct departures_row *)rows_at(&r->departures, i))->list);
    rows_free(&r->departures);
}

/* The first one of this plan not before ready_s; 0 = over. */
static uint32_t first_after(const struct departure *d, uint32_t ready_s)
{
    uint32_t today = ready_s / DAY_S;

    if (d->days == 0) {
        uint32_t at_s = (uint32_t)d->date * DAY_S + d->at_s;

        return at_s >= ready_s ? at_s : 0;
    }
    for (uint32_t day = today; day <= today + WEEK; day++)
        if (d->days >> ((day + WEEK - MONDAY) % WEEK) & 1 && day * DAY_S + d->at_s >= ready_s)
            return day * DAY_S + d->at_s;
    return 0;
}

static void take_first(const struct reference *r, const char *facility, const char *next,
                       const char *service, uint32_t at_s, uint32_t *first_s)
{
    char key[KEY_SIZE];

    key_make(key, facility, next, service);
    const struct departures_row *row = rows_find(&r->departures, key);

    for (uint32_t i = 0; row != NULL && i < row->count; i++) {
        uint32_t leaves_s = first_after(&row->list[i], at_s + row->list[i].cutoff_s);

        if (leaves_s != 0 && (*first_s == 0 || leaves_s < *first_s))
            *first_s = leaves_s;
    }
}

uint32_t reference_departure_s(const struct reference *r, const char *facility, const char *next,
                               const char *service, uint32_t at_s)
{
    uint32_t first_s = 0;

    if (r->departures.count == 0)
        return 0;
    for (int which = 0; which < 4; which++) {
        const char *to = which & 1 ? "" : next, *by = which & 2 ? "" : service;

        if ((which & 1 && next[0] == '\0') || (which & 2 && service[0] == '\0'))
            continue;    /* the same question again */
        take_first(r, facility, to, by, at_s, &first_s);
    }
    return first_s;
}
