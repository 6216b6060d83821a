/* parcel_samples.h - parcels of any kind and of everyday, for the tests of room parcel. */
#ifndef TESTS_UNIT_PARCEL_SAMPLES_H
#define TESTS_UNIT_PARCEL_SAMPLES_H

#include "stages/parcel/history.h"
#include "tests/unit/parcel_random.h"

static inline struct alert random_alert(struct random *r)
{
    return (struct alert) {
        .id = random_next(r),
        .type = (uint8_t)random_below(r, DEADLINE_HOUSE),
        .state = (uint8_t)(1 + random_below(r, 3)),
        .severity = (uint8_t)(1 + random_below(r, 3)),
        .flags = (uint8_t)random_below(r, 256),
        .sentence = (uint8_t)random_below(r, 8),
        .sequence = (uint16_t)random_next(r),
        .opened_s = (uint32_t)random_next(r),
        .at_s = (uint32_t)random_next(r),
        .deadline_s = (uint32_t)random_next(r),
        .at = random_below(r, NAMES_MAX + 1),
        .expected = random_below(r, NAMES_MAX + 1),
        .note = random_below(r, NAMES_MAX + 1),
        .value = (int32_t)random_next(r),
        .threshold = (int32_t)random_next(r),
    };
}

static inline void random_lists(struct random *r, struct parcel *p)
{
    p->deadlines_count = (uint8_t)random_below(r, DEADLINES_MAX + 1);
    for (int i = 0; i < p->deadlines_count; i++)
        p->deadlines[i] = (struct deadline) {(uint8_t)random_below(r, DEADLINE_HOUSE + 1),
                                             1 + (uint32_t)random_below(r, UINT32_MAX)};
    p->alerts_count = random_one_in(r, 2) ? (uint8_t)random_below(r, ALERTS_MAX + 1) : 0;
    for (int i = 0; i < p->alerts_count; i++)
        p->alerts[i] = random_alert(r);
    p->unsent_count = random_one_in(r, 4) ? (uint8_t)random_below(r, UNSENT_MAX + 1) : 0;
    for (int i = 0; i < p->unsent_count; i++)
        p->unsent[i] = random_alert(r);
}

static inline void random_facts(struct random *r, struct parcel *p)
{
    p->facts = random_one_in(r, 2) ? (uint8_t)(random_next(r) & FACTS_ALL) : 0;
    p->weight_g = (int32_t)random_next(r);
    p->declared_g = (int32_t)random_next(r);
    p->target = (struct spot) {(float)random_below(r, 90), -(float)random_below(r, 180)};
    p->spot = (struct spot) {-(float)random_below(r, 90), (float)random_below(r, 180)};
    if (p->facts & FACT_DOCUMENTS)
        p->documents_count = (uint8_t)(1 + random_below(r, DOCUMENTS_MAX));
    if (p->facts & FACT_COURIER) {
        char number[PARCEL_MAX];

        p->courier_length = random_number((uint32_t)random_next(r),
                                          1 + random_below(r, COURIER_MAX), number);
        memcpy(p->courier, number, p->courier_length);
    }
    for (uint32_t i = 0; i < p->documents_count; i++)
        p->documents[i] = random_below(r, NAMES_MAX + 1);
}

/* Any live parcel, but for its number. */
static inline void random_parcel(struct random *r, struct parcel *p)
{
    memset(p, 0, sizeof *p);
    p->flags = (uint16_t)(random_next(r) & ~(uint64_t)PARCEL_TOMBSTONE);
    p->state = (uint8_t)random_below(r, STATES);
    p->code = (uint8_t)random_below(r, SCAN_CODES);
    p->attempts = (uint8_t)random_next(r);
    p->service = (uint8_t)random_next(r);
    p->life = (uint16_t)random_next(r);
    p->at = random_below(r, NAMES_MAX + 1);
    p->next = random_below(r, NAMES_MAX + 1);
    p->origin = random_below(r, NAMES_MAX + 1);
    p->dest = random_below(r, NAMES_MAX + 1);
    p->carrier = random_below(r, NAMES_MAX + 1);
    p->state_s = (uint32_t)random_next(r);
    p->physical_s = random_one_in(r, 2) ? p->state_s : (uint32_t)random_next(r);
    p->promise_s = random_one_in(r, 2) ? 0 : (uint32_t)random_next(r);
    if (random_one_in(r, 2)) {
        p->eta_first_s = (uint32_t)random_next(r);
        p->eta_last_s = (uint32_t)random_next(r);
        p->eta_sequence = (uint16_t)random_next(r);
        p->at_risk = (uint8_t)random_below(r, 3);
    }
    if (random_one_in(r, 3))
        p->carrier_number_length = random_number((uint32_t)random_next(r),
                                                 1 + random_below(r, CARRIER_NUMBER_MAX),
                                                 p->carrier_number);
    random_facts(r, p);
    for (uint32_t i = 0, scans = random_below(r, HISTORY_MAX + 8); i < scans; i++)
        history_add(p, 1700000000 + random_below(r, 1u << 26), random_below(r, NAMES_MAX + 1),
                    (enum scan_code)(1 + random_below(r, SCAN_CODES - 1)),
                    random_one_in(r, 8), random_below(r, 2048));
    random_lists(r, p);
}

/* A parcel of everyday: 15-character number, 8 scans, promise, ETA, 3 deadlines. */
static inline void typical_parcel(uint32_t which, struct parcel *p)
{
    memset(p, 0, sizeof *p);
    p->number_length = random_number(which, 15, p->number);
    p->state = STATE_IN_TRANSIT;
    p->life = 1;
    p->at = 17;
    p->next = 4711;
    p->origin = 12;
    p->dest = 60000;
    p->carrier = 3;
    p->service = 2;
    for (uint32_t i = 0; i < 8; i++)
        history_add(p, 1700000000 + i * 9000, 10 + i * 7, i % 2 ? SCAN_DEPART : SCAN_ARRIVE,
                    false, 0);
    p->code = SCAN_DEPART;
    p->state_s = p->physical_s = entry_s(p, p->history[7]);
    p->promise_s = 1700300000;
    p->eta_first_s = 1700200000;
    p->eta_last_s = 1700210000;
    p->eta_sequence = 3;
    p->deadlines_count = 3;
    p->deadlines[0] = (struct deadline) {DEADLINE_HOUSE, 1705000000};
    p->deadlines[1] = (struct deadline) {1, 1700250000};
    p->deadlines[2] = (struct deadline) {15, 1700300000};
}

#endif
