/* seat.h - one partition in a worker's hands, as checkpoint sees it.
 *
 * checkpoint.c is the stage: outputs, order, turns.  errand.c carries out one request of
 * track's at a time, step by step, until Redis has said what became of it.
 */
#ifndef STAGES_OUTLET_SEAT_H
#define STAGES_OUTLET_SEAT_H

#include <stdbool.h>
#include <stdint.h>

#include "pipeline/stage.h"
#include "stages/outlet/request.h"

enum { TO_KAFKA = 0, TO_REDIS = 1, SEATS_MAX = 1024 };

struct ledger;
struct metric;

enum step {
    STEP_NONE,
    STEP_CLAIM_LOOK,   /* what is mark?                                                */
    STEP_CLAIM_WRITE,  /* make it ours                                                 */
    STEP_CLAIM_ASK,    /* the answer was lost: did it become ours?                      */
    STEP_CUT_WAIT,     /* for acknowledgements                                         */
    STEP_CUT_WRITE,
    STEP_CUT_ASK,      /* the answer was lost: was it applied?                          */
    STEP_PASS          /* READ or LOOK: handed on as it is                              */
};

/* What Redis says when it takes no writes; told apart for the person who has to act. */
enum refusal { REFUSAL_MEMORY, REFUSAL_READONLY, REFUSAL_DISK, REFUSAL_CLUSTER, REFUSAL_OTHER,
               REFUSALS };

enum seat_state { SEAT_CLAIMING, SEAT_OWNED, SEAT_LOST };

/* One partition in this worker's hands. */
struct seat {
    int32_t        partition;
    uint32_t       assignment;
    enum seat_state state;
    struct mark    mark, next;     /* believed; what the errand wants it to be          */
    struct ledger *ledger;         /* ordinals of AT_ONCE outputs not yet acknowledged    */
    struct batch  *errand;         /* track's request being carried out                  */
    struct batch  *release;        /* track's RELEASE, once the errand is home            */
    enum step      step;
    bool           away;           /* the errand is at store_redis                       */
    uint64_t       retry_ns, wait_ns; /* not before; back-off                            */
    uint64_t       unready_ns;     /* since when the cut waits for acknowledgements, 0 = not */
    struct batch  *probe;          /* our own LOOK after a pause, at store_redis          */
    bool           must_look;      /* nothing is sent before mark has been seen           */
    bool           fresh;          /* the claim found no mark                             */
};

struct checkpoint {
    struct pool   *probes;
    struct seat   *seats[SEATS_MAX]; /* by partition                                */
    int32_t        owned[SEATS_MAX]; /* partitions with a seat                       */
    uint32_t       owned_count;
    uint64_t       turned_ns;             /* boot time of the last turn                   */
    struct metric *applied, *lost, *asked, *paused, *refused[REFUSALS];
};

/* The seat of a batch's partition and assignment, or NULL: it is of one that is over. */
struct seat *seat_find(struct checkpoint *, const struct batch *);

/* Nothing more is written or sent; what waits goes home. `how` is a clause for the log. */
void seat_lose(struct stage *, struct seat *, const char *how);

/* ── errand.c ── */

/* A CLAIM, CUT, READ or LOOK of track's begins. */
void errand_begin(struct stage *, struct seat *, struct batch *);
/* Sends the errand's next request, when it may go.  Work done. */
int  errand_send(struct stage *, struct seat *, uint64_t now_ns);
/* It is over: track is told. */
void errand_finish(struct stage *, struct seat *, enum request_answer);
/* What was sent is home, with Redis's answer; emits nothing. */
void errand_answered(struct stage *, struct seat *, uint64_t now_ns);
/* Is this mark, found where another was expected, ours all the same: what the cut under way
 * writes, or one that has been applied since it was asked for? */
bool seat_knows(const struct seat *, const struct mark *);
/* The request asks whether mark is as `expected`. */
void request_look(struct request *, const char *expected);
extern const char *const refusal_names[REFUSALS];   /* of the metric: "oom" */
void seat_retry_later(struct seat *, uint64_t now_ns);

#endif
