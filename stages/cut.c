/* cut.c - everything dirty as of an offset, as Redis commands.
 *
 * Serialised before the next scan is taken, never later: by the time outputs are
 * acknowledged the table is ahead of the offset, and a record that already knows
 * scan o + 3 would swallow its replay as a duplicate.  Dirty records are sorted by
 * bucket, so that one HSET writes all of a bucket's.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/check.h"
#include "pipeline/log.h"
#include "pipeline/metric.h"
#include "stages/activity/counts.h"
#include "stages/eta/model_store.h"
#include "stages/kinds.h"
#include "stages/outlet/mark.h"
#include "stages/outlet/text_out.h"
#include "stages/parcel/table.h"
#include "stages/tell.h"
#include "stages/track_parts.h"

enum { CUT_BYTES_MAX = 16 * 1024 * 1024, FIELDS_MAX = 512 /* of the model, in one command */ };

/* One dirty record while the cut is made. */
struct cut_row {
    const uint8_t *bytes;
    uint32_t       length, bucket;
};

/* The first part of the key is always the same: written once, at the claim. */
size_t partition_key(const struct partition *p, char text[KEY_MAX], const char *suffix)
{
    size_t length = strlen(suffix);

    CHECK(p->key_length + length < KEY_MAX);
    memcpy(text, p->key, p->key_length);
    memcpy(text + p->key_length, suffix, length + 1);
    return p->key_length + length;
}

static uint32_t bucket_of(const struct partition *p, const char *number, size_t length)
{
    return parcel_home(number, length) / p->mark.partitions % p->mark.buckets;
}

/* ── Requests ─────────────────────────────────────────────────────────────── */

struct batch *request_make(struct track *t, struct partition *p, enum request_kind kind)
{
    struct batch *batch = t->budget[TRACK_TO_REDIS] > 0 ? pool_take(t->requests) : NULL;

    if (batch == NULL)
        return NULL;
    struct request *request = batch->head;

    batch->partition = p->number;
    batch->assignment = p->assignment;
    request->kind = (uint8_t)kind;
    request->of = p->number;
    return batch;
}

struct batch *request_begin(struct track *t, struct partition *p, enum request_kind kind)
{
    CHECK(p->request == NULL);   /* the body is one request's at a time */
    struct batch *batch = request_make(t, p, kind);

    if (batch == NULL)
        return NULL;
    struct request *request = batch->head;

    request->body = &p->body;
    p->body.used = 0;
    p->request = batch;
    return batch;
}

void request_emit(struct track *t, struct batch *batch)
{
    CHECK(batch != NULL && t->budget[TRACK_TO_REDIS] > 0);
    t->budget[TRACK_TO_REDIS]--;
    stage_emit(t->stage, TRACK_TO_REDIS, &batch);
}

/* ── What goes in besides records ─────────────────────────────────────────── */

/* One field of a hash is set, or with value NULL deleted. */
static void put_field(struct buffer *to, const char *key, size_t key_length, const char *field,
                      size_t field_length, const void *value, size_t length)
{
    resp_command(to, value != NULL ? 4 : 3);
    resp_text(to, value != NULL ? "HSET" : "HDEL");
    resp_argument(to, key, key_length);
    resp_argument(to, field, field_length);
    if (value != NULL)
        resp_argument(to, value, length);
}

void cut_index(struct partition *p, const char *key_suffix, const char *field,
               size_t field_length, const void *value, size_t length)
{
    char key[KEY_MAX];
    size_t key_length = partition_key(p, key, key_suffix);

    put_field(&p->index, key, key_length, field, field_length, value, length);
    p->index_commands++;
}

void cut_carrier_forget(struct partition *p, const struct parcel *parcel)
{
    char key[KEY_MAX];

    if (parcel->carrier_number_length == 0)
        return;
    resp_command(&p->index, 6);
    resp_text(&p->index, "EVAL");
    resp_text(&p->index, REQUEST_FORGET);
    resp_text(&p->index, "1");
    resp_argument(&p->index, key, partition_key(p, key, "carrier"));
    resp_argument(&p->index, parcel->carrier_number, parcel->carrier_number_length);
    resp_argument(&p->index, parcel->number, parcel->number_length);
    p->index_commands++;
}

static void bucket_suffix(char text[16], uint32_t bucket)
{
    snprintf(text, 16, "b%08x", bucket);
}

void cut_remove(struct partition *p, const struct parcel *parcel)
{
    char suffix[16];

    bucket_suffix(suffix, bucket_of(p, parcel->number, parcel->number_length));
    cut_index(p, suffix, parcel->number, parcel->number_length, NULL, 0);
    cut_carrier_forget(p, parcel);
}

