/* source_claim.c - one partition's way from "the group gave it" to its first scan.
 *
 * First the group's commit is read and committed again as it was found: a commit
 * that the broker takes proves that the group still counts us in, before anything
 * in Redis is touched.  Only then track claims mark, and what mark says decides
 * where reading begins.  Before the first scan, the record before it is compared
 * with what mark remembers of it: a topic made anew has other records there.
 *
 *   NONE ─given─► WAITING ─► ASKING ─► COMMITTING ─► CLAIMING ─► SEEKING ─► VERIFYING ─► FEEDING
 *                    ▲  group's commit   repeated     track     │    ▲        record       │
 *                    │  and log's ends   and checked  claims    └► LOCATING   offset − 1   │
 *                    └────────────── refused or to be claimed again, after a back-off ◄────┘
 *
 *   STOPPED (refuses to go on, says why) and RELEASING (on its way out) from any of them.
 */
#include "stages/intake/source.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/check.h"
#include "pipeline/clock.h"
#include "pipeline/log.h"
#include "pipeline/metric.h"
#include "stages/detect/rulebook.h"
#include "stages/scan/scan.h"

#define ROOM "source_kafka"

#define BACKOFF_NS_MIN (100 * MS_NS)
#define BACKOFF_NS_MAX (2000 * MS_NS)
#define ANSWER_NS      (15000 * MS_NS)  /* without an answer for so long, ask again            */
#define LAGGING_NS     (10000 * MS_NS)  /* a new leader's end may be behind ours for so long    */
#define VERIFY_NS      (10000 * MS_NS)  /* record next − 1 was compacted away: go on without    */
#define STEADY_NS      (30000 * MS_NS)  /* read for so long: the next claim is a first try      */

static struct board_row *row_of(const struct seat *seat)
{
    return &board[seat->partition];
}

static void back_off(struct seat *seat, uint64_t now_ns)
{
    uint64_t doubled = seat->backoff_ns * 2;

    seat->backoff_ns = doubled < BACKOFF_NS_MIN   ? BACKOFF_NS_MIN
                       : doubled > BACKOFF_NS_MAX ? BACKOFF_NS_MAX : doubled;
    seat->due_ns = now_ns + seat->backoff_ns;
}

void seat_claim(struct source *source, struct seat *seat, bool later, uint64_t now_ns)
{
    struct board_row *row = row_of(seat);

    if (!later || (seat->state == SEAT_FEEDING && now_ns - seat->placed_ns > STEADY_NS))
        seat->backoff_ns = 0;
    seat->state = SEAT_WAITING;
    seat->assignment = ++source->assignments;
    seat->owes = seat->owes == OWES_LOST ? OWES_LOST : OWES_NOTHING;
    seat->wanted.offset = seat->sent.offset = seat->committed.offset = -1;
    seat->commit_ns = 0;
    seat->ends_asked = seat->revoke_home = false;
    seat->low = seat->high = -1;
    seat->due_ns = now_ns;
    if (later)
        back_off(seat, now_ns);
    atomic_store(&row->why, NULL);
    atomic_store(&row->phase, PHASE_CLAIMING);
    atomic_store(&row->moved_ms, clock_wall_ms());
}

void seat_stop(struct source *source, struct seat *seat, const char *format, ...)
{
    va_list arguments;

    if (seat->state == SEAT_RELEASING || seat->state == SEAT_STOPPED)
        return;
    va_start(arguments, format);
    (void)vsnprintf(seat->why, sizeof seat->why, format, arguments);
    va_end(arguments);
    seat->state = SEAT_STOPPED;
    seat->due_ns = 0;
    if (seat->owes == OWES_ASSIGN)
        seat->owes = OWES_NOTHING;
    metric_add(source->stopped, 1);
    log_error(ROOM, "partition %" PRId32 " is stopped: %s", seat->partition, seat->why);
    atomic_store(&row_of(seat)->why, seat->why);
    atomic_store(&row_of(seat)->phase, PHASE_STOPPED);
}

void seat_fenced(struct source *source, struct seat *seat, uint64_t now_ns)
{
    metric_add(source->refused, 1);
    log_warning(ROOM, "partition %" PRId32 ": the group refuses our commit, so it may be "
                "another's by now; let go", seat->partition);
    if (seat->told != 0 && !seat->revoke_home)
        seat->owes = OWES_LOST;
    if (seat->state != SEAT_RELEASING) /* it stays ours to claim until the group says otherwise */
        seat_claim(source, seat, true, now_ns);
}

