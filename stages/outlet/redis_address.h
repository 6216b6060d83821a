/* redis_address.h - where Redis is: host:port, [IPv6]:port, or unix:/path/of/socket. */
#ifndef STAGES_OUTLET_REDIS_ADDRESS_H
#define STAGES_OUTLET_REDIS_ADDRESS_H

#include <sys/un.h>

struct config;

struct redis_address {
    char host[256], port[6];
    char path[sizeof ((struct sockaddr_un *)0)->sun_path]; /* "" = host and port count      */
};

/* 0; -1 with the error trail.  thread: any. */
int redis_address_parse(const char *text, struct redis_address *);

/* The setting redis.address; -1 with the error trail, which names its place.  thread: any. */
int redis_address_read(const struct config *, struct redis_address *);

#endif
