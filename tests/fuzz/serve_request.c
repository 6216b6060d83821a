/* Any bytes as a request to the HTTP interface: whatever is answered begins as HTTP does, and
 * the next request is answered too. */
#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pipeline/check.h"
#include "pipeline/clock.h"
#include "pipeline/config.h"
#include "pipeline/log.h"
#include "stages/serve/http.h"
#include "tests/unit/serve_rows.h"

enum { ANSWER_MAX = 1 << 20, PATIENCE_MS = 2000, PAUSE_MS = 2 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t hook_runners(void *self) { return (void)self, 1; }
static bool     hook_draining(void *self) { return (void)self, false; }
static int32_t  hook_partitions(void *self) { return (void)self, 2; }

static uint64_t hook_turned(void *self, uint32_t runner)
{
    return (void)self, (void)runner, clock_monotonic_ns();
}

static bool hook_partition(void *self, int32_t number, struct serve_partition *p)
{
    (void)self;
    *p = (struct serve_partition){.phase = "running", .healthy = true, .position = number};
    return true;
}

static uint16_t port(void)
{
    static const struct serve_hooks hooks = {NULL, hook_runners, hook_turned, hook_draining,
                                             hook_partitions, hook_partition, NULL};
    static struct http   *http;
    static struct config *config;   /* as long as the process */

    if (http == NULL) {
        config = config_create(rows, sizeof rows / sizeof rows[0]);

        CHECK(config_set(config, "redis.address=unix:/nowhere") == 0 &&
              config_set(config, "redis.timeout=1s") == 0);
        log_open(LOG_LEVEL_NONE, LOG_FORM_TEXT);
        CHECK(config_finish(config) == 0);
        http = http_start(config, &hooks);
        CHECK(http != NULL);
    }
    return http_port(http);
}

/* Each from another address of this machine: the ports of one are used up within seconds, and
 * a run before this one may have left some that are not free yet: -1, the next one then. */
static int try_socket(void)
{
    static uint32_t    number;
    struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET};
    int                s = socket(AF_INET, SOCK_STREAM, 0);

    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + ++number % 65536);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(port());
    CHECK(s >= 0 && bind(s, (const struct sockaddr *)&from, sizeof from) == 0);
    if (connect(s, (const struct sockaddr *)&to, sizeof to) == 0)
        return s;
    close(s);
    return -1;
}

static int open_socket(void)
{
    int s = -1;

    for (int i = 0; s < 0 && i < 1000; i++)
        s = try_socket();
    CHECK(s >= 0);
    return s;
}

/* The answer's length; it is closed by us or by the server.  The end of what we `end` comes a
 * moment after the rest: the library, which has just read all there was, overlooks one that comes
 * with it, and half a request would be waited for until our patience ends. */
static size_t say(const void *bytes, size_t length, bool end, char *answer)
{
    int           s = open_socket();
    struct pollfd look = {.fd = s, .events = POLLIN};
    size_t        used = 0;

    (void)send(s, bytes, length, MSG_NOSIGNAL);
    if (end) {
        (void)poll(&look, 1, PAUSE_MS);
        (void)shutdown(s, SHUT_WR);
    }
    while (used < ANSWER_MAX && poll(&look, 1, PATIENCE_MS) == 1) {
        ssize_t got = recv(s, answer + used, ANSWER_MAX - used, 0);

        if (got <= 0)
            break;
        used += (size_t)got;
    }
    close(s);
    return used;
}

/* Asked again: a machine that others use too may be slower than our patience now and then. */
static bool is_alive(char *answer)
{
    static const char plain[] = "GET /live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

    for (int i = 0; i < 5; i++) {
        size_t length = say(plain, sizeof plain - 1, false, answer);

        if (length > 12 && memcmp(answer, "HTTP/1.1 200", 12) == 0)
            return true;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char answer[ANSWER_MAX];
    size_t length = say(data, size, true, answer);

    CHECK(length < 5 || memcmp(answer, "HTTP/", 5) == 0);
    CHECK(is_alive(answer));
    return 0;
}
