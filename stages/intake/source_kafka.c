/* source_kafka - scans out of Kafka, in order, from where Redis says.
 *
 * Input     the consumer port's events and messages
 * Output    RAW to decode: scans, and the events of each partition's ownership, in
 *           the order in which they happened
 * Answers   come home in the same batches: where to begin, what may be committed,
 *           claim again, stop
 *
 * The group's assignment is not taken at its word: each partition is claimed (see
 * source_claim.c), and the client is told where to begin in one assign() for all
 * that were claimed within COLLECT_NS; stragglers are seeked later.  When the group
 * takes partitions back, it waits until track has let go of each and the last
 * offsets are committed.  The client is polled on every turn, whatever is full, so
 * that the group does not take us for dead.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/check.h"
#include "pipeline/clock.h"
#include "pipeline/config.h"
#include "pipeline/error.h"
#include "pipeline/log.h"
#include "pipeline/metric.h"
#include "pipeline/stage.h"
#include "stages/intake/intake.h"
#include "stages/intake/source.h"
#include "stages/ports.h"
#include "stages/settings.h"

#define ROOM "source_kafka"

enum { EVENTS_PER_TURN = 64, POOL_LEAST = 32 };

#define CHORES_NS  (1 * MS_NS)
#define COLLECT_NS (2000 * MS_NS)  /* claims wait so long for each other                       */
#define AGAIN_NS   (1000 * MS_NS)

static const struct metric_info messages_info = {
    "messages_read_total", "Messages taken from the scan topic.", METRIC_COUNTER};
static const struct metric_info claims_info = {
    "claims_total", "Partitions claimed after the group accepted our commit.", METRIC_COUNTER};
static const struct metric_info reclaims_info = {
    "reclaims_total", "Claims repeated because mark was not ours any more.", METRIC_COUNTER};
static const struct metric_info stopped_info = {
    "partition_stops_total", "Times a partition refused to go on.", METRIC_COUNTER};
static const struct metric_info commits_info = {
    "commits_total", "Offsets sent to the consumer group.", METRIC_COUNTER};
static const struct metric_info refused_info = {
    "commits_refused_total", "Commits refused because the group counts us out.", METRIC_COUNTER};
static const struct metric_info gaps_info = {
    "gap_records_total", "Records that Kafka no longer had, passed over by --accept-gap.",
    METRIC_COUNTER};
static const struct metric_info rebalances_info = {
    "rebalances_total", "Assignments taken back by the group.", METRIC_COUNTER};

static void wake(void *stage)
{
    stage_wake(stage);
}

static void open_metrics(struct source *source)
{
    source->messages = metric_open(&messages_info, "");
    source->claims = metric_open(&claims_info, "");
    source->reclaims = metric_open(&reclaims_info, "");
    source->stopped = metric_open(&stopped_info, "");
    source->commits = metric_open(&commits_info, "");
    source->refused = metric_open(&refused_info, "");
    source->gaps = metric_open(&gaps_info, "");
    source->rebalances = metric_open(&rebalances_info, "");
}

static int init(struct stage *stage, const struct config *config)
{
    struct source           *source = stage_state(stage);
    const struct batch_shape shape = {.kind = KIND_RAW, .head_size = sizeof(struct passage),
                                      .record_size = sizeof(struct raw), .capacity = RAW_RECORDS};

    source->stage = stage;
    memory_open(&source->memory, config);
    source->accept_gap = config_bool(config, "kafka.accept_gap");
    source->idle_advance = config_bool(config, "clock.idle_advance") &&
                           strcmp(config_text(config, "clock.mode"), "kafka") == 0;
    source->config_hash = settings_hash(config);
    for (int32_t p = 0; p < SOURCE_PARTITIONS_MAX; p++)
        source->seats[p].partition = p;
    open_metrics(source);
    if (start_read(config, &source->start) != 0)
        return -1;
    source->pool = stage_pool(stage, 0, &shape);
    CHECK(pool_size(source->pool) >= POOL_LEAST);
    if (ports.consumer_open(config, wake, stage, &source->consumer) == 0)
        return 0;
    pool_destroy(source->pool);
    return -1;
}

static void fini(struct stage *stage)
{
    struct source *source = stage_state(stage);

    source->consumer.ops->close(source->consumer.self);
    pool_destroy(source->pool);
    atomic_store(&board_held, NULL);
}

/* ── seats taken and given back ── */

