/* redis_cluster.c - which node of a Redis Cluster has which slot. */
#include "stages/outlet/redis_cluster.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "pipeline/check.h"
#include "pipeline/error.h"

/* ── Slots ────────────────────────────────────────────────────────────────── */

/* CRC16 as XMODEM computes it, bit by bit: a few dozen keys, each once a request. */
static uint32_t crc16(const char *bytes, size_t length)
{
    uint32_t crc = 0;

    for (size_t i = 0; i < length; i++) {
        crc ^= (uint32_t)(uint8_t)bytes[i] << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 0x8000 ? (crc << 1 ^ 0x1021) & 0xffff : crc << 1;
    }
    return crc;
}

uint32_t redis_slot(const char *key, size_t length)
{
    const char *open = memchr(key, '{', length);
    const char *shut = open != NULL ? memchr(open, '}', length - (size_t)(open - key)) : NULL;

    if (shut != NULL && shut > open + 1)
        return crc16(open + 1, (size_t)(shut - open - 1)) % REDIS_SLOTS;
    return crc16(key, length) % REDIS_SLOTS;
}

/* ── Nodes ────────────────────────────────────────────────────────────────── */

int redis_cluster_has_slots(const struct redis_cluster *c, uint32_t node)
{
    for (uint32_t slot = 0; slot < REDIS_SLOTS; slot++)
        if (c->of_slot[slot] == (int16_t)node)
            return 1;
    return 0;
}

static bool is_used(const struct redis_cluster *c, uint32_t node)
{
    return node < c->seeds_count || redis_cluster_has_slots(c, node);
}

/* Its number; a place no slot needs any more may be taken.  -1: there are too many. */
static int32_t node_of(struct redis_cluster *c, const struct redis_address *at)
{
    uint32_t node = 0;

    while (node < c->nodes_count && (strcmp(c->nodes[node].host, at->host) != 0
                                     || strcmp(c->nodes[node].port, at->port) != 0))
        node++;
    if (node < c->nodes_count)
        return (int32_t)node;
    if (node == REDIS_NODES_MAX)
        for (node = 0; node < REDIS_NODES_MAX && is_used(c, node); node++)
            ;
    if (node == REDIS_NODES_MAX)
        return -1;
    c->nodes[node] = *at;
    c->nodes_count += node == c->nodes_count;
    return (int32_t)node;
}

struct redis_cluster *redis_cluster_create(const struct redis_address *seeds, uint32_t count)
{
    struct redis_cluster *c = calloc(1, sizeof *c);

    CHECK(c != NULL && count > 0 && count <= REDIS_NODES_MAX);
    memset(c->of_slot, 0xff, sizeof c->of_slot);
    for (uint32_t i = 0; i < count; i++)
        CHECK(node_of(c, &seeds[i]) >= 0);
    c->seeds_count = c->nodes_count;
    return c;
}

int32_t redis_cluster_node(const struct redis_cluster *c, uint32_t slot)
{
    CHECK(slot < REDIS_SLOTS);
    return c->of_slot[slot];
}

uint32_t redis_cluster_next(const struct redis_cluster *c, uint32_t node)
{
    CHECK(c->nodes_count > 0);
    return (node + 1) % c->nodes_count;
}

/* ── What nodes say ───────────────────────────────────────────────────────── */

/* One range: from, to, [host, port, …], replicas.  A node that does not know its own name says
 * "": then it is the one that was asked. */
static int learn_range(struct redis_cluster *c, const redisReply *range, uint32_t asked)
{
    struct redis_address at;

    if (range->type != REDIS_REPLY_ARRAY || range->elements < 3
        || range->element[0]->type != REDIS_REPLY_INTEGER
        || range->element[1]->type != REDIS_REPLY_INTEGER
        || range->element[2]->type != REDIS_REPLY_ARRAY || range->element[2]->elements < 2)
        return error_set("CLUSTER SLOTS answers what is no list of slots");
    const redisReply *host = range->element[2]->element[0], *port = range->element[2]->element[1];
    long long         from = range->element[0]->integer, to = range->element[1]->integer;

    if (from < 0 || to >= REDIS_SLOTS || port->type != REDIS_REPLY_INTEGER)
        return error_set("CLUSTER SLOTS answers slots %lld to %lld", from, to);
    bool        named = host->type == REDIS_REPLY_STRING && host->len > 0 && host->str[0] != '?';
    const char *name = named ? host->str : c->nodes[asked].host;

    if (redis_address_make(name, strlen(name), port->integer, &at) != 0)
        return error_add("CLUSTER SLOTS");
    int32_t node = node_of(c, &at);

    if (node < 0)
        return error_set("the cluster has more than %d nodes", REDIS_NODES_MAX);
    for (; from <= to; from++)
        c->of_slot[from] = (int16_t)node;
    return 0;
}

int redis_cluster_learn(struct redis_cluster *c, const redisReply *reply, uint32_t asked)
{
    CHECK(asked < c->nodes_count);
    if (reply->type == REDIS_REPLY_ERROR)
        return error_set("CLUSTER SLOTS: %.100s", reply->str);
    if (reply->type != REDIS_REPLY_ARRAY)
        return error_set("CLUSTER SLOTS answers what is no list of slots");
    memset(c->of_slot, 0xff, sizeof c->of_slot);
    for (size_t i = 0; i < reply->elements; i++)
        if (learn_range(c, reply->element[i], asked) != 0)
            return -1;
    return 0;
}

int redis_cluster_moved(struct redis_cluster *c, const char *error)
{
    struct redis_address at;
    uint32_t             slot;
    int                  begins = 0;

    if (strncmp(error, "MOVED ", 6) != 0)
        return 0;
    if (sscanf(error, "MOVED %" SCNu32 " %n", &slot, &begins) == 1 && slot < REDIS_SLOTS
        && redis_address_parse(error + begins, strlen(error + begins), &at) == 0
        && at.path[0] == '\0')
        c->of_slot[slot] = (int16_t)node_of(c, &at);
    error_clear();
    return 1;
}
