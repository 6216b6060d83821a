/* judge.c - the invariants.
 *
 * Against the log: no scan lost, none invented, each broken record a dead letter.
 * Against an undisturbed run of the same log: every record, every index entry and
 * every alert, ETA and minute's counts is the same, whatever went wrong on the way.
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

enum { BUCKETS = 8, PLACES_SHOWN = 512 };

/* ── Against the log ──────────────────────────────────────────────────────── */

/* The places of a partition's dictionary, by their numbers. */
struct places { const char *names[PLACES_SHOWN]; };

static void place_add(void *self, const char *field, size_t field_length, const char *value,
                      size_t length)
{
    struct places *places = self;
    unsigned long id = field[0] == 'p' ? strtoul(field + 2, NULL, 10) : 0;

    (void)field_length, (void)length;
    CHECK(id < PLACES_SHOWN);
    places->names[id] = value;
}

static void places_read(const struct server *server, struct places places[PARTITIONS])
{
    char key[128];

    memset(places, 0, PARTITIONS * sizeof places[0]);
    for (int32_t p = 0; p < PARTITIONS; p++) {
        key_print(key, sizeof key, "peakline", "scans", p, "names");
        server_each(server, key, place_add, &places[p]);
    }
}

static bool has_entry(const struct places *places, const struct parcel *parcel, uint32_t at_s,
                      uint8_t code, const char *facility)
{
    for (uint32_t i = 0; i < parcel->history_count; i++) {
        uint64_t entry = parcel->history[i];

        if (entry_s(parcel, entry) != at_s || entry_code(entry) != code)
            continue;
        const char *name = places->names[entry_place(entry)];

        if (name != NULL && strcmp(name, facility) == 0)
            return true;
    }
    return false;
}

static void judge_parcel(const struct world *w, const struct expected *expected,
                         const struct places places[PARTITIONS])
{
    static struct parcel parcel;
    int32_t partition;

    if (!witness_record(w->server, expected->number, &parcel, &partition)) {
        complain(NO_LOSS, "parcel %s is not in Redis", expected->number);
        return;
    }
    if (parcel.history_count != expected->count)
        complain(NO_LOSS, "parcel %s has %u scans in its history, the log has %u distinct ones",
                 expected->number, parcel.history_count, expected->count);
    for (uint32_t i = 0; i < expected->count; i++)
        if (!has_entry(&places[partition], &parcel, expected->scans[i].at_s,
                       expected->scans[i].code, expected->scans[i].facility))
            complain(NO_LOSS, "parcel %s lost its %s at %s", expected->number,
                     code_table[expected->scans[i].code].code, expected->scans[i].facility);
    if (parcel.unsent_count != 0)
        complain(NO_LOSS, "parcel %s still has unsent alerts", expected->number);
}

/* Which records became dead letters, and whether each is the record it was. */
static void judge_dead_letters(const struct world *w)
{
    bool *found[PARTITIONS];

    for (int32_t p = 0; p < PARTITIONS; p++) {
        found[p] = calloc((size_t)broker_end(w->broker, p), sizeof *found[p]);
        CHECK(found[p] != NULL);
    }
    for (uint32_t i = 0; i < broker_told(w->broker); i++) {
        const struct told *told = broker_told_at(w->broker, i);

        if (told->topic != TOPIC_DEAD_LETTERS)
            continue;
        const struct message *message = broker_message(w->broker, told->source_partition,
                                                       told->source_offset);
        found[told->source_partition][told->source_offset] = true;
        if (message->value == NULL || told->length != message->length ||
            memcmp(told->value, message->value, told->length) != 0)
            complain(DEAD_LETTERS, "dead letter %d/%lld is not the original",
                     told->source_partition, (long long)told->source_offset);
    }
    for (int32_t p = 0; p < PARTITIONS; p++) {
        for (int64_t offset = 0; offset < broker_end(w->broker, p); offset++)
            if (found[p][offset] != traffic_is_broken(broker_message(w->broker, p, offset)))
                complain(DEAD_LETTERS, "record %d/%lld %s a dead letter", p, (long long)offset,
                         found[p][offset] ? "is needlessly" : "never became");
        free(found[p]);
    }
}

/* Whose estimate this is; -1: it is none, or that of a parcel that comes last. */
static int traveller_of(const struct told *told)
{
    char *end;

    if (told->topic != TOPIC_ETAS || strncmp(told->key, "SIM", 3) != 0)
        return -1;
    unsigned long n = strtoul(told->key + 3, &end, 10);

    return end == told->key + 8 && n < TRAVELLERS ? (int)n : -1;
}

