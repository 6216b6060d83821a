/* server.c - a model of Redis: keys, transactions, snapshots.
 *
 * The data is store.c's.  What is watched over here: data changes only inside EXEC, and the mark
 * that EXEC writes follows the one that was there (a fenced writer changes nothing).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pipeline/check.h"
#include "stages/outlet/request.h"
#include "tests/sim/store.h"

struct server {
    struct dice *dice;
    struct store store;
    bool         lost, evicted;
    void       (*moved)(void *, const char *key, const struct mark *, uint32_t who);
    void        *moved_self;
    uint32_t     version;          /* rises with every write of a string                 */
    uint32_t     generation;
    uint32_t     refusing;         /* commands still refused, with this error            */
    const char  *refusal;
};

/* Those who look on change nothing: that a key is asked for is no change. */
static struct key *key_of(const struct server *server, const char *name, size_t length)
{
    return store_key((struct store *)(uintptr_t)&server->store, name, length);
}

static const struct value *string_of(const struct server *server, const char *name)
{
    return store_get(&server->store, key_of(server, name, strlen(name)), "", 0);
}

static struct key *key_named(struct server *server, const struct argument *a)
{
    return store_key(&server->store, a->bytes, a->length);
}

/* What WATCH compares: 0 = the key is not there. */
static uint32_t version_of(const struct server *server, const char *name)
{
    return string_of(server, name) != NULL ? key_of(server, name, strlen(name))->version : 0;
}

/* Claims that Redis has forgotten cannot be taken back. */
static void forget_claims(struct server *server)
{
    for (uint32_t i = 0; i < server->store.keys_count; i++)
        server->store.keys[i].found[0] = '\0';
}

/* ── From outside ─────────────────────────────────────────────────────────── */

struct server *server_create(struct dice *dice)
{
    struct server *server = calloc(1, sizeof *server);

    CHECK(server != NULL);
    server->dice = dice;
    return server;
}

void server_destroy(struct server *server)
{
    store_free(&server->store);
    free(server);
}

struct dice *server_dice(struct server *server) { return server->dice; }

uint32_t server_generation(const struct server *server) { return server->generation; }

void server_snapshot(struct server *server) { store_snapshot(&server->store); }

bool server_failover(struct server *server)
{
    if (!store_restore(&server->store))
        return false;
    for (uint32_t i = 0; i < server->store.keys_count; i++)   /* of no version seen before */
        server->store.keys[i].version = ++server->version;
    forget_claims(server);
    server->generation++;
    server->lost = true;
    return true;
}

void server_flush(struct server *server)
{
    store_clear(&server->store);
    forget_claims(server);
    server->lost = true;
}

bool server_evict(struct server *server)
{
    uint32_t count = server->store.keys_count;

    for (uint32_t i = 0, first = count > 0 ? dice_roll(server->dice, count) : 0; i < count; i++) {
        struct key *key = &server->store.keys[(first + i) % count];

        if (strstr(key->name, "}:b0") == NULL || !store_drop_key(&server->store, key))
            continue;
        server->lost = server->evicted = true;
        return true;
    }
    return false;
}

bool server_lost_data(const struct server *server) { return server->lost; }
bool server_evicted(const struct server *server) { return server->evicted; }

bool server_unclaim(struct server *server, const char *name)
{
    struct key *key = key_of(server, name, strlen(name));
    const struct value *value = store_get(&server->store, key, "", 0);
    struct mark mark;

    if (value == NULL || key->found[0] == '\0' ||
        mark_parse(value->bytes, value->length, &mark) != 0 || mark.sequence != 0)
        return false;
    store_set(&server->store, key, "", 0, key->found, strlen(key->found), key->found_writer);
    key->version = ++server->version;
    key->found[0] = '\0';
    server->generation++;
    server->lost = true;
    return true;
}

uint32_t server_writer(const struct server *server, const char *name)
{
    const struct value *value = string_of(server, name);

    return value != NULL ? value->writer : 0;
}

void server_listen(struct server *server,
                   void (*moved)(void *, const char *, const struct mark *, uint32_t),
                   void *self)
{
    server->moved = moved;
    server->moved_self = self;
}

