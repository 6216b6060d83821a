/* outlet_asker.h - a stage that asks store_redis, and the graph of the two; for its tests. */
#ifndef TESTS_UNIT_OUTLET_ASKER_H
#define TESTS_UNIT_OUTLET_ASKER_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "pipeline/config.h"
#include "pipeline/graph.h"
#include "stages/kinds.h"
#include "stages/outlet/buffer.h"
#include "stages/outlet/outlet.h"
#include "stages/outlet/request.h"
#include "stages/ports.h"

enum { ASKED_MAX = 64 };

/* What is asked, and what came back; `each` sees an answer before its replies are freed. */
static struct {
    struct asked {
        int32_t        partition;
        bool           answered;
        struct request request;
    } list[ASKED_MAX];
    uint32_t     count, sent, answered;
    void       (*each)(const struct request *);
    struct pool *pool;
} asker;

struct ports ports; /* the room of the real ones is above this one */

static int asker_init(struct stage *stage, const struct config *config)
{
    const struct batch_shape shape = {.kind = KIND_WRITES, .head_size = sizeof(struct request)};

    (void)config;
    asker.pool = stage_pool(stage, 0, &shape);
    return 0;
}

static int asker_tick(struct stage *stage, uint64_t now_ns)
{
    (void)now_ns;
    if (asker.sent == asker.count)
        return 0;
    struct batch *batch = pool_take(asker.pool);

    batch->partition = asker.list[asker.sent].partition;
    memcpy(batch->head, &asker.list[asker.sent].request, sizeof(struct request));
    batch->offset_first = asker.sent++;
    stage_emit(stage, 0, &batch);
    return 1;
}

static void asker_return(struct stage *stage, struct batch *batch)
{
    struct asked   *asked = &asker.list[batch->offset_first];
    struct request *request = batch->head;

    (void)stage;
    if (asker.each != NULL)
        asker.each(request);
    request_clear(request);
    asked->request = *request;
    asked->answered = ++asker.answered > 0;
    pool_give(asker.pool, &batch);
}

static void asker_fini(struct stage *stage)
{
    (void)stage;
    pool_destroy(asker.pool);
}

static const struct stage_type stage_asker = {
    .name = "asker", .outputs_min = 1, .outputs_max = 1, .burst = 1, .init = asker_init,
    .on_tick = asker_tick, .on_return = asker_return, .fini = asker_fini};

static const struct graph_stage asker_stages[] = {
    {&stage_asker, "in", 1}, {&stage_store_redis, "out", 1}};
static const struct graph_link asker_links[] = {
    {"asker", "store_redis", KIND_WRITES, ASKED_MAX, ASKED_MAX}};
static const char *const asker_kinds[] = {"RAW", "SCANS", "REJECTS", "OUTPUTS", "WRITES"};
static const struct graph_plan asker_plan = {
    .stages = asker_stages, .stages_count = 2, .links = asker_links, .links_count = 1,
    .kinds = asker_kinds, .workers = 1, .drain_ms_max = 20000};

static struct request *asker_add(int32_t partition, enum request_kind kind)
{
    struct asked *asked = &asker.list[asker.count++];

    *asked = (struct asked) {.partition = partition, .request = {.kind = (uint8_t)kind}};
    return &asked->request;
}

static void mark_text(char text[MARK_TEXT_MAX], uint64_t epoch, uint64_t sequence)
{
    const struct mark mark = {.partitions = 4, .buckets = 8, .epoch = epoch, .owner = 77,
                              .sequence = sequence, .kafka_ms = -1, .home = -1};

    mark_print(&mark, text);
}

/* A guarded write of `body`, from epoch 1, `sequence` (0 = no mark is expected) to the next. */
static struct request *asker_cut(int32_t partition, uint64_t sequence, struct buffer *body,
                                 uint32_t commands)
{
    struct request *request = asker_add(partition, REQUEST_CUT);

    request->guarded = 1;
    request->body = body;
    request->commands = commands;
    if (sequence > 0)
        mark_text(request->expected, 1, sequence);
    mark_text(request->wanted, 1, sequence + 1);
    return request;
}

#endif
