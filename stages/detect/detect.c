/* detect.c - who is asked, about what, and when again.
 *
 * A scan asks the detectors that its code concerns, and those of open alerts that it may
 * resolve: for most scans two or three.  Sets of detectors are 32-bit masks, made once
 * per service (rules.c).
 */
#include "stages/detect/detect.h"

#include "pipeline/check.h"
#include "stages/detect/inhibition.h"
#include "stages/detect/rules.h"

/* Whole histories arrive at once: a deadline that had passed before its scan came waits for
 * the scans that follow it, rather than cry over a silence that was none. */
enum { HISTORY_GRACE_S = 120 };

/* ── A scan ──────────────────────────────────────────────────────────────────────────── */

static struct sighting sighting_of(const struct detect_context *c, const struct parcel *parcel,
                                   const struct scan *scan, const struct estimate *estimate,
                                   uint32_t at_s)
{
    return (struct sighting) {
        .parcel    = parcel,
        .scan      = scan,
        .estimate  = estimate,
        .model     = c->model,
        .names     = c->names,
        .reference = c->reference,
        .at_s      = at_s,
        .clock_s   = c->clock_s,
        .received_s = c->received_s,
    };
}

/* What of enum detector_traits the scan has. */
static unsigned traits_of(const struct detect_context *c, const struct parcel *before,
                          const struct scan *scan, name_id here, uint32_t at_s)
{
    unsigned weight = (scan->flags & (SCAN_HAS_WEIGHT | SCAN_HAS_DECLARED)) != 0;
    unsigned ahead = c->received_s != 0 && at_s > c->received_s;
    unsigned moved = here != before->at || scan->flags & SCAN_HAS_POSITION;

    return weight * TRAIT_WEIGHT | ahead * TRAIT_AHEAD | moved * TRAIT_MOVED;
}

/* Turns the sighting to one detector; returns it. */
static const struct detector *turn_to(struct sighting *s, const struct rule_set *set, uint8_t id,
                                      uint32_t open)
{
    s->thresholds = set->thresholds[id];
    s->open = open >> id & 1 ? alert_open_of(s->parcel, id) : NULL;
    return detector_table[id];
}

static void resolve_each(struct findings *found, uint32_t types)
{
    for (; types != 0; types &= types - 1) {
        found->current = (uint8_t)__builtin_ctz(types);
        findings_resolve(found);
    }
}

/* The open alerts that the event now taken back had opened. */
static uint32_t opened_by(const struct parcel *parcel, uint8_t code, uint32_t at_s, name_id here)
{
    uint32_t types = 0;

    for (int i = 0; i < parcel->alerts_count; i++) {
        const struct alert *a = &parcel->alerts[i];

        if (a->opened_s == at_s && a->at == here && !(a->flags & ALERT_BY_DEADLINE)
            && detector_table[a->type]->codes >> code & 1)
            types |= 1u << a->type;
    }
    return types;
}

static uint32_t ended_by(const struct findings *found, enum parcel_state state)
{
    uint32_t types = 0;

    for (uint32_t open = found->open; open != 0; open &= open - 1) {
        uint8_t type = (uint8_t)__builtin_ctz(open);

        types |= alert_survives(type, state) ? 0 : 1u << type;
    }
    return types;
}

void detect_scan(const struct detect_context *c, const struct parcel *before,
                 const struct scan *scan, const struct classified *class,
                 const struct estimate *estimate, name_id here, name_id next,
                 struct findings *found)
{
    const struct code_info *info = &code_table[scan->code];
    uint32_t                at_s = (uint32_t)(scan->time_ms / 1000);

    findings_begin(found, before);
    found->at_s = at_s;
    if (before->flags & PARCEL_HISTORIC)
        return;
    if (class->retracts) {
        resolve_each(found, opened_by(before, scan->code, at_s, here));
        return;
    }
    struct sighting s = sighting_of(c, before, scan, estimate, at_s);
    uint32_t asked = (c->set->by_code[scan->code]
                      & c->set->by_traits[traits_of(c, before, scan, here, at_s)])
                   | (c->set->by_code_open[scan->code] & found->open);

