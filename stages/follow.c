/* follow.c - one scan, or one deadline, through the four steps.
 *
 *   dedup      what is this scan to its parcel?
 *   estimate   when will the parcel arrive, with this scan known?
 *   detect     what is wrong with it, or is not any more?
 *   apply      the record, and what is told of it
 *
 * Scan by scan, not step by step over a batch: two scans of one parcel often share
 * a batch.  Deadlines up to a record's clock fire before the record is applied.
 */
#include <string.h>

#include "pipeline/check.h"
#include "pipeline/metric.h"
#include "stages/activity/counts.h"
#include "stages/detect/detect.h"
#include "stages/detect/rulebook.h"
#include "stages/eta/model.h"
#include "stages/parcel/deadlines.h"
#include "stages/parcel/table.h"
#include "stages/reference/reference.h"
#include "stages/tell.h"
#include "stages/track_parts.h"

enum { AHEAD_MS_MAX = 300000, SAME_HASH_MAX = 8 };

static uint32_t clock_of(const struct partition *p)
{
    return (uint32_t)(p->clock_ms / 1000);
}

/* ── Parcels in and out of the table ──────────────────────────────────────── */

/* Copies what is in use: the arrays of a parcel are mostly empty. */
static void parcel_copy(struct parcel *to, const struct parcel *from)
{
    memcpy(to, from, offsetof(struct parcel, history));
    memcpy(to->history, from->history, from->history_count * sizeof from->history[0]);
    memcpy(to->deadlines, from->deadlines, from->deadlines_count * sizeof from->deadlines[0]);
    memcpy(to->alerts, from->alerts, from->alerts_count * sizeof from->alerts[0]);
    memcpy(to->unsent, from->unsent, from->unsent_count * sizeof from->unsent[0]);
}

static bool parcel_load(struct partition *p, uint64_t hash, const char *number, size_t length,
                        struct parcel *parcel)
{
    size_t size;
    const uint8_t *bytes = table_find(p->table, hash, number, length, &size);

    if (bytes == NULL)
        return false;
    int bad = record_unpack(bytes, size, parcel);
    CHECK(bad == 0);   /* we packed it */
    return true;
}

bool follow_load(struct partition *p, const char *number, size_t length, struct parcel *parcel)
{
    return parcel_load(p, parcel_hash(number, length), number, length, parcel);
}

void follow_arm(struct partition *p, uint64_t hash, const char *number, size_t length,
                uint32_t at_s)
{
    deadlines_arm(p->deadlines, at_s, table_hash32(hash));
    table_arm(p->table, hash, number, length, at_s);
}

/* One entry of the wheel stands for the earliest deadline; later ones follow when it fires. */
static void parcel_store(struct partition *p, uint64_t hash, const struct parcel *parcel)
{
    uint32_t first_s = UINT32_MAX, *armed_s = table_put(p->table, hash, parcel, true);

    for (uint32_t i = 0; i < parcel->deadlines_count; i++)
        if (parcel->deadlines[i].at_s < first_s)
            first_s = parcel->deadlines[i].at_s;
    if (first_s == UINT32_MAX || (*armed_s != 0 && *armed_s <= first_s))
        return;
    deadlines_arm(p->deadlines, first_s, table_hash32(hash));
    *armed_s = first_s;
}

static void changes_none(struct alert_changes *changes)
{
    changes->count = changes->refused = 0;
    changes->unsent_first = UNSENT_MAX;
}

/* ── What a change leads to ───────────────────────────────────────────────── */

static struct detect_context context_of(const struct track *t, struct partition *p,
                                        uint8_t service, uint32_t clock_s)
{
    if (p->rules[service] == NULL)
        p->rules[service] = rules_of(t->book->rules, names_text(p->names, NAME_SERVICE, service));
    return (struct detect_context){
        .set = p->rules[service],
        .model = p->model,
        .names = p->names,
        .reference = t->book->reference,
        .clock_s = clock_s,
    };
}

