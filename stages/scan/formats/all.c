/* all.c - THE table of wire formats. */
#include <string.h>

#include "stages/scan/format.h"

const struct format *const format_table[] = {
    &format_json,
    NULL,
};

const struct format *format_find(const char *name)
{
    const struct format *const *format = format_table;

    while (*format != NULL && strcmp((*format)->name, name) != 0)
        format++;
    return *format;
}
