/* apply.c - the only writer of a parcel's state.
 *
 * Order is event time: a late scan fills history and counters, and moves state
 * only when it is later than the state's.
 * A retraction takes an earlier event back: the state is read off the history
 * again, without the event.
 */
#include "stages/apply.h"

#include <stddef.h>
#include <string.h>

#include "pipeline/check.h"
#include "stages/parcel/history.h"

struct noted apply_note(struct names *names, const struct scan *scan)
{
    struct noted n = {.at_s = (uint32_t)(scan->time_ms / 1000)};

#define NOTE(kind, field)                                                      \
    names_intern(names, kind, scan_text(scan, scan->field), scan->field.length)
    n.here = NOTE(NAME_PLACE, facility);
    n.next = NOTE(NAME_PLACE, next);
    n.origin = NOTE(NAME_PLACE, origin);
    n.dest = NOTE(NAME_PLACE, dest);
    n.carrier = NOTE(NAME_PLACE, carrier);
    n.reason = NOTE(NAME_REASON, reason);
    n.service = (uint8_t)NOTE(NAME_SERVICE, service);
#undef NOTE
    return n;
}

void apply_begin(struct parcel *parcel, const struct scan *scan, uint16_t life)
{
    CHECK(scan->parcel.length <= PARCEL_MAX && life > 0);
    memset(parcel, 0, offsetof(struct parcel, history));
    memcpy(parcel->number, scan_text(scan, scan->parcel), scan->parcel.length);
    parcel->number_length = (uint8_t)scan->parcel.length;
    parcel->life = life;
}

/* What one event of the history says, apart from the state. */
static void count_event(struct parcel *parcel, uint64_t entry)
{
    enum scan_code code = entry_code(entry);
    uint32_t       at_s = entry_s(parcel, entry);

    if (code == SCAN_ATTEMPT_FAILED && parcel->attempts < UINT8_MAX)
        parcel->attempts++;
    if (code == SCAN_DELIVERED || code == SCAN_STATION_IN)
        parcel->flags |= PARCEL_ARRIVED;
    if (code == SCAN_RETURN_START)
        parcel->flags |= PARCEL_RETURNING;
    if (code_table[code].physical && at_s > parcel->physical_s)
        parcel->physical_s = at_s;
}

/* After a retraction: what the history says without the event taken back. */
static void state_from_history(struct parcel *parcel)
{
    uint32_t physical_s = parcel->physical_s;
    bool     found = false;

    parcel->flags &= (uint16_t)~(PARCEL_ARRIVED | PARCEL_RETURNING);
    parcel->attempts = 0;
    parcel->physical_s = 0;
    for (int i = parcel->history_count - 1; i >= 0; i--) {
        uint64_t entry = parcel->history[i];
        enum scan_code code = entry_code(entry);

        if (!history_counts(parcel, i))
            continue;
        count_event(parcel, entry);
        if (found || code_table[code].state == STATE_UNKNOWN)
            continue;
        parcel->state = (uint8_t)code_table[code].state;
        parcel->code = (uint8_t)code;
        parcel->state_s = entry_s(parcel, entry);
        parcel->at = entry_place(entry) != NAME_NONE ? entry_place(entry) : parcel->at;
        found = true;
    }
    if (parcel->physical_s != physical_s)
        parcel->facts &= (uint8_t)~FACT_SPOT;
    if (!found)
        parcel->state = STATE_UNKNOWN;
}

static void forget_document(struct parcel *parcel, name_id document)
{
    uint8_t kept = 0;

    for (uint32_t i = 0; i < parcel->documents_count; i++)
        if (parcel->documents[i] != document)
            parcel->documents[kept++] = parcel->documents[i];
    parcel->documents_count = kept;
    if (kept == 0)
        parcel->facts &= (uint8_t)~FACT_DOCUMENTS;
}

/* A measure that was taken back is not known any more, nor is the one before it. */
static void forget_measures(struct parcel *parcel, const struct scan *scan, const struct noted *n)
{
    uint8_t gone = 0;

    if ((scan->flags & SCAN_HAS_WEIGHT) && scan->weight_g == parcel->weight_g)
        gone |= FACT_WEIGHT;
    if ((scan->flags & SCAN_HAS_DECLARED) && scan->declared_g == parcel->declared_g)
        gone |= FACT_DECLARED;
    if ((scan->flags & SCAN_HAS_TARGET) &&
        memcmp(&parcel->target, &(struct spot){scan->dest_lat, scan->dest_lon},
               sizeof parcel->target) == 0)
        gone |= FACT_TARGET;
    if (scan->courier.length != 0 && scan->courier.length == parcel->courier_length &&
        memcmp(scan_text(scan, scan->courier), parcel->courier, parcel->courier_length) == 0) {
        gone |= FACT_COURIER;
        parcel->courier_length = 0;
    }
    parcel->facts &= (uint8_t)~gone;
    if (scan->code == SCAN_DECLARED)
        forget_document(parcel, n->reason);
}