/* Tells the changes, and what has come among the unsent: from `unsent_first` on, or, where
 * the fold made two into one for want of room, from there. */
static void tell_changes(struct track *t, struct partition *p, const struct parcel *parcel,
                         const struct alert_changes *changes, uint32_t unsent_first,
                         const struct scan *scan)
{
    metric_add(t->refused, changes->refused);
    if (changes->unsent_first < unsent_first)
        unsent_first = changes->unsent_first;
    for (uint32_t i = 0; i < changes->count; i++)
        tell_alert(t, p, parcel, &changes->list[i], scan);
    for (uint32_t i = unsent_first; i < parcel->unsent_count; i++)
        tell_alert(t, p, parcel, &parcel->unsent[i], scan);
}

/* What a change of state means to whoever waits: on its way, in customs, with the courier … */
static int state_class(enum parcel_state state)
{
    switch (state) {
    case STATE_EXPORT_CUSTOMS:
    case STATE_IMPORT_CUSTOMS:
        return 1;
    case STATE_UNKNOWN:
    case STATE_LABELLED:
    case STATE_DECLARED:
    case STATE_COLLECTED:
    case STATE_IN_TRANSIT:
    case STATE_LINE_HAUL:
        return 0;
    default:
        return 2 + (int)state;
    }
}

/* What any message about its arrival says of the parcel. */
static struct eta eta_of(const struct parcel *parcel, enum eta_reason reason, uint32_t at_s,
                         uint32_t home)
{
    struct eta eta = {
        .number_length = parcel->number_length,
        .reason = (uint8_t)reason,
        .life = parcel->life,
        .sequence = parcel->eta_sequence,
        .home = home,
        .at_s = at_s,
        .promise_s = parcel->promise_s,
        .first_s = parcel->eta_first_s,
        .last_s = parcel->eta_last_s,
    };

    memcpy(eta.number, parcel->number, sizeof eta.number);
    return eta;
}

static void eta_tell(struct track *t, struct partition *p, struct parcel *parcel,
                     const struct estimate *estimate, bool state_changed, const struct scan *scan,
                     const struct noted *n)
{
    uint32_t clock_s = clock_of(p);

    if (!estimate->known || !estimate_moved(parcel, estimate, clock_s, state_changed))
        return;
    enum eta_reason reason = parcel->eta_sequence == 0 ? ETA_FIRST
                             : state_changed           ? ETA_STATE
                                                       : ETA_MOVED;
    int32_t moved_by_s = parcel->eta_last_s == 0 ? 0
                                                 : (int32_t)(estimate->p50_s - parcel->eta_last_s);

    if (parcel->eta_first_s == 0)
        parcel->eta_first_s = estimate->p50_s;
    parcel->eta_last_s = estimate->p50_s;
    parcel->eta_sequence++;
    struct eta eta = eta_of(parcel, reason, n->at_s, scan->home);

    eta.p50_s = estimate->p50_s;
    eta.p90_s = estimate->p90_s;
    eta.basis = estimate->basis;
    eta.moved_by_s = moved_by_s;
    tell_eta(t, p, scan, &eta);
}

static void eta_arrived(struct track *t, struct partition *p, struct parcel *parcel,
                        const struct scan *scan, const struct noted *n)
{
    parcel->eta_sequence++;
    struct eta eta = eta_of(parcel, ETA_ARRIVED, n->at_s, scan->home);

    tell_eta(t, p, scan, &eta);
}

/* The carrier's number leads to the parcel; numbers change at the border, and the index would
 * grow without end if it kept those of before. */
static void index_carrier(struct partition *p, const struct parcel *before,
                          const struct parcel *parcel)
{
    if (before->carrier_number_length == parcel->carrier_number_length &&
        memcmp(before->carrier_number, parcel->carrier_number,
               parcel->carrier_number_length) == 0)
        return;
    cut_carrier_forget(p, before);
    cut_index(p, "carrier", parcel->carrier_number, parcel->carrier_number_length,
              parcel->number, parcel->number_length);
}

