/* partitions - where the state of each partition stands. */
#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

#include "pipeline/config.h"
#include "stages/command/command.h"
#include "stages/command/print.h"
#include "stages/outlet/buffer.h"
#include "stages/serve/api_json.h"
#include "stages/serve/view.h"

static void print_all(const struct view_partitions *partitions)
{
    char when[PRINT_SIZE];

    (void)printf("%9s  %14s  %-19s  %12s  %8s  %-19s  %s\n", "partition", "offset", "clock (UTC)",
                 "parcels", "buckets", "claimed (UTC)", "owner");
    for (size_t i = 0; i < partitions->count; i++) {
        const struct mark *mark = &partitions->list[i].mark;

        if (!partitions->list[i].present) {
            (void)printf("%9zu  nobody has claimed it yet\n", i);
            continue;
        }
        (void)printf("%9zu  %14" PRId64 "  %-19s  %12" PRIu64 "  %8" PRIu32, i, mark->offset,
                     print_time(mark->clock_ms / 1000, when), mark->records, mark->buckets);
        (void)printf("  %-19s  %016" PRIx64 "\n",
                     print_time((int64_t)(mark->epoch / 1000000), when), mark->owner);
    }
    (void)printf("\nComplete to %s UTC\n",
                 print_time(view_clock_ms(partitions) / 1000, when));
}

static void write_all(const struct view_partitions *partitions, struct buffer *out)
{
    char owner[17];

    json_raw(out, "{\"scope\":\"cluster\"");
    json_time(out, "complete_to", view_clock_ms(partitions));
    json_name(out, "partitions");
    json_raw(out, "[");
    for (size_t i = 0; i < partitions->count; i++) {
        const struct mark *mark = &partitions->list[i].mark;

        json_comma(out);
        json_raw(out, "{");
        json_number(out, "partition", (int64_t)i);
        json_bool(out, "claimed", partitions->list[i].present);
        if (partitions->list[i].present) {
            (void)snprintf(owner, sizeof owner, "%016" PRIx64, mark->owner);
            json_number(out, "offset", mark->offset);
            json_time(out, "clock", mark->clock_ms);
            json_number(out, "records", (int64_t)mark->records);
            json_number(out, "buckets", mark->buckets);
            json_number(out, "epoch", (int64_t)mark->epoch);
            json_number(out, "sequence", (int64_t)mark->sequence);
            json_text(out, "owner", owner);
        }
        json_raw(out, "}");
    }
    json_raw(out, "]}\n");
}

static int show(struct view *view, bool json)
{
    struct view_partitions partitions;
    struct buffer          out = {0};

    switch (view_partitions(view, &partitions)) {
    case VIEW_FAILED:
        return command_failed(&command_partitions, EX_UNAVAILABLE);
    case VIEW_ABSENT:
        (void)fprintf(stderr, "peakline partitions: Redis knows no partition of this group and "
                              "topic: nothing has run yet, or kafka.group, kafka.topics.scans or "
                              "redis.database are others\n");
        return 1;
    case VIEW_FOUND:
        break;
    }
    if (json) {
        write_all(&partitions, &out);
        (void)fwrite(out.bytes, 1, out.used, stdout);
        buffer_free(&out);
    } else {
        print_all(&partitions);
    }
    view_partitions_free(&partitions);
    return 0;
}

static int run(int argc, char **argv)
{
    struct command_line line;
    struct config      *config;
    int                 code = command_options(&command_partitions, NULL, argc, argv, &line);

    if (code != COMMAND_GO_ON)
        return code;
    if (line.operands_count > 0)
        return command_misused(&command_partitions, "no operand is wanted: %s", line.operands[0]);
    code = command_config(&line, &config);
    if (code != COMMAND_GO_ON)
        return code;
    struct view *view = view_open(config);
    code = view != NULL ? show(view, line.json)
                        : command_failed(&command_partitions, EX_UNAVAILABLE);
    if (view != NULL)
        view_close(view);
    config_destroy(config);
    return code;
}

const struct command command_partitions = {
    .name     = "partitions",
    .operands = "",
    .summary  = "show how far each partition's stored state is",
    .about    = "Shows, for each partition of the scan topic, the offset its stored state is true\n"
                "for, its clock, how many parcels it holds, and who claimed it when.  Read from\n"
                "Redis, so it needs no running instance.",
    .run      = run,
};
