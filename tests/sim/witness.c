/* witness.c - the invariants of each step, judged as it happens.
 *
 * An alert that a deadline opened arrives: the state knew it before the world did.
 * A mark is written: the records in Redis are the fold of the log up to its offset, and
 * whatever the undisturbed run told below that offset has arrived.
 * An offset is committed to the group: Redis has it, and the metadata can be read.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "pipeline/check.h"
#include "stages/outlet/output.h"
#include "stages/scan/scan.h"
#include "tests/sim/sim.h"

enum { BUCKETS = 8, AHEAD_MS_MAX = 300000 };

/* ── What was told ────────────────────────────────────────────────────────── */

/* "key":"text" or "key":number out of our own JSON, behind *at, which moves on behind it; false =
 * not there.  `key` as it stands in the text, quoted and with its colon. */
static bool member(const char **at, const char *key, char *text, size_t size)
{
    const char *found = strstr(*at, key);

    if (found == NULL)
        return false;
    found += strlen(key);
    found += *found == '"';
    size_t length = strcspn(found, "\",}");

    *at = found + length;
    length = length < size ? length : size - 1;
    memcpy(text, found, length);
    text[length] = '\0';
    return true;
}

static uint64_t hash_of(const char *bytes, size_t length)
{
    uint64_t hash = XXH3_64bits(bytes, length);

    return hash + (hash == 0);
}

/* Where a change has its place: the last one told of it, or nothing yet. */
static uint32_t *place_of(const struct world *w, uint64_t change)
{
    uint32_t at = (uint32_t)(change % CHANGES_MAX);

    for (uint32_t n = 0; w->changes[at] != 0 &&
                         broker_told_at(w->broker, w->changes[at] - 1)->change != change; n++) {
        CHECK(n < CHANGES_MAX / 2);
        at = (at + 1) % CHANGES_MAX;
    }
    return (uint32_t *)(uintptr_t)&w->changes[at];
}

bool witness_heard(const struct world *w, uint64_t change)
{
    return *place_of(w, change) != 0;
}

/* Which change of which alert it is, and which record caused it.  A repeat may say the same in
 * other words: its parcel has moved on. */
static bool alert_read(struct told *told, char id[24])
{
    char sequence[24], state[16], partition[24], offset[24], text[80];
    const char *at = told->value;

    if (!member(&at, "\"id\":", id, 24) ||
        !member(&at, "\"state\":", state, sizeof state) ||
        !member(&at, "\"sequence\":", sequence, sizeof sequence) ||
        !member(&at, "\"epoch\":", text, sizeof text) ||
        !member(&at, "\"partition\":", partition, sizeof partition)) {
        complain(SOUND, "an alert without id, state, sequence, epoch or partition, in this order: "
                 "%s", told->value);
        return false;
    }
    told->epoch = strtoull(text, NULL, 10);
    told->change = strtoull(id, NULL, 16) * 0x9E3779B97F4A7C15u ^
                   (strtoull(sequence, NULL, 10) << 8 | (uint8_t)state[0]);
    told->change += told->change == 0;
    if (member(&at, "\"offset\":", offset, sizeof offset)) {
        told->source_partition = (int32_t)strtol(partition, NULL, 10);
        told->source_offset = strtoll(offset, NULL, 10);
    }
    return strcmp(state, "OPENED") == 0;
}

uint32_t witness_claims(const struct world *w, int32_t partition, uint64_t epoch, uint32_t who,
                        int64_t *offset)
{
    const struct claim *claims = w->claims[partition];
    uint32_t count = 0;

    for (uint32_t i = 0; i < CLAIMS_MAX && claims[i].epoch != 0; i++) {
        if (claims[i].epoch != epoch || claims[i].who != who)
            continue;
        *offset = count++ == 0 || claims[i].offset < *offset ? claims[i].offset : *offset;
    }
    return count;
}

/* A replay begins where its claim began: what lies below comes from nobody again, and what one
 * owner has sent it sends once more only if it was told that it did not arrive. */
