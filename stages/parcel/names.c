/* names.c - two dictionaries of one shape: open addressing over texts in blocks.
 *
 * Why texts of one size: the id is the place, so a slot, a text and an id need no further
 * index, and ids may be put back in any order.  A known text of up to eight bytes costs its
 * hash and one slot; a longer one a line of memory more.
 */
#include "stages/parcel/names.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline/check.h"
#include "pipeline/error.h"
#include "stages/scan/word.h"

enum { DICTIONARIES = 2, BLOCK_NAMES = 1024, BLOCKS_MAX = (NAMES_MAX + 1) / BLOCK_NAMES };
enum { SLOTS_FIRST = 256, AREA_LENGTH = 3 };

struct name {
    struct name_codes codes;
    uint8_t  length;                    /* 0: this id was never given */
    char     text[NAME_LENGTH_MAX + 1];
};

struct slot {
    uint64_t word;                      /* the text's first eight bytes: all of a short one */
    uint32_t hash32;
    name_id  id;                        /* NAME_NONE: empty */
};

struct dictionary {
    struct slot *slots;
    uint32_t     slots_mask;
    uint32_t     texts;                 /* texts known */
    struct name *blocks[BLOCKS_MAX];
};

/* The numbers of one kind: [first, max], given up to highest. */
struct numbers {
    name_id first, max, highest, dirty_first;
};

struct names {
    struct dictionary dictionaries[DICTIONARIES];   /* of places and reasons; of services */
    struct numbers    numbers[NAME_KINDS];
    uint64_t          refused;
};

static const struct numbers numbers_at_first[NAME_KINDS] = {
    [NAME_PLACE]   = {1, REASONS_FIRST - 1, 0, 1},
    [NAME_SERVICE] = {1, SERVICES_MAX, 0, 1},
    [NAME_REASON]  = {REASONS_FIRST, NAMES_MAX, REASONS_FIRST - 1, REASONS_FIRST},
};

static void *zeroed(size_t count, size_t bytes)
{
    void *memory = calloc(count, bytes);

    CHECK(memory != NULL);
    return memory;
}

struct names *names_create(void)
{
    struct names *names = zeroed(1, sizeof *names);

    for (int i = 0; i < DICTIONARIES; i++) {
        struct dictionary *d = &names->dictionaries[i];

        d->slots = zeroed(SLOTS_FIRST, sizeof *d->slots);
        d->slots_mask = SLOTS_FIRST - 1;
    }
    memcpy(names->numbers, numbers_at_first, sizeof names->numbers);
    return names;
}

void names_destroy(struct names *names)
{
    if (names == NULL)
        return;
    for (int i = 0; i < DICTIONARIES; i++) {
        for (int block = 0; block < BLOCKS_MAX; block++)
            free(names->dictionaries[i].blocks[block]);
        free(names->dictionaries[i].slots);
    }
    free(names);
}

/* Eight bytes at a time, the last eight whole: a scan brings seven names, most of one step. */
static inline uint32_t hash_of(uint64_t word, const char *text, size_t length)
{
    const uint64_t spread = 0x9E3779B97F4A7C15u;

    word = word * spread + length;
    for (size_t at = 8; at < length; at += 8)
        word = (word ^ word >> 29 ^ word_of(text + (at + 8 < length ? at : length - 8), 8))
             * spread;
    return (uint32_t)(word >> 32);
}

static const struct dictionary *dictionary_of(const struct names *names, enum name_kind kind)
{
    return &names->dictionaries[kind == NAME_SERVICE];
}

static struct name *name_at(const struct dictionary *d, name_id id)
{
    return &d->blocks[id / BLOCK_NAMES][id % BLOCK_NAMES];
}

/* NULL: no text has this id. */
static const struct name *known_at(const struct dictionary *d, name_id id)
{
    if (id > NAMES_MAX || d->blocks[id / BLOCK_NAMES] == NULL || name_at(d, id)->length == 0)
        return NULL;
    return name_at(d, id);
}

static uint32_t code_of(const char *text, size_t length)
{
    uint32_t code = hash_of(word_of(text, length), text, length);

    return code != 0 ? code : 1;
}

static struct name_codes codes_of(const char *text, size_t length)
{
    size_t least = length < AREA_LENGTH ? length : (size_t)AREA_LENGTH, region = 0;

    while (region < length && text[region] != '-' && text[region] != '.' && text[region] != '_')
        region++;
    return (struct name_codes) {
        .self = code_of(text, length),
        .region = code_of(text, region > 0 && region < length ? region : least),
        .area = code_of(text, length > 2 * AREA_LENGTH ? length - AREA_LENGTH : least),
    };
}

static bool is_text(const struct name *name, const char *text, size_t length)
{
    return name->length == length && memcmp(name->text, text, length) == 0;
}

/* The slot that holds the text, or the empty one where it belongs. */
static struct slot *find_slot(const struct dictionary *d, const char *text, size_t length)
{
    const uint64_t word = word_of(text, length);
    const uint32_t hash32 = hash_of(word, text, length);

