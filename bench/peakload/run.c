/* run.c - the frame around generate and replay. */
#include "bench/peakload/run.h"

#include "bench/peakload/manifest.h"
#include "bench/peakload/say.h"

const struct option_row run_rows[RUN_ROWS] = {
    {OPTION_TEXT, "manifest", "FILE", "JSON: versions, options, settings (secrets masked), machine",
     offsetof(struct run_options, manifest), 0, 0, NULL},
};

static int check(struct run_options *o)
{
    bool paced = schedule_is_open(&o->schedule) || o->by_clock;

    if (o->watch.measure && (!paced || o->output.sink != SINK_KAFKA))
        return say("--measure: latency counts from due times: want Kafka, and --rate or --curve");
    if (!o->watch.measure && (o->watch.hlog || o->watch.percentiles))
        return say("--hlog, --percentiles: only with --measure");
    for (int i = 0; i < o->watch.limits.count; i++)
        if (!o->watch.measure && o->watch.limits.limit[i].kind != LIMIT_SLIP)
            return say("--limit %s: only with --measure", o->watch.limits.limit[i].text);
    if (o->watch.measure && !limits_has(&o->watch.limits, LIMIT_SLIP))
        return limits_take(&o->watch.limits, "slip=1%");
    return 0;
}

static int connect_all(struct run *r, struct run_options *o)
{
    if (o->watch.measure) {
        r->watch = watch_open(&o->watch, &o->output);
        if (r->watch == NULL)
            return -1;
    }
    r->sender = sender_open(&o->output, r->watch, o->watch.every > 0 ? o->watch.every : 1);
    if (r->sender == NULL && r->watch != NULL)
        watch_close(r->watch);
    return r->sender == NULL ? -1 : 0;
}

int run_open(struct run *r, struct run_options *o)
{
    *r = (struct run) {.options = o};
    if (output_complete(&o->output) != 0 || schedule_open(&o->schedule) != 0)
        return EXIT_CONFIG;
    if (check(o) != 0)
        return EXIT_USAGE;
    if (o->manifest != NULL && manifest_write(o->manifest, o->arguments, &o->output) != 0)
        return EXIT_FAILED;
    return connect_all(r, o) != 0 ? EXIT_CONFIG : EXIT_DONE;
}

void run_begin(struct run *r)
{
    stop_on_signals();
    pace_begin(&r->pace, &r->options->schedule, &r->options->span, r->options->output.quiet);
    r->pace.by_clock = r->options->by_clock;
    if (r->watch != NULL)
        watch_begin(r->watch, r->pace.begun_us);
}

static void print_json(struct run *r, const char *command, const struct sender_totals *t,
                       double slip, void (*more)(void *self, FILE *), void *self)
{
    FILE *out = r->options->output.sink == SINK_STDOUT ? stderr : stdout;
    double each = t->sent > 0 ? (double)t->sent : 1;

    fprintf(out, "{\"command\":\"%s\",\"topic\":\"%s\",\"sent\":%llu,\"acked\":%llu,"
            "\"failed\":%llu,\"seconds\":%.3f,\"per_s\":%.0f,\"bytes\":%llu,\"cpu_ns\":%.0f",
            command, r->options->output.topic, (unsigned long long)t->sent,
            (unsigned long long)t->acked, (unsigned long long)t->failed,
            (double)t->wall_ns / 1e9, (double)t->sent * 1e9 / (double)t->wall_ns,
            (unsigned long long)t->bytes, (double)t->cpu_ns / each);
    if (r->watch != NULL)
        watch_print_json(r->watch, out, slip);
    else
        fprintf(out, ",\"slip\":%.6f", slip);
    more(self, out);
    fputs(",\"ends\":[", out);
    for (int32_t i = 0; i < sender_partitions(r->sender); i++)
        fprintf(out, "%s%lld", i ? "," : "", (long long)sender_end(r->sender, i));
    fputs("]}\n", out);
}

/* True: a limit is exceeded. */
static bool judge(struct run *r, double slip)
{
    struct measured m = {.slip = slip};

    if (r->watch != NULL)
        m = watch_measured(r->watch, slip);
    return limits_check(&r->options->watch.limits, &m) > 0;
}

int run_end(struct run *r, const char *command, bool failed,
            void (*more)(void *self, FILE *), void *self)
{
    const struct output *o = &r->options->output;
    double slip = pace_slip(&r->pace);
    struct sender_totals totals;

    failed |= sender_flush(r->sender) != 0;
    pace_end(&r->pace, r->sender);
    totals = sender_totals(r->sender);
    if (r->watch != NULL)
        failed |= watch_settle(r->watch) != 0;
    if (!o->quiet)
        summary_print(command, &totals);
    if (!o->quiet && r->watch != NULL)
        watch_print(r->watch, slip);
    if (o->json)
        print_json(r, command, &totals, slip, more, self);
    failed |= judge(r, slip);
    if (r->watch != NULL)
        watch_close(r->watch);
    sender_close(r->sender);
    schedule_close(&r->options->schedule);
    return failed ? EXIT_FAILED : EXIT_DONE;
}