/* A tombstone has no history to read: only what it still says can be taken back. */
static void apply_retraction(struct parcel *parcel, const struct scan *scan,
                             const struct noted *n)
{
    if (!(parcel->flags & PARCEL_TOMBSTONE)) {
        state_from_history(parcel);
        forget_measures(parcel, scan, n);
    } else if (scan->code == parcel->code && n->at_s == parcel->state_s) {
        parcel->flags &= (uint16_t)~(PARCEL_TOMBSTONE | PARCEL_ARRIVED);
        parcel->state = STATE_UNKNOWN;
    }
}

/* What a scan says of the journey: kept whatever its place in time, unless known better. */
static void apply_facts(struct parcel *parcel, const struct scan *scan, const struct noted *n,
                        bool late)
{
    if (n->origin != NAME_NONE && (parcel->origin == NAME_NONE || !late))
        parcel->origin = n->origin;
    if (n->dest != NAME_NONE &&
        (parcel->dest == NAME_NONE || (!late && scan->code == SCAN_REROUTED)))
        parcel->dest = n->dest;
    if (n->carrier != NAME_NONE && (parcel->carrier == NAME_NONE || !late))
        parcel->carrier = n->carrier;
    if (n->service != 0 && (parcel->service == 0 || !late))
        parcel->service = n->service;
    if (scan->promise_ms != 0 && (parcel->promise_s == 0 || !late))
        parcel->promise_s = (uint32_t)(scan->promise_ms / 1000);
    if (scan->carrier_number.length != 0 && (parcel->carrier_number_length == 0 || !late)) {
        memcpy(parcel->carrier_number, scan_text(scan, scan->carrier_number),
               scan->carrier_number.length);
        parcel->carrier_number_length = (uint8_t)scan->carrier_number.length;
    }
}

/* A declaration that names its document: those that a route asks for are looked up there.
 * APPLIED_DOCUMENT_LOST, or 0. */
static unsigned apply_document(struct parcel *parcel, name_id document)
{
    for (uint32_t i = 0; i < parcel->documents_count; i++)
        if (parcel->documents[i] == document)
            return 0;
    if (document == NAME_NONE)
        return 0;
    if (parcel->documents_count == DOCUMENTS_MAX)
        return APPLIED_DOCUMENT_LOST;
    parcel->documents[parcel->documents_count++] = document;
    parcel->facts |= FACT_DOCUMENTS;
    return 0;
}

/* What few scans say: weights, the place to deliver at, who has it. */
static void apply_measures(struct parcel *parcel, const struct scan *scan, bool late)
{
    if ((scan->flags & SCAN_HAS_WEIGHT) && !(late && (parcel->facts & FACT_WEIGHT))) {
        parcel->weight_g = scan->weight_g;
        parcel->facts |= FACT_WEIGHT;
    }
    if ((scan->flags & SCAN_HAS_DECLARED) && !(late && (parcel->facts & FACT_DECLARED))) {
        parcel->declared_g = scan->declared_g;
        parcel->facts |= FACT_DECLARED;
    }
    if ((scan->flags & SCAN_HAS_TARGET) && !(late && (parcel->facts & FACT_TARGET))) {
        parcel->target = (struct spot){scan->dest_lat, scan->dest_lon};
        parcel->facts |= FACT_TARGET;
    }
    if (scan->courier.length != 0 && !(late && (parcel->facts & FACT_COURIER))) {
        memcpy(parcel->courier, scan_text(scan, scan->courier), scan->courier.length);
        parcel->courier_length = (uint8_t)scan->courier.length;
        parcel->facts |= FACT_COURIER;
    }
}

/* The latest physical scan: when, and where its device was, if it said so. */
static void apply_physical(struct parcel *parcel, const struct scan *scan, uint32_t at_s)
{
    if (!code_table[scan->code].physical || at_s <= parcel->physical_s)
        return;
    parcel->physical_s = at_s;
    parcel->facts &= (uint8_t)~FACT_SPOT;
    if (scan->flags & SCAN_HAS_POSITION) {
        parcel->spot = (struct spot){scan->lat, scan->lon};
        parcel->facts |= FACT_SPOT;
    }
}