/* Is the last owner known?  It is the one of the highest epoch.  Where clocks were set, two may
 * have the same, or one has claimed twice with it, or one came last whose epoch is lower, since
 * Redis had forgotten the others'. */
static bool has_one_owner(const struct world *w, const struct told *told, const struct told *before)
{
    int64_t offset;
    int32_t partition = (int32_t)(parcel_home(told->key, strlen(told->key)) % PARTITIONS);

    return (before == NULL || before->epoch != told->epoch || before->who == told->who) &&
           told->epoch <= w->claims[partition][0].epoch &&
           witness_claims(w, partition, told->epoch, told->who, &offset) == 1;
}

/* Of all that the last owner told of a parcel, the newest estimate came last: a compacted topic
 * keeps that one. */
static void judge_order(const struct world *w)
{
    static const struct told *last[TRAVELLERS], *newest[TRAVELLERS];
    static bool shared[TRAVELLERS];

    looked_at(ORDER);
    memset(shared, 0, sizeof shared);
    memset(last, 0, sizeof last);
    memset(newest, 0, sizeof newest);
    for (uint32_t i = 0; i < broker_told(w->broker); i++) {
        const struct told *told = broker_told_at(w->broker, i);
        int n = traveller_of(told);

        if (n < 0 || (last[n] != NULL && told->epoch < last[n]->epoch))
            continue;
        bool later = last[n] == NULL || told->epoch > last[n]->epoch;

        shared[n] = (shared[n] && !later) || !has_one_owner(w, told, last[n]);
        if (later || told->order >= newest[n]->order)
            newest[n] = told;
        last[n] = told;
    }
    for (uint32_t n = 0; n < TRAVELLERS; n++)
        if (last[n] != newest[n] && !shared[n])
            complain(ORDER, "an older estimate came last: %s", last[n]->value);
}

void judge_alone(const struct world *w)
{
    static struct places places[PARTITIONS];

    looked_at(NO_LOSS);
    looked_at(DEAD_LETTERS);
    judge_order(w);
    places_read(w->server, places);
    for (uint32_t i = 0; i < PARCELS && complaint[0] == '\0'; i++)
        judge_parcel(w, &w->traffic->parcels[i], places);
    judge_dead_letters(w);
    for (int32_t p = 0; p < PARTITIONS; p++)
        if (broker_committed(w->broker, p) > broker_end(w->broker, p))
            complain(WATERMARK, "partition %d: commit beyond the log", p);
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
        complain(FOLD, "%s: field %.*s is not in the other run", c->key, (int)field_length, field);
    else if (c->values && (other_length != length || memcmp(other, value, length) != 0))
        complain(FOLD, "%s: field %.*s differs from the other run's", c->key, (int)field_length,
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

/* The order of each traveller's newest estimate. */
static void newest_find(const struct world *w, uint64_t newest[TRAVELLERS])
{
    memset(newest, 0, TRAVELLERS * sizeof newest[0]);
    for (uint32_t i = 0; i < broker_told(w->broker); i++) {
        const struct told *told = broker_told_at(w->broker, i);
        int n = traveller_of(told);

        if (n >= 0 && told->order > newest[n])
            newest[n] = told->order;
    }
}

/* A partition that catches up tells a parcel's newest estimate, and those before it or not. */
static bool is_superseded(const uint64_t newest[TRAVELLERS], const struct told *told)
{
    int n = traveller_of(told);

    return n >= 0 && newest[n] > told->order;
}

/* What ours told theirs told, each at least once; the undisturbed run tells every estimate. */
static void compare_told(const struct world *ours, const struct world *theirs,
                         enum invariant how)
{
    uint64_t newest[TRAVELLERS];

    newest_find(theirs, newest);
    for (uint32_t i = 0; i < broker_told(ours->broker) && complaint[0] == '\0'; i++) {
        const struct told *told = broker_told_at(ours->broker, i);

        if (told->change != 0 && !witness_heard(theirs, told->change) &&
            !(theirs->reference != NULL && is_superseded(newest, told)))
            complain(how, "%s: %s", how == NO_LOSS ? "never told" : "invented",
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
    compare_told(w, reference, NO_INVENTION);
    compare_told(reference, w, NO_LOSS);
}
