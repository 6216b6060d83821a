/* redis_stream.c - one connection to Redis and the one request it serves.
 *
 * A request's body is written straight from where it lies, in whatever pieces the
 * socket takes, and replies are read meanwhile: Redis never has to hold them back.
 */
#include "stages/outlet/redis_stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "pipeline/check.h"
#include "pipeline/error.h"
#include "pipeline/log.h"
#include "pipeline/metric.h"
#include "stages/outlet/redis_cluster.h"
#include "stages/outlet/request.h"

enum {
    WRITE_BYTES = 1024 * 1024,
    PIECES = 4   /* reads, and writes, in one turn: a bounded call */
};

#define MS_NS        UINT64_C(1000000)
#define RETRY_NS_MIN (50 * MS_NS)
#define RETRY_NS_MAX (2000 * MS_NS)
/* A busy runner turns every few µs: an empty socket is not asked again at once, an idle one
 * only to notice that it was closed. */
#define LOOK_NS      (MS_NS / 10)
#define IDLE_NS      (1000 * MS_NS)

void redis_stream_init(struct redis_stream *stream, uint32_t index)
{
    stream->index = index;
    stream->step = STEP_DOWN;
    redis_replies_open(&stream->replies);
    (void)buffer_room(&stream->lead, 2 * KEY_MAX);
    (void)buffer_room(&stream->tail, 2 * KEY_MAX);
}

void redis_stream_fini(struct redis_stream *stream)
{
    redis_replies_close(&stream->replies);
    buffer_free(&stream->lead);
    buffer_free(&stream->tail);
}

/* ── What is said ─────────────────────────────────────────────────────────── */

/* From now on lead, body and tail are said and `replies` are awaited. */
static void say(struct redis_stream *stream, enum stream_step step, uint32_t replies,
                uint64_t now_ns)
{
    stream->step = step;
    stream->awaited = replies;
    stream->sent = 0;
    stream->exec_at = SIZE_MAX;
    stream->exec_offered = false;
    stream->moved_ns = now_ns;
    stream->looked_ns = 0;
    stream->body = NULL;
    stream->body_length = 0;
    stream->lead.used = stream->tail.used = 0;
    if (step == STEP_COMPARING || step == STEP_READING)
        redis_replies_build(&stream->replies, replies);
    else
        redis_replies_count(&stream->replies);
}

static void say_body(struct redis_stream *stream, const struct request *request)
{
    if (request->body == NULL)
        return;
    stream->body = request->body->bytes;
    stream->body_length = request->body->used;
}

/* "VERB mark"; more arguments may follow. */
static void say_mark(const struct redis_server *server, const struct redis_stream *stream,
                     struct buffer *to, uint32_t count, const char *verb)
{
    char   key[KEY_MAX];
    size_t length = key_print(key, sizeof key, server->group, server->topic,
                              stream->batch->partition, "mark");

    resp_command(to, count);
    resp_text(to, verb);
    resp_argument(to, key, length);
}

static void say_write(const struct redis_server *server, struct redis_stream *stream,
                      uint64_t now_ns)
{
    const struct request *request = stream->batch->head;

    say(stream, STEP_WRITING, request->commands + 3, now_ns);
    resp_command(&stream->lead, 1);
    resp_text(&stream->lead, "MULTI");
    say_body(stream, request);
    say_mark(server, stream, &stream->tail, 3, "SET");
    resp_text(&stream->tail, request->wanted);
    stream->exec_at = stream->lead.used + stream->body_length + stream->tail.used;
    resp_command(&stream->tail, 1);
    resp_text(&stream->tail, "EXEC");
}

static void say_unwatch(struct redis_stream *stream, enum request_answer answer, uint64_t now_ns)
{
    stream->decided = (uint8_t)answer;
    say(stream, STEP_LETTING_GO, 1, now_ns);
    resp_command(&stream->lead, 1);
    resp_text(&stream->lead, "UNWATCH");
}

void redis_stream_start(struct redis_server *server, struct redis_stream *stream,
                        struct batch *batch, uint64_t now_ns)
{
    struct request *request = batch->head;

    CHECK(stream->step == STEP_IDLE && stream->batch == NULL && stream->answered == NULL);
    CHECK(request->kind != REQUEST_RELEASE); /* that one is checkpoint's */
    stream->batch = batch;
    request->text[0] = '\0';
    if (request->guarded) {
        say(stream, STEP_COMPARING, 2, now_ns);
        say_mark(server, stream, &stream->lead, 2, "WATCH");
        say_mark(server, stream, &stream->lead, 2, "GET");
    } else if (request->kind == REQUEST_READ) {
        CHECK(request->commands > 0 && request->body != NULL);
        say(stream, STEP_READING, request->commands, now_ns);
        say_body(stream, request);
    } else {
        say(stream, STEP_READING, 1, now_ns);
        say_mark(server, stream, &stream->lead, 2, "GET");
    }
}

