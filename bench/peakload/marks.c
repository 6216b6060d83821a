/* marks.c - one pipelined GET per partition, over and over. */
#include "bench/peakload/marks.h"

#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/peakload/say.h"

enum { EVERY_NS = 4000000, REDIS_S = 10, OFFSET_WORD = 6, RING_FIRST = 1024 };

struct expected {
    int64_t offset, intended_us;
};

struct queue {
    struct expected *ring;       /* a power of two of them                                   */
    uint64_t head, tail, room;
    int64_t  end;                /* one past the last expected offset; 0 = none               */
};

struct marks {
    redisContext *redis;
    const char *group, *topic;
    int32_t  partitions;
    struct queue *queue;
    void   (*seen)(void *self, int64_t intended_us);
    void    *self;
    int64_t  lag_most;
    bool     stop;
    pthread_mutex_t lock;        /* of the queues, lag_most and stop                          */
    pthread_t thread;
    bool     runs;
};

static redisContext *connect_to(const char *address)
{
    struct timeval patience = {REDIS_S, 0};
    const char *colon = strrchr(address, ':');
    char host[256];

    if (strncmp(address, "unix:", 5) == 0)
        return redisConnectUnixWithTimeout(address + 5, patience);
    snprintf(host, sizeof host, "%.*s", colon ? (int)(colon - address) : (int)strlen(address),
             address);
    return redisConnectWithTimeout(host, colon ? (int)strtol(colon + 1, NULL, 10) : 6379,
                                   patience);
}

static int sign_in(redisContext *redis, const struct output *o)
{
    redisReply *reply;
    bool bad;

    if (o->redis_password == NULL || *o->redis_password == '\0')
        return 0;
    if (o->redis_user != NULL && *o->redis_user != '\0')
        reply = redisCommand(redis, "AUTH %s %s", o->redis_user, o->redis_password);
    else
        reply = redisCommand(redis, "AUTH %s", o->redis_password);
    bad = reply == NULL || reply->type == REDIS_REPLY_ERROR;
    if (bad)
        say("Redis at %s: %s", o->redis, reply ? reply->str : redis->errstr);
    freeReplyObject(reply);
    return bad ? -1 : 0;
}

/* The offset in a mark: its seventh word.  -1: no mark. */
static int64_t offset_of(const redisReply *reply)
{
    const char *p = reply->type == REDIS_REPLY_STRING ? reply->str : NULL;

    for (int i = 0; p != NULL && i < OFFSET_WORD; i++) {
        p = strchr(p, ' ');
        p += p != NULL;
    }
    return p == NULL ? -1 : strtoll(p, NULL, 10);
}

/* What has become visible; in small lots, so that the lock is never held for long. */
static void take_seen(struct marks *m, struct queue *q, int64_t mark)
{
    int64_t seen[256];
    int count;

    do {
        pthread_mutex_lock(&m->lock);
        for (count = 0; count < 256 && q->tail != q->head &&
                        q->ring[q->tail & (q->room - 1)].offset < mark; q->tail++)
            seen[count++] = q->ring[q->tail & (q->room - 1)].intended_us;
        pthread_mutex_unlock(&m->lock);
        for (int i = 0; i < count; i++)
            m->seen(m->self, seen[i]);
    } while (count == 256);
}

static void note_lag(struct marks *m, const int64_t *mark)
{
    int64_t lag = 0;

    pthread_mutex_lock(&m->lock);
    for (int32_t p = 0; p < m->partitions; p++)
        if (mark[p] >= 0 && m->queue[p].end > mark[p])
            lag += m->queue[p].end - mark[p];
    if (lag > m->lag_most)
        m->lag_most = lag;
    pthread_mutex_unlock(&m->lock);
}

static int read_marks(struct marks *m, int64_t *mark)
{
    for (int32_t p = 0; p < m->partitions; p++)
        redisAppendCommand(m->redis, "GET {%s:%s:%d}:mark", m->group, m->topic, (int)p);
    for (int32_t p = 0; p < m->partitions; p++) {
        redisReply *reply;

        if (redisGetReply(m->redis, (void **)&reply) != REDIS_OK)
            return say("Redis: %s: visibility is measured no further", m->redis->errstr);
        if (reply->type == REDIS_REPLY_ERROR)
            say("Redis: %s", reply->str);
        mark[p] = offset_of(reply);
        freeReplyObject(reply);
    }
    return 0;
}

