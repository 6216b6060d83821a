/* store.h - the data of the model of Redis: strings and hashes, and the snapshot of them that a
 * fail-over goes back to.
 *
 * A value is written once and shared by data and snapshot, so that taking a snapshot, and going
 * back to it, costs what has changed since the last one.  thread: the simulator's one.
 */
#ifndef TESTS_SIM_STORE_H
#define TESTS_SIM_STORE_H

#include "tests/sim/sim.h"

enum { KEYS_MAX = 128, BINS = 4096 };

/* A field of a hash, or "" of a string.  It stays when its value goes. */
struct field {
    struct field *next;            /* in its bin                                             */
    struct field *sibling;         /* of its key                                             */
    struct field *changed_next;    /* its value may be another than the snapshot's             */
    struct key   *key;
    struct value *now, *then;      /* in the data, in the snapshot; NULL = not there          */
    uint64_t      hash;
    uint32_t      length;
    bool          changed;
    char          name[];          /* NUL-terminated                                         */
};

struct key {
    char          name[96];
    size_t        length;
    uint64_t      hash;
    bool          is_mark;
    uint32_t      version;         /* of the last SET: what WATCH compares                    */
    struct field *fields;
    char          found[MARK_TEXT_MAX];   /* marks: what a fresh claim found there, and whose    */
    uint32_t      found_writer;
};

struct store {
    struct key    keys[KEYS_MAX];
    uint32_t      keys_count;
    uint8_t       places[2 * KEYS_MAX];   /* by hash: 1 + its place among the keys            */
    struct field *bins[BINS];
    struct field *changed;
    bool          has_snapshot;
    uint64_t      serial;                 /* of the last value written                       */
};

/* The key of this name, made if there is none.  owns: the store. */
struct key *store_key(struct store *, const char *name, size_t length);

/* The value of a field, "" of a string; NULL = not there.  Valid until it is written. */
const struct value *store_get(const struct store *, const struct key *, const char *field,
                              size_t field_length);
/* Where the value of a field stands, now and from now on. */
struct value *const *store_slot(struct store *, struct key *, const char *field,
                                size_t field_length);
void store_set(struct store *, struct key *, const char *field, size_t field_length,
               const char *bytes, size_t length, uint32_t writer);
bool store_drop(struct store *, struct key *, const char *field, size_t field_length);
/* Each field with its value, in no order; how many there were. */
uint32_t store_each(const struct key *,
                    void (*each)(void *self, const char *field, size_t field_length,
                                 const char *value, size_t length), void *self);
bool store_drop_key(struct store *, struct key *);   /* false = there was nothing */
void store_clear(struct store *);

void store_snapshot(struct store *);
bool store_restore(struct store *);                  /* false = there is no snapshot */
void store_free(struct store *);                     /* all it holds */

#endif