/* Closes what is still open when a parcel, or a life of it, is over: told by way of the state. */
static void close_alerts(struct parcel *parcel, uint32_t at_s)
{
    for (uint32_t i = 0; i < parcel->alerts_count; i++) {
        struct alert *alert = &parcel->alerts[i];

        if (alert->state == ALERT_RESOLVED || parcel->unsent_count == UNSENT_MAX)
            continue;
        alert->state = ALERT_RESOLVED;
        alert->flags |= ALERT_BY_DEADLINE;
        alert->sequence++;
        alert->at_s = at_s;
        parcel->unsent[parcel->unsent_count++] = *alert;
    }
}

/* ── One scan ─────────────────────────────────────────────────────────────── */

/* What is unsent of a life goes on with the next one, and says of how many lives ago it is. */
static void unsent_outlive(struct parcel *after, const struct parcel *before)
{
    after->unsent_count = before->unsent_count;
    for (uint32_t i = 0; i < before->unsent_count; i++) {
        struct alert *alert = &after->unsent[i];

        *alert = before->unsent[i];
        if (alert->flags <= UINT8_MAX - ALERT_LIFE_BEFORE)
            alert->flags = (uint8_t)(alert->flags + ALERT_LIFE_BEFORE);
    }
}

struct step {
    struct parcel     before, after;
    struct classified class;
    struct noted      noted;
    struct estimate   estimate;
    bool              arrived;
    uint32_t          unsent_first;   /* what is new among the unsent begins here          */
};

/* The parcel the scan is about to change: as it was, its next life, or a new one. */
static void step_begin(const struct track *t, struct partition *p, const struct scan *scan,
                       struct step *s)
{
    bool old = s->noted.at_s + (uint64_t)t->retention.terminal_s < clock_of(p);

    if (s->before.life != 0 && !s->class.new_life) {
        parcel_copy(&s->after, &s->before);
        if (!old)   /* what began as history has come to the present */
            s->after.flags &= (uint16_t)~PARCEL_HISTORIC;
        return;
    }
    apply_begin(&s->after, scan, (uint16_t)(s->before.life + (s->before.life < UINT16_MAX)));
    if (s->before.life != 0) {   /* the old life ends; what it has not told must still be told */
        close_alerts(&s->before, s->noted.at_s);
        cut_carrier_forget(p, &s->before);
        unsent_outlive(&s->after, &s->before);
        parcel_copy(&s->before, &s->after);
        return;
    }
    if (old)
        s->after.flags |= PARCEL_HISTORIC;
    if (p->partial)
        s->after.flags |= PARCEL_PARTIAL;
}

/* When the scan was received: by Kafka, but not later than it is for the partition. */
static uint32_t received_of(const struct track *t, const struct scan *scan, uint32_t clock_s)
{
    uint32_t kafka_s = scan->kafka_ms < 0 ? 0 : (uint32_t)(scan->kafka_ms / 1000);

    return t->clock_by_event || kafka_s < clock_s ? kafka_s : clock_s;
}

static void step_detect(struct track *t, struct partition *p, const struct scan *scan,
                        struct step *s)
{
    uint32_t clock_s = clock_of(p);
    struct detect_context context = context_of(t, p, s->after.service, clock_s);

    context.received_s = received_of(t, scan, clock_s);
    struct findings findings;
    struct alert_changes changes;

    findings.count = 0;
    changes_none(&changes);
    detect_scan(&context, &s->before, scan, &s->class, &s->estimate, s->noted.here,
                s->noted.next, &findings);
    if (findings.count > 0)
        alerts_fold(&s->after, p->names, &findings, s->noted.at_s, false, &changes);
    detect_arm(&context, &s->after, scan, &s->estimate);
    tell_changes(t, p, &s->after, &changes, s->unsent_first, scan);
}

