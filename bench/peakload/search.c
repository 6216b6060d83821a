/* search.c - measured runs of `generate`, rate after rate: doubled until one fails, then halved
 * in between.  What a failed run left behind is waited for before the next begins. */
#include "bench/peakload/search.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

#include "bench/peakload/generate.h"
#include "bench/peakload/say.h"

enum { TRIALS_MAX = 64, DEFAULT_SECONDS = 20 };

static const char usage[] =
    "Usage: peakload search --config FILE --limit NAME=VALUE… [OPTION]…\n"
    "Finds the highest rate that keeps the limits: runs of `generate --measure`, from --from up,\n"
    "doubled until one fails, then in between until --within is reached.\n"
    "\n";

static const char closing[] =
    "Exit codes: 0 a rate was found, 1 not even --from keeps the limits, 64 a wrong option, 78 a\n"
    "wrong configuration or no such topic.\n";

struct trial {
    double rate;
    bool   passed;
};

struct search {
    struct generate generate;
    double  from, to, within;
    int64_t rest_ms;               /* between runs */
    struct trial trial[TRIALS_MAX];
    int     trials;
};

#define AT(field) offsetof(struct search, field)

static const struct option_row rows[] = {
    {OPTION_REAL, "from", "N", "the first rate, messages a second (default 1000)", AT(from), 1, 1e8,
     NULL},
    {OPTION_REAL, "to", "N", "and the highest to try (default 10000000)", AT(to), 1, 1e8, NULL},
    {OPTION_REAL, "within", "SHARE", "how close: 0.05 (default) = the next rate tried was at most\n"
     "5 % higher", AT(within), 0.001, 1, NULL},
    {OPTION_DURATION, "rest", "TIME", "between two runs (default 2s)", AT(rest_ms), 0, 0, NULL},
    {OPTION_INTEGER, "seed", "N", "of the first run; the next takes the next (default 1)",
     AT(generate.nature.seed), 0, OPTION_MANY, NULL},
};

/* An exit code of generate_run(). */
static int try_rate(struct search *s, double rate)
{
    struct generate g = s->generate;
    struct timespec rest = {s->rest_ms / 1000, s->rest_ms % 1000 * 1000000};
    int result;

    if (s->trials > 0)
        nanosleep(&rest, NULL);
    g.run.schedule.rate = rate;
    g.nature.seed += (uint64_t)s->trials;
    result = generate_run(&g);
    s->trial[s->trials++] = (struct trial) {rate, result == EXIT_DONE};
    if (!s->generate.run.output.quiet)
        fprintf(stderr, "search: %.0f/s %s\n", rate, result == EXIT_DONE ? "keeps the limits"
                                                                          : "does not");
    return result;
}

static bool goes_on(const struct search *s, int result)
{
    return s->trials < TRIALS_MAX && !stop_wanted &&
           (result == EXIT_DONE || result == EXIT_FAILED);
}

/* *best 0 = none.  Returns the last run's exit code. */
static int search(struct search *s, double *best)
{
    double good = 0, bad = s->to * (1 + s->within), rate = s->from;
    int result;

    do {
        result = try_rate(s, rate);
        if (result == EXIT_DONE)
            good = rate;
        else
            bad = rate;
        rate = bad > s->to ? fmin(good * 2, s->to) : sqrt(good * bad);
    } while (goes_on(s, result) && good > 0 && good < s->to && bad > good * (1 + s->within));
    *best = good;
    return result;
}

static void print_json(const struct search *s, double best)
{
    printf("{\"command\":\"search\",\"rate\":%.0f,\"trials\":[", best);
    for (int i = 0; i < s->trials; i++)
        printf("%s{\"rate\":%.0f,\"passed\":%s}", i > 0 ? "," : "", s->trial[i].rate,
               s->trial[i].passed ? "true" : "false");
    puts("]}");
}

static int run(struct search *s, bool json)
{
    double best;
    int result = search(s, &best);

    if (result != EXIT_DONE && result != EXIT_FAILED)
        return result;
    if (!s->generate.run.output.quiet)
        fprintf(stderr, "search: %.0f/s\n", best);
    if (json)
        print_json(s, best);
    return best > 0 ? EXIT_DONE : EXIT_FAILED;
}

int search_main(int argc, char **argv)
{
    static struct search s;
    struct run_options *r = &s.generate.run;
    struct command command = {"search", usage, closing, 0, 0, {
        {&s, OPTION_ROWS(rows)}, SPAN_GROUP(&r->span), WATCH_GROUP(&r->watch),
        OUTPUT_GROUP(&r->output)}};
    int  operand, result;
    bool json;

    s = (struct search) {.from = 1000, .to = 1e7, .within = 0.05, .rest_ms = 2000};
    generate_defaults(&s.generate);
    r->span.seconds = DEFAULT_SECONDS;
    r->watch.measure = true;
    result = options_read(&command, argc, argv, &operand);
    if (result != 0)
        return result > 0 ? EXIT_DONE : EXIT_USAGE;
    if (r->watch.limits.count == 0) {
        say("search: wants a --limit, as p99=1s or lag=100000");
        return EXIT_USAGE;
    }
    json = r->output.json;
    r->output.json = false;      /* of each run */
    return run(&s, json);
}
