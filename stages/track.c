/* track - the stage that owns parcels.
 *
 * Each partition's scans and events wait in the order they came; a partition that
 * has to wait (its outputs, its checkpoint) holds no other.  What is done with a
 * scan is follow.c's business; this file decides whose turn it is.
 */
#include "stages/eta/priors.h"
#include "stages/track.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/check.h"
#include "pipeline/clock.h"
#include "pipeline/config.h"
#include "pipeline/error.h"
#include "pipeline/metric.h"
#include "stages/board.h"
#include "stages/detect/rulebook.h"
#include "stages/kinds.h"
#include "stages/parcel/table.h"
#include "stages/tell.h"
#include "stages/track_parts.h"

enum { PREFETCH_AHEAD = 8, TEXT_BYTES = 256 /* what most scans have */ };

static const struct metric_info info_effective = {
    "scans_effective_total", "Scans that changed their parcel.", METRIC_COUNTER};
static const struct metric_info info_merged = {
    "scans_merged_total", "Near duplicates: same code and facility within 10 minutes.",
    METRIC_COUNTER};
static const struct metric_info info_duplicates = {
    "scans_duplicate_total", "Exact duplicates, which changed nothing.", METRIC_COUNTER};
static const struct metric_info info_late = {
    "scans_late_total", "Effective scans older than their parcel's state.", METRIC_COUNTER};
static const struct metric_info info_lives = {
    "parcels_begun_total", "Parcels, and further lives of a number, first met.", METRIC_COUNTER};
static const struct metric_info info_alerts = {
    "alert_changes_total", "Changes of alerts told.", METRIC_COUNTER};
static const struct metric_info info_etas = {"etas_total", "Estimates told, by reason.",
                                            METRIC_COUNTER};
static const struct metric_info info_suppressed = {
    "outputs_suppressed_total", "Outputs not repeated while a committed offset was replayed.",
    METRIC_COUNTER};
static const struct metric_info info_superseded = {
    "etas_superseded_total",
    "Estimates not told because a newer one of the parcel came while the partition was behind.",
    METRIC_COUNTER};
static const struct metric_info info_fired = {
    "deadline_findings_total", "Findings of detectors whose deadline had passed.",
    METRIC_COUNTER};
static const struct metric_info info_ahead = {
    "timestamps_ahead_total",
    "Kafka timestamps that were missing or over 5 min ahead and did not move the clock.",
    METRIC_COUNTER};
static const struct metric_info info_loaded = {
    "parcels_loaded_total", "Parcels streamed in from Redis at an assignment.", METRIC_COUNTER};

static const struct metric_info info_refused = {
    "alert_changes_refused_total", "Alerts not opened because their parcel has too many already.",
    METRIC_COUNTER};

static const struct metric_info info_names_refused = {
    "names_refused_total",
    "Names of scans that a partition's dictionary of places, services or reasons has no room for.",
    METRIC_COUNTER};
static const struct metric_info info_documents_lost = {
    "documents_lost_total", "Documents not kept because their parcel has named four others.",
    METRIC_COUNTER};

static const struct metric_info info_minutes = {
    "activity_minutes_total", "Minutes whose counts were told.", METRIC_COUNTER};
static const struct metric_info info_subjects_refused = {
    "activity_refused_total",
    "Scans not counted in a subject because the minute has activity.subjects_max others.",
    METRIC_COUNTER};

static void metrics_open(struct track *t)
{
    char labels[32];

    snprintf(labels, sizeof labels, "worker=\"%u\"", stage_index(t->stage));
    t->effective = metric_open(&info_effective, labels);
    t->merged = metric_open(&info_merged, labels);
    t->duplicates = metric_open(&info_duplicates, labels);
    t->late = metric_open(&info_late, labels);
    t->lives = metric_open(&info_lives, labels);
    t->alerts = metric_open(&info_alerts, labels);
    for (int reason = 0; reason < ETA_REASONS; reason++) {
        char more[64];

        snprintf(more, sizeof more, "%s,reason=\"%s\"", labels,
                 eta_reason_name((enum eta_reason)reason));
        t->etas[reason] = metric_open(&info_etas, more);
    }
    t->suppressed = metric_open(&info_suppressed, labels);
    t->superseded = metric_open(&info_superseded, labels);
    t->fired = metric_open(&info_fired, labels);
    t->ahead = metric_open(&info_ahead, labels);
    t->loaded = metric_open(&info_loaded, labels);
    t->refused = metric_open(&info_refused, labels);
    t->names_refused = metric_open(&info_names_refused, labels);
    t->documents_lost = metric_open(&info_documents_lost, labels);
    t->minutes = metric_open(&info_minutes, labels);
    t->subjects_refused = metric_open(&info_subjects_refused, labels);
}