static void repeat_heard(struct world *w, const struct told *told)
{
    int64_t  began;
    uint32_t claims = witness_claims(w, told->source_partition, told->epoch, told->who, &began);

    if (claims == 0)
        return;   /* so old a claim that it is forgotten */
    looked_at(REPEATS);
    if (told->source_offset < began &&
        !server_evicted(w->server))   /* else it began at the log's start */
        complain(REPEATS, "below %d/%" PRId64 ", where its sender began: %s",
                 told->source_partition, began, told->value);
    for (uint32_t at = *place_of(w, told->change); at > 0 && !w->resends && claims == 1;) {
        const struct told *before = broker_told_at(w->broker, at - 1);

        if (before->epoch == told->epoch && before->who == told->who)
            complain(REPEATS, "sent twice by one owner: %s", told->value);
        at = before->before;
    }
}

static bool knows(const struct parcel *parcel, uint64_t id)
{
    for (uint32_t i = 0; i < parcel->alerts_count; i++)
        if (parcel->alerts[i].id == id)
            return true;
    for (uint32_t i = 0; i < parcel->unsent_count; i++)
        if (parcel->unsent[i].id == id)
            return true;
    return false;
}

/* A change that was heard before, a repeat or another owner's, may outlive the record's memory
 * of a resolved alert. */
static void alert_heard(struct world *w, struct told *told)
{
    static struct parcel parcel;
    char id[24];
    int32_t partition;
    bool opened = alert_read(told, id);

    if (told->source_offset >= 0 && told->epoch != 0 && witness_heard(w, told->change))
        repeat_heard(w, told);
    looked_at(NO_INVENTION);
    if (!opened || told->source_offset >= 0 || witness_heard(w, told->change) ||
        server_lost_data(w->server))
        return;
    if (!witness_record(w->server, told->key, &parcel, &partition) ||
        !knows(&parcel, strtoull(id, NULL, 16)))
        complain(NO_INVENTION, "alert %s of %s was sent before the state knew it", id, told->key);
}

/* All of an ETA but its last member is a function of the log. */
static void eta_heard(struct told *told)
{
    char life[24], sequence[24];
    const char *at = told->value, *epoch = NULL;

    if (member(&at, "\"life\":", life, sizeof life) &&
        member(&at, "\"sequence\":", sequence, sizeof sequence))
        epoch = strstr(at, ",\"epoch\":");
    if (epoch == NULL) {
        complain(SOUND, "an ETA without life, sequence or epoch, in this order: %s", told->value);
        return;
    }
    told->epoch = strtoull(epoch + strlen(",\"epoch\":"), NULL, 10);
    told->change = hash_of(told->value, (size_t)(epoch - told->value));
    told->order = strtoull(life, NULL, 10) << 32 | strtoull(sequence, NULL, 10);
}

/* All but the epoch is a function of the log; the subjects come in no order. */
static void activity_heard(struct told *told)
{
    const char *epoch = strstr(told->value, ",\"epoch\":"), *minute, *rows;

    if (epoch == NULL || (minute = strstr(epoch, ",\"minute\":")) == NULL ||
        (rows = strstr(minute, ",\"counts\":[")) == NULL) {
        complain(SOUND, "counts without epoch or minute: %s", told->value);
        return;
    }
    told->change = hash_of(told->value, (size_t)(epoch - told->value)) +
                   hash_of(minute, (size_t)(rows - minute));
    for (rows += strlen(",\"counts\":["); *rows == '['; rows += *rows == ',') {
        size_t length = strcspn(rows, "]") + 1;

        told->change += hash_of(rows, length);
        rows += length;
    }
    told->change += hash_of(rows, strlen(rows));
}

