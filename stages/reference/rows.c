/* rows.c - rows in the order of the file, and a hash table of their places. */
#include "stages/reference/rows.h"

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "pipeline/check.h"

enum { ROWS_FIRST = 64 };

void *rows_at(const struct rows *r, size_t index)
{
    CHECK(index < r->count);
    return r->list + index * r->row_size;
}

static size_t slot_of(const struct rows *r, const char *key)
{
    size_t at = XXH64(key, strlen(key), 0) & r->slots_mask;

    while (r->slots[at] != 0 && strcmp(rows_at(r, r->slots[at] - 1), key) != 0)
        at = (at + 1) & r->slots_mask;
    return at;
}

static void grow(struct rows *r)
{
    r->size = r->size == 0 ? ROWS_FIRST : 2 * r->size;
    r->slots_mask = 2 * r->size - 1;
    free(r->slots);
    r->slots = calloc(r->slots_mask + 1, sizeof *r->slots);
    r->list = realloc(r->list, r->size * r->row_size);
    CHECK(r->slots != NULL && r->list != NULL);
    for (size_t i = 0; i < r->count; i++)
        r->slots[slot_of(r, rows_at(r, i))] = (uint32_t)i + 1;
}

void *rows_find(const struct rows *r, const char *key)
{
    if (r->count == 0)
        return NULL;
    uint32_t found = r->slots[slot_of(r, key)];

    return found == 0 ? NULL : rows_at(r, found - 1);
}

void *rows_add(struct rows *r, const void *row)
{
    CHECK(r->row_size > 0);
    if (r->count == r->size)
        grow(r);
    size_t at = slot_of(r, row);

    if (r->slots[at] != 0)
        return NULL;
    memcpy(r->list + r->count * r->row_size, row, r->row_size);
    r->slots[at] = (uint32_t)++r->count;
    return rows_at(r, r->count - 1);
}

void rows_free(struct rows *r)
{
    free(r->list);
    free(r->slots);
    r->list = NULL;
    r->slots = NULL;
    r->count = r->size = 0;
}
