/* own.c - a partition's way into this worker's hands and out of them.
 *
 *   ASSIGN ─► claim mark ─► stream state in (or clear what is left of a lost view)
 *          ─► is mark still ours? ─► answer START: from where to read ─► scans …
 *   REVOKE ─► last checkpoint ─► answer COMMIT ─► release
 *   mark not ours any more ─► answer RECLAIM to everything ─► ASSIGN again
 *
 * A claim always starts from stored state and offset with an empty table, so even
 * two owners taking turns for a moment leave a correct fold.
 */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/check.h"
#include "pipeline/clock.h"
#include "pipeline/error.h"
#include "pipeline/log.h"
#include "pipeline/metric.h"
#include "stages/activity/counts.h"
#include "stages/board.h"
#include "stages/eta/model_store.h"
#include "stages/eta/priors.h"
#include "stages/eta_queue.h"
#include "stages/parcel/deadlines.h"
#include "stages/parcel/table.h"
#include "stages/tell.h"
#include "stages/track_parts.h"

enum { LOAD_BUCKETS = 64, PARCELS_EXPECTED = 4096, PREFETCH_AHEAD = 2 * 8 /* fields, values */ };

/* ── Taking ───────────────────────────────────────────────────────────────── */

static void state_create(const struct track *t, struct partition *p)
{
    struct model_settings settings = {
        .cells_max = t->model_cells_max,
        .half_life_s = t->model_half_life_s,
        .shrink = t->model_shrink,
    };

    p->table = table_create(PARCELS_EXPECTED);
    settings.names = p->names = names_create();
    p->model = model_create(&settings);
    p->counts = t->shares > 0 ? counts_create(t->subjects_max) : NULL;
    p->counts_parts = 0;
    p->etas = t->catch_up_records > 0 ? eta_queue_create() : NULL;
    CHECK(p->table != NULL && p->names != NULL && p->model != NULL);
}

static void state_destroy(struct partition *p)
{
    table_destroy(p->table);
    if (p->deadlines != NULL)   /* made when the claim has said what time it is */
        deadlines_destroy(p->deadlines);
    names_destroy(p->names);
    model_destroy(p->model);
    counts_destroy(p->counts);
    eta_queue_destroy(p->etas);
    alert_queue_free(&p->alerts);
}

int own_begin(struct track *t, struct batch *order)
{
    const struct passage *facts = order->head;
    struct partition *p = calloc(1, sizeof *p);

    CHECK(p != NULL && t->partitions[order->partition] == NULL);
    p->number = order->partition;
    p->assignment = order->assignment;
    p->key_length = key_print(p->key, sizeof p->key, t->group, t->topic, p->number, "");
    struct batch *batch = request_begin(t, p, REQUEST_CLAIM);

    if (batch == NULL) {
        free(p);
        return 0;
    }
    struct request *request = batch->head;

    request->first_offset = facts->first;
    request->partitions = (uint32_t)facts->partitions;
    request->buckets = t->buckets;
    p->order = order;
    p->high = facts->high;
    p->commit = -1;
    p->phase = LIFE_CLAIMING;
    state_create(t, p);
    t->partitions[p->number] = p;
    t->owned[t->owned_count++] = p->number;
    request_emit(t, batch);
    return 1;
}

static void order_answer(struct track *t, struct partition *p, enum passage_answer answer,
                         int64_t offset)
{
    if (p->order == NULL)
        return;
    struct passage *passage = p->order->head;

    passage->answer = (uint8_t)answer;
    passage->offset = offset;
    passage->epoch = p->mark.epoch;
    stage_finish(t->stage, &p->order, OUTCOME_DONE);
}

static void own_refuse(struct track *t, struct partition *p, const char *text)
{
    struct passage *passage = p->order->head;

    snprintf(passage->text, sizeof passage->text, "%s", text);
    order_answer(t, p, ANSWER_STOP, 0);
    p->lost = true;
}

/* The state is in: read on from mark. */
static void own_ready(struct track *t, struct partition *p)
{
    struct passage *passage = p->order->head;
    struct board_row *row = &board[p->number];

    p->phase = LIFE_RUNNING;
    p->position = p->settled = p->mark.offset;
    p->clock_ms = p->mark.clock_ms;
    p->last_kafka_ms = p->mark.kafka_ms;
    p->last_home = p->mark.home;
    p->cut_ns = 0;
    row->epoch = (int64_t)p->mark.epoch;
    row->records = (int64_t)table_count(p->table);
    row->stored = row->position = p->position;
    passage->check_valid = p->mark.home >= 0;
    passage->check_kafka_ms = p->mark.kafka_ms;
    passage->check_home = (uint32_t)p->mark.home;
    names_clean(p->names);
    model_clean(p->model);
    if (p->counts != NULL && counts_minute(p->counts) == 0)   /* nothing is stored of one */
        counts_begin(p->counts, (uint32_t)(p->clock_ms / MINUTE_MS));
    log_info("track", "partition %d is ours from offset %lld: %llu parcels, epoch %llu",
             p->number, (long long)p->position, (unsigned long long)table_count(p->table),
             (unsigned long long)p->mark.epoch);
    order_answer(t, p, ANSWER_START, p->mark.offset);
}

