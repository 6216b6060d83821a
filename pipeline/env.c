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

enum { NAME_SIZE = 512, PATH_SIZE = 4096 };

#define FILE_WORD "file:"

static _Atomic int64_t resident_put;   /* by env_resident_put; 0 = ask the system */
static _Atomic bool     seeded;
static _Atomic uint64_t seed_state;

/* How many characters what stands behind ${ has, its } counted; -1. */
static int read_name(const char *text, char name[NAME_SIZE])
{
    bool   file = strncmp(text, FILE_WORD, strlen(FILE_WORD)) == 0;
    size_t least = file ? strlen(FILE_WORD) + 1 : 1, length = file ? strcspn(text, "}") : 0;

    CHECK(text != NULL);
    CHECK(name != NULL);
    while (!file && (isalnum((unsigned char)text[length]) || text[length] == '_'))
        length++;
    if (length >= NAME_SIZE)
        return error_set("the name after ${ is too long");
    if (length < least || isdigit((unsigned char)text[0]) || text[length] != '}')
        return error_set("${ is not followed by a variable's name and }, or by file:PATH and }");
    memcpy(name, text, length);
    name[length] = '\0';
    return (int)length + 1;
}

/* A file's text without the newline that editors and `echo` put there. */
static int read_secret(const char *path, char *text, size_t size, size_t *length)
{
    FILE *file = fopen(path, "re");

    CHECK(text != NULL && size > 0);
    if (file == NULL)
        return error_set("%s: %s", path, strerror(errno));
    *length = fread(text, 1, size, file);
    int error = ferror(file) ? errno : 0;

    CHECK(fclose(file) == 0);
    if (error != 0)
        return error_set("%s: %s", path, strerror(error));
    while (*length > 0 && (text[*length - 1] == '\n' || text[*length - 1] == '\r'))
        --*length;
    if (*length == 0 || memchr(text, '\0', *length) != NULL)
        return error_set("%s: is empty, or holds a zero byte", path);
    return 0;
}

/* What stands for a name, at most `size` characters of it. */
static int read_piece(const char *name, char *piece, size_t size, size_t *length)
{
    CHECK(piece != NULL);
    CHECK(length != NULL);
    if (strncmp(name, FILE_WORD, strlen(FILE_WORD)) == 0)
        return read_secret(name + strlen(FILE_WORD), piece, size, length);
    const char *value = getenv(name);

    if (value == NULL)
        return error_set("the environment variable %s is not set", name);
    *length = strlen(value);
    memcpy(piece, value, *length < size ? *length : size);
    return 0;
}

int env_expand(const char *text, char *result, size_t size)
{
    char   name[NAME_SIZE];
    size_t used = 0;

    CHECK(text != NULL);
    CHECK(result != NULL && size > 0);
    while (*text != '\0') {
        size_t length = 1;

        if (text[0] == '$' && text[1] == '{') {
            int consumed = read_name(text + 2, name);

            if (consumed < 0 || read_piece(name, result + used, size - used, &length) != 0)
                return -1;
            text += 2 + consumed;
        } else {
            result[used] = *text++;
        }
        if (length >= size - used)
            return error_set("longer than %zu characters once its variables are replaced",
                             size - 1);
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

void env_resident_put(int64_t bytes)
{
    CHECK(bytes >= 0);
    atomic_store(&resident_put, bytes);
}

int64_t env_resident_bytes(void)
{
    char text[128] = "";
    long pages = 0;

    if (atomic_load(&resident_put) != 0)
        return atomic_load(&resident_put);
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
