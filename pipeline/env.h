/* env.h - what the process asks of its environment: variables, randomness, memory.
 *
 * Tests and the simulator put their own randomness in place, so that an owner
 * token or a back-off is a function of the seed.
 */
#ifndef PIPELINE_ENV_H
#define PIPELINE_ENV_H

#include <stddef.h>
#include <stdint.h>

/* Replaces each ${NAME} in text by the environment's value, and ${file:PATH} by what the file
 * holds but for the newline at its end, once.  0, or -1 with the error trail when NAME is not
 * set, no name, the file can't be read, or the result exceeds size.
 * thread: any, while nobody changes the environment. */
int env_expand(const char *text, char *result, size_t size);

/* 64 random bits: getrandom(2), or what env_seed put in place (seed 0 = back).
 * thread: any. */
uint64_t env_random(void);
void     env_seed(uint64_t seed);

/* Resident set of this process, or what env_resident_put put in place (0 = back); and the
 * memory limit it lives under (cgroup or machine).  thread: any. */
int64_t env_resident_bytes(void);
void    env_resident_put(int64_t bytes);
int64_t env_memory_bytes_max(void);

#endif
