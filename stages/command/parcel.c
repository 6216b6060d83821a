/* parcel - where a parcel is, how it came there, when it will arrive, what is wrong with it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "pipeline/config.h"
#include "stages/command/command.h"
#include "stages/command/print.h"
#include "stages/detect/detect.h"
#include "stages/outlet/envelope.h"
#include "stages/serve/api.h"
#include "stages/serve/explain.h"
#include "stages/serve/view.h"

enum { TEXT_SIZE = 128, SENTENCE_SIZE = 512 };

static const char *place(const struct view_parcel *found, name_id id, char to[TEXT_SIZE])
{
    const char *text = names_text(found->names, NAME_PLACE, id);

    return *text != '\0' ? print_text(text, to, TEXT_SIZE) : "-";
}

/* A life's own texts are not NUL-terminated. */
static const char *number(const char *text, size_t length, char to[TEXT_SIZE])
{
    char whole[TEXT_SIZE];

    (void)snprintf(whole, sizeof whole, "%.*s", (int)length, text);
    return print_text(whole, to, TEXT_SIZE);
}

static void print_head(const struct view_parcel *found)
{
    const struct parcel *parcel = &found->parcel;
    char                 a[TEXT_SIZE], b[TEXT_SIZE], when[PRINT_SIZE];

    (void)printf("%s  %s since %s UTC\n", number(parcel->number, parcel->number_length, a),
                 parcel->state < STATES ? state_name(parcel->state) : "in a state unknown here",
                 print_time(parcel->state_s, when));
    (void)printf("  service     %s, life %u%s%s%s\n",
                 print_text(names_text(found->names, NAME_SERVICE, parcel->service), a, sizeof a),
                 parcel->life, parcel->flags & PARCEL_RETURNING ? ", returning" : "",
                 parcel->flags & PARCEL_PARTIAL ? ", earlier history unknown" : "",
                 parcel->flags & PARCEL_TOMBSTONE ? ", history no longer kept" : "");
    (void)printf("  carrier     %s", place(found, parcel->carrier, a));
    if (parcel->carrier_number_length > 0)
        (void)printf(", number %s",
                     number(parcel->carrier_number, parcel->carrier_number_length, a));
    (void)printf("\n  way         %s to %s\n", place(found, parcel->origin, a),
                 place(found, parcel->dest, b));
    (void)printf("  now at      %s, next %s\n", place(found, parcel->at, a),
                 place(found, parcel->next, b));
    if (parcel->attempts > 0)
        (void)printf("  attempts    %u failed\n", parcel->attempts);
}

static void print_eta(const struct parcel *parcel)
{
    char when[PRINT_SIZE], late[PRINT_SIZE];

    if (parcel->eta_last_s != 0)
        (void)printf("  expected    %s UTC (P50, estimate %u)\n",
                     print_time(parcel->eta_last_s, when), parcel->eta_sequence);
    if (parcel->promise_s == 0)
        return;
    (void)printf("  promised    %s UTC", print_time(parcel->promise_s, when));
    if (parcel->eta_last_s > parcel->promise_s && !(parcel->flags & PARCEL_ARRIVED))
        (void)printf(", expected %s later",
                     print_duration(parcel->eta_last_s - parcel->promise_s, late));
    (void)printf("\n");
}

/* Which level answers, out of how much, and what it says of the time still left. */
static void print_explanation(const struct view_parcel *found, const struct explanation *e)
{
    const struct parcel *p = &found->parcel;
    int64_t              now_s = found->mark.clock_ms / 1000;
    char                 left[PRINT_SIZE], when[PRINT_SIZE];

    if (!e->estimate.known)
        return;
    (void)printf("  now         %s UTC (P50)", print_time(e->estimate.p50_s, when));
    (void)printf(", %s UTC (P90)\n", print_time(e->estimate.p90_s, when));
    (void)printf("  learned     level %s, %.0f samples there, %.0f behind the answer\n",
                 basis_name((enum estimate_basis)e->estimate.basis), e->left.samples,
                 e->left.support);
    (void)printf("  time left  ");
    for (int i = 0; i < 3; i++) {
        int64_t s = (int64_t)p->state_s + (int64_t)e->left.p[i] - now_s;

        (void)printf(" %s %s%s", (const char *[]) {"P10", "P50", "P90"}[i],
                     print_duration(s > 0 ? s : 0, left), i < 2 ? "," : "\n");
    }
}