static bool stopped(struct marks *m)
{
    bool stop;

    pthread_mutex_lock(&m->lock);
    stop = m->stop;
    pthread_mutex_unlock(&m->lock);
    return stop;
}

static void *run(void *opaque)
{
    struct marks *m = opaque;
    int64_t *mark = must(calloc((size_t)m->partitions, sizeof *mark));
    struct timespec nap = {0, EVERY_NS};

    while (!stopped(m) && read_marks(m, mark) == 0) {
        for (int32_t p = 0; p < m->partitions; p++)
            if (mark[p] >= 0)
                take_seen(m, &m->queue[p], mark[p]);
        note_lag(m, mark);
        nanosleep(&nap, NULL);
    }
    free(mark);
    return NULL;
}

struct marks *marks_open(const struct output *o, int32_t partitions,
                         void (*seen)(void *self, int64_t intended_us), void *self)
{
    struct marks *m = must(calloc(1, sizeof *m));

    m->group = o->group;
    m->topic = o->topic;
    m->partitions = partitions;
    m->seen = seen;
    m->self = self;
    m->queue = must(calloc((size_t)partitions, sizeof *m->queue));
    pthread_mutex_init(&m->lock, NULL);
    m->redis = connect_to(o->redis);
    if (m->redis == NULL || m->redis->err != 0) {
        say("Redis at %s: %s", o->redis, m->redis ? m->redis->errstr : "out of memory");
        marks_close(m);
        return NULL;
    }
    if (sign_in(m->redis, o) != 0) {
        marks_close(m);
        return NULL;
    }
    m->runs = pthread_create(&m->thread, NULL, run, m) == 0;
    return m;
}

static void grow(struct queue *q)
{
    uint64_t room = q->room == 0 ? RING_FIRST : q->room * 2;
    struct expected *ring = must(malloc(sizeof *ring * room));

    for (uint64_t i = q->tail; i != q->head; i++)
        ring[i & (room - 1)] = q->ring[i & (q->room - 1)];
    free(q->ring);
    q->ring = ring;
    q->room = room;
}

void marks_expect(struct marks *m, int32_t partition, int64_t offset, int64_t intended_us)
{
    struct queue *q;

    if (partition >= m->partitions)
        return;
    q = &m->queue[partition];
    pthread_mutex_lock(&m->lock);
    if (q->head - q->tail == q->room)
        grow(q);
    q->ring[q->head++ & (q->room - 1)] = (struct expected) {offset, intended_us};
    q->end = offset + 1;
    pthread_mutex_unlock(&m->lock);
}

uint64_t marks_pending(struct marks *m)
{
    uint64_t pending = 0;

    pthread_mutex_lock(&m->lock);
    for (int32_t p = 0; p < m->partitions; p++)
        pending += m->queue[p].head - m->queue[p].tail;
    pthread_mutex_unlock(&m->lock);
    return pending;
}

int64_t marks_lag_most(struct marks *m)
{
    int64_t lag;

    pthread_mutex_lock(&m->lock);
    lag = m->lag_most;
    pthread_mutex_unlock(&m->lock);
    return lag;
}

void marks_lag_forget(struct marks *m)
{
    pthread_mutex_lock(&m->lock);
    m->lag_most = 0;
    pthread_mutex_unlock(&m->lock);
}

void marks_close(struct marks *m)
{
    if (m->runs) {
        pthread_mutex_lock(&m->lock);
        m->stop = true;
        pthread_mutex_unlock(&m->lock);
        pthread_join(m->thread, NULL);
    }
    if (m->redis != NULL)
        redisFree(m->redis);
    for (int32_t p = 0; p < m->partitions; p++)
        free(m->queue[p].ring);
    free(m->queue);
    pthread_mutex_destroy(&m->lock);
    free(m);
}
