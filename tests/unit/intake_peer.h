/* intake_peer.h - a model of what comes after source_kafka: takes batches, sends them home. */
#ifndef TESTS_UNIT_INTAKE_PEER_H
#define TESTS_UNIT_INTAKE_PEER_H

#include <string.h>

#include "pipeline/batch.h"
#include "pipeline/config.h"
#include "pipeline/graph.h"
#include "stages/intake/intake.h"
#include "stages/intake/passage.h"
#include "stages/kinds.h"

static struct {
    struct stage *stage;
    struct batch *held[HOME_MAX];    /* taken and not sent home, in order */
    uint32_t      count;
    bool          holding;           /* takes nothing */
} decode;

static int peer_init(struct stage *stage, const struct config *config)
{
    (void)config;
    decode.stage = stage;
    return 0;
}

static enum stage_verdict peer_take(struct stage *stage, struct batch *batch, uint64_t now_ns)
{
    (void)stage;
    (void)now_ns;
    if (decode.holding)
        return STAGE_HOLD;
    decode.held[decode.count++] = batch;
    return STAGE_TAKEN;
}

static int peer_drain(struct stage *stage, uint64_t now_ns)
{
    (void)stage;
    (void)now_ns;
    return 0;
}

static const struct stage_type peer = {
    .name = "peer", .state_size = 1, .inputs_min = 1, .inputs_max = 1,
    .init = peer_init, .on_batch = peer_take, .on_drain = peer_drain};

static struct passage *head(const struct batch *batch)
{
    return batch->head;
}

/* Sends the i-th held batch home. */
static void home(uint32_t i)
{
    struct batch *batch = decode.held[i];

    decode.count--;
    memmove(&decode.held[i], &decode.held[i + 1], (decode.count - i) * sizeof decode.held[0]);
    stage_finish(decode.stage, &batch, OUTCOME_DONE);
}

/* The first held passage of a kind, of a partition; -1 = none. */
static int find(enum passage_event event, int32_t partition)
{
    for (uint32_t i = 0; i < decode.count; i++)
        if (head(decode.held[i])->event == event && decode.held[i]->partition == partition)
            return (int)i;
    return -1;
}

static struct passage *wanted(enum passage_event event, int32_t partition)
{
    int i = find(event, partition);

    assert_true(i >= 0);
    return head(decode.held[i]);
}

static const char *const kinds[KINDS] = {"raw", "scans", "rejects", "outputs", "writes"};
static const struct graph_stage stages[] = {{&stage_source_kafka, "in", 1}, {&peer, "in", 1}};
static const struct graph_link  links[] = {{"source_kafka", "peer", KIND_RAW, 64, 64}};
static const struct graph_plan  plan = {.stages = stages, .stages_count = 2, .links = links,
                                        .links_count = 1, .kinds = kinds, .workers = 1};

static const struct config_row rows[] = {
    {.path = "kafka.start", .kind = CONFIG_TEXT, .fallback = "earliest", .help = "."},
    {.path = "memory.max", .kind = CONFIG_BYTES, .fallback = "1GiB", .help = "."},
    {.path = "kafka.accept_gap", .kind = CONFIG_BOOL, .fallback = "false", .help = "."},
    {.path = "clock.idle_advance", .kind = CONFIG_BOOL, .fallback = "true", .help = "."},
    {.path = "clock.mode", .kind = CONFIG_CHOICE, .fallback = "kafka", .choices = "kafka|event",
     .help = "."},
};

#endif
