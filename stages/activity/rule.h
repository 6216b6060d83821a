/* rule.h - what a rule about facilities, carriers, lanes or couriers is.
 *
 * A rule is one const struct in one file.  Minute by minute it looks at a subject and says
 * whether something is wrong with it; it owns no state, sends nothing and reads no clock.
 * watch.c asks it, and makes alerts of what it says.
 *
 * To add one: write rules/NAME.c and add a row to the table in rules/all.c, and a page to
 * README.md.  Thresholds stand in its struct; settings ("activity.TYPE.NAME") follow.
 */
#ifndef STAGES_ACTIVITY_RULE_H
#define STAGES_ACTIVITY_RULE_H

#include "stages/activity/site.h"
#include "stages/detect/detector.h"

enum { RULES_MAX = 8 };

/* owns: nothing. */
struct opinion {
    bool    wrong;
    int64_t value, threshold;   /* in the rule's unit; `usual` for the sentence               */
    int64_t usual;
};

struct rule {
    const char *type;      /* kebab-case, stable for ever: part of every alert's id            */
    const char *summary;   /* one line                                                        */
    const char *action;    /* kebab-case                                                      */
    const char *unit;      /* of value and threshold                                          */
    const char *sentence;  /* {subject} {value} {threshold} {usual} are replaced               */
    uint8_t     owner;     /* enum alert_owner: whose work it is                               */
    uint8_t     severity;  /* enum severity                                                   */
    uint8_t     kinds;     /* set of 1 << enum subject                                         */
    struct threshold thresholds[THRESHOLDS_MAX];

    /* Is something wrong in the minute that was just judged? */
    struct opinion (*judge)(const struct site *, const int64_t *thresholds);
    /* So many minutes in a row it must be; the index of a threshold, -1 = one. */
    int         lasting;
    /* It looks so far back, at most SITE_MINUTES: the same, -1 = no farther than it knows. */
    int         window;
};

/* THE table, NULL-ended. */
extern const struct rule *const rule_table[RULES_MAX + 1];

struct config;
struct config_row;

/* Their settings.  owns: static.  thread: before others begin. */
const struct config_row *rule_rows(size_t *count);

/* What the configuration says: thresholds by rule, and which are on. */
struct rule_values {
    bool    enabled[RULES_MAX];
    int64_t thresholds[RULES_MAX][THRESHOLDS_MAX];
};
/* 0; -1 with the error trail: a rule cannot look so far back. */
int rule_values_read(struct rule_values *, const struct config *);

#endif
