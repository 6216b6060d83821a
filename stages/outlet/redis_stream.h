/* redis_stream.h - one connection to Redis and the one request it serves.
 *
 *   IDLE ──guarded──► COMPARING ──mark as expected──► WRITING ──EXEC answered──► IDLE
 *     │  WATCH mark, GET mark │               MULTI, body, SET mark, EXEC
 *     │                       └──another mark──► LETTING_GO (UNWATCH) ─────────► IDLE
 *     └──read or look──► READING ──────────────────────────────────────────────► IDLE
 *
 * Compared before MULTI is sent, because WATCH alone compares nothing with what we
 * believe.  EXEC clears every WATCH of its connection: so one request at a time.
 * Lost before a byte of EXEC was offered, the transaction cannot have happened
 * (UNSENT); lost after, nobody knows (UNKNOWN), and only mark can tell.
 */
#ifndef STAGES_OUTLET_REDIS_STREAM_H
#define STAGES_OUTLET_REDIS_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/batch.h"
#include "stages/outlet/buffer.h"
#include "stages/outlet/redis_io.h"
#include "stages/outlet/redis_replies.h"

struct metric;

enum { REDIS_READ_BYTES = 64 * 1024 };

/* What the streams of one server share. */
struct redis_server {
    struct redis_io io;
    const char     *group, *topic;  /* what keys begin with                               */
    uint64_t        timeout_ns;     /* without an answer: closed and made anew              */
    uint32_t        open_count;     /* streams that are open                              */
    bool            told_down;      /* the log knows that none is                          */
    struct metric  *connected, *reconnects, *bytes_in, *bytes_out;
    char            read[REDIS_READ_BYTES];
};

enum stream_step { STEP_DOWN, STEP_IDLE, STEP_COMPARING, STEP_WRITING, STEP_READING,
                   STEP_LETTING_GO };

struct redis_stream {
    uint32_t         index;
    uint32_t         node;       /* of a cluster: whom it is connected to, or will be        */
    enum stream_step step;
    struct batch    *batch;      /* WRITES batch in flight                                */
    struct batch    *answered;   /* by the last turn; whoever called it takes it            */
    uint8_t          decided;    /* LETTING_GO: its answer                                */
    struct buffer    lead, tail; /* what goes before and after the request's body           */
    const char      *body;
    size_t           body_length, sent, exec_at;
    bool             exec_offered;
    uint32_t         awaited;    /* replies still to come                                 */
    struct redis_replies replies;
    bool             opening, tried;
    uint64_t         moved_ns;   /* bytes last went either way, or opening began            */
    uint64_t         looked_ns;  /* when there was nothing to read, 0 = not since           */
    uint64_t         retry_ns, wait_ns;
};

/* Takes the memory it needs; no connection yet.  owns: the caller keeps it where it is. */
void redis_stream_init(struct redis_stream *, uint32_t index);
void redis_stream_fini(struct redis_stream *);

/* Begins to serve a WRITES batch; only when step is IDLE. */
void redis_stream_start(struct redis_server *, struct redis_stream *, struct batch *,
                        uint64_t now_ns);

/* An idle one is from now on a connection to this node of the cluster. */
void redis_stream_point(struct redis_server *, struct redis_stream *, uint32_t node,
                        uint64_t now_ns);

/* Connects, writes, reads: a bounded turn that never blocks.  Work done, 0 = none.
 * thread: store_redis's runner. */
int redis_stream_turn(struct redis_server *, struct redis_stream *, uint64_t now_ns);

#endif
