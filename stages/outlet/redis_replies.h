/* redis_replies.h - what a connection says: whole replies out of bytes as they come.
 *
 * Two ways to listen, both hiredis's parser.  build: each reply becomes an object (a
 * read, a look at mark).  count: none does (+QUEUED a thousand times, EXEC's answer of
 * as many numbers); only errors and the type of the last reply are kept.
 */
#ifndef STAGES_OUTLET_REDIS_REPLIES_H
#define STAGES_OUTLET_REDIS_REPLIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct redisReader;
struct redisReply;
struct reply_heap;
struct request;

struct redis_replies {
    struct redisReader *builder, *counter;
    bool                building;
    struct redisReply **list;      /* building: what has come, `wanted` at most           */
    struct reply_heap  *heap;      /* … where it lies, and the list too                   */
    uint32_t            come, wanted;
    int                 last_type; /* REDIS_REPLY_*                                       */
    uint32_t            errors;    /* error replies, those within an array too            */
    char                error[128]; /* the first of them                                  */
};

/* owns: the caller keeps it where it is.  thread: its owner's, all of these. */
void redis_replies_open(struct redis_replies *);
void redis_replies_close(struct redis_replies *);

/* From now on: build objects of `wanted` replies, or only count them. */
void redis_replies_build(struct redis_replies *, uint32_t wanted);
void redis_replies_count(struct redis_replies *);

/* Replies that became whole with these bytes; -1: not RESP, or more than wanted. */
int redis_replies_feed(struct redis_replies *, const char *bytes, size_t length);

/* All that was wanted has come: it is the request's, until request_clear. */
void redis_replies_take(struct redis_replies *, struct request *);

void redis_replies_clear(struct redis_replies *);   /* forgets what has come              */
void redis_replies_reset(struct redis_replies *);   /* … and half replies: a new connection */

#endif
