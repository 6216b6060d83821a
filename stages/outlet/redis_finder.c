/* redis_finder.c - sentinels and names, asked on a thread of its own. */
#include "stages/outlet/redis_finder.h"

#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "pipeline/check.h"
#include "pipeline/error.h"

enum { ERROR_SIZE = 256 };

struct redis_finder {
    const struct redis_place *place;
    int64_t                   timeout_ms;
    struct redis_address      node;     /* of a cluster: whose addresses are wanted          */
    pthread_t                 thread;
    bool                      asking;   /* the thread is there                            */
    bool                      doubted;  /* what is known may be out of date                */
    bool                      outdated; /* … what is being asked, too: it is for another node */
    _Atomic bool              answered; /* the thread's last word                          */
    struct redis_address      server;
    struct addrinfo          *list;
    char                      error[ERROR_SIZE]; /* "" = the answer is good                  */
};

static void resolve(struct redis_finder *f)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    int             error = getaddrinfo(f->server.host, f->server.port, &hints, &f->list);

    if (error != 0 || f->list == NULL)
        (void)snprintf(f->error, sizeof f->error, "%.80s: %s", f->server.host,
                       gai_strerror(error));
}

static void *find(void *self)
{
    struct redis_finder *f = self;

    if (f->place->cluster == NULL
        && redis_place_find(f->place, f->timeout_ms, &f->server) != 0)
        (void)snprintf(f->error, sizeof f->error, "%s", error_text());
    else if (f->server.path[0] == '\0')
        resolve(f);
    atomic_store(&f->answered, true);
    return NULL;
}

static void forget(struct redis_finder *f)
{
    CHECK(!f->asking);
    if (f->list != NULL)
        freeaddrinfo(f->list);
    f->list = NULL;
    f->server = f->node;
    f->error[0] = '\0';
}

struct redis_finder *redis_finder_create(const struct redis_place *place, int64_t timeout_ms)
{
    struct redis_finder *f = calloc(1, sizeof *f);

    CHECK(f != NULL && place->count > 0);
    f->place = place;
    f->timeout_ms = timeout_ms;
    f->doubted = true;
    return f;
}

static void join(struct redis_finder *f)
{
    CHECK(f->asking);
    CHECK(pthread_join(f->thread, NULL) == 0);
    f->asking = false;
}

void redis_finder_destroy(struct redis_finder *f)
{
    if (f->asking)
        join(f);
    forget(f);
    free(f);
}

void redis_finder_point(struct redis_finder *f, const struct redis_address *node)
{
    CHECK(f->place->cluster != NULL);
    f->node = *node;
    f->doubted = true;
    f->outdated = f->asking;
}

void redis_finder_ask(struct redis_finder *f)
{
    sigset_t all, before;

    if (f->asking || !f->doubted)
        return;
    forget(f);
    atomic_store(&f->answered, false);
    CHECK(sigfillset(&all) == 0); /* signals are for who waits for them */
    CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    int error = pthread_create(&f->thread, NULL, find, f);

    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    f->asking = error == 0;
    f->doubted = error != 0;
    if (error != 0)
        (void)snprintf(f->error, sizeof f->error, "no thread to ask on: %s", strerror(error));
}

void redis_finder_doubt(struct redis_finder *f)
{
    f->doubted = true;
}

bool redis_finder_done(struct redis_finder *f)
{
    if (!f->asking)
        return true;
    if (!atomic_load(&f->answered))
        return false;
    join(f);
    if (f->outdated) {
        f->outdated = false;
        f->doubted = true;
        redis_finder_ask(f);
        return !f->asking;
    }
    f->doubted = f->doubted || f->error[0] != '\0';
    return true;
}

const struct redis_address *redis_finder_server(const struct redis_finder *f)
{
    CHECK(!f->asking);
    return f->error[0] == '\0' ? &f->server : NULL;
}

const struct addrinfo *redis_finder_list(const struct redis_finder *f)
{
    CHECK(!f->asking);
    return f->list;
}

const char *redis_finder_error(const struct redis_finder *f)
{
    return f->error;
}