/* What the reference promises where no scan did: from PICKUP on. */
static void step_promise(const struct track *t, const struct partition *p,
                         const struct scan *scan, struct step *s)
{
    struct parcel *a = &s->after;

    if (scan->code == SCAN_PICKUP && a->promise_s == 0)
        a->promise_s = reference_promise_s(t->book->reference,
                                           names_text(p->names, NAME_PLACE, a->origin),
                                           names_text(p->names, NAME_PLACE, a->dest),
                                           names_text(p->names, NAME_SERVICE, a->service),
                                           s->noted.at_s);
}

static void step_learn(struct partition *p, const struct scan *scan, const struct step *s)
{
    uint32_t clock_s = clock_of(p);

    if (s->class.late || s->class.retracts)
        return;
    if (code_table[scan->code].physical && s->before.physical_s != 0)
        estimate_learn_dwell(p->model, &s->before, s->noted.at_s, clock_s);
    if (s->arrived && !(s->after.flags & PARCEL_PARTIAL))
        estimate_learn_arrival(p->model, &s->after, s->noted.at_s, clock_s);
}

static void step_effective(struct track *t, struct partition *p, const struct scan *scan,
                           struct step *s)
{
    uint32_t clock_s = clock_of(p);
    bool state_changed = state_class((enum parcel_state)s->before.state) !=
                         state_class((enum parcel_state)s->after.state);

    metric_add(t->effective, 1);
    metric_add(t->late, s->class.late);
    metric_add(t->lives, s->class.new_life || s->before.life == 0);
    if ((s->after.flags & PARCEL_TOMBSTONE) || s->class.undone)
        return;   /* an afterthought to a parcel whose history is forgotten; what never was */
    step_promise(t, p, scan, s);
    s->estimate = estimate_make(p->model, &s->after, clock_s);
    estimate_state(&s->after, &s->estimate);
    s->after.at_risk = estimate_at_risk(&s->after, &s->estimate);
    step_detect(t, p, scan, s);
    if (s->arrived)
        eta_arrived(t, p, &s->after, scan, &s->noted);
    else
        eta_tell(t, p, &s->after, &s->estimate, state_changed, scan, &s->noted);
    step_learn(p, scan, s);
}

/* For whoever watches facilities, lanes, carriers and couriers. */
static void step_count(struct partition *p, const struct scan *scan, const struct step *s,
                       name_id was_at)
{
    const struct counted counted = {
        .scan = scan,
        .here = s->noted.here,
        .carrier = s->after.carrier,
        .origin = s->after.origin,
        .dest = s->after.dest,
        .was_at = was_at,
        .is_at = counts_place(&s->after),
        .arrived = s->arrived,
    };

    counts_scan(p->counts, p->names, &counted);
}

bool follow_scan(struct track *t, struct partition *p, const struct scan *scan)
{
    struct step s;
    const char *number = scan_text(scan, scan->parcel);

    if (!follow_clock(t, p, follow_clock_of(t, scan->kafka_ms, scan->time_ms)) ||
        cut_full(t, p) || !tell_room(t, p))
        return false;
    if (scan_is_blank(scan))
        return true;
    if (!parcel_load(p, scan->hash, number, scan->parcel.length, &s.before))
        memset(&s.before, 0, offsetof(struct parcel, history));
    s.unsent_first = s.before.unsent_count;
    s.noted = apply_note(p->names, scan);
    s.class = dedup_classify(&s.before, scan, s.noted.here);
#ifdef CANARY_dedup_false
    if (scan->offset % 97 == 0)
        s.class.class = CLASS_DUPLICATE;   /* planted: a real scan is dropped */
#endif
    if (s.class.class == CLASS_DUPLICATE) {
        metric_add(t->duplicates, 1);
        return true;
    }
    name_id was_at = p->counts != NULL ? counts_place(&s.before) : NAME_NONE;

    step_begin(t, p, scan, &s);
    unsigned applied = apply_scan(&s.after, scan, &s.class, &s.noted);

    s.arrived = applied & APPLIED_ARRIVED;
    metric_add(t->documents_lost, (applied & APPLIED_DOCUMENT_LOST) != 0);
    if (s.class.class == CLASS_MERGED)
        metric_add(t->merged, 1);
    else
        step_effective(t, p, scan, &s);
    if (p->counts != NULL && s.class.class == CLASS_EFFECTIVE)
        step_count(p, scan, &s, was_at);
    if (scan->carrier_number.length != 0 && !(s.after.flags & PARCEL_TOMBSTONE))
        index_carrier(p, &s.before, &s.after);
    apply_house(&s.after, &t->retention, clock_of(p));
    parcel_store(p, scan->hash, &s.after);
    return true;
}

