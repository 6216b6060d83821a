/* names.h - a partition's dictionary: short texts ↔ 20-bit numbers.
 *
 * Facilities, carriers and reasons are stored in records as numbers of this
 * dictionary; services have 8-bit numbers of their own.  Numbers are given in
 * the order of first sight and never change; the dictionary is written with the
 * checkpoint that holds the first record using them.
 *
 * Places are as many as there are; reasons are free text, and without an end.  So a text that
 * a reason brought first gets its number from a share at the upper end, and however many of
 * them come, no place is refused.
 */
#ifndef STAGES_PARCEL_NAMES_H
#define STAGES_PARCEL_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint32_t name_id;   /* 20 bits; 0 = none */

enum { NAME_NONE = 0, NAMES_MAX = (1 << 20) - 1, SERVICES_MAX = 255, NAME_LENGTH_MAX = 32,
       REASONS_MAX = 1 << 16, REASONS_FIRST = NAMES_MAX - REASONS_MAX + 1 };
/* A reason is looked up and read as a place: one dictionary holds both. */
enum name_kind { NAME_PLACE, NAME_SERVICE, NAME_REASON, NAME_KINDS };

struct names;

/* An empty dictionary.  owns: the caller.  thread: the partition's worker. */
struct names *names_create(void);
void          names_destroy(struct names *);

/* The text's number, given now if it is new.  NAME_NONE for the empty text, and when the
 * kind's numbers are used up or the text is too long (names_refused counts those).
 * thread: the partition's worker. */
name_id names_intern(struct names *, enum name_kind, const char *text, size_t length);

/* NAME_NONE when it was never seen. */
name_id names_find(const struct names *, enum name_kind, const char *text, size_t length);

/* NUL-terminated, valid as long as the dictionary; "" for NAME_NONE and unknown ids. */
const char *names_text(const struct names *, enum name_kind, name_id);

/* What a text is in any partition, by hashes: of all of it, and of what its beginning says of a
 * place, as codes of places begin with what is larger.  Region: up to the first - . or _, else
 * three characters.  Area: what is left without the last three characters (post codes; city
 * and depot), but at least three.  Of a billion pairs, one is taken for the same.
 * Zeros for NAME_NONE and unknown ids; valid as long as the dictionary. */
struct name_codes {
    uint32_t self, region, area;
};
const struct name_codes *names_codes(const struct names *, enum name_kind, name_id);

name_id  names_last(const struct names *, enum name_kind);   /* highest id given */
uint64_t names_refused(const struct names *);

/* Puts back what a checkpoint wrote, in any order: this text has this id, and is clean; a
 * reason as a place.  0; -1 with the error trail: contradicts what is known. */
int names_restore(struct names *, enum name_kind, name_id, const char *text, size_t length);

/* Ids given since the last names_clean: [first, last]. */
name_id names_dirty_first(const struct names *, enum name_kind);
void    names_clean(struct names *);

#endif
