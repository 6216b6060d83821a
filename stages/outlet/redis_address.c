/* redis_address.c - where Redis is. */
#include "stages/outlet/redis_address.h"

#include <string.h>

#include "pipeline/config.h"
#include "pipeline/error.h"

static int parse_path(const char *path, struct redis_address *address)
{
    size_t length = strlen(path);

    if (length == 0 || length >= sizeof address->path)
        return error_set("found \"unix:%s\", accepted is a path of 1 to %zu bytes", path,
                         sizeof address->path - 1);
    memcpy(address->path, path, length + 1);
    return 0;
}

int redis_address_parse(const char *text, struct redis_address *address)
{
    const char *colon = strrchr(text, ':'), *host = text;
    size_t      length = colon != NULL ? (size_t)(colon - text) : 0;

    memset(address, 0, sizeof *address);
    if (strncmp(text, "unix:", 5) == 0)
        return parse_path(text + 5, address);
    if (length > 2 && text[0] == '[' && colon[-1] == ']') { /* an IPv6 address */
        host++;
        length -= 2;
    }
    size_t digits = colon != NULL ? strspn(colon + 1, "0123456789") : 0;

    if (length == 0 || length >= sizeof address->host || digits == 0 || digits > 5
        || colon[1 + digits] != '\0')
        return error_set("found \"%s\", accepted is host:port or unix:/path", text);
    memcpy(address->host, host, length);
    memcpy(address->port, colon + 1, digits);
    return 0;
}

int redis_address_read(const struct config *config, struct redis_address *address)
{
    static const char path[] = "redis.address";

    return redis_address_parse(config_text(config, path), address) == 0
               ? 0 : config_blame(config, path);
}