/* ── Streaming in ─────────────────────────────────────────────────────────── */

static void body_key(struct partition *p, const char *command, const char *suffix)
{
    char key[KEY_MAX];
    size_t length = partition_key(p, key, suffix);

    resp_command(&p->body, 2);
    resp_text(&p->body, command);
    resp_argument(&p->body, key, length);
}

/* Every key that a lost or foreign view may have left behind. */
static void body_clear(struct partition *p, struct request *request)
{
    static const char *const others[] = {"names", "model", "open", "carrier", "activity"};
    char suffix[16];

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        body_key(p, "UNLINK", others[i]);
    for (uint32_t b = 0; b < p->mark.buckets; b++) {
        snprintf(suffix, sizeof suffix, "b%08x", b);
        body_key(p, "UNLINK", suffix);
    }
    request->commands = (uint32_t)(sizeof others / sizeof others[0]) + p->mark.buckets;
    request->ordinal = ++p->cut_ordinal;
    request->mark = p->mark;
}

/* First the dictionary and the model, then buckets, a few at a time. */
static void body_next(struct partition *p, struct request *request)
{
    char suffix[16];

    if (p->load_bucket == 0) {
        body_key(p, "HGETALL", "names");
        body_key(p, "HGETALL", "model");
        request->commands = 2;
        if (p->counts != NULL) {
            body_key(p, "HGETALL", "activity");
            request->commands++;
        }
    }
    for (uint32_t b = 0; b < LOAD_BUCKETS && p->load_bucket < p->mark.buckets; b++) {
        snprintf(suffix, sizeof suffix, "b%08x", p->load_bucket++);
        body_key(p, "HGETALL", suffix);
        request->commands++;
    }
}

/* Partition 0's mark says for how many the whole state is made: one that was added to the
 * topic has no mark of its own that would tell. */
static void body_count(const struct track *t, struct partition *p, struct request *request)
{
    char   key[KEY_MAX];
    size_t length = key_print(key, sizeof key, t->group, t->topic, 0, "mark");

    resp_command(&p->body, 2);
    resp_text(&p->body, "GET");
    resp_argument(&p->body, key, length);
    request->commands = 1;
    request->of = 0;
}

int own_load(struct track *t, struct partition *p)
{
    if (p->phase != LIFE_LOADING || p->request != NULL || p->lost)
        return 0;
    bool read = p->load_bucket < p->mark.buckets;
    struct batch *batch = request_begin(t, p, !p->counted ? REQUEST_READ
                                              : p->clear  ? REQUEST_CUT
                                              : read      ? REQUEST_READ : REQUEST_LOOK);

    if (batch == NULL)
        return 0;
    if (!p->counted)
        body_count(t, p, batch->head);
    else if (p->clear)
        body_clear(p, batch->head);
    else if (read)
        body_next(p, batch->head);
    request_emit(t, batch);
    return 1;
}

static int names_load(struct partition *p, const redisReply *reply)
{
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        const redisReply *field = reply->element[i], *text = reply->element[i + 1];

        if (field->len < 3 || field->str[1] != ':')
            return error_set("names: field \"%s\" is neither p:N nor s:N", field->str);
        enum name_kind kind = field->str[0] == 's' ? NAME_SERVICE : NAME_PLACE;
        name_id id = (name_id)strtoul(field->str + 2, NULL, 10);

        if (names_restore(p->names, kind, id, text->str, (size_t)text->len) != 0)
            return -1;
    }
    return 0;
}

static int model_load(struct partition *p, const redisReply *reply)
{
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        const redisReply *field = reply->element[i], *cell = reply->element[i + 1];

        if (model_restore(p->model, field->str, (size_t)field->len,
                          (const uint8_t *)cell->str, (size_t)cell->len) != 0)
            return -1;
    }
    return 0;
}

/* The open minute, in the parts that checkpoints wrote of it. */
static int counts_load(struct partition *p, const redisReply *reply)
{
    for (size_t i = 0; i + 1 < reply->elements; i += 2, p->counts_parts++) {
        const redisReply *part = reply->element[i + 1];
        uint32_t minute;

        if (part->len < (int)sizeof minute)
            return error_set("counts of a minute: too short");
        memcpy(&minute, part->str, sizeof minute);
        if (i == 0)
            counts_begin(p->counts, minute);
        if (minute != counts_minute(p->counts))
            return error_set("counts of two minutes: %u and %u", minute,
                             counts_minute(p->counts));
        if (counts_restore(p->counts, p->names, (const uint8_t *)part->str + sizeof minute,
                           (size_t)part->len - sizeof minute) != 0)
            return -1;
    }
    return 0;
}

