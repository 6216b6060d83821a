/* wire.c - connections to the model of Redis, behind the redis_io port.
 *
 * Bytes go in parts, replies come in parts and late; a connection may be cut at any
 * byte, and a transaction applied whose answer never arrives.
 */
#include <stdlib.h>
#include <string.h>

#include "pipeline/check.h"
#include "tests/sim/sim.h"

struct wire {
    enum redis_io_state state;
    struct session      session;
    struct reply        in, out;      /* bytes not yet understood; bytes not yet read */
    size_t              read_at;
    uint32_t            generation;   /* of the server when it was opened              */
    uint32_t            opening;      /* state() calls until it is open                */
};

struct wires {
    struct server *server;
    uint32_t       count;
    struct wire    wires[STREAMS_MAX];
};

static void wire_cut(struct wire *w)
{
    w->state = REDIS_IO_CLOSED;
    w->in.used = w->out.used = w->read_at = 0;
    free(w->session.queued.bytes);
    w->session = (struct session){.who = w->session.who};
}

/* A fail-over cuts everybody off. */
static bool wire_alive(struct wires *x, struct wire *w)
{
    if (w->state == REDIS_IO_OPEN && w->generation != server_generation(x->server))
        wire_cut(w);
    return w->state == REDIS_IO_OPEN;
}

static void io_open(void *self, uint32_t i)
{
    struct wires *x = self;

    wire_cut(&x->wires[i]);
    x->wires[i].state = REDIS_IO_OPENING;
    x->wires[i].generation = server_generation(x->server);
    x->wires[i].opening = 1 + dice_roll(server_dice(x->server), 5);
}

static enum redis_io_state io_state(void *self, uint32_t i)
{
    struct wires *x = self;
    struct wire *w = &x->wires[i];

    if (w->state == REDIS_IO_OPENING && --w->opening == 0) {
        w->state = REDIS_IO_OPEN;
        if (dice_fault(server_dice(x->server), FAULT_REFUSED, 200000))
            wire_cut(w);
    }
    wire_alive(x, w);
    return w->state;
}

/* "*2\r\n$3\r\n…": one number after its sign, or -1 when it is not all there. */
static long header(const struct reply *in, size_t *at, char sign)
{
    size_t i = *at + 1;
    long   number = 0;

    for (; i < in->used && in->bytes[i] >= '0' && in->bytes[i] <= '9'; i++)
        number = number * 10 + (in->bytes[i] - '0');
    if (i + 1 >= in->used)
        return -1;
    if (in->bytes[*at] != sign || in->bytes[i] != '\r' || in->bytes[i + 1] != '\n') {
        complain(SOUND, "RESP: '%c' where '%c' belongs", in->bytes[*at], sign);
        return -1;
    }
    *at = i + 2;
    return number;
}

/* One whole command out of `in`, from *taken on; false = not all there yet. */
static bool command_take(struct wire *w, struct argument *a, uint32_t *count, size_t *taken)
{
    size_t at = *taken;
    long arguments = header(&w->in, &at, '*');

    if (arguments <= 0)
        return false;
    CHECK(arguments <= ARGUMENTS_MAX);
    for (long i = 0; i < arguments; i++) {
        long length = header(&w->in, &at, '$');

        if (length < 0 || at + (size_t)length + 2 > w->in.used)
            return false;
        a[i] = (struct argument){.bytes = w->in.bytes + at, .length = (size_t)length};
        at += (size_t)length + 2;
    }
    *count = (uint32_t)arguments;
    *taken = at;
    return true;
}

static bool is_exec(const struct argument *a)
{
    return a->length == 4 && memcmp(a->bytes, "EXEC", 4) == 0;
}

static void serve(struct wires *x, struct wire *w)
{
    static struct argument arguments[ARGUMENTS_MAX];
    uint32_t count;
    size_t taken = 0;

    while (w->state == REDIS_IO_OPEN && command_take(w, arguments, &count, &taken)) {
        bool lost = is_exec(arguments) &&
                    dice_fault(server_dice(x->server), FAULT_ANSWER_LOST, 60000);

        server_command(x->server, &w->session, arguments, count, &w->out);
        if (lost)
            wire_cut(w);
    }
    if (taken == 0 || w->in.used == 0)
        return;   /* nothing whole yet, or it was cut */
    memmove(w->in.bytes, w->in.bytes + taken, w->in.used - taken);
    w->in.used -= taken;
}

static ssize_t io_write(void *self, uint32_t i, const char *bytes, size_t length)
{
    struct wires *x = self;
    struct wire *w = &x->wires[i];
    struct dice *dice = server_dice(x->server);

    if (!wire_alive(x, w))
        return -1;
    size_t take = dice_chance(dice, 300000) ? dice_roll(dice, (uint32_t)length + 1) : length;

    if (dice_fault(dice, FAULT_CUT_LINK, 4000)) {
        reply_add(&w->in, bytes, take);
        serve(x, w);
        wire_cut(w);
        return -1;
    }
    reply_add(&w->in, bytes, take);
    serve(x, w);
    return w->state == REDIS_IO_OPEN ? (ssize_t)take : -1;
}

static ssize_t io_read(void *self, uint32_t i, char *bytes, size_t size)
{
    struct wires *x = self;
    struct wire *w = &x->wires[i];
    struct dice *dice = server_dice(x->server);
    size_t there = w->out.used - w->read_at;

    if (!wire_alive(x, w))
        return -1;
    if (there == 0 || dice_chance(dice, 200000))
        return 0;
    if (dice_fault(dice, FAULT_CUT_ANSWER, 4000)) {
        wire_cut(w);
        return -1;
    }
    size_t take = there < size ? there : size;

    if (dice_chance(dice, 200000))
        take = 1 + dice_roll(dice, (uint32_t)take);
    memcpy(bytes, w->out.bytes + w->read_at, take);
    w->read_at += take;
    if (w->read_at == w->out.used)
        w->read_at = w->out.used = 0;
    return (ssize_t)take;
}

static void io_close(void *self, uint32_t i)
{
    wire_cut(&((struct wires *)self)->wires[i]);
}

static const char *io_error(void *self, uint32_t i)
{
    (void)self, (void)i;
    return "cut by the simulator";
}

static void io_destroy(void *self)
{
    struct wires *x = self;

    for (uint32_t i = 0; i < STREAMS_MAX; i++) {
        wire_cut(&x->wires[i]);
        free(x->wires[i].in.bytes);
        free(x->wires[i].out.bytes);
    }
    free(x);
}

int server_open_io(struct server *server, uint32_t who, uint32_t streams, struct redis_io *io)
{
    static const struct redis_io_ops ops = {
        .open = io_open, .state = io_state, .write = io_write, .read = io_read,
        .close = io_close, .error = io_error, .destroy = io_destroy};
    struct wires *x = calloc(1, sizeof *x);

    CHECK(x != NULL && streams <= STREAMS_MAX);
    x->server = server;
    x->count = streams;
    for (uint32_t i = 0; i < streams; i++)
        x->wires[i].session.who = who;
    *io = (struct redis_io){.ops = &ops, .self = x};
    return 0;
}
