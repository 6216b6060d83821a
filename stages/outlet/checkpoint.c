/* checkpoint - the gate between what a worker has done and what the world may know.
 *
 * Everything a partition sends passes here.  Its outputs go on to Kafka and are
 * counted until acknowledged; its cut waits until every output caused below the
 * cut's offset is; then cut and mark go to Redis in one guarded transaction.
 *
 *   WAITING ──acknowledged──► WRITING ──applied──► told to track
 *                               │ unsent: again, the same bytes
 *                               └ unknown ──► ASKING ──► applied | again | lost
 *
 * Only this file knows what mark is believed to be.  Whoever finds another mark
 * than the believed one has lost the partition: it writes and sends nothing more
 * until track has claimed it again.
 */
#include <stdio.h>
#include <stdlib.h>

#include "pipeline/check.h"
#include "pipeline/clock.h"
#include "pipeline/ledger.h"
#include "pipeline/log.h"
#include "pipeline/metric.h"
#include "pipeline/stage.h"
#include "stages/kinds.h"
#include "stages/outlet/outlet.h"
#include "stages/outlet/output.h"
#include "stages/outlet/seat.h"

enum { BURST = 8, LEDGER_MAX = 256 };

/* Half of the shortest session that brokers grant by default (6 s): who was away for
 * longer may have been replaced, and looks at mark before it sends anything. */
#define PAUSE_NS     3000000000ull

static const struct metric_info info_applied = {
    "checkpoints_total", "Checkpoints applied in Redis.", METRIC_COUNTER};
static const struct metric_info info_lost = {
    "checkpoints_lost_total", "Checkpoints given up because mark was not ours any more.",
    METRIC_COUNTER};
static const struct metric_info info_asked = {
    "checkpoints_asked_total", "Checkpoints whose answer was lost, so that mark was read.",
    METRIC_COUNTER};
static const struct metric_info info_paused = {
    "pauses_total", "Times this process was away so long that it looked at mark first.",
    METRIC_COUNTER};

static const struct metric_info info_refused = {
    "redis_refused_total",
    "Requests that Redis refused: oom, readonly, misconf (disk), cluster, other.", METRIC_COUNTER};

static int checkpoint_init(struct stage *stage, const struct config *config)
{
    struct checkpoint *x = stage_state(stage);
    struct batch_shape shape = {.kind = KIND_WRITES, .head_size = sizeof(struct request)};
    char labels[32];

    (void)config;
    snprintf(labels, sizeof labels, "worker=\"%u\"", stage_index(stage));
    x->probes = stage_pool(stage, TO_REDIS, &shape);
    x->applied = metric_open(&info_applied, labels);
    x->lost = metric_open(&info_lost, labels);
    x->asked = metric_open(&info_asked, labels);
    x->paused = metric_open(&info_paused, labels);
    for (int i = 0; i < REFUSALS; i++) {
        char more[48];

        snprintf(more, sizeof more, "%s,kind=\"%s\"", labels, refusal_names[i]);
        x->refused[i] = metric_open(&info_refused, more);
    }
    x->turned_ns = clock_boot_ns();
    return 0;
}

struct seat *seat_find(struct checkpoint *x, const struct batch *batch)
{
    CHECK(batch->partition >= 0 && batch->partition < SEATS_MAX);
    struct seat *seat = x->seats[batch->partition];

    return seat != NULL && seat->assignment == batch->assignment ? seat : NULL;
}

static struct seat *seat_take(struct checkpoint *x, const struct batch *batch)
{
    struct seat *seat = calloc(1, sizeof *seat);

    CHECK(seat != NULL && x->seats[batch->partition] == NULL);
    seat->partition = batch->partition;
    seat->assignment = batch->assignment;
    seat->ledger = ledger_create(LEDGER_MAX, 1);
    x->seats[batch->partition] = seat;
    x->owned[x->owned_count++] = batch->partition;
    return seat;
}

static void seat_drop(struct checkpoint *x, struct seat *seat)
{
    uint32_t i = 0;

    CHECK(seat->errand == NULL && seat->probe == NULL);
    while (x->owned[i] != seat->partition)
        i++;
    x->owned[i] = x->owned[--x->owned_count];
    x->seats[seat->partition] = NULL;
    ledger_destroy(seat->ledger);
    free(seat);
}

