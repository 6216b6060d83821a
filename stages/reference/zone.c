/* zone.c - how far a time zone's standard time is ahead of UTC.
 *
 * The last line of a file of the time zone database is a POSIX TZ string ("CST-8",
 * "EST5EDT,M3.2.0,M11.1.0", "<+08>-8"): name, then what is to be added to reach UTC.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/error.h"
#include "stages/reference/parts.h"

#define DATABASE "/usr/share/zoneinfo"

enum { TAIL_SIZE = 128, PATH_SIZE = 128 };

static bool is_name(const char *zone)
{
    return strspn(zone, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/")
               == strlen(zone)
        && zone[0] != '/';
}

/* Behind the name: [+-]h[h][:mm[:ss]]. */
static int offset_of(const char *tz, int32_t *offset_s)
{
    int  hours = 0, minutes = 0, seconds = 0;
    char sign = '+';

    tz += *tz == '<' ? strcspn(tz, ">") + 1 : strcspn(tz, "+-0123456789");
    if (*tz == '+' || *tz == '-')
        sign = *tz++;
    if (sscanf(tz, "%d:%d:%d", &hours, &minutes, &seconds) < 1)
        return -1;
    int32_t west_s = hours * 3600 + minutes * 60 + seconds;

    *offset_s = sign == '-' ? west_s : -west_s;
    return 0;
}

/* The last line, without its end. */
static bool tail_read(const char *path, char tail[TAIL_SIZE])
{
    FILE  *f = fopen(path, "rb");
    size_t length = 0;

    if (f == NULL)
        return false;
    if (fseek(f, -(long)(TAIL_SIZE - 1), SEEK_END) != 0)
        rewind(f);
    length = fread(tail, 1, TAIL_SIZE - 1, f);
    (void)fclose(f);
    if (length == 0 || tail[length - 1] != '\n')
        return false;
    tail[length - 1] = '\0';
    char *begin = memrchr(tail, '\n', length - 1);

    if (begin == NULL)
        return false;
    memmove(tail, begin + 1, strlen(begin + 1) + 1);
    return true;
}

int zone_offset(const char *zone, int32_t *offset_s)
{
    char path[PATH_SIZE], tail[TAIL_SIZE];

    if (!is_name(zone))
        return error_set("no name of a zone");
    if (access(DATABASE, R_OK) != 0)
        return 0;      /* a machine without it: the days go by the sun */
    (void)snprintf(path, sizeof path, DATABASE "/%s", zone);
    if (!tail_read(path, tail) || offset_of(tail, offset_s) != 0)
        return error_set("%s: no such zone", path);
    return 0;
}