void witness_hears(void *self, struct told *told)
{
    struct world *w = self;
    char text[48];

    /* An alert may be an unsent one, which the state knew before. */
    if (broker_is_another(w->broker) &&
        (told->topic == TOPIC_ETAS || told->topic == TOPIC_DEAD_LETTERS))
        complain(NO_INVENTION, "told of another topic's record: %s", told->value);
    switch ((enum output_topic)told->topic) {
    case TOPIC_ALERTS:
        alert_heard(w, told);
        break;
    case TOPIC_ETAS:
        eta_heard(told);
        break;
    case TOPIC_ACTIVITY:
        activity_heard(told);
        break;
    case TOPIC_DEAD_LETTERS:
        snprintf(text, sizeof text, "%" PRId32 "/%" PRId64, told->source_partition,
                 told->source_offset);
        told->change = hash_of(text, strlen(text));
        break;
    default:
        return;
    }
    uint32_t *place = place_of(w, told->change);

    told->before = *place;
    *place = broker_told(w->broker);
}

void witness_resent(void *self) { ((struct world *)self)->resends = true; }

/* ── A mark is written ────────────────────────────────────────────────────── */

static const char *bucket_of(uint32_t home)
{
    static char keys[PARTITIONS][BUCKETS][48];
    int32_t partition = (int32_t)(home % PARTITIONS);
    uint32_t bucket = home / PARTITIONS % BUCKETS;
    char *key = keys[partition][bucket], suffix[16];

    if (key[0] == '\0') {
        snprintf(suffix, sizeof suffix, "b%08x", bucket);
        key_print(key, sizeof keys[0][0], "peakline", "scans", partition, suffix);
    }
    return key;
}

static bool record_read(const struct value *value, struct parcel *parcel)
{
    return value != NULL &&
           record_unpack((const uint8_t *)value->bytes, value->length, parcel) == 0;
}

bool witness_record(const struct server *server, const char *number, struct parcel *parcel,
                    int32_t *partition)
{
    uint32_t home = parcel_home(number, strlen(number));

    *partition = (int32_t)(home % PARTITIONS);
    return record_read(server_value(server, bucket_of(home), number, strlen(number)), parcel);
}

/* The fold of a partition's log up to an offset, as far as we know how to fold. */
struct fold {
    bool     seen[PARCELS][EVENTS_PER_PARCEL_MAX];
    uint32_t counts[PARCELS], parcels;
    int64_t  offset, clock_ms;
};

/* What a world's witness has seen so far. */
struct witness {
    struct fold         folds[PARTITIONS];
    /* Of each parcel, where its record stands, what it was when last judged, and how many scans it
     * had to know. */
    struct judged { struct value *const *slot; uint64_t serial; uint32_t count; } judged[PARCELS];
    /* Of each partition, what the undisturbed run told of its records, by offset, and how much
     * of that has arrived: what arrived once need not be looked for again. */
    const struct told **causes[PARTITIONS];
    uint32_t            causes_count[PARTITIONS], arrived[PARTITIONS];
};

static int by_offset(const void *a, const void *b)
{
    const struct told *x = *(const struct told *const *)a, *y = *(const struct told *const *)b;

    return (x->source_offset > y->source_offset) - (x->source_offset < y->source_offset);
}

static void causes_find(struct witness *s, const struct broker *reference, int32_t partition)
{
    uint32_t count = broker_told(reference);

    s->causes[partition] = calloc(count + 1, sizeof *s->causes[partition]);
    CHECK(s->causes[partition] != NULL);
    for (uint32_t i = 0; i < count; i++) {
        const struct told *told = broker_told_at(reference, i);

        if (told->source_partition == partition && told->source_offset >= 0)
            s->causes[partition][s->causes_count[partition]++] = told;
    }
    qsort(s->causes[partition], s->causes_count[partition], sizeof *s->causes[partition],
          by_offset);
}

struct witness *witness_create(const struct world *w)
{
    struct witness *s = calloc(1, sizeof *s);

    CHECK(s != NULL);
    for (int32_t p = 0; w->reference != NULL && p < PARTITIONS; p++)
        causes_find(s, w->reference->broker, p);
    return s;
}

void witness_destroy(struct witness *s)
{
    for (int32_t p = 0; p < PARTITIONS; p++)
        free(s->causes[p]);
    free(s);
}

