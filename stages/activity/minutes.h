/* minutes.h - the records of topic activity, put together: a minute of a share is whole when
 * every partition of the scan topic has told of it, or of a later one.
 *
 * Of what a source tells the last word holds until the minute is whole: whoever replays tells
 * everything again from some minute on, and what a lower epoch says is of yesterday.
 * owns: the caller.  thread: one.
 */
#ifndef STAGES_ACTIVITY_MINUTES_H
#define STAGES_ACTIVITY_MINUTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stages/activity/counts.h"

enum { MINUTES_SOURCES_MAX = 1024, MINUTES_SHARES_MAX = 256, MINUTES_SUBJECT_MAX = 160 };

struct minutes;

/* Empty.  owns: the caller. */
struct minutes *minutes_create(void);
/* With all that waits.  NULL: nothing. */
void            minutes_destroy(struct minutes *);

/* What one source counted of one subject. */
struct source_count {
    enum subject kind;
    const char  *subject;              /* "facility:PVG"; valid during the call                */
    uint32_t     events, in, out, exceptions;
    int32_t      on_hand;
    uint32_t     at_s;                 /* courier: when, where; its position if has_position   */
    char         place[MINUTES_SUBJECT_MAX];
    bool         has_position;
    double       lat, lon;
};

/* Takes one record's value.  0; -1 with the error trail: it is none. */
int minutes_take(struct minutes *, const char *json, size_t length);

/* Which minute (Unix time ÷ 60) of which share is whole; those of a share in order, without a
 * gap.  false: none is. */
bool minutes_whole(struct minutes *, uint32_t *share, uint32_t *minute);
/* Calls `each` for everything that was counted in the share's minute that is whole; the next
 * one is the next. */
void minutes_give(struct minutes *, uint32_t share,
                  void (*each)(void *self, const struct source_count *), void *self);

/* How many streams there are: a share of a source each; 0 = nothing was told yet. */
uint32_t minutes_streams(const struct minutes *);

/* The source that keeps the others waiting longest, and by how many minutes; 0 = none does. */
uint32_t minutes_behind(const struct minutes *, uint32_t *source);

#endif
