/* counts.c - one minute's counts: rows in a vector, found by a table of their numbers.
 *
 * Facilities and carriers keep their rows from minute to minute; lanes and couriers are of a
 * minute only, as there is no end to them.
 */
#include "stages/activity/counts.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline/check.h"
#include "pipeline/error.h"

enum { ROWS_MIN = 256, FORMAT = 1, HEAD_BYTES = 2, FIXED_BYTES = 32 };

#define ON(code) (1u << SCAN_##code)
#define EXCEPTIONS (ON(ATTEMPT_FAILED) | ON(DAMAGED) | ON(REFUSED) | ON(BAD_ADDRESS) | ON(LOST) \
                    | ON(DESTROYED) | ON(RETURN_START) | ON(EXPORT_HELD) | ON(IMPORT_HELD))
/* After these a parcel is where they were scanned, until another. */
#define STAYS (ON(ARRIVE) | ON(SORT) | ON(LOAD) | ON(UNLOAD) | ON(LANDED) | ON(EXPORT_IN) \
               | ON(EXPORT_HELD) | ON(EXPORT_OUT) | ON(IMPORT_IN) | ON(IMPORT_HELD) \
               | ON(IMPORT_OUT))

struct counts {
    uint32_t      minute, subjects_max;
    struct tally *rows;
    uint32_t      count, size;
    uint32_t     *slots, slots_mask;  /* number of a row + 1; 0 = free                        */
    uint32_t     *dirty, dirty_count;
    char         *texts;              /* couriers' names of this minute                       */
    uint32_t      texts_used, texts_size;
    uint64_t      refused;
};

/* ── Rows ─────────────────────────────────────────────────────────────────── */

static void *grown(void *area, size_t count, size_t each)
{
    void *more = realloc(area, count * each);

    CHECK(more != NULL);
    return more;
}

struct counts *counts_create(uint32_t subjects_max)
{
    struct counts *c = calloc(1, sizeof *c);

    CHECK(c != NULL && subjects_max > 0);
    c->subjects_max = subjects_max;
    c->size = ROWS_MIN;
    c->rows = grown(NULL, c->size, sizeof *c->rows);
    c->dirty = grown(NULL, c->size, sizeof *c->dirty);
    c->slots = calloc(2 * ROWS_MIN, sizeof *c->slots);
    CHECK(c->slots != NULL);
    c->slots_mask = 2 * ROWS_MIN - 1;
    return c;
}

void counts_destroy(struct counts *c)
{
    if (c == NULL)
        return;
    free(c->rows);
    free(c->dirty);
    free(c->slots);
    free(c->texts);
    free(c);
}

/* Vectors double, and so does the table, which is half empty at least. */
size_t counts_bytes_max(uint32_t subjects_max)
{
    size_t size = ROWS_MIN;

    while (size < subjects_max)
        size *= 2;
    return size * (sizeof(struct tally) + sizeof(uint32_t) + 2 * sizeof(uint32_t) + COURIER_MAX);
}

/* Where a courier was when it delivered; other subjects are told apart without it. */
struct spot_e4 {
    const char *text;
    uint8_t     length;
    int32_t     lat, lon;
};

/* Who and where says as much as when: a feed of dates alone gives a day's deliveries one second. */
static uint32_t slot_of(const struct counts *c, uint32_t kind, uint32_t a, uint32_t b,
                        const struct spot_e4 *of)
{
    uint64_t key = ((uint64_t)b << 32 | a) * 0x9e3779b97f4a7c15u + kind;

    if (of != NULL)
        key ^= parcel_hash(of->text, of->length) +
               ((uint64_t)(uint32_t)of->lat << 32 | (uint32_t)of->lon);
    key = (key ^ key >> 32) * 0xbf58476d1ce4e5b9u;
    return (uint32_t)(key >> 32) & c->slots_mask;
}

