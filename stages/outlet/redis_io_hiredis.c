/* redis_io_hiredis.c - the port to a real Redis: non-blocking sockets, and the
 * handshake that makes a connection usable.
 *
 *   OPENING: name ──► address ──► connected ──► TLS ──► AUTH, SELECT, PING, INFO memory ──► OPEN
 *                                                       (of a cluster's node CLUSTER SLOTS as well)
 *
 * PING says whether it answers commands at all (-LOADING, -NOAUTH, -MASTERDOWN);
 * INFO whether it would ever drop state on its own, and then it is refused.  Where the server
 * is (redis_finder.h) is asked anew for each outage, and each attempt takes the next address:
 * a name may stand for another server by then, and sentinels may have chosen another master.
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
#include "stages/outlet/redis_cluster.h"
#include "stages/outlet/redis_finder.h"
#include "stages/outlet/redis_io.h"
#include "stages/outlet/redis_place.h"
#include "stages/outlet/redis_replies.h"
#include "stages/outlet/redis_tls.h"

enum { STREAMS_MAX = 16, GREETING_READ = 4096, SOCKET_BYTES = 1 << 20 };

enum phase {
    LINE_CLOSED, LINE_NAMING, LINE_CONNECTING, LINE_SECURING, LINE_GREETING, LINE_OPEN
};

struct line {
    struct redis_finder *finder;  /* all lines' to one server; of a cluster the line's own     */
    uint32_t             node;    /* of a cluster                                           */
    enum phase           phase;
    int                  fd;
    struct redis_address at;      /* whom it connected to                                   */
    struct ssl_st       *tls;     /* NULL = plain                                           */
    struct redis_replies replies; /* to the greeting                                      */
    size_t               greeted; /* bytes of the greeting written                        */
    uint32_t             failed;  /* connects: says which of the addresses is next          */
    char                 error[256];
};

struct io {
    struct redis_place place;
    struct buffer      greeting;
    uint32_t           greeting_replies;
    uint32_t           lines_count;
    struct line        lines[STREAMS_MAX];
};

static void line_drop(struct line *line)
{
    if (line->tls != NULL)
        redis_tls_end(line->tls);
    line->tls = NULL;
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

static void connect_fail(struct line *line, int error)
{
    char name[REDIS_ADDRESS_TEXT];

    line->failed++;
    line_fail(line, "connect to %s: %s", redis_address_print(&line->at, name), strerror(error));
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

    memcpy(address.sun_path, line->at.path, sizeof address.sun_path);
    line_connect(line, (struct sockaddr *)&address, sizeof address);
}

static void turn_naming(struct line *line)
{
    uint32_t count = 0;

    if (!redis_finder_done(line->finder))
        return;
    const struct redis_address *server = redis_finder_server(line->finder);
    const struct addrinfo      *list = redis_finder_list(line->finder);

    if (server == NULL) {
        line_fail(line, "%s", redis_finder_error(line->finder));
        return;
    }
    line->at = *server;
    if (server->path[0] != '\0') {
        connect_path(line);
        return;
    }
    for (const struct addrinfo *a = list; a != NULL; a = a->ai_next)
        count++;
    CHECK(count > 0);
    for (uint32_t skip = line->failed % count; skip > 0; skip--)
        list = list->ai_next;
    line_connect(line, list->ai_addr, list->ai_addrlen);
}

/* The connection may be spoken over. */
static void greet(const struct io *io, struct line *line)
{
    line->phase = LINE_GREETING;
    line->greeted = 0;
    redis_replies_build(&line->replies, io->greeting_replies);
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
    if (io->place.tls == NULL) {
        greet(io, line);
        return;
    }
    line->tls = redis_tls_begin(io->place.tls, line->fd, &line->at);
    line->phase = LINE_SECURING;
}

static void turn_securing(const struct io *io, struct line *line)
{
    char name[REDIS_ADDRESS_TEXT];
    int  shaken = redis_tls_shake(line->tls);

    if (shaken > 0)
        greet(io, line);
    else if (shaken < 0)
        line_fail(line, "connect to %s: %s", redis_address_print(&line->at, name), error_text());
}

/* ── Greeting ─────────────────────────────────────────────────────────────── */

static void greeting_write(struct io *io)
{
    const char    *user = io->place.user, *password = io->place.password;
    int64_t        database = io->place.database;
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
    if (io->place.cluster != NULL) {
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
        if (io->place.cluster != NULL && i == last - 2
            && redis_cluster_learn(io->place.cluster, reply, line->node) != 0) {
            line_fail(line, "%s", error_text());
            error_clear();
            return;
        }
    }
    judge_policy(line, line->replies.list[last]);
}

static ssize_t line_write(struct line *line, const char *bytes, size_t length)
{
    if (line->tls != NULL) {
        ssize_t secured = redis_tls_write(line->tls, bytes, length);

        return secured >= 0 ? secured : line_fail(line, "write: %s", error_text());
    }
    ssize_t taken = send(line->fd, bytes, length, MSG_NOSIGNAL);

    if (taken >= 0)
        return taken;
    if (errno == EAGAIN || errno == EINTR)
        return 0;
    return line_fail(line, "write: %s", strerror(errno));
}

static ssize_t line_read(struct line *line, char *bytes, size_t size)
{
    if (line->tls != NULL) {
        ssize_t secured = redis_tls_read(line->tls, bytes, size);

        return secured >= 0 ? secured : line_fail(line, "read: %s", error_text());
    }
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
    redis_finder_ask(line->finder);
}

static void io_point(void *self, uint32_t i, uint32_t node)
{
    struct io   *io = self;
    struct line *line = line_of(self, i);

    CHECK(line->phase == LINE_CLOSED && node < io->place.cluster->nodes_count);
    line->node = node;
    redis_finder_point(line->finder, &io->place.cluster->nodes[node]);
}

static enum redis_io_state io_state(void *self, uint32_t i)
{
    struct io   *io = self;
    struct line *line = line_of(self, i);

    if (line->phase == LINE_NAMING)
        turn_naming(line);
    if (line->phase == LINE_CONNECTING)
        turn_connecting(io, line);
    if (line->phase == LINE_SECURING)
        turn_securing(io, line);
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
    redis_finder_doubt(line_of(self, i)->finder);
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
        if (i == 0 || io->lines[i].finder != io->lines[0].finder)
            redis_finder_destroy(io->lines[i].finder);
    }
    redis_place_free(&io->place);
    buffer_free(&io->greeting);
    free(io);
}

static const struct redis_io_ops io_ops = {
    .open = io_open, .state = io_state, .write = io_write, .read = io_read,
    .close = io_close, .error = io_error, .point = io_point, .destroy = io_destroy,
};

int redis_io_open_hiredis(const struct config *config, uint32_t streams, struct redis_io *port)
{
    struct io *io = calloc(1, sizeof *io);
    int64_t    timeout_ms = config_ms(config, "redis.timeout");

    CHECK(io != NULL && streams >= 1 && streams <= STREAMS_MAX);
    if (redis_place_read(config, &io->place) != 0) {
        free(io);
        return -1;
    }
    greeting_write(io);
    io->lines_count = streams;
    for (uint32_t i = 0; i < streams; i++) {
        bool own = i == 0 || io->place.cluster != NULL;

        io->lines[i].fd = -1;
        io->lines[i].finder = own ? redis_finder_create(&io->place, timeout_ms)
                                  : io->lines[0].finder;
        redis_replies_open(&io->lines[i].replies);
    }
    *port = (struct redis_io) {.ops = &io_ops, .self = io, .cluster = io->place.cluster};
    return 0;
}
