/* redis_io.h - the port to a Redis server: a few byte streams that never block.
 *
 * redis_io_hiredis.c implements it (TCP and Unix sockets, AUTH, TLS where hiredis
 * has it); the simulator with a model of Redis.  What is said over the streams is
 * store_redis.c's business.  thread: store_redis's runner.
 */
#ifndef STAGES_OUTLET_REDIS_IO_H
#define STAGES_OUTLET_REDIS_IO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct config;
struct redis_cluster;

enum redis_io_state { REDIS_IO_CLOSED, REDIS_IO_OPENING, REDIS_IO_OPEN };

struct redis_io_ops {
    /* Begins to connect stream `i`.  The next state() calls tell how it goes. */
    void   (*open)(void *self, uint32_t i);
    enum redis_io_state (*state)(void *self, uint32_t i);
    /* Bytes taken or given, 0 = not now, -1 = the stream is gone (state CLOSED). */
    ssize_t (*write)(void *self, uint32_t i, const char *bytes, size_t length);
    ssize_t (*read)(void *self, uint32_t i, char *bytes, size_t size);
    void   (*close)(void *self, uint32_t i);
    const char *(*error)(void *self, uint32_t i);  /* why it is closed, "" */
    /* A cluster's: the next open() of stream `i` is to this node. */
    void   (*point)(void *self, uint32_t i, uint32_t node);
    void   (*destroy)(void *self);
};

struct redis_io {
    const struct redis_io_ops *ops;
    void                      *self;
    struct redis_cluster      *cluster;  /* the port's, learned anew with each connection;
                                            NULL = one server                               */
};

/* `streams` connections by the configuration's redis.* settings; AUTH and SELECT are sent
 * by the port before state() says OPEN.  -1 with the error trail. */
int redis_io_open_hiredis(const struct config *, uint32_t streams, struct redis_io *);

#endif