    for (uint32_t i = hash32 & d->slots_mask;; i = (i + 1) & d->slots_mask) {
        struct slot *slot = &d->slots[i];

        if (slot->id == NAME_NONE
            || (slot->word == word && slot->hash32 == hash32
                && (length <= sizeof word || is_text(name_at(d, slot->id), text, length))))
            return slot;
    }
}

static void grow(struct dictionary *d)
{
    struct slot *old = d->slots;
    uint32_t     old_count = d->slots_mask + 1;

    d->slots = zeroed((size_t)old_count * 2, sizeof *d->slots);
    d->slots_mask = old_count * 2 - 1;
    for (uint32_t i = 0; i < old_count; i++) {
        if (old[i].id == NAME_NONE)
            continue;
        uint32_t at = old[i].hash32 & d->slots_mask;

        while (d->slots[at].id != NAME_NONE)
            at = (at + 1) & d->slots_mask;
        d->slots[at] = old[i];
    }
    free(old);
}

/* The text, not yet known, gets this id, not yet given. */
static void add(struct names *names, enum name_kind kind, name_id id, const char *text,
                size_t length)
{
    struct dictionary *d = &names->dictionaries[kind == NAME_SERVICE];
    const uint64_t word = word_of(text, length);
    const uint32_t hash32 = hash_of(word, text, length);
    struct name **block = &d->blocks[id / BLOCK_NAMES];

    if (d->texts + 1 > (d->slots_mask + 1) / 2)
        grow(d);
    if (*block == NULL)
        *block = zeroed(BLOCK_NAMES, sizeof **block);
    struct name *name = name_at(d, id);

    name->codes = codes_of(text, length);
    name->length = (uint8_t)length;
    memcpy(name->text, text, length);
    *find_slot(d, text, length) = (struct slot) {.word = word, .hash32 = hash32, .id = id};
    d->texts++;
    if (id > names->numbers[kind].highest)
        names->numbers[kind].highest = id;
}

name_id names_intern(struct names *names, enum name_kind kind, const char *text, size_t length)
{
    struct numbers *numbers = &names->numbers[kind];

    if (length == 0)
        return NAME_NONE;
    if (length > NAME_LENGTH_MAX) {
        names->refused++;
        return NAME_NONE;
    }
    name_id known = find_slot(dictionary_of(names, kind), text, length)->id;

    if (known != NAME_NONE)
        return known;
    if (numbers->highest == numbers->max) {
        names->refused++;
        return NAME_NONE;
    }
    add(names, kind, numbers->highest + 1, text, length);
    return numbers->highest;
}

name_id names_find(const struct names *names, enum name_kind kind, const char *text,
                   size_t length)
{
    if (length == 0 || length > NAME_LENGTH_MAX)
        return NAME_NONE;
    return find_slot(dictionary_of(names, kind), text, length)->id;
}

const char *names_text(const struct names *names, enum name_kind kind, name_id id)
{
    const struct name *name = known_at(dictionary_of(names, kind), id);

    return name != NULL ? name->text : "";
}

const struct name_codes *names_codes(const struct names *names, enum name_kind kind, name_id id)
{
    static const struct name_codes none;
    const struct name *name = known_at(dictionary_of(names, kind), id);

    return name != NULL ? &name->codes : &none;
}

name_id names_last(const struct names *names, enum name_kind kind)
{
    return names->numbers[kind].highest;
}

uint64_t names_refused(const struct names *names)
{
    return names->refused;
}

int names_restore(struct names *names, enum name_kind kind, name_id id, const char *text,
                  size_t length)
{
    const struct dictionary *d = dictionary_of(names, kind);
    name_id id_max = kind == NAME_SERVICE ? (name_id)SERVICES_MAX : (name_id)NAMES_MAX;

    if (id == NAME_NONE || id > id_max || length == 0 || length > NAME_LENGTH_MAX)
        return error_set("name %u of %zu bytes is none of a dictionary of %u", id, length, id_max);
    if (kind == NAME_PLACE && id >= REASONS_FIRST)
        kind = NAME_REASON;
    const char *here = names_text(names, kind, id);
    name_id     known = find_slot(d, text, length)->id;

    if (known == id)
        return 0;
    if (known != NAME_NONE)
        return error_set("name \"%.*s\" is %u already, not %u", (int)length, text, known, id);
    if (*here != '\0')
        return error_set("name %u is \"%s\" already, not \"%.*s\"", id, here, (int)length, text);
    struct numbers *numbers = &names->numbers[kind];
    bool clean = numbers->dirty_first > numbers->highest;

    add(names, kind, id, text, length);
    if (clean)
        numbers->dirty_first = numbers->highest + 1;
    return 0;
}

name_id names_dirty_first(const struct names *names, enum name_kind kind)
{
    return names->numbers[kind].dirty_first;
}

void names_clean(struct names *names)
{
    for (int kind = 0; kind < NAME_KINDS; kind++)
        names->numbers[kind].dirty_first = names->numbers[kind].highest + 1;
}
