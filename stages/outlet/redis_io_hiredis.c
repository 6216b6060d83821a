/* redis_io_hiredis.c - the port to a real Redis: non-blocking sockets, and the
 * handshake that makes a connection usable.
 *
 *   OPENING: name ──► address ──► connected ──► AUTH, SELECT, PING, INFO memory ──► OPEN
 *                                               (of a cluster's node CLUSTER SLOTS as well)
 *
 * PING says whether it answers commands at all (-LOADING, -NOAUTH, -MASTERDOWN);
 * INFO whether it would ever drop state on its own, and then it is refused.  Names are
 * resolved by the C library's helper thread (getaddrinfo_a), anew for each outage, and
 * each attempt takes the next address: a name may stand for another server by then.
 * After the handshake this file moves bytes and knows nothing of what they say.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <hiredis/hiredis.h>

#include "pipeline/check.h"
#include "pipeline/config.h"
#include "pipeline/error.h"
#include "stages/outlet/buffer.h"
#include "stages/outlet/redis_address.h"
#include "stages/outlet/redis_cluster.h"
#include "stages/outlet/redis_io.h"
#include "stages/outlet/redis_replies.h"

enum { STREAMS_MAX = 16, GREETING_READ = 4096, SOCKET_BYTES = 1 << 20 };

enum phase { LINE_CLOSED, LINE_NAMING, LINE_CONNECTING, LINE_GREETING, LINE_OPEN };

/* A server by its name, and what that stands for. */
struct name {
    struct redis_address address;
    struct gaicb         lookup;
    bool                 asking;    /* the lookup runs                                     */
    bool                 stale;     /* a line failed: its answer may be out of date          */
    int                  answer;    /* of the last lookup                                  */
};

struct line {
    struct name         *name;    /* whom to connect to                                     */
    uint32_t             node;    /* of a cluster                                           */
    enum phase           phase;
    int                  fd;
    struct redis_replies replies; /* to the greeting                                      */
    size_t               greeted; /* bytes of the greeting written                        */
    uint32_t             failed;  /* connects: says which of the addresses is next          */
    char                 error[128];
};

struct io {
    struct redis_cluster *cluster;  /* NULL = one server                                   */
    struct name          own;       /* the one server's; of a cluster each line has its own   */
    struct buffer        greeting;
    uint32_t             greeting_replies;
    struct addrinfo      hints;
    uint32_t             lines_count;
    struct name          names[STREAMS_MAX];
    struct line          lines[STREAMS_MAX];
};

static void line_drop(struct line *line)
{
    if (line->fd >= 0)
        CHECK(close(line->fd) == 0 || errno == EINTR || errno == ECONNRESET);
    line->fd = -1;
    line->phase = LINE_CLOSED;
    redis_replies_reset(&line->replies);
}

__attribute__((format(printf, 2, 3)))
static ssize_t line_fail(struct line *line, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(line->error, sizeof line->error, format, arguments);
    va_end(arguments);
    line_drop(line);
    return -1;
}

/* ── Name and connection ──────────────────────────────────────────────────── */

static void lookup_forget(struct name *name)
{
    CHECK(!name->asking);
    if (name->lookup.ar_result != NULL)
        freeaddrinfo(name->lookup.ar_result);
    name->lookup.ar_result = NULL;
}

/* Asked once for all lines that want to connect; the answer serves until one fails. */
static void lookup_start(const struct io *io, struct name *name)
{
    struct gaicb *list[1] = {&name->lookup};

    if (name->address.path[0] != '\0' || name->asking
        || (name->lookup.ar_result != NULL && !name->stale))
        return;
    lookup_forget(name);
    name->lookup = (struct gaicb) {.ar_name = name->address.host,
                                   .ar_service = name->address.port, .ar_request = &io->hints};
    name->answer = getaddrinfo_a(GAI_NOWAIT, list, 1, NULL);
    name->asking = name->answer == 0;
    name->stale = false;
}

/* Is the name's answer here? */
static bool lookup_done(struct name *name)
{
    if (name->asking) {
        name->answer = gai_error(&name->lookup);
        name->asking = name->answer == EAI_INPROGRESS;
    }
    return !name->asking;
}

static void lookup_end(struct name *name)
{
    const struct gaicb *list[1] = {&name->lookup};

    if (name->asking && gai_cancel(&name->lookup) == EAI_NOTCANCELED)
        while (gai_error(&name->lookup) == EAI_INPROGRESS)
            (void)gai_suspend(list, 1, NULL);
    name->asking = false;
    lookup_forget(name);
}

static void connect_fail(struct line *line, int error)
{
    const struct redis_address *a = &line->name->address;

    line->failed++;
    line_fail(line, "connect to %s%s%s: %s", a->path[0] != '\0' ? a->path : a->host,
              a->path[0] != '\0' ? "" : ":", a->port, strerror(error));
}