static void seat_add(struct source *source, struct seat *seat)
{
    CHECK(source->mine_count < SOURCE_PARTITIONS_MAX);
    source->mine[source->mine_count++] = seat->partition;
}

static void seat_remove(struct source *source, struct seat *seat)
{
    uint32_t i = 0;

    while (source->mine[i] != seat->partition)
        CHECK(++i < source->mine_count);
    source->mine[i] = source->mine[--source->mine_count];
    seat->state = SEAT_NONE;
    seat->owes = OWES_NOTHING;
    seat->assignment = seat->told = 0;
    seat->sent.offset = -1;
    board_clear(seat->partition);
}

/* Lets the partition go: with a last checkpoint, or at once when it is lost or nothing of it
 * was read yet. */
static void seat_release(struct source *source, struct seat *seat, bool lost, uint64_t now_ns)
{
    if (seat->state == SEAT_RELEASING && !lost)
        return;
    lost = lost || seat->state == SEAT_CLAIMING;
    seat->state = SEAT_RELEASING;
    seat->due_ns = now_ns + SOURCE_RELEASE_NS;
    if (seat->told == 0) {
        seat_remove(source, seat);
        return;
    }
    /* Once lost stays lost: a fenced one whose LOST is not out yet gets no REVOKE instead. */
    seat->owes = lost || seat->owes == OWES_LOST ? OWES_LOST : OWES_REVOKE;
    seat->revoke_home = false;
    atomic_store(&board[seat->partition].phase, PHASE_RELEASING);
}

static void release_all(struct source *source, bool lost, uint64_t now_ns)
{
    for (uint32_t i = source->mine_count; i-- > 0;) /* a removal moves the last one down */
        seat_release(source, &source->seats[source->mine[i]], lost, now_ns);
}

/* RELEASING: has it gone?  Either LOST was said, or track is back and the commit is through. */
static void finish_release(struct source *source, struct seat *seat, uint64_t now_ns)
{
    bool late = now_ns >= seat->due_ns;

    if (seat->told == 0 || (seat->revoke_home && (late || !seat_uncommitted(seat)))) {
        seat_remove(source, seat);
    } else if (late && seat->owes != OWES_LOST) {
        log_warning(ROOM, "partition %" PRId32 ": not let go within %d s, taken away",
                    seat->partition, (int)(SOURCE_RELEASE_NS / (1000 * MS_NS)));
        seat->owes = OWES_LOST;
    }
}

/* ── what the client says ── */

static void assigned(struct source *source, const struct consumer_event *event, uint64_t now_ns)
{
    board_lost_ms = 0;
    source->unassign_due = false;
    source->assign_due = true;
    source->assign_by_ns = now_ns + COLLECT_NS;
    log_info(ROOM, "the group assigns %" PRId32 " partitions", event->count);
    for (int32_t i = 0; i < event->count; i++) {
        struct seat *seat = &source->seats[event->partitions[i]];

        if (seat->state == SEAT_NONE)
            seat_add(source, seat);
        seat_claim(source, seat, false, now_ns);
    }
}

static void revoked(struct source *source, bool lost, uint64_t now_ns)
{
    metric_add(source->rebalances, 1);
    log_info(ROOM, "the group takes all partitions back%s", lost ? "; they are lost already" : "");
    if (lost)
        board_lost_ms = clock_wall_ms();
    source->assign_due = false;
    source->unassign_due = true;
    release_all(source, lost, now_ns);
}

/* The client waits for an answer: take all on, or give all back. */
static void settle(struct source *source, uint64_t now_ns)
{
    struct consumer *consumer = &source->consumer;
    int64_t          offsets[SOURCE_PARTITIONS_MAX];
    bool             all = true;

    if (source->unassign_due) {
        for (uint32_t i = 0; i < source->mine_count; i++)
            if (source->seats[source->mine[i]].owes != OWES_LOST)
                return;
        source->unassign_due = consumer->ops->assign(consumer->self, NULL, NULL, 0) != 0;
        return;
    }
    if (!source->assign_due)
        return;
    for (uint32_t i = 0; i < source->mine_count; i++) {
        const struct seat *seat = &source->seats[source->mine[i]];

        offsets[i] = seat->state == SEAT_SEEKING ? seat_from(seat) : -1;
        all = all && (seat->state == SEAT_SEEKING || seat->state == SEAT_STOPPED);
    }
    if (!all && now_ns < source->assign_by_ns)
        return;
    if (consumer->ops->assign(consumer->self, source->mine, offsets,
                              (int)source->mine_count) != 0) {
        log_warning(ROOM, "the assignment can't be taken on: %s", error_text());
        error_clear();
        source->assign_by_ns = now_ns + AGAIN_NS;
        return;
    }
    source->assign_due = false;
    for (uint32_t i = 0; i < source->mine_count; i++)
        if (offsets[i] >= 0)
            seat_placed(&source->seats[source->mine[i]], now_ns);
}

