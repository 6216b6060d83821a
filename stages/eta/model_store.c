/* model_store.c - cells as bytes: what a checkpoint writes and a restart reads.
 *
 *   r3.KEY, d2.KEY, l5.KEY   a cell of REMAINING, DWELL or LEG: its level, its key in hex; format,
 *                    seconds per decay step, second last touched, notes, histogram
 *   f.SERVICE        what P90s of a service are multiplied by, by code
 *   m                quarter of a day of the last pruning, second of the first lesson
 *
 * Formats 1 and 2 of a cell had keys of other levels, in fields r.N.N.N.N.N: they say nothing
 * here, and go.
 */
#include "stages/eta/model_store.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/check.h"
#include "pipeline/error.h"
#include "stages/eta/cells.h"

enum {
    CELL_FORMAT = 3,
    NOTES_BYTES = NOTES * 2,
    HEAD_BYTES = 1 + 4 + 4 + NOTES_BYTES, /* format, step_s, touched_s, notes */
    OLD_FIELD_MAX = 40
};
_Static_assert((int)HEAD_BYTES + (int)HISTOGRAM_BYTES_MAX <= (int)MODEL_CELL_BYTES_MAX, "");

/* ── Names ───────────────────────────────────────────────────────────────────────────── */

size_t cell_field(uint64_t key, char field[MODEL_FIELD_MAX])
{
    static const char digits[] = "0123456789abcdef";
    size_t length = 0;

    field[length++] = "rdl"[key_family(key)];
    field[length++] = digits[key_level(key)];
    field[length++] = '.';
    for (int shift = 60; shift >= 0; shift -= 4)
        field[length++] = digits[key >> shift & 15];
    return length;
}

/* The key a field names; 0 = none does. */
static uint64_t field_key(const char *field, size_t length)
{
    char     again[MODEL_FIELD_MAX], text[MODEL_FIELD_MAX];
    uint64_t key = 0;

    if (length < 4 || length >= sizeof text)
        return 0;
    memcpy(text, field, length);
    text[length] = '\0';
    if (sscanf(text + 3, "%" SCNx64, &key) != 1 || key_level(key) >= MODEL_LEVELS
        || (uint32_t)key_family(key) >= FAMILIES)
        return 0;
    return cell_field(key, again) == length && memcmp(field, again, length) == 0 ? key : 0;
}

/* f.SERVICE; -1 = not that. */
static int field_service(const char *field, size_t length)
{
    int service = 0;

    if (length < 3 || length > 5 || memcmp(field, "f.", 2) != 0)
        return -1;
    for (size_t i = 2; i < length; i++) {
        if (!isdigit((unsigned char)field[i]))
            return -1;
        service = service * 10 + field[i] - '0';
    }
    return service <= SERVICES_MAX ? service : -1;
}

/* Of a format before: r.N.N.N.N.N, d.N.N.N.N.N, whatever the bytes are. */
static bool field_is_old(const char *field, size_t length)
{
    return length >= 11 && length < OLD_FIELD_MAX && (field[0] == 'r' || field[0] == 'd')
        && field[1] == '.';
}

/* ── Stored ──────────────────────────────────────────────────────────────────────────── */

static size_t cell_pack(const struct model *m, const struct cell *c, uint8_t *bytes)
{
    bytes[0] = CELL_FORMAT;
    memcpy(bytes + 1, &m->step_s, 4);
    memcpy(bytes + 5, &c->touched_s, 4);
    memcpy(bytes + 9, c->h.places + HISTOGRAM_NOTES, NOTES_BYTES);
    return HEAD_BYTES + histogram_pack(&c->h, bytes + HEAD_BYTES);
}

static uint32_t bits_in(const uint64_t *words, uint32_t count)
{
    uint32_t bits = 0;

    for (uint32_t word = 0; word < count; word++)
        bits += (uint32_t)__builtin_popcountll(words[word]);
    return bits;
}

struct model_changes model_changes(const struct model *m)
{
    return (struct model_changes) {
        .gone = m->gone_count + m->old_count,
        .set = m->times_dirty + bits_in(m->dirty, (m->count + 63) / 64)
             + bits_in(m->factors_dirty, 4)};
}

void model_dirty_each(struct model *m, void (*each)(void *self, const char *field,
                      size_t field_length, const uint8_t *bytes, size_t length), void *self)
{
    uint8_t  bytes[MODEL_CELL_BYTES_MAX];
    char     field[MODEL_FIELD_MAX];
    uint32_t times[2] = {m->pruned, m->born_s};

    CHECK_MAGIC(m, MODEL_MAGIC);
    for (uint32_t i = 0; i < m->gone_count; i++)
        each(self, field, cell_field(m->gone[i], field), NULL, 0);
    for (uint32_t i = 0; i < m->old_count; i++)
        each(self, m->old[i], strlen(m->old[i]), NULL, 0);
    for (uint32_t word = 0; word < (m->count + 63) / 64; word++)
        for (uint64_t left = m->dirty[word]; left != 0; left &= left - 1) {
            const struct cell *c = &m->cells[word * 64 + (uint32_t)__builtin_ctzll(left)];

            each(self, field, cell_field(c->key, field), bytes, cell_pack(m, c, bytes));
        }
    for (int service = 0; service <= SERVICES_MAX; service++)
        if (m->factors_dirty[service / 64] >> service % 64 & 1)
            each(self, field, (size_t)snprintf(field, sizeof field, "f.%d", service),
                 (const uint8_t *)m->factors[service], sizeof m->factors[service]);
    if (m->times_dirty)
        each(self, "m", 1, (const uint8_t *)times, sizeof times);
}