static void settings_read(struct track *t, const struct config *config)
{
    t->group = config_text(config, "kafka.group");
    t->topic = config_text(config, "kafka.topics.scans");
    t->source = config_text(config, "alerts.source");
    t->buckets = (uint32_t)config_integer(config, "redis.buckets");
    t->records_max = (uint32_t)config_integer(config, "checkpoint.records_max");
    t->catch_up_records = config_integer(config, "catch_up.records");
    t->catch_up_age_ms = config_ms(config, "catch_up.age");
    t->catch_up_interval_ns = (uint64_t)config_ms(config, "catch_up.interval") * 1000000;
    t->interval_ns = (uint64_t)config_ms(config, "checkpoint.interval") * 1000000;
    t->progress_ns = (uint64_t)config_ms(config, "progress.interval") * 1000000;
    t->shares = config_bool(config, "activity.enabled")
                    ? (uint32_t)config_integer(config, "activity.shares") : 0;
    t->subjects_max = (uint32_t)config_integer(config, "activity.subjects_max");
    t->clock_by_event = strcmp(config_text(config, "clock.mode"), "event") == 0;
    t->clock_tolerance_ms = config_ms(config, "clock.tolerance");
    t->model_cells_max = (uint32_t)config_integer(config, "model.cells_max");
    t->model_half_life_s = (uint32_t)(config_ms(config, "model.half_life") / 1000);
    t->model_shrink = config_real(config, "model.shrink");
    t->retention = (struct retention){
        .linger_s = (uint32_t)(config_ms(config, "retention.linger") / 1000),
        .terminal_s = (uint32_t)(config_ms(config, "retention.terminal") / 1000),
        .idle_s = (uint32_t)(config_ms(config, "retention.idle") / 1000),
    };
}

static int track_init(struct stage *stage, const struct config *config)
{
    struct track *t = stage_state(stage);
    struct batch_shape outputs = {
        .kind = KIND_OUTPUTS,
        .head_size = sizeof(struct outputs),
        .record_size = sizeof(struct output),
        .capacity = OUTPUTS_RECORDS,
        .arena_size = OUTPUTS_ARENA,
    };
    struct batch_shape requests = {.kind = KIND_WRITES, .head_size = sizeof(struct request)};

    t->stage = stage;
    settings_read(t, config);
    if (*config_text(config, "model.priors") != '\0') {
        t->priors = priors_read(config_text(config, "model.priors"));
        if (t->priors == NULL)
            return error_add("model.priors");
    }
    t->book = rulebook_join(config);
    if (t->book == NULL)
        return -1;
    if (stage_index(stage) == 0)
        rulebook_say(t->book);
    metrics_open(t);
    t->outputs = stage_pool(stage, TRACK_TO_KAFKA, &outputs);
    t->requests = stage_pool(stage, TRACK_TO_REDIS, &requests);
    t->scratch = pool_take(t->outputs);
    return 0;
}

/* Another rulebook is current: all that was looked up in the old one is forgotten. */
static void book_turn(struct track *t)
{
    t->book = rulebook_turn(t->book);
    for (uint32_t i = 0; i < t->owned_count; i++) {
        struct partition *p = t->partitions[t->owned[i]];

        memset(p->rules, 0, sizeof p->rules);
    }
}

static void call_begin(struct track *t)
{
    if (rulebook_is_old(t->book))
        book_turn(t);
    t->budget[TRACK_TO_KAFKA] = t->budget[TRACK_TO_REDIS] = TRACK_BURST;
    t->wall_ms = clock_wall_ms();
}

struct batch *waiting_take(struct partition *p)
{
    struct batch *batch = p->waiting[p->waiting_first];