/* ── the group's commit ── */

static void ask_group(struct source *source, struct seat *seat, uint64_t now_ns)
{
    if (source->count == 0 || source->memory.full) { /* a passage says how many there are */
        seat->due_ns = now_ns + BACKOFF_NS_MIN;
        return;
    }
    seat->state = SEAT_ASKING;
    seat->due_ns = now_ns + ANSWER_NS;
    source->consumer.ops->ask(source->consumer.self, seat->partition, true);
}

/* "peakline start", "peakline <epoch> <configuration hash>", or a person's. */
static enum group_kind group_parse(const char *metadata, uint64_t config_hash)
{
    static const char ours[] = "peakline ";
    char             *end;

    if (strncmp(metadata, ours, sizeof ours - 1) != 0)
        return GROUP_FOREIGN;
    metadata += sizeof ours - 1;
    if (strcmp(metadata, "start") == 0)
        return GROUP_START;
    if (strtoull(metadata, &end, 10) == 0 || *end != ' ')
        return GROUP_FOREIGN;
    const char *hash = end + 1;
    uint64_t    value = strtoull(hash, &end, 16);
    return end - hash == 16 && *end == '\0' && value == config_hash ? GROUP_OURS
                                                                    : GROUP_OURS_CHANGED;
}

/* kafka.start, in this log. */
static int64_t start_offset(const struct source *source, const struct consumer_event *event)
{
    if (source->start.kind == START_EARLIEST)
        return event->low;
    if (source->start.kind == START_TIME && event->start >= 0)
        return event->start;
    return event->high;
}

/* Where a claim begins that finds no mark.  A checkpoint's commit means that there was a view,
 * and it is lost; a first start's says where that began; whatever else stands there, a person's
 * reset, is no word of ours: it is a first start. */
static int64_t first_offset(const struct source *source, const struct seat *seat,
                            const struct consumer_event *event)
{
    switch ((enum group_kind)seat->group) {
    case GROUP_OURS: case GROUP_OURS_CHANGED:
        return event->low;
    case GROUP_START:
        return seat->group_offset;
    default:
        return start_offset(source, event);
    }
}

static void commit_again(struct source *source, struct seat *seat, uint64_t now_ns)
{
    seat->state = SEAT_COMMITTING;
    seat->due_ns = now_ns + ANSWER_NS;
    source->consumer.ops->commit(source->consumer.self, seat->partition, seat->group_offset,
                                 seat->metadata);
}

static void group_found(struct source *source, struct seat *seat,
                        const struct consumer_event *event, uint64_t now_ns)
{
    seat->group_offset = event->offset;
    if (event->offset >= 0) {
        (void)snprintf(seat->metadata, sizeof seat->metadata, "%s", event->metadata);
        seat->group = (uint8_t)group_parse(seat->metadata, source->config_hash);
        if (seat->group == GROUP_OURS && rulebook_reloaded())
            seat->group = GROUP_OURS_CHANGED;
    } else {
        seat->group_offset = start_offset(source, event);
        (void)snprintf(seat->metadata, sizeof seat->metadata, "peakline start");
        seat->group = GROUP_START;
        log_info(ROOM, "partition %" PRId32 ": a first start, at offset %" PRId64,
                 seat->partition, seat->group_offset);
    }
    seat->first = first_offset(source, seat, event);
    commit_again(source, seat, now_ns);
}

void seat_committed(struct source *source, struct seat *seat, enum consumer_error error,
                    uint64_t now_ns)
{
    CHECK(seat->state == SEAT_COMMITTING);
#ifdef CANARY_no_generation
    error = CONSUMER_OK;   /* planted: whatever the group says of our generation */
#endif
    switch (error) {
    case CONSUMER_FENCED:
        seat_fenced(source, seat, now_ns);
        return;
    case CONSUMER_RETRY:
        back_off(seat, now_ns);
        return;
    case CONSUMER_OK:
        break;
    }
    metric_add(source->claims, 1);
    atomic_store(&row_of(seat)->committed, seat->group_offset);
    seat->state = SEAT_CLAIMING;
    seat->due_ns = 0; /* track may take its time: Redis, then loading */
    seat->owes = OWES_ASSIGN;
}