/* Timers are rebuilt from records, and unsent alerts noticed. */
static int record_load(struct partition *p, const uint8_t *bytes, size_t length)
{
    struct parcel parcel;

    if (record_unpack(bytes, length, &parcel) != 0)
        return -1;
    uint64_t  hash = parcel_hash(parcel.number, parcel.number_length);
    uint32_t *armed_s = table_restore(p->table, hash, &parcel, bytes, length);
    uint32_t  first_s = record_deadline_first(bytes);

#ifdef CANARY_unsent_forgotten
    parcel.unsent_count = 0;   /* planted: what was stored and not sent is never sent */
#endif
    if (p->counts != NULL)
        counts_hold(p->counts, p->names, counts_place(&parcel), 1);
    tell_again(p, &parcel);   /* nobody knows whether they arrived */
#ifdef CANARY_wheel_lost
    first_s = 0;   /* planted: timers are not rebuilt at a restart */
#endif
    if (first_s != 0) {
        deadlines_arm(p->deadlines, first_s, table_hash32(hash));
        *armed_s = first_s;
    }
    return 0;
}

/* The slot that a field's record will take. */
static void prefetch(const struct partition *p, const redisReply *number)
{
    if (number->str != NULL)
        table_prefetch_slot(p->table, parcel_hash(number->str, (size_t)number->len));
}

static int bucket_load(struct track *t, struct partition *p, const redisReply *reply)
{
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        const redisReply *record = reply->element[i + 1];

        if (i + PREFETCH_AHEAD < reply->elements)
            prefetch(p, reply->element[i + PREFETCH_AHEAD]);
        if (record_load(p, (const uint8_t *)record->str, (size_t)record->len) != 0)
            return error_add("parcel %s", reply->element[i]->str);
    }
    metric_add(t->loaded, reply->elements / 2);
    return 0;
}

static int replies_load(struct track *t, struct partition *p, const struct request *request)
{
    uint32_t i = 0;

    for (uint32_t k = 0; k < request->replies_count; k++)
        if (request->replies[k]->type != REDIS_REPLY_ARRAY)
            return error_set("Redis answers %s where a hash is expected",
                             request->replies[k]->str != NULL ? request->replies[k]->str : "?");
    if (!p->dictionary_loaded) {
        if (names_load(p, request->replies[i++]) != 0 ||
            model_load(p, request->replies[i++]) != 0 ||
            (p->counts != NULL && counts_load(p, request->replies[i++]) != 0))
            return -1;
        p->dictionary_loaded = true;
    }
    for (; i < request->replies_count; i++)
        if (bucket_load(t, p, request->replies[i]) != 0)
            return -1;
    return 0;
}

/* Buckets are missing: what is there cannot be trusted.  Start over from the log's start. */
static void own_rebuild(struct track *t, struct partition *p)
{
    const struct passage *facts = p->order->head;

    log_warning("track", "partition %d: mark counts %llu parcels, Redis has %llu: the view is "
                "rebuilt from offset %lld", p->number, (unsigned long long)p->mark.records,
                (unsigned long long)table_count(p->table), (long long)facts->low);
    state_destroy(p);
    state_create(t, p);
    p->partial = facts->low > 0;
    p->mark.offset = facts->low;
    p->mark.clock_ms = 0;
    p->mark.records = 0;
    p->mark.kafka_ms = p->mark.home = -1;
    p->deadlines = deadlines_create(0);
    p->clear = true;
}

/* State of another count than the topic's: a parcel's next scan would come to a partition that
 * does not know it. */
static void refuse_count(struct track *t, struct partition *p, uint32_t partitions)
{
    const struct passage *facts = p->order->head;
    char text[160];

    snprintf(text, sizeof text, "state was written for %u partitions, the topic has %d: keyed "
             "state would split silently; run `peakline reshard`", partitions, facts->partitions);
    own_refuse(t, p, text);
}

static void answered_count(struct track *t, struct partition *p, const struct request *request)
{
    const struct passage *facts = p->order->head;
    const redisReply *reply = request->replies[0];
    struct mark mark;

    p->counted = true;
    if (reply->type != REDIS_REPLY_STRING)   /* nobody has claimed partition 0 yet */
        return;
    if (mark_parse(reply->str, (size_t)reply->len, &mark) != 0) {
        own_refuse(t, p, error_text());
        error_clear();
    } else if (mark.partitions != (uint32_t)facts->partitions) {
        refuse_count(t, p, mark.partitions);
    }
}

