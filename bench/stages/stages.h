/* stages.h - what stands in for Kafka: a log in memory, and a producer that says yes.
 *
 * thread: all on the one that turns the stages.
 */
#ifndef BENCH_STAGES_STAGES_H
#define BENCH_STAGES_STAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config;
struct consumer;
struct producer;

/* Reads a file of messages: for each, little endian, int32 partition, int64 Kafka timestamp in
 * ms, uint32 length of key, uint32 of value; then both.  0; -1 with the error trail. */
int      feed_load(const char *file);
void     feed_free(void);
uint64_t feed_messages(void);
int32_t  feed_partitions(void);
int64_t  feed_end(int32_t partition);   /* the offset behind its last message */

/* consumer_open of the ports: gives all partitions at once, from the beginning. */
int      feed_open(const struct config *, void (*wake)(void *), void *wake_self,
                   struct consumer *);

/* producer_open of the ports: each output is acknowledged at the next poll. */
int      sink_open(const struct config *, void (*wake)(void *), void *wake_self,
                   bool (*header)(const void *, size_t, const char **, const void **, size_t *),
                   struct producer *);
uint64_t sink_outputs(void);
uint64_t sink_bytes(void);

bool     no_header(const void *message, size_t i, const char **name, const void **value,
                   size_t *length);

#endif
