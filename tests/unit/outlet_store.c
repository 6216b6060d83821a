/* store_redis, the stage itself, stepped beside a model of Redis that speaks RESP and can be
 * told to fail at any command: before it, after it, without a word, with an error, or with a
 * stranger's write in between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "outlet_asker.h"
#include "pipeline/metric.h"

/* ── A model of Redis ─────────────────────────────────────────────────────── */

enum { CONNECTIONS = 4, ENTRIES = 256, ARGUMENTS = 8, TEXT = 300, QUEUE = 64 };
enum fault { NONE, LOSE_BEFORE, LOSE_AFTER, MUTE, REPLY, TOUCH };

struct command {
    int  count;
    char text[ARGUMENTS][TEXT];
};

static struct {
    struct { char key[TEXT], field[TEXT], value[TEXT]; uint64_t version; } entries[ENTRIES];
    uint32_t count, opens, at_once, at_once_most;
    uint64_t version;
    bool     refuses;         /* connections                                    */
    size_t   piece;           /* most bytes that one call moves                  */
    const char *fault_at;     /* the next such command …                         */
    enum fault  fault;        /* … meets this                                    */
    const char *reply;        /* REPLY: these bytes                              */
    struct connection {
        bool           open, multi, mute;
        struct command queue[QUEUE];
        int            queued;
        char           watched[TEXT];
        uint64_t       watched_version;
        char           in[1 << 16], out[1 << 16];
        size_t         in_used, out_used;
    } connections[CONNECTIONS];
} model;

static uint32_t entry_of(const char *key, const char *field)
{
    uint32_t i = 0;

    while (i < model.count && (strcmp(model.entries[i].key, key) != 0
                               || strcmp(model.entries[i].field, field) != 0))
        i++;
    return i;
}

static const char *model_get(const char *key, const char *field)
{
    uint32_t i = entry_of(key, field);

    return i < model.count ? model.entries[i].value : NULL;
}

static void model_set(const char *key, const char *field, const char *value)
{
    uint32_t i = entry_of(key, field);

    assert_true(i < ENTRIES);
    model.count += i == model.count;
    (void)snprintf(model.entries[i].key, TEXT, "%s", key);
    (void)snprintf(model.entries[i].field, TEXT, "%s", field);
    (void)snprintf(model.entries[i].value, TEXT, "%s", value);
    model.entries[i].version = ++model.version;
}

static void model_mark(int partition, uint64_t epoch, uint64_t sequence)
{
    char key[TEXT], text[MARK_TEXT_MAX];

    key_print(key, sizeof key, "g", "scans", partition, "mark");
    mark_text(text, epoch, sequence);
    model_set(key, "", text);
}

static uint64_t version_of(const char *key)
{
    uint32_t i = entry_of(key, "");

    return i < model.count ? model.entries[i].version : 0;
}

__attribute__((format(printf, 2, 3)))
static void answer(struct connection *c, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(c->out + c->out_used, sizeof c->out - c->out_used, format, arguments);
    va_end(arguments);
    assert_true(length >= 0 && (size_t)length < sizeof c->out - c->out_used);
    c->out_used += (size_t)length;
}

static void run_plain(struct connection *c, const struct command *command)
{
    const char *verb = command->text[0];

    if (strcmp(verb, "GET") == 0) {
        const char *value = model_get(command->text[1], "");

        if (value == NULL)
            answer(c, "$-1\r\n");
        else
            answer(c, "$%zu\r\n%s\r\n", strlen(value), value);
    } else if (strcmp(verb, "SET") == 0) {
        model_set(command->text[1], "", command->text[2]);
        answer(c, "+OK\r\n");
    } else if (strcmp(verb, "HSET") == 0) {
        model_set(command->text[1], command->text[2], command->text[3]);
        answer(c, ":1\r\n");
    } else {
        answer(c, "-ERR unknown command '%s'\r\n", verb);
    }
}

static void run_exec(struct connection *c)
{
    bool touched = c->watched[0] != '\0' && version_of(c->watched) != c->watched_version;

    assert_true(c->multi);
    c->multi = false;
    model.at_once--;
    c->watched[0] = '\0';
    if (touched) {
        answer(c, "*-1\r\n");
        return;
    }
    answer(c, "*%d\r\n", c->queued);
    for (int i = 0; i < c->queued; i++)
        run_plain(c, &c->queue[i]);
}

