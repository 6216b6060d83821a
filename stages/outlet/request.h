/* request.h - what track asks of Redis, by way of checkpoint and store_redis.
 *
 * A WRITES batch has one struct request as head and no records.  It returns to
 * track with the answer.  Only checkpoint knows what mark is believed to be;
 * track gives it cuts and gets back what became of them.
 */
#ifndef STAGES_OUTLET_REQUEST_H
#define STAGES_OUTLET_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "stages/outlet/mark.h"

struct buffer;          /* growable bytes, outlet/buffer.h      */
struct redisReply;      /* hiredis; owned by the request         */
struct reply_heap;      /* outlet/reply_heap.h                    */

enum request_kind {
    REQUEST_CLAIM,   /* track: make this partition ours; answer: mark, or why not             */
    REQUEST_READ,    /* track: run `body` (no MULTI), answer: replies                         */
    REQUEST_CUT,     /* track: write `body` and mark atomically, once outputs are acknowledged  */
    REQUEST_LOOK,    /* checkpoint itself: is mark still ours?                                */
    REQUEST_RELEASE  /* track: forget this partition; returns after all before it              */
};

enum request_answer {
    REQUEST_PENDING = 0,
    REQUEST_APPLIED,     /* CLAIM, CUT: mark is as `mark` says; READ: replies are there         */
    REQUEST_DIFFERS,     /* mark is not what we believed: claim again                         */
    REQUEST_REFUSED,     /* the server's own error; `text`                                    */
    REQUEST_GONE,        /* the partition was released meanwhile                               */
    REQUEST_UNSENT,      /* store → checkpoint: connection lost before EXEC was written         */
    REQUEST_UNKNOWN      /* store → checkpoint: connection lost after; read mark               */
};

struct request {
    uint8_t   kind;          /* enum request_kind   */
    uint8_t   answer;        /* enum request_answer */
    uint8_t   guarded;       /* store: WATCH and compare `expected`, then MULTI … EXEC           */
    uint32_t  commands;      /* READ, CUT: commands in `body`                                 */

    int32_t   of;            /* READ: the partition whose keys `body` asks for                 */

    /* CLAIM */
    int64_t   first_offset;  /* where a claim without mark begins                             */
    uint32_t  partitions, buckets;
    uint8_t   fresh;         /* answer: there was no mark                                     */

    /* CUT */
    uint64_t  ordinal;       /* of this cut, from 1 per assignment                            */
    uint64_t  outputs;       /* all AT_ONCE outputs up to this ordinal must be acknowledged      */

    struct mark mark;        /* CUT: what to write (epoch, owner, sequence by checkpoint);
                                answers: what is there                                       */
    char      expected[MARK_TEXT_MAX]; /* store: "" = absent                                   */
    char      wanted[MARK_TEXT_MAX];

    struct buffer     *body;    /* track's; checkpoint and store only read it                 */
    struct redisReply **replies; /* READ: `commands` of them; freed by request_clear            */
    struct reply_heap  *heap;    /* … where they lie                                          */
    uint32_t   replies_count;
    char      text[128];
};

/* The one script of a cut: key; field and value.  Deletes the field if it has this value. */
#define REQUEST_FORGET                                                                          \
    "return redis.call('HGET',KEYS[1],ARGV[1])==ARGV[2]"                                         \
    " and redis.call('HDEL',KEYS[1],ARGV[1]) or 0"

/* Frees the replies; the body stays track's. */
void request_clear(struct request *);

#endif
