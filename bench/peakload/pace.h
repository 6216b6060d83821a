/* pace.h - keeps a rate, and the time of day. */
#ifndef PEAKLOAD_PACE_H
#define PEAKLOAD_PACE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "bench/peakload/sender.h"

/* Set by SIGINT and SIGTERM: finish what is under way, flush, sum up. */
extern volatile sig_atomic_t stop_wanted;

void stop_on_signals(void);

struct pace {
    double   per_s;          /* 0 = as fast as possible                       */
    uint64_t begun_ns, end_ns;
    uint64_t done, allowed;
    int64_t  now_ms;         /* wall time, never more than a few ms old       */
    uint64_t shown_ns;       /* when progress was last shown                  */
    bool     shows;          /* progress on a terminal                        */
};

/* `seconds` 0 = without end.  thread: the sender's. */
void pace_begin(struct pace *, double per_s, double seconds, bool quiet);

/* False: stop (a signal, or the time is over).  Otherwise waits until one more is due. */
bool pace_slow(struct pace *, struct sender *);

static inline bool pace_next(struct pace *p, struct sender *s)
{
    return p->done++ < p->allowed || pace_slow(p, s);
}

/* Waits until `ns` after pace_begin(), showing progress.  False: stop. */
bool pace_until(struct pace *, struct sender *, uint64_t ns);

/* Ends the progress line. */
void pace_end(struct pace *, struct sender *);

/* One line on stderr: "3,000,000 sent, … in 5.1 s, …". */
void summary_print(const char *what, const struct sender_totals *);

#endif
