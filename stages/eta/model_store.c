/* model_store.c - cells as bytes: what a checkpoint writes and a restart reads.
 *
 * Format 2 of a cell: format, seconds per decay step, second last touched, histogram
 * (histogram_pack).  Format 1, of the binaries before, had floats whose eras were 16
 * half-lives: read, and written anew when next learned.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/check.h"
#include "pipeline/error.h"
#include "stages/eta/cells.h"

enum {
    CELL_FORMAT = 2, CELL_FORMAT_FLOATS = 1,
    HEAD_BYTES = 1 + 4 + 4, /* format, step_s, touched_s */
    FLOATS_ERAS = 16,
    FIELD_MAX = 40
};
_Static_assert((int)HEAD_BYTES + (int)HISTOGRAM_BYTES_MAX <= (int)MODEL_CELL_BYTES_MAX, "");

/* ── Names ───────────────────────────────────────────────────────────────────────────── */

static char *part_print(char *at, uint64_t number)
{
    char digits[20];
    int  count = 0;

    do
        digits[count++] = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    *at++ = '.';
    while (count > 0)
        *at++ = digits[--count];
    return at;
}

/* LETTER.LEVEL.SERVICE.CODE.DEST.PLACE, not terminated. */
static size_t field_print(uint64_t key, char field[FIELD_MAX])
{
    char *at = field;

    *at++ = key >> 58 & 1 ? 'd' : 'r';
    at = part_print(at, key >> 56 & 3);
    at = part_print(at, key >> 48 & 255);
    at = part_print(at, key >> 40 & 255);
    at = part_print(at, key >> 20 & NAMES_MAX);
    at = part_print(at, key & NAMES_MAX);
    return (size_t)(at - field);
}

/* The key a field names; 0 = none does. */
static uint64_t field_key(const char *field, size_t length)
{
    char     text[FIELD_MAX], again[FIELD_MAX], letter = 0;
    uint32_t level = 0, service = 0, code = 0, dest = 0, place = 0;
    uint64_t keys[MODEL_LEVELS];

    if (length >= sizeof text)
        return 0;
    memcpy(text, field, length);
    text[length] = '\0';
    if (sscanf(text, "%c.%1" SCNu32 ".%3" SCNu32 ".%3" SCNu32 ".%7" SCNu32 ".%7" SCNu32, &letter,
               &level, &service, &code, &dest, &place) != 6
        || level >= MODEL_LEVELS || service > 255 || code > 255 || dest > NAMES_MAX
        || place > NAMES_MAX)
        return 0;
    keys_of(letter == 'd' ? MODEL_DWELL : MODEL_REMAINING,
            (struct model_key) {(uint8_t)service, (uint8_t)code, dest, place}, keys);
    return field_print(keys[level], again) == length && memcmp(text, again, length) == 0
         ? keys[level] : 0;
}

/* ── Stored ──────────────────────────────────────────────────────────────────────────── */

static size_t cell_pack(const struct model *m, const struct cell *c, uint8_t *bytes)
{
    bytes[0] = CELL_FORMAT;
    memcpy(bytes + 1, &m->step_s, 4);
    memcpy(bytes + 5, &c->touched_s, 4);
    return HEAD_BYTES + histogram_pack(&c->h, bytes + HEAD_BYTES);
}

struct model_changes model_changes(const struct model *m)
{
    struct model_changes changes = {.gone = m->gone_count, .set = m->pruned_dirty};

    for (uint32_t word = 0; word < (m->count + 63) / 64; word++)
        changes.set += (uint32_t)__builtin_popcountll(m->dirty[word]);
    return changes;
}

void model_dirty_each(struct model *m, void (*each)(void *self, const char *field,
                      size_t field_length, const uint8_t *bytes, size_t length), void *self)
{
    uint8_t bytes[MODEL_CELL_BYTES_MAX];
    char    field[FIELD_MAX];

    CHECK_MAGIC(m, MODEL_MAGIC);
    for (uint32_t i = 0; i < m->gone_count; i++)
        each(self, field, field_print(m->gone[i], field), NULL, 0);
    for (uint32_t word = 0; word < (m->count + 63) / 64; word++)
        for (uint64_t left = m->dirty[word]; left != 0; left &= left - 1) {
            const struct cell *c = &m->cells[word * 64 + (uint32_t)__builtin_ctzll(left)];

            each(self, field, field_print(c->key, field), bytes, cell_pack(m, c, bytes));
        }
    if (m->pruned_dirty)
        each(self, "m", 1, (const uint8_t *)&m->pruned_hour, sizeof m->pruned_hour);
}

