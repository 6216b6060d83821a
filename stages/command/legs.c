/* legs.c - legs under way in a hash table; forecasts from the model's family of legs. */
#include "stages/command/legs.h"

#include <stdlib.h>

#include "pipeline/check.h"
#include "pipeline/config.h"
#include "stages/command/score.h"
#include "stages/eta/model.h"
#include "stages/scan/scan.h"

enum { TABLE_FIRST = 1024, SLOT_HOURS = 8, HOUR = 3600,
       CELLS_MAX = 65536 /* one model stands for those of all partitions */ };

/* Under way, or empty (id 0), or over (planned_s 0). */
struct leg {
    uint64_t         id;
    struct model_key key;
    uint32_t         departed_s, planned_s;
};

static struct {
    struct names *names;
    struct model *model;
    struct leg   *list;
    uint32_t      size, count;
} legs;

void legs_begin(const struct config *config)
{
    CHECK(legs.model == NULL);
    legs.names = names_create();
    legs.model = model_create(&(struct model_settings) {
        .cells_max = CELLS_MAX,
        .half_life_s = (uint32_t)(config_ms(config, "model.half_life") / 1000),
        .shrink = config_real(config, "model.shrink"),
        .names = legs.names,
    });
    legs.size = TABLE_FIRST;
    legs.count = 0;
    legs.list = calloc(legs.size, sizeof *legs.list);
    CHECK(legs.list != NULL);
}

void legs_end(void)
{
    model_destroy(legs.model);
    names_destroy(legs.names);
    free(legs.list);
    legs.model = NULL;
    legs.names = NULL;
    legs.list = NULL;
}

static struct leg *slot_of(uint64_t id)
{
    uint32_t at = (uint32_t)(id * 0x9E3779B97F4A7C15u >> 32) & (legs.size - 1);

    while (legs.list[at].id != 0 && legs.list[at].id != id)
        at = (at + 1) & (legs.size - 1);
    return &legs.list[at];
}

static void grow(void)
{
    struct leg *old = legs.list;
    uint32_t    size = legs.size;

    legs.size *= 2;
    legs.list = calloc(legs.size, sizeof *legs.list);
    CHECK(legs.list != NULL);
    for (uint32_t i = 0; i < size; i++)
        if (old[i].id != 0)
            *slot_of(old[i].id) = old[i];
    free(old);
}

static name_id place_of(const struct scan *scan, struct text text)
{
    return names_intern(legs.names, NAME_PLACE, scan_text(scan, text), text.length);
}

/* The parcel on its way there. */
static uint64_t id_of(const struct scan *scan, name_id there)
{
    return (scan->hash ^ (uint64_t)there * 0xD6E8FEB86659FD93u) | 1;
}

static void forecast(const struct scan *scan, const struct leg *leg, bool scored)
{
    static const double probabilities[] = {0.5, 0.8, 0.9};
    struct quantiles q = model_ask(legs.model, MODEL_LEG, leg->key, 0, probabilities,
                                   leg->departed_s);
    double seconds[3];

    if (!q.known)
        return;
    for (int i = 0; i < 3; i++)
        seconds[i] = q.p[i] / MODEL_LEG_ONE * leg->planned_s;
    score_add((struct forecast) {
        .parcel    = leg->id,
        .lane      = (uint64_t)leg->key.place << 20 | leg->key.dest,
        .at_s      = leg->departed_s,
        .promise_s = leg->departed_s + leg->planned_s,
        .p50_s     = leg->departed_s + (uint32_t)seconds[0],
        .p80_s     = leg->departed_s + (uint32_t)seconds[1],
        .p90_s     = leg->departed_s + (uint32_t)seconds[2],
        .code      = scan->code,
        .headline  = true,
        .scored    = scored,
    });
}

static void begin(const struct scan *scan, uint32_t now_s, bool scored)
{
    name_id  here = place_of(scan, scan->facility), there = place_of(scan, scan->next);
    uint32_t promise_s = (uint32_t)(scan->promise_ms / 1000);

    if (there == NAME_NONE || promise_s <= now_s)
        return;
    if (legs.count * 2 >= legs.size)
        grow();
    struct leg *leg = slot_of(id_of(scan, there));

    legs.count += leg->id == 0;
    *leg = (struct leg) {
        .id = id_of(scan, there), .departed_s = now_s, .planned_s = promise_s - now_s,
        .key = {.code = (uint8_t)(now_s / HOUR % 24 / SLOT_HOURS), .place = here, .dest = there}};
    leg->key.service = (uint8_t)names_intern(legs.names, NAME_SERVICE,
                                             scan_text(scan, scan->service),
                                             scan->service.length);
    forecast(scan, leg, scored);
}

static void end(const struct scan *scan, uint32_t now_s)
{
    struct leg *leg = slot_of(id_of(scan, place_of(scan, scan->facility)));

    if (leg->id == 0 || leg->planned_s == 0 || now_s <= leg->departed_s)
        return;
    score_arrived(leg->id, now_s);
    model_learn(legs.model, MODEL_LEG, leg->key,
                (uint32_t)((uint64_t)(now_s - leg->departed_s) * MODEL_LEG_ONE / leg->planned_s),
                now_s);
    leg->planned_s = 0;
}

void legs_scan(const struct scan *scan, int64_t score_from_ms)
{
    uint32_t now_s = (uint32_t)(scan->time_ms / 1000);

    if (scan->code == SCAN_DEPART)
        begin(scan, now_s, scan->time_ms >= score_from_ms);
    else if (scan->code == SCAN_ARRIVE)
        end(scan, now_s);
}
