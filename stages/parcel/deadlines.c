/* deadlines.c - four wheels of 256 slots over the 32 bits of a second.
 *
 * An entry lies on the wheel of the highest byte in which its second differs from now, in
 * the slot of that byte.  So time passes by bitmaps: the next slot that holds anything is
 * found in a few words, years of nothing cost nothing, and when time enters a slot its
 * entries fall to the wheels below, at most three times each.
 * What is armed for a second already gone waits in a heap, so that it still comes first
 * and in order (Varghese and Lauck 1987; the byte rule is the radix heap's).
 */
#include "stages/parcel/deadlines.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline/check.h"

enum { WHEELS = 4, SLOTS = 256, WORDS = SLOTS / 64 };
enum { CHUNK_ENTRIES = 15, BLOCK_CHUNKS = 512 };   /* 128 bytes; 64 KiB */

struct entry {
    uint32_t at_s;
    uint32_t hash32;
};

struct chunk {
    uint32_t     next;                    /* number of a chunk, 0 = none */
    uint32_t     count;
    struct entry entries[CHUNK_ENTRIES];
};

struct deadlines {
    uint32_t       now_s;
    uint64_t       count;
    uint64_t       used[WHEELS][WORDS];   /* which slots hold anything   */
    uint32_t       slots[WHEELS][SLOTS];  /* their first chunks          */
    struct chunk **blocks;
    uint32_t       blocks_count;
    uint32_t       chunk_free, chunk_fresh;
    struct entry  *past;                  /* a heap, the earliest first  */
    uint32_t       past_count, past_capacity;
};

struct deadlines *deadlines_create(uint32_t now_s)
{
    struct deadlines *d = calloc(1, sizeof *d);

    CHECK(d != NULL);
    d->now_s = now_s;
    d->chunk_fresh = 1; /* number 0 is none */
    return d;
}

void deadlines_destroy(struct deadlines *d)
{
    if (d == NULL)
        return;
    for (uint32_t i = 0; i < d->blocks_count; i++)
        free(d->blocks[i]);
    free(d->blocks);
    free(d->past);
    free(d);
}

/* ── Chunks ────────────────── */

static struct chunk *chunk_at(const struct deadlines *d, uint32_t number)
{
    return &d->blocks[number / BLOCK_CHUNKS][number % BLOCK_CHUNKS];
}

static uint32_t chunk_take(struct deadlines *d)
{
    uint32_t number = d->chunk_free;

    if (number != 0) {
        d->chunk_free = chunk_at(d, number)->next;
        return number;
    }
    number = d->chunk_fresh++;
    if (number / BLOCK_CHUNKS == d->blocks_count) {
        d->blocks = realloc(d->blocks, (d->blocks_count + 1) * sizeof *d->blocks);
        CHECK(d->blocks != NULL);
        struct chunk *block = malloc(BLOCK_CHUNKS * sizeof *block);

        CHECK(block != NULL);
        d->blocks[d->blocks_count++] = block;
    }
    return number;
}

static void chunk_give(struct deadlines *d, uint32_t number)
{
    chunk_at(d, number)->next = d->chunk_free;
    d->chunk_free = number;
}

/* ── The heap of what is late  */

static void past_push(struct deadlines *d, struct entry entry)
{
    if (d->past_count == d->past_capacity) {
        d->past_capacity = d->past_capacity == 0 ? 64 : d->past_capacity * 2;
        d->past = realloc(d->past, d->past_capacity * sizeof *d->past);
        CHECK(d->past != NULL);
    }
    uint32_t i = d->past_count++;

    for (; i > 0 && d->past[(i - 1) / 2].at_s > entry.at_s; i = (i - 1) / 2)
        d->past[i] = d->past[(i - 1) / 2];
    d->past[i] = entry;
}

static struct entry past_pop(struct deadlines *d)
{
    struct entry first = d->past[0], last = d->past[--d->past_count];
    uint32_t     i = 0, child = 1;

    for (; child < d->past_count; i = child, child = 2 * i + 1) {
        child += child + 1 < d->past_count && d->past[child + 1].at_s < d->past[child].at_s;
        if (last.at_s <= d->past[child].at_s)
            break;
        d->past[i] = d->past[child];
    }
    d->past[i] = last;
    return first;
}

/* ── The wheels ────────────── */