static void run(struct connection *c, const struct command *command)
{
    const char *verb = command->text[0];

    if (strcmp(verb, "EXEC") == 0) {
        run_exec(c);
    } else if (c->multi) {
        assert_true(c->queued < QUEUE);
        c->queue[c->queued++] = *command;
        answer(c, "+QUEUED\r\n");
    } else if (strcmp(verb, "WATCH") == 0) {
        for (int i = 0; i < CONNECTIONS; i++) /* one of a partition at a time */
            assert_string_not_equal(model.connections[i].watched, command->text[1]);
        assert_string_equal(c->watched, ""); /* and one of a connection */
        (void)snprintf(c->watched, TEXT, "%s", command->text[1]);
        c->watched_version = version_of(command->text[1]);
        answer(c, "+OK\r\n");
    } else if (strcmp(verb, "UNWATCH") == 0) {
        c->watched[0] = '\0';
        answer(c, "+OK\r\n");
    } else if (strcmp(verb, "MULTI") == 0) {
        c->multi = true;
        c->queued = 0;
        model.at_once_most += ++model.at_once > model.at_once_most;
        answer(c, "+OK\r\n");
    } else {
        run_plain(c, command);
    }
}

static void hang_up(struct connection *c)
{
    model.at_once -= c->multi;
    memset(c, 0, sizeof *c);
}

static void meet(struct connection *c, const struct command *command)
{
    enum fault fault = model.fault_at != NULL && strcmp(model.fault_at, command->text[0]) == 0
                           ? model.fault : NONE;

    if (fault != NONE)
        model.fault_at = NULL;
    if (fault == TOUCH)
        model_mark(1, 9, 9);
    if (fault == REPLY)
        answer(c, "%s", model.reply);
    if (fault == MUTE)
        c->mute = true;
    if (fault != LOSE_BEFORE && fault != REPLY && !c->mute)
        run(c, command);
    if (fault == LOSE_BEFORE || fault == LOSE_AFTER)
        hang_up(c);
}

/* The next whole command of what came in: its length, 0 = not all here yet. */
static size_t parse(const struct connection *c, struct command *command)
{
    const char *at = c->in, *end = c->in + c->in_used;
    const char *line = memchr(at, '\n', c->in_used);

    if (line == NULL)
        return 0;
    assert_int_equal(*at, '*');
    command->count = (int)strtol(at + 1, NULL, 10);
    assert_in_range(command->count, 1, ARGUMENTS);
    at = line + 1;
    for (int i = 0; i < command->count; i++) {
        line = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
        if (line == NULL)
            return 0;
        size_t length = strtoul(at + 1, NULL, 10);
        assert_true(*at == '$' && length < TEXT);
        at = line + 1 + length + 2;
        if (at > end)
            return 0;
        assert_memory_equal(at - 2, "\r\n", 2);
        memcpy(command->text[i], line + 1, length);
        command->text[i][length] = '\0';
    }
    return (size_t)(at - c->in);
}

static void io_open(void *self, uint32_t i)
{
    (void)self;
    model.opens++;
    if (!model.refuses)
        model.connections[i].open = true;
}

static enum redis_io_state io_state(void *self, uint32_t i)
{
    (void)self;
    return model.connections[i].open ? REDIS_IO_OPEN : REDIS_IO_CLOSED;
}

static ssize_t io_write(void *self, uint32_t i, const char *bytes, size_t length)
{
    struct connection *c = &model.connections[i];
    size_t             taken = length < model.piece ? length : model.piece, consumed;
    static struct command command;

    (void)self;
    if (!c->open)
        return -1;
    assert_true(c->in_used + taken <= sizeof c->in);
    memcpy(c->in + c->in_used, bytes, taken);
    c->in_used += taken;
    while ((consumed = parse(c, &command)) > 0) {
        c->in_used -= consumed;
        memmove(c->in, c->in + consumed, c->in_used);
        meet(c, &command);
    }
    return (ssize_t)taken;
}

