/* nth.c - a library to be preloaded: the nth request for memory is refused, alone or with all
 * after it.
 *
 *   NTH          which one, from 1
 *   NTH_LASTING  set: and all after it
 *   NTH_FIRED    a file that is made when one was refused
 *
 * What the C library asks of itself never comes here.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

enum { EARLY_BYTES = 4096, ALIGNMENT = 16 };

static atomic_ulong  asked;
static unsigned long wanted;   /* 0 until it is known */
static bool          lasting;
static const char   *fired;

__attribute__((constructor)) static void begin(void)
{
    const char *number = getenv("NTH");

    fired = getenv("NTH_FIRED");
    lasting = getenv("NTH_LASTING") != NULL;
    wanted = number != NULL ? strtoul(number, NULL, 10) : 0;
}

static bool refused(void)
{
    if (wanted == 0)
        return false;
    unsigned long n = atomic_fetch_add(&asked, 1) + 1;

    if (n != wanted && !(lasting && n > wanted))
        return false;
    if (fired != NULL)
        close(open(fired, O_CREAT | O_WRONLY, 0600));
    errno = ENOMEM;
    return true;
}

/* `next` is the function we stand before. */
#define FIND_NEXT(name)                                  \
    static __typeof__(&name) next;                       \
    if (next == NULL)                                    \
        *(void **)&next = dlsym(RTLD_NEXT, #name)

void *malloc(size_t size)
{
    FIND_NEXT(malloc);
    return refused() ? NULL : next(size);
}

/* dlsym itself asks for some, before it has an answer. */
void *calloc(size_t count, size_t size)
{
    static char   early[EARLY_BYTES];
    static size_t used;
    static bool   looking;

    if (looking && used + count * size <= sizeof early) {
        void *memory = early + used;

        used += (count * size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        return memory;
    }
    looking = true;
    FIND_NEXT(calloc);
    looking = false;
    return refused() ? NULL : next(count, size);
}

void *realloc(void *memory, size_t size)
{
    FIND_NEXT(realloc);
    return refused() ? NULL : next(memory, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    FIND_NEXT(aligned_alloc);
    return refused() ? NULL : next(alignment, size);
}
