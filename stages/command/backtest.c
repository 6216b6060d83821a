/* backtest - how good the ETAs would have been: history through the product's own stages,
 * each forecast made before anything later is learned. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "pipeline/config.h"
#include "pipeline/error.h"
#include "pipeline/log.h"
#include "stages/command/command.h"
#include "stages/command/history.h"
#include "stages/command/legs.h"
#include "stages/command/rehearsal.h"
#include "stages/command/score.h"
#include "stages/eta/estimate.h"
#include "stages/eta/model.h"
#include "stages/parcel/table.h"
#include "stages/partition.h"
#include "stages/scan/format.h"

enum { DAY = 86400 };

/* The carrier has it: from here on a parcel's first forecast is what a buyer is told. */
static const uint32_t HANDED_OVER = 1u << SCAN_PICKUP | 1u << SCAN_HANDOVER;

/* The parcel as the scan has left it; false: not kept (a scan of a life that is over). */
static bool parcel_of(const struct partition *p, const struct scan *scan, struct parcel *parcel)
{
    size_t size;
    const uint8_t *bytes = table_find(p->table, scan->hash, scan_text(scan, scan->parcel),
                                      scan->parcel.length, &size);

    return bytes != NULL && record_unpack(bytes, size, parcel) == 0;
}

static uint64_t life_of(const struct scan *scan, const struct parcel *parcel)
{
    return scan->hash ^ (uint64_t)parcel->life << 48;
}

/* The forecast at this scan, if there is one. */
static void forecast(const struct partition *p, const struct parcel *parcel,
                     const struct scan *scan, int64_t score_from_ms)
{
    static const double probabilities[] = {0.5, 0.8, 0.9};
    uint32_t now_s = (uint32_t)(p->clock_ms / 1000);
    struct estimate e = estimate_make(p->model, parcel, now_s);
    struct model_key key = {parcel->service, parcel->code, parcel->dest, parcel->at};
    uint32_t elapsed_s = now_s > parcel->state_s ? now_s - parcel->state_s : 0;

    if (!e.known)
        return;
    struct quantiles q = model_ask(p->model, MODEL_REMAINING, key, elapsed_s, probabilities,
                                   now_s);

    score_add((struct forecast) {
        .parcel    = life_of(scan, parcel),
        .lane      = (uint64_t)parcel->at << 20 | parcel->dest,
        .at_s      = (uint32_t)(scan->time_ms / 1000),
        .promise_s = parcel->promise_s,
        .p50_s     = e.p50_s,
        .p80_s     = parcel->state_s + (uint32_t)q.p[1],
        .p90_s     = e.p90_s,
        .code      = parcel->code,
        .headline  = HANDED_OVER >> scan->code & 1 && parcel->code == scan->code,
        .scored    = scan->time_ms >= score_from_ms,
    });
}

static void follow(const struct scan *scan, int64_t score_from_ms)
{
    const struct partition *p = rehearsal_partition();
    struct parcel before = {.flags = 0}, after;
    bool was = parcel_of(p, scan, &before) && (before.flags & PARCEL_ARRIVED) != 0;

    rehearsal_scan(scan);
    if (!parcel_of(p, scan, &after))
        return;
    bool arrived = (after.flags & PARCEL_ARRIVED) != 0;

    if (arrived && (!was || before.life != after.life))
        score_arrived(life_of(scan, &after), (uint32_t)(scan->time_ms / 1000));
    else if (!arrived && (uint32_t)(scan->time_ms / 1000) == after.state_s)
        forecast(p, &after, scan, score_from_ms);
}

static int read_files(char **files, int64_t score_from_ms,
                      void (*each)(const struct scan *, int64_t score_from_ms))
{
    int bad = 0;

    for (; *files != NULL && bad == 0; files++) {
        struct history history;
        struct scan scan;
        int more = history_open(&history, *files);

        bad = more;
        while (bad == 0 && (more = history_next(&history, &scan)) == 1)
            each(&scan, score_from_ms);
        bad = more < 0 ? -1 : 0;
        history_close(&history);
    }
    return bad;
}

/* ── What it comes to ─────────────────────────────────────────────────────── */

static const struct unit { const char *name; int seconds; } unit_days = {"days", DAY},
                                                          unit_minutes = {"minutes", 60};
static const struct unit *unit = &unit_days;

static double units(double seconds)
{
    return seconds / unit->seconds;
}

static void print_score(const char *name, const struct score *s)
{
    if (s->count == 0)
        return;
    (void)printf("%-18s %9" PRIu64 " %7.2f %7.2f %6.1f %% %6.1f %% %8.3f", name, s->count,
                 units(s->mae_s), units(s->median_s), 100 * s->p80_coverage,
                 100 * s->p90_coverage, units(s->pinball_s));
    const struct { uint64_t count; double mae_s; } others[] = {
        {s->promises, s->promise_mae_s}, {s->globals, s->global_mae_s}, {s->lanes, s->lane_mae_s}};

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (others[i].count > 0)
            (void)printf(" %8.2f", units(others[i].mae_s));
        else
            (void)printf(" %8s", "-");
    }
    (void)printf("\n");
}

