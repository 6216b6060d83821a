/* error.c - the error trail: one short text a thread, outermost sentence first. */
#include "pipeline/error.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/check.h"

enum { TRAIL_SIZE = 1024 };

static _Thread_local char trail[TRAIL_SIZE];

/* What a format says may point into the trail ("%s", error_text()), so each sentence is
 * made aside before the trail changes. */
static void make_sentence(char sentence[TRAIL_SIZE], const char *format, va_list arguments)
{
    CHECK(sentence != NULL);
    CHECK(format != NULL);
    if (vsnprintf(sentence, TRAIL_SIZE, format, arguments) < 0)
        sentence[0] = '\0';
}

int error_set(const char *format, ...)
{
    char    sentence[TRAIL_SIZE];
    va_list arguments;

    CHECK(format != NULL);
    va_start(arguments, format);
    make_sentence(sentence, format, arguments);
    va_end(arguments);
    memcpy(trail, sentence, sizeof trail);
    CHECK(memchr(trail, '\0', sizeof trail) != NULL);
    return -1;
}

int error_add(const char *format, ...)
{
    char    sentence[TRAIL_SIZE], before[TRAIL_SIZE];
    va_list arguments;

    CHECK(format != NULL);
    va_start(arguments, format);
    make_sentence(sentence, format, arguments);
    va_end(arguments);
    memcpy(before, trail, sizeof before);
    /* Too long: the innermost sentence is cut, the outer ones say where to look. */
    int length = snprintf(trail, sizeof trail, "%s%s%s", sentence,
                          before[0] != '\0' ? ": " : "", before);
    CHECK(length >= 0);
    CHECK(memchr(trail, '\0', sizeof trail) != NULL);
    return -1;
}

const char *error_text(void)
{
    CHECK(memchr(trail, '\0', sizeof trail) != NULL);
    return trail;
}

void error_clear(void)
{
    CHECK(memchr(trail, '\0', sizeof trail) != NULL);
    trail[0] = '\0';
}
