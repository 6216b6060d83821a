/* watch.h - facilities, carriers, lanes and couriers, watched minute by minute: records of topic
 * activity in, alerts out.
 *
 * All it does is a function of the records, in the order of their partition; one that stands
 * still makes the rules wait, not fire (watch_behind names it).
 * owns: the caller.  thread: one.
 */
#ifndef STAGES_ACTIVITY_WATCH_H
#define STAGES_ACTIVITY_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stages/activity/rule.h"

enum { INCIDENT_TEXT_MAX = 400, REOPEN_MINUTES = 10 };

/* A change of an alert. */
struct incident {
    uint64_t           id;         /* hash(type, subject, minute that opened it)             */
    const struct rule *rule;
    enum alert_state   state;      /* OPENED or RESOLVED                                    */
    uint16_t           sequence;   /* rises with each change, from 1                         */
    const char        *subject;
    uint32_t           opened_s, at_s;   /* ends of the minutes judged                        */
    int64_t            value, threshold;
    char               text[INCIDENT_TEXT_MAX];
};

struct watch;

/* `tell` is called with each change; the incident is valid during the call. */
struct watch *watch_create(const struct rule_values *,
                           void (*tell)(void *self, const struct incident *), void *self);
void          watch_destroy(struct watch *);

/* One record's value.  0; -1 with the error trail: it is none. */
int watch_take(struct watch *, const char *json, size_t length);

/* As minutes_behind. */
uint32_t watch_behind(const struct watch *, uint32_t *source);
/* Judged so far: minutes of shares, and up to when; subjects known; and how many streams of
 * records there are: a share of a source each. */
struct watch_state { uint64_t minutes; uint32_t until_s, subjects, streams; };
struct watch_state watch_state(const struct watch *);

#endif
