/* print.c - what commands print for people. */
#include "stages/command/print.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "pipeline/check.h"

/* C0, DEL, and C1 as UTF-8 (0xC2 0x80 … 0x9F). */
static bool is_control(const char *at)
{
    unsigned char c = (unsigned char)at[0], next = c != '\0' ? (unsigned char)at[1] : 0;

    return c < 0x20 || c == 0x7f || (c == 0xc2 && next >= 0x80 && next <= 0x9f);
}

const char *print_text(const char *text, char *to, size_t size)
{
    size_t used = 0;

    CHECK(size > 0);
    for (; *text != '\0' && used + 1 < size; text++) {
        bool control = is_control(text);

        if (control && (unsigned char)*text == 0xc2)
            text++;
        to[used++] = control ? '?' : *text;
    }
    to[used] = '\0';
    return to;
}

const char *print_time(int64_t unix_s, char to[PRINT_SIZE])
{
    time_t    moment = (time_t)unix_s;
    struct tm tm;

    if (unix_s <= 0 || gmtime_r(&moment, &tm) == NULL
        || strftime(to, PRINT_SIZE, "%Y-%m-%d %H:%M:%S", &tm) == 0)
        (void)snprintf(to, PRINT_SIZE, "-");
    return to;
}

const char *print_duration(int64_t seconds, char to[PRINT_SIZE])
{
    static const struct {
        int64_t     size, part;
        const char *name, *part_name;
    } units[] = {{86400, 3600, "d", "h"}, {3600, 60, "h", "min"}, {60, 1, "min", "s"}};

    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        int64_t rest = seconds % units[i].size / units[i].part;

        if (seconds < units[i].size)
            continue;
        if (rest == 0)
            (void)snprintf(to, PRINT_SIZE, "%" PRId64 " %s", seconds / units[i].size,
                           units[i].name);
        else
            (void)snprintf(to, PRINT_SIZE, "%" PRId64 " %s %" PRId64 " %s",
                           seconds / units[i].size, units[i].name, rest, units[i].part_name);
        return to;
    }
    (void)snprintf(to, PRINT_SIZE, "%" PRId64 " s", seconds);
    return to;
}

const char *print_bytes(int64_t bytes, char to[PRINT_SIZE])
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    double                   size = (double)bytes;
    int                      unit = -1;

    for (; size >= 1024 && unit < 3; unit++)
        size /= 1024;
    if (unit < 0)
        (void)snprintf(to, PRINT_SIZE, "%" PRId64 " B", bytes);
    else
        (void)snprintf(to, PRINT_SIZE, "%.1f %s", size, units[unit]);
    return to;
}
