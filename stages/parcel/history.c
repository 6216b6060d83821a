/* history.c - sorted 8-byte entries; two scans are one event when all but the flags agree.
 *
 * An entry is a number whose order is time, then place, code, retracts: so a retraction
 * stands right behind the event it takes back, and order of arrival leaves no trace.
 */
#include "stages/parcel/history.h"

#include <string.h>

#include "pipeline/check.h"

enum { SECONDS_SHIFT = 37, PLACE_SHIFT = 17, CODE_SHIFT = 12, RETRACTS_SHIFT = 11 };
enum { SPAN_MAX_S = (1 << 27) - 1 };   /* 4.25 years between a life's base and its last scan */

static uint64_t entry_make(uint32_t since_s, name_id place, enum scan_code code, bool retracts)
{
    return (uint64_t)since_s << SECONDS_SHIFT | (uint64_t)(place & NAMES_MAX) << PLACE_SHIFT
         | (uint64_t)code << CODE_SHIFT | (uint64_t)retracts << RETRACTS_SHIFT;
}

static bool same_event(uint64_t one, uint64_t other)
{
    return (one ^ other) >> RETRACTS_SHIFT == 0;
}

static uint32_t since_base(uint64_t entry)
{
    return (uint32_t)(entry >> SECONDS_SHIFT);
}

/* Does the retraction of entry i stand behind it? */
static bool taken_back(const struct parcel *p, int i)
{
    return i + 1 < p->history_count
        && same_event(p->history[i] | 1ull << RETRACTS_SHIFT, p->history[i + 1])
        && !entry_retracts(p->history[i]);
}

/* Something that happened and was not taken back. */
static bool stands(const struct parcel *p, int i)
{
    return !entry_retracts(p->history[i]) && !taken_back(p, i);
}

bool history_counts(const struct parcel *p, int i)
{
    return stands(p, i) && !(entry_flags(p->history[i]) & ENTRY_MERGED);
}

static void forget_first(struct parcel *p, int count)
{
    p->history_count = (uint8_t)(p->history_count - count);
    memmove(p->history, p->history + count, p->history_count * sizeof *p->history);
}

/* Rewrites the entries for another base; false when the span would not fit. */
static bool move_base_back(struct parcel *p, uint32_t base_s)
{
    uint32_t by_s = p->base_s - base_s;
    uint32_t last_s = since_base(p->history[p->history_count - 1]);

    if (last_s + by_s > SPAN_MAX_S) /* no overflow: the sum is last − base_s */
        return false;
    for (int i = 0; i < p->history_count; i++)
        p->history[i] += (uint64_t)by_s << SECONDS_SHIFT;
    p->base_s = base_s;
    return true;
}

/* Makes room at the end of the span for at_s: the oldest entries go. */
static void move_base_up(struct parcel *p, uint32_t at_s)
{
    uint32_t by_s = at_s - p->base_s - SPAN_MAX_S;
    int      gone = 0;

    while (gone < p->history_count && since_base(p->history[gone]) < by_s)
        gone++;
    forget_first(p, gone);
    for (int i = 0; i < p->history_count; i++)
        p->history[i] -= (uint64_t)by_s << SECONDS_SHIFT;
    p->base_s += by_s;
}

static void insert(struct parcel *p, uint64_t entry)
{
    int i = p->history_count;

    while (i > 0 && p->history[i - 1] > entry)
        i--;
    if (p->history_count == HISTORY_MAX) {
        if (i == 0)
            return; /* it is itself the oldest */
        forget_first(p, 1);
        i--;
    }
    memmove(p->history + i + 1, p->history + i,
            (size_t)(p->history_count - i) * sizeof *p->history);
    p->history[i] = entry;
    p->history_count++;
}