/* ── What is answered ─────────────────────────────────────────────────────── */

static void finish(struct redis_stream *stream, enum request_answer answer)
{
    struct request *request = stream->batch->head;

    request->answer = (uint8_t)answer;
    stream->answered = stream->batch;
    stream->batch = NULL;
}

static void explain(struct request *request, const char *text)
{
    (void)snprintf(request->text, sizeof request->text, "%s", text);
}

/* The server's own error, nothing having been done.  Another node has the partition now: to be
 * said again, there.  A slot on its way (ASK, TRYAGAIN) is waited for, not followed: a
 * transaction's keys are on two nodes then, and neither would take it. */
static enum request_answer refused(const struct redis_server *server, struct request *request,
                                   const char *error)
{
    explain(request, error);
    return server->io.cluster != NULL && redis_cluster_moved(server->io.cluster, error)
               ? REQUEST_UNSENT : REQUEST_REFUSED;
}

/* Is mark what the request expects?  What is there instead goes into the request. */
static enum request_answer judge_mark(struct request *request, const redisReply *found)
{
    size_t length = strlen(request->expected);
    bool   there = found->type == REDIS_REPLY_STRING;

    if (there ? length > 0 && (size_t)found->len == length
                    && memcmp(found->str, request->expected, length) == 0
              : length == 0)
        return REQUEST_APPLIED;
    request->mark = (struct mark) {.partitions = 0};
    if (!there) {
        explain(request, "absent");
        return REQUEST_DIFFERS;
    }
    if (mark_parse(found->str, (size_t)found->len, &request->mark) == 0)
        return REQUEST_DIFFERS;
    request->mark = (struct mark) {.partitions = 0};
    explain(request, error_text());
    /* Who expects no mark at all is about to write the first: not over what it can't read. */
    return length == 0 ? REQUEST_REFUSED : REQUEST_DIFFERS;
}

static void on_compared(const struct redis_server *server, struct redis_stream *stream,
                        uint64_t now_ns)
{
    struct request     *request = stream->batch->head;
    enum request_answer answer;

    if (stream->replies.errors > 0)
        answer = refused(server, request, stream->replies.error);
    else
        answer = judge_mark(request, stream->replies.list[1]);
#ifdef CANARY_watch_only
    answer = REQUEST_APPLIED;   /* planted: whatever mark says */
#endif
    if (answer == REQUEST_APPLIED)
        say_write(server, stream, now_ns);
    else
        say_unwatch(stream, answer, now_ns);
}

static enum request_answer judge_exec(const struct redis_server *server,
                                      const struct redis_stream *stream)
{
    const struct redis_replies *replies = &stream->replies;
    struct request             *request = stream->batch->head;

#ifdef CANARY_ack_unwritten
    return REQUEST_APPLIED;   /* planted: EXEC has answered, whatever it says */
#endif
    if (replies->last_type == REDIS_REPLY_NIL) { /* mark was touched since we compared it */
        request->mark = (struct mark) {.partitions = 0};
        return REQUEST_DIFFERS;
    }
    if (replies->last_type == REDIS_REPLY_ARRAY && replies->errors == 0)
        return REQUEST_APPLIED;
    if (replies->last_type != REDIS_REPLY_ARRAY)
        return refused(server, request, replies->errors > 0 ? replies->error
                                        : "EXEC has no answer that we know");
    explain(request, replies->error);
    log_error("store_redis", "partition %" PRId32 ": Redis applied a transaction but for %" PRIu32
              " of its commands: %s; does a key of this group have another use?",
              stream->batch->partition, replies->errors, request->text);
    return REQUEST_REFUSED;
}

static enum request_answer judge_replies(const struct redis_server *server,
                                         struct redis_stream *stream)
{
    struct request *request = stream->batch->head;

    if (stream->replies.errors > 0)
        return refused(server, request, stream->replies.error);
    if (request->kind != REQUEST_READ)
        return judge_mark(request, stream->replies.list[0]);
    redis_replies_take(&stream->replies, request);
    return REQUEST_APPLIED;
}

/* ── Connection ───────────────────────────────────────────────────────────── */

static void tell_down(struct redis_server *server, const char *why)
{
    if (server->open_count > 0 || server->told_down)
        return;
    log_error("store_redis", "Redis is out of reach: %s; trying again", why);
    server->told_down = true;
}