const struct value *server_value(const struct server *server, const char *name,
                                 const char *field, size_t field_length)
{
    return store_get(&server->store, key_of(server, name, strlen(name)), field, field_length);
}

struct value *const *server_slot(struct server *server, const char *name, const char *field,
                                 size_t field_length)
{
    return store_slot(&server->store, key_of(server, name, strlen(name)), field, field_length);
}

const char *server_get(const struct server *server, const char *name, const char *field,
                       size_t *length)
{
    const struct value *value = server_value(server, name, field, strlen(field));

    if (value == NULL)
        return NULL;
    *length = value->length;
    return value->bytes;
}

void server_each(const struct server *server, const char *name,
                 void (*each)(void *, const char *, size_t, const char *, size_t), void *self)
{
    (void)store_each(key_of(server, name, strlen(name)), each, self);
}

/* ── Commands ─────────────────────────────────────────────────────────────── */

void reply_add(struct reply *reply, const char *bytes, size_t length)
{
    if (reply->used + length > reply->size) {
        reply->size = (reply->used + length) * 2 + 256;
        reply->bytes = realloc(reply->bytes, reply->size);
        CHECK(reply->bytes != NULL);
    }
    if (length > 0)   /* then bytes may be NULL */
        memcpy(reply->bytes + reply->used, bytes, length);
    reply->used += length;
}

static void reply_text(struct reply *reply, const char *text)
{
    reply_add(reply, text, strlen(text));
}

static void reply_number(struct reply *reply, char kind, uint64_t number)
{
    char text[24], *at = text + sizeof text;

    *--at = '\n';
    *--at = '\r';
    do
        *--at = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    *--at = kind;
    reply_add(reply, at, (size_t)(text + sizeof text - at));
}

static void reply_bulk(struct reply *reply, const char *bytes, size_t length)
{
    reply_number(reply, '$', length);
    reply_add(reply, bytes, length);
    reply_text(reply, "\r\n");
}

static bool is(const struct argument *a, const char *name)
{
    return strlen(name) == a->length && strncasecmp(a->bytes, name, a->length) == 0;
}

/* A new mark must follow the one that is there: a new epoch, or one more by who wrote it.
 * The text of a mark does not tell who that was, if the product is wrong: we know. */
static void watch_over_mark(const struct value *old, uint32_t who, const struct mark *after)
{
    struct mark before;

    if (old == NULL || mark_parse(old->bytes, old->length, &before) != 0)
        return;
    if (after->epoch > before.epoch && after->sequence == 0)
        return;
    if (after->epoch != before.epoch || after->owner != before.owner ||
        after->sequence != before.sequence + 1)
        complain(FENCED, "mark %s overwritten by one who believes otherwise: sequence %llu of %llu",
                 old->bytes, (unsigned long long)after->sequence,
                 (unsigned long long)after->epoch);
    else if (old->writer != who)
        complain(FENCED, "mark %s overwritten by one who takes it for its own", old->bytes);
}

static void do_set_mark(struct server *server, uint32_t who, struct key *key,
                        const struct argument *text)
{
    const struct value *old = store_get(&server->store, key, "", 0);
    struct mark mark;

    if (mark_parse(text->bytes, text->length, &mark) != 0) {
        complain(FENCED, "a mark that is none: %.*s", (int)text->length, text->bytes);
        return;
    }
    looked_at(FENCED);
    watch_over_mark(old, who, &mark);
    bool claim = old != NULL && mark.sequence == 0;

    snprintf(key->found, sizeof key->found, "%s", claim ? old->bytes : "");
    key->found_writer = old != NULL ? old->writer : 0;
    store_set(&server->store, key, "", 0, text->bytes, text->length, who);
    key->version = ++server->version;
    server->moved(server->moved_self, key->name, &mark, who);
}

static void do_set(struct server *server, uint32_t who, const struct argument *a,
                   struct reply *reply)
{
    struct key *key = key_named(server, &a[1]);

    if (key->is_mark) {
        do_set_mark(server, who, key, &a[2]);
    } else {
        store_set(&server->store, key, "", 0, a[2].bytes, a[2].length, who);
        key->version = ++server->version;
    }
    reply_text(reply, "+OK\r\n");
}

