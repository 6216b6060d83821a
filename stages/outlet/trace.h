/* trace.h - the headers of a scan that go on to the alerts and estimates it causes:
 * `traceparent`, and every one whose name begins with `peakload-`.
 *
 * A scan's message is gone when its batch has returned, an output is not: so they are copied,
 * packed one after the other.  The first TRACE_HEADERS_MAX of them that fit; what does not is
 * left out, for a header is no part of what is told.
 */
#ifndef STAGES_OUTLET_TRACE_H
#define STAGES_OUTLET_TRACE_H

#include <stdint.h>
#include <string.h>

enum { TRACE_HEADERS_MAX = 4, TRACE_BYTES_MAX = 256 };

/* Each header: its name and a NUL, the length of its value (uint16_t), its value. */
struct trace {
    uint16_t length;                    /* of bytes; 0 = none */
    char     bytes[TRACE_BYTES_MAX];
};

/* One of them, out of packed bytes.  owns: whoever owns the bytes. */
struct trace_header {
    const char *name;
    const char *value;
    uint16_t    length;
};

/* Those of a consumer's message (scan.message; NULL has none), which is still alive.
 * thread: whoever holds the message's batch. */
void trace_read(struct trace *, const void *message);

/* The header that begins at `at`, and where the next one does. */
static inline const char *trace_next(const char *at, struct trace_header *header)
{
    header->name = at;
    at += strlen(at) + 1;
    memcpy(&header->length, at, sizeof header->length);
    header->value = at + sizeof header->length;
    return header->value + header->length;
}

#endif