/* ── Outputs ──────────────────────────────────────────────────────────────── */

static void output_forward(struct stage *stage, struct seat *seat, struct batch *batch)
{
    const struct outputs *head = batch->head;

    if (head->mode == OUTPUTS_AT_ONCE)
        ledger_open(seat->ledger, (int64_t)head->ordinal);
    stage_emit(stage, TO_KAFKA, &batch);
}

static enum stage_verdict take_outputs(struct stage *stage, struct batch *batch)
{
    struct checkpoint *x = stage_state(stage);
    struct seat *seat = seat_find(x, batch);
    const struct outputs *head = batch->head;

    if (seat == NULL || seat->state == SEAT_LOST) {
        stage_finish(stage, &batch, OUTCOME_FAILED);
        return STAGE_TAKEN;
    }
    CHECK(seat->state == SEAT_OWNED);
    if (seat->must_look)
        return STAGE_HOLD;
    if (head->mode == OUTPUTS_AT_ONCE && ledger_room(seat->ledger) == 0)
        return STAGE_HOLD;
    output_forward(stage, seat, batch);
    return STAGE_TAKEN;
}

/* ── Answers ──────────────────────────────────────────────────────────────── */

void seat_lose(struct stage *stage, struct seat *seat, const char *how)
{
    struct checkpoint *x = stage_state(stage);

    if (seat->state != SEAT_LOST) {
        metric_add(x->lost, 1);
        log_warning("checkpoint", "partition %d: %s; it will be claimed again", seat->partition,
                    how);
    }
    seat->state = SEAT_LOST;
}

static void probe_answer(struct stage *stage, struct seat *seat, uint64_t now_ns)
{
    struct checkpoint *x = stage_state(stage);
    const struct request *request = seat->probe->head;

    if (request->answer == REQUEST_APPLIED)
        seat->must_look = false;
    else if (request->answer == REQUEST_DIFFERS && seat_knows(seat, &request->mark))
        seat->must_look = false;   /* our own cut was applied meanwhile */
    else if (request->answer == REQUEST_DIFFERS)
        seat_lose(stage, seat, "mark changed while this process was away");
    else
        seat_retry_later(seat, now_ns);
    pool_give(x->probes, &seat->probe);
}

static void writes_returned(struct stage *stage, struct batch *batch)
{
    struct seat *seat = seat_find(stage_state(stage), batch);
    uint64_t now_ns = clock_monotonic_ns();

    CHECK(seat != NULL);
    if (batch == seat->probe) {
        probe_answer(stage, seat, now_ns);
        return;
    }
    CHECK(batch == seat->errand);
    errand_answered(stage, seat, now_ns);
}

static void checkpoint_on_return(struct stage *stage, struct batch *batch)
{
    if (batch->kind == KIND_WRITES) {
        writes_returned(stage, batch);
        return;
    }
    struct seat *seat = seat_find(stage_state(stage), batch);
    const struct outputs *head = batch->head;

    if (seat != NULL && head->mode == OUTPUTS_AT_ONCE && batch->outcome == OUTCOME_DONE)
        ledger_close(seat->ledger, (int64_t)head->ordinal);
    stage_finish(stage, &batch, batch->outcome);
}

/* ── Turns ────────────────────────────────────────────────────────────────── */

static enum stage_verdict take_writes(struct stage *stage, struct batch *batch)
{
    struct checkpoint *x = stage_state(stage);
    struct seat *seat = seat_find(x, batch);
    const struct request *request = batch->head;

    if (request->kind == REQUEST_CLAIM) {
        if (x->seats[batch->partition] != NULL)
            return STAGE_HOLD;   /* its last owner's answers are still out */
        seat = seat_take(x, batch);
    }
    CHECK(seat != NULL);
    if (request->kind == REQUEST_RELEASE) {
        CHECK(seat->release == NULL);
        seat->release = batch;
    } else {
        errand_begin(stage, seat, batch);
    }
    return STAGE_TAKEN;
}

static enum stage_verdict checkpoint_on_batch(struct stage *stage, struct batch *batch,
                                              uint64_t now_ns)
{
    (void)now_ns;
    return batch->kind == KIND_OUTPUTS ? take_outputs(stage, batch) : take_writes(stage, batch);
}