    s.class = class;
    s.here = here;
    s.next = next;
    if (before->flags & PARCEL_PARTIAL)
        asked &= ~c->set->needs_history;
    for (; asked != 0; asked &= asked - 1) {
        found->current = (uint8_t)__builtin_ctz(asked);
        turn_to(&s, c->set, found->current, found->open)->on_scan(&s, found);
    }
    if (info->terminal && !class->late && found->open != 0)
        resolve_each(found, ended_by(found, info->state));
}

/* ── Deadlines ───────────────────────────────────────────────────────────────────────── */

static uint32_t stored_of(const struct deadline *list, uint32_t count, uint8_t detector)
{
    for (uint32_t i = 0; i < count; i++)
        if (list[i].detector == detector)
            return list[i].at_s;
    return 0;
}

static void store(struct parcel *parcel, uint8_t detector, uint32_t at_s)
{
    if (at_s == 0)
        return;
    CHECK(parcel->deadlines_count < DEADLINES_MAX);
    parcel->deadlines[parcel->deadlines_count++] = (struct deadline) {detector, at_s};
}

void detect_arm(const struct detect_context *c, struct parcel *after, const struct scan *scan,
                const struct estimate *estimate)
{
    struct deadline was[DEADLINES_MAX];
    struct findings open;
    uint32_t        count = after->deadlines_count;
    uint32_t        asked = c->set->by_state[after->state];

    CHECK(count <= DEADLINES_MAX && after->state < STATES);
    for (uint32_t i = 0; i < count; i++)
        was[i] = after->deadlines[i];
    after->deadlines_count = 0;
    store(after, DEADLINE_HOUSE, stored_of(was, count, DEADLINE_HOUSE));
    if (after->flags & (PARCEL_HISTORIC | PARCEL_TOMBSTONE))
        return;
    if (after->flags & PARCEL_PARTIAL)
        asked &= ~c->set->needs_history;
    if (after->code == SCAN_HANDOVER && c->set->ends_at_handover)
        asked &= ~c->set->needs_tracking;
    findings_begin(&open, after);
    struct sighting s = sighting_of(c, after, scan, estimate, (uint32_t)(scan->time_ms / 1000));

    for (; asked != 0; asked &= asked - 1) {
        uint8_t  id = (uint8_t)__builtin_ctz(asked);
        uint32_t due_s = turn_to(&s, c->set, id, open.open)->deadline_s(&s);

        if (due_s == DEADLINE_KEEP)
            due_s = stored_of(was, count, id);
        else if (due_s != 0 && due_s < c->clock_s)
            due_s = c->clock_s + HISTORY_GRACE_S;
        store(after, id, due_s);
    }
}

/* The earliest stored deadline of a detector due by now_s, taken out; false = none. */
static bool take_due(struct parcel *parcel, uint32_t now_s, struct deadline *due)
{
    int first = -1;

    for (int i = 0; i < parcel->deadlines_count; i++)
        if (parcel->deadlines[i].detector != DEADLINE_HOUSE && parcel->deadlines[i].at_s <= now_s
            && (first < 0 || parcel->deadlines[i].at_s < parcel->deadlines[first].at_s))
            first = i;
    if (first < 0)
        return false;
    *due = parcel->deadlines[first];
    for (int i = first; i + 1 < parcel->deadlines_count; i++)
        parcel->deadlines[i] = parcel->deadlines[i + 1];
    parcel->deadlines_count--;
    return true;
}

void detect_deadline(const struct detect_context *c, struct parcel *parcel,
                     struct findings *found)
{
    static const struct estimate unknown = {.known = false};
    struct deadline due;

    findings_begin(found, parcel);
    while (found->count < FINDINGS_MAX && take_due(parcel, c->clock_s, &due)) {
        if (!(c->set->enabled >> due.detector & 1))
            continue; /* switched off since */
        struct sighting s = sighting_of(c, parcel, NULL, &unknown, due.at_s);
        const struct detector *d = turn_to(&s, c->set, due.detector, found->open);

        found->current = due.detector;
        found->at_s = due.at_s;
        d->on_deadline(&s, found);
        uint32_t next_s = d->deadline_s(&s);

        if (next_s != DEADLINE_KEEP && next_s > due.at_s)
            store(parcel, due.detector, next_s);
    }
}