static void do_hset(struct server *server, uint32_t who, const struct argument *a,
                    uint32_t count, struct reply *reply)
{
    struct key *key = key_named(server, &a[1]);

    CHECK(count >= 4 && count % 2 == 0);
    for (uint32_t i = 2; i + 1 < count; i += 2)
        store_set(&server->store, key, a[i].bytes, a[i].length, a[i + 1].bytes, a[i + 1].length,
                  who);
    reply_number(reply, ':', count / 2 - 1);
}

static void do_hdel(struct server *server, const struct argument *a, uint32_t count,
                    struct reply *reply)
{
    struct key *key = key_named(server, &a[1]);
    uint32_t dropped = 0;

    for (uint32_t i = 2; i < count; i++)
        dropped += store_drop(&server->store, key, a[i].bytes, a[i].length);
    reply_number(reply, ':', dropped);
}

/* REQUEST_FORGET: the field goes if it has this value. */
static void do_eval(struct server *server, const struct argument *a, struct reply *reply)
{
    struct key *key = key_named(server, &a[3]);
    const struct value *value = store_get(&server->store, key, a[4].bytes, a[4].length);
    bool same = value != NULL && value->length == a[5].length &&
                memcmp(value->bytes, a[5].bytes, a[5].length) == 0;

    if (a[1].length != sizeof REQUEST_FORGET - 1 ||
        memcmp(a[1].bytes, REQUEST_FORGET, a[1].length) != 0)
        complain(SOUND, "a script the model does not know: %.*s", (int)a[1].length, a[1].bytes);
    if (same)
        (void)store_drop(&server->store, key, a[4].bytes, a[4].length);
    reply_number(reply, ':', same);
}

static void list_field(void *self, const char *field, size_t field_length, const char *value,
                       size_t length)
{
    struct reply *reply = self;

    reply_bulk(reply, field, field_length);
    reply_bulk(reply, value, length);
}

static void count_field(void *self, const char *field, size_t field_length, const char *value,
                        size_t length)
{
    (void)self, (void)field, (void)field_length, (void)value, (void)length;
}

static void do_hgetall(struct server *server, const struct argument *a, struct reply *reply)
{
    const struct key *key = key_named(server, &a[1]);

    reply_number(reply, '*', 2 * store_each(key, count_field, NULL));
    (void)store_each(key, list_field, reply);
}

static void do_get(struct server *server, const struct argument *a, struct reply *reply)
{
    const struct value *value = store_get(&server->store, key_named(server, &a[1]), "", 0);

    if (value == NULL)
        reply_text(reply, "$-1\r\n");
    else
        reply_bulk(reply, value->bytes, value->length);
}

static void do_unlink(struct server *server, const struct argument *a, uint32_t count,
                      struct reply *reply)
{
    uint32_t dropped = 0;

    for (uint32_t i = 1; i < count; i++)
        dropped += store_drop_key(&server->store, key_named(server, &a[i]));
    reply_number(reply, ':', dropped);
}

/* A command that takes effect now: outside MULTI, or out of the queue at EXEC. */
static void execute(struct server *server, uint32_t who, const struct argument *a,
                    uint32_t count, bool in_exec, struct reply *reply)
{
    bool writes = is(a, "SET") || is(a, "HSET") || is(a, "HDEL") || is(a, "UNLINK") ||
                  is(a, "EVAL");

    if (writes && !in_exec)
        complain(FENCED, "%.*s outside MULTI", (int)a->length, a->bytes);
    if (is(a, "SET"))
        do_set(server, who, a, reply);
    else if (is(a, "HSET"))
        do_hset(server, who, a, count, reply);
    else if (is(a, "HDEL"))
        do_hdel(server, a, count, reply);
    else if (is(a, "EVAL"))
        do_eval(server, a, reply);
    else if (is(a, "UNLINK"))
        do_unlink(server, a, count, reply);
    else if (is(a, "HGETALL"))
        do_hgetall(server, a, reply);
    else if (is(a, "GET"))
        do_get(server, a, reply);
    else
        complain(SOUND, "a command the model does not know: %.*s", (int)a->length, a->bytes);
}

