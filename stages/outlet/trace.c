/* trace.c - headers of a scan, packed for what it causes. */
#include "stages/outlet/trace.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "pipeline/check.h"
#include "stages/ports.h"

static bool goes_on(const char *name)
{
    static const char prefix[] = "peakload-";

    return strcmp(name, "traceparent") == 0 || strncmp(name, prefix, sizeof prefix - 1) == 0;
}

/* False: it does not fit. */
static bool pack(struct trace *trace, const char *name, const void *value, size_t length)
{
    size_t   name_size = strlen(name) + 1;
    uint16_t value_length = (uint16_t)length;
    char    *at = trace->bytes + trace->length;

    if (length > TRACE_BYTES_MAX ||
        trace->length + name_size + sizeof value_length + length > TRACE_BYTES_MAX)
        return false;
    memcpy(at, name, name_size);
    memcpy(at + name_size, &value_length, sizeof value_length);
    if (length > 0)
        memcpy(at + name_size + sizeof value_length, value, length);
    trace->length = (uint16_t)(trace->length + name_size + sizeof value_length + length);
    return true;
}

void trace_read(struct trace *trace, const void *message)
{
    const char *name;
    const void *value;
    size_t      length;
    uint32_t    count = 0;

    trace->length = 0;
    for (size_t i = 0; message != NULL && count < TRACE_HEADERS_MAX &&
                       ports.message_header(message, i, &name, &value, &length); i++)
        if (goes_on(name))
            count += pack(trace, name, value, length);
    CHECK(trace->length <= TRACE_BYTES_MAX);
}
