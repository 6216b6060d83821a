/* workdays.h - which days are worked where: what the world's shippers, couriers and customers
 * keep to.  A day is local, by the city's standard time; work goes round the clock on one.
 */
#ifndef PEAKLOAD_LABELLED_WORKDAYS_H
#define PEAKLOAD_LABELLED_WORKDAYS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* The two days of one holiday at home, as days since 1970. */
struct workdays {
    int64_t holiday;
};

/* The holiday lies about the middle of what begins at start_s, Unix. */
void workdays_make(struct workdays *, int64_t start_s);

/* Whether the local day of that moment is worked in a city of the table. */
bool workdays_is(const struct workdays *, int city, int64_t at_s);

/* Seconds of working time between two moments. */
int64_t workdays_between(const struct workdays *, int city, int64_t from_s, int64_t to_s);

/* The digits 1 (Monday) to 7 of the days worked in a week, for a timetable. */
const char *workdays_week(int city);

/* CSV with a header line: country,day,kind. */
void workdays_print(const struct workdays *, FILE *);

#endif
