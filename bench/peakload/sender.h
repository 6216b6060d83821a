/* sender.h - sends messages to Kafka, or writes them as `kcat -J` lines, or counts them. */
#ifndef PEAKLOAD_SENDER_H
#define PEAKLOAD_SENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/peakload/output.h"

struct sender;

struct header {
    const char *name;
    const void *value;        /* NULL = null value */
    size_t      name_length, length;
};

enum { HEADERS_MAX = 64 };

/* One message.  owns: the caller; nothing is kept after sender_send(). */
struct message {
    const void *key, *value;  /* NULL = null */
    size_t      key_length, length;
    int64_t     kafka_ms;     /* -1 = the moment it is sent */
    int64_t     intended_us;  /* when it was due, Unix µs; 0 = not measured */
    int32_t     partition;    /* -1 = the key's home, or any without a key */
    int         headers;
    const struct header *header;
};

struct sender_totals {
    uint64_t sent, acked, failed, bytes;
    uint64_t cpu_ns;          /* of this process, all threads, since sender_open() */
    uint64_t wall_ns;
};

/* Connects and asks for the topic's partitions.  Every probe_every-th message with a due time
 * carries it in a header and is reported to `watch` (NULL: none).  NULL having said why. */
struct watch;
struct sender *sender_open(const struct output *, struct watch *, int64_t probe_every);

/* Whether messages stamped `oldest_ms` would stay: the topic's retention is asked.  0, or -1
 * having said why not. */
int sender_check_age(struct sender *, int64_t oldest_ms);

int32_t sender_partitions(const struct sender *);

/* Hands a message over; waits while the queue is full.  0; -1 having said why: nothing more
 * can be sent.  thread: one. */
int sender_send(struct sender *, const struct message *);

/* Lets delivery reports in; to be called while waiting. */
void sender_poll(struct sender *, int timeout_ms);

/* What has happened so far; `acked` counts what is no longer in the queue. */
struct sender_totals sender_totals(struct sender *);

/* Waits until all is acknowledged.  0; -1 having said how many were not delivered. */
int sender_flush(struct sender *);

/* One past the last offset of a partition after sender_flush(); -1 = not known. */
int64_t sender_end(struct sender *, int32_t partition);

void sender_close(struct sender *);

#endif
