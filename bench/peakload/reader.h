/* reader.h - reads whole topics, without a group: from a moment, to their ends or for ever. */
#ifndef PEAKLOAD_READER_H
#define PEAKLOAD_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/peakload/client.h"

enum { READER_TOPICS_MAX = 16, READER_LOT = 1000 };

enum reader_from { READER_FROM_BEGIN, READER_FROM_END, READER_FROM_TIME };

struct reader_wish {
    const char *topic[READER_TOPICS_MAX];
    int         topics;
    enum reader_from from;
    int64_t     from_ms;         /* of READER_FROM_TIME: Kafka's timestamps                  */
    bool        to_end;          /* stops where the topics end now                           */
};

struct reader;

/* Connects and finds the places to read from.  NULL having said why. */
struct reader *reader_open(const struct output *, const struct reader_wish *);

/* Up to READER_LOT messages, all without error; each to be destroyed by the caller.  -1 having
 * said why.  thread: one. */
int reader_next(struct reader *, rd_kafka_message_t **, int timeout_ms);

/* Of reader_wish.to_end: everything has been given. */
bool reader_finished(const struct reader *);

/* Messages between begin and end, at most: what is compacted away counts too. */
int64_t reader_total(const struct reader *);

void reader_close(struct reader *);

#endif
