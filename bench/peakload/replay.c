/* replay.c - the command line of `peakload replay`, and what both kinds of file share. */
#include "bench/peakload/replay.h"

#include <stdio.h>
#include <string.h>

#include "bench/peakload/say.h"
#include "bench/peakload/times.h"

static const char help[] =
    "Usage: peakload replay [OPTION]… FILE\n"
    "Sends what FILE holds (- is standard input; zstd is recognised): lines of `kcat -J`, or,\n"
    "with --mapping, CSV.\n"
    "\n"
    "  --mapping FILE     YAML: how CSV columns become fields (bench/peakload/mappings/)\n"
    "  --zone +HH:MM      of times without one; default the mapping's, else UTC\n"
    "  --timestamps KIND  Kafka's timestamp: now (default), event (the scan's own time) or\n"
    "                     recorded (kcat's ts)\n"
    "  --rate N           messages a second; 0 (default) = as fast as possible\n"
    "  --speed X          keeps the recording's intervals, X times faster: by kcat's ts, or by\n"
    "                     event time\n"
    "  --from N, --to N   only these lines, counted from 1\n"
    "  --limit N          at most N messages\n"
    "  --partitions-as-recorded  instead of by key\n"
    "\n"
    OUTPUT_HELP
    "\n"
    "Exit codes: 0 all acknowledged, 1 not all, 64 a wrong option, 65 a bad line (named),\n"
    "66 no such file, 78 a wrong configuration or mapping, or no such topic.\n";

enum { MAPPING = 256, ZONE, TIMESTAMPS, RATE, SPEED, FROM, TO, LIMIT, AS_RECORDED };

static const struct option rows[] = {
    {"mapping", required_argument, NULL, MAPPING},
    {"zone", required_argument, NULL, ZONE},
    {"timestamps", required_argument, NULL, TIMESTAMPS},
    {"rate", required_argument, NULL, RATE},
    {"speed", required_argument, NULL, SPEED},
    {"from", required_argument, NULL, FROM},
    {"to", required_argument, NULL, TO},
    {"limit", required_argument, NULL, LIMIT},
    {"partitions-as-recorded", no_argument, NULL, AS_RECORDED},
    {"help", no_argument, NULL, 'h'},
    OUTPUT_OPTIONS,
    {NULL, 0, NULL, 0},
};

static int read_stamps(const char *text, enum stamps *stamps)
{
    static const char *const names[] = {"now", "event", "recorded"};

    for (int i = 0; i < 3; i++)
        if (strcmp(text, names[i]) == 0) {
            *stamps = (enum stamps)i;
            return 0;
        }
    return say("--timestamps %s: want now, event or recorded", text);
}

static int take(struct replay *r, int code, const char *text)
{
    switch (code) {
    case MAPPING: r->mapping = text; return 0;
    case TIMESTAMPS: return read_stamps(text, &r->stamps);
    case RATE: return option_real("rate", text, 0, 1e8, &r->rate);
    case SPEED: return option_real("speed", text, 0.001, 1e9, &r->speed);
    case FROM: return option_integer("from", text, 1, INT64_MAX, &r->from);
    case TO: return option_integer("to", text, 1, INT64_MAX, &r->to);
    case LIMIT: return option_integer("limit", text, 0, INT64_MAX, &r->limit);
    case AS_RECORDED: r->recorded_partitions = true; return 0;
    case ZONE:
        r->zone_given = true;
        if (zone_read(text, &r->zone_minutes) != 0)
            return say("--zone %s: want +HH:MM, -HH:MM or Z", text);
        return 0;
    default:
        return output_option(&r->output, code, text) > 0 ? 0 : -1;
    }
}

/* 0; 1: help was shown; -1 having said what is wrong. */
static int read_options(struct replay *r, int argc, char **argv)
{
    int code;

    *r = (struct replay) {.from = 1, .to = INT64_MAX, .limit = INT64_MAX};
    while ((code = getopt_long(argc, argv, "X:h", rows, NULL)) != -1) {
        if (code == 'h') {
            fputs(help, stdout);
            return 1;
        }
        if (code == '?' || take(r, code, optarg) != 0)
            return -1;
    }
    if (optind + 1 != argc)
        return say("replay wants one FILE (peakload replay --help)");
    if (r->rate > 0 && r->speed > 0)
        return say("--rate or --speed, not both");
    if (r->mapping != NULL && r->stamps == STAMPS_RECORDED)
        return say("--timestamps recorded: CSV has none; event is its only time");
    r->file = argv[optind];
    return 0;
}

