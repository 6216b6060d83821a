/* detect_sequences.h - scan sequences through dedup, estimate, detect and a record.
 *
 * The product's writer of records lives above this room, so a small one stands here:
 * history, counters and state, as far as detectors look at them.
 */
#ifndef TESTS_UNIT_DETECT_SEQUENCES_H
#define TESTS_UNIT_DETECT_SEQUENCES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/config.h"
#include "pipeline/error.h"
#include "stages/detect/detect.h"
#include "stages/detect/detectors/all.h"
#include "stages/detect/detectors/common.h"
#include "stages/eta/estimate.h"
#include "stages/eta/model_store.h"
#include "stages/parcel/dedup.h"
#include "stages/parcel/history.h"
#include "stages/reference/reference.h"

enum { T0 = 1793577600 /* 2026-11-02T00:00Z, a Monday */, TOLD_MAX = 64 };

struct world {
    struct config    *config;
    struct rules     *rules;
    struct model     *model;
    struct names     *names;
    struct reference *reference;
    struct parcel     parcel;
    struct estimate   forced;     /* known: stands for the model's estimate               */
    uint32_t          clock_s;
    uint32_t          told, read; /* changes so far, and how many the test has looked at   */
    struct alert      tell[TOLD_MAX];
    uint32_t          refused;
};

/* One scan: places "" = not given. */
struct step {
    enum scan_code code;
    uint32_t       at_s;
    const char    *here, *next, *dest, *reason;
    uint32_t       promise_s;
    bool           retracts;
    const char    *origin, *carrier, *service;
    int32_t        weight_g, declared_g;
    struct spot    position, address;   /* 0, 0 = not given                               */
    uint32_t       received_s;          /* 0 = at_s                                       */
};

static inline void world_open(struct world *w, const char *const *settings,
                              const char *facilities)
{
    size_t rows = 0;
    const struct config_row *row = detect_rows(&rows);

    memset(w, 0, sizeof *w);
    w->config = config_create(row, rows);
    for (; settings != NULL && *settings != NULL; settings++)
        assert_int_equal(config_set(w->config, *settings), 0);
    assert_int_equal(config_finish(w->config), 0);
    w->rules = rules_create(w->config, NEEDS_REFERENCE);
    assert_non_null(w->rules);
    w->model = model_create(&(struct model_settings) {
        .cells_max = 256, .half_life_s = 60 * DAY, .shrink = 10});
    uint8_t long_ago[8] = {0, 0, 0, 0, 1}; /* it has learned for years */

    assert_int_equal(model_restore(w->model, "m", 1, long_ago, sizeof long_ago), 0);
    w->names = names_create();
    w->reference = reference_read((const char *[REFERENCE_PARTS]) {facilities});
    assert_non_null(w->reference);
    memcpy(w->parcel.number, "P1", 2);
    w->parcel.number_length = 2;
    w->parcel.life = 1;
    w->clock_s = T0;
}

static inline void world_close(struct world *w)
{
    reference_destroy(w->reference);
    names_destroy(w->names);
    model_destroy(w->model);
    rules_destroy(w->rules);
    config_destroy(w->config);
}

static inline name_id world_name(struct world *w, const char *text)
{
    return text == NULL ? NAME_NONE : names_intern(w->names, NAME_PLACE, text, strlen(text));
}

static inline void world_state(struct parcel *p, const struct step *step, name_id here,
                               name_id next)
{
    const struct code_info *info = &code_table[step->code];

    if (next != NAME_NONE)
        p->next = next;
    else if (step->code == SCAN_DEPART || (step->code == SCAN_ARRIVE && here == p->next))
        p->next = NAME_NONE;
    p->at = here != NAME_NONE ? here : p->at;
    if (info->state == STATE_UNKNOWN)
        return;
    p->state = (uint8_t)info->state;
    p->code = (uint8_t)step->code;
    p->state_s = step->at_s;
    if (step->code == SCAN_RETURN_START)
        p->flags |= PARCEL_RETURNING;
}

