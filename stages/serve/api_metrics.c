/* api_metrics.c - /metrics: every counter, and how each partition of this instance stands.
 *
 * Partitions are asked when somebody looks, so a series ends with its partition's assignment
 * and costs the pipeline nothing.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "pipeline/check.h"
#include "pipeline/clock.h"
#include "pipeline/metric.h"
#include "stages/serve/api.h"
#include "stages/serve/api_json.h"

enum { METRICS_SPARE = 64 * 1024, LINE_SIZE = 256 };

struct moment {
    const struct serve_partition *partition;
    int64_t                       wall_ms;
};

/* Thousandths: a gauge's value is printed with three digits. */
static int64_t lag_records(const struct moment *m)
{
    int64_t lag = m->partition->high - m->partition->position;

    return lag > 0 ? lag * 1000 : 0;
}

static int64_t lag_time(const struct moment *m)
{
    int64_t behind_ms = m->wall_ms - m->partition->clock_ms;

    return m->partition->clock_ms > 0 && behind_ms > 0 ? behind_ms : 0;
}

static int64_t position(const struct moment *m) { return m->partition->position * 1000; }

static int64_t stored(const struct moment *m) { return m->partition->stored * 1000; }

static int64_t parcels(const struct moment *m) { return m->partition->records * 1000; }

static int64_t healthy(const struct moment *m) { return m->partition->healthy ? 1000 : 0; }

static const struct {
    const char *name, *help;
    int64_t   (*value)(const struct moment *);
} gauges[] = {
    {"partition_lag_records", "Records of the log not yet processed.", lag_records},
    {"partition_lag_seconds", "How far the partition's clock is behind the wall clock.", lag_time},
    {"partition_offset", "Next offset to be processed.", position},
    {"partition_stored_offset", "Offset of the last checkpoint in Redis.", stored},
    {"partition_parcels", "Parcels held.", parcels},
    {"partition_healthy", "1 = it moves or is at its end, 0 = it is stuck or stopped.", healthy},
};

__attribute__((format(printf, 2, 3)))
static void put(struct buffer *out, const char *format, ...)
{
    char    line[LINE_SIZE];
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    CHECK(length > 0 && (size_t)length < sizeof line);
    buffer_add(out, line, (size_t)length);
}

static void put_gauge(struct buffer *out, const struct serve_hooks *hooks, size_t which,
                      int64_t wall_ms)
{
    struct serve_partition shown;
    const struct moment    moment = {.partition = &shown, .wall_ms = wall_ms};

    put(out, "# HELP peakline_%s %s\n# TYPE peakline_%s gauge\n", gauges[which].name,
        gauges[which].help, gauges[which].name);
    for (int32_t i = 0; i < hooks->partitions(hooks->self); i++) {
        if (!hooks->partition(hooks->self, i, &shown))
            continue;
        int64_t value = gauges[which].value(&moment);

        value = value > 0 ? value : 0; /* not known yet */
        put(out, "peakline_%s{partition=\"%" PRId32 "\"} %" PRId64 ".%03" PRId64 "\n",
            gauges[which].name, i, value / 1000, value % 1000);
    }
}

void api_metrics(const struct serve_hooks *hooks, struct api_answer *answer)
{
    struct buffer *out = &answer->body;
    size_t         length = METRICS_SPARE, size = 0;

    while (length > size) { /* series may come between two looks */
        size = length + METRICS_SPARE;
        length = metric_print("peakline_", buffer_room(out, size), size) + 1;
    }
    out->used = length - 1;
    for (size_t i = 0; i < sizeof gauges / sizeof gauges[0]; i++)
        put_gauge(out, hooks, i, clock_wall_ms());
    put(out, "# HELP peakline_build_info The program's version.\n"
        "# TYPE peakline_build_info gauge\npeakline_build_info{version=\"%s\"} 1\n",
        PEAKLINE_VERSION);
    answer->status = 200;
    answer->type = "text/plain; version=0.0.4; charset=utf-8";
}
