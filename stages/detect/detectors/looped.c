/* looped - a parcel keeps coming back to the same hub.
 *
 * Fires     at once: ARRIVE at a facility it had left, for the second time.  One return
 *           happens (a missed connection), two are a wrong sort plan or a bad label.
 * Resolves  it leaves towards a facility it has not been to, or arrives at one.
 * Severity  warning; each further round updates it.
 * Quiet     while returning.  Late scans open nothing.  Skips parcels whose beginning was
 *           not seen.
 * Sources   What posts call loop mail: a sorter reads an old address or a second bar code anew.
 * Example   ARRIVE A, DEPART A, ARRIVE B, DEPART B, ARRIVE A, DEPART A, ARRIVE B, DEPART B,
 *           ARRIVE A                 -> opened at A, 2 returns
 *           DEPART A next C          -> resolved
 */
#include "stages/detect/detectors/all.h"
#include "stages/detect/detectors/common.h"
#include "stages/parcel/history.h"

enum { ENTRIES_MIN = 4 /* here, elsewhere, here, elsewhere: the second return is the scan */ };

static bool was_at(const struct parcel *parcel, name_id place)
{
    for (int i = 0; i < parcel->history_count; i++)
        if (entry_place(parcel->history[i]) == place)
            return true;
    return false;
}

/* Did the latest physical scan see it somewhere else, or go? */
static bool has_left(const struct parcel *parcel, name_id place)
{
    for (int i = parcel->history_count - 1; i >= 0; i--) {
        enum scan_code code = entry_code(parcel->history[i]);
        name_id        here = entry_place(parcel->history[i]);

        if (code_table[code].physical && here != NAME_NONE)
            return here != place || code == SCAN_DEPART;
    }
    return false;
}

/* Returns to this place, with the scan that is about to be applied. */
static uint32_t returns_to(const struct parcel *parcel, name_id place)
{
    if (parcel->history_count < ENTRIES_MIN || !was_at(parcel, place))
        return 0;
    return history_revisits(parcel, place) + has_left(parcel, place);
}

static bool goes_somewhere_new(const struct sighting *s)
{
    name_id to = s->scan->code == SCAN_ARRIVE ? s->here : s->next;

    return to != NAME_NONE && !was_at(s->parcel, to);
}

static void on_scan(const struct sighting *s, struct findings *found)
{
    if (s->class->late)
        return;
    if (s->open != NULL && goes_somewhere_new(s)) {
        findings_resolve(found);
        return;
    }
    if (s->scan->code != SCAN_ARRIVE || (s->parcel->flags & PARCEL_RETURNING))
        return;
    uint32_t returns = returns_to(s->parcel, s->here);

    if (returns < s->thresholds[0])
        return;
    findings_open(found, &(struct finding) {
        .severity  = SEVERITY_WARNING,
        .opened_s  = s->at_s,
        .node      = s->here,
        .at        = s->here,
        .value     = (int32_t)returns,
        .threshold = (int32_t)s->thresholds[0],
    });
}

const struct detector detector_looped = {
    .type       = "looped",
    .summary    = "keeps coming back to the same facility",
    .action     = "check-label",
    .unit       = "returns",
    .needs      = NEEDS_HISTORY,
    .owner      = OWNER_FACILITY,
    .codes      = ON(ARRIVE),
    .codes_open = ON(DEPART) | ON(LOAD) | ON(HANDOVER) | ON(UPLIFT) | ON(OUT_FOR_DELIVERY),
    .thresholds = {{"returns", THRESHOLD_COUNT, 2, "times a facility is entered again"}},
    .sentences  = {"has come back to {at} {value} times: check its label and the sort plan, and "
                   "take it off the belt"},
    .on_scan    = on_scan,
};
