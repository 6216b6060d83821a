/* source.h - what the files of stage source_kafka share; nobody else includes it.
 *
 * source_kafka.c   the stage: the client's events, the group's give and take, drain
 * source_claim.c   one partition's way from "the group gave it" to its first scan
 * source_feed.c    scans, pulses and commits of the partitions that run
 */
#ifndef STAGES_INTAKE_SOURCE_H
#define STAGES_INTAKE_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "pipeline/stage.h"
#include "stages/board.h"
#include "stages/intake/consumer.h"
#include "stages/intake/passage.h"
#include "stages/intake/source_memory.h"
#include "stages/intake/start.h"

enum {
    SOURCE_BURST = 4,      /* batches per tick                                              */
    SOURCE_RESERVE = 8,    /* batches kept for orders                                       */
    SOURCE_OUT_MAX = 8,    /* batches of scans one partition may have out: a held one must not
                              take the whole pool                                          */
    SOURCE_PARTITIONS_MAX = BOARD_PARTITIONS_MAX
};

#define MS_NS ((uint64_t)1000000)
#define SOURCE_RELEASE_NS (20000 * MS_NS) /* let go by then, without a last cut if need be */

enum seat_state {
    SEAT_NONE, SEAT_WAITING, SEAT_ASKING, SEAT_COMMITTING, SEAT_CLAIMING, SEAT_LOCATING,
    SEAT_SEEKING, SEAT_VERIFYING, SEAT_FEEDING, SEAT_STOPPED, SEAT_RELEASING
};

/* What track has yet to be told. */
enum seat_owes { OWES_NOTHING, OWES_ASSIGN, OWES_REVOKE, OWES_LOST };

struct commit {
    int64_t  offset;       /* -1 = none */
    uint64_t epoch;
};

struct seat {                   /* one partition                                         */
    int32_t  partition;
    uint32_t assignment;        /* of the claim; batches with another are stale              */
    uint32_t told;              /* the assignment track knows of, 0 = none                   */
    uint8_t  state, owes, group;   /* enum seat_state, seat_owes, group_kind                 */
    bool     pulse_out, ends_asked, check_valid;
    bool     revoke_home;       /* RELEASING: track has let go                              */
    bool     fed_since_ends;    /* scans were read since the log's ends were asked for         */
    uint32_t out;               /* batches of scans not yet back, of any assignment          */
    uint32_t last_count;        /* scans the client gave the last time                      */
    uint64_t due_ns;            /* back-off or patience ends; 0 = never                      */
    uint64_t backoff_ns;
    uint64_t located_by_ns;     /* LOCATING: until then an end below us may be a lagging broker */
    uint64_t fed_ns, placed_ns, ends_ns, pulse_ns;

    int64_t  group_offset, first; /* the commit found, or made; where begins what has no mark */
    char     metadata[96];
    int64_t  low, high;         /* the log's ends, and when they were asked for               */
    int64_t  ends_sent_ms;
    int64_t  next;              /* next offset to emit                                      */
    int64_t  suppress_below;
    int64_t  check_kafka_ms;    /* of record next − 1, as mark remembers it                   */
    uint32_t check_home;

    struct commit wanted, sent, committed;
    uint64_t commit_ns;         /* in flight since, or not again before                     */
    char     why[208];
};

struct source {
    struct stage   *stage;
    struct memory   memory;
    struct consumer consumer;
    struct pool    *pool;
    struct start    start;
    bool            accept_gap, idle_advance, draining, drained;
    bool            assign_due, unassign_due; /* the client waits for assign(…), assign(none)   */
    uint64_t        assign_by_ns, chores_ns, config_hash;
    uint32_t        budget;        /* batches this call may still emit                      */
    uint32_t        assignments;   /* numbers given so far                                  */
    int32_t         count, count_now; /* the topic's partitions as first and last seen; 0 = not */
    uint32_t        mine_count, feed_next, stayed;
    int32_t         mine[SOURCE_PARTITIONS_MAX];  /* partitions whose seat is not NONE        */
    struct seat     seats[SOURCE_PARTITIONS_MAX];
    struct metric  *messages, *claims, *reclaims, *stopped, *commits, *refused, *gaps, *rebalances;
};

/* ── source_claim.c ──  all on the stage's runner; times are monotonic ns */
/* Begins a claim under a new number; after the seat's back-off if `later`. */
void seat_claim(struct source *, struct seat *, bool later, uint64_t now_ns);
/* An answer to ask(), and one to the commit that a claim begins with. */
void seat_position(struct source *, struct seat *, const struct consumer_event *, uint64_t now_ns);
void seat_committed(struct source *, struct seat *, enum consumer_error, uint64_t now_ns);
/* track has claimed it.  Or the client can't read at `next`. */
void seat_start(struct seat *, const struct passage *, uint64_t now_ns);
void seat_locate(struct seat *, uint64_t now_ns);
/* Where the client is to begin, and: it has been told so. */
int64_t seat_from(const struct seat *);
void    seat_placed(struct seat *, uint64_t now_ns);
/* How many of these records stand before `next`; the last is compared with what mark
 * remembers.  -1: it is another topic's log, the seat has been stopped. */
int  seat_verify(struct source *, struct seat *, const struct raw *, size_t count);
void seat_fenced(struct source *, struct seat *, uint64_t now_ns);   /* a commit was refused */
__attribute__((format(printf, 3, 4)))
void seat_stop(struct source *, struct seat *, const char *format, ...);
void seat_step(struct source *, struct seat *, uint64_t now_ns);   /* time has passed */
void ask_ends(struct source *, struct seat *, uint64_t now_ns);

/* ── source_feed.c ──  emit at most source->budget batches; return work done */

int  source_tell(struct source *, struct seat *, uint64_t now_ns); /* what the seat owes */
int  source_pulse(struct source *, struct seat *, uint64_t now_ns);
int  source_feed(struct source *, uint64_t now_ns);
void seat_commit(struct source *, struct seat *, uint64_t now_ns); /* the newest one wanted */
bool seat_uncommitted(const struct seat *);                        /* one is wanted or sent */

#endif
