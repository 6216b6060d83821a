/* replay.c - what both kinds of file share: from a message read to messages sent. */
#include "bench/peakload/replay.h"

#include <stdio.h>
#include <string.h>

#include "bench/peakload/partition.h"
#include "bench/peakload/say.h"
#include "bench/peakload/times.h"

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

/* The topic must keep what bears old timestamps: asked once, and again for an older one. */
static int check_age(struct replaying *r, int64_t kafka_ms)
{
    if (r->oldest_ms != INT64_MIN && kafka_ms >= r->oldest_ms)
        return 0;
    if (sender_check_age(r->run.sender, kafka_ms) != 0)
        return -1;
    r->oldest_ms = kafka_ms;
    return 0;
}

/* Every message that goes to the sender passes here. */
static int emit(void *self, struct message *m)
{
    struct replaying *r = self;
    struct pace *pace = &r->run.pace;

    if (r->sent >= (uint64_t)r->options->limit)
        return 1;
    if (r->options->speed > 0 && r->due_ns > pace->due_ns &&
        !pace_until(pace, r->run.sender, r->due_ns))
        return 1;
    if (!pace_next(pace, r->run.sender))
        return 1;
    if (m->kafka_ms >= 0 && check_age(r, m->kafka_ms) != 0)
        return -1;
    m->intended_us = r->run.watch != NULL ? pace_intended_us(pace) : 0;
    r->sent++;
    return sender_send(r->run.sender, m);
}

/* When the recording says so: by what it is stamped with, or its event time. */
static void set_due(struct replaying *r, int64_t ms)
{
    if (r->options->speed <= 0 || ms < 0)
        return;
    if (r->first_ms == INT64_MIN)
        r->first_ms = ms;
    if (ms > r->first_ms)
        r->due_ns = (uint64_t)((double)(ms - r->first_ms) * 1e6 / r->options->speed);
}

/* Whether the message belongs to this worker: whole parcels do. */
static bool is_ours(const struct replaying *r, const struct message *m)
{
    const struct span *span = &r->options->run.span;
    uint64_t thing = lines_number(r->lines);

    if (span->workers < 2)
        return true;
    if (m->key != NULL)
        thing = (uint64_t)partition_of(m->key, m->key_length, INT32_MAX);
    return (int64_t)(thing % (uint64_t)span->workers) == span->worker;
}

static int send_copies(struct replaying *r, struct message *m, int64_t event_ms)
{
    int64_t copies = r->options->reshape.multiply > 0 ? r->options->reshape.multiply : 1;
    int64_t skew_ms = faults_skew_ms(r->faults, m);
    int result = 0;

    for (int64_t i = 0; i < copies && result == 0; i++) {
        struct message copy;

        reshape_make(r->reshape, &copy, m, i, event_ms, skew_ms);
        result = faults_put(r->faults, &copy);
    }
    return result;
}

int replay_send(struct replaying *r, struct message *m, int64_t recorded_ms, int64_t event_ms)
{
    const struct replay *o = r->options;

    if (!is_ours(r, m))
        return 0;
    if (stop_wanted)
        return 1;
    set_due(r, recorded_ms >= 0 ? recorded_ms : event_ms);
    m->kafka_ms = o->stamps == STAMPS_EVENT ? reshape_time(r->reshape, event_ms)
                : o->stamps == STAMPS_RECORDED ? recorded_ms : -1;
    if (m->kafka_ms < 0 && o->stamps != STAMPS_NOW)
        return replay_fault(r, o->stamps == STAMPS_EVENT ? "no event time" : "no ts");
    return send_copies(r, m, event_ms);
}

static void print_more(void *self, FILE *out)
{
    const struct replaying *r = self;

    fprintf(out, ",\"lines\":%llu", (unsigned long long)lines_number(r->lines));
    faults_print_json(r->faults, out);
}

static int send_all(struct replaying *r)
{
    struct replay *o = r->options;
    int bad, result;

    run_begin(&r->run);
    r->first_ms = r->oldest_ms = INT64_MIN;
    r->faults = faults_open(&o->faults, emit, r);
    r->reshape = reshape_open(&o->reshape, o->speed, r->run.pace.now_ms);
    bad = (r->mapping != NULL ? replay_csv(r) : replay_kcat(r)) != 0;
    bad = bad || faults_end(r->faults) < 0;
    result = run_end(&r->run, "replay", false, print_more, r);
    faults_close(r->faults);
    reshape_close(r->reshape);
    return bad ? EXIT_DATA : result;
}

static int open_mapping(struct replaying *r, struct mapping *mapping)
{
    if (r->options->mapping == NULL)
        return 0;
    r->mapping = mapping;
    if (mapping_read(mapping, r->options->mapping) != 0)
        return -1;
    if (r->options->zone_given)
        mapping->zone_minutes = r->options->zone_minutes;
    return 0;
}

int replay_main(int argc, char **argv)
{
    static struct replay options;
    static struct mapping mapping;
    struct replaying r = {.options = &options};
    int result = replay_options(&options, argc, argv);

    if (result != 0)
        return result > 0 ? EXIT_DONE : EXIT_USAGE;
    if (open_mapping(&r, &mapping) != 0)
        return EXIT_CONFIG;
    r.lines = lines_open(options.file);
    if (r.lines == NULL)
        return EXIT_NO_INPUT;
    if (options.from_ms != INT64_MIN)
        lines_skip_to(r.lines, options.from_ms);
    result = run_open(&r.run, &options.run);
    if (result == EXIT_DONE)
        result = send_all(&r);
    lines_close(r.lines);
    return result;
}
