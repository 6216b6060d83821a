/* source_memory.c - a process that has what memory.max allows takes nothing more on.
 *
 * The parcels of owned partitions are all held in memory, and none is thrown away.  So what is
 * left is to take on nothing that makes it more: no scan is read, and no partition claimed,
 * until there is room again, because parcels have expired, partitions have gone to other
 * instances, or somebody has raised the limit.  All else goes on: checkpoints, commits, pulses,
 * the group.  Kafka keeps what is not read, so nothing is lost, and the lag says what it costs.
 */
#include "stages/intake/source_memory.h"

#include <inttypes.h>

#include "pipeline/check.h"
#include "pipeline/config.h"
#include "pipeline/env.h"
#include "pipeline/log.h"
#include "pipeline/metric.h"
#include "stages/board.h"

enum { FULL_PERCENT = 95, ROOM_PERCENT = 90 };   /* of memory.max; between them nothing changes */

#define LOOK_NS UINT64_C(1000000000)

static const struct metric_info info_resident = {
    "memory_resident_bytes", "Memory this process has, as the machine counts it.", METRIC_GAUGE};
static const struct metric_info info_limit = {
    "memory_limit_bytes", "memory.max, or what the container or machine has.", METRIC_GAUGE};
static const struct metric_info info_full = {
    "memory_full", "1 while no scan is read and no partition claimed for want of memory.",
    METRIC_GAUGE};

void memory_open(struct memory *memory, const struct config *config)
{
    int64_t most = config_bytes(config, "memory.max");

    memory->bytes_max = most > 0 ? most : env_memory_bytes_max();
    memory->resident = metric_open(&info_resident, "");
    memory->limit = metric_open(&info_limit, "");
    memory->full_now = metric_open(&info_full, "");
    metric_set(memory->limit, memory->bytes_max);
    CHECK(memory->bytes_max > 0);
}

static void say(const struct memory *memory, int64_t bytes)
{
    if (memory->full)
        log_error("source_kafka", "%" PRId64 " MiB of memory are taken, memory.max is %" PRId64
                  " MiB: no scan is read and no partition claimed until there is room; raise "
                  "memory.max, or start a further instance", bytes >> 20,
                  memory->bytes_max >> 20);
    else
        log_info("source_kafka", "%" PRId64 " MiB of memory are taken: there is room again",
                 bytes >> 20);
}

void memory_look(struct memory *memory, uint64_t now_ns)
{
    bool was = memory->full;

    if (memory->looked_ns != 0 && now_ns - memory->looked_ns < LOOK_NS)
        return;
    memory->looked_ns = now_ns;
    int64_t bytes = env_resident_bytes();

    memory->full = bytes > memory->bytes_max / 100 * (was ? ROOM_PERCENT : FULL_PERCENT);
    metric_set(memory->resident, bytes);
    metric_set(memory->full_now, memory->full);
    if (memory->full == was)
        return;
    atomic_store(&board_held, memory->full ? "memory.max is reached: no scan is read" : NULL);
    say(memory, bytes);
}
