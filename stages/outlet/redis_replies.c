/* redis_replies.c - what a connection says, by way of hiredis's reader. */
#include "stages/outlet/redis_replies.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "pipeline/check.h"
#include "stages/outlet/reply_heap.h"
#include "stages/outlet/request.h"

/* Of an array: far beyond a bucket, and memory for it is taken before its elements come. */
enum { ELEMENTS_MAX = 1 << 22 };

/* hiredis 1.0 widened the length of arrays. */
#if HIREDIS_MAJOR >= 1
typedef size_t array_length;
#else
typedef int array_length;
#endif

/* ── Building: objects on the replies' heap ───────────────────────────────── */

static redisReply *object_new(const redisReadTask *task, int type, size_t more)
{
    struct redis_replies *replies = task->privdata;
    redisReply           *object = reply_heap_take(&replies->heap, sizeof *object + more);

    memset(object, 0, sizeof *object);
    object->type = type;
    if (task->parent != NULL)
        ((redisReply *)task->parent->obj)->element[task->idx] = object;
    return object;
}

static void *build_string(const redisReadTask *task, char *text, size_t length)
{
    redisReply *object = object_new(task, task->type, length + 1);

    object->str = (char *)(object + 1);
    if (length > 0)
        memcpy(object->str, text, length);
    object->str[length] = '\0';
    object->len = length;
    return object;
}

static void *build_array(const redisReadTask *task, array_length length)
{
    if ((size_t)length > ELEMENTS_MAX)
        return NULL;    /* to hiredis: out of memory */
    redisReply *object = object_new(task, task->type, (size_t)length * sizeof object);

    object->element = (redisReply **)(object + 1);
    object->elements = (size_t)length;
    return object;
}

static void *build_integer(const redisReadTask *task, long long number)
{
    redisReply *object = object_new(task, REDIS_REPLY_INTEGER, 0);

    object->integer = number;
    return object;
}

static void *build_nil(const redisReadTask *task)
{
    return object_new(task, REDIS_REPLY_NIL, 0);
}

static void leave(void *object)     /* to its heap, or to nobody */
{
    (void)object;
}

#if HIREDIS_MAJOR >= 1  /* of RESP3, which nobody asked for: an object all the same */
static void *build_double(const redisReadTask *task, double number, char *text, size_t length)
{
    (void)number;
    return build_string(task, text, length);
}

static void *build_bool(const redisReadTask *task, int value)
{
    redisReply *object = object_new(task, REDIS_REPLY_BOOL, 0);

    object->integer = value != 0;
    return object;
}
#endif

static redisReplyObjectFunctions building = {
    .createString  = build_string,
    .createArray   = build_array,
    .createInteger = build_integer,
    .createNil     = build_nil,
#if HIREDIS_MAJOR >= 1
    .createDouble  = build_double,
    .createBool    = build_bool,
#endif
    .freeObject    = leave,
};

/* ── Counting ─────────────────────────────────────────────────────────────── */

/* A counted reply is no object but its type, as the pointer that hiredis hands around. */
static void *as_object(int type)
{
    return (void *)(uintptr_t)(unsigned int)type;
}

static void note_error(struct redis_replies *replies, const char *text, size_t length)
{
    if (replies->errors++ == 0)
        (void)snprintf(replies->error, sizeof replies->error, "%.*s", (int)length, text);
}

static void *count_string(const redisReadTask *task, char *text, size_t length)
{
    if (task->type == REDIS_REPLY_ERROR)
        note_error(task->privdata, text, length < 1024 ? length : 1024);
    return as_object(task->type);
}

static void *count_array(const redisReadTask *task, array_length length)
{
    (void)length;
    return as_object(task->type);
}

static void *count_integer(const redisReadTask *task, long long number)
{
    (void)number;
    return as_object(task->type);
}

static void *count_nil(const redisReadTask *task)
{
    (void)task;
    return as_object(REDIS_REPLY_NIL);
}

static redisReplyObjectFunctions counting = {
    .createString  = count_string,
    .createArray   = count_array,
    .createInteger = count_integer,
    .createNil     = count_nil,
    .freeObject    = leave,
};

/* ── Both ─────────────────────────────────────────────────────────────────── */

void redis_replies_open(struct redis_replies *replies)
{
    replies->builder = redisReaderCreateWithFunctions(&building);
    replies->counter = redisReaderCreateWithFunctions(&counting);
    CHECK(replies->builder != NULL && replies->counter != NULL);
    replies->builder->privdata = replies->counter->privdata = replies;
}

void redis_replies_close(struct redis_replies *replies)
{
    redis_replies_clear(replies);
    reply_heap_free(&replies->heap);
    if (replies->builder != NULL)
        redisReaderFree(replies->builder);
    if (replies->counter != NULL)
        redisReaderFree(replies->counter);
    replies->builder = replies->counter = NULL;
}

void redis_replies_clear(struct redis_replies *replies)
{
    reply_heap_empty(&replies->heap);
    replies->list = NULL;
    replies->come = replies->wanted = replies->errors = 0;
    replies->last_type = 0;
    replies->error[0] = '\0';
}

void redis_replies_reset(struct redis_replies *replies)
{
    redis_replies_close(replies);
    redis_replies_open(replies);
}

void redis_replies_build(struct redis_replies *replies, uint32_t wanted)
{
    redis_replies_clear(replies);
    replies->building = true;
    replies->wanted = wanted;
    CHECK(wanted > 0);
    replies->list = reply_heap_take(&replies->heap, wanted * sizeof *replies->list);
}

void redis_replies_count(struct redis_replies *replies)
{
    redis_replies_clear(replies);
    replies->building = false;
    replies->wanted = UINT32_MAX;
}

static void keep(struct redis_replies *replies, redisReply *reply)
{
    if (reply->type == REDIS_REPLY_ERROR)
        note_error(replies, reply->str, (size_t)reply->len);
    replies->last_type = reply->type;
    replies->list[replies->come++] = reply;
}

/* The beginning of one more reply: its objects would end on another request's heap.  (Its first
 * byte alone has made none.) */
static bool is_too_much(const struct redis_replies *replies)
{
    const redisReader *reader = replies->builder;

    return replies->building && replies->come == replies->wanted
        && (reader->ridx > 0 || reader->pos < reader->len);
}

int redis_replies_feed(struct redis_replies *replies, const char *bytes, size_t length)
{
    redisReader *reader = replies->building ? replies->builder : replies->counter;
    uint32_t     before = replies->come;

    if (redisReaderFeed(reader, bytes, length) != REDIS_OK)
        return -1;
    for (;;) {
        void *reply = NULL;

        if (redisReaderGetReply(reader, &reply) != REDIS_OK)
            return -1;
        if (reply == NULL)
            return is_too_much(replies) ? -1 : (int)(replies->come - before);
        if (replies->come == replies->wanted)
            return -1;
        if (replies->building)
            keep(replies, reply);
        else {
            replies->last_type = (int)(uintptr_t)reply;
            replies->come++;
        }
    }
}

void redis_replies_take(struct redis_replies *replies, struct request *request)
{
    CHECK(replies->building && replies->come == replies->wanted);
    request_clear(request);
    request->replies = replies->list;
    request->replies_count = replies->come;
    request->heap = replies->heap;
    replies->heap = NULL;
    redis_replies_clear(replies);
}