/* ── where reading begins ── */

void ask_ends(struct source *source, struct seat *seat, uint64_t now_ns)
{
    seat->ends_asked = true;
    seat->fed_since_ends = false;
    seat->ends_ns = now_ns;
    source->consumer.ops->ask(source->consumer.self, seat->partition, false);
}

int64_t seat_from(const struct seat *seat)
{
    return seat->check_valid && seat->next > seat->low ? seat->next - 1 : seat->next;
}

static void go_on_at(struct source *source, struct seat *seat, int64_t offset)
{
    int64_t missing = offset - seat->next;

    log_warning(ROOM, "partition %" PRId32 ": the gap is accepted, reading goes on at %" PRId64
                " instead of %" PRId64, seat->partition, offset, seat->next);
    metric_add(source->gaps, missing > 0 ? (uint64_t)missing : 0);
    if (missing < 0) /* other records bear these offsets now: nothing was said of them yet */
        seat->suppress_below = 0;
    seat->next = offset;
    seat->check_valid = false;
}

/* The log's ends are fresh. */
static void decide(struct source *source, struct seat *seat, uint64_t now_ns)
{
    if (seat->next > seat->high && now_ns < seat->located_by_ns) {
        seat->due_ns = now_ns + BACKOFF_NS_MIN * 5;
        return;
    }
    if (seat->next < seat->low && !source->accept_gap) {
        seat_stop(source, seat, "stored offset %" PRId64 " but the log begins at %" PRId64
                  ": %" PRId64 " records are gone; restart with --accept-gap to go on",
                  seat->next, seat->low, seat->low - seat->next);
        return;
    }
    if (seat->next > seat->high && !source->accept_gap) {
        seat_stop(source, seat, "stored offset %" PRId64 " but the log ends at %" PRId64
                  ": it was cut or made anew; restart with --accept-gap to read it from its "
                  "begin at %" PRId64, seat->next, seat->high, seat->low);
        return;
    }
    if (seat->next < seat->low || seat->next > seat->high)
        go_on_at(source, seat, seat->low);
    seat->state = SEAT_SEEKING;
    seat->due_ns = now_ns;
}

void seat_position(struct source *source, struct seat *seat, const struct consumer_event *event,
                   uint64_t now_ns)
{
    bool wanted = seat->state == SEAT_ASKING && event->with_group;

    seat->ends_asked = false;
    if (event->error != CONSUMER_OK) {
        log_warning(ROOM, "partition %" PRId32 ": can't ask %s: %s", seat->partition,
                    event->with_group ? "for the group's commit" : "where the log ends",
                    event->text);
        if (wanted || seat->state == SEAT_LOCATING)
            back_off(seat, now_ns);
        return;
    }
    seat->low = event->low;
    seat->high = event->high;
    seat->ends_sent_ms = event->sent_ms;
    atomic_store(&row_of(seat)->low, event->low);
    atomic_store(&row_of(seat)->high, event->high);
    if (wanted)
        group_found(source, seat, event, now_ns);
    else if (seat->state == SEAT_LOCATING && !event->with_group)
        decide(source, seat, now_ns);
    else if (seat->state == SEAT_FEEDING && seat->high <= seat->next)
        seat->pulse_ns = 0; /* read to its end: say so now */
}

void seat_locate(struct seat *seat, uint64_t now_ns)
{
    seat->state = SEAT_LOCATING;
    seat->located_by_ns = now_ns + LAGGING_NS;
    back_off(seat, now_ns);
}

void seat_start(struct seat *seat, const struct passage *passage, uint64_t now_ns)
{
    CHECK(seat->state == SEAT_CLAIMING);
#ifdef CANARY_no_rewind
    int64_t planted = seat->next;   /* planted: on from where it was, not from the mark */
#endif
    seat->next = passage->offset;
#ifdef CANARY_no_rewind
    seat->next = planted > seat->next ? planted : seat->next;
#endif
    seat->check_valid = passage->check_valid;
    seat->check_kafka_ms = passage->check_kafka_ms;
    seat->check_home = passage->check_home;
    seat->suppress_below = seat->group == GROUP_OURS ? seat->group_offset : 0;
#ifdef CANARY_suppress_any
    seat->suppress_below = seat->group_offset;   /* planted: whoever committed it */
#endif
    /* A cut went through whose answer was lost: nobody has told the group, and on a quiet topic
     * nobody would for a while. */
    if (seat->next > seat->group_offset)
        seat->wanted = (struct commit){seat->next, passage->epoch};
    if (seat->next >= seat->low && seat->next <= seat->high) {
        seat->state = SEAT_SEEKING;
        seat->due_ns = now_ns;
    } else { /* the ends are as old as the claim took, and a former owner may have gone on */
        seat_locate(seat, now_ns);
        seat->due_ns = now_ns;
    }
}

