/* cells.c - the table of the model's cells: found, made, and the coldest dropped. */
#include "stages/eta/cells.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline/check.h"

enum { LINE = 64 };

uint32_t cell_find(const struct model *m, uint64_t key)
{
    uint32_t tag = tag_of(m, key), at = slot_of(m, key);

    for (uint32_t slot; (slot = m->slots[at]) != 0; at = (at + 1) & m->slots_mask) {
        uint32_t cell = (slot ^ tag) - 1; /* the tag's bits are 0 if it is the key's */

        if (cell < CELLS_MAX && m->cells[cell].key == key)
            return cell;
    }
    return CELL_NONE;
}

uint32_t cell_likely(const struct model *m, uint64_t key)
{
    uint32_t tag = tag_of(m, key), at = slot_of(m, key);

    for (uint32_t slot; (slot = m->slots[at]) != 0; at = (at + 1) & m->slots_mask)
        if (((slot ^ tag) - 1) < CELLS_MAX)
            return (slot ^ tag) - 1;
    return CELL_NONE;
}

/* The key has no cell yet. */
static void slot_fill(struct model *m, uint32_t cell)
{
    uint64_t key = m->cells[cell].key;
    uint32_t at = slot_of(m, key);

    while (m->slots[at] != 0)
        at = (at + 1) & m->slots_mask;
    m->slots[at] = tag_of(m, key) | (cell + 1);
}

static void slots_fill(struct model *m)
{
    memset(m->slots, 0, (m->slots_mask + 1) * sizeof *m->slots);
    for (uint32_t i = 0; i < m->count; i++)
        slot_fill(m, i);
}

static size_t dirty_words(uint32_t size)
{
    return (size + 63) / 64;
}

void cells_resize(struct model *m, uint32_t size)
{
    struct cell *cells = aligned_alloc(LINE, size * sizeof *cells);
    uint64_t    *dirty = calloc(dirty_words(size), sizeof *dirty);

    CHECK(size <= CELLS_MAX && cells != NULL && dirty != NULL && size > m->count);
    if (m->count > 0) {
        memcpy(cells, m->cells, m->count * sizeof *cells);
        memcpy(dirty, m->dirty, dirty_words(m->count) * sizeof *dirty);
    }
    free(m->cells);
    free(m->dirty);
    free(m->slots);
    m->cells = cells;
    m->dirty = dirty;
    m->size = size;
    m->slots_mask = 255;
    while (m->slots_mask < size + size / 2)
        m->slots_mask += m->slots_mask + 1;
    m->slots_shift = (uint32_t)__builtin_clzll(m->slots_mask);
    m->order = realloc(m->order, size * sizeof *m->order);
    m->slots = malloc((m->slots_mask + 1) * sizeof *m->slots);
    CHECK(m->order != NULL && m->slots != NULL);
    slots_fill(m);
}

uint32_t cell_create(struct model *m, uint64_t key, uint32_t now_s)
{
    uint32_t cell = m->count++;

    CHECK(cell < m->size);
    m->cells[cell] = (struct cell) {.key = key, .touched_s = now_s};
    slot_fill(m, cell);
    return cell;
}

/* ── Dropping the coldest ────────────────────────────────────────────────────────────── */

static bool colder(const struct coldness *a, const struct coldness *b)
{
    return a->weight < b->weight || (a->weight == b->weight && a->key < b->key);
}

static void swap(struct coldness *a, struct coldness *b)
{
    struct coldness kept = *a;

    *a = *b;
    *b = kept;
}

/* Puts the `wanted` coldest first (Hoare 1961).  Keys are all different, so which they are
 * does not depend on the order they come in. */
static void coldest_first(struct coldness *list, uint32_t count, uint32_t wanted)
{
    while (count > 1 && wanted > 0 && wanted < count) {
        uint32_t store = 0;

        swap(&list[count / 2], &list[count - 1]);
        for (uint32_t i = 0; i + 1 < count; i++)
            if (colder(&list[i], &list[count - 1]))
                swap(&list[i], &list[store++]);
        swap(&list[store], &list[count - 1]);
        if (wanted <= store) {
            count = store;
        } else {
            list += store + 1;
            count -= store + 1;
            wanted -= store + 1;
        }
    }
}

static void gone_add(struct model *m, uint64_t key)
{
    if (m->gone_count == m->gone_size) { /* at most once an hour of the partition's clock */
        m->gone_size = m->gone_size == 0 ? 1024 : 2 * m->gone_size;
        m->gone = realloc(m->gone, m->gone_size * sizeof *m->gone);
        CHECK(m->gone != NULL);
    }
    m->gone[m->gone_count++] = key;
}

/* Cells whose key is 0 go; the last ones take their places, and their marks with them. */
static void cells_compact(struct model *m)
{
    for (uint32_t i = FAMILIES; i < m->count; i++) {
        while (m->cells[i].key == 0 && i < m->count) {
            uint32_t last = --m->count;

            m->dirty[i / 64] &= ~(1ull << i % 64);
            m->dirty[i / 64] |= (m->dirty[last / 64] >> last % 64 & 1) << i % 64;
            m->dirty[last / 64] &= ~(1ull << last % 64);
            m->cells[i] = m->cells[last];
        }
    }
    slots_fill(m);
}

/* As of now, whatever the era it is counted from. */
static uint64_t weight_of(const struct cell *c, struct moment now)
{
    uint32_t eras = eras_since(c, now);

    return eras < 64 ? (uint64_t)histogram_total(&c->h) << histogram_scale(&c->h) << 32 >> eras
                     : 0;
}

void cells_drop_coldest(struct model *m, struct moment now)
{
    uint32_t keep = m->cells_max / 4 * 3, finer = m->count - FAMILIES;
    uint32_t drop = finer > keep ? finer - keep : 0;

    for (uint32_t i = 0; i < finer; i++) {
        const struct cell *c = &m->cells[FAMILIES + i];

        m->order[i] = (struct coldness) {weight_of(c, now), c->key};
    }
    coldest_first(m->order, finer, drop);
    for (uint32_t i = 0; i < drop; i++) {
        m->cells[cell_find(m, m->order[i].key)].key = 0;
        gone_add(m, m->order[i].key);
    }
    cells_compact(m);
}