void model_clean(struct model *m)
{
    memset(m->dirty, 0, (m->count + 63) / 64 * sizeof *m->dirty);
    m->gone_count = 0;
    m->pruned_dirty = false;
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

/* Do they fit 16 bits each, and their sum its place, in units of 2^scale? */
static bool fits(double most, double total, uint32_t scale)
{
    return ldexp(most, -(int)scale) <= COUNT_MAX
        && ldexp(total, -(int)scale) <= TOTAL_MAX - BUCKETS;
}

/* A histogram of floats: total, bitmap, counts.  At the second it was touched the weight of a
 * sample was 2^eras times as much as in our units, but for UNIT. */
static int floats_unpack(struct histogram *h, const uint8_t *bytes, size_t length, uint32_t eras)
{
    const uint8_t *bitmap = bytes + 4;
    double         counts[BUCKETS] = {0}, total = 0, most = 0;
    size_t         at = 4 + BITMAP_BYTES;

    for (uint32_t i = 0; i < BUCKETS && at + 4 <= length; i++) {
        float count = 0;

        if (!(bitmap[i / 8] >> i % 8 & 1))
            continue;
        memcpy(&count, bytes + at, sizeof count);
        at += sizeof count;
        if (!isfinite(count) || count < 0)
            return error_set("a weight is %g", (double)count);
        counts[i] = ldexp((double)count, -(int)eras) * UNIT;
        total += counts[i];
        most = counts[i] > most ? counts[i] : most;
    }
    if (at != length)
        return error_set("a histogram's bitmap and length contradict each other");
    uint32_t scale = 0;

    while (scale < SCALE_MAX && !fits(most, total, scale))
        scale++;
    if (!fits(most, total, scale))
        return error_set("weights of %g in all are too many", total / UNIT);
    memset(h, 0, sizeof *h);
    for (uint32_t i = 0; i < BUCKETS; i++)
        h->counts[i] = (uint16_t)(ldexp(counts[i], -(int)scale) + 0.5);
    h->head = scale << ROWS;
    histogram_multiply(h, 1);
    return 0;
}

static int cell_unpack(struct cell *c, uint32_t *step_s, const uint8_t *bytes, size_t length)
{
    if (length < HEAD_BYTES || (bytes[0] != CELL_FORMAT && bytes[0] != CELL_FORMAT_FLOATS))
        return error_set("its format is unknown");
    memcpy(step_s, bytes + 1, 4);
    memcpy(&c->touched_s, bytes + 5, 4);
    if (*step_s == 0)
        return error_set("its half-life is 0");
    if (bytes[0] == CELL_FORMAT)
        return histogram_unpack(&c->h, bytes + HEAD_BYTES, length - HEAD_BYTES);
    return floats_unpack(&c->h, bytes + HEAD_BYTES, length - HEAD_BYTES,
                         c->touched_s / *step_s / STEPS % FLOATS_ERAS);
}

int model_restore(struct model *m, const char *field, size_t field_length, const uint8_t *bytes,
                  size_t length)
{
    struct cell c;
    uint32_t    step_s = 0;

    CHECK_MAGIC(m, MODEL_MAGIC);
    if (field_length == 1 && field[0] == 'm' && length == sizeof m->pruned_hour) {
        memcpy(&m->pruned_hour, bytes, length);
        return 0;
    }
    c.key = field_key(field, field_length);
    if (c.key == 0)
        return error_set("model: no cell is called \"%.*s\"", (int)field_length, field);
    if (cell_unpack(&c, &step_s, bytes, length) != 0)
        return error_add("model: cell %.*s", (int)field_length, field);
    uint32_t cell = cell_find(m, c.key);

    if (cell == CELL_NONE && m->count == CELLS_MAX)
        return error_set("model: there are more than %d cells", CELLS_MAX);
    if (cell == CELL_NONE && m->count == m->size)
        cells_resize(m, 2 * m->size < CELLS_MAX ? 2 * m->size : CELLS_MAX);
    if (cell == CELL_NONE)
        cell = cell_create(m, c.key, 0);
    m->cells[cell] = c;
    if (step_s != m->step_s)
        cell_convert(m, cell, step_s);
    return 0;
}
