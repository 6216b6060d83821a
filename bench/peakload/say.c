/* say.c - messages to the person who runs peakload. */
#include "bench/peakload/say.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int say(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    flockfile(stderr);
    fputs("peakload: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    funlockfile(stderr);
    va_end(arguments);
    return -1;
}

void *must(void *allocated)
{
    if (allocated == NULL) {
        say("out of memory");
        exit(EXIT_FAILED);
    }
    return allocated;
}
