/* http.h - the HTTP interface, off the hot path: health, metrics, and what a cluster knows.
 *
 *   /live /ready /metrics /version      open to whoever reaches the address
 *   /partitions                         this instance's partitions: phase, lag, health
 *   /v1/parcels/{number}                one parcel: its timeline, alerts and ETA
 *   /v1/alerts?type=&severity=&facility=&owner=&parcel=&limit=
 *
 * The last three want "Authorization: Bearer TOKEN" unless the server listens at loopback
 * alone; elsewhere without http.token they are closed.  Errors are
 * problem texts (RFC 9457).  /v1 is answered from Redis, for the whole cluster.
 */
#ifndef STAGES_SERVE_HTTP_H
#define STAGES_SERVE_HTTP_H

#include <stdbool.h>
#include <stdint.h>

struct config;
struct http;

/* Where one partition of this instance stands: stages/board.h, as HTTP shows it. */
struct serve_partition {
    const char *phase;        /* "running"                                                 */
    const char *why;          /* what it waits for or why it stopped; NULL = nothing          */
    bool        healthy;
    int64_t     position, stored, committed, low, high, clock_ms, records, epoch;
};

/* What HTTP asks of the instance it serves: the rooms that know lie above this one.
 * owns: static or as long as the server.  thread: HTTP's; none may block. */
struct serve_hooks {
    void     *self;
    uint32_t (*runners)(void *self);
    uint64_t (*turned_ns)(void *self, uint32_t runner);   /* graph_turned_ns                 */
    bool     (*draining)(void *self);
    int32_t  (*partitions)(void *self);                   /* of the scan topic, 0 = not known yet */
    /* false: not this instance's. */
    bool     (*partition)(void *self, int32_t number, struct serve_partition *);
    /* Why the instance as a whole stands still, NULL = it does not; may be NULL. */
    const char *(*stuck)(void *self);
};

/* Is http.listen an address, as far as its form tells?  0; -1 with the error trail. */
int http_check(const struct config *);

/* Listens at http.listen on a thread of its own.  NULL with the error trail; NULL without
 * one, when http.listen is empty.  owns: the caller, until http_stop. */
struct http *http_start(const struct config *, const struct serve_hooks *);
void         http_stop(struct http *);   /* NULL is fine */

/* The port it listens on (http.listen may end in ":0").  thread: any. */
uint16_t http_port(const struct http *);

#endif