static uint32_t byte_of(uint32_t at_s, int wheel)
{
    return at_s >> (8 * wheel) & (SLOTS - 1);
}

static int wheel_of(uint32_t now_s, uint32_t at_s)
{
    uint32_t differs = now_s ^ at_s;

    return differs == 0 ? 0 : (31 - __builtin_clz(differs)) / 8;
}

/* at_s is now or later. */
static void wheel_push(struct deadlines *d, struct entry entry)
{
    int       wheel = wheel_of(d->now_s, entry.at_s);
    uint32_t  slot = byte_of(entry.at_s, wheel);
    uint32_t *first = &d->slots[wheel][slot];

    if (*first == 0 || chunk_at(d, *first)->count == CHUNK_ENTRIES) {
        uint32_t number = chunk_take(d);

        chunk_at(d, number)->next = *first;
        chunk_at(d, number)->count = 0;
        *first = number;
        d->used[wheel][slot / 64] |= 1ull << slot % 64;
    }
    struct chunk *chunk = chunk_at(d, *first);

    chunk->entries[chunk->count++] = entry;
}

static struct entry slot_pop(struct deadlines *d, int wheel, uint32_t slot)
{
    uint32_t     *first = &d->slots[wheel][slot];
    struct chunk *chunk = chunk_at(d, *first);
    struct entry  entry = chunk->entries[--chunk->count];

    if (chunk->count == 0) {
        uint32_t number = *first;

        *first = chunk->next;
        chunk_give(d, number);
    }
    if (*first == 0)
        d->used[wheel][slot / 64] &= ~(1ull << slot % 64);
    return entry;
}

/* First second of the next slot that holds anything; UINT32_MAX = none.  Slots that time has
 * passed are empty, so the first one in use is the next. */
static uint32_t wheel_next(const struct deadlines *d)
{
    for (int wheel = 0; wheel < WHEELS; wheel++) {
        for (uint32_t word = 0; word < WORDS; word++) {
            if (d->used[wheel][word] == 0)
                continue;
            uint32_t slot = word * 64 + (uint32_t)__builtin_ctzll(d->used[wheel][word]);
            uint64_t above = (uint64_t)d->now_s >> (8 * wheel + 8) << (8 * wheel + 8);

            return (uint32_t)above | slot << (8 * wheel);
        }
    }
    return UINT32_MAX;
}

/* Nothing is due before to_s: only the slot that to_s enters needs its entries moved. */
static void pass_to(struct deadlines *d, uint32_t to_s)
{
    int wheel = wheel_of(d->now_s, to_s);

    d->now_s = to_s;
    if (wheel == 0)
        return;
    while (d->slots[wheel][byte_of(to_s, wheel)] != 0)
        wheel_push(d, slot_pop(d, wheel, byte_of(to_s, wheel)));
}

void deadlines_arm(struct deadlines *d, uint32_t at_s, uint32_t hash32)
{
    const struct entry entry = {at_s, hash32};

    d->count++;
    if (at_s < d->now_s)
        past_push(d, entry);
    else
        wheel_push(d, entry);
}

uint32_t deadlines_due(struct deadlines *d, uint32_t now_s, uint32_t *at_s, uint32_t *hash32,
                       uint32_t max)
{
    uint32_t n = 0;

    while (n < max) {
        struct entry entry;

        if (d->past_count > 0) {
            entry = past_pop(d);
        } else if (d->slots[0][byte_of(d->now_s, 0)] != 0) {
            entry = slot_pop(d, 0, byte_of(d->now_s, 0));
        } else {
            uint32_t next_s = d->count > 0 ? wheel_next(d) : UINT32_MAX;

            if (d->count == 0 || next_s > now_s)
                break;
            pass_to(d, next_s);
            continue;
        }
        at_s[n] = entry.at_s;
        hash32[n++] = entry.hash32;
        d->count--;
    }
    if (n < max && now_s > d->now_s)
        pass_to(d, now_s);
    return n;
}

uint32_t deadlines_next(const struct deadlines *d)
{
    return d->past_count > 0 ? d->past[0].at_s : wheel_next(d);
}

uint64_t deadlines_count(const struct deadlines *d)
{
    return d->count;
}

size_t deadlines_bytes(const struct deadlines *d)
{
    return sizeof *d + d->blocks_count * (sizeof *d->blocks + BLOCK_CHUNKS * sizeof(struct chunk))
         + d->past_capacity * sizeof *d->past;
}
