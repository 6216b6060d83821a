/* view.h - what a whole cluster knows, read out of Redis for people.
 *
 * Nothing here touches the pipeline: a connection of its own, plain blocking
 * commands, answers as of the partitions' last checkpoints.  Each answer comes with the
 * mark it is true for; an answer over several partitions is complete to the smallest clock.
 * owns: each answer is the caller's until its view_…_free.  thread: one per view.
 */
#ifndef STAGES_SERVE_VIEW_H
#define STAGES_SERVE_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stages/outlet/mark.h"
#include "stages/parcel/names.h"
#include "stages/parcel/parcel.h"

struct config;
struct view;

/* VIEW_FAILED: Redis does not answer, or not as it should; the error trail says how. */
enum view_result { VIEW_FAILED = -1, VIEW_FOUND = 0, VIEW_ABSENT = 1 };

enum { VIEW_ALERTS_MAX = 10000 };

/* Reads kafka.group, kafka.topics.scans, kafka.partitioner and redis.*; connects when first
 * asked, and anew when the connection is lost.  No command takes longer than redis.timeout
 * or 2 s; after a failed attempt all fail at once for a second, so that a caller who
 * serves others does not wait in a row.  NULL with the error trail. */
struct view *view_open(const struct config *);
void         view_close(struct view *);

/* ── One parcel ── */

struct view_parcel {
    struct parcel parcel;
    struct names *names;       /* those that the parcel uses: names_text                    */
    struct mark   mark;        /* of its partition                                         */
    int32_t       partition;
};

/* By parcel number; if there is none, by carrier number. */
enum view_result view_parcel(struct view *, const char *number, struct view_parcel *);
void             view_parcel_free(struct view_parcel *);

/* ── Open alerts ── */

struct view_filter {           /* "" or NULL = any */
    const char *type, *severity, *parcel, *facility, *owner;
    const char *work;          /* subject: what a facility or a courier has to do, and then the
                                  oldest deadline comes first                               */
    size_t      limit;         /* 0 or more than VIEW_ALERTS_MAX = that                       */
};

struct view_alert {
    int32_t partition;
    char    opened_at[32];
    char    due[32];           /* its deadline, else since when it waits                     */
    char   *json;              /* as sent to the topic of alerts, NUL-terminated              */
};

struct view_alerts {
    struct view_alert *list;   /* the latest opened first, or as the filter says             */
    size_t             count;
    size_t             matching; /* before the limit                                         */
    int64_t            clock_ms; /* complete to; -1 = no partition yet                        */
};

/* VIEW_FOUND with any count, or VIEW_FAILED. */
enum view_result view_alerts(struct view *, const struct view_filter *, struct view_alerts *);
void             view_alerts_free(struct view_alerts *);

/* A member of an alert's JSON (all are flat), unescaped, cut at size; false = not there. */
bool view_member(const char *json, const char *name, char *text, size_t size);

/* ── Partitions ── */

struct view_partition {
    bool        present;       /* false: nobody has claimed it yet                          */
    struct mark mark;
};

struct view_partitions {
    struct view_partition *list; /* by partition number                                      */
    size_t                 count;
};

/* VIEW_ABSENT: no partition of the topic has a mark. */
enum view_result view_partitions(struct view *, struct view_partitions *);
void             view_partitions_free(struct view_partitions *);

/* The smallest clock of those present, -1 = none. */
int64_t view_clock_ms(const struct view_partitions *);

#endif
