/* http.c - the HTTP interface: who may ask, for what, within which limits.
 *
 * One thread of libmicrohttpd's serves all connections; a question to Redis holds up the
 * others for as long as it takes (view.h bounds that), and the pipeline not at all.
 */
#include "stages/serve/http.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <microhttpd.h>

#include "pipeline/check.h"
#include "pipeline/clock.h"
#include "pipeline/config.h"
#include "pipeline/error.h"
#include "pipeline/log.h"
#include "pipeline/metric.h"
#include "stages/serve/api.h"

enum {
    CONNECTIONS_MAX = 64,
    GUESTS_MAX = CONNECTIONS_MAX + 64, /* those that are being shown out counted */
    REQUEST_BYTES_MAX = 16 * 1024, UPLOAD_BYTES_MAX = 64 * 1024,
    TIMEOUT_S = 10, LIMIT_DEFAULT = 100, HOST_SIZE = 256
};

static const struct metric_info info_requests = {
    "http_requests_total", "Answers over HTTP by status class.", METRIC_COUNTER};

/* An open connection. */
struct guest {
    struct MHD_Connection *connection;
    int                    fd;
    uint64_t               since_ns;
};

struct http {
    struct MHD_Daemon *daemon;
    struct view       *view;
    struct serve_hooks hooks;
    const char        *token;
    bool               beyond;     /* listens beyond loopback: a token is wanted */
    uint16_t           port;
    struct metric     *answers[6]; /* by hundreds of the status */
    struct guest       guests[GUESTS_MAX];
    uint32_t           guests_count;
};

/* What the library remembers of a request between its calls. */
struct visit {
    size_t uploaded;
};

/* ── Who may ask ──────────────────────────────────────────────────────────── */

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;

        return ntohl(in->sin_addr.s_addr) >> 24 == 127;
    }
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)address;

    return address->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
}

/* Takes as long wherever they differ: a wrong token says nothing of the right one. */
static bool same_token(const char *given, const char *token)
{
    size_t        length = strlen(token);
    unsigned char differs = 0;

    if (strlen(given) != length)
        return false;
    for (size_t i = 0; i < length; i++)
        differs |= (unsigned char)(given[i] ^ token[i]);
    return differs == 0;
}

/* Not by where a question comes from: a proxy on this machine asks for others. */
static bool may_ask(const struct http *http, struct MHD_Connection *connection)
{
    const char *given = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
                                                    MHD_HTTP_HEADER_AUTHORIZATION);

    if (!http->beyond)
        return true;
    return http->token[0] != '\0' && given != NULL && strncmp(given, "Bearer ", 7) == 0
           && same_token(given + 7, http->token);
}

/* ── For what ─────────────────────────────────────────────────────────────── */

static const char *argument(struct MHD_Connection *connection, const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, name);
}

/* `work`: of this subject alone, by deadline; NULL = whatever is open, the latest first. */
static void answer_alerts(struct http *http, struct MHD_Connection *connection,
                          const char *work, struct api_answer *answer)
{
    const char *limit = argument(connection, "limit");
    size_t      digits = limit != NULL ? strspn(limit, "0123456789") : 0;
    struct view_filter filter = {
        .type = argument(connection, "type"),
        .severity = argument(connection, "severity"),
        .parcel = argument(connection, "parcel"),
        .facility = argument(connection, "facility"),
        .owner = argument(connection, "owner"),
        .work = work,
        .limit = limit != NULL ? strtoul(limit, NULL, 10) : LIMIT_DEFAULT,
    };

    if ((limit != NULL && (digits == 0 || digits > 5 || limit[digits] != '\0'))
        || filter.limit == 0 || filter.limit > VIEW_ALERTS_MAX) {
        api_problem(answer, 400, "Bad Request", "limit is a number from 1 to 10000");
        return;
    }
    api_alerts(http->view, &filter, answer);
}

static void answer_open(struct http *http, const char *path, struct api_answer *answer)
{
    if (strcmp(path, "/live") == 0)
        api_live(&http->hooks, answer);
    else if (strcmp(path, "/ready") == 0)
        api_ready(&http->hooks, answer);
    else if (strcmp(path, "/metrics") == 0)
        api_metrics(&http->hooks, answer);
    else if (strcmp(path, "/version") == 0)
        api_version(answer);
}

/* The one name behind a prefix; NULL = another path. */
static const char *behind(const char *path, const char *prefix)
{
    size_t length = strlen(prefix);
    bool   one = strncmp(path, prefix, length) == 0 && path[length] != '\0'
              && strchr(path + length, '/') == NULL;

    return one ? path + length : NULL;
}

