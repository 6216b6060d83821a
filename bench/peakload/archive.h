/* archive.h - writes a recording: zstd frames that can be read apart, and where they are.
 *
 * Each frame holds whole lines and its checksum.  Behind the last stand two skippable frames,
 * which any zstd reader passes over: the index by time (magic 0x184D2A50: "PLIX", then for each
 * frame the least and greatest Kafka timestamp in ms and its lines, 64 bits each) and the seek
 * table of zstd's seekable format.  All numbers are little-endian.
 */
#ifndef PEAKLOAD_ARCHIVE_H
#define PEAKLOAD_ARCHIVE_H

#include <stdint.h>
#include <stdio.h>

struct archive;

/* `file` "-" = standard output.  NULL having said why. */
struct archive *archive_open(const char *file, int level);

/* Where the next line is to be written, with its newline; then archive_end_line(). */
FILE *archive_line(struct archive *);

/* 0, or -1 having said why. */
int archive_end_line(struct archive *, int64_t kafka_ms);

uint64_t archive_bytes(const struct archive *);    /* written so far, compressed */

/* Writes what is left, and the index.  0, or -1 having said why. */
int archive_close(struct archive *);

/* The place of the frame from which lines of that time on can be read, by an index at the end
 * of the open file; *skipped is how many lines lie before.  0, or -1: no index. */
int archive_find(FILE *, int64_t from_ms, long *place, uint64_t *skipped);

#endif