static void slots_fill(struct counts *c)
{
    memset(c->slots, 0, (c->slots_mask + (size_t)1) * sizeof *c->slots);
    for (uint32_t i = 0; i < c->count; i++) {
        const struct tally *row = &c->rows[i];
        struct spot_e4 of = {c->texts + row->text, row->text_length, row->lat_e4, row->lon_e4};
        uint32_t slot = slot_of(c, row->kind, row->a, row->b,
                                row->kind == SUBJECT_COURIER ? &of : NULL);

        while (c->slots[slot] != 0)
            slot = (slot + 1) & c->slots_mask;
        c->slots[slot] = i + 1;
    }
}

static void rows_grow(struct counts *c)
{
    c->size *= 2;
    c->rows = grown(c->rows, c->size, sizeof *c->rows);
    c->dirty = grown(c->dirty, c->size, sizeof *c->dirty);
    free(c->slots);
    c->slots = calloc(2 * (size_t)c->size, sizeof *c->slots);
    CHECK(c->slots != NULL);
    c->slots_mask = 2 * c->size - 1;
    slots_fill(c);
}

static bool is_there(const struct counts *c, const struct tally *row, const struct spot_e4 *of)
{
    return row->text_length == of->length && row->lat_e4 == of->lat && row->lon_e4 == of->lon &&
           memcmp(c->texts + row->text, of->text, of->length) == 0;
}

static uint32_t text_keep(struct counts *c, const char *text, uint8_t length)
{
    uint32_t at = c->texts_used;

    if (c->texts_size - at < length) {
        c->texts_size = c->texts_size * 2 + 4096;
        c->texts = grown(c->texts, c->texts_size, 1);
    }
    memcpy(c->texts + at, text, length);
    c->texts_used += length;
    return at;
}

static struct tally *row_add(struct counts *c, const struct names *names, uint32_t kind,
                             uint32_t a, uint32_t b, const struct spot_e4 *of)
{
    char text[SUBJECT_TEXT_MAX];

    if (c->count >= c->subjects_max) {
        c->refused++;
        return NULL;
    }
    if (c->count == c->size)
        rows_grow(c);
    uint32_t slot = slot_of(c, kind, a, b, of);

    while (c->slots[slot] != 0)
        slot = (slot + 1) & c->slots_mask;
    c->slots[slot] = c->count + 1;
    struct tally *row = &c->rows[c->count++];

    *row = (struct tally){.kind = (uint8_t)kind, .a = a, .b = b};
    if (of != NULL) {
        row->text = text_keep(c, of->text, of->length);
        row->text_length = of->length;
        row->lat_e4 = of->lat;
        row->lon_e4 = of->lon;
    }
    row->home = parcel_home(text, counts_subject(c, names, row, text));
    return row;
}

/* The subject's row, new if need be; NULL: there are too many. */
static struct tally *row_of(struct counts *c, const struct names *names, uint32_t kind, uint32_t a,
                            uint32_t b, const struct spot_e4 *of)
{
    for (uint32_t slot = slot_of(c, kind, a, b, of); c->slots[slot] != 0;
         slot = (slot + 1) & c->slots_mask) {
        struct tally *row = &c->rows[c->slots[slot] - 1];

        if (row->a == a && row->b == b && row->kind == kind &&
            (of == NULL || is_there(c, row, of)))
            return row;
    }
    return row_add(c, names, kind, a, b, of);
}

/* Of the subject, to be counted in. */
static struct tally *tally_of(struct counts *c, const struct names *names, uint32_t kind,
                              uint32_t a, uint32_t b, const struct spot_e4 *of)
{
    struct tally *row = row_of(c, names, kind, a, b, of);

    if (row != NULL && !row->dirty) {
        row->dirty = true;
        c->dirty[c->dirty_count++] = (uint32_t)(row - c->rows);
    }
    return row;
}

/* ── Counting ─────────────────────────────────────────────────────────────── */

name_id counts_place(const struct parcel *parcel)
{
    bool stays = parcel->life != 0 && (STAYS >> parcel->code & 1);

    return stays && !state_terminal((enum parcel_state)parcel->state) ? parcel->at : NAME_NONE;
}