static uint32_t put_names(struct partition *p, enum name_kind kind)
{
    name_id first = names_dirty_first(p->names, kind), last = names_last(p->names, kind);
    char key[KEY_MAX], field[16];

    if (first > last)
        return 0;
    size_t key_length = partition_key(p, key, "names");

    resp_command(&p->body, 2 + 2 * (last - first + 1));
    resp_text(&p->body, "HSET");
    resp_argument(&p->body, key, key_length);
    for (name_id id = first; id <= last; id++) {
        int n = snprintf(field, sizeof field, "%c:%u", kind == NAME_SERVICE ? 's' : 'p', id);

        resp_argument(&p->body, field, (size_t)n);
        resp_text(&p->body, names_text(p->names, kind, id));
    }
    return 1;
}

/* Many fields a command: each command costs Redis more than its fields. */
struct cell_writer {
    struct buffer *body;
    const char    *key;
    size_t         key_length;
    uint32_t       left[2];         /* fields to come: gone, set                             */
    uint32_t       room, commands;  /* of the command begun; commands so far                 */
};

static void put_cell(void *self, const char *field, size_t field_length, const uint8_t *bytes,
                     size_t length)
{
    struct cell_writer *w = self;
    bool set = bytes != NULL;

    if (w->room == 0) {
        w->room = w->left[set] < FIELDS_MAX ? w->left[set] : FIELDS_MAX;
        resp_command(w->body, 2 + w->room * (set ? 2 : 1));
        resp_text(w->body, set ? "HSET" : "HDEL");
        resp_argument(w->body, w->key, w->key_length);
        w->commands++;
    }
    CHECK(w->room > 0);
    w->room--;
    w->left[set]--;
    resp_argument(w->body, field, field_length);
    if (set)
        resp_argument(w->body, bytes, length);
}

static uint32_t put_model(struct partition *p)
{
    struct model_changes changes = model_changes(p->model);
    char key[KEY_MAX];
    struct cell_writer w = {
        .body = &p->body, .key = key, .left = {changes.gone, changes.set}};

    w.key_length = partition_key(p, key, "model");
    model_dirty_each(p->model, put_cell, &w);
    model_clean(p->model);
    CHECK(w.room == 0 && w.left[0] == 0 && w.left[1] == 0);
    return w.commands;
}

/* What the open minute has counted since the last cut, as one more part of it; the first part
 * replaces those of the minute before, even if there is nothing in it yet. */
static uint32_t put_counts(struct track *t, struct partition *p)
{
    char key[KEY_MAX], field[16];
    uint8_t bytes[TALLY_BYTES_MAX];
    bool first = p->counts_parts == 0;

    if (p->counts == NULL || (!first && counts_dirty(p->counts) == 0))
        return 0;
#ifdef CANARY_minute_forgotten
    if (!first) {   /* planted: only what was counted up to a minute's first cut is kept */
        counts_clean(p->counts);
        return 0;
    }
#endif
    uint32_t minute = counts_minute(p->counts);
    size_t key_length = partition_key(p, key, "activity");

    t->counted.used = 0;
    buffer_add(&t->counted, &minute, sizeof minute);
    for (uint32_t i = 0; i < counts_dirty(p->counts); i++)
        buffer_add(&t->counted, bytes, counts_pack(p->counts, i, bytes));
    counts_clean(p->counts);
    if (first) {
        resp_command(&p->body, 2);
        resp_text(&p->body, "UNLINK");
        resp_argument(&p->body, key, key_length);
    }
    int length = snprintf(field, sizeof field, "%u", p->counts_parts++);

    put_field(&p->body, key, key_length, field, (size_t)length, t->counted.bytes,
              t->counted.used);
    return 1 + first;
}

/* ── Records, sorted by bucket ────────────────────────────────────────────── */

struct gather {
    const struct partition *p;
    struct cut_row         *rows;
    uint32_t                count;
};

static void gather_row(void *self, const uint8_t *bytes, size_t length)
{
    struct gather *g = self;
    char number[PARCEL_MAX];
    size_t number_length = record_number(bytes, number);

    g->rows[g->count++] = (struct cut_row){
        .bytes = bytes,
        .length = (uint32_t)length,
        .bucket = bucket_of(g->p, number, number_length),
    };
}

