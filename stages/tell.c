/* tell.c - alerts, ETAs and progress into OUTPUTS batches.
 *
 * Two batches are filled at a time: what is sent at once, and what waits for the
 * cut that will hold it (every change of an alert that a deadline opened).  Estimates of a
 * partition that is behind wait in a queue of their own (eta_queue.h).
 */
#include <string.h>

#include "pipeline/check.h"
#include "pipeline/clock.h"
#include "pipeline/metric.h"
#include "stages/eta_queue.h"
#include "stages/kinds.h"
#include "stages/outlet/text_out.h"
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
           OUTPUTS_ARENA - head->used >= PER_SCAN_MAX * (OUTPUT_BYTES_MAX / 2);
}

static void batch_emit(struct track *t, struct partition *p, struct batch **batch)
{
    struct outputs *head = (*batch)->head;

    CHECK(t->budget[TRACK_TO_KAFKA] > 0);
    t->budget[TRACK_TO_KAFKA]--;
    if (head->mode == OUTPUTS_AT_ONCE)
        head->ordinal = ++p->ordinal;
    if (head->mode == OUTPUTS_DEFERRED) {
        p->must_cut = true;
        p->deferred_out++;
    }
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
    if (mode == OUTPUTS_DEFERRED && t->deferred_held >= t->deferred_max)
        return false;
    *batch = pool_take(t->outputs);
    if (*batch == NULL)
        return false;
    (*batch)->partition = p->number;
    (*batch)->assignment = p->assignment;
    struct outputs *head = (*batch)->head;

    head->mode = mode;
    t->deferred_held += mode == OUTPUTS_DEFERRED;
    head->after = mode == OUTPUTS_DEFERRED ? p->cut_ordinal + 1 : 0;
    return true;
}

/* Every estimate that waits goes into batches; false: not all, for want of room. */
static bool etas_flush(struct track *t, struct partition *p)
{
    struct origin origin = origin_of(t, p, -1, NULL);

    if (p->etas == NULL)
        return true;
    while (eta_queue_count(p->etas) > 0) {
        if (!batch_ready(t, p, &p->outputs, OUTPUTS_AT_ONCE))
            return false;
        envelope_eta(p->outputs, &origin, eta_queue_take(p->etas));
    }
    return true;
}

bool tell_room(struct track *t, struct partition *p)
{
    if (p->etas != NULL && !eta_queue_has_room(p->etas) && !etas_flush(t, p))
        return false;
    return batch_ready(t, p, &p->outputs, OUTPUTS_AT_ONCE) &&
           batch_ready(t, p, &p->deferred, OUTPUTS_DEFERRED);
}

/* The open-alerts index follows every change. */
static void index_alert(struct partition *p, const struct alert *alert,
                        const struct output *output)
{
    char id[16];
    struct text_out field = {.at = id, .end = id + sizeof id};
    bool open = alert->state != ALERT_RESOLVED;

    out_hex16(&field, alert->id);
    cut_index(p, "open", id, sizeof id, open ? output->value : NULL, output->length);
}

/* Where suppressed outputs are written, so that the index knows their text. */
static struct batch *scratch_clean(struct track *t)
{
    struct outputs *head = t->scratch->head;

    t->scratch->count = 0;
    head->used = 0;
    return t->scratch;
}

void tell_alert(struct track *t, struct partition *p, const struct parcel *parcel,
                const struct alert *alert, int64_t offset)
{
    bool deferred = alert->flags & ALERT_BY_DEADLINE;
    bool mute = !deferred && offset < p->suppress_below;
    struct batch *batch = mute ? scratch_clean(t) : deferred ? p->deferred : p->outputs;
    struct origin origin = origin_of(t, p, deferred ? -1 : offset, parcel);

    metric_add(mute ? t->suppressed : t->alerts, 1);
    index_alert(p, alert, envelope_alert(batch, &origin, parcel, p->names, alert));
}

/* Came in with its record, and the index with it: it may be older than what the index says. */
void tell_again(struct track *t, struct partition *p, const struct parcel *parcel,
                const struct alert *alert)
{
    struct origin origin = origin_of(t, p, -1, parcel);

    metric_add(t->alerts, 1);
    envelope_alert(p->deferred, &origin, parcel, p->names, alert);
}

static bool is_behind(const struct track *t, const struct partition *p)
{
    return p->high - p->position > t->coalesce_lag;
}

void tell_eta(struct track *t, struct partition *p, uint64_t hash, const struct eta *eta,
              int64_t offset)
{
    if (offset < p->suppress_below) {
        metric_add(t->suppressed, 1);
        return;
    }
    metric_add(t->etas[eta->reason], 1);
    /* Behind one that waits even when the partition no longer lags: the newest is told last. */
    if (p->etas != NULL && (is_behind(t, p) || eta_queue_count(p->etas) > 0)) {
        metric_add(t->superseded, eta_queue_put(p->etas, hash, eta));
        return;
    }
    struct origin origin = origin_of(t, p, offset, NULL);

    envelope_eta(p->outputs, &origin, eta);
}

void tell_late_etas(struct track *t, struct partition *p, uint64_t now_ns)
{
    if (p->etas != NULL && (!is_behind(t, p) || now_ns >= p->cut_ns))
        (void)etas_flush(t, p);
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
    t->deferred_held -= ((struct outputs *)(*batch)->head)->mode == OUTPUTS_DEFERRED;
    pool_give(t->outputs, batch);
}

static void flush(struct track *t, struct partition *p, struct batch **batch, bool empty_only)
{
    if (*batch == NULL)
        return;
    if ((*batch)->count == 0)
        tell_drop(t, batch);   /* others may need it meanwhile */
    else if (!empty_only && t->budget[TRACK_TO_KAFKA] > 0)
        batch_emit(t, p, batch);
}

void tell_flush(struct track *t, struct partition *p, bool before_cut)
{
    if (before_cut && !etas_flush(t, p))
        return;
    flush(t, p, &p->outputs, false);
    flush(t, p, &p->deferred, !before_cut);
}

bool tell_flushed(const struct partition *p)
{
    return p->outputs == NULL && p->deferred == NULL &&
           (p->etas == NULL || eta_queue_count(p->etas) == 0);
}
