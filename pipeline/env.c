/* env.c - variables, randomness and memory limits, as the process finds them.
 *
 * Sources  getrandom(2); proc(5) for statm and cgroup; the kernel's cgroup v2
 *          documentation for memory.max (v1 called it memory.limit_in_bytes).
 */
#include "pipeline/env.h"

#include <ctype.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "pipeline/check.h"
#include "pipeline/error.h"

enum { NAME_SIZE = 128, PATH_SIZE = 4096 };

static _Atomic bool     seeded;
static _Atomic uint64_t seed_state;

/* Reads NAME} into name; how many characters that was, or -1. */
static int read_name(const char *text, char name[NAME_SIZE])
{
    int length = 0;

    CHECK(text != NULL);
    CHECK(name != NULL);
    while (isalnum((unsigned char)text[length]) || text[length] == '_') {
        if (length == NAME_SIZE - 1)
            return error_set("the name after ${ is too long");
        name[length] = text[length];
        length++;
    }
    name[length] = '\0';
    if (length == 0 || isdigit((unsigned char)name[0]) || text[length] != '}')
        return error_set("${ is not followed by a variable's name and }");
    return length + 1;
}

int env_expand(const char *text, char *result, size_t size)
{
    char   name[NAME_SIZE];
    size_t used = 0;

    CHECK(text != NULL);
    CHECK(result != NULL && size > 0);
    while (*text != '\0') {
        const char *piece = text;
        size_t      length = 1;

        if (text[0] == '$' && text[1] == '{') {
            int consumed = read_name(text + 2, name);

            if (consumed < 0)
                return -1;
            piece = getenv(name);
            if (piece == NULL)
                return error_set("the environment variable %s is not set", name);
            length = strlen(piece);
            text += 2 + consumed;
        } else {
            text++;
        }
        if (length >= size - used)
            return error_set("longer than %zu characters once its variables are replaced",
                             size - 1);
        memcpy(result + used, piece, length);
        used += length;
    }
    CHECK(used < size);
    result[used] = '\0';
    return 0;
}

/* splitmix64 (Steele, Lea, Flood 2014): any seed, even a small one, gives good bits. */
static uint64_t mix(uint64_t state)
{
    state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9u;
    state = (state ^ state >> 27) * 0x94D049BB133111EBu;
    return state ^ state >> 31;
}

uint64_t env_random(void)
{
    static const uint64_t step = 0x9E3779B97F4A7C15u;
    uint64_t bits = 0;

    if (atomic_load(&seeded))
        return mix(atomic_fetch_add(&seed_state, step) + step);
    ssize_t got = getrandom(&bits, sizeof bits, 0);
    while (got < 0 && errno == EINTR) /* only before the kernel's pool is ready */
        got = getrandom(&bits, sizeof bits, 0);
    CHECK(got == (ssize_t)sizeof bits);
    return bits;
}

void env_seed(uint64_t seed)
{
    atomic_store(&seed_state, seed);
    atomic_store(&seeded, seed != 0);
    CHECK(atomic_load(&seeded) == (seed != 0));
}

/* The first whole number in a small file; -1 when there is none ("max"). */
static int64_t read_number(const char *path)
{
    char  text[64] = "";
    char *end = text;

    CHECK(path != NULL);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return -1;
    bool read = fgets(text, sizeof text, file) != NULL;
    CHECK(fclose(file) == 0);
    errno = 0;
    long long number = strtoll(text, &end, 10);
    return read && end != text && errno == 0 && number >= 0 ? number : -1;
}

int64_t env_resident_bytes(void)
{
    char text[128] = "";
    long pages = 0;

    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL)
        return 0;
    char *first_end = fgets(text, sizeof text, file) != NULL ? strchr(text, ' ') : NULL;
    if (first_end != NULL) /* the second number is the resident set */
        pages = strtol(first_end, NULL, 10);
    CHECK(fclose(file) == 0);
    CHECK(pages >= 0);
    return (int64_t)pages * sysconf(_SC_PAGESIZE);
}

static int64_t least_of(int64_t limit, int64_t found)
{
    CHECK(limit >= 0);
    CHECK(found >= -1);
    return found > 0 && found < limit ? found : limit;
}

/* A limit holds for all groups below it, so every directory from ours up to the root of
 * the hierarchy is asked. */
static int64_t ask_groups(const char *root, char *group, const char *file, int64_t limit)
{
    char path[PATH_SIZE];

    CHECK(root != NULL && file != NULL);
    CHECK(group != NULL);
    for (;;) {
        int length = snprintf(path, sizeof path, "%s%s/%s", root, group, file);

        if (length > 0 && length < (int)sizeof path)
            limit = least_of(limit, read_number(path));
        char *last = strrchr(group, '/');
        if (last == NULL)
            return limit;
        *last = '\0';
    }
}

int64_t env_memory_bytes_max(void)
{
    char    line[PATH_SIZE];
    int64_t limit = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);

    CHECK(limit > 0);
    CHECK(sysconf(_SC_PAGESIZE) > 0);
    FILE *file = fopen("/proc/self/cgroup", "re");
    if (file == NULL)
        return limit;
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':');
        char *group = controllers != NULL ? strchr(controllers + 1, ':') : NULL;

        if (group == NULL)
            continue;
        *group++ = '\0';
        if (controllers[1] == '\0')
            limit = ask_groups("/sys/fs/cgroup", group, "memory.max", limit);
        else if (strstr(controllers + 1, "memory") != NULL)
            limit = ask_groups("/sys/fs/cgroup/memory", group, "memory.limit_in_bytes", limit);
    }
    CHECK(fclose(file) == 0);
    return limit;
}
