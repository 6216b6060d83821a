/* topology.c - THE table: every stage, link, batch kind, depth and runner.
 *
 *   source_kafka ─RAW─► decode ─SCANS─► track ─OUTPUTS, WRITES─► checkpoint ─OUTPUTS─► sink_kafka
 *                          │                                         └────WRITES─► store_redis
 *                          └─REJECTS─► dead_letter ─OUTPUTS─► sink_kafka
 *
 * Facts go forward; answers (acknowledgements, offsets to commit) come back in the
 * same batches.
 */
#include "stages/topology.h"

#include "stages/intake/intake.h"
#include "stages/kinds.h"
#include "stages/outlet/outlet.h"
#include "stages/track.h"

static const char *const kinds[KINDS] = {
    [KIND_RAW] = "raw",         [KIND_SCANS] = "scans",   [KIND_REJECTS] = "rejects",
    [KIND_OUTPUTS] = "outputs", [KIND_WRITES] = "writes",
};

static const struct graph_stage stages[] = {
    /* type               runner    copies (0 = one per worker) */
    {&stage_source_kafka, "in",     1},
    {&stage_decode,       "in",     1},
    {&stage_dead_letter,  "in",     1},
    {&stage_track,        "worker", 0},
    {&stage_checkpoint,   "worker", 0},
    {&stage_store_redis,  "out",    1},
    {&stage_sink_kafka,   "out",    1},
};

static const struct graph_link links[] = {
    /* from           to             kind          depth  out at once */
    {"source_kafka", "decode",      KIND_RAW,      64,    256},
    {"decode",       "track",       KIND_SCANS,    128,   256},
    {"decode",       "dead_letter", KIND_REJECTS,  64,    128},
    {"dead_letter",  "sink_kafka",  KIND_OUTPUTS,  64,    128},
    {"track",        "checkpoint",  KIND_OUTPUTS,  64,    256},
    {"track",        "checkpoint",  KIND_WRITES,   64,    256},
    {"checkpoint",   "sink_kafka",  KIND_OUTPUTS,  128,   256},
    {"checkpoint",   "store_redis", KIND_WRITES,   128,   512},
};

const struct graph_plan *topology_plan(const struct config *config)
{
    static struct graph_plan plan;

    plan = (struct graph_plan){
        .stages = stages,
        .stages_count = sizeof stages / sizeof stages[0],
        .links = links,
        .links_count = sizeof links / sizeof links[0],
        .kinds = kinds,
        .workers = (uint32_t)config_integer(config, "runners.workers"),
        .fused = config_bool(config, "runners.fused"),
        .drain_ms_max = config_ms(config, "runners.drain_max"),
    };
    return &plan;
}
