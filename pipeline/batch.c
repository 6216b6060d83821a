/* batch.c - pools: all batches of one shape in a few blocks of memory.
 *
 * A batch at home carries another magic than one that is out, so that giving one
 * twice, or using one after it was given, is found at once.
 */
#include "pipeline/batch.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline/check.h"

enum { POOL_MAGIC = 0x9001BA7C, HOME_MAGIC = 0x0BA7C4ED, LINE_BYTES = 64, BLOCKS = 5 };

struct pool {
    uint32_t           magic;
    struct batch_shape shape;
    uint32_t           size;
    uint32_t           home_count;
    struct batch     **home;    /* a stack: the one given last is warm in the cache */
    struct batch      *batches;
    char              *heads;
    char              *records;
    char              *arenas;
    void              *blocks[BLOCKS];   /* what was taken for all these, and how much */
    size_t             blocks_bytes[BLOCKS];
    uint32_t           blocks_count;
};

static size_t whole_lines(size_t count, size_t bytes)
{
    size_t total;

    CHECK(!__builtin_mul_overflow(count, bytes, &total));
    CHECK(total <= SIZE_MAX - LINE_BYTES);
    return (total + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;
}

static _Thread_local bool abandoned, recycling;

/* Blocks of pools that are gone, while recycling. */
struct spare {
    struct spare *next;
    size_t        bytes;
};
static _Thread_local struct spare *spares;

static void *spare_take(size_t bytes)
{
    struct spare **at = &spares;

    CHECK(recycling && bytes >= sizeof **at);
    while (*at != NULL && (*at)->bytes != bytes)
        at = &(*at)->next;
    struct spare *found = *at;

    if (found != NULL)
        *at = found->next;
    return found;
}

static void spare_keep(void *memory, size_t bytes)
{
    struct spare *spare = memory;

    CHECK(recycling && bytes >= sizeof *spare);
    *spare = (struct spare) {.next = spares, .bytes = bytes};
    spares = spare;
}

/* Zeroed memory on a cache line's border, touched now so that no page fault comes later; or
 * as its last pool left it. */
static void *take_memory(struct pool *pool, size_t count, size_t bytes)
{
    size_t total = whole_lines(count, bytes);
    void  *memory = NULL;

    if (total == 0)
        return NULL;
    CHECK(pool->blocks_count < BLOCKS);
    if (recycling)
        memory = spare_take(total);
    if (memory == NULL) {
        memory = aligned_alloc(LINE_BYTES, total);
        CHECK(memory != NULL);
        memset(memory, 0, total);
    }
    pool->blocks[pool->blocks_count] = memory;
    pool->blocks_bytes[pool->blocks_count++] = total;
    return memory;
}

struct pool *pool_create(const struct batch_shape *shape, uint32_t batches)
{
    CHECK(shape != NULL && shape->kind < BATCH_KINDS_MAX);
    CHECK(batches > 0);
    size_t       head_bytes = whole_lines(1, shape->head_size);
    size_t       records_bytes = whole_lines(shape->capacity, shape->record_size);
    size_t       arena_bytes = whole_lines(1, shape->arena_size);
    struct pool *pool = calloc(1, sizeof *pool);

    CHECK(pool != NULL);
    pool->magic = POOL_MAGIC;
    pool->shape = *shape;
    pool->size = batches;
    pool->home = take_memory(pool, batches, sizeof(struct batch *));
    pool->batches = take_memory(pool, batches, sizeof(struct batch));
    pool->heads = take_memory(pool, batches, head_bytes);
    pool->records = take_memory(pool, batches, records_bytes);
    pool->arenas = take_memory(pool, batches, arena_bytes);
    for (uint32_t i = 0; i < batches; i++) {
        struct batch *batch = &pool->batches[i];

        batch->magic = HOME_MAGIC;
        batch->pool = pool;
        batch->head = head_bytes > 0 ? pool->heads + i * head_bytes : NULL;
        batch->records = records_bytes > 0 ? pool->records + i * records_bytes : NULL;
        batch->arena = arena_bytes > 0 ? pool->arenas + i * arena_bytes : NULL;
        pool->home[batches - 1 - i] = batch;
    }
    pool->home_count = batches;
    return pool;
}

void pool_destroy(struct pool *pool)
{
    if (pool == NULL)
        return;
    CHECK_MAGIC(pool, POOL_MAGIC);
    CHECK(pool->home_count == pool->size || abandoned);
    pool->magic = 0;
    for (uint32_t i = 0; i < pool->blocks_count; i++)
        if (recycling)
            spare_keep(pool->blocks[i], pool->blocks_bytes[i]);
        else
            free(pool->blocks[i]);
    free(pool);
}

void pool_abandon(bool on)
{
    CHECK(abandoned != on);
    abandoned = on;
}

void pool_recycle(bool on)
{
    CHECK(recycling != on);
    CHECK(on || !abandoned);
    recycling = on;
    while (!on && spares != NULL) {
        struct spare *spare = spares;

        spares = spare->next;
        free(spare);
    }
}

struct batch *pool_take(struct pool *pool)
{
    CHECK_MAGIC(pool, POOL_MAGIC);
    if (pool->home_count == 0)
        return NULL;
    struct batch *batch = pool->home[--pool->home_count];

    CHECK_MAGIC(batch, HOME_MAGIC);
    *batch = (struct batch) {
        .magic    = BATCH_MAGIC,
        .kind     = pool->shape.kind,
        .capacity = pool->shape.capacity,
        .head     = batch->head,
        .records  = batch->records,
        .arena    = batch->arena,
        .pool     = pool,
        .outcome  = OUTCOME_DONE,
    };
    if (batch->head != NULL)
        memset(batch->head, 0, pool->shape.head_size);
    return batch;
}

void pool_give(struct pool *pool, struct batch **batch)
{
    CHECK_MAGIC(pool, POOL_MAGIC);
    CHECK(batch != NULL);
    CHECK_MAGIC(*batch, BATCH_MAGIC);
    CHECK((*batch)->pool == pool);
    CHECK((*batch)->hops == 0); /* still on its way: it was not yet returned */
    CHECK(pool->home_count < pool->size);
    (*batch)->magic = HOME_MAGIC;
    pool->home[pool->home_count++] = *batch;
    *batch = NULL;
}

uint32_t pool_free(const struct pool *pool)
{
    CHECK_MAGIC(pool, POOL_MAGIC);
    CHECK(pool->home_count <= pool->size);
    return pool->home_count;
}

uint32_t pool_size(const struct pool *pool)
{
    CHECK_MAGIC(pool, POOL_MAGIC);
    CHECK(pool->size > 0);
    return pool->size;
}
