/* findings.c - what detectors say, in the order they say it. */
#include "stages/detect/findings.h"

#include <stddef.h>

#include "pipeline/check.h"

void findings_begin(struct findings *f, const struct parcel *parcel)
{
    f->count = 0;
    f->open = 0;
    for (int i = 0; i < parcel->alerts_count; i++)
        if (parcel->alerts[i].state != ALERT_RESOLVED)
            f->open |= 1u << parcel->alerts[i].type;
}

void findings_open(struct findings *f, const struct finding *what)
{
    CHECK(f->count < FINDINGS_MAX);
    CHECK(what->severity >= SEVERITY_INFO && what->severity <= SEVERITY_CRITICAL);
    f->list[f->count].verb = FINDING_OPEN;
    f->list[f->count].detector = f->current;
    f->list[f->count].at_s = f->at_s;
    f->list[f->count++].what = *what;
}

void findings_resolve(struct findings *f)
{
    if (!(f->open >> f->current & 1))
        return;
    CHECK(f->count < FINDINGS_MAX);
    f->list[f->count].verb = FINDING_RESOLVE;
    f->list[f->count].detector = f->current;
    f->list[f->count++].at_s = f->at_s;
}

const struct alert *alert_open_of(const struct parcel *parcel, uint8_t detector)
{
    for (int i = 0; i < parcel->alerts_count; i++)
        if (parcel->alerts[i].type == detector && parcel->alerts[i].state != ALERT_RESOLVED)
            return &parcel->alerts[i];
    return NULL;
}
