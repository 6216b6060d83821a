/* tell.c - alerts, ETAs and progress into OUTPUTS batches.
 *
 * What a scan causes is told at once.  Every change of an alert that a deadline opened waits
 * until a cut holds it (alert_queue.h), and estimates of a partition that is behind until its
 * next cut, the newest of each parcel (eta_queue.h).
 */
#include <string.h>

#include "pipeline/check.h"
#include "pipeline/clock.h"
#include "pipeline/metric.h"
#include "stages/activity/counts.h"
#include "stages/eta_queue.h"
#include "stages/kinds.h"
#include "stages/outlet/text_out.h"
#include "stages/outlet/trace.h"
#include "stages/tell.h"
#include "stages/track_parts.h"

enum { PER_SCAN_MAX = 24 /* outputs one scan or deadline may cause: alerts and an ETA */ };

static struct origin origin_of(const struct track *t, const struct partition *p,
                               int64_t offset, const struct parcel *parcel)
{
    return (struct origin){
        .source = t->source,
        .topic = t->topic,
        .partition = p->number,
        .offset = offset,
        .epoch = p->mark.epoch,
        .owner = p->mark.owner,
        .home = parcel != NULL ? parcel_home(parcel->number, parcel->number_length) : 0,
    };
}

static bool has_room(const struct batch *batch)
{
    const struct outputs *head = batch->head;

    return batch->count + PER_SCAN_MAX <= batch->capacity &&
           OUTPUTS_ARENA - head->used >= PER_SCAN_MAX * (OUTPUT_BYTES_MAX / 2 + TRACE_BYTES_MAX);
}

static void batch_emit(struct track *t, struct partition *p, struct batch **batch)
{
    struct outputs *head = (*batch)->head;

    CHECK(t->budget[TRACK_TO_KAFKA] > 0);
    t->budget[TRACK_TO_KAFKA]--;
    if (head->mode == OUTPUTS_AT_ONCE)
        head->ordinal = ++p->ordinal;
    if (head->mode == OUTPUTS_DEFERRED)
        p->deferred_out++;
    stage_emit(t->stage, TRACK_TO_KAFKA, batch);
}

/* *batch has room afterwards, or false: nothing may be written now. */
static bool batch_ready(struct track *t, struct partition *p, struct batch **batch, uint8_t mode)
{
    if (*batch != NULL && has_room(*batch))
        return true;
    if (*batch != NULL) {
        if (t->budget[TRACK_TO_KAFKA] == 0)
            return false;
        batch_emit(t, p, batch);
    }
    *batch = pool_take(t->outputs);
    if (*batch == NULL)
        return false;
    (*batch)->partition = p->number;
    (*batch)->assignment = p->assignment;
    struct outputs *head = (*batch)->head;

    head->mode = mode;
    return true;
}

/* Every estimate that waits goes into batches; false: not all, for want of room. */
static bool etas_flush(struct track *t, struct partition *p)
{
    struct origin origin = origin_of(t, p, -1, NULL);
    struct trace trace;

    if (p->etas == NULL)
        return true;
    origin.trace = &trace;
    while (eta_queue_count(p->etas) > 0) {
        if (!batch_ready(t, p, &p->outputs, OUTPUTS_AT_ONCE))
            return false;
        envelope_eta(p->outputs, &origin, eta_queue_take(p->etas, &trace));
    }
    return true;
}

bool tell_room(struct track *t, struct partition *p)
{
    if (p->etas != NULL && !eta_queue_has_room(p->etas) && !etas_flush(t, p))
        return false;
    return batch_ready(t, p, &p->outputs, OUTPUTS_AT_ONCE) &&
           alert_queue_count(&p->alerts) < ALERTS_WAITING_MAX;
}

static struct alert_change *change_add(struct partition *p, const struct parcel *parcel,
                                       const struct alert *alert)
{
    struct alert_change *change = alert_queue_add(&p->alerts);

    change->alert = *alert;
    change->offset = -1;
    change->cut = p->cut_ordinal + 1;
    change->sent = false;
    change->life = alert_life(parcel, alert);
    change->number_length = parcel->number_length;
    memcpy(change->number, parcel->number, parcel->number_length);
    return change;
}

/* The change beside its parcel as it is now. */
static struct alert alert_now(const struct alert_change *change, const struct parcel *parcel)
{
    const int before_max = UINT8_MAX / ALERT_LIFE_BEFORE;
    struct alert alert = change->alert;
    int before = parcel->life > change->life ? parcel->life - change->life : 0;

    alert.flags = (uint8_t)(alert.flags % ALERT_LIFE_BEFORE +
                            ALERT_LIFE_BEFORE * (before < before_max ? before : before_max));
    return alert;
}

void tell_alert(struct track *t, struct partition *p, const struct parcel *parcel,
                const struct alert *alert, const struct scan *scan)
{
    struct alert_change *change = change_add(p, parcel, alert);
    int64_t offset = scan != NULL ? scan->offset : p->position;
    bool mute = offset < p->suppress_below, held = alert->flags & ALERT_BY_DEADLINE;
    struct trace trace;

    trace_read(&trace, scan != NULL && (held || !mute) ? scan->message : NULL);
    if (held) {
        change->trace = trace.length > 0 ? alert_queue_trace(&trace) : NULL;
        return;
    }
    change->offset = offset;
    change->sent = true;
    metric_add(mute ? t->suppressed : t->alerts, 1);
    if (mute)
        return;
    struct origin origin = origin_of(t, p, offset, parcel);

    origin.trace = &trace;
    (void)envelope_alert(p->outputs, &origin, parcel, p->names, alert);
}

