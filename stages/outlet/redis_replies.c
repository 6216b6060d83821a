/* redis_replies.c - what a connection says, by way of hiredis's reader. */
#include "stages/outlet/redis_replies.h"

#include <stdio.h>
#include <stdlib.h>

#include <hiredis/hiredis.h>

#include "pipeline/check.h"

/* hiredis 1.0 widened the length of arrays. */
#if HIREDIS_MAJOR >= 1
typedef size_t array_length;
#else
typedef int array_length;
#endif

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

static void count_free(void *object)
{
    (void)object;
}

static redisReplyObjectFunctions counting = {
    .createString  = count_string,
    .createArray   = count_array,
    .createInteger = count_integer,
    .createNil     = count_nil,
    .freeObject    = count_free,
};

void redis_replies_open(struct redis_replies *replies)
{
    replies->builder = redisReaderCreate();
    replies->counter = redisReaderCreateWithFunctions(&counting);
    CHECK(replies->builder != NULL && replies->counter != NULL);
    replies->counter->privdata = replies;
}

void redis_replies_close(struct redis_replies *replies)
{
    redis_replies_clear(replies);
    if (replies->builder != NULL)
        redisReaderFree(replies->builder);
    if (replies->counter != NULL)
        redisReaderFree(replies->counter);
    replies->builder = replies->counter = NULL;
}

void redis_replies_clear(struct redis_replies *replies)
{
    for (uint32_t i = 0; replies->list != NULL && i < replies->come; i++)
        freeReplyObject(replies->list[i]);
    free(replies->list);
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
    replies->list = calloc(wanted, sizeof *replies->list);
    CHECK(wanted > 0 && replies->list != NULL);
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
            return (int)(replies->come - before);
        if (replies->come == replies->wanted) {
            reader->fn->freeObject(reply);
            return -1;
        }
        if (replies->building)
            keep(replies, reply);
        else {
            replies->last_type = (int)(uintptr_t)reply;
            replies->come++;
        }
    }
}

uint32_t redis_replies_take(struct redis_replies *replies, struct redisReply ***list)
{
    uint32_t come = replies->come;

    CHECK(replies->building && come == replies->wanted);
    *list = replies->list;
    replies->list = NULL;
    redis_replies_clear(replies);
    return come;
}
