/* replay_options.c - the command line of `peakload replay`. */
#include <string.h>

#include "bench/peakload/replay.h"
#include "bench/peakload/say.h"
#include "bench/peakload/times.h"

static const char usage[] =
    "Usage: peakload replay [OPTION]… FILE\n"
    "Sends what FILE holds (- is standard input; zstd is recognised): a recording, or any lines\n"
    "of `kcat -J`; with --mapping, CSV.  Values that are not JSON are sent as they are.\n"
    "\n";

static const char closing[] =
    "Without --rate, --curve or --speed it sends as fast as it can.\n"
    "\n"
    "Exit codes: 0 all acknowledged, 1 not all or a limit exceeded, 64 a wrong option, 65 a bad\n"
    "line (named), 66 no such file, 78 a wrong configuration or mapping, or no such topic.\n";

static int take_stamps(void *self, const char *text)
{
    static const char *const words[] = {"now", "event", "recorded"};
    int stamps = option_choice("timestamps", text, words, 3);

    ((struct replay *)self)->stamps = (enum stamps)(stamps < 0 ? 0 : stamps);
    return stamps < 0 ? -1 : 0;
}

static int take_zone(void *self, const char *text)
{
    struct replay *r = self;

    r->zone_given = true;
    if (zone_read(text, &r->zone_minutes) != 0)
        return say("--zone %s: want +HH:MM, -HH:MM or Z", text);
    return 0;
}

static int take_time(const char *name, const char *text, int64_t *ms)
{
    if (time_read(text, strlen(text), 0, ms) != 0)
        return say("--%s %s: want a time as 2025-11-11T00:00:00+08:00", name, text);
    return 0;
}

static int take_from_time(void *self, const char *text)
{
    return take_time("from-time", text, &((struct replay *)self)->from_ms);
}

static int take_to_time(void *self, const char *text)
{
    return take_time("to-time", text, &((struct replay *)self)->to_ms);
}

#define AT(field) offsetof(struct replay, field)

static const struct option_row what_rows[] = {
    {OPTION_HEADING, "What:", NULL, NULL, 0, 0, 0, NULL},
    {OPTION_TEXT, "mapping", "FILE", "YAML: how CSV columns become fields "
     "(bench/peakload/mappings/)", AT(mapping), 0, 0, NULL},
    {OPTION_OTHER, "zone", "+HH:MM", "of CSV's times without one; default the mapping's, else UTC",
     0, 0, 0, take_zone},
    {OPTION_INTEGER, "from", "N", "only from this line on, counted from 1", AT(from), 1,
     OPTION_MANY, NULL},
    {OPTION_INTEGER, "to", "N", "and to this one", AT(to), 1, OPTION_MANY, NULL},
    {OPTION_OTHER, "from-time", "TIME", "only from this Kafka timestamp on (a recording's index "
     "leads there)", 0, 0, 0, take_from_time},
    {OPTION_OTHER, "to-time", "TIME", "and before this one", 0, 0, 0, take_to_time},
    {OPTION_INTEGER, "limit-messages", "N", "at most N messages", AT(limit), 0, OPTION_MANY, NULL},
};

static const struct option_row how_rows[] = {
    {OPTION_HEADING, "How:", NULL, NULL, 0, 0, 0, NULL},
    {OPTION_REAL, "speed", "X", "the recording's intervals, X times faster: by Kafka timestamp,\n"
     "or by event time", AT(speed), 0.001, 1e9, NULL},
    {OPTION_OTHER, "timestamps", "KIND", "Kafka's: now (default), event (the scan's own) or "
     "recorded, which\nwants a topic that keeps messages so old", 0, 0, 0, take_stamps},
    {OPTION_FLAG, "partitions-as-recorded", NULL, "instead of by key", AT(recorded_partitions), 0,
     0, NULL},
};

static int check(const struct replay *r)
{
    bool paced = r->run.schedule.rate > 0 || r->run.schedule.curve != NULL;

    if (paced && r->speed > 0)
        return say("--rate, --curve or --speed: one of them");
    if (r->mapping != NULL && r->stamps == STAMPS_RECORDED)
        return say("--timestamps recorded: CSV has none; event is its only time");
    if (r->reshape.times == EVENT_SCALED && r->speed <= 0)
        return say("--times scaled: wants --speed");
    if (r->mapping != NULL && (r->from_ms != INT64_MIN || r->to_ms != INT64_MAX))
        return say("--from-time, --to-time: are of a recording's Kafka timestamps");
    return 0;
}

int replay_options(struct replay *r, int argc, char **argv)
{
    struct command command = {"replay", usage, closing, 1, 1, {
        {r, OPTION_ROWS(what_rows)}, {r, OPTION_ROWS(how_rows)}, RESHAPE_GROUP(&r->reshape),
        SCHEDULE_GROUP(&r->run.schedule), SPAN_GROUP(&r->run.span), FAULT_GROUP(&r->faults),
        RUN_GROUPS(&r->run)}};
    int operand, result;

    *r = (struct replay) {.from = 1, .to = INT64_MAX, .limit = INT64_MAX, .from_ms = INT64_MIN,
                          .to_ms = INT64_MAX, .faults.seed = 1, .run.arguments = argv};
    result = options_read(&command, argc, argv, &operand);
    if (result != 0)
        return result;
    r->file = argv[operand];
    r->run.by_clock = r->speed > 0;
    return check(r);
}
