/* redis_cluster.h - which node of a Redis Cluster has which slot.
 *
 * A partition's keys share a hash tag, so a partition lives in one slot and on one node.  The
 * map is what a node said last (CLUSTER SLOTS), corrected by each MOVED.  A standalone server
 * is a cluster of one: no map.
 */
#ifndef STAGES_OUTLET_REDIS_CLUSTER_H
#define STAGES_OUTLET_REDIS_CLUSTER_H

#include <stddef.h>
#include <stdint.h>

#include "stages/outlet/redis_address.h"

struct redisReply;

enum { REDIS_SLOTS = 16384, REDIS_NODES_MAX = 128 };

struct redis_cluster {
    uint32_t             nodes_count, seeds_count;
    struct redis_address nodes[REDIS_NODES_MAX];   /* those of redis.address first          */
    int16_t              of_slot[REDIS_SLOTS];     /* node; -1 = nobody has said            */
};

/* A map without slots, of the nodes that are known to begin with: 1 to REDIS_NODES_MAX.
 * owns: the caller, free().  thread: its owner's, all of these. */
struct redis_cluster *redis_cluster_create(const struct redis_address *seeds, uint32_t count);

/* Of a key: CRC16 of what stands between its first { and the next }. */
uint32_t redis_slot(const char *key, size_t length);

/* The node that has this slot, -1 = not known. */
int32_t redis_cluster_node(const struct redis_cluster *, uint32_t slot);

/* 1 = it is a master that has some, as far as anybody has said. */
int redis_cluster_has_slots(const struct redis_cluster *, uint32_t node);

/* After this one, for whoever wants to ask another. */
uint32_t redis_cluster_next(const struct redis_cluster *, uint32_t node);

/* CLUSTER SLOTS, as node `asked` answered it.  0; -1 with the error trail: no such answer. */
int redis_cluster_learn(struct redis_cluster *, const struct redisReply *, uint32_t asked);

/* "MOVED 3999 host:port": the map follows.  1 = it was one, 0 = another error. */
int redis_cluster_moved(struct redis_cluster *, const char *error);

#endif
