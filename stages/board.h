/* board.h - where each partition stands, for whoever looks from outside.
 *
 * Written by the stages (each field by one), read by HTTP, health and metrics.
 * No decision inside the pipeline is taken from it.
 */
#ifndef STAGES_BOARD_H
#define STAGES_BOARD_H

#include <stdatomic.h>
#include <stdint.h>

enum { BOARD_PARTITIONS_MAX = 1024 };

enum phase {
    PHASE_NONE,       /* not ours                                                   */
    PHASE_CLAIMING,   /* source asks the group, track claims mark                    */
    PHASE_LOADING,    /* state is streamed in                                       */
    PHASE_RUNNING,
    PHASE_RELEASING,  /* last checkpoint before it goes                             */
    PHASE_STOPPED     /* refuses to go on; `why` says it                            */
};

struct board_row {
    _Atomic int     phase;          /* enum phase; source_kafka and track            */
    _Atomic int64_t position;       /* next offset track will process               */
    _Atomic int64_t stored;         /* offset of mark                               */
    _Atomic int64_t committed;      /* of the group                                 */
    _Atomic int64_t low, high;      /* the log's ends                               */
    _Atomic int64_t clock_ms;       /* partition clock                              */
    _Atomic int64_t records;        /* parcels in the table                         */
    _Atomic int64_t epoch;
    _Atomic int64_t moved_ms;       /* wall time of the last progress or of being at the end */
    _Atomic(const char *) why;      /* why it stopped, static or kept; source_kafka           */
    _Atomic(const char *) waits;    /* what its checkpoint waits for, static; checkpoint      */
};

extern struct board_row board[BOARD_PARTITIONS_MAX];
extern _Atomic int board_partitions;   /* of the scan topic; 0 = not known yet */
extern _Atomic(const char *) board_held; /* what holds all of them up, static; source_kafka */

extern _Atomic int64_t board_lost_ms;  /* since when the group has given nothing after it took all
                                          back as lost; 0 = it has, be it no partition at all;
                                          -1 = it has not answered yet since the start */

const char *phase_name(enum phase);   /* "running" */

/* Partition is alive: at its end, or moved within 30 s, or was just assigned.  *why: what
 * stopped it or holds it up, NULL = nothing; never NULL when it is not alive. */
int  board_healthy(int32_t partition, int64_t wall_ms, const char **why);
void board_clear(int32_t partition);

/* Who is not in the group yet, or was and is out of it for 30 s, processes nothing, and has no
 * partition that would say so.  Why, NULL = it is not so. */
const char *board_stuck(int64_t wall_ms);

#endif
