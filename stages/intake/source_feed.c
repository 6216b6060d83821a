/* source_feed.c - scans, pulses and commits of the partitions that run.
 *
 * Partitions take turns.  One that is held further down keeps its scans in the
 * client's own buffer and holds no other: it may have only a few batches out.
 * Some batches are never used for scans, so that there is always one to say
 * "let go" with.
 */
#include "stages/intake/source.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/check.h"
#include "pipeline/clock.h"
#include "pipeline/metric.h"
#include "pipeline/stage.h"
#include "stages/detect/rulebook.h"

/* A partition that gave fewer scans than this waits a little for more to come: a batch costs
 * its way through five stages whatever is in it. */
enum { FEW = 64 };

/* So many full batches of one partition follow each other: the worker finds its state in the
 * cache, a fifth of the worker's time. */
enum { STAY = 8 };

/* Batches that scans leave for pulses and orders. */
enum { FEED_SPARE = SOURCE_BURST + 2 * SOURCE_RESERVE };

#define GATHER_NS (5 * MS_NS)

#define PULSE_NS       (1000 * MS_NS)
#define ENDS_NS        (1000 * MS_NS) /* how often the log's ends are asked for: read to the end, */
#define ENDS_BEHIND_NS (5000 * MS_NS) /* behind,                                             */
#define ENDS_SOON_NS   (500 * MS_NS)  /* scans came and have ceased                          */
#define ANSWER_NS      (15000 * MS_NS)

/* A batch with its passage filled, or NULL while at most `spare` would be left. */
static struct batch *take(struct source *source, const struct seat *seat, uint32_t spare,
                          enum passage_event event)
{
    if (source->budget == 0 || pool_free(source->pool) <= spare)
        return NULL;
    struct batch   *batch = pool_take(source->pool);
    struct passage *passage = batch->head;

    batch->partition = seat->partition;
    batch->assignment = seat->assignment;
    batch->offset_first = batch->offset_next = seat->next;
    passage->event = (uint8_t)event;
    passage->group = seat->group;
    passage->first = seat->first;
    passage->partitions = source->count;
    passage->low = seat->low;
    passage->high = seat->high;
    passage->suppress_below = seat->suppress_below;
    return batch;
}

static void emit(struct source *source, struct batch *batch)
{
    CHECK(source->budget > 0);
    source->budget--;
    stage_emit(source->stage, 0, &batch);
}

/* A last checkpoint wants what was read to be through, dead letters acknowledged, too: their
 * batches are out until then.  Not for ever: half of the patience there is. */
static bool must_wait(const struct seat *seat, uint64_t now_ns)
{
    return seat->owes == OWES_REVOKE && seat->out > 0 &&
           now_ns + SOURCE_RELEASE_NS / 2 < seat->due_ns;
}

int source_tell(struct source *source, struct seat *seat, uint64_t now_ns)
{
    static const struct {
        enum passage_event event;
        uint32_t           spare;
    } orders[] = {
        [OWES_ASSIGN] = {PASSAGE_ASSIGN, SOURCE_BURST + SOURCE_RESERVE},
        [OWES_REVOKE] = {PASSAGE_REVOKE, SOURCE_BURST},
        [OWES_LOST]   = {PASSAGE_LOST, SOURCE_BURST},
    };
    bool          assign = seat->owes == OWES_ASSIGN;
    struct batch *batch;

    if (seat->owes == OWES_NOTHING || must_wait(seat, now_ns))
        return 0;
    CHECK(assign || seat->told != 0);
    batch = take(source, seat, orders[seat->owes].spare, orders[seat->owes].event);
    if (batch == NULL)
        return 0;
    if (assign) /* it replaces whatever track had of this partition */
        seat->told = seat->assignment;
    batch->assignment = seat->told;
    if (seat->owes == OWES_LOST)
        seat->told = 0;
    seat->owes = OWES_NOTHING;
    emit(source, batch);
    return 1;
}

/* The latest moment before which every record has been emitted; 0 = not known. */
static int64_t complete_ms(const struct source *source, const struct seat *seat)
{
    return source->idle_advance && seat->high >= 0 && seat->high <= seat->next
               ? seat->ends_sent_ms : 0;
}

static void ask_ends_when_due(struct source *source, struct seat *seat, uint64_t now_ns)
{
    uint64_t since_ns = now_ns - seat->ends_ns;

    if (seat->ends_asked && since_ns < ANSWER_NS)
        return;
    if (since_ns >= (seat->high <= seat->next ? ENDS_NS : ENDS_BEHIND_NS) ||
        (since_ns >= ENDS_SOON_NS && seat->fed_since_ends && seat->last_count == 0))
        ask_ends(source, seat, now_ns);
}

