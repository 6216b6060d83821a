/* parts.h - the tables of a reference, and what their files offer each other. */
#ifndef STAGES_REFERENCE_PARTS_H
#define STAGES_REFERENCE_PARTS_H

#include "stages/reference/reading.h"
#include "stages/reference/reference.h"
#include "stages/reference/rows.h"

enum { KEY_SIZE = 2 * CODE_SIZE + SERVICE_SIZE, DAY_S = 86400 };

struct reference {
    uint32_t    parts;                       /* set of enum reference_part                  */
    struct rows facilities, routes, departures, promises, calendars;
    size_t      departures_count;            /* rows of the file: several may share a key    */
};

/* A form for each file; self is the reference. */
extern const struct form facilities_form, routes_form, departures_form, promises_form,
                         calendars_form;

/* After all files: dates in order, and each facility with its country's calendar. */
void calendars_settle(struct reference *);
void departures_free(struct reference *);
void calendars_free(struct reference *);

/* Seconds that the zone's standard time is ahead of UTC; -1 with the error trail when the
 * time zone database is there and does not have it. */
int zone_offset(const char *zone, int32_t *offset_s);

/* The key of three texts, as rows begin with it. */
void key_make(char key[KEY_SIZE], const char *one, const char *two, const char *three);

/* Three columns (0, 1, 2) as a key; the first two have to be there where `must` says so. */
int key_read(const struct reading *, unsigned must, char key[KEY_SIZE]);

#endif