/* Queued commands are kept as a list of (length, bytes) after a count. */
static void queue_command(struct session *session, const struct argument *a, uint32_t count)
{
    reply_add(&session->queued, (const char *)&count, sizeof count);
    for (uint32_t i = 0; i < count; i++) {
        reply_add(&session->queued, (const char *)&a[i].length, sizeof a[i].length);
        reply_add(&session->queued, a[i].bytes, a[i].length);
    }
    session->queued_count++;
}

static void run_queue(struct server *server, struct session *session, struct reply *reply)
{
    static struct argument a[ARGUMENTS_MAX];
    const char *at = session->queued.bytes;

    reply_number(reply, '*', session->queued_count);
    for (uint32_t k = 0; k < session->queued_count; k++) {
        uint32_t count;

        memcpy(&count, at, sizeof count);
        at += sizeof count;
        CHECK(count <= ARGUMENTS_MAX);
        for (uint32_t i = 0; i < count; i++) {
            memcpy(&a[i].length, at, sizeof a[i].length);
            at += sizeof a[i].length;
            a[i].bytes = at;
            at += a[i].length;
        }
        execute(server, session->who, a, count, true, reply);
    }
}

static void session_clear(struct session *session)
{
    session->in_multi = session->dirty = false;
    session->watched[0] = '\0';
    session->queued.used = 0;
    session->queued_count = 0;
}

static void do_exec(struct server *server, struct session *session, struct reply *reply)
{
    if (session->dirty)
        reply_text(reply, "-EXECABORT Transaction discarded because of previous errors.\r\n");
    else if (session->watched[0] != '\0' &&
             session->watched_version != version_of(server, session->watched))
        reply_text(reply, "*-1\r\n");
    else
        run_queue(server, session, reply);
    session_clear(session);
}

/* Now and then Redis refuses for a while: out of memory, read-only, loading. */
static bool refuse(struct server *server, struct session *session, const struct argument *a,
                   struct reply *reply)
{
    static const struct { enum fault fault; const char *text; } refusals[] = {
        {FAULT_OOM, "-OOM command not allowed when used memory > 'maxmemory'.\r\n"},
        {FAULT_READONLY, "-READONLY You can't write against a read only replica.\r\n"},
        {FAULT_LOADING, "-LOADING Redis is loading the dataset in memory\r\n"}};

    if (server->dice->healing)
        server->refusing = 0;
    for (int i = 0; i < 3 && server->refusing == 0; i++) {
        if (!dice_fault(server->dice, refusals[i].fault, 300))
            continue;
        server->refusing = 1 + dice_roll(server->dice, 200);
        server->refusal = refusals[i].text;
    }
    if (server->refusing == 0)
        return false;
    server->refusing--;
    if (is(a, "EXEC") || is(a, "DISCARD") || is(a, "MULTI") || is(a, "WATCH"))
        return false;
    bool loading = server->refusal == refusals[2].text;

    if (!loading && !is(a, "SET") && !is(a, "HSET"))
        return false;
    session->dirty = session->in_multi;
    reply_text(reply, server->refusal);
    return true;
}

void server_command(struct server *server, struct session *session, const struct argument *a,
                    uint32_t count, struct reply *reply)
{
    if (refuse(server, session, a, reply))
        return;
    if (is(a, "MULTI")) {
        session->in_multi = true;
        reply_text(reply, "+OK\r\n");
    } else if (is(a, "EXEC")) {
        do_exec(server, session, reply);
    } else if (is(a, "DISCARD") || is(a, "UNWATCH")) {
        session_clear(session);
        reply_text(reply, "+OK\r\n");
    } else if (is(a, "WATCH")) {
        snprintf(session->watched, sizeof session->watched, "%.*s", (int)a[1].length, a[1].bytes);
        session->watched_version = version_of(server, session->watched);
        reply_text(reply, "+OK\r\n");
    } else if (is(a, "PING")) {
        reply_text(reply, "+PONG\r\n");
    } else if (session->in_multi) {
        queue_command(session, a, count);
        reply_text(reply, "+QUEUED\r\n");
    } else {
        execute(server, session->who, a, count, false, reply);
    }
}
