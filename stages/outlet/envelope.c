/* envelope.c - how alerts, ETAs and progress look on Kafka: values, keys, headers. */
#include "stages/outlet/envelope.h"

#include <string.h>

#include "pipeline/check.h"
#include "stages/activity/counts.h"
#include "stages/detect/detect.h"
#include "stages/kinds.h"
#include "stages/outlet/text_out.h"
#include "stages/outlet/trace.h"
#include "stages/parcel/names.h"
#include "stages/scan/format.h"

enum { SENTENCE_MAX = 400 };

const char *alert_state_name(enum alert_state state)
{
    static const char *const names[] = {"NONE", "OPENED", "UPDATED", "RESOLVED"};

    CHECK((size_t)state < sizeof names / sizeof names[0]);
    return names[state];
}

const char *severity_name(enum severity severity)
{
    static const char *const names[] = {"none", "info", "warning", "critical"};

    CHECK((size_t)severity < sizeof names / sizeof names[0]);
    return names[severity];
}

bool envelope_room(const struct batch *outputs)
{
    const struct outputs *head = outputs->head;

    return outputs->count < outputs->capacity && OUTPUTS_ARENA - head->used >= OUTPUT_BYTES_MAX;
}

/* The free rest of the arena, as a cursor. */
static struct text_out arena_open(struct batch *outputs)
{
    struct outputs *head = outputs->head;

    CHECK(outputs->kind == KIND_OUTPUTS && envelope_room(outputs));
    return (struct text_out){.at = outputs->arena + head->used,
                             .end = outputs->arena + OUTPUTS_ARENA};
}

/* What was written since `from` belongs to the batch now. */
static void arena_close(struct batch *outputs, const struct text_out *o)
{
    struct outputs *head = outputs->head;

    CHECK(!o->full);
    head->used = (uint32_t)(o->at - outputs->arena);
    head->used = (head->used + 7) & ~7u;   /* headers are structs: keep them aligned */
    CHECK(head->used <= OUTPUTS_ARENA);
}

static struct output *output_next(struct batch *outputs, uint8_t topic, uint32_t home)
{
    struct output *output = (struct output *)outputs->records + outputs->count++;

    *output = (struct output){.topic = topic, .home = home};
    return output;
}

/* Members: `key` is `,"name":` as MEMBER gives it, ready to be copied.  Where there is nothing
 * to say the member is left out. */

static void member_text(struct text_out *o, const char *key, size_t key_length, const char *text,
                        size_t length)
{
    if (length == 0)
        return;
    out_bytes(o, key, key_length);
    out_string(o, text, length);
}

/* A text of our own, that has nothing to escape. */
static void member_word(struct text_out *o, const char *key, size_t key_length, const char *word)
{
    out_bytes(o, key, key_length);
    out_literal(o, "\"");
    out_bytes(o, word, strlen(word));
    out_literal(o, "\"");
}

static void member_name(struct text_out *o, const char *key, size_t key_length,
                        enum name_kind kind, const struct names *names, name_id id)
{
    const char *text = names_text(names, kind, id);

    member_text(o, key, key_length, text, strlen(text));
}

static void member_number(struct text_out *o, const char *key, size_t key_length, int64_t number)
{
    out_bytes(o, key, key_length);
    out_number(o, number);
}

static void member_time(struct text_out *o, const char *key, size_t key_length, uint32_t unix_s)
{
    if (unix_s == 0)
        return;
    out_bytes(o, key, key_length);
    out_time(o, unix_s);
}

static void member_origin(struct text_out *o, const struct origin *origin)
{
    member_number(o, MEMBER("epoch"), (int64_t)origin->epoch);
    member_text(o, MEMBER("topic"), origin->topic, strlen(origin->topic));
    member_number(o, MEMBER("partition"), origin->partition);
    if (origin->offset >= 0)
        member_number(o, MEMBER("offset"), origin->offset);
}

uint16_t alert_life(const struct parcel *parcel, const struct alert *alert)
{
    uint16_t before = alert->flags / ALERT_LIFE_BEFORE;

    return parcel->life > before ? (uint16_t)(parcel->life - before) : 1;
}

/* Who has the parcel in this life; of a life that is over nobody knows any more. */
static void who_members(struct text_out *o, const struct parcel *parcel,
                        const struct names *names)
{
    member_name(o, MEMBER("carrier"), NAME_PLACE, names, parcel->carrier);
    member_text(o, MEMBER("carrier_number"), parcel->carrier_number,
                parcel->carrier_number_length);
    member_name(o, MEMBER("service"), NAME_SERVICE, names, parcel->service);
}

