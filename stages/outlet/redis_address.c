/* redis_address.c - where a server is. */
#include "stages/outlet/redis_address.h"

#include <stdio.h>
#include <string.h>

#include "pipeline/error.h"

enum { PORT_MAX = 65535 };

static int parse_path(const char *path, size_t length, struct redis_address *address)
{
    if (length == 0 || length >= sizeof address->path)
        return error_set("found \"unix:%.*s\", accepted is a path of 1 to %zu bytes", (int)length,
                         path, sizeof address->path - 1);
    memcpy(address->path, path, length);
    return 0;
}

int redis_address_parse(const char *text, size_t length, struct redis_address *address)
{
    const char *colon = memrchr(text, ':', length), *host = text;
    size_t      host_length = colon != NULL ? (size_t)(colon - text) : 0, digits = 0;

    memset(address, 0, sizeof *address);
    if (length >= 5 && strncmp(text, "unix:", 5) == 0)
        return parse_path(text + 5, length - 5, address);
    if (host_length >= 2 && text[0] == '[' && colon[-1] == ']') { /* an IPv6 address */
        host++;
        host_length -= 2;
    }
    if (colon != NULL) {
        digits = length - (size_t)(colon + 1 - text);
        if (strspn(colon + 1, "0123456789") < digits)
            digits = 0;
    }
    if (host_length == 0 || host_length >= sizeof address->host || digits == 0 || digits > 5)
        return error_set("found \"%.*s\", accepted is host:port or unix:/path", (int)length, text);
    memcpy(address->host, host, host_length);
    memcpy(address->port, colon + 1, digits);
    return 0;
}

int redis_address_make(const char *host, size_t length, long long port,
                       struct redis_address *address)
{
    memset(address, 0, sizeof *address);
    if (length == 0 || length >= sizeof address->host || port < 1 || port > PORT_MAX)
        return error_set("\"%.*s\" and %lld are no host and port", (int)length, host, port);
    memcpy(address->host, host, length);
    (void)snprintf(address->port, sizeof address->port, "%d", (int)port);
    return 0;
}

const char *redis_address_print(const struct redis_address *at, char text[REDIS_ADDRESS_TEXT])
{
    const char *open = strchr(at->host, ':') != NULL ? "[" : "";

    if (at->path[0] != '\0')
        (void)snprintf(text, REDIS_ADDRESS_TEXT, "%s", at->path);
    else
        (void)snprintf(text, REDIS_ADDRESS_TEXT, "%s%s%s:%s", open, at->host,
                       *open != '\0' ? "]" : "", at->port);
    return text;
}
