/* lines.h - reads a file line by line, zstd-compressed or not. */
#ifndef PEAKLOAD_LINES_H
#define PEAKLOAD_LINES_H

#include <stddef.h>
#include <stdint.h>

struct lines;

enum { LINE_BYTES_MAX = 64 << 20 };

/* `file` "-" = standard input.  NULL having said why. */
struct lines *lines_open(const char *file);

/* Before the first line: passes over what a recording's index says is earlier than that Kafka
 * timestamp.  Without an index (or in a pipe) nothing is passed over. */
void lines_skip_to(struct lines *, int64_t from_ms);

/* The next line, without its end, or NULL: 0 at the end of the file, -1 in *result having
 * said why.  owns: lines; until the next call. */
char *lines_next(struct lines *, size_t *length, int *result);

/* Of the line last given, from 1. */
uint64_t lines_number(const struct lines *);

void lines_close(struct lines *);

#endif
