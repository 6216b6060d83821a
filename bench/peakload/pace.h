/* pace.h - keeps the schedule, and the time of day. */
#ifndef PEAKLOAD_PACE_H
#define PEAKLOAD_PACE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "bench/peakload/options.h"
#include "bench/peakload/schedule.h"
#include "bench/peakload/sender.h"

/* Set by SIGINT and SIGTERM: finish what is under way, flush, sum up. */
extern volatile sig_atomic_t stop_wanted;

void stop_on_signals(void);

/* The same for every command that sends: how long, when to begin, which share is ours. */
struct span {
    double  seconds;         /* 0 = without end                                              */
    int64_t begin_ms;        /* Unix time; 0 = at once                                       */
    int64_t worker, workers; /* 0 of 1                                                       */
};

extern const struct option_row span_rows[];
enum { SPAN_ROWS = 3 };
#define SPAN_GROUP(span) {(span), span_rows, SPAN_ROWS}

struct pace {
    struct schedule *schedule;
    double   share;          /* of the schedule: this worker's                               */
    uint64_t begun_ns, end_ns;
    uint64_t done, allowed;
    uint64_t due_ns;         /* of pace_until(): after begun_ns                              */
    int64_t  begun_us;       /* Unix time of begun_ns                                        */
    int64_t  now_ms;         /* wall time, never more than a few ms old                       */
    uint64_t shown_ns;       /* when progress was last shown                                 */
    bool     shows;          /* progress on a terminal                                       */
    bool     by_clock;       /* pace_until() says what is due, not the schedule               */
};

/* Waits for the beginning.  thread: the sender's. */
void pace_begin(struct pace *, struct schedule *, const struct span *, bool quiet);

/* False: stop (a signal, or the time or the curve is over).  Otherwise waits until one more
 * is due. */
bool pace_slow(struct pace *, struct sender *);

static inline bool pace_next(struct pace *p, struct sender *s)
{
    return p->done++ < p->allowed || pace_slow(p, s);
}

/* Waits until `ns` after pace_begin(), showing progress.  False: stop. */
bool pace_until(struct pace *, struct sender *, uint64_t ns);

/* When the message that pace_next() let pass was due, Unix µs; 0 = it had no due time. */
int64_t pace_intended_us(struct pace *);

/* The share of what was due by now that has not been sent: 0 … 1. */
double pace_slip(const struct pace *);

/* Ends the progress line. */
void pace_end(struct pace *, struct sender *);

/* One line on stderr: "3,000,000 sent, … in 5.1 s, …". */
void summary_print(const char *what, const struct sender_totals *);

#endif