static inline void world_apply(struct parcel *p, const struct step *step,
                               const struct classified *class, name_id here, name_id next)
{
    history_add(p, step->at_s, here, step->code, step->retracts,
                class->class == CLASS_MERGED ? ENTRY_MERGED : 0);
    if (class->class == CLASS_MERGED || step->retracts)
        return;
    if (step->code == SCAN_ATTEMPT_FAILED)
        p->attempts++;
    if (code_table[step->code].physical && step->at_s > p->physical_s)
        p->physical_s = step->at_s;
    if (step->code >= SCAN_EXPORT_IN && step->code <= SCAN_IMPORT_OUT)
        p->flags |= PARCEL_CROSS_BORDER;
    if (step->code == SCAN_DELIVERED || step->code == SCAN_STATION_IN)
        p->flags |= PARCEL_ARRIVED;
    if (!class->late)
        world_state(p, step, here, next);
}

static inline bool is_given(struct spot spot)
{
    return spot.lat < 0 || spot.lat > 0 || spot.lon < 0 || spot.lon > 0;
}

/* What few scans say, before the counters move. */
static inline void world_facts(struct world *w, struct parcel *p, const struct step *step)
{
    if (step->weight_g != 0)
        p->weight_g = step->weight_g;
    if (step->declared_g != 0)
        p->declared_g = step->declared_g;
    if (is_given(step->address))
        p->target = step->address;
    p->facts |= (uint8_t)((step->weight_g != 0) * FACT_WEIGHT
                          | (step->declared_g != 0) * FACT_DECLARED
                          | is_given(step->address) * FACT_TARGET);
    if (code_table[step->code].physical && step->at_s > p->physical_s) {
        p->spot = step->position;
        p->facts &= (uint8_t)~FACT_SPOT;
        p->facts |= (uint8_t)(is_given(step->position) * FACT_SPOT);
    }
    if (step->code == SCAN_DECLARED && step->reason != NULL) {
        p->documents[p->documents_count++] = world_name(w, step->reason);
        p->facts |= FACT_DOCUMENTS;
    }
    if (step->origin != NULL)
        p->origin = world_name(w, step->origin);
    if (step->dest != NULL)
        p->dest = world_name(w, step->dest);
    if (step->carrier != NULL)
        p->carrier = world_name(w, step->carrier);
    if (step->service != NULL)
        p->service = (uint8_t)names_intern(w->names, NAME_SERVICE, step->service,
                                           strlen(step->service));
    if (step->promise_s != 0)
        p->promise_s = step->promise_s;
}

/* The step's scan; its texts are copied behind each other. */
static inline struct scan world_decode(struct world *w, const struct step *step, char bytes[256])
{
    struct scan scan = {
        .bytes = bytes, .code = (uint8_t)step->code, .time_ms = (int64_t)step->at_s * 1000,
        .promise_ms = (int64_t)step->promise_s * 1000,
        .weight_g = step->weight_g, .declared_g = step->declared_g,
        .lat = step->position.lat, .lon = step->position.lon,
        .dest_lat = step->address.lat, .dest_lon = step->address.lon,
        .flags = (uint8_t)((step->retracts ? SCAN_RETRACTS : 0)
                           | (is_given(step->position) ? SCAN_HAS_POSITION : 0)
                           | (is_given(step->address) ? SCAN_HAS_TARGET : 0)
                           | (step->weight_g != 0 ? SCAN_HAS_WEIGHT : 0)
                           | (step->declared_g != 0 ? SCAN_HAS_DECLARED : 0))};
    const char  *texts[] = {step->reason, step->origin, step->carrier};
    struct text *slices[] = {&scan.reason, &scan.origin, &scan.carrier};
    size_t       used = 0;

    for (int i = 0; i < 3; i++) {
        if (texts[i] == NULL)
            continue;
        (void)world_name(w, texts[i]);
        *slices[i] = (struct text) {(uint16_t)used, (uint16_t)strlen(texts[i])};
        memcpy(bytes + used, texts[i], strlen(texts[i]));
        used += strlen(texts[i]);
    }
    return scan;
}

static inline struct detect_context world_context(struct world *w)
{
    return (struct detect_context) {
        .set = rules_of(w->rules, names_text(w->names, NAME_SERVICE, w->parcel.service)),
        .model = w->model, .names = w->names, .reference = w->reference, .clock_s = w->clock_s};
}

static inline void world_fold(struct world *w, const struct findings *found, uint32_t at_s,
                              bool by_deadline)
{
    struct alert_changes changes;

    alerts_fold(&w->parcel, w->names, found, at_s, by_deadline, &changes);
    w->refused += changes.refused;
    for (uint32_t i = 0; i < changes.count; i++) {
        assert_false(changes.list[i].flags & ALERT_BY_DEADLINE);
        w->tell[w->told++ % TOLD_MAX] = changes.list[i];
    }
    for (uint32_t i = changes.unsent_first; i < w->parcel.unsent_count; i++) {
        assert_true(w->parcel.unsent[i].flags & ALERT_BY_DEADLINE);
        w->tell[w->told++ % TOLD_MAX] = w->parcel.unsent[i];
    }
}

