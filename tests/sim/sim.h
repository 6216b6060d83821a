/* sim.h - a small world for two instances of Peakline: one thread, one seed.
 *
 *   dice.c     chance, and what may go wrong
 *   server.c   a model of Redis: keys, transactions, snapshots
 *   wire.c     its connections, behind the redis_io port: RESP, cuts, lost answers
 *   broker.c   a model of Kafka: topic and group; producer.c: the output topics
 *   traffic.c  the scans, and what they should come to
 *   world.c    time and instances: turns the crank
 *   witness.c  the invariants of each step: outputs, marks, commits, as they happen
 *   judge.c    the invariants of the end
 *
 * Everything that happens is a function of the seed.
 */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/check.h"
#include "stages/outlet/mark.h"
#include "stages/outlet/redis_io.h"
#include "stages/parcel/record.h"

enum { INSTANCES = 2, PARTITIONS = 3, STREAMS_MAX = 4 };

/* What may go wrong; each seed draws some. */
enum fault {
    FAULT_CRASH, FAULT_PAUSE, FAULT_REBALANCE, FAULT_COMMIT_RETRY, FAULT_ACK_LOST,
    FAULT_PRODUCER_FATAL, FAULT_CUT_LINK, FAULT_ANSWER_LOST, FAULT_FAILOVER, FAULT_FLUSH,
    FAULT_OOM, FAULT_READONLY, FAULT_LOADING, FAULT_EVICT, FAULT_CRASH_ALL, FAULT_RESET,
    FAULT_TWINS, FAULT_CLOCK, FAULT_COMMIT_FENCED, FAULT_ANSWER_LATE, FAULT_ANSWER_TWICE,
    FAULT_ACK_ORDER, FAULT_RECREATED, FAULT_CUT_ANSWER, FAULT_REFUSED,
    FAULTS
};

/* What must hold; every complaint names one of them, and each is counted when it is looked at. */
enum invariant {
    NO_LOSS,         /* every scan, alert and estimate of the undisturbed run is there       */
    WATERMARK,       /* offsets only grow, and only over what has arrived                    */
    NO_INVENTION,    /* nothing is told that the undisturbed run does not tell               */
    REPEATS,         /* nothing is told again but by a replay from the claim's offset        */
    ORDER,           /* a parcel's newest estimate, an alert's newest change come last       */
    FOLD,            /* each mark: Redis is the fold of the log up to its offset             */
    FENCED,          /* a mark is written only over the mark of the same owner               */
    DEAD_LETTERS,    /* dead letters and processed records: disjoint, together the log       */
    COUNTERS,        /* each record read is counted as exactly one thing                     */
    LIVENESS,        /* at rest within HEAL_MS_MAX of the last fault                         */
    RETURNED,        /* memory returns to where it was                                       */
    CLEAN_EXIT,      /* nobody gives up, and every drain ends                                */
    NOT_VACUOUS,     /* faults of at least three kinds really happened                       */
    SOUND,           /* the simulator understands what it sees                               */
    INVARIANTS
};

extern const char *const invariant_names[INVARIANTS];
extern uint64_t          invariant_looks[INVARIANTS];   /* how often each was looked at */

enum { CHOSEN_MAX = 4096 };

/* Which of a world's faults happen, by their ordinal: for shrinking.  Or nothing happens but at the
 * nth chance: what may fail there does, once, or from then on until all is mended. */
struct chosen {
    uint64_t   nth, chances;        /* nth 0 = as drawn; chances so far of faults that may be  */
    bool       lasting;
    bool       no[CHOSEN_MAX];
    enum fault kind[CHOSEN_MAX];    /* what they were the last time, and at which step       */
    uint64_t   step[CHOSEN_MAX];
    uint32_t   count;               /* how many there were then                              */
};

/* Chance: xorshift*, one per world. */
struct dice {
    uint64_t state;
    uint32_t faults;                /* bit per fault that may happen in this seed        */
    bool     healing;               /* nothing goes wrong any more                       */
    uint32_t ordinal;               /* faults so far, those left out counted too         */
    uint64_t step;                  /* of the world                                      */
    struct chosen *chosen;          /* which of them happen; NULL = all                  */
    uint64_t happened[FAULTS];
};

extern const char *const fault_names[FAULTS];

void dice_begin(struct dice *, uint64_t seed);

static inline uint64_t dice_next(struct dice *dice)
{
    dice->state ^= dice->state >> 12;
    dice->state ^= dice->state << 25;
    dice->state ^= dice->state >> 27;
    return dice->state * 0x2545F4914F6CDD1Dull;
}

/* 0 … sides − 1 */
static inline uint32_t dice_roll(struct dice *dice, uint32_t sides)
{
    CHECK(sides > 0);
    return (uint32_t)((dice_next(dice) >> 32) * sides >> 32);
}

static inline bool dice_chance(struct dice *dice, uint32_t per_million)
{
    return dice_roll(dice, 1000000) < per_million;
}

/* Does this fault, which may, happen now?  Counts it. */
bool dice_fault_drawn(struct dice *, enum fault, uint32_t per_million);

