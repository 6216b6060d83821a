/* judge.c - the invariants.
 *
 * Against the log: no scan lost, none invented, each broken record a dead letter.
 * Against an undisturbed run of the same log: every record, every index entry and
 * every alert and ETA is the same, whatever went wrong on the way.
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

    if (!witness_record(w->server, expected->number, &parcel, &partition)) {
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

/* A partition that catches up tells a parcel's newest estimate, and those before it or not. */
static bool is_superseded(const struct world *w, const struct told *eta)
{
    for (uint32_t i = 0; eta->topic == TOPIC_ETAS && i < broker_told(w->broker); i++) {
        const struct told *told = broker_told_at(w->broker, i);

        if (told->topic == TOPIC_ETAS && told->order > eta->order &&
            strcmp(told->key, eta->key) == 0)
            return true;
    }
    return false;
}

/* What ours told theirs told, each at least once; the undisturbed run tells every estimate. */
static void compare_told(const struct world *ours, const struct world *theirs, const char *what)
{
    for (uint32_t i = 0; i < broker_told(ours->broker) && complaint[0] == '\0'; i++) {
        const struct told *told = broker_told_at(ours->broker, i);

        if (told->change != 0 && !witness_heard(theirs, told->change) &&
            !(theirs->reference != NULL && is_superseded(theirs, told)))
            complain("%s: %s", what, told->value);
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
    compare_told(w, reference, "invented");
    compare_told(reference, w, "never told");
}
