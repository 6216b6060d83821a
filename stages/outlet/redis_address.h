/* redis_address.h - where a server is: host:port, [IPv6]:port, or unix:/path/of/socket. */
#ifndef STAGES_OUTLET_REDIS_ADDRESS_H
#define STAGES_OUTLET_REDIS_ADDRESS_H

#include <stddef.h>
#include <sys/un.h>

enum { REDIS_ADDRESS_TEXT = 272 };

struct redis_address {
    char host[256], port[6];
    char path[sizeof ((struct sockaddr_un *)0)->sun_path]; /* "" = host and port count      */
};

/* Of `length` characters.  0; -1 with the error trail.  thread: any, all of these. */
int redis_address_parse(const char *text, size_t length, struct redis_address *);

/* Of a host and a port as Redis gives them.  0; -1 with the error trail: they are none. */
int redis_address_make(const char *host, size_t length, long long port, struct redis_address *);

/* As it is written in the configuration; a socket by its path.  Returns `text`. */
const char *redis_address_print(const struct redis_address *, char text[REDIS_ADDRESS_TEXT]);

#endif