void model_clean(struct model *m)
{
    memset(m->dirty, 0, (m->count + 63) / 64 * sizeof *m->dirty);
    memset(m->factors_dirty, 0, sizeof m->factors_dirty);
    for (uint32_t i = 0; i < m->old_count; i++)
        free(m->old[i]);
    m->gone_count = m->old_count = 0;
    m->times_dirty = false;
}

void model_mark_all(struct model *m)
{
    for (uint32_t i = 0; i < m->count; i++)
        cell_mark(m, i);
    m->times_dirty = true;
}

void model_export(const struct model *m, uint32_t now_s, void (*each)(void *self,
                  const char *field, size_t field_length, const uint8_t *bytes, size_t length),
                  void *self)
{
    uint8_t        bytes[MODEL_CELL_BYTES_MAX];
    char           field[MODEL_FIELD_MAX];
    const uint32_t times[2] = {0, 1}; /* never pruned, and it has learned for ever */
    struct moment  now = moment_of(m, now_s);

    CHECK_MAGIC(m, MODEL_MAGIC);
    for (uint32_t i = 0; i < m->count; i++) {
        struct cell c = m->cells[i];

        if (c.touched_s == 0 && histogram_total(&c.h) == 0)
            continue; /* a family of which nothing was learned */
        histogram_halve(&c.h, eras_since(&c, now));
        histogram_multiply(&c.h, (double)UNIT / now.weight);
        c.touched_s = 0; /* whenever it is read */
        each(self, field, cell_field(c.key, field), bytes, cell_pack(m, &c, bytes));
    }
    each(self, "m", 1, (const uint8_t *)times, sizeof times);
}

/* ── Restored ────────────────────────────────────────────────────────────────────────── */

/* Weights that were counted with another half-life: as much worth when last touched. */
static void cell_convert(struct model *m, uint32_t cell, uint32_t step_s)
{
    struct cell *c = &m->cells[cell];
    uint32_t     then = m->weights[c->touched_s / step_s % STEPS];

    histogram_multiply(&c->h, (double)moment_of(m, c->touched_s).weight / then);
    cell_mark(m, cell);
}

/* Deleted with the next checkpoint. */
static void old_add(struct model *m, const char *field, size_t length)
{
    m->old = realloc(m->old, (m->old_count + 1) * sizeof *m->old);
    CHECK(m->old != NULL);
    m->old[m->old_count] = strndup(field, length);
    CHECK(m->old[m->old_count] != NULL);
    m->old_count++;
}

static int cell_unpack(struct cell *c, uint32_t *step_s, const uint8_t *bytes, size_t length)
{
    if (length < HEAD_BYTES || bytes[0] != CELL_FORMAT)
        return error_set("its format is unknown");
    memcpy(step_s, bytes + 1, 4);
    memcpy(&c->touched_s, bytes + 5, 4);
    if (*step_s == 0)
        return error_set("its half-life is 0");
    if (histogram_unpack(&c->h, bytes + HEAD_BYTES, length - HEAD_BYTES) != 0)
        return -1;
    memcpy(c->h.places + HISTOGRAM_NOTES, bytes + 9, NOTES_BYTES);
    return 0;
}

static int times_restore(struct model *m, const uint8_t *bytes, size_t length)
{
    if (length == sizeof m->pruned)
        return 0; /* of a format before */
    if (length != sizeof m->pruned + sizeof m->born_s)
        return error_set("model: field m has %zu bytes", length);
    memcpy(&m->pruned, bytes, sizeof m->pruned);
    memcpy(&m->born_s, bytes + sizeof m->pruned, sizeof m->born_s);
    return 0;
}

static int cell_restore(struct model *m, uint64_t key, const uint8_t *bytes, size_t length)
{
    struct cell c = {.key = key};
    uint32_t    step_s = 0, cell = cell_find(m, key);

    if (cell_unpack(&c, &step_s, bytes, length) != 0)
        return -1;
    if (cell == CELL_NONE && m->count == CELLS_MAX)
        return error_set("there are more than %d cells", CELLS_MAX);
    if (cell == CELL_NONE && m->count == m->size)
        cells_resize(m, 2 * m->size < CELLS_MAX ? 2 * m->size : CELLS_MAX);
    if (cell == CELL_NONE)
        cell = cell_create(m, key, 0);
    m->cells[cell] = c;
    if (step_s != m->step_s)
        cell_convert(m, cell, step_s);
    return 0;
}

int model_restore(struct model *m, const char *field, size_t field_length, const uint8_t *bytes,
                  size_t length)
{
    int service = field_service(field, field_length);

    CHECK_MAGIC(m, MODEL_MAGIC);
    if (field_length == 1 && field[0] == 'm')
        return times_restore(m, bytes, length);
    if (service >= 0 && length == sizeof m->factors[service]) {
        memcpy(m->factors[service], bytes, length);
        return 0;
    }
    if (field_is_old(field, field_length)) {
        old_add(m, field, field_length);
        return 0;
    }
    uint64_t key = field_key(field, field_length);

    if (key == 0)
        return error_set("model: no cell is called \"%.*s\"", (int)field_length, field);
    return cell_restore(m, key, bytes, length) == 0
               ? 0 : error_add("model: cell %.*s", (int)field_length, field);
}
