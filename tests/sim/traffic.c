/* traffic.c - the scans of a seed, and what they should come to.
 *
 * A generator of its own: it shares the names of the codes with the product and
 * nothing else.  Parcels go their way with misroutes, failed attempts, customs
 * holds and long silences; some scans come twice, late, or broken.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pipeline/check.h"
#include "stages/scan/codes.h"
#include "stages/scan/scan.h"
#include "tests/sim/sim.h"

enum { RECORDS_MAX = 8192 };

#define FUTURE_MS (10LL * 365 * 86400 * 1000)

struct record {
    char    key[20], value[320];
    int64_t arrives_ms, kafka_ms;
    int32_t partition;
    int     length;       /* -1 = null value */
    int16_t parcel, scan;
    uint32_t order;
};

struct maker {
    struct dice     dice;
    struct traffic *traffic;
    struct record  *records;
    uint32_t        count;
};

static void time_text(uint32_t at_s, char text[32])
{
    time_t t = (time_t)at_s;
    struct tm tm;

    gmtime_r(&t, &tm);
    strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

/* A few producers set none, or live in the future: such a record must not move a clock. */
static int64_t timestamp(struct maker *m, int64_t arrives_ms)
{
    uint32_t luck = dice_roll(&m->dice, 1000);

    return luck < 6 ? -1 : luck < 12 ? arrives_ms + FUTURE_MS : arrives_ms;
}

static struct record *record_next(struct maker *m, const char *number, int64_t arrives_ms)
{
    CHECK(m->count < RECORDS_MAX);
    struct record *record = &m->records[m->count];

    *record = (struct record){.arrives_ms = arrives_ms, .kafka_ms = timestamp(m, arrives_ms),
                              .order = m->count++, .parcel = -1, .scan = -1};
    snprintf(record->key, sizeof record->key, "%s", number);
    record->partition = (int32_t)(parcel_home(number, strlen(number)) % PARTITIONS);
    return record;
}

static void expect(struct expected *parcel, uint32_t at_s, enum scan_code code,
                   const char *facility)
{
    CHECK(parcel->count < EVENTS_PER_PARCEL_MAX);
    parcel->scans[parcel->count].at_s = at_s;
    parcel->scans[parcel->count].code = (uint8_t)code;
    snprintf(parcel->scans[parcel->count].facility, sizeof parcel->scans[0].facility, "%s",
             facility);
    parcel->count++;
}

struct plan {
    struct expected *parcel;
    const char      *service, *dest;
    uint32_t         at_s;
};

static void scan(struct maker *m, struct plan *plan, enum scan_code code, const char *facility,
                 const char *next)
{
    char time[32], promise[32], more[160] = "";
    uint32_t late_s = dice_chance(&m->dice, 60000) ? dice_roll(&m->dice, 30000) : 0;

    time_text(plan->at_s, time);
    time_text(TRAFFIC_BASE_S + 4 * 86400, promise);
    if (next != NULL)
        snprintf(more, sizeof more, ",\"next\":\"%s\"", next);
    struct record *r = record_next(m, plan->parcel->number,
                                   ((int64_t)plan->at_s + 1 + late_s) * 1000);

    r->length = snprintf(r->value, sizeof r->value,
                         "{\"parcel\":\"%s\",\"code\":\"%s\",\"time\":\"%s\",\"facility\":\"%s\","
                         "\"service\":\"%s\",\"dest\":\"%s\",\"promise\":\"%s\"%s}",
                         plan->parcel->number, code_table[code].code, time, facility,
                         plan->service, plan->dest, promise, more);
    r->parcel = (int16_t)(plan->parcel - m->traffic->parcels);
    r->scan = (int16_t)plan->parcel->count;
    expect(plan->parcel, plan->at_s, code, facility);
    m->traffic->scans++;
    if (dice_chance(&m->dice, 60000)) {   /* the same again, a little later */
        struct record *again = record_next(m, plan->parcel->number,
                                           r->arrives_ms + 5000);

        memcpy(again->value, r->value, sizeof again->value);
        again->length = r->length;
        again->parcel = r->parcel;
        again->scan = r->scan;
        m->traffic->repeats++;
    }
}

static void broken(struct maker *m, const struct plan *plan)
{
    static const char *const values[] = {
        "!", "!{\"parcel\":", "!not json", "!\xff\xfe", "!{\"code\":\"ARRIVE\"}"};
    struct record *r = record_next(m, plan->parcel->number, (int64_t)plan->at_s * 1000);

    r->length = snprintf(r->value, sizeof r->value, "%s", values[dice_roll(&m->dice, 5)]);
    m->traffic->broken++;
}

static void pass(struct maker *m, struct plan *plan, uint32_t least_s, uint32_t most_s)
{
    plan->at_s += least_s + dice_roll(&m->dice, most_s - least_s);
    if (dice_chance(&m->dice, 15000))
        broken(m, plan);
    if (dice_chance(&m->dice, 5000)) {
        record_next(m, plan->parcel->number, (int64_t)plan->at_s * 1000)->length = -1;
        m->traffic->nulls++;
    }
}

static void customs(struct maker *m, struct plan *plan)
{
    scan(m, plan, SCAN_EXPORT_IN, "CUS", NULL);
    pass(m, plan, 700, 9000);
    if (dice_chance(&m->dice, 300000)) {
        scan(m, plan, SCAN_EXPORT_HELD, "CUS", NULL);
        pass(m, plan, 700, 250000);
    }
    scan(m, plan, SCAN_EXPORT_OUT, "CUS", NULL);
    pass(m, plan, 700, 9000);
}

static void deliver(struct maker *m, struct plan *plan)
{
    scan(m, plan, SCAN_OUT_FOR_DELIVERY, "DEP", NULL);
    for (uint32_t tries = dice_roll(&m->dice, 4); tries > 1; tries--) {
        pass(m, plan, 700, 40000);
        scan(m, plan, SCAN_ATTEMPT_FAILED, "DEP", NULL);
    }
    pass(m, plan, 700, 20000);
    if (dice_chance(&m->dice, 200000)) {
        scan(m, plan, SCAN_STATION_IN, "STA", NULL);
        pass(m, plan, 700, 400000);
    }
    if (dice_chance(&m->dice, 850000))
        scan(m, plan, SCAN_DELIVERED, "DEP", NULL);
}

/* One parcel's way; some stop in the middle and are never heard of again. */
static void travel(struct maker *m, struct plan *plan)
{
    static const char *const hubs[] = {"HGH", "PVG", "CAN", "HKG", "KUL", "DXB"};
    uint32_t hops = 1 + dice_roll(&m->dice, 4);

    scan(m, plan, SCAN_LABEL, "ORG", NULL);
    pass(m, plan, 700, dice_chance(&m->dice, 100000) ? 300000 : 9000);
    scan(m, plan, SCAN_PICKUP, "ORG", NULL);
    for (uint32_t i = 0; i < hops; i++) {
        const char *hub = hubs[dice_roll(&m->dice, 6)], *next = hubs[dice_roll(&m->dice, 6)];

        pass(m, plan, 700, 40000);
        scan(m, plan, SCAN_ARRIVE, hub, NULL);
        pass(m, plan, 700, dice_chance(&m->dice, 50000) ? 400000 : 20000);
        if (dice_chance(&m->dice, 30000))
            return;
        scan(m, plan, SCAN_DEPART, hub, next);
        if (dice_chance(&m->dice, 850000)) {
            pass(m, plan, 700, 40000);
            scan(m, plan, SCAN_ARRIVE, next, NULL);
        }
    }
    pass(m, plan, 700, 9000);
    if (dice_chance(&m->dice, 250000))
        customs(m, plan);
    deliver(m, plan);
}

static int by_arrival(const void *a, const void *b)
{
    const struct record *x = a, *y = b;

    if (x->arrives_ms != y->arrives_ms)
        return x->arrives_ms < y->arrives_ms ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

/* Long after all others a parcel in each partition: time has passed for every deadline. */
static void travel_last(struct maker *m, int32_t partition)
{
    struct plan plan = {.parcel = &m->traffic->parcels[TRAVELLERS + partition],
                        .service = "express", .dest = "SG",
                        .at_s = TRAFFIC_BASE_S + TRAFFIC_END_S - 86400};
    char *number = plan.parcel->number;

    for (uint32_t i = 0; i == 0 || (int32_t)(parcel_home(number, strlen(number)) % PARTITIONS) !=
                                       partition; i++)
        snprintf(number, sizeof plan.parcel->number, "SIMLAST%u", i);
    scan(m, &plan, SCAN_LABEL, "ORG", NULL);
}

/* The last record has a null value: it is none of anybody's. */
static void close_log(struct broker *broker)
{
    int64_t end_ms = ((int64_t)TRAFFIC_BASE_S + TRAFFIC_END_S) * 1000;

    for (int32_t p = 0; p < PARTITIONS; p++) {
        struct message last = {.key = (char[]){'e', 'n', 'd', '\0'}, .key_length = 3,
                               .kafka_ms = end_ms, .arrives_ms = end_ms, .parcel = -1,
                               .scan = -1};

        broker_append(broker, p, &last);
    }
}

void traffic_make(struct traffic *traffic, uint64_t seed, struct broker *broker)
{
    static const char *const services[] = {"express", "standard", "economy"};
    struct maker m = {.traffic = traffic, .records = calloc(RECORDS_MAX, sizeof *m.records)};

    CHECK(m.records != NULL);
    memset(traffic, 0, sizeof *traffic);
    dice_begin(&m.dice, seed);
    for (uint32_t i = 0; i < TRAVELLERS; i++) {
        struct plan plan = {.parcel = &traffic->parcels[i],
                            .service = services[dice_roll(&m.dice, 3)],
                            .dest = dice_chance(&m.dice, 500000) ? "SG" : "MY",
                            .at_s = TRAFFIC_BASE_S + dice_roll(&m.dice, 4 * 86400)};

        snprintf(plan.parcel->number, sizeof plan.parcel->number, "SIM%05u%s", i,
                 i % 9 == 0 ? "-LONGER-NO" : "");
        travel(&m, &plan);
    }
    for (int32_t p = 0; p < PARTITIONS; p++)
        travel_last(&m, p);
    for (uint32_t i = 0; i < PARCELS; i++) {
        struct expected *parcel = &traffic->parcels[i];

        parcel->home = parcel_home(parcel->number, strlen(parcel->number));
    }
    qsort(m.records, m.count, sizeof *m.records, by_arrival);
    for (uint32_t i = 0; i < m.count; i++) {
        struct record *r = &m.records[i];
        struct message message = {.key = r->key, .key_length = (uint32_t)strlen(r->key),
                                  .value = r->length < 0 ? NULL : r->value,
                                  .length = r->length < 0 ? 0 : (uint32_t)r->length,
                                  .kafka_ms = r->kafka_ms, .arrives_ms = r->arrives_ms,
                                  .parcel = r->parcel, .scan = r->scan};

        broker_append(broker, r->partition, &message);
    }
    close_log(broker);
    free(m.records);
}

bool traffic_is_broken(const struct message *message)
{
    return message->value != NULL && message->value[0] == '!';
}
