/* view_redis.h - the view's connection: asked in a row, answered in a row, blocking.
 *
 * Of a cluster there is one for each node that was asked: a question goes to the node that has
 * the slot of its first argument with a {tag}, one without to where the last one went.
 * view*.c, library.c and `peakline reshard` include it.  After a failure the rest of what was
 * asked is answered NULL, so a caller asks and takes in straight lines and looks at the end.
 */
#ifndef STAGES_SERVE_VIEW_REDIS_H
#define STAGES_SERVE_VIEW_REDIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stages/outlet/mark.h"
#include "stages/outlet/redis_cluster.h"
#include "stages/outlet/redis_place.h"

struct redisContext;
struct redisReply;
struct view;

enum { VIEW_NODES_MAX = REDIS_NODES_MAX };

struct view_redis {
    struct redis_place   place;
    const char          *where, *group, *topic;   /* the configuration's                      */
    int64_t              timeout_ms;
    bool                 anywhere;   /* partitioner `any`: a number may be in any partition    */
    bool                 mapped;     /* who has which slot was asked, and nothing has moved      */
    uint32_t             node;       /* where the next question goes; 0 = the one server        */
    struct redisContext *contexts[VIEW_NODES_MAX]; /* by node; NULL = not connected             */
    uint8_t             *asked;      /* nodes, in the order of the questions not yet answered     */
    size_t               asked_first, asked_count, asked_size;
    uint64_t             failed_ns;  /* when connecting failed last, 0 = it did not             */
    char                 error[256]; /* where, and why                                        */
};

/* The view's connection, as view.c keeps it. */
struct view_redis *view_redis_of(struct view *);

/* Before the first question of an answer: a connection is there.  0; -1, error trail. */
int view_redis_begin(struct view_redis *);

/* How many servers there are to ask for what no key stands for, and: the next such question
 * goes to the i-th of them. */
uint32_t view_redis_masters(const struct view_redis *);
void     view_redis_master(struct view_redis *, uint32_t i);

/* A partition's key, "{group:topic:partition}:suffix". */
void view_redis_key(const struct view_redis *, char key[KEY_MAX], int32_t partition,
                    const char *suffix);

/* `lengths` NULL: arguments are NUL-terminated. */
void view_redis_ask(struct view_redis *, uint32_t count, const char *const *arguments,
                    const size_t *lengths);

/* Words that are NUL-terminated. */
#define VIEW_ASK(redis, ...)                                                                \
    view_redis_ask((redis), sizeof((const char *[]){__VA_ARGS__}) / sizeof(const char *),   \
                   (const char *[]){__VA_ARGS__}, NULL)

/* The next answer; NULL with the error trail: none, or an error.  owns: the caller. */
struct redisReply *view_redis_take(struct view_redis *);

#endif