static void print_timeline(const struct view_parcel *found)
{
    const struct parcel *parcel = &found->parcel;
    char                 when[PRINT_SIZE], where[TEXT_SIZE];

    if (parcel->history_count > 0)
        (void)printf("\nTimeline (UTC)\n");
    for (uint8_t i = 0; i < parcel->history_count; i++) {
        uint64_t       entry = parcel->history[i];
        enum scan_code code = entry_code(entry);

        (void)printf("  %s  %-17s %-26s %s%s%s\n", print_time(entry_s(parcel, entry), when),
                     code_table[code].code, code_table[code].name,
                     place(found, entry_place(entry), where),
                     entry_retracts(entry) ? " (taken back)" : "",
                     entry_flags(entry) & ENTRY_MERGED ? " (the same once more)" : "");
    }
}

static void print_alert(const struct view_parcel *found, const struct alert *alert)
{
    char                   sentence[SENTENCE_SIZE], plain[SENTENCE_SIZE], when[PRINT_SIZE];
    const struct detector *detector = alert->type < DETECTORS_MAX ? detector_table[alert->type]
                                                                  : NULL;

    if (detector == NULL) {
        (void)printf("  an alert of a newer version\n");
        return;
    }
    (void)alert_sentence(alert, &found->parcel, found->names, sentence, sizeof sentence);
    (void)printf("  %-8s %-18s since %s\n           %s\n",
                 alert->severity >= SEVERITY_INFO && alert->severity <= SEVERITY_CRITICAL
                     ? severity_name(alert->severity) : "",
                 detector->type, print_time(alert->opened_s, when),
                 print_text(sentence, plain, sizeof plain));
}

static void print_alerts(const struct view_parcel *found)
{
    const struct parcel *parcel = &found->parcel;
    int                  open = 0;

    for (uint8_t i = 0; i < parcel->alerts_count; i++) {
        if (parcel->alerts[i].state == ALERT_RESOLVED)
            continue;
        if (open++ == 0)
            (void)printf("\nOpen alerts\n");
        print_alert(found, &parcel->alerts[i]);
    }
    if (open == 0)
        (void)printf("\nNo open alerts\n");
}

static void print_parcel(const struct view_parcel *found, const struct explanation *e)
{
    char when[PRINT_SIZE];

    print_head(found);
    print_eta(&found->parcel);
    print_explanation(found, e);
    print_timeline(found);
    print_alerts(found);
    (void)printf("\nAs of %s UTC (partition %" PRId32 ", offset %" PRId64 ")\n",
                 print_time(found->mark.clock_ms / 1000, when), found->partition,
                 found->mark.offset);
}

static int show(struct view *view, const struct config *config, const char *wanted, bool json)
{
    struct view_parcel found;
    struct explanation e = {.estimate = {.known = false}};
    struct buffer      out = {0};

    switch (view_parcel(view, wanted, &found)) {
    case VIEW_FAILED:
        return command_failed(&command_parcel, EX_UNAVAILABLE);
    case VIEW_ABSENT:
        (void)fprintf(stderr, "peakline parcel: no parcel has the number %s, nor a carrier's\n",
                      wanted);
        return 1;
    case VIEW_FOUND:
        break;
    }
    if (json) {
        api_write_parcel(&out, &found);
        (void)fwrite(out.bytes, 1, out.used, stdout);
        (void)printf("\n");
        buffer_free(&out);
    } else if (explain_parcel(view, config, &found, &e) == VIEW_FOUND) {
        print_parcel(&found, &e);
    } else {
        view_parcel_free(&found);
        return command_failed(&command_parcel, EX_UNAVAILABLE);
    }
    view_parcel_free(&found);
    return 0;
}

static int run(int argc, char **argv)
{
    struct command_line line;
    struct config      *config;
    int                 code = command_options(&command_parcel, NULL, argc, argv, &line);

    if (code != COMMAND_GO_ON)
        return code;
    if (line.operands_count != 1)
        return command_misused(&command_parcel, "one parcel number is wanted");
    code = command_config(&line, &config);
    if (code != COMMAND_GO_ON)
        return code;
    struct view *view = view_open(config);
    code = view != NULL ? show(view, config, line.operands[0], line.json)
                        : command_failed(&command_parcel, EX_UNAVAILABLE);
    if (view != NULL)
        view_close(view);
    config_destroy(config);
    return code;
}

const struct command command_parcel = {
    .name     = "parcel",
    .operands = "NUMBER",
    .summary  = "show a parcel: state, timeline, ETA, open alerts",
    .about    = "Shows what the whole cluster knows of a parcel, by its number or its carrier's:\n"
                "state, place, expected and promised arrival, which level of the model says so\n"
                "and out of how many samples, the last 32 scans, open alerts.\n"
                "Read from Redis, as of the partition's last checkpoint.  Times are UTC.\n\n"
                "Ends with 1 when no parcel has the number.",
    .run      = run,
};
