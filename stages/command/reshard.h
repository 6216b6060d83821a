/* reshard.h - what the files of `peakline reshard` share; nobody else includes it.
 *
 * reshard.c         the command: what is there, what is to be done, in which order
 * reshard_log.c     Kafka: ends of the log, and the backlog on its way home
 * reshard_plan.c    Redis: what is there, and how far it has come
 * reshard_copy.c    Redis: the new state, made beside the old one
 * reshard_switch.c  Redis: it takes the old one's place
 * reshard_record.c  one record into another partition's words
 *
 * The plan is a hash beside partition 0's mark, {GROUP:TOPIC:0}:reshard, so that a run that
 * ends anywhere is taken up by the next.  New state is made under {GROUP:TOPIC:N}:new:… and
 * takes the old one's place in one transaction per partition, partition 0's last: its mark
 * says for how many partitions the state is made, and every claim asks it (own.c).
 */
#ifndef STAGES_COMMAND_RESHARD_H
#define STAGES_COMMAND_RESHARD_H

#include <stdbool.h>
#include <stdint.h>

#include "stages/outlet/mark.h"
#include "stages/parcel/names.h"

struct config;
struct redisReply;
struct reshard_log;
struct view_redis;

enum { RESHARD_SUFFIX_MAX = 32, RESHARD_INDEXES = 5 };
extern const char *const reshard_indexes[RESHARD_INDEXES];   /* a partition's keys but buckets */

/* How far it has come; each is gone through again after an interruption. */
enum reshard_step {
    RESHARD_SENDING,    /* the ends are written down; the backlog is sent again, to its homes */
    RESHARD_COPYING,    /* the new state is made beside the old                             */
    RESHARD_SWITCHING,  /* it is whole: partition by partition it takes the old one's place  */
    RESHARD_STEPS
};

/* One partition: as it was, and as it will be. */
struct reshard_part {
    bool          there;        /* it has a mark                                            */
    struct mark   was;
    int64_t       from, end;    /* backlog: [from, end); where it goes on: end               */
    int64_t       last_ms, last_home;  /* of record end − 1, home −1 = none                   */
    uint64_t      records;
    struct names *names;        /* of the new state                                         */
};

struct reshard {
    const struct config *config;
    struct view_redis   *redis;
    uint32_t             before, after;   /* partitions                                      */
    uint32_t             buckets;         /* per partition, from now on                      */
    bool                 planned;         /* the plan is in Redis                            */
    enum reshard_step    step;
    struct reshard_part *parts;           /* of the larger count                             */
    uint64_t             sent, moved;
};

/* ── Redis ──  0; -1 with the error trail */

/* Marks of the partitions before; r->before = 0: nobody has any. */
int reshard_look(struct reshard *);
/* The plan of an earlier run, if there is one: r->planned. */
int reshard_plan_read(struct reshard *);
int reshard_plan_write(struct reshard *, enum reshard_step);
/* A plan that does not fit any more, and what was copied under it, is given up. */
int reshard_plan_drop(struct reshard *);
int reshard_copy(struct reshard *);
int reshard_switch(struct reshard *);
void reshard_free(struct reshard *);      /* the parts */

/* For these: an answer of this type, or nil; NULL with the error trail.  owns: the caller. */
struct redisReply *reshard_take(const struct reshard *, int type);
/* So many answers that say nothing but that it is done. */
int  reshard_done(const struct reshard *, uint64_t count);
/* 1 = the partition has a mark, 0 = it has none. */
int  reshard_mark(const struct reshard *, uint32_t partition, struct mark *);
void reshard_bucket(char suffix[RESHARD_SUFFIX_MAX], const char *before, uint32_t bucket);
void reshard_plan_key(const struct reshard *, char key[KEY_MAX]);
/* What an interrupted copy has left of a partition. */
int  reshard_clear(const struct reshard *, uint32_t partition);

/* ── reshard_record.c ── */

/* The record in the words of another dictionary: its length in `to`, 0 with the error trail.
 * to: RECORD_BYTES_MAX of them. */
size_t reshard_record(const uint8_t *bytes, size_t length, const struct names *from,
                      struct names *into, uint8_t *to);

/* ── reshard_log.c ── */

/* NULL with the error trail. */
struct reshard_log *reshard_log_open(const struct config *);
void reshard_log_close(struct reshard_log *);
/* Partitions of the topic; -1 with the error trail. */
int32_t reshard_log_partitions(struct reshard_log *);
/* Members of the group; -1 with the error trail. */
int  reshard_log_members(struct reshard_log *);
int  reshard_log_ends(struct reshard_log *, uint32_t partition, int64_t *low, int64_t *high);
/* Sends every record of each partition's [from, end) to where it belongs now, but for those
 * that an earlier run has sent; learns last_ms and last_home. */
int  reshard_log_home(struct reshard_log *, struct reshard *);

#endif