static void alert_members(struct text_out *o, const struct parcel *parcel,
                          const struct names *names, const struct alert *alert,
                          const struct detector *detector)
{
    char sentence[SENTENCE_MAX];
    uint16_t life = alert_life(parcel, alert);
    size_t length = alert_sentence(alert, parcel, names, sentence, sizeof sentence);

    member_word(o, MEMBER("type"), detector->type);
    member_word(o, MEMBER("severity"), severity_name((enum severity)alert->severity));
    member_word(o, MEMBER("state"), alert_state_name((enum alert_state)alert->state));
    member_number(o, MEMBER("sequence"), alert->sequence);
    member_text(o, MEMBER("parcel"), parcel->number, parcel->number_length);
    member_number(o, MEMBER("life"), life);
    if (life == parcel->life)
        who_members(o, parcel, names);
    member_name(o, MEMBER("facility"), NAME_PLACE, names, alert->at);
    member_name(o, MEMBER("next"), NAME_PLACE, names, alert->expected);
    if (life == parcel->life)
        member_text(o, MEMBER("courier"), parcel->courier, parcel->courier_length);
    member_time(o, MEMBER("opened_at"), alert->opened_s);
    member_time(o, MEMBER("at"), alert->at_s);
    member_time(o, MEMBER("deadline"), alert->deadline_s);
    member_number(o, MEMBER("value"), alert->value);
    member_number(o, MEMBER("threshold"), alert->threshold);
    if (detector->unit != NULL && detector->unit[0] != '\0')
        member_word(o, MEMBER("unit"), detector->unit);
    member_name(o, MEMBER("reason"), NAME_PLACE, names, alert->note);
    member_word(o, MEMBER("owner"), owner_name((enum alert_owner)detector->owner));
    member_word(o, MEMBER("action"), detector->action);
    member_text(o, MEMBER("text"), sentence, length);
}

/* Header texts are cut out of the arena as they are written. */
struct header_writer {
    struct text_out      *o;
    struct output_header *list;
    uint8_t               count;
    char                 *begun;
};

static void header_begin(struct header_writer *w, const char *name)
{
    CHECK(w->count < OUTPUT_HEADERS_MAX);
    w->list[w->count].name = name;
    w->begun = w->o->at;
}

static void header_end(struct header_writer *w)
{
    CHECK(w->begun != NULL && w->o->at >= w->begun);
    w->list[w->count].value = w->begun;
    w->list[w->count].length = (uint32_t)(w->o->at - w->begun);
    w->count++;
}

static void header_text(struct header_writer *w, const char *name, const char *text)
{
    header_begin(w, name);
    w->list[w->count].value = text;
    w->list[w->count].length = (uint32_t)strlen(text);
    w->count++;
}

/* The causing scan's, in the arena as in the trace. */
static void header_trace(struct header_writer *w, const struct trace *trace)
{
    const char *at = w->o->at;

    if (trace == NULL)
        return;
    out_bytes(w->o, trace->bytes, trace->length);
    while (at < w->o->at) {
        struct trace_header header;

        at = trace_next(at, &header);
        CHECK(w->count < OUTPUT_HEADERS_MAX);
        w->list[w->count++] = (struct output_header){
            .name = header.name, .value = header.value, .length = header.length};
    }
}

static void alert_headers(struct header_writer *w, const struct origin *origin,
                          const struct parcel *parcel, const struct alert *alert,
                          const struct detector *detector)
{
    char time[TIME_TEXT];

    header_text(w, "ce_specversion", "1.0");
    header_text(w, "ce_source", origin->source);
    header_text(w, "ce_type", detector->type);
    header_begin(w, "ce_id");
    out_hex16(w->o, alert->id);
    out_literal(w->o, "-");
    out_number(w->o, alert->sequence);
    header_end(w);
    header_begin(w, "ce_time");
    out_bytes(w->o, time, time_print((int64_t)alert->at_s * 1000, time));
    header_end(w);
    header_begin(w, "ce_subject");
    out_bytes(w->o, parcel->number, parcel->number_length);
    header_end(w);
    header_text(w, "content-type", "application/json");
    header_text(w, "type", detector->type);
    header_text(w, "severity", severity_name((enum severity)alert->severity));
    header_text(w, "state", alert_state_name((enum alert_state)alert->state));
    header_begin(w, "epoch");
    out_number(w->o, (int64_t)origin->epoch);
    header_end(w);
    header_trace(w, origin->trace);
}

static void output_key(struct output *output, struct text_out *o, const char *number,
                       uint8_t length)
{
    output->key = o->at;
    output->key_length = length;
    out_bytes(o, number, length);
}

