/* explain.c - the few cells that concern one parcel, out of Redis into a model of their own. */
#include "stages/serve/explain.h"

#include <string.h>

#include <hiredis/hiredis.h>

#include "pipeline/check.h"
#include "pipeline/config.h"
#include "stages/eta/model_store.h"
#include "stages/serve/view_redis.h"

enum { LEAD = 2 };

struct wanted_cells {
    char        fields[MODEL_FIELDS_MAX][MODEL_FIELD_MAX + 1];
    const char *arguments[LEAD + MODEL_FIELDS_MAX];
    uint32_t    count;
};

static void want(void *self, const char *field, size_t length)
{
    struct wanted_cells *wanted = self;

    CHECK(wanted->count < MODEL_FIELDS_MAX && length <= MODEL_FIELD_MAX);
    memcpy(wanted->fields[wanted->count], field, length);
    wanted->fields[wanted->count][length] = '\0';
    wanted->arguments[LEAD + wanted->count] = wanted->fields[wanted->count];
    wanted->count++;
}

/* What is not stored is not there: a level without a cell. */
static enum view_result cells_load(struct view_redis *redis, int32_t partition, struct model *m,
                                   struct model_key key)
{
    struct wanted_cells wanted = {.count = 0};
    char                name[KEY_MAX];

    model_fields(m, key, want, &wanted);
    view_redis_key(redis, name, partition, "model");
    wanted.arguments[0] = "HMGET";
    wanted.arguments[1] = name;
    if (view_redis_begin(redis) != 0)
        return VIEW_FAILED;
    view_redis_ask(redis, LEAD + wanted.count, wanted.arguments, NULL);
    redisReply *reply = view_redis_take(redis);
    enum view_result result = reply != NULL && reply->type == REDIS_REPLY_ARRAY
                           && reply->elements == wanted.count ? VIEW_FOUND : VIEW_FAILED;

    for (uint32_t i = 0; result == VIEW_FOUND && i < wanted.count; i++) {
        const redisReply *cell = reply->element[i];

        if (cell->type == REDIS_REPLY_STRING
            && model_restore(m, wanted.fields[i], strlen(wanted.fields[i]),
                             (const uint8_t *)cell->str, (size_t)cell->len) != 0)
            result = VIEW_FAILED;
    }
    freeReplyObject(reply);
    return result;
}

enum view_result explain_parcel(struct view *view, const struct config *config,
                                const struct view_parcel *found, struct explanation *e)
{
    static const double probabilities[] = {0.1, 0.5, 0.9};
    const struct parcel *p = &found->parcel;
    struct model_key     key = {p->service, p->code, p->dest, p->at};
    uint32_t             now_s = (uint32_t)(found->mark.clock_ms / 1000);
    uint32_t             elapsed_s = now_s > p->state_s ? now_s - p->state_s : 0;
    struct model        *m = model_create(&(struct model_settings) {
        .cells_max = MODEL_FIELDS_MAX,
        .half_life_s = (uint32_t)(config_ms(config, "model.half_life") / 1000),
        .shrink = config_real(config, "model.shrink"),
        .names = found->names,
    });
    enum view_result result = cells_load(view_redis_of(view), found->partition, m, key);

    if (result == VIEW_FOUND) {
        e->estimate = estimate_make(m, p, now_s);
        e->left = model_ask(m, MODEL_REMAINING, key, elapsed_s, probabilities, now_s);
    }
    model_destroy(m);
    return result;
}