void counts_hold(struct counts *c, const struct names *names, name_id place, int32_t parcels)
{
    if (place == NAME_NONE)
        return;
    struct tally *row = row_of(c, names, SUBJECT_FACILITY, place, 0, NULL);

    if (row != NULL)
        row->on_hand += parcels;
}

static void count_event(struct counts *c, const struct names *names, enum subject kind, uint32_t a,
                        uint32_t b, const struct counted *e)
{
    struct tally *row = a != NAME_NONE ? tally_of(c, names, kind, a, b, NULL) : NULL;

    if (row == NULL)
        return;
    row->events++;
    row->exceptions += EXCEPTIONS >> e->scan->code & 1;
    if (kind != SUBJECT_FACILITY)
        row->out += e->arrived;
}

static void count_move(struct counts *c, const struct names *names, const struct counted *e)
{
    struct tally *row;

    if (e->was_at != NAME_NONE &&
        (row = tally_of(c, names, SUBJECT_FACILITY, e->was_at, 0, NULL)) != NULL) {
        row->out++;
        row->on_hand--;
    }
    if (e->is_at != NAME_NONE &&
        (row = tally_of(c, names, SUBJECT_FACILITY, e->is_at, 0, NULL)) != NULL) {
        row->in++;
        row->on_hand++;
    }
}

static void count_delivery(struct counts *c, const struct names *names, const struct counted *e)
{
    const struct scan *scan = e->scan;
    struct spot_e4 of = {.text = scan_text(scan, scan->courier),
                         .length = (uint8_t)scan->courier.length};

    if (scan->flags & SCAN_HAS_POSITION) {
        of.lat = (int32_t)(scan->lat * 10000);
        of.lon = (int32_t)(scan->lon * 10000);
    }
    struct tally *row = tally_of(c, names, SUBJECT_COURIER, (uint32_t)(scan->time_ms / 1000),
                                 e->here, &of);
    if (row != NULL)
        row->events++;
}

void counts_scan(struct counts *c, const struct names *names, const struct counted *e)
{
    bool exception = EXCEPTIONS >> e->scan->code & 1;

    CHECK(e->scan->code < SCAN_CODES);
    count_event(c, names, SUBJECT_FACILITY, e->here, 0, e);
    count_event(c, names, SUBJECT_CARRIER, e->carrier, 0, e);
    if ((e->arrived || exception) && e->dest != NAME_NONE)
        count_event(c, names, SUBJECT_LANE, e->origin, e->dest, e);
    if (e->was_at != e->is_at)
        count_move(c, names, e);
    if (e->scan->code == SCAN_DELIVERED && e->scan->courier.length > 0)
        count_delivery(c, names, e);
}

/* ── Minutes ──────────────────────────────────────────────────────────────── */

uint32_t counts_minute(const struct counts *c) { return c->minute; }
uint64_t counts_refused(const struct counts *c) { return c->refused; }

void counts_begin(struct counts *c, uint32_t minute)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < c->count; i++) {
        const struct tally *row = &c->rows[i];

        if (row->kind != SUBJECT_FACILITY && row->kind != SUBJECT_CARRIER)
            continue;
        c->rows[kept++] = (struct tally){.kind = row->kind, .a = row->a, .home = row->home,
                                         .on_hand = row->on_hand};
    }
    c->count = kept;
    c->minute = minute;
    c->dirty_count = c->texts_used = 0;
    c->refused = 0;
    slots_fill(c);
}

const struct tally *counts_at(const struct counts *c, uint32_t i)
{
    return i < c->count ? &c->rows[i] : NULL;
}

const char *counts_courier(const struct counts *c, const struct tally *row)
{
    CHECK(row->kind == SUBJECT_COURIER);
    return c->texts + row->text;
}

static char *text_add(char *at, const char *text, size_t length)
{
    memcpy(at, text, length);
    return at + length;
}

static char *name_add(char *at, const struct names *names, name_id name)
{
    const char *text = names_text(names, NAME_PLACE, name);

    CHECK(strlen(text) <= NAME_LENGTH_MAX);
    return text_add(at, text, strlen(text));
}