static void commit_answered(struct source *source, const struct consumer_event *event,
                            uint64_t now_ns)
{
    struct seat *seat = &source->seats[event->partition];

    if (seat->state == SEAT_COMMITTING && event->offset == seat->group_offset) {
        seat_committed(source, seat, (enum consumer_error)event->error, now_ns);
        return;
    }
    if (seat->sent.offset < 0 || event->offset != seat->sent.offset)
        return; /* an answer given up for lost, or one said twice */
    seat->sent.offset = -1;
    if (event->error == CONSUMER_FENCED) {
        seat->wanted.offset = -1;
        seat_fenced(source, seat, now_ns);
    } else if (event->error == CONSUMER_RETRY) {
        seat->commit_ns = now_ns + AGAIN_NS;
    } else {
        seat->committed = (struct commit){event->offset, seat->sent.epoch};
        atomic_store(&board[seat->partition].committed, event->offset);
    }
}

/* Keyed state is as many parts as there were partitions: with another count, a parcel's next
 * scan comes to a partition that does not know it. */
static void stop_split(struct source *source)
{
    for (uint32_t i = 0; i < source->mine_count; i++)
        seat_stop(source, &source->seats[source->mine[i]],
                  "the topic has %" PRId32 " partitions now and had %" PRId32 ": parcels would "
                  "be split; stop the producers, drain, then run `peakline reshard`",
                  source->count_now, source->count);
}

static void counted(struct source *source, int32_t count)
{
    if (count <= 0 || count == source->count_now)
        return;
    source->count_now = count;
    if (source->count == 0) {
        source->count = count;
        board_partitions = count;
    } else if (count != source->count) {
        stop_split(source);
    }
}

static int take_event(struct source *source, const struct consumer_event *event, uint64_t now_ns)
{
    struct seat *seat = &source->seats[event->partition];

    switch ((enum consumer_event_kind)event->kind) {
    case CONSUMER_ASSIGNED:  assigned(source, event, now_ns); break;
    case CONSUMER_REVOKED:   revoked(source, false, now_ns); break;
    case CONSUMER_LOST:      revoked(source, true, now_ns); break;
    case CONSUMER_POSITION:  seat_position(source, seat, event, now_ns); break;
    case CONSUMER_COMMITTED: commit_answered(source, event, now_ns); break;
    case CONSUMER_COUNT:     counted(source, event->count); break;
    case CONSUMER_GAP:
        if (seat->state == SEAT_VERIFYING || seat->state == SEAT_FEEDING)
            seat_locate(seat, now_ns);
        break;
    case CONSUMER_FATAL:
        return error_set("%s", event->text);
    }
    return 0;
}

/* Refuses what no board row stands for. */
static int check_event(const struct consumer_event *event)
{
    if (event->partition < 0 || event->partition >= SOURCE_PARTITIONS_MAX)
        return error_set("partition %" PRId32 ": at most %d partitions", event->partition,
                         SOURCE_PARTITIONS_MAX);
    for (int32_t i = 0; event->kind == CONSUMER_ASSIGNED && i < event->count; i++)
        if (event->partitions[i] < 0 || event->partitions[i] >= SOURCE_PARTITIONS_MAX)
            return error_set("partition %" PRId32 ": at most %d partitions",
                             event->partitions[i], SOURCE_PARTITIONS_MAX);
    return 0;
}

/* Events taken, or -1. */
static int take_events(struct source *source, uint64_t now_ns)
{
    struct consumer_event event;
    int                   work = 0;

    if (source->count == 0)
        counted(source, source->consumer.ops->partition_count(source->consumer.self));
    while (work < EVENTS_PER_TURN &&
           source->consumer.ops->poll(source->consumer.self, &event)) {
        work++;
        if (check_event(&event) != 0)
            return -1;
        if (source->draining && event.kind == CONSUMER_ASSIGNED)
            (void)source->consumer.ops->assign(source->consumer.self, NULL, NULL, 0);
        else if (take_event(source, &event, now_ns) != 0)
            return -1;
    }
    return work;
}

/* ── the stage ── */