static bool is_fair(const struct world *w, const struct message *message)
{
    return message->kafka_ms <= w->now_ms + AHEAD_MS_MAX;
}

/* Goes on from the last mark's offset, or begins anew when this one is older. */
static const struct fold *fold(const struct world *w, int32_t partition, int64_t offset)
{
    struct fold *f = &w->witness->folds[partition];

    if (offset < f->offset)
        memset(f, 0, sizeof *f);
    for (; f->offset < offset; f->offset++) {
        const struct message *message = broker_message(w->broker, partition, f->offset);

        if (is_fair(w, message) && message->kafka_ms > f->clock_ms)
            f->clock_ms = message->kafka_ms;
        if (message->scan < 0)
            continue;
        bool *seen = &f->seen[message->parcel][message->scan];

        if (!*seen)
            f->parcels += f->counts[message->parcel]++ == 0;
        *seen = true;
    }
    return f;
}

/* The clock may have heard already of the record that waits at the mark's offset. */
static int64_t clock_most(const struct world *w, int32_t partition, const struct fold *f)
{
    if (w->idle_advance)
        return w->now_ms;
    if (f->offset == broker_end(w->broker, partition))
        return f->clock_ms;
    const struct message *message = broker_message(w->broker, partition, f->offset);

    return is_fair(w, message) && message->kafka_ms > f->clock_ms ? message->kafka_ms
                                                                   : f->clock_ms;
}

static bool has_scan(const struct parcel *parcel, uint32_t at_s, uint8_t code)
{
    for (uint32_t i = 0; i < parcel->history_count; i++)
        if (entry_s(parcel, parcel->history[i]) == at_s &&
            entry_code(parcel->history[i]) == code)
            return true;
    return false;
}

/* Prefixes of the log are nested: a record that was right with so many of the parcel's scans is
 * right with another prefix that has as many. */
static void parcel_moved(const struct world *w, const struct fold *f, uint32_t i,
                         int32_t partition, int64_t offset)
{
    static struct parcel parcel;
    const struct expected *expected = &w->traffic->parcels[i];

    if ((int32_t)(expected->home % PARTITIONS) != partition)
        return;
    struct judged *judged = &w->witness->judged[i];

    if (judged->slot == NULL)
        judged->slot = server_slot(w->server, bucket_of(expected->home), expected->number,
                                   strlen(expected->number));
    const struct value *record = *judged->slot;
    uint64_t serial = record != NULL ? record->serial : 0;

    if (judged->serial == serial && judged->count == f->counts[i])
        return;
    judged->serial = serial;
    judged->count = f->counts[i];
    bool found = record_read(record, &parcel);

    if (found ? parcel.history_count != f->counts[i] : f->counts[i] != 0)
        complain(FOLD, "parcel %s has %u scans in Redis where the log up to %d/%" PRId64 " has %u",
                 expected->number, found ? parcel.history_count : 0, partition, offset,
                 f->counts[i]);
    for (uint32_t k = 0; k < expected->count; k++)
        if (f->seen[i][k] && !has_scan(&parcel, expected->scans[k].at_s, expected->scans[k].code))
            complain(FOLD, "parcel %s: its scan at %u is below %d/%" PRId64 " and not in Redis",
                     expected->number, expected->scans[k].at_s, partition, offset);
}

/* Redis is the fold of a prefix. */
static void fold_moved(const struct world *w, int32_t partition, const struct mark *mark)
{
    const struct fold *f = fold(w, partition, mark->offset);

    looked_at(FOLD);
    for (uint32_t i = 0; i < PARCELS && complaint[0] == '\0'; i++)
        parcel_moved(w, f, i, partition, mark->offset);
    if (mark->records != f->parcels)
        complain(FOLD,
                 "mark of %d/%" PRId64 " counts %" PRIu64 " parcels, the log has %u", partition,
                 mark->offset, mark->records, f->parcels);
    if (mark->clock_ms < f->clock_ms || mark->clock_ms > clock_most(w, partition, f))
        complain(FOLD,
                 "mark of %d/%" PRId64 " has its clock at %" PRId64 ", its records at %" PRId64,
                 partition, mark->offset, mark->clock_ms, f->clock_ms);
}