static inline bool dice_fault(struct dice *dice, enum fault fault, uint32_t per_million)
{
    return !dice->healing && (dice->faults >> fault & 1) != 0 &&
           dice_fault_drawn(dice, fault, per_million);
}

/* The first thing forbidden that anybody saw; "" = none.  Printed with the seed. */
extern char complaint[512];
void complain(enum invariant, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline void looked_at(enum invariant invariant) { invariant_looks[invariant]++; }

/* ── Redis ────────────────────────────────────────────────────────────────── */

struct server;

struct server *server_create(struct dice *);
void           server_destroy(struct server *);
void           server_snapshot(struct server *);  /* what a replica has                 */
bool           server_failover(struct server *);  /* back to the snapshot, all cut off   */
void           server_flush(struct server *);
bool           server_evict(struct server *);     /* one bucket goes                    */
bool           server_lost_data(const struct server *); /* a fail-over, a flush: ever    */
bool           server_evicted(const struct server *);   /* ever                          */
/* Back to before the claim in mark `key`, nothing else: all are cut off.  false: it is no
 * fresh claim, or the first. */
bool           server_unclaim(struct server *, const char *key);
/* Who wrote this mark; 0 = nobody. */
uint32_t       server_writer(const struct server *, const char *key);
/* `moved` is called at each mark written, when everything of its transaction is. */
void           server_listen(struct server *, void (*moved)(void *, const char *key,
                                                            const struct mark *, uint32_t who),
                             void *self);
/* `who` tells one life of an instance from every other. */
int            server_open_io(struct server *, uint32_t who, uint32_t streams,
                              struct redis_io *);

/* As it was written once. */
struct value {
    uint64_t serial;                /* no two values of a server have the same             */
    size_t   length;
    uint32_t writer, holders;       /* who wrote it; the data, and a snapshot               */
    char     bytes[];               /* NUL-terminated                                      */
};

/* Seen from outside, as it is now.  `field` "" for a string key.  NULL = not there. */
const struct value *server_value(const struct server *, const char *key, const char *field,
                                 size_t field_length);
/* Where it stands as long as the server lives, for who looks often. */
struct value *const *server_slot(struct server *, const char *key, const char *field,
                                 size_t field_length);
const char *server_get(const struct server *, const char *key, const char *field,
                       size_t *length);
void        server_each(const struct server *, const char *key,
                        void (*each)(void *self, const char *field, size_t field_length,
                                     const char *value, size_t length), void *self);

/* wire.c: one command of one connection; the reply goes to the connection. */
enum { ARGUMENTS_MAX = 4096 };
struct argument { const char *bytes; size_t length; };
struct reply    { char *bytes; size_t used, size; };
struct session  { uint32_t who; bool in_multi, dirty; char watched[128]; uint32_t watched_version;
                  struct reply queued; uint32_t queued_count; };
void server_command(struct server *, struct session *, const struct argument *, uint32_t count,
                    struct reply *);
void reply_add(struct reply *, const char *bytes, size_t length);
struct dice *server_dice(struct server *);
uint32_t     server_generation(const struct server *);   /* rises when all are cut off */

/* ── Kafka ────────────────────────────────────────────────────────────────── */

struct broker;
struct consumer;
struct producer;

/* A record of the scan topic.  value NULL = null value. */
struct message {
    char    *key, *value;
    uint32_t key_length, length;
    int64_t  kafka_ms;          /* as the record says: -1 = nothing, or far in the future */
    int64_t  arrives_ms;
    int16_t  parcel, scan;      /* which of the traffic's, -1 = none                      */
};

/* A record of an output topic, in the order of its arrival. */
struct told {
    uint8_t  topic;             /* enum output_topic                                     */
    char    *value, *key;       /* NUL-terminated, one block of memory                     */
    uint32_t length;
    int32_t  source_partition;  /* the record that caused it, -1 = a deadline did           */
    int64_t  source_offset;
    uint64_t change;            /* equal for what must be the same in every run, 0 = none   */
    uint32_t before;            /* 1 + the last one told of the same change, 0 = none         */
    uint64_t order;             /* of an ETA: rises from one of its parcel to the next       */
    uint64_t epoch;             /* of who told it; 0 = it does not say                       */
    uint32_t who;               /* told it: one life of an instance, as for Redis              */
};

struct commit {
    int32_t     partition;
    int64_t     offset, offset_before;      /* -1 = none before */
    const char *metadata, *metadata_before;
};

struct broker *broker_create(struct dice *, const int64_t *now_ms);
void           broker_destroy(struct broker *);
/* The scan topic: appended whole, then let be seen as time goes on. */
void           broker_append(struct broker *, int32_t partition, const struct message *);
void           broker_borrow(struct broker *, const struct broker *from);   /* its log */
void           broker_show(struct broker *, uint32_t records);   /* so many more arrive */
bool           broker_shown(const struct broker *);              /* all of them         */
int64_t        broker_end(const struct broker *, int32_t partition);
const struct message *broker_message(const struct broker *, int32_t partition, int64_t offset);
/* Instances come and go. */
void           broker_open(struct broker *, int instance, uint32_t who, struct consumer *,
                           struct producer *);
void           broker_died(struct broker *, int instance);
void           broker_expire(struct broker *, int instance);     /* away too long       */
void           broker_rebalance(struct broker *);
void           broker_turn(struct broker *);
int            broker_holder(const struct broker *, int32_t partition);  /* -1 = none    */
int64_t        broker_committed(const struct broker *, int32_t partition);
/* A person's hand on the group, while nobody is in it. */
void           broker_reset(struct broker *);
/* The topic's name stands for another topic, with its records at other offsets, and then for the
 * right one again. */
void           broker_recreate(struct broker *, bool another);
bool           broker_is_another(const struct broker *);
/* Is the record at this offset there another than here, as far as a mark can tell? */
bool           broker_would_differ(const struct broker *, int32_t partition, int64_t offset);
/* What was told; `heard` is called at each arrival, `commits` before each commit is taken,
 * `resent` when somebody believes that a message has not arrived. */
uint32_t       broker_told(const struct broker *);
const struct told *broker_told_at(const struct broker *, uint32_t i);
void           broker_listen(struct broker *, void (*heard)(void *, struct told *),
                             void (*commits)(void *, const struct commit *),
                             void (*resent)(void *), void *self);
/* Nothing is on its way but reports of progress, which never end. */
bool           broker_quiet(const struct broker *);

/* ── Traffic ──────────────────────────────────────────────────────────────── */

enum { TRAVELLERS = 180, PARCELS = TRAVELLERS + PARTITIONS, EVENTS_PER_PARCEL_MAX = 24 };

/* What the log says of one parcel: its distinct scans, in no order. */
struct expected {
    char     number[20];
    uint32_t home;                /* murmur2 of the number                                  */
    uint32_t count;
    bool     lives;               /* has a second life: its history is not compared       */
    struct { uint32_t at_s; uint8_t code; char facility[8]; } scans[EVENTS_PER_PARCEL_MAX];
};

struct traffic {
    struct expected parcels[PARCELS];
    uint32_t        scans, broken, nulls, repeats;
};

/* Fills the broker's scan topic; equal seeds give equal logs. */
void traffic_make(struct traffic *, uint64_t seed, struct broker *);
/* A broken record's value is recognised by its first byte. */
bool traffic_is_broken(const struct message *);
enum { TRAFFIC_BASE_S = 1794268800 /* 2026-11-10T00:00:00Z */, TRAFFIC_END_S = 40 * 86400 };

enum { CHANGES_MAX = 1 << 15 };

/* ── The world ────────────────────────────────────────────────────────────── */

enum { CLAIMS_MAX = 512 };

struct claim { uint64_t epoch; int64_t offset; uint32_t who; };

struct world {
    struct dice     dice;
    struct broker  *broker;
    struct server  *server;
    struct traffic *traffic;
    int64_t         now_ms;
    uint64_t        now_ns, steps, claimed_ns;
    int64_t         healed_ms;            /* how long it took to come to rest               */
    struct claim    claims[PARTITIONS][CLAIMS_MAX];   /* the newest, by epoch               */
    bool            resends;              /* a batch may have been sent twice by its owner   */
    bool            idle_advance;
    const struct world *reference;        /* the undisturbed run, NULL = this is it         */
    struct witness *witness;
    /* Of all that was told, by its hash: 1 + the last one told of this change, 0 = none. */
    uint32_t        changes[CHANGES_MAX];
};

/* The undisturbed run of log number `log`, with one instance.  owns: the caller. */
struct world *world_undisturbed(uint64_t log);
/* Runs a seed over the reference's log, which it borrows, to its quiet end.  `faults` as drawn,
 * or fewer.  The first complaint ends it. */
struct world *world_run(uint64_t seed, uint32_t faults, struct chosen *, bool idle_advance,
                        const struct world *reference);
void          world_destroy(struct world *);

/* ── The witness, and the judge ───────────────────────────────────────────── */

/* Made with its world, when its log is there. */
struct witness *witness_create(const struct world *);
void witness_destroy(struct witness *);
void witness_hears(void *world, struct told *);
void witness_commits(void *world, const struct commit *);
void witness_resent(void *world);
void witness_moved(void *world, const char *key, const struct mark *, uint32_t who);
bool witness_heard(const struct world *, uint64_t change);
/* How many claims of this partition are `who`'s and have this epoch, and the lowest of their
 * offsets.  Where clocks were set, others may have claimed with the same epoch. */
uint32_t witness_claims(const struct world *, int32_t partition, uint64_t epoch, uint32_t who,
                        int64_t *offset);
/* The parcel's record as Redis has it now; false = it has none. */
bool witness_record(const struct server *, const char *number, struct parcel *,
                    int32_t *partition);

void judge_alone(const struct world *);                   /* against the log          */
void judge_against(const struct world *, const struct world *reference);

#endif