size_t counts_subject(const struct counts *c, const struct names *names, const struct tally *row,
                      char text[SUBJECT_TEXT_MAX])
{
    static const char *const before[SUBJECTS] = {
        [SUBJECT_FACILITY] = "facility:", [SUBJECT_CARRIER] = "carrier:",
        [SUBJECT_LANE] = "lane:", [SUBJECT_COURIER] = "courier:"};
    char *at = text_add(text, before[row->kind], strlen(before[row->kind]));

    if (row->kind == SUBJECT_COURIER)
        return (size_t)(text_add(at, c->texts + row->text, row->text_length) - text);
    at = name_add(at, names, row->a);
    if (row->kind == SUBJECT_LANE)
        at = name_add(text_add(at, ">", 1), names, row->b);
    return (size_t)(at - text);
}

/* ── What a checkpoint writes ─────────────────────────────────────────────── */

uint32_t counts_dirty(const struct counts *c) { return c->dirty_count; }

/* Format, kind and eight numbers; a courier's name behind its length. */
size_t counts_pack(const struct counts *c, uint32_t dirty, uint8_t bytes[TALLY_BYTES_MAX])
{
    CHECK(dirty < c->dirty_count);
    const struct tally *row = &c->rows[c->dirty[dirty]];
    const uint32_t numbers[FIXED_BYTES / 4] = {
        row->a, row->b, row->events, row->in, row->out, row->exceptions, (uint32_t)row->lat_e4,
        (uint32_t)row->lon_e4};
    uint8_t *at = bytes + HEAD_BYTES;

    bytes[0] = FORMAT;
    bytes[1] = row->kind;
    memcpy(at, numbers, FIXED_BYTES);
    at += FIXED_BYTES;
    if (row->kind == SUBJECT_COURIER) {
        *at++ = row->text_length;
        memcpy(at, c->texts + row->text, row->text_length);
        at += row->text_length;
    }
    return (size_t)(at - bytes);
}

void counts_clean(struct counts *c)
{
    for (uint32_t i = 0; i < c->dirty_count; i++)
        c->rows[c->dirty[i]].dirty = false;
    c->dirty_count = 0;
}

/* Within a minute counts only rise: of two parts the one that says more is the later. */
static void raise(uint32_t *count, uint32_t to)
{
    if (to > *count)
        *count = to;
}

/* Bytes of one packed tally, or 0: it is none. */
static size_t restore_one(struct counts *c, const struct names *names, const uint8_t *bytes,
                          size_t length)
{
    uint32_t n[FIXED_BYTES / 4];
    struct spot_e4 of = {.length = 0};
    size_t used = HEAD_BYTES + FIXED_BYTES;

    if (length < used || bytes[0] != FORMAT || bytes[1] == 0 || bytes[1] >= SUBJECTS)
        return 0;
    memcpy(n, bytes + HEAD_BYTES, FIXED_BYTES);
    if (bytes[1] == SUBJECT_COURIER) {
        if (length == used || bytes[used] > COURIER_MAX || length < used + 1 + bytes[used])
            return 0;
        of = (struct spot_e4){.text = (const char *)bytes + used + 1, .length = bytes[used],
                              .lat = (int32_t)n[6], .lon = (int32_t)n[7]};
        used += 1 + (size_t)of.length;
    }
    struct tally *row = row_of(c, names, bytes[1], n[0], n[1],
                               bytes[1] == SUBJECT_COURIER ? &of : NULL);
    if (row == NULL)
        return used;
    raise(&row->events, n[2]);
    raise(&row->in, n[3]);
    raise(&row->out, n[4]);
    raise(&row->exceptions, n[5]);
    return used;
}

int counts_restore(struct counts *c, const struct names *names, const uint8_t *bytes,
                   size_t length)
{
    while (length > 0) {
        size_t used = restore_one(c, names, bytes, length);

        if (used == 0)
            return error_set("counts of a minute: %zu bytes at the end are none of format %d",
                             length, FORMAT);
        bytes += used;
        length -= used;
    }
    return 0;
}
