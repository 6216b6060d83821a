/* text.h - UTF-8 that came from outside: where a character ends, and what is none.
 *
 * The log and the configuration print what they were given; neither may print
 * bytes that make its own output unreadable.
 */
#ifndef PIPELINE_TEXT_H
#define PIPELINE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TEXT_INVALID = -1, TEXT_DISTANCE_SIZE = 256 };

/* The character at *at, and *at moved past it; TEXT_INVALID, and one byte on, where the
 * bytes are not UTF-8 (over-long, surrogate, cut short).  0 at the end, *at unmoved.
 * thread: any. */
int32_t text_next(const char **at);

/* Is all of it UTF-8?  thread: any. */
bool text_valid(const char *text);

/* How many characters to add, take out or change to make one of the other: what a mistyped
 * name may have meant.  Both shorter than TEXT_DISTANCE_SIZE.  thread: any. */
size_t text_distance(const char *a, const char *b);

#endif