    CHECK(p->waiting_count > 0);
    p->waiting_first = (p->waiting_first + 1) % WAITING_MAX;
    p->waiting_count--;
    p->cursor = 0;
    return batch;
}

bool track_behind(const struct track *t, const struct partition *p)
{
    return t->catch_up_records > 0 && p->high - p->position > t->catch_up_records &&
           t->wall_ms - p->last_kafka_ms > t->catch_up_age_ms;
}

/* ── One partition's turn ─────────────────────────────────────────────────── */

static void passage_finish(struct track *t, struct partition *p, struct batch *batch)
{
    struct passage *passage = batch->head;

#ifdef CANARY_commit_early
    p->commit = p->position;   /* planted: before Redis has it */
#endif
    if (p->lost) {
        passage->answer = ANSWER_RECLAIM;
    } else if (p->commit >= 0) {
        passage->answer = ANSWER_COMMIT;
        passage->offset = p->commit;
        passage->epoch = p->mark.epoch;
        p->commit = -1;
    }
    stage_finish(t->stage, &batch, OUTCOME_DONE);
}

/* The scan's record, and its texts, which decode read long ago. */
static void prefetch_scan(const struct partition *p, const struct scan *scan)
{
    table_prefetch_record(p->table, scan->hash);
    for (int at = 0; at < TEXT_BYTES; at += 64)
        __builtin_prefetch(scan->bytes + at);
}

static void prefetch(const struct partition *p, const struct batch *batch)
{
    const struct scan *scans = batch->records;

    for (uint32_t i = 0; i < batch->count; i++)
        table_prefetch_slot(p->table, scans[i].hash);
    for (uint32_t i = 0; i < batch->count && i < PREFETCH_AHEAD; i++)
        prefetch_scan(p, &scans[i]);
}

/* The batch's scans from where it was left; false: it has to wait. */
static bool work_scans(struct track *t, struct partition *p, const struct batch *batch)
{
    const struct scan *scans = batch->records;
    const struct passage *facts = batch->head;

    p->suppress_below = facts->suppress_below;
    if (p->cursor == 0)
        prefetch(p, batch);
    for (; p->cursor < batch->count; p->cursor++) {
        const struct scan *scan = &scans[p->cursor];

        if (p->cursor + PREFETCH_AHEAD < batch->count)
            prefetch_scan(p, &scans[p->cursor + PREFETCH_AHEAD]);
        if (!follow_scan(t, p, scan))
            return false;
        p->position = scan->offset + 1;
        p->last_kafka_ms = scan->kafka_ms;
        p->last_home = scan->home;
    }
    return true;
}

static bool work_pulse(struct track *t, struct partition *p, const struct passage *facts)
{
    p->high = facts->high;
    if (facts->complete_ms == 0 || t->clock_by_event)
        return true;
    return follow_clock(t, p, facts->complete_ms < t->wall_ms ? facts->complete_ms : t->wall_ms);
}

/* A pulse that has to wait while a cut waits for dead letters goes home undone: the next one
 * brings the news that the cut needs. */
static bool must_go_home(const struct partition *p)
{
    const struct passage *facts = p->waiting[p->waiting_first]->head;

    return facts->event == PASSAGE_PULSE && p->request_waits;
}

/* The passage at the head; false: it has to wait. */
static bool work_passage(struct track *t, struct partition *p)
{
    struct batch *batch = p->waiting[p->waiting_first];
    const struct passage *facts = batch->head;

    switch ((enum passage_event)facts->event) {
    case PASSAGE_SCANS:
        return work_scans(t, p, batch);
    case PASSAGE_PULSE:
        return work_pulse(t, p, facts);
    default:
        CHECK(facts->event == PASSAGE_REVOKE);
        p->phase = LIFE_RELEASING;
        p->order = waiting_take(p);
        CHECK(p->waiting_count == 0);
        board[p->number].phase = PHASE_RELEASING;
        return false;
    }
}