/* Where it is and where it was sent: arriving there fulfils `next`. */
static void apply_place(struct parcel *parcel, const struct scan *scan, const struct noted *n)
{
    if (n->next != NAME_NONE)
        parcel->next = n->next;
    else if (scan->code == SCAN_DEPART || scan->code == SCAN_REROUTED ||
             (scan->code == SCAN_ARRIVE && n->here == parcel->next))
        parcel->next = NAME_NONE;
    if (n->here != NAME_NONE)
        parcel->at = n->here;
}

static void apply_state(struct parcel *parcel, const struct scan *scan, uint32_t at_s)
{
    const struct code_info *info = &code_table[scan->code];

    if (info->state == STATE_UNKNOWN)
        return;
    parcel->state = (uint8_t)info->state;
    parcel->code = scan->code;
    parcel->state_s = at_s;
}

static bool is_cross_border(enum scan_code code)
{
    return code >= SCAN_EXPORT_IN && code <= SCAN_IMPORT_OUT;
}

unsigned apply_scan(struct parcel *parcel, const struct scan *scan,
                    const struct classified *class, const struct noted *n)
{
    bool merged = class->class == CLASS_MERGED;
    bool arrived_before = parcel->flags & PARCEL_ARRIVED;
    unsigned applied = 0;

    CHECK(class->class != CLASS_DUPLICATE && parcel->life > 0);
    history_add(parcel, n->at_s, n->here, (enum scan_code)scan->code, class->retracts,
                merged ? ENTRY_MERGED : 0);
    if (class->undone)
        return 0;
    apply_facts(parcel, scan, n, class->late || merged);
    if (merged)
        return 0;
    if (class->retracts) {
        apply_retraction(parcel, scan, n);
        return 0;
    }
    if (class->revives)
        parcel->flags &= (uint16_t)~PARCEL_TOMBSTONE;
    if (scan->code == SCAN_ATTEMPT_FAILED && parcel->attempts < UINT8_MAX)
        parcel->attempts++;
    apply_measures(parcel, scan, class->late);
    if (scan->code == SCAN_DECLARED)
        applied |= apply_document(parcel, n->reason);
    apply_physical(parcel, scan, n->at_s);
    if (is_cross_border((enum scan_code)scan->code))
        parcel->flags |= PARCEL_CROSS_BORDER;
    if (scan->code == SCAN_DELIVERED || scan->code == SCAN_STATION_IN)
        parcel->flags |= PARCEL_ARRIVED;
    if (scan->code == SCAN_RETURN_START)
        parcel->flags |= PARCEL_RETURNING;
    if (!class->late) {
        apply_place(parcel, scan, n);
        apply_state(parcel, scan, n->at_s);
    }
    if (!arrived_before && (parcel->flags & PARCEL_ARRIVED))
        applied |= APPLIED_ARRIVED;
    return applied;
}

/* ── How long a parcel is kept ────────────────────────────────────────────── */

static void deadline_set(struct parcel *parcel, uint32_t at_s)
{
    uint32_t i = 0;

    while (i < parcel->deadlines_count && parcel->deadlines[i].detector != DEADLINE_HOUSE)
        i++;
    CHECK(i < DEADLINES_MAX);
    parcel->deadlines[i] = (struct deadline){.detector = DEADLINE_HOUSE, .at_s = at_s};
    if (i == parcel->deadlines_count)
        parcel->deadlines_count++;
}

void apply_house(struct parcel *parcel, const struct retention *keep, uint32_t clock_s)
{
    uint32_t last_s = parcel->state_s > clock_s ? parcel->state_s : clock_s;
    uint32_t for_s = keep->idle_s;

    if (parcel->flags & PARCEL_TOMBSTONE)
        for_s = keep->terminal_s;
    else if (state_terminal((enum parcel_state)parcel->state))
        for_s = keep->linger_s;
    deadline_set(parcel, last_s + for_s);
}

void apply_shrink(struct parcel *parcel, const struct retention *keep, uint32_t clock_s)
{
    CHECK(state_terminal((enum parcel_state)parcel->state) && parcel->unsent_count == 0);
    parcel->flags |= PARCEL_TOMBSTONE;
    parcel->history_count = 0;
    parcel->alerts_count = 0;
    parcel->deadlines_count = 0;
    parcel->base_s = parcel->state_s;
    apply_house(parcel, keep, clock_s);
}

uint32_t apply_deadline(const struct parcel *parcel, uint8_t detector)
{
    for (uint32_t i = 0; i < parcel->deadlines_count; i++)
        if (parcel->deadlines[i].detector == detector)
            return parcel->deadlines[i].at_s;
    return 0;
}
