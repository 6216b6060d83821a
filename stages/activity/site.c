/* site.c - one subject's last hour, and what is usual. */
#include "stages/activity/site.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline/check.h"

#define NEWEST_WEIGHT 0.3   /* of the newest day, in what is usual */

enum { MINUTES_OF_DAY = 1440, ENDS_LEAST = 100 /* of a day, to learn a share from */ };

struct site *site_create(enum subject kind, const char *subject, uint32_t minute)
{
    struct site *site = calloc(1, sizeof *site);

    CHECK(site != NULL && strlen(subject) < sizeof site->subject);
    memcpy(site->subject, subject, strlen(subject) + 1);
    site->kind = kind;
    site->first = site->minute = minute;
    if (kind == SUBJECT_COURIER)
        site->deliveries = calloc(1, sizeof *site->deliveries);
    else
        site->past = calloc(1, sizeof *site->past);
    CHECK(site->past != NULL || site->deliveries != NULL);
    for (int hour = 0; site->past != NULL && hour < HOURS_OF_DAY; hour++)
        site->past->usual[hour] = -1;
    if (site->past != NULL)
        site->past->usual_exceptions = -1;
    return site;
}

void site_destroy(struct site *site)
{
    free(site->past);
    free(site->deliveries);
    free(site);
}

void site_turn(struct site *site, uint32_t minute)
{
    CHECK(minute >= site->minute);
    site->minute = minute;
    if (site->past == NULL)
        return;
    site->past->ticks[minute % SITE_MINUTES] = (struct tick){0};
    site->past->on_hand = 0;   /* each source says anew what it has */
}

/* Sorted in by event time; the oldest makes room. */
static void delivery_add(struct site_deliveries *d, const struct source_count *count)
{
    uint32_t at;

    if (d->count == DELIVERIES_MAX) {
        d->count--;
        memmove(&d->list[0], &d->list[1], d->count * sizeof d->list[0]);
    }
    for (at = d->count; at > 0 && d->list[at - 1].at_s > count->at_s; at--)
        d->list[at] = d->list[at - 1];
    d->list[at] = (struct delivery){.at_s = count->at_s, .count = count->events,
                                    .has_position = count->has_position, .lat = count->lat,
                                    .lon = count->lon};
    memcpy(d->list[at].place, count->place, sizeof count->place);
    d->count++;
}

void site_count(struct site *site, const struct source_count *count)
{
    if (site->past == NULL) {
        delivery_add(site->deliveries, count);
        return;
    }
    struct tick *tick = &site->past->ticks[site->minute % SITE_MINUTES];

    tick->events += count->events;
    tick->out += count->out;
    tick->exceptions += count->exceptions;
    site->past->on_hand += count->on_hand;
}

static void learn(double *usual, double today)
{
    *usual = *usual < 0 ? today : *usual + (today - *usual) * NEWEST_WEIGHT;
}

void site_learn(struct site *site, bool wrong)
{
    struct site_past *past = site->past;

    if (past == NULL)
        return;
    const struct tick *tick = &past->ticks[site->minute % SITE_MINUTES];

    if (!wrong) {
        past->hour_events += tick->events;
        past->hour_minutes++;
        past->day_ends += tick->out + tick->exceptions;
        past->day_exceptions += tick->exceptions;
    }
    if (site->minute % 60 == 59) {
        if (past->hour_minutes >= LEARNED_LEAST)
            learn(&past->usual[site->minute / 60 % HOURS_OF_DAY],
                  (double)past->hour_events / past->hour_minutes);
        past->hour_events = past->hour_minutes = 0;
    }
    if (site->minute % MINUTES_OF_DAY == MINUTES_OF_DAY - 1) {
        if (past->day_ends >= ENDS_LEAST)
            learn(&past->usual_exceptions, (double)past->day_exceptions / past->day_ends);
        past->day_ends = past->day_exceptions = 0;
    }
}

struct tick site_sum(const struct site *site, uint32_t minutes)
{
    struct tick sum = {0};

    CHECK(site->past != NULL && minutes <= SITE_MINUTES);
    for (uint32_t i = 0; i < minutes; i++) {
        const struct tick *tick = &site->past->ticks[(site->minute - i) % SITE_MINUTES];

        sum.events += tick->events;
        sum.out += tick->out;
        sum.exceptions += tick->exceptions;
    }
    return sum;
}

double site_usual(const struct site *site, uint32_t minutes)
{
    double sum = 0;

    CHECK(site->past != NULL);
    for (uint32_t i = 0; i < minutes; i++) {
        double usual = site->past->usual[(site->minute - i) / 60 % HOURS_OF_DAY];

        if (usual < 0)
            return -1;
        sum += usual;
    }
    return sum;
}