static void answer_guarded(struct http *http, struct MHD_Connection *connection,
                           const char *path, struct api_answer *answer)
{
    const char *parcel = behind(path, "/v1/parcels/"), *work = behind(path, "/v1/work/");
    bool        alerts = strcmp(path, "/v1/alerts") == 0;
    bool        partitions = strcmp(path, "/partitions") == 0;

    if (parcel == NULL && work == NULL && !alerts && !partitions)
        return;
    if (!may_ask(http, connection))
        api_problem(answer, 401, "Unauthorized",
                    http->token[0] != '\0' ? "say Authorization: Bearer TOKEN"
                                           : "closed beyond this machine until http.token is set");
    else if (parcel != NULL)
        api_parcel(http->view, parcel, answer);
    else if (alerts || work != NULL)
        answer_alerts(http, connection, work, answer);
    else
        api_partitions(&http->hooks, answer);
}

static void answer_any(struct http *http, struct MHD_Connection *connection, const char *path,
                       const char *method, struct api_answer *answer)
{
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        api_problem(answer, 405, "Method Not Allowed", "everything here is for reading");
        return;
    }
    answer_open(http, path, answer);
    if (answer->status == 0)
        answer_guarded(http, connection, path, answer);
    if (answer->status == 0)
        api_problem(answer, 404, "Not Found", "there is no such path");
}

static enum MHD_Result answer_send(struct http *http, struct MHD_Connection *connection,
                                   struct api_answer *answer)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        answer->body.used, answer->body.bytes, MHD_RESPMEM_MUST_FREE);

    if (response == NULL) {
        buffer_free(&answer->body);
        return MHD_NO;
    }
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->type);
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    (void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (answer->status == 401)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    if (answer->status == 405)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    metric_add(http->answers[answer->status / 100], 1);
    enum MHD_Result result = MHD_queue_response(connection, answer->status, response);

    MHD_destroy_response(response);
    return result;
}

/* Called when the head of a request is there, for each piece of a body, and at the end. */
static enum MHD_Result on_request(void *self, struct MHD_Connection *connection,
                                  const char *path, const char *method, const char *version,
                                  const char *upload, size_t *upload_size, void **memory)
{
    struct http      *http = self;
    struct visit     *visit = *memory;
    struct api_answer answer = {.status = 0};

    (void)version;
    (void)upload;
    if (visit == NULL) {
        *memory = calloc(1, sizeof *visit);
        return *memory != NULL ? MHD_YES : MHD_NO;
    }
    if (*upload_size > 0) { /* nothing here takes a body: read and forgotten, within limits */
        visit->uploaded += *upload_size;
        *upload_size = 0;
        return visit->uploaded <= UPLOAD_BYTES_MAX ? MHD_YES : MHD_NO;
    }
    error_clear();
    answer_any(http, connection, path, method, &answer);
    CHECK(answer.status >= 200 && answer.status < 600);
    return answer_send(http, connection, &answer);
}

static void on_end(void *self, struct MHD_Connection *connection, void **memory,
                   enum MHD_RequestTerminationCode how)
{
    (void)self;
    (void)connection;
    (void)how;
    free(*memory);
    *memory = NULL;
}

/* ── How many at once ─────────────────────────────────────────────────────── */

/* Whoever has been here longest has had time enough: a client that says a byte a minute, a
 * thousand times, keeps nobody out. */
static void show_out(struct http *http)
{
    struct guest *oldest = &http->guests[0];

    for (uint32_t i = 1; i < http->guests_count; i++)
        if (http->guests[i].since_ns < oldest->since_ns)
            oldest = &http->guests[i];
    (void)shutdown(oldest->fd, SHUT_RDWR); /* the library closes it then */
    oldest->since_ns = UINT64_MAX;
}

static void guest_in(struct http *http, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

    if (info == NULL || http->guests_count == GUESTS_MAX)
        return; /* within the library's own limit it has room */
    if (http->guests_count >= CONNECTIONS_MAX)
        show_out(http);
    http->guests[http->guests_count++] = (struct guest) {
        .connection = connection, .fd = info->connect_fd, .since_ns = clock_monotonic_ns()};
}

static void guest_out(struct http *http, const struct MHD_Connection *connection)
{
    for (uint32_t i = 0; i < http->guests_count; i++)
        if (http->guests[i].connection == connection) {
            http->guests[i] = http->guests[--http->guests_count];
            return;
        }
}