int source_pulse(struct source *source, struct seat *seat, uint64_t now_ns)
{
    struct batch *batch;

    if (seat->state == SEAT_FEEDING)
        ask_ends_when_due(source, seat, now_ns);
    else if (seat->owes != OWES_REVOKE)   /* until then there is news of dead letters to bring */
        return 0;
    if (seat->pulse_out || now_ns - seat->pulse_ns < PULSE_NS)
        return 0;
    batch = take(source, seat, SOURCE_BURST + SOURCE_RESERVE, PASSAGE_PULSE);
    if (batch == NULL)
        return 0;
    ((struct passage *)batch->head)->complete_ms = complete_ms(source, seat);
    if (seat->high <= seat->next && seat->out == 0)
        atomic_store(&board[seat->partition].moved_ms, clock_wall_ms());
    seat->pulse_out = true;
    seat->pulse_ns = now_ns;
    emit(source, batch);
    return 1;
}

/* Leaves the batch with the records that begin at `next`; false = nothing to send. */
static bool keep_new(struct source *source, struct seat *seat, struct batch *batch)
{
    struct raw *records = batch->records;
    int         before = 0;

    if (seat->state == SEAT_VERIFYING || (batch->count > 0 && records[0].offset < seat->next))
        before = seat_verify(source, seat, records, batch->count);
    if (before < 0)
        before = (int)batch->count;
    if (before > 0) {
        source->consumer.ops->release(source->consumer.self, records, (size_t)before);
        batch->count -= (uint32_t)before;
        memmove(records, records + before, batch->count * sizeof *records);
    }
    return batch->count > 0;
}

/* The time of the first scan counts: a partition that just fell silent is asked about. */
static bool worth_a_try(const struct seat *seat, uint64_t now_ns)
{
    if (seat->state != SEAT_FEEDING && seat->state != SEAT_VERIFYING)
        return false;
    if (seat->out >= SOURCE_OUT_MAX)
        return false;
    return seat->last_count == 0 || seat->last_count >= FEW || now_ns - seat->fed_ns >= GATHER_NS;
}

/* One batch of scans of one partition; 1, or 0 when there are none. */
static int feed_one(struct source *source, struct seat *seat, uint64_t now_ns)
{
    if (!worth_a_try(seat, now_ns))
        return 0;
    struct batch *batch = take(source, seat, FEED_SPARE, PASSAGE_SCANS);

    if (batch == NULL)
        return 0;
    batch->count = (uint32_t)source->consumer.ops->consume(
        source->consumer.self, seat->partition, batch->records, RAW_RECORDS);
    seat->last_count = batch->count;
    if (!keep_new(source, seat, batch)) {
        pool_give(source->pool, &batch);
        return 0;
    }
    seat->next = ((struct raw *)batch->records)[batch->count - 1].offset + 1;
    batch->offset_next = seat->next;
    seat->fed_ns = now_ns;
    seat->fed_since_ends = true;
    seat->out++;
    metric_add(source->messages, batch->count);
    emit(source, batch);
    return 1;
}

int source_feed(struct source *source, uint64_t now_ns)
{
    int work = 0;

    if (source->memory.full)
        return 0;
    for (uint32_t i = 0; i < source->mine_count && source->budget > 0;) {
        if (pool_free(source->pool) <= FEED_SPARE)
            break;   /* whose turn it is has the next that comes home, not always the same */
        struct seat *seat = &source->seats[source->mine[source->feed_next % source->mine_count]];
        int fed = feed_one(source, seat, now_ns);

        work += fed;
        if (fed > 0 && seat->last_count == RAW_RECORDS && ++source->stayed < STAY)
            continue;
        source->stayed = 0;
        source->feed_next++;
        i++;
    }
    return work;
}

/* Is what track wants committed other than what the group has?  What was told below the commit
 * that was found is being replayed in silence; a commit that went back would forget that. */
static bool news(const struct seat *seat)
{
    return seat->wanted.offset >= 0 && seat->wanted.offset >= seat->suppress_below &&
           (seat->wanted.offset != seat->committed.offset ||
            seat->wanted.epoch != seat->committed.epoch);
}

bool seat_uncommitted(const struct seat *seat)
{
    return seat->sent.offset >= 0 || news(seat);
}

void seat_commit(struct source *source, struct seat *seat, uint64_t now_ns)
{
    char metadata[sizeof seat->metadata];
    bool waits = seat->sent.offset >= 0 ? now_ns - seat->commit_ns < ANSWER_NS
                                        : now_ns < seat->commit_ns;

    if (waits || !news(seat))
        return;
    /* After a reload the hash is nobody's: no later process takes the outputs for its own. */
    (void)snprintf(metadata, sizeof metadata, "peakline %" PRIu64 " %016" PRIx64,
                   seat->wanted.epoch,
                   rulebook_reloaded() ? ~source->config_hash : source->config_hash);
    seat->sent = seat->wanted;
    seat->commit_ns = now_ns;
    metric_add(source->commits, 1);
    source->consumer.ops->commit(source->consumer.self, seat->partition, seat->sent.offset,
                                 metadata);
}
