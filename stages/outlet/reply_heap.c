/* reply_heap.c - a list of pieces, the newest in front; each twice as large as the last. */
#include "stages/outlet/reply_heap.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

#include "pipeline/check.h"

enum { PIECE_MIN = 2048, PIECE_MAX = 1 << 20 };

struct reply_heap {
    struct reply_heap *older;
    size_t             used, size;      /* of bytes */
    alignas(max_align_t) char bytes[];
};

static struct reply_heap *piece_add(struct reply_heap *older, size_t bytes)
{
    size_t size = older == NULL ? PIECE_MIN : 2 * older->size;

    if (size > PIECE_MAX)
        size = PIECE_MAX;
    if (size < bytes)
        size = bytes;
    struct reply_heap *piece = malloc(sizeof *piece + size);

    CHECK(piece != NULL);
    *piece = (struct reply_heap) {.older = older, .size = size};
    return piece;
}

void *reply_heap_take(struct reply_heap **heap, size_t bytes)
{
    const size_t grain = alignof(max_align_t);

    CHECK(bytes < SIZE_MAX / 2);
    bytes = (bytes + grain - 1) / grain * grain;
    if (*heap == NULL || (*heap)->size - (*heap)->used < bytes)
        *heap = piece_add(*heap, bytes);
    void *object = (*heap)->bytes + (*heap)->used;

    (*heap)->used += bytes;
    CHECK((*heap)->used <= (*heap)->size);
    return object;
}

void reply_heap_empty(struct reply_heap **heap)
{
    if (*heap != NULL && (*heap)->older == NULL && (*heap)->size == PIECE_MIN)
        (*heap)->used = 0;
    else
        reply_heap_free(heap);
}

void reply_heap_free(struct reply_heap **heap)
{
    while (*heap != NULL) {
        struct reply_heap *older = (*heap)->older;

        free(*heap);
        *heap = older;
    }
}
