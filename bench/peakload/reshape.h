/* reshape.h - the same traffic as another: more parcels, another time.
 *
 * Copies 1 … N − 1 of a message have "-1" … "-N" behind their key, parcel and carrier number,
 * so that each number's order is that of the recording.  Event times are kept, moved so that
 * the first is now, or moved and stretched.  What is no JSON object keeps its value.
 */
#ifndef PEAKLOAD_RESHAPE_H
#define PEAKLOAD_RESHAPE_H

#include <stdint.h>

#include "bench/peakload/options.h"
#include "bench/peakload/sender.h"

enum event_times { EVENT_KEPT, EVENT_REBASED, EVENT_SCALED };

struct reshape_options {
    int64_t multiply;              /* 0 = 1 */
    enum event_times times;
};

extern const struct option_row reshape_rows[];
enum { RESHAPE_ROWS = 2 };
#define RESHAPE_GROUP(options) {(options), reshape_rows, RESHAPE_ROWS}

struct reshape;

/* `speed` is that of EVENT_SCALED; `origin_ms` is where the first event goes. */
struct reshape *reshape_open(const struct reshape_options *, double speed, int64_t origin_ms);

/* Whether event times are needed. */
bool reshape_wants_times(const struct reshape *);

/* The copy-th of a message, its event time moved by skew_ms besides; event_ms -1 = not known.
 * Key and value of `*copy` point into the reshape until the next call. */
void reshape_make(struct reshape *, struct message *copy, const struct message *original,
                  int64_t copy_number, int64_t event_ms, int64_t skew_ms);

/* Where an event time goes, without skew. */
int64_t reshape_time(struct reshape *, int64_t event_ms);

void reshape_close(struct reshape *);

#endif
