/* table.c - open addressing over references, records in blocks by size class.
 *
 * Slots are placed by the top bits of hash32, so doubling keeps their order, and deleting
 * shifts back what was pushed aside: no tombstones, no probe longer than needed.
 * A record is dirty when the dirty list holds it at the place that it names itself; so
 * cleaning all of them is one store, and fresh memory needs no clearing.
 */
#include "stages/parcel/table.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline/check.h"

enum {
    UNIT_BYTES = 16, BLOCK_BYTES = 1 << 20, BLOCK_UNITS = BLOCK_BYTES / UNIT_BYTES,
    LINE_BYTES = 64, SLOTS_BITS_FIRST = 10, AHEAD = 8
};

/* A reference counts units of 16 bytes over all blocks; 0 = none. */
struct slot {
    uint32_t hash32;
    uint32_t ref;
};

/* What is known of a record only while it is in memory, in front of its bytes. */
struct stored {
    uint32_t dirty_at;     /* its place in the dirty list, when it stands there             */
    uint32_t armed_s;
    uint16_t length;
    uint8_t  bytes[];
};
enum { STORED_BYTES = offsetof(struct stored, bytes) };
enum { CLASSES = (STORED_BYTES + RECORD_BYTES_MAX + UNIT_BYTES - 1) / UNIT_BYTES + 1 };

struct table {
    struct slot *slots;
    uint32_t     slots_bits;
    uint64_t     count;
    uint8_t    **blocks;
    uint32_t     blocks_count, blocks_capacity;
    uint32_t     fresh, fresh_end;     /* references of the last block not given yet          */
    uint32_t     free[CLASSES];        /* by units: a list through the records' first bytes   */
    uint32_t    *dirty;
    uint32_t     dirty_count, dirty_capacity;
    size_t       dirty_bytes;
};

/* ── Memory of records ─────── */

static void *at_ref(const struct table *t, uint32_t ref)
{
    return t->blocks[ref / BLOCK_UNITS] + (size_t)(ref % BLOCK_UNITS) * UNIT_BYTES;
}

/* The lines that a live record of a dozen scans takes. */
static void prefetch(const void *record)
{
    for (int line = 0; line < 3; line++)
        __builtin_prefetch((const char *)record + line * LINE_BYTES, 1);
}

static uint32_t units_of(size_t length)
{
    return (uint32_t)((STORED_BYTES + length + UNIT_BYTES - 1) / UNIT_BYTES);
}

static void give(struct table *t, uint32_t ref, uint32_t units)
{
    memcpy(at_ref(t, ref), &t->free[units], sizeof t->free[units]);
    t->free[units] = ref;
}

static void add_block(struct table *t)
{
    if (t->fresh < t->fresh_end) /* the end of the last block fits some smaller record */
        give(t, t->fresh, t->fresh_end - t->fresh);
    if (t->blocks_count == t->blocks_capacity) {
        t->blocks_capacity = t->blocks_capacity == 0 ? 16 : t->blocks_capacity * 2;
        t->blocks = realloc(t->blocks, t->blocks_capacity * sizeof *t->blocks);
        CHECK(t->blocks != NULL);
    }
    CHECK(t->blocks_count < UINT32_MAX / BLOCK_UNITS);
    uint8_t *block = aligned_alloc(LINE_BYTES, BLOCK_BYTES);

    CHECK(block != NULL);
    t->fresh = t->blocks_count * BLOCK_UNITS + (t->blocks_count == 0); /* 0 is no reference */
    t->fresh_end = (t->blocks_count + 1) * BLOCK_UNITS;
    t->blocks[t->blocks_count++] = block;
}

static uint32_t take(struct table *t, uint32_t units)
{
    uint32_t ref = t->free[units];

    if (ref != 0) {
        memcpy(&t->free[units], at_ref(t, ref), sizeof t->free[units]);
        return ref;
    }
    if (t->fresh_end - t->fresh < units)
        add_block(t);
    ref = t->fresh;
    t->fresh += units;
    return ref;
}

/* Load at most 0.7: beyond it probes of the linear kind grow long. */
static uint64_t slots_limit(const struct table *t)
{
    return (1ull << t->slots_bits) * 7 / 10;
}

struct table *table_create(uint32_t parcels_expected)
{
    struct table *t = calloc(1, sizeof *t);

    CHECK(t != NULL);
    for (t->slots_bits = SLOTS_BITS_FIRST; slots_limit(t) < parcels_expected;)
        t->slots_bits++;
    t->slots = calloc((size_t)1 << t->slots_bits, sizeof *t->slots);
    CHECK(t->slots != NULL);
    return t;
}

void table_destroy(struct table *t)
{
    if (t == NULL)
        return;
    for (uint32_t i = 0; i < t->blocks_count; i++)
        free(t->blocks[i]);
    free(t->blocks);
    free(t->slots);
    free(t->dirty);
    free(t);
}

