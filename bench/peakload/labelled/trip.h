/* trip.h - one parcel's way, told scan by scan, and the truths that follow from it.
 *
 * way.c tells it in the order in which it happens; mishaps.c is what causes do to it; weave.c is
 * what becomes of its scans before they reach Kafka.
 */
#ifndef PEAKLOAD_LABELLED_TRIP_H
#define PEAKLOAD_LABELLED_TRIP_H

#include "bench/peakload/labelled/causes.h"
#include "bench/peakload/labelled/lanes.h"
#include "bench/peakload/labelled/norms.h"
#include "bench/peakload/labelled/truth.h"
#include "bench/peakload/life.h"

enum { TRUTHS_MAX = 16 };

struct trip {
    const struct lanes *lanes;
    struct norms  *norms;
    struct random *random;
    struct life   *life;
    bool           sampling;        /* nothing goes wrong: the norms are being found          */
    enum cause     cause;
    enum confuser  confuser;
    int64_t        base_s, now_s;   /* birth and now, Unix                                    */
    int64_t        end_s;           /* of the world                                           */
    int64_t        began_s;         /* when the cause struck; 0 = not yet                     */
    int64_t        seen_s;          /* the latest physical scan; 0 = none                     */
    int64_t        picked_s;        /* when it was collected, or would have been              */
    int64_t        arrived_s, terminal_s, excused_s;  /* 0 = not                              */
    int64_t        taken_back_s;    /* a DELIVERED that was none; 0 = not                      */
    bool           confused;        /* the confuser has happened                              */
    bool           spoilt;          /* it had more scans than a life may                      */
    bool           silent;          /* the cause makes the pause that the next scan ends      */
    bool           border;          /* customs have seen it                                   */
    int            city;            /* where it is                                            */
    int            strike_at, departures;   /* which of its departures the cause may strike    */
    struct truth  *loop;            /* goes round; NULL = not                                 */
    int            loop_departures;
    int            truths;
    struct truth   truth[TRUTHS_MAX];
};

static inline bool trip_has(const struct trip *t, enum cause cause)
{
    return t->cause == cause && t->began_s == 0;
}

/* Reaches Kafka so late: hours, where seconds are usual. */
void step_delay(struct step *, int64_t delay_s);

/* When it reaches Kafka, in seconds of its life. */
int64_t step_arrival_s(const struct step *);

/* Adds a scan that happens now; without room for it the trip is spoilt. */
struct step *trip_scan(struct trip *, enum code, uint16_t facility, uint16_t next);

void trip_pass(struct trip *, int from_minutes, int to_minutes);

/* Never back. */
void trip_until(struct trip *, int64_t at_s);

/* The cause strikes now. */
void trip_strike(struct trip *);

/* So much of a mishap: at least `least`, twice as much half as often; at most `most`. */
int64_t trip_spread(struct trip *, int64_t least, int64_t most);

/* Working time from then until now, at least a second: a weekend long is an amount, too. */
int64_t trip_worked(const struct trip *, int64_t from_s);

/* Something to be told from now on; its end is to be set. */
struct truth *trip_truth(struct trip *, const char *type);

/* What may be told besides. */
void trip_may(struct trip *, const char *const *types, int count);

/* It has arrived (DELIVERED, STATION_IN), or it has ended. */
void trip_arrive(struct trip *);
void trip_end(struct trip *);

/* way.c: the whole way; which way it is, for norms.  weave.c: repeats, lateness, order of arrival,
 * and what there is to count. */
int  way_tell(struct trip *);
void weave_trip(struct trip *, struct tally *);

#endif
