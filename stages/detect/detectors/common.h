/* common.h - what several detectors say in the same words. */
#ifndef STAGES_DETECT_DETECTORS_COMMON_H
#define STAGES_DETECT_DETECTORS_COMMON_H

#include <stdbool.h>
#include <stddef.h>

#include "stages/detect/findings.h"

struct facility;
struct route;

enum { HOUR = 3600, DAY = 86400 };

/* Is the scan (already applied) the latest of the physical ones?  It arms what waits for
 * the next; any other scan leaves that as stored, in whatever order they arrive. */
static inline bool arms_silence(const struct sighting *s)
{
    return s->scan != NULL && code_table[s->scan->code].physical
        && s->at_s == s->parcel->physical_s;
}

/* Does the scan (not yet applied) end a silence that lasts since the latest physical one? */
static inline bool ends_silence(const struct sighting *s)
{
    return s->at_s > s->parcel->physical_s;
}

/* The second at which so much working time has passed since from_s, where the parcel is (or
 * starts); elapsed time where no calendar of that country is known. */
uint32_t sighting_work_after(const struct sighting *, uint32_t from_s, int64_t duration_s);

/* P99 of the time to the next scan from here, within bounds; high_s while fewer than 50 samples
 * stand behind it, or the model has not learned for four times as long: long ones would not have
 * ended. */
uint32_t sighting_dwell_s(const struct sighting *, uint32_t low_s, uint32_t high_s);

/* Two severities by time since base_s: thresholds[0] warning, thresholds[1] critical.
 * `working`: by sighting_work_after.  The next of the two, 0 = none. */
uint32_t step_next(const struct sighting *, uint32_t base_s, bool working);

/* The finding when one of the two has passed. */
struct finding step_finding(const struct sighting *, uint32_t base_s, bool working);

/* Metres between two places on the earth (haversine). */
double spot_metres(struct spot, struct spot);

/* What the reference says of a place; NULL = nothing. */
const struct facility *sighting_facility(const struct sighting *, name_id place);

/* The parcel's planned route; NULL = not known. */
const struct route *sighting_route(const struct sighting *);

/* The scan's reason as a name; NAME_NONE: none, or the dictionary does not hold it. */
static inline name_id scan_note(const struct sighting *s)
{
    struct text reason = s->scan->reason;

    return names_find(s->names, NAME_PLACE, scan_text(s->scan, reason), reason.length);
}

/* What a code alone tells: sentence 0 with the reason, sentence 1 without. */
static inline void open_by_code(const struct sighting *s, struct findings *found,
                                enum severity severity)
{
    name_id note = scan_note(s);

    findings_open(found, &(struct finding) {
        .severity = (uint8_t)severity,
        .sentence = note == NAME_NONE,
        .opened_s = s->at_s,
        .at       = s->here != NAME_NONE ? s->here : s->parcel->at,
        .note     = note,
    });
}

#endif