/* What is due for each seat; emits what each owes. */
static int chores(struct source *source, uint64_t now_ns)
{
    int work = 0;

    for (uint32_t i = source->mine_count; i-- > 0;) {
        struct seat *seat = &source->seats[source->mine[i]];

        if (source->count_now != source->count && seat->state == SEAT_WAITING)
            stop_split(source);
        seat_step(source, seat, now_ns);
        seat_commit(source, seat, now_ns);
        work += source_tell(source, seat, now_ns);
        work += source_pulse(source, seat, now_ns);
        if (seat->state == SEAT_RELEASING)
            finish_release(source, seat, now_ns);
    }
    settle(source, now_ns);
    return work;
}

static int on_tick(struct stage *stage, uint64_t now_ns)
{
    struct source *source = stage_state(stage);
    int            work = take_events(source, now_ns);

    if (work < 0 || source->drained)
        return work;
    source->budget = SOURCE_BURST;
    if (work > 0 || now_ns - source->chores_ns >= CHORES_NS) {
        source->chores_ns = now_ns;
        memory_look(&source->memory, now_ns);
        work += chores(source, now_ns);
    }
    return work + source_feed(source, now_ns);
}

static int on_blocked(struct stage *stage, uint64_t now_ns)
{
    return take_events(stage_state(stage), now_ns);
}

static int on_drain(struct stage *stage, uint64_t now_ns)
{
    struct source *source = stage_state(stage);

    if (!source->draining) {
        source->draining = true;
        source->assign_due = false;
        source->unassign_due = true;
        release_all(source, false, now_ns);
    }
    source->budget = SOURCE_BURST;
    (void)chores(source, now_ns);
    source->drained = source->mine_count == 0;
    return (int)source->mine_count;
}

/* ── answers ── */

static void answered(struct source *source, struct seat *seat, const struct passage *passage)
{
    switch ((enum passage_answer)passage->answer) {
    case ANSWER_START:
        if (seat->state == SEAT_CLAIMING)
            seat_start(seat, passage, clock_monotonic_ns());
        break;
    case ANSWER_COMMIT: /* a batch with dead letters comes home late, its answer is old by then */
        if (passage->offset > seat->wanted.offset)
            seat->wanted = (struct commit){passage->offset, passage->epoch};
        break;
    case ANSWER_RECLAIM:
        if (seat->state == SEAT_RELEASING || seat->state == SEAT_STOPPED)
            break;
        metric_add(source->reclaims, 1);
        seat_claim(source, seat, true, clock_monotonic_ns());
        break;
    case ANSWER_STOP:
        seat_stop(source, seat, "%s", passage->text);
        break;
    case ANSWER_NONE: /* a claim without an answer was given up further down */
        if (passage->event == PASSAGE_ASSIGN && seat->state == SEAT_CLAIMING)
            seat_claim(source, seat, true, clock_monotonic_ns());
        break;
    }
}

static void on_return(struct stage *stage, struct batch *batch)
{
    struct source        *source = stage_state(stage);
    struct seat          *seat = &source->seats[batch->partition];
    const struct passage *passage = batch->head;

    if (passage->event == PASSAGE_SCANS) {
        CHECK(seat->out > 0);
        seat->out--;
        source->consumer.ops->release(source->consumer.self, batch->records, batch->count);
#ifdef CANARY_double_release
        if (passage->answer == ANSWER_RECLAIM)   /* planted: what was refused goes back twice */
            source->consumer.ops->release(source->consumer.self, batch->records, batch->count);
#endif
    } else if (passage->event == PASSAGE_PULSE) {
        seat->pulse_out = false;
    }
    if (batch->assignment == seat->told && passage->event == PASSAGE_REVOKE &&
        seat->state == SEAT_RELEASING)
        seat->revoke_home = true;
    if (seat->state != SEAT_NONE && batch->assignment == seat->assignment) {
        if (passage->event == PASSAGE_SCANS)
            atomic_store(&board[seat->partition].moved_ms, clock_wall_ms());
        answered(source, seat, passage);
    }
    pool_give(source->pool, &batch);
}

const struct stage_type stage_source_kafka = {
    .name        = "source_kafka",
    .state_size  = sizeof(struct source),
    .outputs_min = 1,
    .outputs_max = 1,
    .burst       = SOURCE_BURST,
    .init        = init,
    .on_tick     = on_tick,
    .on_blocked  = on_blocked,
    .on_return   = on_return,
    .on_drain    = on_drain,
    .fini        = fini,
};
