/* say.h - how peakload speaks to the person who runs it, and how it ends. */
#ifndef PEAKLOAD_SAY_H
#define PEAKLOAD_SAY_H

/* Exit codes, after sysexits.h. */
enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 64, EXIT_DATA = 65, EXIT_NO_INPUT = 66,
       EXIT_CONFIG = 78 };

/* "peakload: …" on stderr.  Returns -1, so `return say("…")` reads well.  thread: any. */
int say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Says that memory is out, and exits: a load generator has nothing to save. */
void *must(void *allocated);

#endif