void history_add(struct parcel *p, uint32_t at_s, name_id place, enum scan_code code,
                 bool retracts, uint32_t flags)
{
    CHECK(code > SCAN_NONE && code < SCAN_CODES);
    CHECK(flags < 1u << RETRACTS_SHIFT);
    if (p->history_count == 0)
        p->base_s = at_s;
    else if (at_s < p->base_s && !move_base_back(p, at_s))
        return;
    else if (at_s - p->base_s > SPAN_MAX_S)
        move_base_up(p, at_s);
    insert(p, entry_make(at_s - p->base_s, place, code, retracts) | flags);
}

static bool is_exact(const struct parcel *p, int64_t since_s, name_id place,
                     enum scan_code code, bool retracts)
{
    if (since_s < 0 || since_s > SPAN_MAX_S)
        return false;
    uint64_t wanted = entry_make((uint32_t)since_s, place, code, retracts);
    bool     found = false;

    for (int i = 0; i < p->history_count; i++)
        found |= same_event(p->history[i], wanted);
    return found;
}

/* A DEPART of this place between two moments: the parcel left and came back. */
static bool left_between(const struct parcel *p, name_id place, int64_t one_s, int64_t other_s)
{
    int64_t first_s = one_s < other_s ? one_s : other_s;
    int64_t last_s = one_s < other_s ? other_s : one_s;

    for (int i = 0; i < p->history_count; i++) {
        uint64_t e = p->history[i];

        if (entry_code(e) == SCAN_DEPART && entry_place(e) == place && stands(p, i)
            && since_base(e) > first_s && since_base(e) < last_s)
            return true;
    }
    return false;
}

static bool is_near(const struct parcel *p, int64_t since_s, name_id place, enum scan_code code)
{
    for (int i = 0; i < p->history_count; i++) {
        uint64_t e = p->history[i];
        int64_t  apart_s = since_s - since_base(e);

        if (entry_code(e) != code || entry_place(e) != place || apart_s > NEAR_DUPLICATE_S
            || apart_s < -NEAR_DUPLICATE_S || !stands(p, i))
            continue;
        if (code != SCAN_ARRIVE || !left_between(p, place, since_base(e), since_s))
            return true;
    }
    return false;
}

enum sameness history_find(const struct parcel *p, uint32_t at_s, name_id place,
                           enum scan_code code, bool retracts)
{
    int64_t since_s = (int64_t)at_s - p->base_s;

    /* Most scans are later than all before them, and nothing but what is near is asked for. */
    if (p->history_count == 0
        || since_s > since_base(p->history[p->history_count - 1]) + NEAR_DUPLICATE_S)
        return SAME_NONE;
    if (is_exact(p, since_s, place, code, retracts))
        return SAME_EXACT;
    if (!retracts && code != SCAN_ATTEMPT_FAILED && is_near(p, since_s, place, code))
        return SAME_NEAR;
    return SAME_NONE;
}

uint32_t history_revisits(const struct parcel *p, name_id place)
{
    uint32_t revisits = 0;
    bool     was_there = false, left = false;

    for (int i = 0; i < p->history_count; i++) {
        enum scan_code code = entry_code(p->history[i]);
        name_id        here = entry_place(p->history[i]);

        if (here == NAME_NONE || !code_table[code].physical || !history_counts(p, i))
            continue;
        if (here != place) {
            left = true;
            continue;
        }
        if (code == SCAN_ARRIVE && was_there && left)
            revisits++;
        was_there = true;
        left = code == SCAN_DEPART;
    }
    return revisits;
}

uint64_t history_latest(const struct parcel *p, enum scan_code code)
{
    for (int i = p->history_count - 1; i >= 0; i--)
        if ((code == SCAN_NONE || entry_code(p->history[i]) == code) && history_counts(p, i))
            return p->history[i];
    return 0;
}

uint64_t history_earliest(const struct parcel *p, enum scan_code code)
{
    for (int i = 0; i < p->history_count; i++)
        if (entry_code(p->history[i]) == code && history_counts(p, i))
            return p->history[i];
    return 0;
}

bool history_has(const struct parcel *p, enum scan_code code)
{
    return history_latest(p, code) != 0;
}