void tell_again(struct partition *p, const struct parcel *parcel)
{
    for (uint32_t i = 0; i < parcel->unsent_count; i++)
        change_add(p, parcel, &parcel->unsent[i])->cut = 0;
    p->alerts.indexed = p->alerts.count;
}

const struct output *tell_text(struct track *t, struct partition *p, const struct parcel *parcel,
                               const struct alert_change *change)
{
    struct outputs *head = t->scratch->head;
    struct origin origin = origin_of(t, p, change->offset, parcel);
    struct alert alert = alert_now(change, parcel);

    t->scratch->count = 0;
    head->used = 0;
    return envelope_alert(t->scratch, &origin, parcel, p->names, &alert);
}

void tell_held_alerts(struct track *t, struct partition *p)
{
    const struct alert_change *change;
    struct parcel parcel;

    uint64_t applied = p->applied;

#ifdef CANARY_unsent_early
    applied = p->cut_ordinal;   /* planted: told while the cut that holds it is on its way */
#endif
    while ((change = alert_queue_first(&p->alerts, applied)) != NULL) {
        if (!batch_ready(t, p, &p->deferred, OUTPUTS_DEFERRED))
            return;
        /* A parcel with changes unsent stays; one that is gone had them acknowledged. */
        if (follow_load(p, change->number, change->number_length, &parcel)) {
            struct origin origin = origin_of(t, p, -1, &parcel);
            struct alert alert = alert_now(change, &parcel);

            origin.trace = change->trace;
            metric_add(t->alerts, 1);
            (void)envelope_alert(p->deferred, &origin, &parcel, p->names, &alert);
        }
        alert_queue_pop(&p->alerts);
    }
}

void tell_eta(struct track *t, struct partition *p, const struct scan *scan,
              const struct eta *eta)
{
    struct trace trace;

    if (scan->offset < p->suppress_below) {
        metric_add(t->suppressed, 1);
        return;
    }
    metric_add(t->etas[eta->reason], 1);
    trace_read(&trace, scan->message);
    /* Behind one that waits even when the partition no longer lags: the newest is told last. */
    if (p->etas != NULL && (track_behind(t, p) || eta_queue_count(p->etas) > 0)) {
        metric_add(t->superseded, eta_queue_put(p->etas, scan->hash, eta, &trace));
        return;
    }
    struct origin origin = origin_of(t, p, scan->offset, NULL);

    origin.trace = &trace;
    envelope_eta(p->outputs, &origin, eta);
}

void tell_late_etas(struct track *t, struct partition *p, uint64_t now_ns)
{
    if (p->etas != NULL && (!track_behind(t, p) || cut_late(t, p, now_ns)))
        (void)etas_flush(t, p);
}

/* Never suppressed: told twice, they are the same counts. */
static bool minute_tell(struct track *t, struct partition *p)
{
    struct origin origin = origin_of(t, p, -1, NULL);

    do {
        if (!batch_ready(t, p, &p->outputs, OUTPUTS_AT_ONCE))
            return false;
    } while (envelope_activity(p->outputs, &origin, &p->minute));
    metric_add(t->minutes, 1);
    return true;
}

bool tell_minutes(struct track *t, struct partition *p, int64_t clock_ms)
{
    uint32_t now = (uint32_t)(clock_ms / MINUTE_MS);
    struct minute *m = &p->minute;

    while (counts_minute(p->counts) < now) {
        if (m->share == 0 && m->part == 0)
            *m = (struct minute){.counts = p->counts, .names = p->names, .until = now,
                                 .sources = p->mark.partitions, .shares = t->shares};
        if (counts_minute(p->counts) > 0 && !minute_tell(t, p))   /* 0: the first there is */
            return false;
        metric_add(t->subjects_refused, counts_refused(p->counts));
        counts_begin(p->counts, m->until);
        m->share = p->counts_parts = 0;
    }
    return true;
}

void tell_progress(struct track *t, struct partition *p, uint64_t now_ns)
{
    struct batch *batch = t->budget[TRACK_TO_KAFKA] > 0 ? pool_take(t->outputs) : NULL;

    if (batch == NULL)
        return;   /* it is said again with the next checkpoint */
    struct outputs *head = batch->head;
    struct origin origin = origin_of(t, p, p->mark.offset, NULL);
    int64_t lag = p->high > p->mark.offset ? p->high - p->mark.offset : 0;

    batch->partition = p->number;
    batch->assignment = p->assignment;
    head->mode = OUTPUTS_FREE;
    envelope_progress(batch, &origin, p->mark.offset, p->mark.clock_ms, lag, clock_wall_ms());
    p->progress_ns = now_ns + t->progress_ns;
    batch_emit(t, p, &batch);
}

void tell_drop(struct track *t, struct batch **batch)
{
    if (*batch == NULL)
        return;
    pool_give(t->outputs, batch);
}

static void flush(struct track *t, struct partition *p, struct batch **batch)
{
    if (*batch == NULL)
        return;
    if ((*batch)->count == 0)
        tell_drop(t, batch);   /* others may need it meanwhile */
    else if (t->budget[TRACK_TO_KAFKA] > 0)
        batch_emit(t, p, batch);
}

void tell_flush(struct track *t, struct partition *p, bool before_cut)
{
    if (before_cut && !etas_flush(t, p))
        return;
    flush(t, p, &p->outputs);
    flush(t, p, &p->deferred);
}

bool tell_flushed(const struct partition *p)
{
    return p->outputs == NULL && (p->etas == NULL || eta_queue_count(p->etas) == 0);
}
