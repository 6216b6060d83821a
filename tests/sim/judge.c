/* judge.c - the invariants.
 *
 * Against the log: no scan lost, none invented, each broken record a dead letter.
 * Against an undisturbed run of the same log: every record, every index entry and
 * every alert is the same, whatever went wrong on the way.  And at each arrival of
 * an alert that a deadline opened: the state knew it before the world did.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/check.h"
#include "stages/outlet/mark.h"
#include "stages/outlet/output.h"
#include "stages/parcel/record.h"
#include "stages/scan/codes.h"
#include "tests/sim/sim.h"

enum { BUCKETS = 8, NAMES_SHOWN = 512 };

/* "key":"text" or "key":number out of our own JSON; false = not there. */
static bool member(const char *json, const char *key, char *text, size_t size)
{
    char pattern[40];

    snprintf(pattern, sizeof pattern, "\"%s\":", key);
    const char *at = strstr(json, pattern);

    if (at == NULL)
        return false;
    at += strlen(pattern);
    at += *at == '"';
    snprintf(text, size, "%.*s", (int)strcspn(at, "\",}"), at);
    return true;
}

/* ── One parcel's record, wherever it is ──────────────────────────────────── */

static bool record_of(const struct server *server, const char *number, struct parcel *parcel,
                      int32_t *partition)
{
    char key[128], suffix[16];
    size_t length;
    uint32_t home = parcel_home(number, strlen(number));

    *partition = (int32_t)(home % PARTITIONS);
    snprintf(suffix, sizeof suffix, "b%08x", home / PARTITIONS % BUCKETS);
    key_print(key, sizeof key, "peakline", "scans", *partition, suffix);
    const char *bytes = server_get(server, key, number, &length);

    return bytes != NULL && record_unpack((const uint8_t *)bytes, length, parcel) == 0;
}

/* ── At each arrival ──────────────────────────────────────────────────────── */

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

/* The same change came before: a repeat, or another owner's, may outlive the record's memory
 * of a resolved alert. */
static bool heard_before(const struct broker *broker, const char *id, const char *sequence)
{
    char text[24];

    for (uint32_t i = 0; i + 1 < broker_told(broker); i++) {
        const struct told *told = broker_told_at(broker, i);

        if (told->topic == TOPIC_ALERTS && member(told->value, "id", text, sizeof text) &&
            strcmp(text, id) == 0 && member(told->value, "sequence", text, sizeof text) &&
            strcmp(text, sequence) == 0)
            return true;
    }
    return false;
}

void judge_hears(void *self, const struct told *told)
{
    const struct world *w = self;
    static struct parcel parcel;
    char id[24], state[16], offset[24], sequence[24];
    int32_t partition;

    if (told->topic != TOPIC_ALERTS || server_lost_data(w->server))
        return;
    if (!member(told->value, "id", id, sizeof id) ||
        !member(told->value, "sequence", sequence, sizeof sequence) ||
        !member(told->value, "state", state, sizeof state)) {
        complain("an alert without id, sequence or state: %s", told->value);
        return;
    }
    if (strcmp(state, "OPENED") != 0 || member(told->value, "offset", offset, sizeof offset))
        return;
    if (heard_before(w->broker, id, sequence))
        return;
    if (!record_of(w->server, told->key, &parcel, &partition) ||
        !knows(&parcel, strtoull(id, NULL, 16)))
        complain("alert %s of %s was sent before the state knew it", id, told->key);
}

/* ── Against the log ──────────────────────────────────────────────────────── */

static const char *name_of(const struct server *server, int32_t partition, name_id id)
{
    char key[128], field[16];
    size_t length;

    key_print(key, sizeof key, "peakline", "scans", partition, "names");
    snprintf(field, sizeof field, "p:%u", id);
    const char *text = server_get(server, key, field, &length);

    return text != NULL ? text : "";
}

static bool has_entry(const struct world *w, const struct parcel *parcel, int32_t partition,
                      uint32_t at_s, uint8_t code, const char *facility)
{
    for (uint32_t i = 0; i < parcel->history_count; i++) {
        uint64_t entry = parcel->history[i];

        if (entry_s(parcel, entry) == at_s && entry_code(entry) == code &&
            strcmp(name_of(w->server, partition, entry_place(entry)), facility) == 0)
            return true;
    }
    return false;
}

static void judge_parcel(const struct world *w, const struct expected *expected)
{
    static struct parcel parcel;
    int32_t partition;

    if (!record_of(w->server, expected->number, &parcel, &partition)) {
        complain("parcel %s is not in Redis", expected->number);
        return;
    }
    if (parcel.history_count != expected->count)
        complain("parcel %s has %u scans in its history, the log has %u distinct ones",
                 expected->number, parcel.history_count, expected->count);
    for (uint32_t i = 0; i < expected->count; i++)
        if (!has_entry(w, &parcel, partition, expected->scans[i].at_s, expected->scans[i].code,
                       expected->scans[i].facility))
            complain("parcel %s lost its %s at %s", expected->number,
                     code_table[expected->scans[i].code].code, expected->scans[i].facility);
    if (parcel.unsent_count != 0)
        complain("parcel %s still has unsent alerts", expected->number);
}