/* What the undisturbed run told of records below the offset has arrived. */
static void outputs_moved(const struct world *w, int32_t partition, int64_t offset)
{
    struct witness *s = w->witness;

    looked_at(WATERMARK);
    for (uint32_t *i = &s->arrived[partition]; *i < s->causes_count[partition]; ++*i) {
        const struct told *told = s->causes[partition][*i];

        if (told->source_offset >= offset)
            return;
        if (!witness_heard(w, told->change)) {
            complain(WATERMARK,
                     "mark moved to %d/%" PRId64 " before this had arrived: %s", partition,
                     offset, told->value);
            return;
        }
    }
}

void witness_moved(void *self, const char *key, const struct mark *mark, uint32_t who)
{
    struct world *w = self;
    int32_t partition = (int32_t)strtol(strrchr(key, ':') - 2, NULL, 10);

    if (mark->sequence == 0) {
        struct claim *claims = w->claims[partition];

        w->claimed_ns = w->now_ns;
        memmove(claims + 1, claims, (CLAIMS_MAX - 1) * sizeof *claims);
        claims[0] = (struct claim){mark->epoch, mark->offset, who};
    }
    if (complaint[0] != '\0')
        return;
    if (mark->offset > w->claims[partition][0].offset && broker_is_another(w->broker))
        complain(FOLD, "mark of partition %d moves to %" PRId64 " with another topic's records",
                 partition, mark->offset);
    if (mark->offset < 0 || mark->offset > broker_end(w->broker, partition))
        complain(FOLD, "mark of partition %d at %" PRId64 " is outside the log", partition,
                 mark->offset);
    else if (mark->sequence > 0 && !server_evicted(w->server))
        fold_moved(w, partition, mark);
    if (w->reference != NULL && !w->idle_advance && mark->sequence > 0)
        outputs_moved(w, partition, mark->offset);
}

/* ── An offset is committed ───────────────────────────────────────────────── */

static bool is_start(const struct commit *commit)
{
    return commit->offset_before < 0 && commit->offset == 0 &&
           strcmp(commit->metadata, "peakline start") == 0;
}

/* As a claim does, whatever it found. */
static bool is_repeat(const struct commit *commit)
{
    return commit->offset == commit->offset_before &&
           strcmp(commit->metadata, commit->metadata_before) == 0;
}

void witness_commits(void *self, const struct commit *commit)
{
    const struct world *w = self;
    char key[KEY_MAX];
    unsigned long long epoch, config;
    int end = 0;
    size_t length;
    struct mark mark;

    if (is_start(commit) || is_repeat(commit))
        return;
    if (sscanf(commit->metadata, "peakline %llu %16llx%n", &epoch, &config, &end) != 2 ||
        commit->metadata[end] != '\0') {
        complain(WATERMARK, "commit of %d/%" PRId64 " with metadata \"%s\"", commit->partition,
                 commit->offset, commit->metadata);
        return;
    }
    if (strncmp(commit->metadata_before, "peakline", 8) == 0 &&
        commit->offset < commit->offset_before)
        complain(WATERMARK, "commit of %d/%" PRId64 " after %" PRId64, commit->partition,
                 commit->offset, commit->offset_before);
    if (server_lost_data(w->server))
        return;
    key_print(key, sizeof key, "peakline", "scans", commit->partition, "mark");
    const char *text = server_get(w->server, key, "", &length);

    if (text == NULL || mark_parse(text, length, &mark) != 0 || commit->offset > mark.offset ||
        epoch > mark.epoch)
        complain(WATERMARK,
                 "commit of %d/%" PRId64 " with \"%s\", and Redis is at %s", commit->partition,
                 commit->offset, commit->metadata, text != NULL ? text : "nothing");
}