/* ── Slots ─────────────────── */

static uint32_t slots_mask(const struct table *t)
{
    return (uint32_t)((1ull << t->slots_bits) - 1);
}

static uint32_t home_of(const struct table *t, uint32_t hash32)
{
    return hash32 >> (32 - t->slots_bits);
}

/* The slot that holds the number, or the empty one where it belongs. */
static struct slot *find_slot(const struct table *t, uint32_t hash32, const char *number,
                              size_t length)
{
    for (uint32_t i = home_of(t, hash32);; i = (i + 1) & slots_mask(t)) {
        struct slot *slot = &t->slots[i];

        if (slot->ref == 0)
            return slot;
        if (slot->hash32 != hash32)
            continue;
        const struct stored *record = at_ref(t, slot->ref);

        if (record_is(record->bytes, number, length))
            return slot;
    }
}

static struct stored *find(const struct table *t, uint64_t hash, const char *number,
                           size_t length)
{
    const struct slot *slot = find_slot(t, table_hash32(hash), number, length);

    return slot->ref == 0 ? NULL : at_ref(t, slot->ref);
}

static void grow(struct table *t)
{
    struct slot *old = t->slots;
    size_t       old_count = (size_t)1 << t->slots_bits;

    CHECK(t->slots_bits < 32);
    t->slots_bits++;
    t->slots = calloc(old_count * 2, sizeof *t->slots);
    CHECK(t->slots != NULL);
    for (size_t i = 0; i < old_count; i++) {
        uint32_t at = home_of(t, old[i].hash32);

        if (old[i].ref == 0)
            continue;
        while (t->slots[at].ref != 0)
            at = (at + 1) & slots_mask(t);
        t->slots[at] = old[i];
    }
    free(old);
}

/* Empties a slot and closes the gap: whoever follows and may live nearer home moves up. */
static void close_slot(struct table *t, struct slot *slot)
{
    const uint32_t mask = slots_mask(t);
    uint32_t       gap = (uint32_t)(slot - t->slots);

    for (uint32_t i = (gap + 1) & mask; t->slots[i].ref != 0; i = (i + 1) & mask) {
        uint32_t from_home = (i - home_of(t, t->slots[i].hash32)) & mask;

        if (from_home < ((i - gap) & mask))
            continue;
        t->slots[gap] = t->slots[i];
        gap = i;
    }
    t->slots[gap] = (struct slot) {0, 0};
}

/* ── Dirty records ─────────── */

static bool is_dirty(const struct table *t, const struct stored *record, uint32_t ref)
{
    return record->dirty_at < t->dirty_count && t->dirty[record->dirty_at] == ref;
}

static void dirty_add(struct table *t, struct stored *record, uint32_t ref)
{
    if (t->dirty_count == t->dirty_capacity) {
        t->dirty_capacity = t->dirty_capacity == 0 ? 1024 : t->dirty_capacity * 2;
        t->dirty = realloc(t->dirty, t->dirty_capacity * sizeof *t->dirty);
        CHECK(t->dirty != NULL);
    }
    record->dirty_at = t->dirty_count;
    t->dirty[t->dirty_count++] = ref;
    t->dirty_bytes += record->length;
}

static void dirty_forget(struct table *t, const struct stored *record)
{
    uint32_t       last = t->dirty[--t->dirty_count];
    struct stored *moved = at_ref(t, last);

    t->dirty_bytes -= record->length;
    t->dirty[record->dirty_at] = last;
    moved->dirty_at = record->dirty_at;
}

/* ── Records ───────────────── */

void table_prefetch_slot(const struct table *t, uint64_t hash)
{
    __builtin_prefetch(&t->slots[home_of(t, table_hash32(hash))]);
}

void table_prefetch_record(const struct table *t, uint64_t hash)
{
    const uint32_t hash32 = table_hash32(hash);

    for (uint32_t i = home_of(t, hash32); t->slots[i].ref != 0; i = (i + 1) & slots_mask(t)) {
        if (t->slots[i].hash32 != hash32)
            continue;
        prefetch(at_ref(t, t->slots[i].ref));
        return;
    }
}

const uint8_t *table_find(const struct table *t, uint64_t hash, const char *number,
                          size_t number_length, size_t *length)
{
    const struct stored *record = find(t, hash, number, number_length);

    if (record == NULL)
        return NULL;
    *length = record->length;
    return record->bytes;
}

static void room_for_one(struct table *t)
{
    if (t->count >= slots_limit(t))
        grow(t);
}

/* A record for an empty slot: length bytes, clean, not armed. */
static struct stored *insert(struct table *t, struct slot *slot, uint32_t hash32, size_t length)
{
    *slot = (struct slot) {hash32, take(t, units_of(length))};
    struct stored *record = at_ref(t, slot->ref);

    record->dirty_at = UINT32_MAX;
    record->armed_s = 0;
    record->length = (uint16_t)length;
    t->count++;
    return record;
}

