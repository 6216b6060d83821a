/* source_memory.h - may the source take more on, or is memory.max reached?
 *
 * thread: source_kafka's runner.
 */
#ifndef STAGES_INTAKE_SOURCE_MEMORY_H
#define STAGES_INTAKE_SOURCE_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

struct config;
struct metric;

struct memory {
    int64_t        bytes_max;
    uint64_t       looked_ns;
    bool           full;       /* nothing more is taken on: no scan, no claim              */
    struct metric *resident, *limit, *full_now;
};

/* Reads the limit.  owns: nothing. */
void memory_open(struct memory *, const struct config *);

/* Looks once a second; says on the board, in the log and as a metric what it finds. */
void memory_look(struct memory *, uint64_t now_ns);

#endif