static void line_connect(struct line *line, const struct sockaddr *address, socklen_t length)
{
    int on = 1, bytes = SOCKET_BYTES;

    line->fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (line->fd < 0) {
        connect_fail(line, errno);
        return;
    }
    /* As good as it can be had; it works without. */
    (void)setsockopt(line->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    (void)setsockopt(line->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (address->sa_family == AF_UNIX) /* TCP tunes its own */
        (void)setsockopt(line->fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    if (connect(line->fd, address, length) != 0 && errno != EINPROGRESS) {
        connect_fail(line, errno);
        return;
    }
    line->phase = LINE_CONNECTING;
}

static void connect_path(struct line *line)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    memcpy(address.sun_path, line->name->address.path, sizeof address.sun_path);
    line_connect(line, (struct sockaddr *)&address, sizeof address);
}

static void turn_naming(struct line *line)
{
    struct name *name = line->name;

    if (name->address.path[0] != '\0') {
        connect_path(line);
        return;
    }
    if (!lookup_done(name))
        return;
    uint32_t count = 0;

    for (const struct addrinfo *a = name->lookup.ar_result; a != NULL; a = a->ai_next)
        count++;
    if (name->answer != 0 || count == 0) {
        line_fail(line, "%s: %s", name->address.host, gai_strerror(name->answer));
        return;
    }
    const struct addrinfo *address = name->lookup.ar_result;

    for (uint32_t skip = line->failed % count; skip > 0; skip--)
        address = address->ai_next;
    line_connect(line, address->ai_addr, address->ai_addrlen);
}

static void turn_connecting(const struct io *io, struct line *line)
{
    struct pollfd poll_fd = {.fd = line->fd, .events = POLLOUT};
    int           error = 0;
    socklen_t     length = sizeof error;

    if (poll(&poll_fd, 1, 0) <= 0)
        return;
    CHECK(getsockopt(line->fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0);
    if (error != 0) {
        connect_fail(line, error);
        return;
    }
    line->phase = LINE_GREETING;
    line->greeted = 0;
    redis_replies_build(&line->replies, io->greeting_replies);
}

/* ── Greeting ─────────────────────────────────────────────────────────────── */

static void greeting_write(struct io *io, const struct config *config)
{
    const char *user = config_text(config, "redis.user");
    const char *password = config_text(config, "redis.password");
    int64_t     database = config_integer(config, "redis.database");
    struct buffer *greeting = &io->greeting;

    if (password[0] != '\0') {
        resp_command(greeting, user[0] != '\0' ? 3 : 2);
        resp_text(greeting, "AUTH");
        if (user[0] != '\0')
            resp_text(greeting, user);
        resp_text(greeting, password);
        io->greeting_replies++;
    }
    if (database != 0) {
        resp_command(greeting, 2);
        resp_text(greeting, "SELECT");
        resp_number(greeting, database);
        io->greeting_replies++;
    }
    if (io->cluster != NULL) {
        resp_command(greeting, 2);
        resp_text(greeting, "CLUSTER");
        resp_text(greeting, "SLOTS");
        io->greeting_replies++;
    }
    resp_command(greeting, 1);
    resp_text(greeting, "PING");
    resp_command(greeting, 2);
    resp_text(greeting, "INFO");
    resp_text(greeting, "memory");
    io->greeting_replies += 2;
}

/* A server that evicts would forget parcels silently.  Who may not ask is trusted. */
static void judge_policy(struct line *line, const struct redisReply *info)
{
    static const char name[] = "maxmemory_policy:";
    const char *policy = info->type == REDIS_REPLY_STRING ? strstr(info->str, name) : NULL;

    if (info->type == REDIS_REPLY_ERROR && strncmp(info->str, "NOPERM", 6) != 0) {
        line_fail(line, "%s", info->str);
        return;
    }
    if (policy != NULL) {
        policy += sizeof name - 1;
        if (strncmp(policy, "noeviction", 10) != 0) {
            line_fail(line, "its maxmemory-policy is %.*s: it would forget parcels; set noeviction",
                      (int)strcspn(policy, "\r\n"), policy);
            return;
        }
    }
    line->phase = LINE_OPEN;
    redis_replies_clear(&line->replies);
}

static void judge_greeting(struct io *io, struct line *line)
{
    uint32_t last = io->greeting_replies - 1;

    for (uint32_t i = 0; i < last; i++) {
        const struct redisReply *reply = line->replies.list[i];

        if (reply->type == REDIS_REPLY_ERROR) {
            line_fail(line, "%s", reply->str);
            return;
        }
        if (io->cluster != NULL && i == last - 2
            && redis_cluster_learn(io->cluster, reply, line->node) != 0) {
            line_fail(line, "%s", error_text());
            error_clear();
            return;
        }
    }
    judge_policy(line, line->replies.list[last]);
}

static ssize_t line_write(struct line *line, const char *bytes, size_t length)
{
    ssize_t taken = send(line->fd, bytes, length, MSG_NOSIGNAL);

    if (taken >= 0)
        return taken;
    if (errno == EAGAIN || errno == EINTR)
        return 0;
    return line_fail(line, "write: %s", strerror(errno));
}

static ssize_t line_read(struct line *line, char *bytes, size_t size)
{
    ssize_t got = recv(line->fd, bytes, size, 0);

    if (got > 0)
        return got;
    if (got == 0)
        return line_fail(line, "closed by the server");
    if (errno == EAGAIN || errno == EINTR)
        return 0;
    return line_fail(line, "read: %s", strerror(errno));
}

static void turn_greeting(struct io *io, struct line *line)
{
    char bytes[GREETING_READ];

    if (line->greeted < io->greeting.used) {
        ssize_t taken = line_write(line, io->greeting.bytes + line->greeted,
                                   io->greeting.used - line->greeted);

        if (taken < 0)
            return;
        line->greeted += (size_t)taken;
    }
    ssize_t got = line_read(line, bytes, sizeof bytes);

    if (got <= 0)
        return;
    if (redis_replies_feed(&line->replies, bytes, (size_t)got) < 0)
        line_fail(line, "what answers there is no Redis");
    else if (line->replies.come == io->greeting_replies)
        judge_greeting(io, line);
}

/* ── The port ─────────────────────────────────────────────────────────────── */

static struct line *line_of(void *self, uint32_t i)
{
    struct io *io = self;

    CHECK(i < io->lines_count);
    return &io->lines[i];
}

static void io_open(void *self, uint32_t i)
{
    struct line *line = line_of(self, i);

    CHECK(line->phase == LINE_CLOSED);
    line->error[0] = '\0';
    line->phase = LINE_NAMING;
    lookup_start(self, line->name);
}

/* Another name is looked up in a place of the line's own. */
static void io_point(void *self, uint32_t i, uint32_t node)
{
    struct io   *io = self;
    struct line *line = line_of(self, i);

    CHECK(line->phase == LINE_CLOSED && node < io->cluster->nodes_count);
    lookup_end(line->name);
    line->node = node;
    CHECK(redis_address_parse(io->cluster->nodes[node], &line->name->address) == 0);
}

static enum redis_io_state io_state(void *self, uint32_t i)
{
    struct io   *io = self;
    struct line *line = line_of(self, i);

    if (line->phase == LINE_NAMING)
        turn_naming(line);
    if (line->phase == LINE_CONNECTING)
        turn_connecting(io, line);
    if (line->phase == LINE_GREETING)
        turn_greeting(io, line);
    if (line->phase == LINE_OPEN)
        return REDIS_IO_OPEN;
    return line->phase == LINE_CLOSED ? REDIS_IO_CLOSED : REDIS_IO_OPENING;
}

static ssize_t io_write(void *self, uint32_t i, const char *bytes, size_t length)
{
    struct line *line = line_of(self, i);

    return line->phase == LINE_OPEN ? line_write(line, bytes, length) : -1;
}

static ssize_t io_read(void *self, uint32_t i, char *bytes, size_t size)
{
    struct line *line = line_of(self, i);

    return line->phase == LINE_OPEN ? line_read(line, bytes, size) : -1;
}

static void io_close(void *self, uint32_t i)
{
    line_drop(line_of(self, i));
    line_of(self, i)->name->stale = true;
}

static const char *io_error(void *self, uint32_t i)
{
    return line_of(self, i)->error;
}

static void io_destroy(void *self)
{
    struct io *io = self;

    for (uint32_t i = 0; i < io->lines_count; i++) {
        line_drop(&io->lines[i]);
        redis_replies_close(&io->lines[i].replies);
        lookup_end(&io->names[i]);
    }
    lookup_end(&io->own);
    buffer_free(&io->greeting);
    free(io->cluster);
    free(io);
}

static const struct redis_io_ops io_ops = {
    .open = io_open, .state = io_state, .write = io_write, .read = io_read,
    .close = io_close, .error = io_error, .point = io_point, .destroy = io_destroy,
};

int redis_io_open_hiredis(const struct config *config, uint32_t streams, struct redis_io *port)
{
    struct io *io = calloc(1, sizeof *io);

    CHECK(io != NULL && streams >= 1 && streams <= STREAMS_MAX);
    io->hints = (struct addrinfo) {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    if (redis_cluster_open(config, &io->cluster) != 0
        || (io->cluster == NULL && redis_address_read(config, &io->own.address) != 0)) {
        free(io);
        return -1;
    }
    greeting_write(io, config);
    io->lines_count = streams;
    for (uint32_t i = 0; i < streams; i++) {
        io->lines[i].fd = -1;
        io->lines[i].name = io->cluster != NULL ? &io->names[i] : &io->own;
        redis_replies_open(&io->lines[i].replies);
    }
    *port = (struct redis_io) {.ops = &io_ops, .self = io, .cluster = io->cluster};
    return 0;
}
