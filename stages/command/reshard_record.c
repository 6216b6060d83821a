/* reshard_record.c - one record into another partition's words.
 *
 * Places, carriers and notes are numbers of a partition's dictionary, so a parcel that moves
 * to another partition is written with that one's numbers.  A history is ascending as
 * numbers, and sorted anew: of scans of one second, the place decides.
 */
#include <stdlib.h>
#include <string.h>

#include "pipeline/error.h"
#include "stages/command/reshard.h"
#include "stages/parcel/record.h"

enum { PLACE_SHIFT = 17 };

struct words {
    const struct names *from;
    struct names       *into;
    bool                refused;
};

static name_id word(struct words *w, enum name_kind kind, name_id id)
{
    const char *text = names_text(w->from, kind, id);

    if (id == NAME_NONE)
        return NAME_NONE;
    if (kind == NAME_PLACE && id >= REASONS_FIRST)
        kind = NAME_REASON;   /* it stays in the share it had */
    name_id there = names_intern(w->into, kind, text, strlen(text));

    w->refused |= there == NAME_NONE;
    return there;
}

static void place(struct words *w, name_id *id)
{
    *id = word(w, NAME_PLACE, *id);
}

static void places_of_alerts(struct words *w, struct alert *alerts, uint8_t count)
{
    for (uint8_t i = 0; i < count; i++) {
        place(w, &alerts[i].at);
        place(w, &alerts[i].expected);
        place(w, &alerts[i].note);
    }
}

static int ascending(const void *one, const void *other)
{
    uint64_t a = *(const uint64_t *)one, b = *(const uint64_t *)other;

    return a < b ? -1 : a > b;
}

static void places_of_history(struct words *w, struct parcel *p)
{
    for (uint8_t i = 0; i < p->history_count; i++) {
        uint64_t there = word(w, NAME_PLACE, entry_place(p->history[i]));

        p->history[i] &= ~((uint64_t)NAMES_MAX << PLACE_SHIFT);
        p->history[i] |= there << PLACE_SHIFT;
    }
    qsort(p->history, p->history_count, sizeof p->history[0], ascending);
}

size_t reshard_record(const uint8_t *bytes, size_t length, const struct names *from,
                      struct names *into, uint8_t *to)
{
    struct words  w = {.from = from, .into = into};
    struct parcel p;

    if (record_unpack(bytes, length, &p) != 0)
        return 0;
    place(&w, &p.at);
    place(&w, &p.next);
    place(&w, &p.origin);
    place(&w, &p.dest);
    place(&w, &p.carrier);
    p.service = (uint8_t)word(&w, NAME_SERVICE, p.service);
    for (uint8_t i = 0; i < p.documents_count; i++)
        place(&w, &p.documents[i]);
    places_of_history(&w, &p);
    places_of_alerts(&w, p.alerts, p.alerts_count);
    places_of_alerts(&w, p.unsent, p.unsent_count);
    if (!w.refused)
        return record_pack(&p, to);
    (void)error_set("parcel %.*s: its words have no room in the new partition's dictionary",
                    (int)p.number_length, p.number);
    return 0;
}
