/* check.c - the last words of a process that no longer knows its own state. */
#include "pipeline/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* One write(2) of a whole line: no lock and no buffer of a library that may itself be in
 * the middle of something. */
_Noreturn void check_failed(const char *file, int line, const char *function, const char *what)
{
    char text[512];
    int  length = snprintf(text, sizeof text, "%s:%d: %s: CHECK failed: %s\n", file, line,
                           function, what);

    if (length >= (int)sizeof text) {
        text[sizeof text - 2] = '\n';
        length = (int)sizeof text - 1;
    }
    if (length > 0 && write(STDERR_FILENO, text, (size_t)length) < 0)
        abort(); /* nobody listens; there is nothing else to try */
    abort();
}
