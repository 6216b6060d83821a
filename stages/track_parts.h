/* track_parts.h - the stage's state, and what its files offer each other.
 *
 * track.c decides whose turn it is; own, follow, tell and cut each do one thing with a
 * partition (partition.h).  Everything here is the worker's own: one thread, no lock.
 */
#ifndef STAGES_TRACK_PARTS_H
#define STAGES_TRACK_PARTS_H

#include "stages/partition.h"

/* The stage's state: the partitions of one worker and what they share. */
struct track {
    struct stage     *stage;
    struct pool      *outputs, *requests;
    struct partition *partitions[1024];
    int32_t           owned[1024];
    uint32_t          owned_count;
    uint32_t          tick_first;     /* of the owned, who comes first: another each turn        */
    uint32_t          budget[2];      /* batches that may still be emitted in this call      */
    int64_t           wall_ms;        /* as of this call                                     */

    const struct rulebook *book;      /* thresholds and reference data gone by              */
    struct retention  retention;
    struct priors    *priors;             /* what models begin with; NULL = nothing */
    uint32_t          model_cells_max, model_half_life_s;
    double            model_shrink;
    uint32_t          shares;             /* of a minute's counts; 0 = nothing is counted     */
    uint32_t          subjects_max;
    bool              clock_by_event;
    int64_t           clock_tolerance_ms;
    uint32_t          records_max, buckets;
    int64_t           catch_up_records, catch_up_age_ms;   /* as track_behind has it           */
    uint64_t          interval_ns, catch_up_interval_ns, progress_ns;
    const char       *group, *topic, *source;
    struct batch     *scratch;        /* the index's texts are written here                  */
    struct buffer     open;           /* cut.c: fields of the open-alerts index …            */
    struct buffer     closed;         /* … that are set, and that are gone                   */
    struct buffer     counted;        /* … and the counts of the open minute                 */
    struct cut_row   *cut_rows;       /* cut.c's sorting area                               */
    uint32_t         *cut_ends;       /* … where each bucket's rows end                     */
    uint32_t          cut_rows_size, cut_ends_size;

    struct metric *effective, *merged, *duplicates, *late, *lives, *alerts, *etas[ETA_REASONS],
                  *suppressed, *superseded, *fired, *ahead, *loaded, *refused,
                  *names_refused, *documents_lost, *minutes, *subjects_refused;
};

/* track.c: the passage that came first among those waiting, off the queue. */
struct batch *waiting_take(struct partition *);
/* track.c: it catches up: more than a few records are left, and old ones are being read. */
bool track_behind(const struct track *, const struct partition *);

/* ── own.c: a partition's way in and out ──────────────────────────────────── */

/* Begins to claim what an ASSIGN passage names; the passage returns with our answer.
 * 1 = taken, 0 = not now. */
int  own_begin(struct track *, struct batch *order);
/* One of this partition's requests is home: goes on to the next step; emits nothing. */
void own_answered(struct track *, struct partition *, struct batch *request);
/* Asks for the next part of the state to stream in.  Work done. */
int  own_load(struct track *, struct partition *);
/* Mark is not ours any more: everything that waits goes home with RECLAIM. */
void own_lose(struct track *, struct partition *);
/* Drops what it holds and sends RELEASE; called again until that has left. */
void own_end(struct track *, struct partition *);
void own_free(struct track *, struct partition *);  /* RELEASE is home, or the graph is gone */

/* ── follow.c: false = it has to wait (budget, buffers, checkpoint) ───────── */

bool follow_scan(struct track *, struct partition *, const struct scan *); /* all four steps */
/* The partition clock moves on; deadlines up to then fire. */
bool follow_clock(struct track *, struct partition *, int64_t clock_ms);
/* The wheel and the table agree on the parcel's timer. */
void follow_arm(struct partition *, uint64_t hash, const char *number, size_t length,
                uint32_t at_s);
/* The parcel as its record has it; false = there is none. */
bool follow_load(struct partition *, const char *number, size_t length, struct parcel *);
/* Kafka has this unsent change: the record forgets it. */
void follow_acknowledged(struct partition *, const struct output *);
/* What a record moves the clock to: its Kafka timestamp or its event time, within bounds. */
int64_t follow_clock_of(const struct track *, int64_t kafka_ms, int64_t event_ms);

/* ── cut.c: into Redis commands ───────────────────────────────────────────── */

bool cut_due(const struct track *, const struct partition *, uint64_t now_ns);
/* The interval since the last cut is over. */
bool cut_late(const struct track *, const struct partition *, uint64_t now_ns);
/* Nothing to write: what is due then is a look. */
bool cut_clean(const struct track *, const struct partition *);
/* No further scan may be taken before the next cut. */
bool cut_full(const struct track *, const struct partition *);
/* Serialises everything dirty and sends it, or a LOOK when all is clean.  false = not now. */
bool cut_take(struct track *, struct partition *, uint64_t now_ns);
/* A field of one of the partition's indexes is set (value) or gone (NULL) with the next cut. */
void cut_index(struct partition *, const char *key_suffix, const char *field,
               size_t field_length, const void *value, size_t length);
/* Its carrier's number leads to it no more; to another that has taken it over it still does. */
void cut_carrier_forget(struct partition *, const struct parcel *);
void cut_remove(struct partition *, const struct parcel *);   /* its record, and its carrier's */
/* A request of this kind, or NULL: not now.  _begin: it uses the partition's one body. */
struct batch *request_make(struct track *, struct partition *, enum request_kind);
struct batch *request_begin(struct track *, struct partition *, enum request_kind);
void request_emit(struct track *, struct batch *);
/* "{group:topic:number}:suffix"; its length. */
size_t partition_key(const struct partition *, char text[KEY_MAX], const char *suffix);

#endif