/* ── The clock ────────────────────────────────────────────────────────────── */

int64_t follow_clock_of(const struct track *t, int64_t kafka_ms, int64_t event_ms)
{
    if (t->clock_by_event)
        return event_ms - t->clock_tolerance_ms;
#ifdef CANARY_clock_future
    if (kafka_ms > t->wall_ms)   /* planted: the future moves the clock */
        return kafka_ms;
#endif
    if (kafka_ms < 0 || kafka_ms > t->wall_ms + AHEAD_MS_MAX) {
        metric_add(t->ahead, 1);
        return 0;
    }
    return kafka_ms < t->wall_ms ? kafka_ms : t->wall_ms;
}

static bool has_open_alerts(const struct parcel *parcel)
{
    for (uint32_t i = 0; i < parcel->alerts_count; i++)
        if (parcel->alerts[i].state != ALERT_RESOLVED)
            return true;
    return false;
}

enum house { HOUSE_KEPT, HOUSE_WAITS, HOUSE_GONE };

/* Shrinks or forgets a parcel whose time has come.  While alerts of it are unsent it waits, no
 * timer armed: their acknowledgement arms it again. */
static enum house house_keep(const struct track *t, struct partition *p, uint64_t hash,
                             struct parcel *parcel, uint32_t at_s)
{
    uint32_t due_s = apply_deadline(parcel, DEADLINE_HOUSE);

    if (due_s == 0 || due_s > at_s)
        return HOUSE_KEPT;
    close_alerts(parcel, at_s);
    if (parcel->unsent_count > 0 || has_open_alerts(parcel))
        return HOUSE_WAITS;
    if (state_terminal((enum parcel_state)parcel->state) &&
        !(parcel->flags & PARCEL_TOMBSTONE)) {
        cut_carrier_forget(p, parcel);   /* a tombstone does not keep it */
        apply_shrink(parcel, &t->retention, at_s);
        return HOUSE_KEPT;
    }
    if (p->counts != NULL)
        counts_hold(p->counts, p->names, counts_place(parcel), -1);
    cut_remove(p, parcel);
    table_remove(p->table, hash, parcel->number, parcel->number_length);
    return HOUSE_GONE;
}

/* A deadline of this parcel has passed. */
static void fire_parcel(struct track *t, struct partition *p, const struct revisit *who,
                        uint32_t at_s)
{
    struct parcel parcel;
    struct findings findings;
    struct alert_changes changes;

    if (!parcel_load(p, who->hash, who->number, who->number_length, &parcel))
        return;
    struct detect_context context = context_of(t, p, parcel.service, at_s);
    uint32_t unsent_before = parcel.unsent_count;

    findings.count = 0;
    changes_none(&changes);
    detect_deadline(&context, &parcel, &findings);
    if (findings.count > 0)
        alerts_fold(&parcel, p->names, &findings, at_s, true, &changes);
    metric_add(t->fired, findings.count);
    enum house house = house_keep(t, p, who->hash, &parcel, at_s);

    tell_changes(t, p, &parcel, &changes, unsent_before, NULL);
    if (house == HOUSE_KEPT)
        parcel_store(p, who->hash, &parcel);
    else if (house == HOUSE_WAITS)
        table_put(p->table, who->hash, &parcel, true);
}