/* The connection is gone; its request is answered by how far it had come. */
static void lose(struct redis_server *server, struct redis_stream *stream, const char *why,
                 uint64_t now_ns)
{
    enum stream_step step = stream->step;
    char             text[128];

    if (why == NULL)
        why = server->io.ops->error(server->io.self, stream->index);
    (void)snprintf(text, sizeof text, "%s", why[0] != '\0' ? why : "closed by the server");
    server->io.ops->close(server->io.self, stream->index); /* may forget why */
    redis_replies_reset(&stream->replies);
    stream->step = STEP_DOWN;
    stream->opening = false;
    if (server->io.cluster != NULL) /* another node knows who has its slots, by and by */
        stream->node = redis_cluster_next(server->io.cluster, stream->node);
    stream->wait_ns = stream->wait_ns == 0 ? RETRY_NS_MIN : stream->wait_ns * 2;
    if (stream->wait_ns > RETRY_NS_MAX)
        stream->wait_ns = RETRY_NS_MAX;
    stream->retry_ns = now_ns + stream->wait_ns;
    if (step != STEP_DOWN) {
        metric_set(server->connected, --server->open_count);
        log_warning("store_redis", "connection %" PRIu32 " is lost: %s", stream->index, text);
    }
    tell_down(server, text);
    if (stream->batch == NULL)
        return;
    if (step == STEP_LETTING_GO) {
        finish(stream, (enum request_answer)stream->decided);
        return;
    }
#ifdef CANARY_cut_forgotten
    if (step == STEP_READING)
        return;   /* planted: who asked waits for ever */
#endif
    explain(stream->batch->head, text);
    finish(stream, stream->exec_offered ? REQUEST_UNKNOWN : REQUEST_UNSENT);
}

static void opened(struct redis_server *server, struct redis_stream *stream, uint64_t now_ns)
{
    stream->step = STEP_IDLE;
    stream->opening = false;
    stream->awaited = 0;
    stream->moved_ns = stream->looked_ns = now_ns;
    metric_set(server->connected, ++server->open_count);
    if (server->open_count == 1)
        log_info("store_redis", "Redis is %s", server->told_down ? "back" : "connected");
    server->told_down = false;
}

void redis_stream_point(struct redis_server *server, struct redis_stream *stream, uint32_t node,
                        uint64_t now_ns)
{
    CHECK(stream->step == STEP_IDLE && stream->batch == NULL);
    server->io.ops->close(server->io.self, stream->index);
    metric_set(server->connected, --server->open_count);
    redis_replies_reset(&stream->replies);
    stream->step = STEP_DOWN;
    stream->node = node;
    stream->retry_ns = now_ns + stream->wait_ns; /* 0, unless it has just failed elsewhere */
}

static int turn_down(struct redis_server *server, struct redis_stream *stream, uint64_t now_ns)
{
    const struct redis_io *io = &server->io;

    if (!stream->opening) {
        if (now_ns < stream->retry_ns)
            return 0;
        if (stream->tried)
            metric_add(server->reconnects, 1);
        stream->tried = stream->opening = true;
        stream->moved_ns = now_ns;
        if (io->cluster != NULL)
            io->ops->point(io->self, stream->index, stream->node);
        io->ops->open(io->self, stream->index);
        return 1;
    }
    switch (io->ops->state(io->self, stream->index)) {
    case REDIS_IO_OPEN:
        opened(server, stream, now_ns);
        return 1;
    case REDIS_IO_OPENING:
        if (now_ns - stream->moved_ns >= server->timeout_ns)
            lose(server, stream, "no connection within redis.timeout", now_ns);
        return 0;
    case REDIS_IO_CLOSED:
        lose(server, stream, NULL, now_ns);
        return 0;
    }
    return 0;
}

/* ── Bytes ────────────────────────────────────────────────────────────────── */

static size_t left_to_say(const struct redis_stream *stream)
{
    return stream->lead.used + stream->body_length + stream->tail.used - stream->sent;
}

/* The next piece of lead, body and tail; its length, 0 = all is said. */
static size_t piece(const struct redis_stream *stream, const char **bytes)
{
    const struct { const char *bytes; size_t length; } parts[] = {
        {stream->lead.bytes, stream->lead.used},
        {stream->body, stream->body_length},
        {stream->tail.bytes, stream->tail.used},
    };
    size_t at = stream->sent;

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (at < parts[i].length) {
            size_t length = parts[i].length - at;

            *bytes = parts[i].bytes + at;
            return length < WRITE_BYTES ? length : WRITE_BYTES;
        }
        at -= parts[i].length;
    }
    return 0;
}

