/* errand.c - one request of track's, step by step, until it is known what became of it.
 *
 *   claim   look at mark → write ours over it → (answer lost: look again)
 *   cut     wait for acknowledgements → write → (answer lost: look: applied, or again)
 *   others  handed on as they are
 */
#include <string.h>

#include "pipeline/check.h"
#include "pipeline/clock.h"
#include "pipeline/env.h"
#include "pipeline/ledger.h"
#include "pipeline/log.h"
#include "pipeline/metric.h"
#include "stages/board.h"
#include "stages/outlet/seat.h"

#define UNREADY_NS   5000000000ull   /* a cut that waits longer for Kafka says so */
#define RETRY_NS_MIN 50000000ull
#define RETRY_NS_MAX 2000000000ull

const char *const refusal_names[REFUSALS] = {
    [REFUSAL_MEMORY] = "oom", [REFUSAL_READONLY] = "readonly", [REFUSAL_DISK] = "misconf",
    [REFUSAL_CLUSTER] = "cluster", [REFUSAL_OTHER] = "other",
};

static void seat_waits(const struct seat *seat, const char *what)
{
    atomic_store(&board[seat->partition].waits, what);
}

void errand_finish(struct stage *stage, struct seat *seat, enum request_answer answer)
{
    struct request *request = seat->errand->head;

    request->answer = (uint8_t)answer;
    request->mark = seat->mark;
    seat->step = STEP_NONE;
    seat->wait_ns = seat->unready_ns = 0;
    seat_waits(seat, NULL);   /* whatever became of it, nothing waits any more */
    stage_finish(stage, &seat->errand, OUTCOME_DONE);
}

void seat_retry_later(struct seat *seat, uint64_t now_ns)
{
    seat->wait_ns = seat->wait_ns == 0 ? RETRY_NS_MIN : seat->wait_ns * 2;
    if (seat->wait_ns > RETRY_NS_MAX)
        seat->wait_ns = RETRY_NS_MAX;
    seat->retry_ns = now_ns + seat->wait_ns;
}

void request_look(struct request *request, const char *expected)
{
    request->kind = REQUEST_LOOK;
    request->guarded = 0;
    CHECK(strlen(expected) < sizeof request->expected);
    memcpy(request->expected, expected, strlen(expected) + 1);
}

/* Is this mark there still?  Of epoch 0: is there none? */
static void look_for(struct request *request, const struct mark *believed)
{
    char text[MARK_TEXT_MAX] = "";

    if (believed->epoch != 0)
        mark_print(believed, text);
    request_look(request, text);
}

static void request_write(struct request *request, const struct mark *from,
                          const struct mark *to)
{
    request->kind = REQUEST_CUT;
    request->guarded = 1;
    request->expected[0] = '\0';
    if (from->epoch != 0)
        mark_print(from, request->expected);
    mark_print(to, request->wanted);
}

/* Not ready again: said once it has taken long. */
static void cut_unready(struct seat *seat, uint64_t now_ns)
{
    if (seat->unready_ns == 0)
        seat->unready_ns = now_ns;
    else if (now_ns - seat->unready_ns > UNREADY_NS)
        seat_waits(seat, "Kafka has not acknowledged all that was sent to it");
}

static bool cut_ready(const struct seat *seat)
{
#ifdef CANARY_no_ack_wait
    return true;    /* planted: the bytes do not wait for acknowledgements */
#endif
    const struct request *request = seat->errand->head;

    return ledger_watermark(seat->ledger) > (int64_t)request->outputs;
}

/* The believed mark of a first claim: none. */
static void claim_next(struct seat *seat, const struct request *claim)
{
    uint64_t now_us = (uint64_t)clock_wall_ms() * 1000;
    struct mark *next = &seat->next;

    *next = seat->mark;
    if (seat->mark.epoch == 0)
        *next = (struct mark){.partitions = claim->partitions, .buckets = claim->buckets,
                              .offset = claim->first_offset, .kafka_ms = -1, .home = -1};
    next->epoch = seat->mark.epoch + 1 > now_us ? seat->mark.epoch + 1 : now_us;
    next->owner = env_random();
#ifdef CANARY_no_token
    next->owner = 1;   /* planted: claims at the same time look alike */
#endif
    next->sequence = 0;
    seat->fresh = seat->mark.epoch == 0;
}

