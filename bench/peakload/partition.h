/* partition.h - the home of a key, as Java's Kafka clients compute it. */
#ifndef PEAKLOAD_PARTITION_H
#define PEAKLOAD_PARTITION_H

#include <stddef.h>
#include <stdint.h>

/* 0 … partitions − 1. */
int32_t partition_of(const void *key, size_t length, int32_t partitions);

#endif