const struct output *envelope_alert(struct batch *outputs, const struct origin *origin,
                                    const struct parcel *parcel, const struct names *names,
                                    const struct alert *alert)
{
    const struct detector *detector = detector_table[alert->type];
    CHECK(detector != NULL);
    struct text_out o = arena_open(outputs);
    struct output *output = output_next(outputs, TOPIC_ALERTS, origin->home);
    struct header_writer w = {.o = &o, .list = (struct output_header *)(void *)o.at};

    o.at += OUTPUT_HEADERS_MAX * sizeof *w.list;
    alert_headers(&w, origin, parcel, alert, detector);
    output->headers = w.list;
    output->headers_count = w.count;
    output_key(output, &o, parcel->number, parcel->number_length);
    output->value = o.at;
    out_literal(&o, "{\"id\":\"");
    out_hex16(&o, alert->id);
    out_literal(&o, "\"");
    alert_members(&o, parcel, names, alert, detector);
    member_origin(&o, origin);
    out_literal(&o, "}");
    output->length = (uint32_t)(o.at - (const char *)output->value);
    output->alert = alert->id;
    output->sequence = alert->sequence;
    arena_close(outputs, &o);
    return output;
}

const char *eta_reason_name(enum eta_reason reason)
{
    static const char *const names[] = {"first", "moved", "state", "arrived"};

    CHECK((size_t)reason < sizeof names / sizeof names[0]);
    return names[reason];
}

static void eta_outcome(struct text_out *o, const struct eta *eta)
{
    member_time(o, MEMBER("actual"), eta->at_s);
    if (eta->first_s == 0)
        return;
    member_number(o, MEMBER("first_error_s"), (int64_t)eta->at_s - eta->first_s);
    member_number(o, MEMBER("last_error_s"), (int64_t)eta->at_s - eta->last_s);
}

void envelope_eta(struct batch *outputs, const struct origin *origin, const struct eta *eta)
{
    struct text_out o = arena_open(outputs);
    struct output *output = output_next(outputs, TOPIC_ETAS, eta->home);

    if (origin->trace != NULL && origin->trace->length > 0) {
        struct header_writer w = {.o = &o, .list = (struct output_header *)(void *)o.at};

        o.at += TRACE_HEADERS_MAX * sizeof *w.list;
        header_trace(&w, origin->trace);
        output->headers = w.list;
        output->headers_count = w.count;
    }
    output_key(output, &o, eta->number, eta->number_length);
    output->value = o.at;
    out_literal(&o, "{\"parcel\":");
    out_string(&o, eta->number, eta->number_length);
    member_number(&o, MEMBER("life"), eta->life);
    if (eta->reason == ETA_ARRIVED) {
        eta_outcome(&o, eta);
    } else {
        member_time(&o, MEMBER("p50"), eta->p50_s);
        member_time(&o, MEMBER("p90"), eta->p90_s);
        member_word(&o, MEMBER("basis"), basis_name((enum estimate_basis)eta->basis));
        member_number(&o, MEMBER("moved_by_s"), eta->moved_by_s);
    }
    member_time(&o, MEMBER("promise"), eta->promise_s);
    member_word(&o, MEMBER("reason"), eta_reason_name((enum eta_reason)eta->reason));
    member_time(&o, MEMBER("at"), eta->at_s);
    member_number(&o, MEMBER("sequence"), eta->sequence);
    member_number(&o, MEMBER("epoch"), (int64_t)origin->epoch);
    out_literal(&o, "}");
    output->length = (uint32_t)(o.at - (const char *)output->value);
    arena_close(outputs, &o);
}

void envelope_progress(struct batch *outputs, const struct origin *origin, int64_t offset,
                       int64_t clock_ms, int64_t lag, int64_t wall_ms)
{
    struct text_out o = arena_open(outputs);
    struct output *output = output_next(outputs, TOPIC_PROGRESS, 0);

    output->key = o.at;
    out_number(&o, origin->partition);
    output->key_length = (uint16_t)(o.at - output->key);
    output->home = parcel_home(output->key, output->key_length);
    output->value = o.at;
    out_literal(&o, "{\"partition\":");
    out_number(&o, origin->partition);
    member_number(&o, MEMBER("offset"), offset);
    member_time(&o, MEMBER("clock"), (uint32_t)(clock_ms / 1000));
    member_number(&o, MEMBER("lag"), lag);
    out_literal(&o, ",\"owner\":\"");
    out_hex16(&o, origin->owner);
    out_literal(&o, "\"");
    member_number(&o, MEMBER("epoch"), (int64_t)origin->epoch);
    member_time(&o, MEMBER("at"), (uint32_t)(wall_ms / 1000));
    out_literal(&o, "}");
    output->length = (uint32_t)(o.at - (const char *)output->value);
    arena_close(outputs, &o);
}

