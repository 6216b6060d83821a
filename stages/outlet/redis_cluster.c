/* redis_cluster.c - which node of a Redis Cluster has which slot. */
#include "stages/outlet/redis_cluster.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "pipeline/check.h"
#include "pipeline/config.h"
#include "pipeline/error.h"
#include "stages/outlet/redis_address.h"

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
static int32_t node_of(struct redis_cluster *c, const char *text)
{
    uint32_t node = 0;

    while (node < c->nodes_count && strcmp(c->nodes[node], text) != 0)
        node++;
    if (node < c->nodes_count)
        return (int32_t)node;
    if (node == REDIS_NODES_MAX)
        for (node = 0; node < REDIS_NODES_MAX && is_used(c, node); node++)
            ;
    if (node == REDIS_NODES_MAX)
        return -1;
    CHECK(strlen(text) < REDIS_NODE_TEXT);
    memcpy(c->nodes[node], text, strlen(text) + 1);
    c->nodes_count += node == c->nodes_count;
    return (int32_t)node;
}

static int seed_add(struct redis_cluster *c, const char *text, size_t length)
{
    struct redis_address address;
    char                 node[REDIS_NODE_TEXT];

    if (length >= sizeof node)
        return error_set("found a node of %zu characters, accepted are %d", length,
                         REDIS_NODE_TEXT - 1);
    memcpy(node, text, length);
    node[length] = '\0';
    if (redis_address_parse(node, &address) != 0)
        return -1;
    if (address.path[0] != '\0')
        return error_set("found \"%s\", accepted for a cluster is host:port[,host:port]", node);
    return node_of(c, node) >= 0 ? 0 : error_set("found more nodes than %d, accepted are some of "
                                                 "the cluster's", REDIS_NODES_MAX);
}

int redis_cluster_open(const struct config *config, struct redis_cluster **made)
{
    const char *at = config_text(config, "redis.address");

    *made = NULL;
    if (strcmp(config_text(config, "redis.mode"), "cluster") != 0)
        return 0;
    struct redis_cluster *c = calloc(1, sizeof *c);

    CHECK(c != NULL);
    memset(c->of_slot, 0xff, sizeof c->of_slot);
    for (bool more = true; more;) {
        size_t length = strcspn(at, ",");

        if (seed_add(c, at, length) != 0) {
            free(c);
            return config_blame(config, "redis.address");
        }
        more = at[length] == ',';
        at += length + 1;
    }
    c->seeds_count = c->nodes_count;
    *made = c;
    return 0;
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
    char text[REDIS_NODE_TEXT];

    if (range->type != REDIS_REPLY_ARRAY || range->elements < 3
        || range->element[0]->type != REDIS_REPLY_INTEGER
        || range->element[1]->type != REDIS_REPLY_INTEGER
        || range->element[2]->type != REDIS_REPLY_ARRAY || range->element[2]->elements < 2)
        return error_set("CLUSTER SLOTS answers what is no list of slots");
    const redisReply *host = range->element[2]->element[0], *port = range->element[2]->element[1];
    long long         from = range->element[0]->integer, to = range->element[1]->integer;

    if (from < 0 || to >= REDIS_SLOTS || port->type != REDIS_REPLY_INTEGER)
        return error_set("CLUSTER SLOTS answers slots %lld to %lld", from, to);
    bool named = host->type == REDIS_REPLY_STRING && host->len > 0 && host->str[0] != '?';
    bool ipv6 = named && strchr(host->str, ':') != NULL;

    (void)snprintf(text, sizeof text, "%s%.*s%s:%lld", ipv6 ? "[" : "",
                   named ? (int)host->len : (int)(strrchr(c->nodes[asked], ':') - c->nodes[asked]),
                   named ? host->str : c->nodes[asked], ipv6 ? "]" : "", port->integer);
    int32_t node = node_of(c, text);

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
    char     text[REDIS_NODE_TEXT];
    uint32_t slot;

    if (strncmp(error, "MOVED ", 6) != 0)
        return 0;
    if (sscanf(error, "MOVED %" SCNu32 " %261s", &slot, text) == 2 && slot < REDIS_SLOTS
        && text[0] != ':' && strrchr(text, ':') != NULL)
        c->of_slot[slot] = (int16_t)node_of(c, text);
    return 1;
}