static int probe_send(struct stage *stage, struct seat *seat, uint64_t now_ns)
{
    struct checkpoint *x = stage_state(stage);

    if (seat->probe != NULL || now_ns < seat->retry_ns || seat->state != SEAT_OWNED)
        return 0;
    struct batch *batch = pool_take(x->probes);
    if (batch == NULL)
        return 0;
    char believed[MARK_TEXT_MAX];

    mark_print(&seat->mark, believed);
    request_look(batch->head, believed);
    batch->partition = seat->partition;
    batch->assignment = seat->assignment;
    seat->probe = batch;
    stage_emit(stage, TO_REDIS, &batch);
    return 1;
}

/* Gives the seat up when nothing of it is out any more. */
static int seat_release(struct stage *stage, struct seat *seat)
{
    struct batch *release = seat->release;

    if (seat->errand != NULL && !seat->away)
        errand_finish(stage, seat, REQUEST_GONE);
    if (seat->errand != NULL || seat->probe != NULL)
        return 0;
    struct request *request = release->head;

    request->answer = REQUEST_APPLIED;
    seat_drop(stage_state(stage), seat);
    stage_finish(stage, &release, OUTCOME_DONE);
    return 1;
}

static void notice_pause(struct checkpoint *x)
{
    uint64_t boot_ns = clock_boot_ns();
    uint64_t away_ns = boot_ns - x->turned_ns;

    x->turned_ns = boot_ns;
    if (away_ns < PAUSE_NS)
        return;
    metric_add(x->paused, 1);
    log_warning("checkpoint", "away for %.1f s: looking at every mark before anything is sent",
                (double)away_ns / 1e9);
    for (uint32_t i = 0; i < x->owned_count; i++)
        x->seats[x->owned[i]]->must_look = true;
}

static int checkpoint_on_tick(struct stage *stage, uint64_t now_ns)
{
    struct checkpoint *x = stage_state(stage);
    int to_redis = BURST, work = 0;

    notice_pause(x);
    for (uint32_t i = x->owned_count; i-- > 0;) {
        struct seat *seat = x->seats[x->owned[i]];

        if (seat->release != NULL) {
            work += seat_release(stage, seat);
            continue;
        }
        if (seat->must_look && to_redis > 0) {
            int sent = probe_send(stage, seat, now_ns);
            to_redis -= sent, work += sent;
        }
        if (seat->errand != NULL && !seat->away && seat->state == SEAT_LOST)
            errand_finish(stage, seat, REQUEST_DIFFERS);
        if (seat->errand != NULL && to_redis > 0) {
            int sent = errand_send(stage, seat, now_ns);
            to_redis -= sent, work += sent;
        }
    }
    return work;
}

/* Waiting for room is not being away. */
static int checkpoint_on_blocked(struct stage *stage, uint64_t now_ns)
{
    (void)now_ns;
    notice_pause(stage_state(stage));
    return 0;
}

static int checkpoint_on_drain(struct stage *stage, uint64_t now_ns)
{
    struct checkpoint *x = stage_state(stage);
    int held = 0;

    (void)now_ns;
    for (uint32_t i = 0; i < x->owned_count; i++) {
        const struct seat *seat = x->seats[x->owned[i]];

        held += (seat->errand != NULL) + (seat->release != NULL);
    }
    return held;
}

static void checkpoint_fini(struct stage *stage)
{
    struct checkpoint *x = stage_state(stage);

    for (uint32_t i = 0; i < x->owned_count; i++) {
        ledger_destroy(x->seats[x->owned[i]]->ledger);
        free(x->seats[x->owned[i]]);
    }
    pool_destroy(x->probes);
}

const struct stage_type stage_checkpoint = {
    .name = "checkpoint",
    .state_size = sizeof(struct checkpoint),
    .inputs_min = 2, .inputs_max = 2,
    .outputs_min = 2, .outputs_max = 2,
    .burst = BURST,
    .init = checkpoint_init,
    .on_batch = checkpoint_on_batch,
    .on_tick = checkpoint_on_tick,
    .on_return = checkpoint_on_return,
    .on_drain = checkpoint_on_drain,
    .on_blocked = checkpoint_on_blocked,
    .fini = checkpoint_fini,
};
