/* site.h - what is known of one subject: its last hour, minute by minute, and what is usual at
 * this hour of the day.
 *
 * owns: watch.c.  thread: one.  Minutes are Unix time ÷ 60; the last one judged is site.minute.
 */
#ifndef STAGES_ACTIVITY_SITE_H
#define STAGES_ACTIVITY_SITE_H

#include <stdbool.h>
#include <stdint.h>

#include "stages/activity/minutes.h"

enum { SITE_MINUTES = 64 /* remembered, one by one */, HOURS_OF_DAY = 24, DELIVERIES_MAX = 64,
       LEARNED_LEAST = 30 /* minutes of an hour, without which nothing is learned of it */ };

struct tick { uint32_t events, out, exceptions; };

/* Of a facility, carrier or lane. */
struct site_past {
    struct tick ticks[SITE_MINUTES];   /* by minute % SITE_MINUTES                            */
    int32_t     on_hand;
    /* What is usual: events a minute at each hour of the day; -1 = not known yet.  And the
     * share of ends that were exceptions, over all hours; -1 = not known. */
    double      usual[HOURS_OF_DAY], usual_exceptions;
    uint32_t    hour_events, hour_minutes;   /* of the hour that is running                   */
    uint32_t    day_ends, day_exceptions;                /* of the day that is running        */
};

struct delivery {
    uint32_t at_s, count;
    char     place[MINUTES_SUBJECT_MAX];
    bool     has_position;
    double   lat, lon;
};

/* Of a courier: its latest deliveries, by event time. */
struct site_deliveries {
    uint32_t        count;
    struct delivery list[DELIVERIES_MAX];
};

struct site {
    char                    subject[MINUTES_SUBJECT_MAX];
    enum subject            kind;
    uint32_t                first, minute; /* judged: the first, and the last one              */
    struct site_past       *past;      /* NULL: it is a courier                               */
    struct site_deliveries *deliveries;
};

/* owns: the caller.  `minute`: nothing before it is known. */
struct site *site_create(enum subject, const char *subject, uint32_t minute);
void         site_destroy(struct site *);

/* The next minute begins: nothing was counted in it yet. */
void site_turn(struct site *, uint32_t minute);
/* What one source counted in it. */
void site_count(struct site *, const struct source_count *);
/* The hour and the day that end with this minute teach what is usual; a minute in which something
 * was wrong does not count. */
void site_learn(struct site *, bool wrong);

/* Sums over the last `minutes` (at most SITE_MINUTES), this one included. */
struct tick site_sum(const struct site *, uint32_t minutes);
/* What is usual in these minutes; -1: for one of them it is not known. */
double site_usual(const struct site *, uint32_t minutes);

#endif
