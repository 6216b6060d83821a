/* detect.h - the third step of track: all detectors, one parcel; and what an alert's
 * life makes of their findings.
 *
 *   on a scan:      detect_scan(…)      looks at the parcel as it was before the scan
 *                   alerts_fold(…)      findings → the parcel's alerts and their changes
 *                   detect_arm(…)       the deadlines to store
 *   on a deadline:  detect_deadline(…)  fires it, and stores what comes after
 *                   alerts_fold(…)
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

/* `parts`: what reference data there is (enum reference_part); what needs other is off.  NULL
 * with the error trail.  owns: the caller.  Immutable: any thread may read. */
struct rules *rules_create(const struct config *, uint32_t parts);
void          rules_destroy(struct rules *);

/* What holds for one service by its name (unknown or "" = the defaults): look it up once. */
struct rule_set;
const struct rule_set *rules_of(const struct rules *, const char *service);
/* Thresholds of a detector; NULL: switched off. */
const int64_t *rules_thresholds(const struct rule_set *, uint8_t detector);

/* Everything a sighting needs but the parcel and the scan. */
struct detect_context {
    const struct rule_set  *set;       /* of the parcel's service                         */
    const struct model     *model;
    const struct names     *names;
    const struct reference *reference;
    uint32_t                clock_s;
    uint32_t                received_s; /* of the scan, by Kafka's timestamp; 0 = not known   */
};

/* Asks each detector that is on for this service.  `before`: parcel without the scan.  A
 * scan that ends the parcel resolves what a terminal state resolves; a retraction resolves
 * what its event had opened. */
void detect_scan(const struct detect_context *, const struct parcel *before,
                 const struct scan *, const struct classified *, const struct estimate *,
                 name_id here, name_id next, struct findings *);

/* Rewrites parcel->deadlines (but the DEADLINE_HOUSE one) by asking every deadline_s; after
 * alerts_fold, as a deadline may depend on what is open. */
void detect_arm(const struct detect_context *, struct parcel *after, const struct scan *,
                const struct estimate *);

/* Fires the detectors whose stored deadline is due at or before clock_s, earliest first:
 * removes it, asks on_deadline, then deadline_s for one that is later. */
void detect_deadline(const struct detect_context *, struct parcel *, struct findings *);

/* A change of an alert, to be told: the alert as it is after it. */
struct alert_changes {
    uint8_t      count;
    uint8_t      refused;      /* alerts not opened, or changes not made, for want of room  */
    uint8_t      unsent_first; /* what this fold added to parcel->unsent begins here         */
    struct alert list[FINDINGS_MAX];
};

/* Opens, updates, resolves: by the inhibition table, the 10-minute re-opening rule, and
 * "a terminal state resolves everything but …".  Changes of alerts that a deadline opened or
 * changed (ALERT_BY_DEADLINE) are put into parcel->unsent and not into `changes`; when that
 * is full, changes since overtaken by another of the same alert go first.  `at_s`: event
 * time of the scan, or the deadline.  Forgets alerts resolved more than 10 min before it. */
void alerts_fold(struct parcel *after, const struct names *, const struct findings *,
                 uint32_t at_s, bool by_deadline, struct alert_changes *changes);

/* Hash(type, number, life, node, opened_s): a learned or configured value is never in it. */
uint64_t alert_id(const struct detector *, const struct parcel *, const char *node,
                  uint32_t opened_s);

/* The sentence with its places filled in; NUL-terminated, returns the length. */
size_t alert_sentence(const struct alert *, const struct parcel *, const struct names *,
                      char *text, size_t size);

#endif