static void print_all(const struct score *headline)
{
    struct score all = score_of(HORIZONS, SCAN_NONE, false);

    (void)printf("Errors in %s; MAE of promise, global and lane median beside P50's\n\n"
                 "%-18s %9s %7s %7s %8s %8s %8s %8s %8s %8s\n", unit->name, "",
                 "forecasts", "MAE", "median",
                 "P80", "P90", "pinball", "promise", "global", "lane");
    print_score("at hand-over", headline);
    print_score("all", &all);
    (void)printf("by time left\n");
    for (int h = 0; h < HORIZONS; h++) {
        struct score s = score_of((enum horizon)h, SCAN_NONE, false);

        print_score(horizon_name((enum horizon)h), &s);
    }
    (void)printf("by stage\n");
    for (int code = 1; code < SCAN_CODES; code++) {
        struct score s = score_of(HORIZONS, (enum scan_code)code, false);

        print_score(code_table[code].name, &s);
    }
}

static void print_json(const struct score *s)
{
    const struct { const char *name; double seconds; } errors[] = {
        {"mae", s->mae_s}, {"median", s->median_s}, {"pinball", s->pinball_s},
        {"promise_mae", s->promise_mae_s}, {"global_mae", s->global_mae_s},
        {"lane_mae", s->lane_mae_s}};

    (void)printf("{\"bench\":\"backtest\",\"forecasts\":%" PRIu64 ",\"p90_coverage\":%.4f,"
                 "\"p80_coverage\":%.4f", s->count, s->p90_coverage, s->p80_coverage);
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        (void)printf(",\"%s_%s\":%.4f", errors[i].name, unit->name, units(errors[i].seconds));
    (void)printf("}\n");
}

static int report(bool json)
{
    struct score headline = score_of(HORIZONS, SCAN_NONE, true);
    struct score all = score_of(HORIZONS, SCAN_NONE, false);

    if (all.count == 0) {
        (void)fprintf(stderr, "peakline backtest: no forecast can be scored: a parcel must arrive"
                              " after others have\n");
        return 1;
    }
    if (json)
        print_json(headline.count > 0 ? &headline : &all);
    else
        print_all(&headline);
    return 0;
}

/* A date is its first second. */
static int moment_read(const char *text, int64_t *ms)
{
    char zoned[32];

    *ms = 0;
    if (text == NULL)
        return 0;
    (void)snprintf(zoned, sizeof zoned, strlen(text) == 10 ? "%.20sT00:00:00Z" : "%.31s", text);
    return time_parse(zoned, strlen(zoned), ms);
}

static int rehearse(const struct config *config, char **files, int64_t score_from_ms, bool json)
{
    int code;

    if (rehearsal_open(config) != 0)
        return command_failed(&command_backtest, EX_CONFIG);
    score_begin();
    code = read_files(files, score_from_ms, follow) == 0 ? report(json)
                                                         : command_failed(&command_backtest, 1);
    score_end();
    rehearsal_close();
    return code;
}

static int rehearse_legs(const struct config *config, char **files, int64_t score_from_ms,
                         bool json)
{
    unit = &unit_minutes;
    legs_begin(config);
    score_begin();
    int code = read_files(files, score_from_ms, legs_scan) == 0
                   ? report(json) : command_failed(&command_backtest, 1);

    score_end();
    legs_end();
    return code;
}

static int run(int argc, char **argv)
{
    const char *score_from = NULL;
    bool per_leg = false;
    const struct command_option own[] = {
        {"per-leg", NULL, "of each leg with a plan: actual against planned, in minutes", NULL,
         &per_leg},
        {"score-from", "TIME", "learn from everything, score only forecasts from then on",
         &score_from, NULL}, {0}};
    struct command_line line;
    struct config *config;
    int64_t from_ms;
    int code = command_options(&command_backtest, own, argc, argv, &line);

    if (code != COMMAND_GO_ON)
        return code;
    if (line.operands_count == 0)
        return command_misused(&command_backtest, "no FILE is named");
    if (moment_read(score_from, &from_ms) != 0)
        return command_misused(&command_backtest, "--score-from %s: accepted are a date and an "
                               "RFC 3339 time with a zone", score_from);
    if (line.sets_count == COMMAND_SETS_MAX)
        return command_misused(&command_backtest, "more than %d --set", COMMAND_SETS_MAX - 1);
    line.sets[line.sets_count++] = "clock.mode=event";
    code = command_config(&line, &config);
    if (code != COMMAND_GO_ON)
        return code;
    log_open(LOG_LEVEL_WARNING, LOG_FORM_AUTO);
    code = (per_leg ? rehearse_legs : rehearse)(config, line.operands, from_ms, line.json);
    config_destroy(config);
    return code;
}

const struct command command_backtest = {
    .name     = "backtest",
    .operands = "FILE...",
    .summary  = "how good the ETAs would have been, from files of past scans",
    .about    = "Sends the scans of the files, in order, through the product's own stages by\n"
                "the event clock, without Kafka and Redis; at each scan the ETA is asked before\n"
                "anything later is learned.  A FILE is lines of scan JSON, a recording of\n"
                "`kcat -J`, or CSV with the columns parcel_id, event_code, event_time and, if\n"
                "there are, facility, city, carrier, promised_time, extra.\n"
                "--per-leg: a leg is a DEPART with next and promise, until the ARRIVE there.\n"
                "--json: one object, of the forecasts at the hand-over to the carrier if the\n"
                "files have any, else of all.",
    .run      = run,
};
