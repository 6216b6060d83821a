/* config_path.c - paths are parts with dots between; a star stands for one part, the last
 * star for all that follow.
 *
 * Distance  Levenshtein 1965: fewest characters added, taken away or changed.
 */
#include <stdio.h>
#include <string.h>

#include "pipeline/check.h"
#include "pipeline/config_parts.h"

static size_t part_length(const char *path)
{
    return strcspn(path, ".");
}

/* The next part, or NULL after the last. */
static const char *next_part(const char *path)
{
    CHECK(path != NULL);
    path += part_length(path);
    CHECK(*path == '.' || *path == '\0');
    return *path == '.' ? path + 1 : NULL;
}

static bool is_star(const char *part)
{
    CHECK(part != NULL);
    return part[0] == '*' && part_length(part) == 1;
}

static bool same_part(const char *a, const char *b)
{
    CHECK(a != NULL);
    CHECK(b != NULL);
    if (*a != *b)
        return false;
    size_t length = part_length(a);

    return length == part_length(b) && memcmp(a, b, length) == 0;
}

bool config_has_star(const char *pattern)
{
    CHECK(pattern != NULL);
    CHECK(pattern[0] != '\0');
    for (; pattern != NULL; pattern = next_part(pattern))
        if (is_star(pattern))
            return true;
    return false;
}

bool config_ends_in_star(const char *pattern)
{
    CHECK(pattern != NULL);
    CHECK(pattern[0] != '\0');
    while (next_part(pattern) != NULL)
        pattern = next_part(pattern);
    return is_star(pattern);
}

int config_match(const char *pattern, const char *path)
{
    int closeness = 3; /* 3 as written, 2 through a star, 1 through the last star */

    CHECK(pattern != NULL);
    CHECK(path != NULL);
    while (pattern != NULL && path != NULL) {
        bool star = is_star(pattern);

        if (!star && !same_part(pattern, path))
            return 0;   /* as of most rows, at the first letter */
        const char *more = next_part(pattern);

        if (star) {
            if (more == NULL)
                return path[0] != '\0' ? 1 : 0;
            if (part_length(path) == 0)
                return 0;
            closeness = 2;
        }
        pattern = more;
        path = next_part(path);
    }
    return pattern == NULL && path == NULL ? closeness : 0;
}

bool config_leads_to(const char *pattern, const char *path)
{
    CHECK(pattern != NULL);
    CHECK(path != NULL);
    while (path != NULL) {
        const char *more = next_part(pattern);

        if (is_star(pattern) && more == NULL)
            return true; /* any depth below it */
        if (!is_star(pattern) && !same_part(pattern, path))
            return false;
        path = next_part(path);
        pattern = more;
        if (pattern == NULL)
            return false;
    }
    return true;
}

void config_instance(const char *pattern, const char *path, char *text, size_t size)
{
    size_t used = 0;

    CHECK(pattern != NULL && path != NULL);
    CHECK(text != NULL && size > 0);
    text[0] = '\0';
    while (pattern != NULL && used < size) {
        const char *more = next_part(pattern);
        const char *part = is_star(pattern) && path != NULL ? path : pattern;
        size_t      length = is_star(pattern) && more == NULL ? strlen(part) : part_length(part);

        used += (size_t)snprintf(text + used, size - used, "%s%.*s", used > 0 ? "." : "",
                                 (int)length, part);
        pattern = more;
        path = path != NULL ? next_part(path) : NULL;
    }
}

const char *config_below(const char *path, const char *prefix)
{
    size_t length = strlen(prefix);

    CHECK(path != NULL);
    CHECK(length > 0);
    if (strncmp(path, prefix, length) != 0 || path[length] != '.')
        return NULL;
    return path + length + 1;
}