/* The same record, with room for another length; its bytes are lost when it moves. */
static struct stored *resize(struct table *t, struct slot *slot, size_t length)
{
    struct stored *record = at_ref(t, slot->ref);
    bool           dirty = is_dirty(t, record, slot->ref);
    uint32_t       units_before = units_of(record->length), units = units_of(length);

    if (dirty)
        t->dirty_bytes += length - record->length;
    if (units != units_before) {
        const struct stored before = *record;
        uint32_t            from = slot->ref;

        slot->ref = take(t, units);
        record = at_ref(t, slot->ref);
        *record = before;
        if (dirty)
            t->dirty[record->dirty_at] = slot->ref;
        give(t, from, units_before);
    }
    record->length = (uint16_t)length;
    return record;
}

uint32_t *table_put(struct table *t, uint64_t hash, const struct parcel *p, bool dirty)
{
    size_t length = record_size(p);

    CHECK(length <= RECORD_BYTES_MAX);
    room_for_one(t);
    struct slot   *slot = find_slot(t, table_hash32(hash), p->number, p->number_length);
    struct stored *record = slot->ref == 0 ? insert(t, slot, table_hash32(hash), length)
                                           : resize(t, slot, length);

    record_pack(p, record->bytes);
    if (dirty && !is_dirty(t, record, slot->ref))
        dirty_add(t, record, slot->ref);
    return &record->armed_s;
}

uint32_t *table_restore(struct table *t, uint64_t hash, const struct parcel *p,
                        const uint8_t *bytes, size_t length)
{
    CHECK(length <= RECORD_BYTES_MAX);
    room_for_one(t);
    struct slot   *slot = find_slot(t, table_hash32(hash), p->number, p->number_length);
    struct stored *record = slot->ref != 0 ? at_ref(t, slot->ref) : NULL;

    if (record == NULL) {
        record = insert(t, slot, table_hash32(hash), length);
        memcpy(record->bytes, bytes, length);
    }
    return &record->armed_s;
}

void table_remove(struct table *t, uint64_t hash, const char *number, size_t number_length)
{
    struct slot *slot = find_slot(t, table_hash32(hash), number, number_length);

    if (slot->ref == 0)
        return;
    struct stored *record = at_ref(t, slot->ref);

    if (is_dirty(t, record, slot->ref))
        dirty_forget(t, record);
    give(t, slot->ref, units_of(record->length));
    close_slot(t, slot);
    t->count--;
}

uint64_t table_count(const struct table *t)
{
    return t->count;
}

size_t table_bytes(const struct table *t)
{
    return sizeof *t + (sizeof *t->slots << t->slots_bits)
         + t->blocks_capacity * sizeof *t->blocks + (size_t)t->blocks_count * BLOCK_BYTES
         + t->dirty_capacity * sizeof *t->dirty;
}

uint32_t table_dirty_count(const struct table *t)
{
    return t->dirty_count;
}

size_t table_dirty_bytes(const struct table *t)
{
    return t->dirty_bytes;
}

void table_dirty_each(struct table *t, void (*each)(void *self, const uint8_t *bytes,
                      size_t length), void *self)
{
    for (uint32_t i = 0; i < t->dirty_count; i++) {
        if (i + AHEAD < t->dirty_count)
            prefetch(at_ref(t, t->dirty[i + AHEAD]));
        const struct stored *record = at_ref(t, t->dirty[i]);

        each(self, record->bytes, record->length);
    }
}

void table_clean(struct table *t)
{
    t->dirty_count = 0;
    t->dirty_bytes = 0;
}

void table_arm(struct table *t, uint64_t hash, const char *number, size_t length, uint32_t at_s)
{
    struct stored *record = find(t, hash, number, length);

    CHECK(record != NULL);
    record->armed_s = at_s;
}

void table_each_hash(struct table *t, uint32_t hash32, void (*each)(void *self,
                     const uint8_t *bytes, size_t length, uint32_t armed_s), void *self)
{
    for (uint32_t i = home_of(t, hash32); t->slots[i].ref != 0; i = (i + 1) & slots_mask(t)) {
        if (t->slots[i].hash32 != hash32)
            continue;
        const struct stored *record = at_ref(t, t->slots[i].ref);

        each(self, record->bytes, record->length, record->armed_s);
    }
}

void table_each(struct table *t, void (*each)(void *self, const uint8_t *bytes, size_t length),
                void *self)
{
    const size_t count = (size_t)1 << t->slots_bits;

    for (size_t i = 0; i < count; i++) {
        if (i + 2 * AHEAD < count && t->slots[i + 2 * AHEAD].ref != 0)
            prefetch(at_ref(t, t->slots[i + 2 * AHEAD].ref));
        if (t->slots[i].ref == 0)
            continue;
        const struct stored *record = at_ref(t, t->slots[i].ref);

        each(self, record->bytes, record->length);
    }
}
