/* findings.h - what a detector says of a parcel; what became of it.
 *
 * A detector calls findings_open or findings_resolve; it need not know whether the
 * alert is open already: opening what is open is an update when severity or value
 * changed and nothing otherwise, resolving what is not open is nothing.
 */
#ifndef STAGES_DETECT_FINDINGS_H
#define STAGES_DETECT_FINDINGS_H

#include "stages/detect/detector.h"

struct finding {
    uint8_t  severity;     /* enum severity                                               */
    uint8_t  sentence;     /* index into detector.sentences                                */
    uint32_t opened_s;     /* event time of the scan that armed or opened it: part of the id */
    uint32_t deadline_s;   /* by when it should be dealt with, 0 = none                     */
    name_id  at, expected, note;
    int32_t  value, threshold;
    name_id  node;         /* part of the id: the facility or leg it is about, or NAME_NONE  */
};

enum { FINDINGS_MAX = 48 };

enum finding_verb { FINDING_OPEN, FINDING_RESOLVE };

struct findings {
    uint8_t  current;                 /* detector being asked                              */
    uint8_t  count;
    uint32_t at_s;                    /* event time of the scan, or the deadline asked about   */
    uint32_t open;                    /* set of detectors whose alert is open               */
    struct {
        uint8_t        verb, detector;
        uint32_t       at_s;
        struct finding what;
    } list[FINDINGS_MAX];
};

/* The detector being asked says: this is wrong, or it is not any more. */
void findings_open(struct findings *, const struct finding *);
void findings_resolve(struct findings *);

/* This parcel, nothing found yet. */
void findings_begin(struct findings *, const struct parcel *);

/* This detector's open alert of the parcel, or NULL. */
const struct alert *alert_open_of(const struct parcel *, uint8_t detector);

#endif
