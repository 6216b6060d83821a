/* print.h - what commands print for people: texts that came from outside, times, sizes.
 *
 * A scan's texts may hold anything that is UTF-8, terminal controls too: print_text is the
 * only way they reach a terminal.  Each call returns the text it was given room for.
 */
#ifndef STAGES_COMMAND_PRINT_H
#define STAGES_COMMAND_PRINT_H

#include <stddef.h>
#include <stdint.h>

enum { PRINT_SIZE = 32 };

/* Control characters become '?'; cut at size. */
const char *print_text(const char *text, char *to, size_t size);

/* "2026-11-11 08:30:00" (UTC); "-" for 0 or less. */
const char *print_time(int64_t unix_s, char to[PRINT_SIZE]);

/* "3 h 20 min", "2 d 4 h", "0 s". */
const char *print_duration(int64_t seconds, char to[PRINT_SIZE]);

/* "256.0 MiB", "12 B" */
const char *print_bytes(int64_t bytes, char to[PRINT_SIZE]);

#endif