/* 1 = bytes went, 0 = none, -1 = the connection is gone. */
static int turn_write(struct redis_server *server, struct redis_stream *stream, uint64_t now_ns)
{
    const char *bytes = NULL;
    int         work = 0;

    for (int i = 0; i < PIECES; i++) {
        size_t length = piece(stream, &bytes);

        if (length == 0)
            break;
        if (stream->exec_at < SIZE_MAX && stream->sent + length > stream->exec_at)
            stream->exec_offered = true;
        ssize_t taken = server->io.ops->write(server->io.self, stream->index, bytes, length);
        if (taken < 0)
            return -1;
        stream->sent += (size_t)taken;
        metric_add(server->bytes_out, (uint64_t)taken);
        if (taken > 0) {
            stream->moved_ns = now_ns;
            work = 1;
        }
        if ((size_t)taken < length) /* the socket is full */
            break;
    }
    return work;
}

/* NULL, or why these bytes end the connection. */
static const char *hear(struct redis_stream *stream, const char *bytes, size_t length)
{
    if (stream->awaited == 0)
        return "it says what nobody asked for";
    int heard = redis_replies_feed(&stream->replies, bytes, length);

    if (heard < 0)
        return "what it says is no answer to what was said";
    CHECK((uint32_t)heard <= stream->awaited || !stream->replies.building);
    if ((uint32_t)heard > stream->awaited
        || ((uint32_t)heard == stream->awaited && left_to_say(stream) > 0))
        return "it answers more than was said";
    stream->awaited -= (uint32_t)heard;
    return NULL;
}

/* 1 = bytes came, 0 = none, -1 = it has to be closed: *why, NULL = it is closed. */
static int turn_read(struct redis_server *server, struct redis_stream *stream, uint64_t now_ns,
                     const char **why)
{
    uint64_t pause_ns = stream->step == STEP_IDLE ? IDLE_NS : LOOK_NS;
    int      work = 0;

    *why = NULL;
    if (stream->looked_ns > 0 && now_ns - stream->looked_ns < pause_ns)
        return 0;
    for (int i = 0; i < PIECES && (stream->awaited > 0 || work == 0); i++) {
        ssize_t got = server->io.ops->read(server->io.self, stream->index, server->read,
                                           sizeof server->read);

        if (got < 0)
            return -1;
        stream->looked_ns = got > 0 ? 0 : now_ns;
        if (got == 0)
            break;
        stream->moved_ns = now_ns;
        work = 1;
        metric_add(server->bytes_in, (uint64_t)got);
        *why = hear(stream, server->read, (size_t)got);
        if (*why != NULL)
            return -1;
    }
    return work;
}

/* All that was asked is answered: what does it mean? */
static void replied(struct redis_server *server, struct redis_stream *stream, uint64_t now_ns)
{
    bool demoted = strncmp(stream->replies.error, "READONLY", 8) == 0;

    switch (stream->step) {
    case STEP_COMPARING:
        on_compared(server, stream, now_ns);
        return;
    case STEP_WRITING:
        finish(stream, judge_exec(server, stream));
        break;
    case STEP_READING:
        finish(stream, judge_replies(server, stream));
        break;
    case STEP_LETTING_GO:
        finish(stream, (enum request_answer)stream->decided);
        break;
    case STEP_DOWN:
    case STEP_IDLE:
        CHECK(stream->batch != NULL); /* an answer to nothing */
    }
    redis_replies_clear(&stream->replies);
    stream->step = STEP_IDLE;
    stream->looked_ns = now_ns;
    stream->wait_ns = 0; /* it answers: the next loss is a new one */
    if (demoted) /* by now its name may stand for another server */
        lose(server, stream, "it has become a replica", now_ns);
}

int redis_stream_turn(struct redis_server *server, struct redis_stream *stream, uint64_t now_ns)
{
    const char *why = NULL;
    int         went = 0;

    if (stream->step == STEP_DOWN)
        return turn_down(server, stream, now_ns);
    int came = turn_read(server, stream, now_ns, &why);

    if (came > 0 && stream->awaited == 0)
        replied(server, stream, now_ns);
    if (came >= 0 && stream->batch != NULL)
        went = turn_write(server, stream, now_ns);
    if (came < 0 || went < 0) {
        lose(server, stream, why, now_ns);
        return 1;
    }
    if (stream->batch != NULL && now_ns - stream->moved_ns >= server->timeout_ns)
        lose(server, stream, "no answer within redis.timeout", now_ns);
    return came + went;
}