void seat_placed(struct seat *seat, uint64_t now_ns)
{
    seat->state = seat_from(seat) < seat->next ? SEAT_VERIFYING : SEAT_FEEDING;
    seat->due_ns = seat->state == SEAT_VERIFYING ? now_ns + VERIFY_NS : 0;
    seat->placed_ns = now_ns;
    seat->last_count = 0;
    seat->pulse_ns = 0;
    atomic_store(&row_of(seat)->phase, PHASE_RUNNING);
    log_info(ROOM, "partition %" PRId32 ": reading from %" PRId64 ", the log is %" PRId64
             " to %" PRId64, seat->partition, seat->next, seat->low, seat->high);
}

static void seek(struct source *source, struct seat *seat, uint64_t now_ns)
{
    if (source->assign_due)
        return; /* the assignment itself will say where to begin */
    if (source->consumer.ops->seek(source->consumer.self, seat->partition,
                                   seat_from(seat)) == 0)
        seat_placed(seat, now_ns);
    else
        back_off(seat, now_ns);
}

static void unverified(const struct seat *seat)
{
    log_warning(ROOM, "partition %" PRId32 ": record %" PRId64 " is gone from the log, so "
                "nothing tells whether it is the same", seat->partition, seat->next - 1);
}

int seat_verify(struct source *source, struct seat *seat, const struct raw *records, size_t count)
{
    size_t before = 0;
    bool   seen = false;

    for (; before < count && records[before].offset < seat->next; before++) {
        const struct raw *record = &records[before];

        if (record->offset != seat->next - 1 || seat->state != SEAT_VERIFYING)
            continue;
        seen = true;
#ifdef CANARY_topic_trusted
        continue;   /* planted: whatever record stands there */
#endif
        if (record->kafka_ms == seat->check_kafka_ms &&
            parcel_home(record->key, record->key_length) == seat->check_home)
            continue;
        seat_stop(source, seat, "record %" PRId64 " is not the one that was processed: this is "
                  "another topic of the same name; use another group, or remove its state",
                  record->offset);
        return -1;
    }
    if (seat->state == SEAT_VERIFYING && (seen || before < count)) {
        if (!seen)
            unverified(seat);
        seat->state = SEAT_FEEDING;
        seat->due_ns = 0;
    }
    return (int)before;
}

/* VERIFYING, and the record does not come.  If nothing stands between it and the log's end,
 * it never will. */
static void do_without(struct source *source, struct seat *seat, uint64_t now_ns)
{
    seat->due_ns = now_ns + VERIFY_NS / 10;
    if (seat->ends_asked)
        return;
    if (seat->ends_ns < seat->placed_ns || seat->high > seat->next) {
        ask_ends(source, seat, now_ns);
        return;
    }
    unverified(seat);
    seat->state = SEAT_FEEDING;
    seat->due_ns = 0;
}

void seat_step(struct source *source, struct seat *seat, uint64_t now_ns)
{
    if (seat->due_ns == 0 || now_ns < seat->due_ns)
        return;
    switch ((enum seat_state)seat->state) {
    case SEAT_WAITING:
    case SEAT_ASKING:
        ask_group(source, seat, now_ns);
        break;
    case SEAT_COMMITTING:
        commit_again(source, seat, now_ns);
        break;
    case SEAT_LOCATING:
        ask_ends(source, seat, now_ns);
        seat->due_ns = now_ns + ANSWER_NS;
        break;
    case SEAT_SEEKING:
        seek(source, seat, now_ns);
        break;
    case SEAT_VERIFYING:
        do_without(source, seat, now_ns);
        break;
    case SEAT_NONE: case SEAT_CLAIMING: case SEAT_FEEDING: case SEAT_STOPPED:
    case SEAT_RELEASING:
        break;
    }
}
