/* check_memory.c - what each limit of the configuration costs, and how many parcels fit
 * into the rest.
 *
 * Batches are counted from the topology table; what a parcel costs is measured here
 * and now, on a table of everyday parcels.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/check.h"
#include "pipeline/config.h"
#include "pipeline/env.h"
#include "pipeline/error.h"
#include "stages/activity/counts.h"
#include "stages/command/check.h"
#include "stages/command/print.h"
#include "stages/eta/model_store.h"
#include "stages/alert_queue.h"
#include "stages/eta_queue.h"
#include "stages/intake/intake.h"
#include "stages/intake/passage.h"
#include "stages/outlet/output.h"
#include "stages/outlet/request.h"
#include "stages/parcel/deadlines.h"
#include "stages/parcel/history.h"
#include "stages/parcel/table.h"
#include "stages/topology.h"

enum { SAMPLE_PARCELS = 20000, SAMPLE_SCANS = 8, CUT_OVERHEAD = 40, PROGRAM = 24 << 20 };

static int64_t batch_bytes(uint16_t kind)
{
    switch ((enum batch_kind)kind) {
    case KIND_RAW:
        return (int64_t)(sizeof(struct passage) + RAW_RECORDS * sizeof(struct raw));
    case KIND_SCANS:
        return (int64_t)(sizeof(struct passage) + SCANS_RECORDS * sizeof(struct scan));
    case KIND_REJECTS:
        return (int64_t)(REJECTS_RECORDS * sizeof(struct rejected));
    case KIND_OUTPUTS:
        return (int64_t)(OUTPUTS_RECORDS * sizeof(struct output) + OUTPUTS_ARENA);
    case KIND_WRITES:
        return (int64_t)sizeof(struct request);
    case KINDS:
        break;
    }
    return 0;
}

static bool one_per_worker(const struct graph_plan *plan, const char *name)
{
    for (size_t i = 0; i < plan->stages_count; i++)
        if (strcmp(plan->stages[i].type->name, name) == 0)
            return plan->stages[i].copies == 0;
    return false;
}

/* Every pool as large as its link may have out.  What checkpoint hands on to the sink are
 * track's batches. */
static int64_t batches_bytes(const struct config *config)
{
    const struct graph_plan *plan = topology_plan(config);
    int64_t                  total = 0;

    for (size_t i = 0; i < plan->links_count; i++) {
        const struct graph_link *link = &plan->links[i];
        bool many = one_per_worker(plan, link->from) || one_per_worker(plan, link->to);

        if (link->kind == KIND_OUTPUTS && strcmp(link->from, "checkpoint") == 0)
            continue;
        total += batch_bytes(link->kind) * link->outstanding_max * (many ? plan->workers : 1);
    }
    return total;
}

/* An everyday parcel: a number of 15 characters, eight scans, a promise, two deadlines. */
static void sample(uint32_t i, struct parcel *parcel)
{
    char number[PARCEL_MAX];

    *parcel = (struct parcel) {.state = STATE_IN_TRANSIT, .code = SCAN_ARRIVE, .life = 1,
                               .at = 1, .origin = 2, .dest = 3, .carrier = 4, .service = 1};
    parcel->number_length = (uint8_t)snprintf(number, sizeof number, "YT%013" PRIu32, i);
    memcpy(parcel->number, number, parcel->number_length);
    for (uint32_t k = 0; k < SAMPLE_SCANS; k++)
        history_add(parcel, 1790000000 + i + k * 7200, 1 + k / 2,
                    k % 2 == 0 ? SCAN_ARRIVE : SCAN_DEPART, false, 0);
    parcel->state_s = parcel->physical_s = 1790000000 + i + SAMPLE_SCANS * 7200;
    parcel->promise_s = parcel->state_s + 86400;
    parcel->deadlines_count = 2;
    parcel->deadlines[0] = (struct deadline) {.detector = 1, .at_s = parcel->state_s + 43200};
    parcel->deadlines[1] = (struct deadline) {.detector = 2, .at_s = parcel->promise_s};
}