/* Two areas of `count` rows each, gathered and sorted; and, cleared, an end per bucket. */
static struct cut_row *rows_take(struct track *t, uint32_t count, uint32_t buckets)
{
    if (t->cut_rows_size < count) {
        free(t->cut_rows);
        t->cut_rows_size = count + count / 2;
        t->cut_rows = malloc(2 * (size_t)t->cut_rows_size * sizeof *t->cut_rows);
        CHECK(t->cut_rows != NULL);
    }
    if (t->cut_ends_size < buckets + 1) {
        free(t->cut_ends);
        t->cut_ends_size = buckets + 1;
        t->cut_ends = malloc(t->cut_ends_size * sizeof *t->cut_ends);
        CHECK(t->cut_ends != NULL);
    }
    memset(t->cut_ends, 0, (buckets + 1) * sizeof *t->cut_ends);
    return t->cut_rows;
}

/* Counting sort over the buckets, two passes. */
static const struct cut_row *rows_sorted(struct track *t, const struct partition *p,
                                         const struct cut_row *rows, uint32_t count)
{
    struct cut_row *sorted = t->cut_rows + t->cut_rows_size;
    uint32_t *ends = t->cut_ends;

    for (uint32_t i = 0; i < count; i++)
        ends[rows[i].bucket + 1]++;
    for (uint32_t b = 0; b < p->mark.buckets; b++)
        ends[b + 1] += ends[b];
    for (uint32_t i = 0; i < count; i++)
        sorted[ends[rows[i].bucket]++] = rows[i];
    return sorted;
}

static void put_bucket(struct partition *p, const struct cut_row *rows, uint32_t count)
{
    char key[KEY_MAX], suffix[16], number[PARCEL_MAX];

    bucket_suffix(suffix, rows[0].bucket);
    size_t key_length = partition_key(p, key, suffix);

    resp_command(&p->body, 2 + 2 * count);
    resp_text(&p->body, "HSET");
    resp_argument(&p->body, key, key_length);
    for (uint32_t i = 0; i < count; i++) {
        if (i + 4 < count)
            __builtin_prefetch(rows[i + 4].bytes);
        size_t number_length = record_number(rows[i].bytes, number);

        resp_argument(&p->body, number, number_length);
        resp_argument(&p->body, rows[i].bytes, rows[i].length);
    }
}

static uint32_t put_records(struct track *t, struct partition *p)
{
    if (table_dirty_count(p->table) == 0)
        return 0;
    struct gather g = {.p = p, .rows = rows_take(t, table_dirty_count(p->table), p->mark.buckets)};
    uint32_t commands = 0;

    table_dirty_each(p->table, gather_row, &g);
    CHECK(g.count == table_dirty_count(p->table));
    const struct cut_row *rows = rows_sorted(t, p, g.rows, g.count);

    for (uint32_t i = 0, end; i < g.count; i = end, commands++) {
        for (end = i + 1; end < g.count && rows[end].bucket == rows[i].bucket; end++)
            ;
        put_bucket(p, rows + i, end - i);
    }
    table_clean(p->table);
    return commands;
}

/* ── The index of open alerts ─────────────────────────────────────────────── */

/* Is this the parcel's last word on the alert?  What a parcel does not list any more was
 * resolved, and that was the last. */
static bool is_last(const struct parcel *parcel, const struct alert *alert)
{
    for (uint32_t i = 0; i < parcel->alerts_count; i++)
        if (parcel->alerts[i].id == alert->id)
            return parcel->alerts[i].sequence == alert->sequence
                && parcel->alerts[i].state == alert->state;
    return alert->state == ALERT_RESOLVED;
}

/* One command, whose fields were gathered, into the index. */
static void put_gathered(struct partition *p, const char *command, const struct buffer *fields,
                         uint32_t arguments)
{
    char key[KEY_MAX];

    if (arguments == 0)
        return;
    size_t key_length = partition_key(p, key, "open");

    resp_command(&p->index, 2 + arguments);
    resp_text(&p->index, command);
    resp_argument(&p->index, key, key_length);
    buffer_add(&p->index, fields->bytes, fields->used);
    p->index_commands++;
}

/* Each alert that has changed since the last cut, as it now is: one that came and went since
 * then costs a field that is gone, and no text. */