/* Sends the errand's next request, when it may go.  Returns work done. */
int errand_send(struct stage *stage, struct seat *seat, uint64_t now_ns)
{
    struct request *request = seat->errand->head;
    struct batch *batch = seat->errand;

    if (seat->away || now_ns < seat->retry_ns)
        return 0;
    switch (seat->step) {
    case STEP_CLAIM_LOOK:
        request_look(request, "");
        break;
    case STEP_CLAIM_WRITE:
        request_write(request, &seat->mark, &seat->next);
        break;
    case STEP_CUT_WAIT:
        if (!cut_ready(seat)) {
            cut_unready(seat, now_ns);
            return 0;
        }
        if (seat->unready_ns != 0)
            seat_waits(seat, NULL);
        seat->unready_ns = 0;
        seat->step = STEP_CUT_WRITE;
        /* fall through */
    case STEP_CUT_WRITE:
        request_write(request, &seat->mark, &seat->next);
        break;
    case STEP_CLAIM_ASK:
    case STEP_CUT_ASK:
        look_for(request, &seat->mark);
        break;
    case STEP_PASS:
        if (request->kind == REQUEST_LOOK)
            look_for(request, &seat->mark);
        break;
    case STEP_NONE:
        CHECK(seat->step != STEP_NONE);   /* an errand is always at a step */
    }
    request->answer = REQUEST_PENDING;
    seat->away = true;
    stage_emit(stage, TO_REDIS, &batch);
    return 1;
}

/* ── Answers ──────────────────────────────────────────────────────────────── */

static void claim_answer(struct stage *stage, struct seat *seat, struct request *request,
                         uint64_t now_ns)
{
    switch (request->answer) {
    case REQUEST_APPLIED:
        if (seat->step == STEP_CLAIM_LOOK)
            memset(&seat->mark, 0, sizeof seat->mark);   /* there is none */
        break;
    case REQUEST_DIFFERS:
        if (seat->step == STEP_CLAIM_LOOK || seat->step == STEP_CLAIM_ASK)
            seat->mark = request->mark;
        break;
    case REQUEST_UNKNOWN:
        seat->step = STEP_CLAIM_ASK;
        seat_retry_later(seat, now_ns);
        return;
    default:
        seat_retry_later(seat, now_ns);
        return;
    }
    if ((seat->step == STEP_CLAIM_WRITE && request->answer == REQUEST_APPLIED) ||
        (seat->step == STEP_CLAIM_ASK && mark_same(&seat->mark, &seat->next))) {
        seat->mark = seat->next;
        seat->state = SEAT_OWNED;
        request->kind = REQUEST_CLAIM;
        request->fresh = seat->fresh;
        errand_finish(stage, seat, REQUEST_APPLIED);
        return;
    }
    if (seat->step == STEP_CLAIM_WRITE) {
        seat->step = STEP_CLAIM_LOOK;   /* somebody was faster: look again */
        seat_retry_later(seat, now_ns);
        return;
    }
    claim_next(seat, request);
    seat->step = STEP_CLAIM_WRITE;
}

static void cut_applied(struct stage *stage, struct seat *seat, struct request *request)
{
    struct checkpoint *x = stage_state(stage);

    request->kind = REQUEST_CUT;   /* a look may have told us, but track asked for a cut */
    seat->mark = seat->next;
    metric_add(x->applied, 1);
    errand_finish(stage, seat, REQUEST_APPLIED);
}

static void cut_lost(struct stage *stage, struct seat *seat, const char *how)
{
    seat_lose(stage, seat, how);
    errand_finish(stage, seat, REQUEST_DIFFERS);
}

bool seat_knows(const struct seat *seat, const struct mark *mark)
{
    bool writing = seat->step == STEP_CUT_WRITE || seat->step == STEP_CUT_ASK;

    return mark_same(mark, &seat->mark) || (writing && mark_same(mark, &seat->next));
}

static void cut_answer(struct stage *stage, struct seat *seat, struct request *request,
                       uint64_t now_ns)
{
    struct checkpoint *x = stage_state(stage);
    bool asked = seat->step == STEP_CUT_ASK;

    switch (request->answer) {
    case REQUEST_APPLIED:
        if (!asked)
            cut_applied(stage, seat, request);
        else
            seat->step = STEP_CUT_WRITE;   /* mark as before: not applied, send again */
        break;
    case REQUEST_DIFFERS:
        if (mark_same(&request->mark, &seat->next))   /* an EXEC given up for lost came late */
            cut_applied(stage, seat, request);
#ifdef CANARY_blind_resend
        else if (asked)   /* planted: sent again over whatever mark is there */
            seat->mark = request->mark, seat->step = STEP_CUT_WRITE;
#endif
        else if (!asked && request->mark.epoch == 0 && request->text[0] == '\0')
            seat->step = STEP_CUT_ASK;     /* touched while we wrote: see by whom */
        else
            cut_lost(stage, seat, request->mark.epoch == 0
                                      ? "mark is gone from Redis"
                                      : "mark in Redis is another owner's, or went back");
        break;
    case REQUEST_UNKNOWN:
        metric_add(x->asked, 1);
        seat->step = STEP_CUT_ASK;
        seat_retry_later(seat, now_ns);
        break;
    default:
        seat_retry_later(seat, now_ns);
        break;
    }
}