/* ── A minute's counts ────────────────────────────────────────────────────── */

/* The least number whose key has this home among so many: with as many partitions as there are
 * shares, each has its own. */
static void share_key(struct output *output, struct text_out *o, uint32_t share, uint32_t shares)
{
    char *begun = o->at;

    for (int64_t n = 0; n == 0 || output->home % shares != share; n++) {
        o->at = begun;
        out_number(o, n);
        output->home = parcel_home(begun, (size_t)(o->at - begun));
    }
    output->key = begun;
    output->key_length = (uint32_t)(o->at - begun);
}

static void out_degrees(struct text_out *o, int32_t e4)
{
    uint32_t whole = (uint32_t)(e4 < 0 ? -e4 : e4);
    char part[4] = {(char)('0' + whole / 1000 % 10), (char)('0' + whole / 100 % 10),
                    (char)('0' + whole / 10 % 10), (char)('0' + whole % 10)};

    if (e4 < 0)
        out_literal(o, "-");
    out_number(o, whole / 10000);
    out_literal(o, ".");
    out_bytes(o, part, sizeof part);
}

/* Deliveries of a courier: how many, when and where. */
static void delivery_members(struct text_out *o, const struct names *names,
                             const struct tally *row)
{
    const char *at = names_text(names, NAME_PLACE, row->b);

    out_literal(o, ",");
    out_number(o, row->a);
    out_literal(o, ",");
    out_string(o, at, strlen(at));
    if (row->lat_e4 == 0 && row->lon_e4 == 0)
        return;
    out_literal(o, ",");
    out_degrees(o, row->lat_e4);
    out_literal(o, ",");
    out_degrees(o, row->lon_e4);
}

/* `["facility:PVG",120,40,38,512,1]`; what neither happened nor is there is not said. */
static void count_member(struct text_out *o, const struct minute *m, const struct tally *row,
                         bool *first)
{
    const int64_t numbers[4] = {row->in, row->out, row->on_hand, row->exceptions};
    char text[SUBJECT_TEXT_MAX];

    if (row->home % m->shares != m->share ||
        (row->events == 0 && row->in == 0 && row->out == 0 && row->on_hand == 0))
        return;
    out_bytes(o, *first ? "[" : ",[", *first ? 1 : 2);
    *first = false;
    out_string(o, text, counts_subject(m->counts, m->names, row, text));
    out_literal(o, ",");
    out_number(o, row->events);
    if (row->kind == SUBJECT_COURIER)
        delivery_members(o, m->names, row);
    for (int i = 0; i < 4 && row->kind != SUBJECT_COURIER; i++) {
        out_literal(o, ",");
        out_number(o, numbers[i]);
    }
    out_literal(o, "]");
}

static void member_minute(struct text_out *o, const char *key, size_t key_length, uint32_t minute)
{
    member_time(o, key, key_length, minute * (MINUTE_MS / 1000));
}

bool envelope_activity(struct batch *outputs, const struct origin *origin, struct minute *m)
{
    const struct outputs *head = outputs->head;
    struct text_out o = arena_open(outputs);
    struct output *output = output_next(outputs, TOPIC_ACTIVITY, 0);
    const char *full = o.at + ACTIVITY_BYTES_MAX - 8 * SUBJECT_TEXT_MAX;
    const struct tally *row;
    bool first = true;

    CHECK(m->share < m->shares && OUTPUTS_ARENA - head->used >= ACTIVITY_BYTES_MAX);
    share_key(output, &o, m->share, m->shares);
    output->value = o.at;
    out_literal(&o, "{\"source\":");
    out_number(&o, origin->partition);
    member_number(&o, MEMBER("sources"), m->sources);
    member_number(&o, MEMBER("epoch"), (int64_t)origin->epoch);
    member_minute(&o, MEMBER("minute"), counts_minute(m->counts));
    member_minute(&o, MEMBER("until"), m->until);
    member_number(&o, MEMBER("share"), m->share);
    member_number(&o, MEMBER("shares"), m->shares);
    member_number(&o, MEMBER("part"), m->part);
    out_literal(&o, ",\"counts\":[");
    while ((row = counts_at(m->counts, m->row)) != NULL && o.at < full) {
        count_member(&o, m, row, &first);
        m->row++;
    }
    out_literal(&o, "],\"last\":");
    out_bytes(&o, row == NULL ? "true}" : "false}", row == NULL ? 5 : 6);
    output->length = (uint32_t)(o.at - (const char *)output->value);
    arena_close(outputs, &o);
    m->part = row == NULL ? 0 : m->part + 1;
    m->row = row == NULL ? 0 : m->row;
    m->share += row == NULL;
    return m->share < m->shares;
}