int replay_fault(const struct replaying *r, const char *what)
{
    return say("%s:%llu: %s", r->options->file, (unsigned long long)lines_number(r->lines), what);
}

char *replay_line(struct replaying *r, size_t *length, int *result)
{
    for (;;) {
        char *line = lines_next(r->lines, length, result);
        int64_t number = (int64_t)lines_number(r->lines);

        if (line == NULL || number > r->options->to)
            return NULL;
        if (number >= r->options->from && *length > 0)
            return line;
    }
}

/* True: go on. */
static bool wait_for(struct replaying *r, int64_t ms)
{
    double speed = r->options->speed;

    if (speed <= 0 || ms < 0)
        return pace_next(&r->pace, r->sender);
    if (r->first_ms == INT64_MIN)
        r->first_ms = ms;
    return pace_until(&r->pace, r->sender,
                      ms > r->first_ms ? (uint64_t)((double)(ms - r->first_ms) * 1e6 / speed) : 0);
}

int replay_send(struct replaying *r, struct message *m, int64_t recorded_ms, int64_t event_ms)
{
    const struct replay *o = r->options;

    if (r->sent == (uint64_t)o->limit || !wait_for(r, recorded_ms >= 0 ? recorded_ms : event_ms))
        return 1;
    m->kafka_ms = o->stamps == STAMPS_EVENT ? event_ms
                : o->stamps == STAMPS_RECORDED ? recorded_ms : r->pace.now_ms;
    if (m->kafka_ms < 0)
        return replay_fault(r, o->stamps == STAMPS_EVENT ? "no event time" : "no ts");
    r->sent++;
    return sender_send(r->sender, m);
}

static void print_json(struct replaying *r, const struct sender_totals *t)
{
    FILE *out = r->options->output.sink == SINK_STDOUT ? stderr : stdout;
    fprintf(out, "{\"command\":\"replay\",\"topic\":\"%s\",\"sent\":%llu,\"acked\":%llu,"
           "\"failed\":%llu,\"seconds\":%.3f,\"per_s\":%.0f,\"bytes\":%llu,\"ends\":[",
           r->options->output.topic, (unsigned long long)t->sent, (unsigned long long)t->acked,
           (unsigned long long)t->failed, (double)t->wall_ns / 1e9,
           (double)t->sent * 1e9 / (double)t->wall_ns, (unsigned long long)t->bytes);
    for (int32_t i = 0; i < sender_partitions(r->sender); i++)
        fprintf(out, "%s%lld", i ? "," : "", (long long)sender_end(r->sender, i));
    fputs("]}\n", out);
}

static int run(struct replaying *r)
{
    const struct replay *o = r->options;
    struct sender_totals totals;
    int bad, failed;

    stop_on_signals();
    pace_begin(&r->pace, o->speed > 0 ? 0 : o->rate, 0, o->output.quiet);
    r->first_ms = INT64_MIN;
    bad = (r->mapping != NULL ? replay_csv(r) : replay_kcat(r)) != 0;
    failed = sender_flush(r->sender) != 0;
    pace_end(&r->pace, r->sender);
    totals = sender_totals(r->sender);
    if (!o->output.quiet)
        summary_print("replay", &totals);
    if (o->output.json)
        print_json(r, &totals);
    return bad ? EXIT_DATA : failed ? EXIT_FAILED : EXIT_DONE;
}

int replay_main(int argc, char **argv)
{
    static struct replay options;
    static struct mapping mapping;
    struct replaying r = {.options = &options};
    int result = read_options(&options, argc, argv);

    if (result != 0)
        return result > 0 ? EXIT_DONE : EXIT_USAGE;
    if (output_complete(&options.output) != 0)
        return EXIT_CONFIG;
    if (options.mapping != NULL) {
        r.mapping = &mapping;
        if (mapping_read(&mapping, options.mapping) != 0)
            return EXIT_CONFIG;
        if (options.zone_given)
            mapping.zone_minutes = options.zone_minutes;
    }
    r.lines = lines_open(options.file);
    if (r.lines == NULL)
        return EXIT_NO_INPUT;
    r.sender = sender_open(&options.output);
    result = r.sender == NULL ? EXIT_CONFIG : run(&r);
    if (r.sender != NULL)
        sender_close(r.sender);
    lines_close(r.lines);
    return result;
}