/* Fires what is due up to now_s, each deadline at its own second. */
static inline void world_clock(struct world *w, uint32_t now_s)
{
    for (;;) {
        uint32_t first_s = UINT32_MAX;
        struct findings found;

        for (uint32_t i = 0; i < w->parcel.deadlines_count; i++)
            if (w->parcel.deadlines[i].at_s < first_s)
                first_s = w->parcel.deadlines[i].at_s;
        if (first_s > now_s)
            break;
        w->clock_s = first_s > w->clock_s ? first_s : w->clock_s;
        struct detect_context context = world_context(w);

        context.clock_s = first_s;
        detect_deadline(&context, &w->parcel, &found);
        world_fold(w, &found, first_s, true);
    }
    w->clock_s = now_s > w->clock_s ? now_s : w->clock_s;
}

/* One scan after the deadlines before it, which the clock reaches at its time. */
static inline void world_scan(struct world *w, struct step step)
{
    char            bytes[256];
    struct parcel   before;
    struct findings found;
    struct scan     scan = world_decode(w, &step, bytes);
    name_id here = world_name(w, step.here), next = world_name(w, step.next);

    world_clock(w, step.received_s != 0 ? step.received_s : step.at_s);
    before = w->parcel;
    struct classified class = dedup_classify(&before, &scan, here);

    if (class.class == CLASS_DUPLICATE)
        return;
    if (class.new_life) {
        memset(&w->parcel, 0, offsetof(struct parcel, history));
        memcpy(w->parcel.number, before.number, sizeof before.number);
        w->parcel.number_length = before.number_length;
        w->parcel.life = (uint16_t)(before.life + 1);
        before = w->parcel;
    }
    if (!class.late && !step.retracts && class.class != CLASS_MERGED)
        world_facts(w, &w->parcel, &step);
    world_apply(&w->parcel, &step, &class, here, next);
    if (class.class == CLASS_MERGED)
        return;
    struct estimate estimate = w->forced.known ? w->forced
                             : estimate_make(w->model, &w->parcel, w->clock_s);
    struct detect_context context = world_context(w);

    context.received_s = step.received_s;
    w->parcel.at_risk = estimate_at_risk(&w->parcel, &estimate);
    detect_scan(&context, &before, &scan, &class, &estimate, here, next, &found);
    world_fold(w, &found, step.at_s, false);
    detect_arm(&context, &w->parcel, &scan, &estimate);
}

/* The next change told, which must be this one. */
static inline const struct alert *expect_change(struct world *w, enum detector_number type,
                                                enum alert_state state, enum severity severity,
                                                uint32_t at_s)
{
    if (w->read == w->told)
        fail_msg("nothing was told, expected a change of %s", detector_table[type]->type);
    const struct alert *a = &w->tell[w->read++ % TOLD_MAX];

    if (a->type != type || a->state != state || a->severity != severity || a->at_s != at_s)
        fail_msg("told %s, state %d, severity %d, at T0 + %d s; expected %s, %d, %d, T0 + %d s",
                 detector_table[a->type]->type, a->state, a->severity, (int)(a->at_s - T0),
                 detector_table[type]->type, state, severity, (int)(at_s - T0));
    return a;
}

static inline void expect_quiet(struct world *w)
{
    if (w->read != w->told)
        fail_msg("told %s, state %d, at T0 + %d s; expected nothing",
                 detector_table[w->tell[w->read % TOLD_MAX].type]->type,
                 w->tell[w->read % TOLD_MAX].state,
                 (int)(w->tell[w->read % TOLD_MAX].at_s - T0));
}

static inline void expect_sentence(struct world *w, const struct alert *a, const char *expected)
{
    char   text[512];
    size_t length = alert_sentence(a, &w->parcel, w->names, text, sizeof text);

    assert_int_equal(length, strlen(text));
    assert_string_equal(text, expected);
}

/* SCAN(&w, code, second[, here[, next[, dest]]][, .promise_s = …, .reason = …]) */
#define SCAN(w, code_, at_, ...) \
    world_scan(w, (struct step) {.code = (code_), .at_s = (at_), ##__VA_ARGS__})

#endif