static void answered_read(struct track *t, struct partition *p, const struct request *request)
{
    if (request->answer != REQUEST_APPLIED)
        return;
    if (!p->counted) {
        answered_count(t, p, request);
        return;
    }
    if (replies_load(t, p, request) != 0) {
        char text[160];

        snprintf(text, sizeof text, "state in Redis: %s", error_text());
        own_refuse(t, p, text);
        error_clear();
        return;
    }
    if (p->load_bucket == p->mark.buckets && table_count(p->table) != p->mark.records)
        own_rebuild(t, p);
#ifdef CANARY_load_trusted
    else if (p->load_bucket == p->mark.buckets)
        own_ready(t, p);   /* planted: Redis may have gone back while the state came in */
#endif
}

/* Everything is read, and mark is still the claim's: Redis did not go back meanwhile, and what
 * was read is the state as of mark's offset. */
static void answered_look(struct track *t, struct partition *p, const struct request *request)
{
    if (request->answer == REQUEST_APPLIED && p->phase == LIFE_LOADING)
        own_ready(t, p);
}

static void answered_claim(struct track *t, struct partition *p, const struct request *request)
{
    const struct passage *facts = p->order->head;

    if (request->answer != REQUEST_APPLIED) {
        own_lose(t, p);
        return;
    }
    p->mark = request->mark;
    p->phase = LIFE_LOADING;
    p->deadlines = deadlines_create((uint32_t)(p->mark.clock_ms / 1000));
    board[p->number].phase = PHASE_LOADING;
    p->clear = request->fresh;
    p->partial = request->fresh && facts->low > 0 &&
                 (facts->group == GROUP_OURS || facts->group == GROUP_OURS_CHANGED);
    p->counted = p->number == 0;
    if (p->mark.partitions != (uint32_t)facts->partitions)
        refuse_count(t, p, p->mark.partitions);
}

static void answered_cut(struct track *t, struct partition *p, const struct request *request)
{
    struct board_row *row = &board[p->number];

    if (request->answer != REQUEST_APPLIED)
        return;
    p->mark = request->mark;
    p->applied = request->ordinal;
    p->commit = p->mark.offset;
    row->stored = p->mark.offset;
    row->records = (int64_t)table_count(p->table);
    p->progress_ns = 0;   /* said with each checkpoint */
    if (p->phase == LIFE_LOADING && p->clear) {
        p->clear = false;
        if (t->priors != NULL)
            priors_give(t->priors, p->model);
        own_ready(t, p);
    }
}

void own_answered(struct track *t, struct partition *p, struct batch *batch)
{
    struct request *request = batch->head;

    CHECK(p->request == batch);
    p->request = NULL;
    if (request->answer == REQUEST_DIFFERS)
        own_lose(t, p);
    else if (p->lost || request->answer == REQUEST_GONE)
        ;
    else if (request->kind == REQUEST_CLAIM)
        answered_claim(t, p, request);
    else if (request->kind == REQUEST_READ)
        answered_read(t, p, request);
    else if (request->kind == REQUEST_LOOK)
        answered_look(t, p, request);
    else if (request->kind == REQUEST_CUT)
        answered_cut(t, p, request);
    request_clear(request);
}

/* ── Letting go ───────────────────────────────────────────────────────────── */

/* Everything that waits goes home with the news. */
void own_lose(struct track *t, struct partition *p)
{
    p->lost = true;
    order_answer(t, p, p->phase == LIFE_RELEASING ? ANSWER_NONE : ANSWER_RECLAIM, 0);
    while (p->waiting_count > 0) {
        struct batch *batch = waiting_take(p);
        struct passage *passage = batch->head;

        passage->answer = ANSWER_RECLAIM;
        stage_finish(t->stage, &batch, OUTCOME_DONE);
    }
}

void own_end(struct track *t, struct partition *p)
{
    if (p->phase != LIFE_ENDING) {
        own_lose(t, p);
        tell_drop(t, &p->outputs);
        tell_drop(t, &p->deferred);
        if (p->request != NULL && p->request_waits)   /* a cut that never left */
            pool_give(t->requests, &p->request);
        p->request_waits = false;
        p->phase = LIFE_ENDING;
    }
    if (p->released || t->budget[TRACK_TO_REDIS] == 0)
        return;
    struct batch *batch = request_make(t, p, REQUEST_RELEASE);

    if (batch == NULL)
        return;
    request_emit(t, batch);   /* what is still out comes home before it does */
    p->released = true;
}

void own_free(struct track *t, struct partition *p)
{
    uint32_t i = 0;

    while (t->owned[i] != p->number)
        i++;
    t->owned[i] = t->owned[--t->owned_count];
    t->partitions[p->number] = NULL;
    state_destroy(p);
    buffer_free(&p->body);
    buffer_free(&p->index);
    if (p->request != NULL)   /* the graph was dropped in mid-read */
        request_clear(p->request->head);
    free(p);
}
