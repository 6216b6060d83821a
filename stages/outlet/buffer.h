/* buffer.h - growable bytes that Redis commands are written into, straight as RESP. */
#ifndef STAGES_OUTLET_BUFFER_H
#define STAGES_OUTLET_BUFFER_H

#include <stddef.h>
#include <stdint.h>

struct buffer {
    char  *bytes;
    size_t used, size;
};

void  buffer_free(struct buffer *);
char *buffer_room(struct buffer *, size_t bytes);   /* where `bytes` may be written; not yet used */
void  buffer_add(struct buffer *, const void *bytes, size_t length);

/* "*count\r\n": a command of `count` arguments follows. */
void  resp_command(struct buffer *, uint32_t count);
/* "$length\r\n…\r\n" */
void  resp_argument(struct buffer *, const void *bytes, size_t length);
void  resp_text(struct buffer *, const char *text);
void  resp_number(struct buffer *, int64_t number);

#endif