static int work(struct track *t, struct partition *p, uint64_t now_ns)
{
    int done = 0;

    if (p->phase != LIFE_RUNNING || p->lost)
        return 0;
    while (p->waiting_count > 0) {
        if (cut_due(t, p, now_ns))
            cut_take(t, p, now_ns);
        int64_t before = p->position;
        bool through = work_passage(t, p) || (p->waiting_count > 0 && must_go_home(p));

        done += p->position != before || through;
        if (!through)
            break;
        passage_finish(t, p, waiting_take(p));
    }
    struct board_row *row = &board[p->number];

    row->position = p->position;
    row->clock_ms = p->clock_ms;
    if (done > 0)
        row->moved_ms = t->wall_ms;
    return done;
}

/* Are the dead letters below the cut that waits for them acknowledged? */
static bool is_settled(const struct partition *p)
{
#ifdef CANARY_dead_unsettled
    return true;   /* planted: the cut does not wait for dead letters */
#endif
    return p->settled >= ((const struct request *)p->request->head)->mark.offset;
}

/* Has Kafka every change of an alert that the state holds? */
static bool all_told(struct track *t, struct partition *p)
{
    tell_held_alerts(t, p);
    tell_flush(t, p, false);
    return alert_queue_count(&p->alerts) == 0 && p->deferred == NULL && p->deferred_out == 0;
}

/* The last checkpoint of a partition that is to go; then it is let go. */
static int work_release(struct track *t, struct partition *p, uint64_t now_ns)
{
    if (p->lost) {
        own_end(t, p);
        return 1;
    }
    /* No passage will tell of its dead letters any more: the next owner reads on from the last
     * cut that was applied. */
    bool hopeless = p->request_waits && !is_settled(p);

    if (hopeless) {
        pool_give(t->requests, &p->request);
        p->request_waits = false;
    }
    if (p->request != NULL)
        return 0;
    if (!hopeless && !cut_clean(t, p))
        return cut_take(t, p, now_ns);
    if (!hopeless && !all_told(t, p))   /* once Kafka has them, nobody sends them again */
        return 0;
    struct passage *passage = p->order->head;

    passage->answer = ANSWER_COMMIT;
    passage->offset = p->mark.offset;
    passage->epoch = p->mark.epoch;
    stage_finish(t->stage, &p->order, OUTCOME_DONE);
    own_end(t, p);
    return 1;
}

/* ── The stage ────────────────────────────────────────────────────────────── */

static enum stage_verdict take_assign(struct track *t, struct batch *batch)
{
    struct partition *old = t->partitions[batch->partition];

    if (old != NULL) {   /* claimed again: the old life ends first */
        own_end(t, old);
        return STAGE_HOLD;
    }
    return own_begin(t, batch) ? STAGE_TAKEN : STAGE_HOLD;
}

static enum stage_verdict track_on_batch(struct stage *stage, struct batch *batch,
                                         uint64_t now_ns)
{
    struct track *t = stage_state(stage);
    struct passage *passage = batch->head;

    CHECK(batch->partition >= 0 && batch->partition < BOARD_PARTITIONS_MAX);
    call_begin(t);
    if (passage->event == PASSAGE_ASSIGN)
        return take_assign(t, batch);
    struct partition *p = t->partitions[batch->partition];

    if (p == NULL || p->assignment != batch->assignment || p->phase == LIFE_ENDING) {
        stage_finish(stage, &batch, OUTCOME_DONE);   /* of an assignment that is over */
        return STAGE_TAKEN;
    }
    if (passage->event == PASSAGE_LOST || (p->lost && passage->event == PASSAGE_REVOKE)) {
        stage_finish(stage, &batch, OUTCOME_DONE);
        own_end(t, p);
        return STAGE_TAKEN;
    }
    if (p->lost) {
        passage_finish(t, p, batch);
        return STAGE_TAKEN;
    }
    if (passage->settled > p->settled)   /* now: a cut may wait for it that this one waits for */
        p->settled = passage->settled;
    if (passage->event == PASSAGE_PULSE && p->waiting_count > 0) {
        p->high = passage->high;   /* it brings news to who waits, so the next one must come too */
        passage_finish(t, p, batch);
        return STAGE_TAKEN;
    }
    CHECK(p->waiting_count < WAITING_MAX);
    p->waiting[(p->waiting_first + p->waiting_count++) % WAITING_MAX] = batch;
    if (p->waiting_count == 1)
        work(t, p, now_ns);
    return STAGE_TAKEN;
}

