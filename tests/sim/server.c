/* server.c - a model of Redis: keys, transactions, snapshots.
 *
 * Strings and hashes in one list of (key, field, value); small worlds need no
 * index.  What it watches over itself: data changes only inside EXEC, and the mark
 * that EXEC writes follows the one that was there (a fenced writer changes nothing).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pipeline/check.h"
#include "stages/outlet/request.h"
#include "tests/sim/sim.h"

enum { BINS = 1024 };

struct entry {
    struct entry *next;
    char         *key, *field, *value;
    size_t        field_length, length;
    uint32_t      hash;            /* of key and field */
    uint32_t      version;         /* of the change that wrote it */
    uint32_t      writer;          /* marks: by whom, and what a claim found */
    char          found[MARK_TEXT_MAX];
    uint32_t      found_writer;
};

struct data { struct entry *bins[BINS]; };

struct server {
    struct dice *dice;
    struct data  now, snapshot;
    bool         has_snapshot, lost, evicted;
    void       (*moved)(void *, const char *key, const struct mark *, uint32_t who);
    void        *moved_self;
    uint32_t     version;          /* rises with every write                             */
    uint32_t     generation;
    uint32_t     refusing;         /* commands still refused, with this error            */
    const char  *refusal;
};

static uint32_t hash_of(const char *key, const char *field, size_t field_length)
{
    uint32_t hash = 2166136261u;

    for (; *key != '\0'; key++)
        hash = (hash ^ (uint8_t)*key) * 16777619u;
    for (size_t i = 0; i < field_length; i++)
        hash = (hash ^ (uint8_t)field[i]) * 16777619u;
    return hash;
}

static char *copy_bytes(const char *bytes, size_t length)
{
    char *copy = malloc(length + 1);

    CHECK(copy != NULL);
    memcpy(copy, bytes, length);
    copy[length] = '\0';
    return copy;
}

static struct entry **find_hashed(struct data *data, uint32_t hash, const char *key,
                                  const char *field, size_t field_length)
{
    struct entry **at = &data->bins[hash % BINS];

    while (*at != NULL && ((*at)->hash != hash || strcmp((*at)->key, key) != 0 ||
                           (*at)->field_length != field_length ||
                           memcmp((*at)->field, field, field_length) != 0))
        at = &(*at)->next;
    return at;
}

static struct entry **find(struct data *data, const char *key, const char *field,
                           size_t field_length)
{
    return find_hashed(data, hash_of(key, field, field_length), key, field, field_length);
}

static struct entry *put(struct data *data, const char *key, const char *field, size_t field_length,
                const char *value, size_t length)
{
    uint32_t hash = hash_of(key, field, field_length);
    struct entry **at = find_hashed(data, hash, key, field, field_length);

    if (*at == NULL) {
        *at = calloc(1, sizeof **at);
        CHECK(*at != NULL);
        (*at)->hash = hash;
        (*at)->key = copy_bytes(key, strlen(key));
        (*at)->field = copy_bytes(field, field_length);
        (*at)->field_length = field_length;
    }
    free((*at)->value);
    (*at)->value = copy_bytes(value, length);
    (*at)->length = length;
    return *at;
}

/* What WATCH compares: 0 = the key is not there. */
static uint32_t version_of(struct server *server, const char *key)
{
    struct entry *e = *find(&server->now, key, "", 0);

    return e != NULL ? e->version : 0;
}

static void drop(struct entry **at)
{
    struct entry *gone = *at;

    *at = gone->next;
    free(gone->key);
    free(gone->field);
    free(gone->value);
    free(gone);
}

static uint32_t drop_key(struct data *data, const char *key)
{
    uint32_t dropped = 0;

    for (uint32_t i = 0; i < BINS; i++)
        for (struct entry **at = &data->bins[i]; *at != NULL;)
            if (strcmp((*at)->key, key) == 0)
                drop(at), dropped++;
            else
                at = &(*at)->next;
    return dropped;
}

static void clear(struct data *data)
{
    for (uint32_t i = 0; i < BINS; i++)
        while (data->bins[i] != NULL)
            drop(&data->bins[i]);
}

static void copy(struct data *to, const struct data *from)
{
    clear(to);
    for (uint32_t i = 0; i < BINS; i++)
        for (const struct entry *e = from->bins[i]; e != NULL; e = e->next)
            put(to, e->key, e->field, e->field_length, e->value, e->length)->writer = e->writer;
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
    clear(&server->now);
    clear(&server->snapshot);
    free(server);
}

struct dice *server_dice(struct server *server) { return server->dice; }

uint32_t server_generation(const struct server *server) { return server->generation; }

void server_snapshot(struct server *server)
{
    copy(&server->snapshot, &server->now);
    server->has_snapshot = true;
}

