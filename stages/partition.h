/* partition.h - all that a worker knows of one partition, and the rooms of track.
 *
 * A partition is the unit of ownership, state, recovery and scaling.  One worker
 * owns it at a time; nothing here is shared.  track.c is the stage; the files
 * beside it each do one thing with a partition:
 *
 *   own.c     claim it, stream its state in, let it go
 *   follow.c  one scan, or one deadline: dedup → estimate → detect → apply
 *   tell.c    alerts, ETAs and progress into OUTPUTS batches
 *   cut.c     everything dirty as of an offset, as Redis commands
 */
#ifndef STAGES_PARTITION_H
#define STAGES_PARTITION_H

#include <stdbool.h>
#include <stdint.h>

#include "pipeline/stage.h"
#include "stages/alert_queue.h"
#include "stages/apply.h"
#include "stages/detect/detect.h"
#include "stages/intake/passage.h"
#include "stages/outlet/buffer.h"
#include "stages/outlet/envelope.h"
#include "stages/outlet/request.h"

enum { TRACK_TO_KAFKA = 0, TRACK_TO_REDIS = 1, TRACK_BURST = 8, WAITING_MAX = 32,
       DUE_MAX = 16 };

struct counts;
struct eta_queue;
struct table;
struct deadlines;
struct model;
struct metric;
struct rule_set;

enum life_phase { LIFE_CLAIMING, LIFE_LOADING, LIFE_RUNNING, LIFE_RELEASING, LIFE_ENDING };

/* A parcel to come back to: its deadline has passed. */
struct revisit {
    uint64_t hash;
    uint32_t due_s;             /* its first deadline                                      */
    uint8_t  number_length;
    char     number[PARCEL_MAX];
};

struct partition {
    int32_t  number;
    uint32_t assignment;
    char     key[KEY_MAX];      /* "{group:topic:number}:", what every key begins with        */
    size_t   key_length;
    enum life_phase phase;
    bool     lost;              /* mark is not ours any more: the source is told            */

    /* The state: what the log up to `position` makes of it. */
    struct table     *table;
    struct deadlines *deadlines;
    struct names     *names;
    uint64_t          names_refused; /* of names; counted so far                            */
    struct model     *model;
    struct counts    *counts;   /* of the clock's minute; NULL: nothing is counted         */
    uint32_t due_s[DUE_MAX], due_hash32[DUE_MAX]; /* popped off the wheel: [next, count) wait */
    uint32_t due_next, due_count;
    int64_t  position;          /* next offset to process                                  */
    int64_t  clock_ms;          /* partition clock                                         */
    int64_t  last_kafka_ms, last_home; /* of record position − 1                            */
    bool     partial;           /* a lost view is being rebuilt from a log cut short         */
    const struct rule_set *rules[SERVICES_MAX + 1]; /* by service, looked up once           */

    /* Work waiting, in the order it came. */
    struct batch *waiting[WAITING_MAX];
    uint32_t      waiting_first, waiting_count, cursor;
    struct batch *order;        /* the ASSIGN or REVOKE that returns with our answer         */

    /* What it tells. */
    struct batch *outputs, *deferred; /* being filled; deferred: what the state knows        */
    struct alert_queue alerts;  /* changes that wait for a cut, or for room to be told         */
    struct eta_queue *etas;     /* estimates that wait while the partition is behind; or NULL   */
    uint32_t      deferred_out; /* batches of unsent alerts not yet acknowledged             */
    struct minute minute;       /* that is being told, because the clock has left it          */
    uint64_t      ordinal;      /* of the last AT_ONCE batch emitted                        */
    int64_t       suppress_below, settled, high;
    uint64_t      progress_ns;  /* next progress report                                     */

    /* Checkpoints. */
    struct mark   mark;         /* as last applied                                         */
    struct batch *request;      /* ours, at checkpoint; or a cut waiting for dead letters    */
    bool          request_waits;
    uint64_t      cut_ordinal, applied;  /* of the last cut taken; of the last applied       */
    uint64_t      cut_ns;       /* when the last one was taken, or should have been           */
    int64_t       commit;       /* offset to tell the source, -1 = nothing new               */
    struct buffer body;         /* of the request that is out                               */
    struct buffer index;        /* commands for open alerts, carriers, expiry since the cut   */
    uint32_t      index_commands;
    uint32_t      counts_parts; /* that checkpoints have written of the open minute           */
    uint32_t      load_bucket;  /* next bucket to stream in                                 */
    bool          counted;      /* the count that the whole state is made for was compared     */
    bool          dictionary_loaded;
    bool          clear;        /* what an older view left behind is to be deleted first     */
    bool          released;     /* RELEASE is on its way                                    */
};

#endif