static ssize_t io_read(void *self, uint32_t i, char *bytes, size_t size)
{
    struct connection *c = &model.connections[i];
    size_t             given = c->out_used < model.piece ? c->out_used : model.piece;

    (void)self;
    if (!c->open)
        return -1;
    given = given < size ? given : size;
    memcpy(bytes, c->out, given);
    c->out_used -= given;
    memmove(c->out, c->out + given, c->out_used);
    return (ssize_t)given;
}

static void io_close(void *self, uint32_t i)
{
    (void)self;
    hang_up(&model.connections[i]);
}

static const char *io_error(void *self, uint32_t i)
{
    (void)self, (void)i;
    return model.refuses ? "refused" : "";
}

static void io_destroy(void *self) { (void)self; }

static int model_open(const struct config *config, uint32_t streams, struct redis_io *io)
{
    static const struct redis_io_ops ops = {io_open, io_state, io_write, io_read, io_close,
                                            io_error, NULL, io_destroy};

    (void)config;
    assert_true(streams <= CONNECTIONS);
    *io = (struct redis_io) {.ops = &ops};
    return 0;
}

/* ── The stage, stepped ───────────────────────────────────────────────────── */

static const struct config_row rows[] = {
    {"kafka.group", CONFIG_TEXT, "g", 0, 0, NULL, "group", false, false},
    {"kafka.topics.scans", CONFIG_TEXT, "scans", 0, 0, NULL, "topic", false, false},
    {"redis.connections", CONFIG_INTEGER, "4", 1, 16, NULL, "connections", false, false},
    {"redis.timeout", CONFIG_DURATION, "5s", 100, 600000, NULL, "timeout", false, false},
};

static struct config *config;
static struct graph  *graph;
static uint64_t       now_ns;

static int setup(void **state)
{
    (void)state;
    memset(&model, 0, sizeof model);
    memset(&asker, 0, sizeof asker);
    model.piece = SIZE_MAX;
    now_ns = 1000000000;
    ports.redis_open = model_open;
    config = config_create(rows, sizeof rows / sizeof rows[0]);
    assert_int_equal(config_finish(config), 0);
    graph = graph_create(&asker_plan, config);
    return graph == NULL;
}

static int teardown(void **state)
{
    (void)state;
    graph_stop(graph);
    for (int i = 0; i < 1000 && !graph_halted(graph); i++) {
        now_ns += 1000000;
        (void)graph_step(graph, (uint32_t)i % 2, now_ns);
    }
    assert_true(graph_halted(graph));
    assert_false(graph_failed(graph));
    graph_destroy(graph);
    config_destroy(config);
    return 0;
}

/* A millisecond a step, until everything asked is answered or so many have passed. */
static uint32_t step_ms(uint32_t ms_max)
{
    uint32_t ms = 0;

    for (; ms < ms_max && asker.answered < asker.count; ms++) {
        now_ns += 1000000;
        (void)graph_step(graph, 0, now_ns);
        (void)graph_step(graph, 1, now_ns);
        (void)graph_step(graph, 0, now_ns);
    }
    return ms;
}

static const struct request *last(void)
{
    assert_true(asker.list[asker.count - 1].answered);
    return &asker.list[asker.count - 1].request;
}

static void expect(enum request_answer wanted)
{
    (void)step_ms(30000);
    assert_int_equal(last()->answer, wanted);
    for (int i = 0; i < CONNECTIONS; i++) /* nobody keeps a watch that the next would trip over */
        assert_true(model.connections[i].mute || model.connections[i].watched[0] == '\0');
}

static struct buffer *body_of(const char *key, const char *value)
{
    static struct buffer body;

    body.used = 0;
    for (int i = 0; i < 2; i++) {
        resp_command(&body, 4);
        resp_text(&body, "HSET");
        resp_text(&body, key);
        resp_text(&body, i == 0 ? "a" : "b");
        resp_text(&body, value);
    }
    return &body;
}

