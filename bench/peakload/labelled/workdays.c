/* workdays.c - weekends by country, and one holiday. */
#include "bench/peakload/labelled/workdays.h"

#include <string.h>

#include "bench/peakload/times.h"
#include "bench/peakload/world.h"

enum { DAY_S = 86400, WEEK = 7, THURSDAY = 3, FRIDAY = 4, SATURDAY = 5, SUNDAY = 6,
       HOLIDAY_DAYS = 2, HOLIDAY_AFTER_DAYS = 12 };

void workdays_make(struct workdays *w, int64_t start_s)
{
    w->holiday = start_s / DAY_S + HOLIDAY_AFTER_DAYS;
}

static bool rests_on_friday(const char *country)
{
    return strcmp(country, "SA") == 0 || strcmp(country, "IL") == 0;
}

static bool is_worked(const struct workdays *w, int city, int64_t day)
{
    const char *country = city_table[city].country;
    int of_week = (int)((day + THURSDAY) % WEEK);     /* 0 = Monday; 1970 began on a Thursday */

    if (of_week == SATURDAY || of_week == (rests_on_friday(country) ? FRIDAY : SUNDAY))
        return false;
    return strcmp(country, "CN") != 0 || day < w->holiday || day >= w->holiday + HOLIDAY_DAYS;
}

bool workdays_is(const struct workdays *w, int city, int64_t at_s)
{
    return is_worked(w, city, (at_s + city_table[city].zone_minutes * 60) / DAY_S);
}

int64_t workdays_between(const struct workdays *w, int city, int64_t from_s, int64_t to_s)
{
    int64_t zone_s = city_table[city].zone_minutes * 60, sum = 0;

    for (int64_t at = from_s + zone_s, end = to_s + zone_s; at < end;) {
        int64_t next = (at / DAY_S + 1) * DAY_S;

        next = next < end ? next : end;
        if (is_worked(w, city, at / DAY_S))
            sum += next - at;
        at = next;
    }
    return sum;
}

const char *workdays_week(int city)
{
    return rests_on_friday(city_table[city].country) ? "12347" : "12345";
}

static bool is_first_of_country(size_t city)
{
    for (size_t i = 0; i < city; i++)
        if (strcmp(city_table[i].country, city_table[city].country) == 0)
            return false;
    return true;
}

void workdays_print(const struct workdays *w, FILE *out)
{
    char day[TIME_TEXT_MAX];

    fputs("country,day,kind\n", out);
    for (size_t i = 0; i < city_count; i++) {
        const char *country = city_table[i].country;

        if (is_first_of_country(i))
            fprintf(out, "%s,Sat,weekend\n%s,%s,weekend\n", country, country,
                    rests_on_friday(country) ? "Fri" : "Sun");
    }
    for (int i = 0; i < HOLIDAY_DAYS; i++) {
        time_write(day, (w->holiday + i) * DAY_MS, 0, false);
        fprintf(out, "CN,%.10s,holiday\n", day);
    }
}