/* A cut whose dead letters are acknowledged by now may go. */
static void request_settle(struct track *t, struct partition *p)
{
    if (!p->request_waits || !is_settled(p) || t->budget[TRACK_TO_REDIS] == 0)
        return;
    p->request_waits = false;
    request_emit(t, p->request);
}

static int tick_partition(struct track *t, struct partition *p, uint64_t now_ns)
{
    request_settle(t, p);
    if (p->phase == LIFE_ENDING) {
        own_end(t, p);
        return 0;
    }
    if (p->phase == LIFE_LOADING)
        return own_load(t, p);
    if (p->phase == LIFE_RELEASING)
        return work_release(t, p, now_ns);
    if (p->phase != LIFE_RUNNING || p->lost)
        return 0;
    int done = p->waiting_count > 0 ? work(t, p, now_ns) : 0;

    tell_held_alerts(t, p);
    if (cut_due(t, p, now_ns))
        done += cut_take(t, p, now_ns);
    if (now_ns >= p->progress_ns)
        tell_progress(t, p, now_ns);
    tell_late_etas(t, p, now_ns);
    tell_flush(t, p, false);
    return done;
}

static int track_on_tick(struct stage *stage, uint64_t now_ns)
{
    struct track *t = stage_state(stage);
    uint32_t count = t->owned_count;
    int done = 0;

    call_begin(t);
    t->tick_first = count > 0 ? (t->tick_first + 1) % count : 0;
    for (uint32_t i = 0; i < count; i++)
        done += tick_partition(t, t->partitions[t->owned[(t->tick_first + i) % count]], now_ns);
    CHECK(t->owned_count == count);   /* who is let go goes when its RELEASE is home */
    return done;
}

static void outputs_returned(struct partition *p, struct batch *batch)
{
    const struct outputs *head = batch->head;
    const struct output *records = batch->records;

    if (p == NULL || p->phase == LIFE_ENDING || head->mode != OUTPUTS_DEFERRED ||
        batch->outcome != OUTCOME_DONE)
        return;
    for (uint32_t i = 0; i < batch->count; i++)
        follow_acknowledged(p, &records[i]);
}

static void track_on_return(struct stage *stage, struct batch *batch)
{
    struct track *t = stage_state(stage);
    struct partition *p = t->partitions[batch->partition];

    if (p != NULL && p->assignment != batch->assignment)
        p = NULL;
    if (batch->kind == KIND_OUTPUTS) {
        if (p != NULL)
            p->deferred_out -= ((struct outputs *)batch->head)->mode == OUTPUTS_DEFERRED;
        outputs_returned(p, batch);
        tell_drop(t, &batch);
        return;
    }
    const struct request *request = batch->head;

    CHECK(p != NULL);
    if (request->kind == REQUEST_RELEASE)
        own_free(t, p);
    else
        own_answered(t, p, batch);
    pool_give(t->requests, &batch);
}

static int track_on_drain(struct stage *stage, uint64_t now_ns)
{
    struct track *t = stage_state(stage);

    (void)now_ns;
    call_begin(t);
    for (uint32_t i = t->owned_count; i-- > 0;)
        own_end(t, t->partitions[t->owned[i]]);
    return (int)t->owned_count;
}

static void track_fini(struct stage *stage)
{
    struct track *t = stage_state(stage);

    while (t->owned_count > 0)
        own_free(t, t->partitions[t->owned[0]]);
    pool_give(t->outputs, &t->scratch);
    buffer_free(&t->open);
    buffer_free(&t->closed);
    buffer_free(&t->counted);
    pool_destroy(t->outputs);
    pool_destroy(t->requests);
    rulebook_leave(t->book);
    priors_destroy(t->priors);
    free(t->cut_rows);
    free(t->cut_ends);
}

const struct stage_type stage_track = {
    .name = "track",
    .state_size = sizeof(struct track),
    .inputs_min = 1, .inputs_max = 1,
    .outputs_min = 2, .outputs_max = 2,
    .burst = TRACK_BURST,
    .init = track_init,
    .on_batch = track_on_batch,
    .on_tick = track_on_tick,
    .on_return = track_on_return,
    .on_drain = track_on_drain,
    .fini = track_fini,
};