bool server_failover(struct server *server)
{
    if (!server->has_snapshot)
        return false;
    copy(&server->now, &server->snapshot);   /* its marks are of no version seen before */
    for (uint32_t i = 0; i < BINS; i++)
        for (struct entry *e = server->now.bins[i]; e != NULL; e = e->next)
            e->version = ++server->version;
    server->generation++;
    server->lost = true;
    return true;
}

void server_flush(struct server *server)
{
    clear(&server->now);
    server->lost = true;
}

bool server_evict(struct server *server)
{
    uint32_t first = dice_roll(server->dice, BINS);

    for (uint32_t i = 0; i < BINS; i++) {
        const struct entry *e = server->now.bins[(first + i) % BINS];

        if (e == NULL || strstr(e->key, "}:b0") == NULL)
            continue;
        char *key = copy_bytes(e->key, strlen(e->key));

        drop_key(&server->now, key);
        free(key);
        server->lost = server->evicted = true;
        return true;
    }
    return false;
}

bool server_lost_data(const struct server *server) { return server->lost; }
bool server_evicted(const struct server *server) { return server->evicted; }

bool server_unclaim(struct server *server, const char *key)
{
    struct entry *e = *find(&server->now, key, "", 0);
    struct mark mark;

    if (e == NULL || e->found[0] == '\0' || mark_parse(e->value, e->length, &mark) != 0 ||
        mark.sequence != 0)
        return false;
    put(&server->now, key, "", 0, e->found, strlen(e->found));
    e->version = ++server->version;
    e->writer = e->found_writer;
    e->found[0] = '\0';
    server->generation++;
    server->lost = true;
    return true;
}

uint32_t server_writer(const struct server *server, const char *key)
{
    const struct entry *e = *find((struct data *)(uintptr_t)&server->now, key, "", 0);

    return e != NULL ? e->writer : 0;
}

void server_listen(struct server *server,
                   void (*moved)(void *, const char *, const struct mark *, uint32_t),
                   void *self)
{
    server->moved = moved;
    server->moved_self = self;
}

const char *server_get(const struct server *server, const char *key, const char *field,
                       size_t *length)
{
    struct entry *e = *find((struct data *)(uintptr_t)&server->now, key, field, strlen(field));

    if (e == NULL)
        return NULL;
    *length = e->length;
    return e->value;
}

