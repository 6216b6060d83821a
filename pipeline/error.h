/* error.h - why something failed: a short trail of sentences, innermost first.
 *
 * A function that can fail returns 0 or -1 and, on -1, has said why with
 * error_set.  Its caller adds what it was doing with error_add.  The trail is
 * the thread's own; whoever handles the failure reads and clears it.
 */
#ifndef PIPELINE_ERROR_H
#define PIPELINE_ERROR_H

/* Starts a new trail.  Always returns -1, so `return error_set("...")` reads well.
 * thread: any; the trail belongs to the calling thread. */
int error_set(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Adds what the caller was doing; shown before what is already there.  Returns -1.  A trail
 * holds 1 KiB: beyond it the innermost words are cut.  thread: as error_set. */
int error_add(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The whole trail, "outer: inner: innermost"; "" when there is none.
 * owns: the thread; valid until its next error_ call. */
const char *error_text(void);

/* thread: any; the calling thread's own. */
void error_clear(void);

#endif
