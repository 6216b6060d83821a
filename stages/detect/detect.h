/* detect.h - the third step of track: all detectors, one parcel; and what an alert's
 * life makes of their findings.
 *
 *   on a scan:      detect_scan(…)      before it is applied
 *                   detect_arm(…)       after: the deadlines to store
 *   on a deadline:  detect_deadline(…)  then detect_arm again
 *   both:           alerts_fold(…)      findings → the parcel's alerts and their changes
 */
#ifndef STAGES_DETECT_DETECT_H
#define STAGES_DETECT_DETECT_H

#include "stages/detect/detector.h"
#include "stages/detect/findings.h"

struct config;
struct config_row;

/* Thresholds by service and detector, from the configuration; `enabled` too. */
struct rules;

/* The configuration rows of all detectors ("detectors.TYPE.NAME", ".enabled", and
 * "services.*.detectors.TYPE.NAME"), made from detector_table.  owns: static. */
const struct config_row *detect_rows(size_t *count);

/* NULL with the error trail.  owns: the caller.  Immutable: any thread may read. */
struct rules *rules_create(const struct config *);
void          rules_destroy(struct rules *);
/* Thresholds of a detector for a service by name ("" = default); NULL: switched off. */
const int64_t *rules_thresholds(const struct rules *, const char *service, uint8_t detector);

/* Everything a sighting needs but the parcel and the scan. */
struct detect_context {
    const struct rules     *rules;
    const struct model     *model;
    const struct names     *names;
    const struct reference *reference;
    uint32_t                clock_s;
};

/* Asks each detector that is on for this service.  `before`: parcel without the scan. */
void detect_scan(const struct detect_context *, const struct parcel *before,
                 const struct scan *, const struct classified *, const struct estimate *,
                 name_id here, name_id next, struct findings *);

/* Rewrites parcel->deadlines (but the DEADLINE_HOUSE one) by asking every deadline_s.
 * A detector whose alert's arming scan did not change keeps its stored deadline. */
void detect_arm(const struct detect_context *, struct parcel *after, const struct scan *,
                const struct estimate *);

/* Fires the detectors whose stored deadline is due at or before clock_s, earliest first:
 * removes those deadlines, asks on_deadline, then deadline_s for a further one. */
void detect_deadline(const struct detect_context *, struct parcel *, struct findings *);

/* A change of an alert, to be told: the alert as it is after it. */
struct alert_changes {
    uint8_t      count;
    struct alert list[FINDINGS_MAX];
};

/* Opens, updates, resolves: by the inhibition table, the 10-minute re-opening rule, and
 * "a terminal state resolves everything but …".  Changes of alerts that a deadline opened
 * (ALERT_BY_DEADLINE) are put into parcel->unsent and not into `changes`.
 * `at_s`: event time of the scan, or the deadline.  Forgets alerts resolved more than
 * 10 min before at_s. */
void alerts_fold(struct parcel *after, const struct names *, const struct findings *,
                 uint32_t at_s, bool by_deadline, struct alert_changes *changes);

/* Hash(type, number, life, node, opened_s): a learned or configured value is never in it. */
uint64_t alert_id(const struct detector *, const struct parcel *, const char *node,
                  uint32_t opened_s);

/* The sentence with its places filled in; NUL-terminated, returns the length. */
size_t alert_sentence(const struct alert *, const struct parcel *, const struct names *,
                      char *text, size_t size);

#endif
