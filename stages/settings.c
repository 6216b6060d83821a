/* settings.c - every setting of Peakline, declared once: path, kind, default,
 * bounds and a sentence.  The detectors' and rules'
 * thresholds come from their own structs. */
#include "stages/settings.h"

#include <string.h>

#include "pipeline/check.h"
#include "stages/activity/rule.h"
#include "stages/detect/detect.h"
#include "stages/outlet/redis_place.h"

enum { ROWS_MAX = 512 };

#define GIB 1073741824.0
#define DAYS(n) ((n) * 86400000.0)

static const struct config_row product_rows[] = {
    {"kafka.brokers", CONFIG_TEXT, "localhost:9092", 0, 0, NULL,
     "bootstrap servers, host:port[,host:port]", true, false},
    {"kafka.group", CONFIG_TEXT, "peakline", 0, 0, NULL,
     "consumer group, and first part of every Redis key", true, false},
    {"kafka.instance", CONFIG_TEXT, "", 0, 0, NULL,
     "group.instance.id for static membership; empty = none", true, false},
    {"kafka.start", CONFIG_TEXT, "earliest", 0, 0, NULL,
     "where a first start begins: earliest, latest, or an RFC 3339 time", false, false},
    {"kafka.partitioner", CONFIG_CHOICE, "murmur2", 0, 0, "murmur2|any",
     "how producers choose partitions; any turns the check of each key's home off", false, false},
    {"kafka.accept_gap", CONFIG_BOOL, "false", 0, 0, NULL,
     "go on where Kafka no longer has the records after the stored offset", false, false},
    {"kafka.buffer", CONFIG_BYTES, "256MiB", 1048576, 16 * GIB, NULL,
     "memory for fetched scans not yet processed, all partitions together", false, false},
    {"kafka.topics.scans", CONFIG_TEXT, "scans", 0, 0, NULL, "topic read", true, false},
    {"kafka.topics.alerts", CONFIG_TEXT, "alerts", 0, 0, NULL, "topic written", true, false},
    {"kafka.topics.etas", CONFIG_TEXT, "etas", 0, 0, NULL, "topic written, compacted", true, false},
    {"kafka.topics.dead_letters", CONFIG_TEXT, "dead-letters", 0, 0, NULL,
     "topic written: what is no scan, with the reason", true, false},
    {"kafka.topics.progress", CONFIG_TEXT, "progress", 0, 0, NULL,
     "topic written, compacted: how far each partition is", true, false},
    {"kafka.topics.activity", CONFIG_TEXT, "activity", 0, 0, NULL,
     "topic written while activity.enabled: what happened where, minute by minute", true, false},
    {"rdkafka.*", CONFIG_TEXT, "", 0, 0, NULL,
     "any librdkafka setting; consumer.X and producer.X for one side only", true, false},
    {"intake.format", CONFIG_CHOICE, "json", 0, 0, "json", "form of a scan's value", false, false},
    {"clock.mode", CONFIG_CHOICE, "kafka", 0, 0, "kafka|event",
     "what drives deadlines: records' Kafka timestamps, or event times (history)", false, false},
    {"clock.tolerance", CONFIG_DURATION, "0s", 0, DAYS(365), NULL,
     "clock event: how far the clock stays behind the highest event time", false, false},
    {"clock.idle_advance", CONFIG_BOOL, "true", 0, 0, NULL,
     "clock kafka: a partition read to its end goes on with wall time", false, false},
    REDIS_PLACE_ROWS("localhost:6379"),
    {"redis.connections", CONFIG_INTEGER, "4", 1, 16, NULL,
     "connections; each guards one partition at a time; in a cluster one per master or more",
     false, false},
    {"redis.timeout", CONFIG_DURATION, "5s", 100, 600000, NULL,
     "a connection that answers nothing for so long is closed and made anew", false, false},
    {"redis.buckets", CONFIG_INTEGER, "512", 1, 1048576, NULL,
     "hashes per partition, fixed when it is first claimed: parcels ÷ 500", false, false},
    {"checkpoint.interval", CONFIG_DURATION, "1s", 10, 60000, NULL,
     "how often each partition's state and offset go to Redis", false, false},
    {"checkpoint.records_max", CONFIG_INTEGER, "50000", 100, 10000000, NULL,
     "dirty parcels that start a checkpoint early", false, false},
    {"retention.terminal", CONFIG_DURATION, "30d", 60000, DAYS(4000), NULL,
     "how long a delivered parcel is remembered", false, false},
    {"retention.linger", CONFIG_DURATION, "1d", 1000, DAYS(4000), NULL,
     "how long a delivered parcel keeps its history before it shrinks", false, false},
    {"retention.idle", CONFIG_DURATION, "60d", 60000, DAYS(4000), NULL,
     "a parcel without scans for so long is forgotten", false, false},
    {"model.cells_max", CONFIG_INTEGER, "4096", 64, 1000000, NULL,
     "learned histograms per partition", false, false},
    {"model.half_life", CONFIG_DURATION, "60d", 3600000, DAYS(4000), NULL,
     "the weight of what was learned halves in this time", false, false},
    {"model.shrink", CONFIG_REAL, "5", 0.1, 1000, NULL,
     "a level's parent counts as so many samples", false, false},
    {"model.priors", CONFIG_TEXT, "", 0, 0, NULL,
     "file of `peakline learn` that a partition without state begins with", false, false},
    {"progress.interval", CONFIG_DURATION, "10s", 100, 3600000, NULL,
     "how often a quiet partition reports its progress", false, false},
    {"catch_up.records", CONFIG_INTEGER, "10000", 0, 1000000000, NULL,
     "a partition catches up while so many records are left and the next one is of catch_up.age: "
     "it tells only each parcel's newest estimate, once a checkpoint; 0 = never", false, false},
    {"catch_up.age", CONFIG_DURATION, "10s", 0, DAYS(400), NULL,
     "as Kafka's timestamps have it", false, false},
    {"catch_up.interval", CONFIG_DURATION, "5s", 50, 600000, NULL,
     "how often a partition that catches up writes a checkpoint", false, false},
    {"activity.enabled", CONFIG_BOOL, "false", 0, 0, NULL,
     "count what happens at each facility, on each lane, with each carrier and courier", false,
     false},
    {"activity.shares", CONFIG_INTEGER, "4", 1, 256, NULL,
     "streams that a minute's counts are told in: as many as topic activity has partitions", false,
     false},
    {"activity.subjects_max", CONFIG_INTEGER, "100000", 100, 10000000, NULL,
     "subjects a partition counts in one minute; each delivery of a courier is one", false, false},
    {"alerts.source", CONFIG_TEXT, "/peakline", 0, 0, NULL, "CloudEvents source", true, false},
    {"reference.facilities", CONFIG_TEXT, "", 0, 0, NULL,
     "CSV of facilities: code,name,kind,country,lat,lon,zone", true, false},
    {"reference.routes", CONFIG_TEXT, "", 0, 0, NULL,
     "CSV of routes: origin,destination,service,nodes,customs,documents", true, false},
    {"reference.departures", CONFIG_TEXT, "", 0, 0, NULL,
     "CSV of planned departures: facility,next,service,days,time,cutoff_min", true, false},
    {"reference.promises", CONFIG_TEXT, "", 0, 0, NULL,
     "CSV of promises from PICKUP: origin,destination,service,hours,working", true, false},
    {"reference.calendars", CONFIG_TEXT, "", 0, 0, NULL,
     "CSV of days that are not worked, by country: country,day,kind", true, false},
    {"runners.workers", CONFIG_INTEGER, "2", 1, 16, NULL,
     "threads that own partitions", false, false},
    {"runners.fused", CONFIG_BOOL, "false", 0, 0, NULL, "everything on one thread", false, false},
    {"runners.drain_max", CONFIG_DURATION, "30s", 1000, 600000, NULL,
     "ceiling of an orderly stop", false, false},
    {"memory.max", CONFIG_BYTES, "0", 0, 4096 * GIB, NULL,
     "memory this process may take; 0 = the container's or machine's", false, false},
    {"http.listen", CONFIG_TEXT, "127.0.0.1:8080", 0, 0, NULL,
     "address:port of the HTTP interface; empty = off", true, false},
    {"http.token", CONFIG_TEXT, "", 0, 0, NULL,
     "bearer token wanted beyond loopback for /partitions and /v1", true, true},
    {"control.socket", CONFIG_TEXT, "", 0, 0, NULL,
     "Unix socket of `peakline reload` and `peakline drain`; empty = none", true, false},
    {"debug.core_dumps", CONFIG_BOOL, "false", 0, 0, NULL,
     "write a core when it crashes: it holds passwords and parcels", false, false},
    {"log.level", CONFIG_CHOICE, "info", 0, 0, "debug|info|warning|error",
     "least important lines that are printed", false, false},
    {"log.form", CONFIG_CHOICE, "auto", 0, 0, "auto|text|json",
     "auto: text on a terminal, else JSON", false, false},
};

const struct config_row *settings_rows(size_t *count)
{
    static struct config_row rows[ROWS_MAX];
    size_t own = sizeof product_rows / sizeof product_rows[0], more = 0, few = 0;
    const struct config_row *detectors = detect_rows(&more);

    const struct config_row *activity = rule_rows(&few);

    CHECK(own + more + few <= ROWS_MAX);
    memcpy(rows, product_rows, sizeof product_rows);
    memcpy(rows + own, detectors, more * sizeof *detectors);
    memcpy(rows + own + more, activity, few * sizeof *activity);
    *count = own + more + few;
    return rows;
}

uint64_t settings_hash(const struct config *config)
{
    /* How the work is done, not what it says: a change here keeps suppression. */
    static const char *const except[] = {
        "kafka.brokers", "kafka.instance", "kafka.buffer", "kafka.accept_gap", "rdkafka", "redis",
        "checkpoint", "progress", "etas", "runners", "memory", "http", "control", "debug", "log",
        NULL};

    return config_hash(config, except);
}