static void pass_answer(struct stage *stage, struct seat *seat, struct request *request,
                        uint64_t now_ns)
{
    if (request->answer == REQUEST_APPLIED) {
        errand_finish(stage, seat, REQUEST_APPLIED);
    } else if (request->answer == REQUEST_DIFFERS) {
        cut_lost(stage, seat, "mark in Redis is not what was written last");
    } else {
        request_clear(request);
        seat_retry_later(seat, now_ns);
    }
}

static enum refusal refusal_of(const char *text)
{
    if (strncmp(text, "OOM", 3) == 0)
        return REFUSAL_MEMORY;
    if (strncmp(text, "READONLY", 8) == 0)
        return REFUSAL_READONLY;
    if (strncmp(text, "ASK ", 4) == 0 || strncmp(text, "TRYAGAIN", 8) == 0
        || strncmp(text, "CLUSTERDOWN", 11) == 0)
        return REFUSAL_CLUSTER;
    return strncmp(text, "MISCONF", 7) == 0 ? REFUSAL_DISK : REFUSAL_OTHER;
}

/* Bad answers are told once per back-off, so that a person knows what Redis says. */
static void errand_complain(struct stage *stage, const struct seat *seat,
                            const struct request *request)
{
    static const char *const sentences[REFUSALS] = {
        [REFUSAL_MEMORY] = "Redis refuses: OOM, it is out of memory (maxmemory)",
        [REFUSAL_READONLY] = "Redis refuses: READONLY, it is a replica",
        [REFUSAL_DISK] = "Redis refuses: MISCONF, it cannot write to its disk",
        [REFUSAL_CLUSTER] = "Redis refuses: the cluster moves this slot, or has no node for it",
        [REFUSAL_OTHER] = "Redis refuses, as the log says",
    };
    struct checkpoint *x = stage_state(stage);

    if (request->answer == REQUEST_UNKNOWN || request->answer == REQUEST_UNSENT)
        seat_waits(seat, "Redis does not answer");
    if (request->answer != REQUEST_REFUSED)
        return;
    enum refusal refusal = refusal_of(request->text);

    metric_add(x->refused[refusal], 1);
    seat_waits(seat, sentences[refusal]);
    log_warning("checkpoint", "partition %d: Redis refuses: %s; trying again", seat->partition,
                request->text);
}

void errand_answered(struct stage *stage, struct seat *seat, uint64_t now_ns)
{
    struct request *request = seat->errand->head;

    CHECK(seat->away);
    seat->away = false;
    if (seat->errand->outcome == OUTCOME_FAILED || seat->release != NULL) {
        errand_finish(stage, seat, REQUEST_GONE);
        return;
    }
    errand_complain(stage, seat, request);
    switch (seat->step) {
    case STEP_CLAIM_LOOK:
    case STEP_CLAIM_WRITE:
    case STEP_CLAIM_ASK:
        claim_answer(stage, seat, request, now_ns);
        break;
    case STEP_CUT_WRITE:
    case STEP_CUT_ASK:
        cut_answer(stage, seat, request, now_ns);
        break;
    default:
        pass_answer(stage, seat, request, now_ns);
    }
}

/* What a cut makes of mark. */
static void cut_next(struct seat *seat, const struct request *request)
{
    seat->next = request->mark;
    seat->next.partitions = seat->mark.partitions;
    seat->next.buckets = seat->mark.buckets;
    seat->next.epoch = seat->mark.epoch;
    seat->next.owner = seat->mark.owner;
    seat->next.sequence = seat->mark.sequence + 1;
}

void errand_begin(struct stage *stage, struct seat *seat, struct batch *batch)
{
    const struct request *request = batch->head;

    CHECK(seat->errand == NULL && seat->step == STEP_NONE);
    seat->errand = batch;
    seat->retry_ns = 0;
    if (request->kind == REQUEST_CLAIM) {
        seat->step = STEP_CLAIM_LOOK;
    } else if (seat->state == SEAT_LOST) {
        errand_finish(stage, seat, REQUEST_DIFFERS);
    } else if (request->kind == REQUEST_CUT) {
        cut_next(seat, request);
        seat->step = STEP_CUT_WAIT;
    } else {
        seat->step = STEP_PASS;
    }
}
