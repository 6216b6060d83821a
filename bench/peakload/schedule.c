/* schedule.c - the rate, summed up; and back from the sum to the time. */
#include "bench/peakload/schedule.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/peakload/lines.h"
#include "bench/peakload/say.h"

enum { KNOTS_MAX = 1000000 };

static int take_shape(void *self, const char *text)
{
    static const char *const words[] = {"linear", "step"};
    int shape = option_choice("curve-shape", text, words, 2);

    ((struct schedule *)self)->step = shape == 1;
    return shape < 0 ? -1 : 0;
}

#define AT(field) offsetof(struct schedule, field)

const struct option_row schedule_rows[SCHEDULE_ROWS] = {
    {OPTION_REAL, "rate", "N", "messages a second; 0 (default) = as fast as possible", AT(rate), 0,
     1e8, NULL},
    {OPTION_TEXT, "curve", "FILE", "the rate as CSV, seconds,rate (bench/peakload/curves/); ends "
     "with it", AT(curve), 0, 0, NULL},
    {OPTION_OTHER, "curve-shape", "SHAPE", "between its lines: linear (default) or step", 0, 0, 0,
     take_shape},
    {OPTION_REAL, "curve-scale", "X", "its rates X times", AT(scale), 1e-9, 1e9, NULL},
    {OPTION_DURATION, "curve-lasts", "TIME", "all of it within TIME, its rates unchanged",
     AT(squeeze_ms), 0, 0, NULL},
};

/* 1: a knot; 0: a heading or a remark; -1: neither. */
static int read_knot(const char *line, size_t length, bool first, struct knot *k)
{
    char text[128], rest;
    int  fields;

    if (length == 0 || line[0] == '#')
        return 0;
    if (length >= sizeof text)
        return -1;
    memcpy(text, line, length);
    text[length] = '\0';
    fields = sscanf(text, "%lf,%lf %c", &k->s, &k->per_s, &rest);
    if (fields == 2 && isfinite(k->s) && isfinite(k->per_s) && k->s >= 0 && k->per_s >= 0)
        return 1;
    return first && fields == 0 ? 0 : -1;
}

static int add_knot(struct schedule *s, const struct knot *k, uint64_t line)
{
    if (s->knots > 0 && k->s <= s->knot[s->knots - 1].s)
        return say("%s:%llu: seconds must rise", s->curve, (unsigned long long)line);
    if (s->knots == 0 && k->s != 0)
        return say("%s:%llu: the first line must be at 0 seconds", s->curve,
                   (unsigned long long)line);
    if (s->knots == KNOTS_MAX)
        return say("%s: more than %d lines", s->curve, KNOTS_MAX);
    if ((s->knots & (s->knots + 1)) == 0)    /* room grows in doublings */
        s->knot = must(realloc(s->knot, sizeof *s->knot * (size_t)(s->knots + 1) * 2));
    s->knot[s->knots++] = *k;
    return 0;
}

static int read_curve(struct schedule *s, struct lines *lines)
{
    size_t length;
    char  *line;
    int    result;

    while ((line = lines_next(lines, &length, &result)) != NULL) {
        struct knot k = {0};
        int kind = read_knot(line, length, s->knots == 0, &k);

        if (kind < 0)
            return say("%s:%llu: want seconds,rate: two numbers, not negative", s->curve,
                       (unsigned long long)lines_number(lines));
        if (kind > 0 && add_knot(s, &k, lines_number(lines)) != 0)
            return -1;
    }
    if (result == 0 && s->knots < 2)
        return say("%s: want two lines seconds,rate at least", s->curve);
    return result;
}

static double mean_rate(const struct schedule *s, int i)
{
    return s->step ? s->knot[i].per_s : (s->knot[i].per_s + s->knot[i + 1].per_s) / 2;
}

static void sum_up(struct schedule *s)
{
    double scale = s->scale > 0 ? s->scale : 1;
    double squeeze = s->squeeze_ms > 0
        ? (double)s->squeeze_ms / 1000 / s->knot[s->knots - 1].s : 1;

    for (int i = 0; i < s->knots; i++) {
        s->knot[i].s *= squeeze;
        s->knot[i].per_s *= scale;
    }
    for (int i = 0; i + 1 < s->knots; i++)
        s->knot[i + 1].count = s->knot[i].count +
                               mean_rate(s, i) * (s->knot[i + 1].s - s->knot[i].s);
}

int schedule_open(struct schedule *s)
{
    struct lines *lines;
    int result;

    if (s->curve == NULL)
        return s->scale > 0 || s->squeeze_ms > 0 || s->step
            ? say("--curve-…: of which --curve?") : 0;
    if (s->rate > 0)
        return say("--rate or --curve, not both");
    lines = lines_open(s->curve);
    if (lines == NULL)
        return -1;
    result = read_curve(s, lines);
    lines_close(lines);
    if (result == 0)
        sum_up(s);
    if (result == 0 && s->knot[s->knots - 1].count < 1)
        return say("%s: not one message in all", s->curve);
    return result;
}

bool schedule_is_open(const struct schedule *s)
{
    return s->rate > 0 || s->knots > 0;
}

/* Messages due between knot i and s. */
static double count_within(const struct schedule *s, int i, double after)
{
    const struct knot *k = &s->knot[i];
    double slope = s->step ? 0 : (k[1].per_s - k->per_s) / (k[1].s - k->s);

    return (k->per_s + slope * after / 2) * after;
}

/* The last knot i for which key(i) <= wanted; not the very last one. */
static int find_knot(const struct schedule *s, double wanted, bool by_count)
{
    int low = 0, high = s->knots - 2;

    while (low < high) {
        int middle = (low + high + 1) / 2;

        if ((by_count ? s->knot[middle].count : s->knot[middle].s) <= wanted)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

double schedule_count(const struct schedule *s, double seconds)
{
    int i;

    if (s->knots == 0)
        return s->rate * seconds;
    if (seconds >= s->knot[s->knots - 1].s)
        return s->knot[s->knots - 1].count;
    i = find_knot(s, seconds, false);
    return s->knot[i].count + count_within(s, i, seconds - s->knot[i].s);
}

double schedule_due(struct schedule *s, double n)
{
    const struct knot *k;
    double left, slope;

    if (s->knots == 0)
        return s->rate > 0 ? n / s->rate : 0;
    if (n < s->knot[s->at].count || (s->at + 1 < s->knots - 1 && n >= s->knot[s->at + 1].count))
        s->at = find_knot(s, n, true);
    k = &s->knot[s->at];
    left = n - k->count;
    slope = s->step ? 0 : (k[1].per_s - k->per_s) / (k[1].s - k->s);
    /* left = rate · t + slope · t² / 2, solved in the form that bears a slope of zero. */
    left = 2 * left / (k->per_s + sqrt(fmax(0, k->per_s * k->per_s + 2 * slope * left)));
    return isfinite(left) ? fmin(k->s + left, k[1].s) : k->s;
}

double schedule_lasts(const struct schedule *s)
{
    return s->knots > 0 ? s->knot[s->knots - 1].s : 0;
}

void schedule_close(struct schedule *s)
{
    free(s->knot);
    s->knot = NULL;
    s->knots = 0;
}
