/* redis_place.h - where Redis is and how one gets in: a server, a server that sentinels know,
 * or a cluster's nodes; user, password, TLS.
 *
 * The one place that reads those settings.  Who asks and waits (commands, HTTP's answers)
 * connects here; the pipeline's own connections never block and take only the place
 * (redis_io_hiredis.c).
 */
#ifndef STAGES_OUTLET_REDIS_PLACE_H
#define STAGES_OUTLET_REDIS_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "stages/outlet/redis_address.h"

struct config;
struct redisContext;
struct redisReply;
struct redis_cluster;
struct redis_tls;

enum { REDIS_ADDRESSES_MAX = 16 };

struct redis_place {
    uint32_t              count;       /* of redis.address: one server, or sentinels, or nodes  */
    struct redis_address  list[REDIS_ADDRESSES_MAX];
    bool                  sentinels;   /* … they are sentinels                                 */
    struct redis_cluster *cluster;     /* … they are nodes: who has which slot; else NULL        */
    const char           *master, *sentinel_password, *user, *password;
    int64_t               database;
    struct redis_tls     *tls;         /* NULL = none                                          */
};

/* Rows of settings.c, and of tests that stand on fewer settings. */
#define REDIS_PLACE_ROWS(address)                                                             \
    {"redis.mode", CONFIG_CHOICE, "single", 0, 0, "single|sentinel|cluster",                  \
     "one server, one that sentinels know, or a Redis Cluster", false, false},                \
    {"redis.address", CONFIG_TEXT, address, 0, 0, NULL,                                       \
     "host:port, or unix:/path/of/socket; sentinels, or some of a cluster's nodes: host:port,…", \
     true, false},                                                                            \
    {"redis.sentinel.master", CONFIG_TEXT, "mymaster", 0, 0, NULL,                            \
     "what the sentinels call it", true, false},                                              \
    {"redis.sentinel.password", CONFIG_TEXT, "", 0, 0, NULL,                                  \
     "the sentinels' own password; empty = none", true, true},                                \
    {"redis.user", CONFIG_TEXT, "", 0, 0, NULL, "ACL user; empty = default", true, false},    \
    {"redis.password", CONFIG_TEXT, "", 0, 0, NULL, "password; empty = none", true, true},    \
    {"redis.database", CONFIG_INTEGER, "0", 0, 1024, NULL,                                    \
     "database number; a cluster has 0 alone", false, false},                                 \
    {"redis.tls.enabled", CONFIG_BOOL, "false", 0, 0, NULL,                                   \
     "TLS to Redis, its nodes and sentinels, where the build has it", false, false},          \
    {"redis.tls.ca", CONFIG_TEXT, "", 0, 0, NULL,                                             \
     "file of who signed Redis' certificate; empty = the system's", true, false},             \
    {"redis.tls.certificate", CONFIG_TEXT, "", 0, 0, NULL,                                    \
     "file of our own certificate; empty = none", true, false},                               \
    {"redis.tls.key", CONFIG_TEXT, "", 0, 0, NULL, "file of its key", true, false},           \
    {"redis.tls.name", CONFIG_TEXT, "", 0, 0, NULL,                                           \
     "name in Redis' certificate; empty = the host in its address", true, false}

/* Reads the settings and the files they name.  0; -1 with the error trail, which names the
 * setting's place, and nothing is kept.  owns: the caller, until redis_place_free; the texts
 * are the configuration's.  thread: any. */
int  redis_place_read(const struct config *, struct redis_place *);
void redis_place_free(struct redis_place *);

/* The server: what the setting says, or what the first sentinel that answers says; a cluster
 * has no such one.  Waits up to `timeout_ms` for each.  0; -1, error trail.  thread: any. */
int redis_place_find(const struct redis_place *, int64_t timeout_ms, struct redis_address *);

/* A connection to `at` (NULL: whom redis_place_find finds), secured and logged in, that waits
 * up to `timeout_ms` for anything.  NULL with the error trail.  owns: the caller, redisFree.
 * thread: any. */
struct redisContext *redis_place_connect(const struct redis_place *,
                                         const struct redis_address *at, int64_t timeout_ms);

/* The command's answer; NULL with the error trail where there is none, or an error.
 * owns: the caller.  thread: the connection's. */
struct redisReply *redis_place_ask(struct redisContext *, int count, const char **arguments);

/* The same where any answer but an error is good.  0; -1 with the error trail. */
int redis_place_tell(struct redisContext *, int count, const char **arguments);

/* A cluster: who has which slot, as this node says over its connection.  0; -1, error trail. */
int redis_place_learn(struct redis_place *, struct redisContext *, uint32_t node);

#endif
