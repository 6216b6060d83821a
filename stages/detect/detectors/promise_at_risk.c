/* promise-at-risk - the estimate says it will come after its promise.
 *
 * Fires     when two estimates running say so.
 * Resolves  an estimate says no longer so, or it has arrived.
 * Severity  info when P90 is later than the promise, warning when P50 is.
 * Quiet     without promise or estimate, once the promise has passed (promise-broken), and while
 *           the model has not learned for twice as long as P90 says.
 * Sources   Twice running, because one estimate may only be the first in a new state; P90 and
 *           P50 are what the ETA records say, so a reader can follow the alert.  A young model
 *           has seen the fast ones end and has not judged its P90 yet: of generated parcels of
 *           its first week it flagged a third, of which one in twenty was late.
 * Example   promise Fri 18:00; P50 Thu, P90 Sat; and again  -> opened, info
 *           P50 Sat, twice                                  -> updated, warning
 *           P90 Fri 12:00                                   -> resolved
 */
#include "stages/detect/detectors/all.h"
#include "stages/detect/detectors/common.h"

static uint32_t promise_of(const struct sighting *s)
{
    return s->scan->promise_ms != 0 ? (uint32_t)(s->scan->promise_ms / 1000)
                                    : s->parcel->promise_s;
}

/* enum at_risk, by this estimate. */
static uint8_t risk_of(const struct sighting *s, uint32_t promise_s)
{
    return s->estimate->p50_s > promise_s ? AT_RISK_P50
         : s->estimate->p90_s > promise_s ? AT_RISK_P90 : AT_RISK_NO;
}

static void on_scan(const struct sighting *s, struct findings *found)
{
    uint32_t promise_s = promise_of(s);

    if (promise_s == 0 || s->class->late)
        return;
    if (!s->estimate->known) {
        if (code_table[s->scan->code].state == STATE_AT_STATION)
            findings_resolve(found);
        return;
    }
    uint8_t now = risk_of(s, promise_s), before = s->parcel->at_risk;
    uint8_t risk = now < before ? now : before;

    if (now == AT_RISK_NO)
        findings_resolve(found);
    if (risk == AT_RISK_NO || s->estimate->young || s->at_s >= promise_s)
        return;
    bool late = risk == AT_RISK_P50;

    findings_open(found, &(struct finding) {
        .severity   = late ? SEVERITY_WARNING : SEVERITY_INFO,
        .sentence   = late,
        .opened_s   = s->at_s,
        .deadline_s = promise_s,
        .at         = s->here != NAME_NONE ? s->here : s->parcel->at,
        .expected   = s->next,
        .value      = (int32_t)((late ? s->estimate->p50_s : s->estimate->p90_s) - promise_s),
    });
}

const struct detector detector_promise_at_risk = {
    .type      = "promise-at-risk",
    .summary   = "the estimate is later than the promise",
    .action    = "expedite",
    .unit      = "s",
    .owner     = OWNER_CARRIER,
    .codes     = ON_ANY,
    .sentences = {
        "may come {value} after its promise: let it go ahead of others at {at}",
        "is expected {value} after its promise: expedite it from {at}, or tell the recipient",
    },
    .on_scan   = on_scan,
};