static void claims_and_cuts(void **state)
{
    (void)state;
    asker_add(1, REQUEST_LOOK);
    expect(REQUEST_APPLIED); /* absent, as expected */
    asker_cut(1, 0, NULL, 0);
    expect(REQUEST_APPLIED);
    assert_string_equal(model_get("{g:scans:1}:mark", ""), last()->wanted);
    asker_cut(1, 1, body_of("k", "x"), 2);
    expect(REQUEST_APPLIED);
    assert_string_equal(model_get("k", "a"), "x");
    assert_string_equal(model_get("k", "b"), "x");
    assert_string_equal(model_get("{g:scans:1}:mark", ""), last()->wanted);
    mark_text(asker_add(1, REQUEST_LOOK)->expected, 1, 2);
    expect(REQUEST_APPLIED);
    mark_text(asker_add(1, REQUEST_LOOK)->expected, 1, 1);
    expect(REQUEST_DIFFERS);
    assert_int_equal(last()->mark.sequence, 2);
}

static void another_mark(void **state)
{
    (void)state;
    model_mark(1, 5, 6);
    asker_cut(1, 3, body_of("k", "x"), 2);
    expect(REQUEST_DIFFERS);
    assert_int_equal(last()->mark.epoch, 5);
    assert_int_equal(last()->mark.sequence, 6);
    asker_cut(2, 3, body_of("k", "x"), 2);
    expect(REQUEST_DIFFERS);
    assert_int_equal(last()->mark.epoch, 0);
    assert_string_equal(last()->text, "absent");
    asker_cut(1, 0, body_of("k", "x"), 2);
    expect(REQUEST_DIFFERS);
    assert_int_equal(model.at_once_most, 0); /* MULTI was never sent */
    assert_null(model_get("k", "a"));
}

/* Between our look and our EXEC: Redis itself says no, and whoever asked has to look. */
static void touched_meanwhile(void **state)
{
    (void)state;
    model_mark(1, 1, 3);
    model.fault_at = "MULTI";
    model.fault = TOUCH;
    asker_cut(1, 3, body_of("k", "x"), 2);
    expect(REQUEST_DIFFERS);
    assert_int_equal(last()->mark.epoch, 0);
    assert_string_equal(last()->text, "");
    assert_null(model_get("k", "a"));
}

static void what_no_binary_reads(void **state)
{
    (void)state;
    model_set("{g:scans:1}:mark", "", "2 from the future");
    asker_add(1, REQUEST_LOOK);
    expect(REQUEST_REFUSED);
    assert_non_null(strstr(last()->text, "format 2"));
    asker_cut(1, 3, body_of("k", "x"), 2);
    expect(REQUEST_DIFFERS);
    assert_string_equal(model_get("{g:scans:1}:mark", ""), "2 from the future");
}

static void errors(void **state)
{
    (void)state;
    model_mark(1, 1, 3);
    model.fault = REPLY;
    model.fault_at = "GET";
    model.reply = "-LOADING not yet\r\n";
    asker_cut(1, 3, NULL, 0);
    expect(REQUEST_REFUSED);
    assert_string_equal(last()->text, "LOADING not yet");
    model.fault_at = "EXEC";
    model.reply = "-EXECABORT because\r\n";
    asker_cut(1, 3, body_of("k", "x"), 2);
    (void)step_ms(100);
    assert_int_equal(last()->answer, REQUEST_REFUSED);
    assert_string_equal(last()->text, "EXECABORT because");
    assert_null(model_get("k", "a"));
}

/* However the bytes are cut, both ways. */
static void pieces(void **state)
{
    (void)state;
    for (model.piece = 1; model.piece < 40; model.piece += 1 + model.piece / 4) {
        memset(&model.entries, 0, sizeof model.entries);
        model.count = 0;
        model_mark(1, 1, 3);
        asker_cut(1, 3, body_of("k", "x"), 2);
        expect(REQUEST_APPLIED);
        assert_string_equal(model_get("k", "b"), "x");
    }
}