static void judge_dead_letters(const struct world *w)
{
    for (int32_t p = 0; p < PARTITIONS; p++)
        for (int64_t offset = 0; offset < broker_end(w->broker, p); offset++) {
            const struct message *message = broker_message(w->broker, p, offset);
            bool found = false, unchanged = true;

            for (uint32_t i = 0; i < broker_told(w->broker); i++) {
                const struct told *told = broker_told_at(w->broker, i);

                if (told->topic != TOPIC_DEAD_LETTERS || told->source_partition != p ||
                    told->source_offset != offset)
                    continue;
                found = true;
                unchanged &= message->value != NULL && told->length == message->length &&
                             memcmp(told->value, message->value, told->length) == 0;
            }
            if (found != traffic_is_broken(message))
                complain("record %d/%lld %s a dead letter", p, (long long)offset,
                         found ? "is needlessly" : "never became");
            if (found && !unchanged)
                complain("dead letter %d/%lld is not the original", p, (long long)offset);
        }
}

void judge_alone(const struct world *w)
{
    for (uint32_t i = 0; i < PARCELS && complaint[0] == '\0'; i++)
        judge_parcel(w, &w->traffic->parcels[i]);
    judge_dead_letters(w);
    for (int32_t p = 0; p < PARTITIONS; p++)
        if (broker_committed(w->broker, p) > broker_end(w->broker, p))
            complain("partition %d: commit beyond the log", p);
}

/* ── Against an undisturbed run ───────────────────────────────────────────── */

struct comparison {
    const struct server *other;
    const char          *key;
    bool                 values;     /* or only which fields there are */
    uint32_t             count;
};

static void compare_field(void *self, const char *field, size_t field_length,
                          const char *value, size_t length)
{
    struct comparison *c = self;
    size_t other_length;
    const char *other = server_get(c->other, c->key, field, &other_length);

    c->count++;
    if (other == NULL)
        complain("%s: field %.*s is not in the other run", c->key, (int)field_length, field);
    else if (c->values && (other_length != length || memcmp(other, value, length) != 0))
        complain("%s: field %.*s differs from the other run's", c->key, (int)field_length,
                 field);
}

static void compare_key(const struct world *w, const struct world *reference, int32_t partition,
                        const char *suffix, bool values)
{
    char key[128];

    key_print(key, sizeof key, "peakline", "scans", partition, suffix);
    struct comparison ours = {.other = reference->server, .key = key, .values = values};
    struct comparison theirs = {.other = w->server, .key = key};

    server_each(w->server, key, compare_field, &ours);
    server_each(reference->server, key, compare_field, &theirs);
}

/* The same changes of alerts, each at least once. */
static bool was_told(const struct broker *broker, const char *id, const char *sequence,
                     const char *state)
{
    char text[24];

    for (uint32_t i = 0; i < broker_told(broker); i++) {
        const struct told *told = broker_told_at(broker, i);

        if (told->topic == TOPIC_ALERTS && member(told->value, "id", text, sizeof text) &&
            strcmp(text, id) == 0 && member(told->value, "sequence", text, sizeof text) &&
            strcmp(text, sequence) == 0 && member(told->value, "state", text, sizeof text) &&
            strcmp(text, state) == 0)
            return true;
    }
    return false;
}

static void compare_alerts(const struct broker *ours, const struct broker *theirs,
                           const char *what)
{
    char id[24], sequence[24], state[16];

    for (uint32_t i = 0; i < broker_told(ours) && complaint[0] == '\0'; i++) {
        const struct told *told = broker_told_at(ours, i);

        if (told->topic != TOPIC_ALERTS)
            continue;
        member(told->value, "id", id, sizeof id);
        member(told->value, "sequence", sequence, sizeof sequence);
        member(told->value, "state", state, sizeof state);
        if (!was_told(theirs, id, sequence, state))
            complain("%s: alert %s, sequence %s, %s: %s", what, id, sequence, state,
                     told->value);
    }
}

void judge_against(const struct world *w, const struct world *reference)
{
    char suffix[16];

    for (int32_t p = 0; p < PARTITIONS && complaint[0] == '\0'; p++) {
        compare_key(w, reference, p, "names", true);
        for (uint32_t b = 0; b < BUCKETS; b++) {
            snprintf(suffix, sizeof suffix, "b%08x", b);
            compare_key(w, reference, p, suffix, true);
        }
        compare_key(w, reference, p, "model", true);
        compare_key(w, reference, p, "open", false);   /* the text names the epoch */
    }
    compare_alerts(w->broker, reference->broker, "invented");
    compare_alerts(reference->broker, w->broker, "never told");
}
