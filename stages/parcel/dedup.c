/* dedup.c - effective, merged or duplicate: the rules of order and sameness.
 *
 * Order is event time, never arrival; so a scan that arrives after its own retraction
 * counts for nothing either.
 */
#include "stages/parcel/dedup.h"

#include "stages/parcel/history.h"

enum { REUSED_S = 30 * 86400 };

static struct classified classify_retraction(const struct parcel *p, uint32_t at_s,
                                             name_id place, enum scan_code code)
{
    bool again = history_find(p, at_s, place, code, true) == SAME_EXACT;

    return (struct classified) {
        .class    = again ? CLASS_DUPLICATE : CLASS_EFFECTIVE,
        .late     = !again && at_s < p->state_s,
        .retracts = true,
    };
}

struct classified dedup_classify(const struct parcel *p, const struct scan *scan, name_id place)
{
    enum scan_code code = (enum scan_code)scan->code;
    uint32_t       at_s = (uint32_t)(scan->time_ms / 1000);

    if (scan->flags & SCAN_RETRACTS)
        return classify_retraction(p, at_s, place, code);
    enum sameness same = history_find(p, at_s, place, code, false);

    if (same == SAME_EXACT || ((p->flags & PARCEL_TOMBSTONE) && at_s <= p->state_s))
        return (struct classified) {.class = CLASS_DUPLICATE};
    if (history_find(p, at_s, place, code, true) == SAME_EXACT)
        return (struct classified) {.class = CLASS_EFFECTIVE, .late = true, .undone = true};
    bool ended = state_terminal((enum parcel_state)p->state);
    bool after = ended && at_s > p->state_s;

    if (after && (code == SCAN_PICKUP || code == SCAN_LABEL))
        return (struct classified) {
            .class    = CLASS_EFFECTIVE,
            .new_life = true,
            .reused   = at_s - p->state_s <= REUSED_S,
        };
    if (after && p->state == STATE_LOST && code_table[code].physical)
        return (struct classified) {.class = CLASS_EFFECTIVE, .revives = true};
    if (same == SAME_NEAR)
        return (struct classified) {.class = CLASS_MERGED};
    return (struct classified) {.class = CLASS_EFFECTIVE, .late = ended || at_s < p->state_s};
}