static void lost(void **state)
{
    static const struct {
        const char *at; enum fault fault; size_t piece; enum request_answer answer; bool applied;
    } cases[] = {
        {"WATCH", LOSE_BEFORE, 7, REQUEST_UNSENT, false},
        {"GET", LOSE_AFTER, 7, REQUEST_UNSENT, false},
        {"MULTI", LOSE_AFTER, 7, REQUEST_UNSENT, false},
        {"HSET", LOSE_BEFORE, 7, REQUEST_UNSENT, false},
        {"HSET", LOSE_AFTER, 7, REQUEST_UNSENT, false},
        {"EXEC", LOSE_BEFORE, SIZE_MAX, REQUEST_UNKNOWN, false},
        {"EXEC", LOSE_AFTER, SIZE_MAX, REQUEST_UNKNOWN, true},
        {"EXEC", LOSE_AFTER, 7, REQUEST_UNKNOWN, true},
        {"GET", MUTE, SIZE_MAX, REQUEST_UNSENT, false},
        {"EXEC", MUTE, SIZE_MAX, REQUEST_UNKNOWN, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        model.count = 0;
        model_mark(1, 1, 3);
        model.fault_at = cases[i].at;
        model.fault = cases[i].fault;
        model.piece = cases[i].piece;
        asker_cut(1, 3, body_of("k", "x"), 2);
        expect(cases[i].answer);
        assert_int_equal(model_get("k", "a") != NULL, cases[i].applied);
        model.piece = SIZE_MAX;
        asker_add(2, REQUEST_LOOK);
        expect(REQUEST_APPLIED);
    }
    for (int ms = 0; ms < 3000; ms++)
        (void)graph_step(graph, 1, now_ns += 1000000);
    assert_int_equal(metric_sum("redis_connected"), CONNECTIONS); /* all made anew */
}

static void nonsense(void **state)
{
    static const char *const replies[] = {"hello\r\n", "+OK\r\n+OK\r\n+OK\r\n", "$-9\r\n",
                                          "*x\r\n"};

    (void)state;
    model_mark(1, 1, 3);
    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
        model.fault_at = "GET";
        model.fault = REPLY;
        model.reply = replies[i];
        asker_cut(1, 3, body_of("k", "x"), 2);
        expect(REQUEST_UNSENT);
        assert_null(model_get("k", "a"));
    }
}

/* Order within a partition (the model asserts one WATCH of a mark at a time); between
 * partitions as many at once as there are connections. */
static void order(void **state)
{
    struct buffer *body = body_of("k", "x");

    (void)state;
    model.piece = 11;
    for (int32_t partition = 0; partition < 6; partition++)
        for (uint64_t sequence = 0; sequence < 8; sequence++)
            asker_cut(partition, sequence, body, 2);
    (void)step_ms(20000);
    for (uint32_t i = 0; i < asker.count; i++)
        assert_int_equal(asker.list[i].request.answer, REQUEST_APPLIED);
    assert_int_equal(model.at_once_most, CONNECTIONS);
}

/* Redis is away: attempts are few, whoever waits is told, and all goes on when it is back. */
static void out_of_reach(void **state)
{
    (void)state;
    model.refuses = true;
    for (int32_t partition = 0; partition < 10; partition++)
        asker_add(partition, REQUEST_LOOK);
    assert_in_range(step_ms(30000), 5000, 5100);
    for (uint32_t i = 0; i < asker.count; i++)
        assert_int_equal(asker.list[i].request.answer, REQUEST_UNSENT);
    for (int ms = 0; ms < 25000; ms++)
        (void)graph_step(graph, 1, now_ns += 1000000);
    assert_in_range(model.opens, CONNECTIONS * 15, CONNECTIONS * 25); /* each 2 s in the end */
    model.refuses = false;
    asker_add(1, REQUEST_LOOK);
    expect(REQUEST_APPLIED);
}

/* A quiet stage does nothing; one that waits says so now and then, and does not spin. */
static void quiet(void **state)
{
    int work = 0;

    (void)state;
    asker_add(1, REQUEST_LOOK);
    expect(REQUEST_APPLIED);
    for (int us = 0; us < 100000; us += 10)
        work += graph_step(graph, 1, now_ns += 10000);
    assert_int_equal(work, 0);
    model.fault_at = "GET";
    model.fault = MUTE;
    asker_add(1, REQUEST_LOOK);
    (void)step_ms(2);
    for (int us = 0; us < 100000; us += 10)
        work += graph_step(graph, 1, now_ns += 10000);
    assert_in_range(work, 45, 55);
    expect(REQUEST_UNSENT);
}

#define STEPPED(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STEPPED(claims_and_cuts), STEPPED(another_mark), STEPPED(touched_meanwhile),
        STEPPED(what_no_binary_reads), STEPPED(errors), STEPPED(pieces),
        STEPPED(lost), STEPPED(nonsense), STEPPED(order),
        STEPPED(out_of_reach), STEPPED(quiet)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