void server_each(const struct server *server, const char *key,
                 void (*each)(void *, const char *, size_t, const char *, size_t), void *self)
{
    for (uint32_t i = 0; i < BINS; i++)
        for (const struct entry *e = server->now.bins[i]; e != NULL; e = e->next)
            if (strcmp(e->key, key) == 0)
                each(self, e->field, e->field_length, e->value, e->length);
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

static void reply_number(struct reply *reply, char kind, long long number)
{
    char text[32];
    int n = snprintf(text, sizeof text, "%c%lld\r\n", kind, number);

    reply_add(reply, text, (size_t)n);
}

static void reply_bulk(struct reply *reply, const char *bytes, size_t length)
{
    reply_number(reply, '$', (long long)length);
    reply_add(reply, bytes, length);
    reply_text(reply, "\r\n");
}

static bool is(const struct argument *a, const char *name)
{
    return strlen(name) == a->length && strncasecmp(a->bytes, name, a->length) == 0;
}

/* A new mark must follow the one that is there: a new epoch, or one more by who wrote it.
 * The text of a mark does not tell who that was, if the product is wrong: we know. */
static void watch_over_mark(const struct entry *old, uint32_t who, const struct mark *after)
{
    struct mark before;

    if (old == NULL || mark_parse(old->value, old->length, &before) != 0)
        return;
    if (after->epoch > before.epoch && after->sequence == 0)
        return;
    if (after->epoch != before.epoch || after->owner != before.owner ||
        after->sequence != before.sequence + 1)
        complain(FENCED, "mark %s overwritten by one who believes otherwise: sequence %llu of %llu",
                 old->value, (unsigned long long)after->sequence,
                 (unsigned long long)after->epoch);
    else if (old->writer != who)
        complain(FENCED, "mark %s overwritten by one who takes it for its own", old->value);
}

static void do_set_mark(struct server *server, uint32_t who, const char *key,
                        const struct argument *value)
{
    struct entry *e = *find(&server->now, key, "", 0);
    uint32_t writer = e != NULL ? e->writer : 0;
    char found[MARK_TEXT_MAX] = "";
    struct mark mark;

    if (mark_parse(value->bytes, value->length, &mark) != 0) {
        complain(FENCED, "a mark that is none: %.*s", (int)value->length, value->bytes);
        return;
    }
    looked_at(FENCED);
    watch_over_mark(e, who, &mark);
    if (e != NULL && mark.sequence == 0)
        snprintf(found, sizeof found, "%s", e->value);
    e = put(&server->now, key, "", 0, value->bytes, value->length);
    e->version = ++server->version;
    e->writer = who;
    e->found_writer = writer;
    memcpy(e->found, found, sizeof found);
    server->moved(server->moved_self, key, &mark, who);
}

static void do_set(struct server *server, uint32_t who, const struct argument *a,
                   struct reply *reply)
{
    char *key = copy_bytes(a[1].bytes, a[1].length);

    if (strstr(key, "}:mark") != NULL)
        do_set_mark(server, who, key, &a[2]);
    else
        put(&server->now, key, "", 0, a[2].bytes, a[2].length)->version = ++server->version;
    free(key);
    reply_text(reply, "+OK\r\n");
}

static void do_hset(struct server *server, const struct argument *a, uint32_t count,
                    struct reply *reply)
{
    char *key = copy_bytes(a[1].bytes, a[1].length);
    long long added = 0;

    CHECK(count >= 4 && count % 2 == 0);
    for (uint32_t i = 2; i + 1 < count; i += 2, added++)
        put(&server->now, key, a[i].bytes, a[i].length, a[i + 1].bytes, a[i + 1].length);
    free(key);
    reply_number(reply, ':', added);
}

static void do_hdel(struct server *server, const struct argument *a, uint32_t count,
                    struct reply *reply)
{
    char *key = copy_bytes(a[1].bytes, a[1].length);
    long long dropped = 0;

    for (uint32_t i = 2; i < count; i++) {
        struct entry **at = find(&server->now, key, a[i].bytes, a[i].length);

        if (*at != NULL)
            drop(at), dropped++;
    }
    free(key);
    reply_number(reply, ':', dropped);
}

/* REQUEST_FORGET: the field goes if it has this value. */
static void do_eval(struct server *server, const struct argument *a, struct reply *reply)
{
    char *key = copy_bytes(a[3].bytes, a[3].length);
    struct entry **at = find(&server->now, key, a[4].bytes, a[4].length);
    bool same = *at != NULL && (*at)->length == a[5].length &&
                memcmp((*at)->value, a[5].bytes, a[5].length) == 0;

    if (a[1].length != sizeof REQUEST_FORGET - 1 ||
        memcmp(a[1].bytes, REQUEST_FORGET, a[1].length) != 0)
        complain(SOUND, "a script the model does not know: %.*s", (int)a[1].length, a[1].bytes);
    if (same)
        drop(at);
    free(key);
    reply_number(reply, ':', same);
}

struct listing { struct reply body; long long elements; };

static void list_field(void *self, const char *field, size_t field_length, const char *value,
                       size_t length)
{
    struct listing *listing = self;

    reply_bulk(&listing->body, field, field_length);
    reply_bulk(&listing->body, value, length);
    listing->elements += 2;
}

static void do_hgetall(struct server *server, const struct argument *a, struct reply *reply)
{
    struct listing listing = {.elements = 0};
    char *key = copy_bytes(a[1].bytes, a[1].length);

    server_each(server, key, list_field, &listing);
    reply_number(reply, '*', listing.elements);
    reply_add(reply, listing.body.bytes != NULL ? listing.body.bytes : "", listing.body.used);
    free(listing.body.bytes);
    free(key);
}

static void do_get(struct server *server, const struct argument *a, struct reply *reply)
{
    char *key = copy_bytes(a[1].bytes, a[1].length);
    size_t length;
    const char *value = server_get(server, key, "", &length);

    if (value == NULL)
        reply_text(reply, "$-1\r\n");
    else
        reply_bulk(reply, value, length);
    free(key);
}

static void do_unlink(struct server *server, const struct argument *a, uint32_t count,
                      struct reply *reply)
{
    long long dropped = 0;

    for (uint32_t i = 1; i < count; i++) {
        char *key = copy_bytes(a[i].bytes, a[i].length);

        dropped += drop_key(&server->now, key) > 0;
        free(key);
    }
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
        do_hset(server, a, count, reply);
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
    const char *at = session->queued.bytes;

    reply_number(reply, '*', session->queued_count);
    for (uint32_t k = 0; k < session->queued_count; k++) {
        uint32_t count;

        memcpy(&count, at, sizeof count);
        at += sizeof count;
        struct argument *a = calloc(count, sizeof *a);

        CHECK(a != NULL);
        for (uint32_t i = 0; i < count; i++) {
            memcpy(&a[i].length, at, sizeof a[i].length);
            at += sizeof a[i].length;
            a[i].bytes = at;
            at += a[i].length;
        }
        execute(server, session->who, a, count, true, reply);
        free(a);
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