static void on_connection(void *self, struct MHD_Connection *connection, void **memory,
                          enum MHD_ConnectionNotificationCode what)
{
    (void)memory;
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        guest_in(self, connection);
    else
        guest_out(self, connection);
}

/* ── Start and stop ───────────────────────────────────────────────────────── */

__attribute__((format(printf, 2, 0)))
static void on_log(void *self, const char *format, va_list arguments)
{
    char text[256];

    (void)self;
    int length = vsnprintf(text, sizeof text, format, arguments);

    if (length > 0) {
        text[strcspn(text, "\n")] = '\0';
        log_debug("http", "%s", text);
    }
}

/* The host of "address:port", "[address]:port" or ":port", and its port as a text; NULL with
 * the error trail. */
static const char *take_apart(const char *listen_at, char host[HOST_SIZE])
{
    const char *colon = strrchr(listen_at, ':');
    size_t      length = colon != NULL ? (size_t)(colon - listen_at) : 0;
    size_t      digits = colon != NULL ? strspn(colon + 1, "0123456789") : 0;

    if (length >= HOST_SIZE || digits == 0 || digits > 5 || colon[1 + digits] != '\0'
        || strtol(colon + 1, NULL, 10) > 65535) {
        (void)error_set("found \"%s\", accepted is address:port, with a port of 0 (any) to 65535",
                        listen_at);
        return NULL;
    }
    if (length > 2 && listen_at[0] == '[' && colon[-1] == ']') {
        listen_at++;
        length -= 2;
    }
    memcpy(host, listen_at, length);
    host[length] = '\0';
    return colon + 1;
}

int http_check(const struct config *config)
{
    const char *at = config_text(config, "http.listen");
    char        host[HOST_SIZE];

    if (at[0] == '\0' || take_apart(at, host) != NULL)
        return 0;
    return config_blame(config, "http.listen");
}

static int resolve(const char *listen_at, struct addrinfo **address)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    char            host[HOST_SIZE];
    const char     *port = take_apart(listen_at, host);

    if (port == NULL)
        return error_add("http.listen");
    int error = getaddrinfo(host[0] != '\0' ? host : NULL, port, &hints, address);

    return error == 0 ? 0 : error_set("http.listen: %s: %s", listen_at, gai_strerror(error));
}

static struct MHD_Daemon *listen_at(struct http *http, const struct addrinfo *address)
{
    unsigned int flags = MHD_USE_AUTO | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_ERROR_LOG
                         | (address->ai_family == AF_INET6 ? MHD_USE_IPv6 : 0u);

    return MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, http, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
        MHD_OPTION_SOCK_ADDR, address->ai_addr, MHD_OPTION_NOTIFY_COMPLETED, on_end, NULL,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, http,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned int)GUESTS_MAX,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)TIMEOUT_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)REQUEST_BYTES_MAX, MHD_OPTION_END);
}

static void open_metrics(struct http *http)
{
    char labels[24];

    for (int i = 2; i < 6; i++) {
        (void)snprintf(labels, sizeof labels, "status=\"%dxx\"", i);
        http->answers[i] = metric_open(&info_requests, labels);
    }
}

struct http *http_start(const struct config *config, const struct serve_hooks *hooks)
{
    const char      *at = config_text(config, "http.listen");
    struct addrinfo *address = NULL;

    error_clear();
    if (at[0] == '\0' || resolve(at, &address) != 0)
        return NULL;
    struct http *http = calloc(1, sizeof *http);

    CHECK(http != NULL);
    http->hooks = *hooks;
    http->token = config_text(config, "http.token");
    http->beyond = !is_loopback(address->ai_addr);
    http->view = view_open(config);
    open_metrics(http);
    if (http->view != NULL)
        http->daemon = listen_at(http, address);
    freeaddrinfo(address);
    if (http->daemon == NULL) {
        if (http->view != NULL)
            (void)error_set("http.listen: cannot listen at %s: is another there?", at);
        http_stop(http);
        return NULL;
    }
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon,
                                                           MHD_DAEMON_INFO_BIND_PORT);

    http->port = info != NULL ? info->port : 0;
    log_info("http", "listening at %s", at);
    return http;
}

void http_stop(struct http *http)
{
    if (http == NULL)
        return;
    if (http->daemon != NULL)
        MHD_stop_daemon(http->daemon);
    view_close(http->view);
    free(http);
}

uint16_t http_port(const struct http *http)
{
    return http->port;
}
