/* ledger.c - open entries in a list by age, and a hash to find one by its number.
 *
 * Opening, closing and the watermark are O(1) whatever the order: one entry that
 * stays open for long (a parked scan) costs nothing but its own place, while
 * thousands open and close after it.
 */
#include "pipeline/ledger.h"

#include <stdbool.h>
#include <stdlib.h>

#include "pipeline/check.h"

enum { LEDGER_MAGIC = 0x1ED6E420, NONE = UINT32_MAX };

struct entry {
    int64_t  number;
    uint32_t older, newer; /* open entries by age; `newer` chains the free ones too */
    uint32_t chain;        /* next with the same hash */
};

struct ledger {
    uint32_t      magic;
    uint32_t      mask;   /* entries − 1 */
    uint32_t      count;
    uint32_t      oldest, newest, free_first;
    int64_t       next;   /* no number below this will be opened */
    struct entry *entries;
    uint32_t     *buckets;
};

struct ledger *ledger_create(uint32_t open_max, int64_t first)
{
    uint32_t size = 1;

    CHECK(open_max > 0 && open_max <= 1u << 30);
    while (size < open_max)
        size *= 2;
    struct ledger *ledger = calloc(1, sizeof *ledger);
    CHECK(ledger != NULL);
    *ledger = (struct ledger) {
        .magic   = LEDGER_MAGIC,
        .mask    = size - 1,
        .oldest  = NONE,
        .newest  = NONE,
        .next    = first,
        .entries = calloc(size, sizeof *ledger->entries),
        .buckets = calloc(size, sizeof *ledger->buckets),
    };
    CHECK(ledger->entries != NULL && ledger->buckets != NULL);
    for (uint32_t i = 0; i < size; i++) {
        ledger->entries[i].newer = i + 1 < size ? i + 1 : NONE;
        ledger->buckets[i] = NONE;
    }
    return ledger;
}

void ledger_destroy(struct ledger *ledger)
{
    if (ledger == NULL)
        return;
    CHECK_MAGIC(ledger, LEDGER_MAGIC);
    ledger->magic = 0;
    free(ledger->entries);
    free(ledger->buckets);
    free(ledger);
}

/* Offsets rise by one or nearly so, so their low bits spread by themselves; the high half
 * of a product spreads those too that rise by a power of two. */
static uint32_t *bucket_of(const struct ledger *ledger, int64_t number)
{
    CHECK_MAGIC(ledger, LEDGER_MAGIC);
    CHECK(ledger->buckets != NULL);
    return &ledger->buckets[(uint64_t)number * 0x9E3779B97F4A7C15u >> 32 & ledger->mask];
}

void ledger_open(struct ledger *ledger, int64_t number)
{
    CHECK_MAGIC(ledger, LEDGER_MAGIC);
    CHECK(number >= ledger->next);
    CHECK(number < INT64_MAX);
    CHECK(ledger->free_first != NONE);
    uint32_t      index = ledger->free_first;
    struct entry *entry = &ledger->entries[index];
    uint32_t     *bucket = bucket_of(ledger, number);

    ledger->free_first = entry->newer;
    *entry = (struct entry) {
        .number = number, .older = ledger->newest, .newer = NONE, .chain = *bucket,
    };
    *bucket = index;
    if (ledger->newest != NONE)
        ledger->entries[ledger->newest].newer = index;
    else
        ledger->oldest = index;
    ledger->newest = index;
    ledger->next = number + 1;
    ledger->count++;
}

/* Takes the entry out of its hash chain. */
static uint32_t unchain(struct ledger *ledger, int64_t number)
{
    uint32_t *link = bucket_of(ledger, number);

    while (*link != NONE && ledger->entries[*link].number != number)
        link = &ledger->entries[*link].chain;
    CHECK(*link != NONE); /* closed twice, or never opened */
    uint32_t index = *link;
    CHECK(index <= ledger->mask);
    *link = ledger->entries[index].chain;
    return index;
}

void ledger_close(struct ledger *ledger, int64_t number)
{
    CHECK_MAGIC(ledger, LEDGER_MAGIC);
    int64_t       before = ledger_watermark(ledger);
    uint32_t      index = unchain(ledger, number);
    struct entry *entry = &ledger->entries[index];

#ifdef CANARY_LEDGER_NEWEST
    ledger->oldest = entry->newer; /* planted: as if entries were closed in order */
#else
    if (entry->older != NONE)
        ledger->entries[entry->older].newer = entry->newer;
    else
        ledger->oldest = entry->newer;
#endif
    if (entry->newer != NONE)
        ledger->entries[entry->newer].older = entry->older;
    else
        ledger->newest = entry->older;
    entry->newer = ledger->free_first;
    ledger->free_first = index;
    ledger->count--;
    CHECK(ledger_watermark(ledger) >= before);
}

void ledger_reach(struct ledger *ledger, int64_t number)
{
    CHECK_MAGIC(ledger, LEDGER_MAGIC);
    if (number > ledger->next)
        ledger->next = number;
    CHECK(ledger->next >= number);
}

int64_t ledger_watermark(const struct ledger *ledger)
{
    CHECK_MAGIC(ledger, LEDGER_MAGIC);
    CHECK((ledger->oldest == NONE) == (ledger->count == 0));
#ifdef CANARY_ledger_off_by_one
    if (ledger->oldest != NONE)
        return ledger->entries[ledger->oldest].number + 1;   /* planted: one that is open */
#endif
    return ledger->oldest != NONE ? ledger->entries[ledger->oldest].number : ledger->next;
}

uint32_t ledger_count(const struct ledger *ledger)
{
    CHECK_MAGIC(ledger, LEDGER_MAGIC);
    CHECK(ledger->count <= ledger->mask + 1);
    return ledger->count;
}

uint32_t ledger_room(const struct ledger *ledger)
{
    CHECK_MAGIC(ledger, LEDGER_MAGIC);
    return ledger->mask + 1 - ledger_count(ledger);
}
