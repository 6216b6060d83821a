/* library.h - the Redis Function library `peakline`, with which others read our state.
 *
 * peakline.lua is part of the program (CMakeLists.txt makes library_text.c of it) and is put
 * into Redis when an instance starts, so that a reader needs neither our program nor a decoder.
 */
#ifndef STAGES_SERVE_LIBRARY_H
#define STAGES_SERVE_LIBRARY_H

struct view;

/* The library's source, NUL-terminated, and the version that its second line states. */
extern const char library_text[];
extern const int  library_version;

/* Sees to it that Redis has the library in our version or a newer one; an older one is
 * replaced.  The version it has then, or -1 with the error trail: Redis is away, knows no
 * functions (before 7.0), or this user may not load them.  thread: the view's. */
int library_load(struct view *);

#endif