/* Parcels whose armed entry this is: nearly always one, or none when the entry is stale. */
struct fired {
    uint32_t      at_s, count;
    struct revisit who[SAME_HASH_MAX];
};

static void fired_add(void *self, const uint8_t *bytes, size_t length, uint32_t armed_s)
{
    struct fired *fired = self;

    (void)length;
    if (armed_s != fired->at_s || fired->count == SAME_HASH_MAX)
        return;
    struct revisit *who = &fired->who[fired->count++];

    who->due_s = record_deadline_first(bytes);
    who->number_length = (uint8_t)record_number(bytes, who->number);
    who->hash = parcel_hash(who->number, who->number_length);
}

/* Most entries are of deadlines that have moved on since: they only take their new place. */
static void fire(struct track *t, struct partition *p, const struct revisit *who, uint32_t at_s)
{
    if (who->due_s > at_s) {
        follow_arm(p, who->hash, who->number, who->number_length, who->due_s);
        return;
    }
    table_arm(p->table, who->hash, who->number, who->number_length, 0);
    if (who->due_s != 0)
        fire_parcel(t, p, who, at_s);
}

/* Pops what is due, a few at a time, and brings their records nearer; false: nothing is. */
static bool due_take(struct partition *p, uint32_t target_s)
{
    if (p->due_next < p->due_count)
        return true;
    if (deadlines_next(p->deadlines) > target_s)
        return false;
    p->due_count = deadlines_due(p->deadlines, target_s, p->due_s, p->due_hash32, DUE_MAX);
    for (uint32_t i = 0; i < p->due_count; i++)
        table_prefetch_slot(p->table, (uint64_t)p->due_hash32[i] << 32);
    for (uint32_t i = 0; i < p->due_count; i++)
        table_prefetch_record(p->table, (uint64_t)p->due_hash32[i] << 32);
    p->due_next = 0;
    return p->due_count > 0;
}

bool follow_clock(struct track *t, struct partition *p, int64_t clock_ms)
{
    uint32_t target_s = (uint32_t)(clock_ms / 1000);

    if (clock_ms <= p->clock_ms)
        return true;
    if (p->counts != NULL && !tell_minutes(t, p, clock_ms))
        return false;
    while (due_take(p, target_s)) {
        struct fired fired = {.count = 0};

        if (cut_full(t, p) || !tell_room(t, p))
            return false;
        fired.at_s = p->due_s[p->due_next];
        table_each_hash(p->table, p->due_hash32[p->due_next++], fired_add, &fired);
        for (uint32_t i = 0; i < fired.count; i++)
            fire(t, p, &fired.who[i], fired.at_s);
    }
    p->clock_ms = clock_ms;
    return true;
}

/* ── Unsent alerts ────────────────────────────────────────────────────────── */

void follow_acknowledged(struct partition *p, const struct output *output)
{
    struct parcel parcel;
    uint64_t hash = parcel_hash(output->key, output->key_length);
    uint32_t i = 0;

    if (!parcel_load(p, hash, output->key, output->key_length, &parcel))
        return;
    while (i < parcel.unsent_count && (parcel.unsent[i].id != output->alert ||
                                       parcel.unsent[i].sequence != output->sequence))
        i++;
    if (i == parcel.unsent_count)
        return;
    parcel.unsent_count--;
    memmove(&parcel.unsent[i], &parcel.unsent[i + 1],
            (parcel.unsent_count - i) * sizeof parcel.unsent[0]);
    if (parcel.unsent_count == 0)
        parcel_store(p, hash, &parcel);
    else
        table_put(p->table, hash, &parcel, true);
}