static int64_t parcel_bytes(void)
{
    struct table     *table = table_create(SAMPLE_PARCELS);
    struct deadlines *deadlines = deadlines_create(1790000000);
    struct parcel     parcel;

    for (uint32_t i = 0; i < SAMPLE_PARCELS; i++) {
        sample(i, &parcel);
        uint64_t hash = parcel_hash(parcel.number, parcel.number_length);

        table_put(table, hash, &parcel, false);
        deadlines_arm(deadlines, parcel.deadlines[0].at_s, table_hash32(hash));
    }
    int64_t bytes = (int64_t)((table_bytes(table) + deadlines_bytes(deadlines)) / SAMPLE_PARCELS);
    table_destroy(table);
    deadlines_destroy(deadlines);
    return bytes;
}

/* What is taken whether there is a parcel or not. */
struct costs {
    int64_t parcel, fetched, batches, models, etas, alerts, counts, cuts, fixed, limit;
};

static struct costs reckon(const struct config *config, int64_t partitions)
{
    struct costs c = {.parcel = parcel_bytes(),
                      .fetched = config_bytes(config, "kafka.buffer"),
                      .batches = batches_bytes(config),
                      .limit = config_bytes(config, "memory.max")};

    c.models = config_integer(config, "model.cells_max") * MODEL_CELL_BYTES_MAX * partitions;
    c.cuts = config_integer(config, "checkpoint.records_max") * (c.parcel + CUT_OVERHEAD);
    if (config_integer(config, "catch_up.records") > 0)
        c.etas = (int64_t)eta_queue_bytes() * partitions;
    c.alerts = 2 * ALERTS_WAITING_MAX * (int64_t)sizeof(struct alert_change) * partitions;
    if (config_bool(config, "activity.enabled"))
        c.counts = partitions * (int64_t)counts_bytes_max(
            (uint32_t)config_integer(config, "activity.subjects_max"));
    c.fixed = PROGRAM + c.fetched + c.batches + DECODE_SCRATCH + c.models + c.etas + c.alerts
            + c.counts + c.cuts;
    c.limit = c.limit > 0 ? c.limit : env_memory_bytes_max();
    return c;
}

static const char advice[] = "lower kafka.buffer, model.cells_max or checkpoint.records_max, or "
                             "raise memory.max or the container's limit";

int check_memory_fits(const struct config *config, int64_t partitions)
{
    struct costs c = reckon(config, partitions);
    char         need[PRINT_SIZE], have[PRINT_SIZE];

    if (c.fixed <= c.limit)
        return 0;
    return error_set("memory.max: the limits of this configuration come to %s without a parcel, "
                     "and %s are there: %s", print_bytes(c.fixed, need),
                     print_bytes(c.limit, have), advice);
}

void check_memory(struct report *r, const struct config *config, int64_t partitions)
{
    struct costs c = reckon(config, partitions);
    char         need[PRINT_SIZE], have[PRINT_SIZE];

    report_cost(r, "program", PROGRAM, "code, librdkafka, threads");
    report_cost(r, "fetched scans", c.fetched, "kafka.buffer");
    report_cost(r, "batches", c.batches, "the topology (peakline graph), runners.workers");
    report_cost(r, "escaped texts", DECODE_SCRATCH,
                "taken only as far as scans are written with \\u escapes");
    report_cost(r, "learned models", c.models, "model.cells_max of every partition");
    report_cost(r, "waiting estimates", c.etas, "catch_up.records, every partition");
    report_cost(r, "waiting alerts", c.alerts, "every partition, when Kafka is slow");
    if (c.counts > 0)
        report_cost(r, "counts of a minute", c.counts, "activity.subjects_max of every partition");
    report_cost(r, "one checkpoint", c.cuts,
                "checkpoint.records_max; each partition may have one on its way");
    if (c.fixed > c.limit) {
        report_failed(r, "memory", advice, "%s without a parcel, %s there",
                      print_bytes(c.fixed, need), print_bytes(c.limit, have));
        return;
    }
    report_ok(r, "memory", "%s of %s for %" PRId64 " partitions; room for %" PRId64
              " parcels of %" PRId64 " bytes", print_bytes(c.fixed, need),
              print_bytes(c.limit, have), partitions, (c.limit - c.fixed) / c.parcel, c.parcel);
}