static void put_alerts(struct track *t, struct partition *p)
{
    uint32_t set = 0, gone = 0;

    t->open.used = t->closed.used = 0;
    for (; p->alerts.indexed < p->alerts.count; p->alerts.indexed++) {
        const struct alert_change *change = &p->alerts.list[p->alerts.indexed];
        struct parcel parcel;
        char id[16];
        struct text_out field = {.at = id, .end = id + sizeof id};
        bool known = follow_load(p, change->number, change->number_length, &parcel);

        if (known && !is_last(&parcel, &change->alert))
            continue;
        out_hex16(&field, change->alert.id);
        if (!known || change->alert.state == ALERT_RESOLVED) {
            resp_argument(&t->closed, id, sizeof id);
            gone++;
            continue;
        }
        const struct output *text = tell_text(t, p, &parcel, change);

        resp_argument(&t->open, id, sizeof id);
        resp_argument(&t->open, text->value, text->length);
        set += 2;
    }
    put_gathered(p, "HDEL", &t->closed, gone);
    put_gathered(p, "HSET", &t->open, set);
}

/* ── The cut ──────────────────────────────────────────────────────────────── */

static uint32_t unindexed(const struct partition *p)
{
    return p->alerts.count - p->alerts.indexed;
}

bool cut_late(const struct track *t, const struct partition *p, uint64_t now_ns)
{
    uint64_t interval_ns = track_behind(t, p) ? t->catch_up_interval_ns : t->interval_ns;

    return now_ns >= p->cut_ns + interval_ns;
}

bool cut_due(const struct track *t, const struct partition *p, uint64_t now_ns)
{
    return p->request == NULL && (cut_full(t, p) || cut_late(t, p, now_ns));
}

/* No further scan may be taken: one cut is out, and the next would be full already. */
bool cut_full(const struct track *t, const struct partition *p)
{
    return table_dirty_count(p->table) >= t->records_max ||
           p->index_commands >= t->records_max ||   /* what expires is no dirty record */
           unindexed(p) >= ALERTS_WAITING_MAX / 2 ||
           table_dirty_bytes(p->table) + p->index.used >= CUT_BYTES_MAX;
}

/* Nothing to write.  The clock of a quiet partition is written now and then all the same:
 * whoever reads mark knows from it up to when there was nothing to tell. */
bool cut_clean(const struct track *t, const struct partition *p)
{
    int64_t clock_ms_max = (int64_t)(t->progress_ns / 1000000);

    return table_dirty_count(p->table) == 0 && p->index_commands == 0 && unindexed(p) == 0 &&
           p->position == p->mark.offset && p->clock_ms - p->mark.clock_ms < clock_ms_max;
}

static uint32_t put_everything(struct track *t, struct partition *p)
{
    uint32_t commands = 0;

    for (enum name_kind kind = 0; kind < NAME_KINDS; kind++)
        commands += put_names(p, kind);
    names_clean(p->names);
    put_alerts(t, p);
    buffer_add(&p->body, p->index.bytes, p->index.used);
    commands += p->index_commands;
    p->index.used = 0;
    p->index_commands = 0;
    commands += put_records(t, p);   /* after the index: one may have expired and come back */
    return commands + put_model(p) + put_counts(t, p);
}

/* Names that the dictionary had no number for since the last cut. */
static void count_refused(const struct track *t, struct partition *p)
{
    uint64_t refused = names_refused(p->names);

    if (refused == p->names_refused)
        return;
    if (p->names_refused == 0)
        log_warning("track", "partition %" PRId32 ": its dictionary is full: new names of places, "
                    "services or reasons stay unknown (names_refused_total counts them)",
                    p->number);
    metric_add(t->names_refused, refused - p->names_refused);
    p->names_refused = refused;
}

static void cut_fill(struct track *t, struct partition *p, struct request *request)
{
    request->commands = put_everything(t, p);
    request->ordinal = ++p->cut_ordinal;
    request->outputs = p->ordinal;
    request->mark = (struct mark){
        .offset = p->position,
        .clock_ms = p->clock_ms,
        .records = table_count(p->table),
        .kafka_ms = p->last_kafka_ms,
        .home = p->last_home,
    };
    count_refused(t, p);
#ifdef CANARY_late_serialise   /* planted: the records are of a later moment than the offset */
    if (p->phase == LIFE_RUNNING && p->position < p->high && p->position > p->mark.offset)
        request->mark.offset--, request->mark.home = -1;
#endif
}

bool cut_take(struct track *t, struct partition *p, uint64_t now_ns)
{
    tell_flush(t, p, true);
    if (!tell_flushed(p))
        return false;
    bool clean = cut_clean(t, p);
    struct batch *batch = request_begin(t, p, clean ? REQUEST_LOOK : REQUEST_CUT);

    if (batch == NULL)
        return false;
    p->cut_ns = now_ns;
    if (!clean)
        cut_fill(t, p, batch->head);
    p->request_waits = !clean && p->settled < p->position;   /* for dead letters */
    if (!p->request_waits)
        request_emit(t, batch);
    return true;
}
