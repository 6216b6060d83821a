/* store.c - strings and hashes with a snapshot, as the model of Redis keeps them. */
#include "tests/sim/store.h"

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "pipeline/check.h"

/* ── Values ───────────────────────────────────────────────────────────────── */

static struct value *value_make(struct store *store, const char *bytes, size_t length,
                                uint32_t writer)
{
    struct value *value = malloc(sizeof *value + length + 1);

    CHECK(value != NULL);
    *value = (struct value){.serial = ++store->serial, .holders = 1, .writer = writer,
                            .length = length};
    memcpy(value->bytes, bytes, length);
    value->bytes[length] = '\0';
    return value;
}

static void value_leave(struct value *value)
{
    if (value != NULL && --value->holders == 0)
        free(value);
}

static struct value *value_share(struct value *value)
{
    if (value != NULL)
        value->holders++;
    return value;
}

/* ── Keys and fields ──────────────────────────────────────────────────────── */

struct key *store_key(struct store *store, const char *name, size_t length)
{
    uint64_t hash = XXH3_64bits(name, length);
    uint32_t place = (uint32_t)(hash % (2 * KEYS_MAX));

    for (; store->places[place] != 0; place = (place + 1) % (2 * KEYS_MAX)) {
        struct key *key = &store->keys[store->places[place] - 1];

        if (key->hash == hash && key->length == length && memcmp(key->name, name, length) == 0)
            return key;
    }
    CHECK(store->keys_count < KEYS_MAX && length < sizeof store->keys[0].name);
    struct key *key = &store->keys[store->keys_count++];

    store->places[place] = (uint8_t)store->keys_count;
    *key = (struct key){.hash = hash, .length = length};
    memcpy(key->name, name, length);
    key->is_mark = strstr(key->name, "}:mark") != NULL;
    return key;
}

static uint64_t field_hash(const struct key *key, const char *name, size_t length)
{
    return length > 0 ? XXH3_64bits(name, length) ^ key->hash : key->hash;
}

static struct field *field_find(const struct store *store, uint64_t hash, const struct key *key,
                                const char *name, size_t length)
{
    struct field *field = store->bins[hash % BINS];

    while (field != NULL && (field->hash != hash || field->key != key ||
                             field->length != length || memcmp(field->name, name, length) != 0))
        field = field->next;
    return field;
}

static struct field *field_make(struct store *store, uint64_t hash, struct key *key,
                                const char *name, size_t length)
{
    struct field *field = malloc(sizeof *field + length + 1);

    CHECK(field != NULL);
    *field = (struct field){.next = store->bins[hash % BINS], .sibling = key->fields, .key = key,
                            .hash = hash, .length = (uint32_t)length};
    memcpy(field->name, name, length);
    field->name[length] = '\0';
    return store->bins[hash % BINS] = key->fields = field;
}

static void field_write(struct store *store, struct field *field, struct value *value)
{
    value_leave(field->now);
    field->now = value;
    if (field->changed)
        return;
    field->changed = true;
    field->changed_next = store->changed;
    store->changed = field;
}

const struct value *store_get(const struct store *store, const struct key *key,
                              const char *name, size_t length)
{
    const struct field *field = field_find(store, field_hash(key, name, length), key, name,
                                           length);

    return field != NULL ? field->now : NULL;
}

static struct field *field_of(struct store *store, struct key *key, const char *name,
                              size_t length)
{
    uint64_t      hash = field_hash(key, name, length);
    struct field *field = field_find(store, hash, key, name, length);

    return field != NULL ? field : field_make(store, hash, key, name, length);
}

struct value *const *store_slot(struct store *store, struct key *key, const char *name,
                                size_t length)
{
    return &field_of(store, key, name, length)->now;
}

void store_set(struct store *store, struct key *key, const char *name, size_t name_length,
               const char *bytes, size_t length, uint32_t writer)
{
    field_write(store, field_of(store, key, name, name_length),
                value_make(store, bytes, length, writer));
}

bool store_drop(struct store *store, struct key *key, const char *name, size_t length)
{
    struct field *field = field_find(store, field_hash(key, name, length), key, name, length);

    if (field == NULL || field->now == NULL)
        return false;
    field_write(store, field, NULL);
    return true;
}

uint32_t store_each(const struct key *key,
                    void (*each)(void *, const char *, size_t, const char *, size_t), void *self)
{
    uint32_t count = 0;

    for (const struct field *field = key->fields; field != NULL; field = field->sibling) {
        if (field->now == NULL)
            continue;
        each(self, field->name, field->length, field->now->bytes, field->now->length);
        count++;
    }
    return count;
}

bool store_drop_key(struct store *store, struct key *key)
{
    bool dropped = false;

    for (struct field *field = key->fields; field != NULL; field = field->sibling) {
        if (field->now == NULL)
            continue;
        field_write(store, field, NULL);
        dropped = true;
    }
    return dropped;
}

void store_clear(struct store *store)
{
    for (uint32_t i = 0; i < store->keys_count; i++)
        (void)store_drop_key(store, &store->keys[i]);
}

/* ── The snapshot ─────────────────────────────────────────────────────────── */

void store_snapshot(struct store *store)
{
    for (struct field *field = store->changed; field != NULL; field = field->changed_next) {
        value_leave(field->then);
        field->then = value_share(field->now);
        field->changed = false;
    }
    store->changed = NULL;
    store->has_snapshot = true;
}

bool store_restore(struct store *store)
{
    if (!store->has_snapshot)
        return false;
    for (struct field *field = store->changed; field != NULL; field = field->changed_next) {
        value_leave(field->now);
        field->now = value_share(field->then);
        field->changed = false;
    }
    store->changed = NULL;
    return true;
}

void store_free(struct store *store)
{
    for (uint32_t i = 0; i < store->keys_count; i++)
        for (struct field *field = store->keys[i].fields, *next; field != NULL; field = next) {
            next = field->sibling;
            value_leave(field->now);
            value_leave(field->then);
            free(field);
        }
}
