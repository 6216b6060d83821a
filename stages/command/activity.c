/* activity - facilities, carriers, lanes and couriers watched, from records of topic activity. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "pipeline/config.h"
#include "pipeline/error.h"
#include "stages/activity/watch.h"
#include "stages/command/command.h"
#include "stages/command/print.h"
#include "stages/outlet/buffer.h"
#include "stages/outlet/envelope.h"
#include "stages/serve/api_json.h"

enum { BEHIND_MINUTES = 2, TEXT_SIZE = 512 };

struct watching {
    struct watch *watch;
    bool          json;
    uint64_t      opened, resolved;
    uint32_t      records, named;      /* since it was last looked who is behind; and who was  */
};

/* ── What is told ─────────────────────────────────────────────────────────── */

static void write_incident(struct buffer *out, const struct incident *i)
{
    char id[17];

    (void)snprintf(id, sizeof id, "%016" PRIx64, i->id);
    json_raw(out, "{");
    json_text(out, "id", id);
    json_text(out, "type", i->rule->type);
    json_text(out, "severity", severity_name((enum severity)i->rule->severity));
    json_text(out, "state", alert_state_name(i->state));
    json_number(out, "sequence", i->sequence);
    json_text(out, "subject", i->subject);
    json_time(out, "opened_at", i->opened_s * INT64_C(1000));
    json_time(out, "at", i->at_s * INT64_C(1000));
    json_number(out, "value", i->value);
    json_number(out, "threshold", i->threshold);
    json_text(out, "unit", i->rule->unit);
    json_text(out, "owner", owner_name((enum alert_owner)i->rule->owner));
    json_text(out, "action", i->rule->action);
    json_text(out, "text", i->text);
    json_raw(out, "}\n");
}

/* Each at once: whoever pipes a running consumer in waits for it. */
static void tell(void *self, const struct incident *i)
{
    struct watching *w = self;
    struct buffer    out = {0};
    char             when[PRINT_SIZE], text[TEXT_SIZE];

    w->opened += i->state == ALERT_OPENED;
    w->resolved += i->state == ALERT_RESOLVED;
    if (w->json) {
        write_incident(&out, i);
        (void)fwrite(out.bytes, 1, out.used, stdout);
        buffer_free(&out);
    } else {
        (void)printf("%s  %-8s  %-8s  %-14s  %s\n", print_time(i->at_s, when),
                     alert_state_name(i->state),
                     severity_name((enum severity)i->rule->severity), i->rule->type,
                     print_text(i->text, text, sizeof text));
    }
    (void)fflush(stdout);
}

/* The partition that keeps the rules waiting is named, once until it is another's turn. */
static void name_behind(struct watching *w)
{
    uint32_t source = 0, minutes = watch_behind(w->watch, &source);

    w->records = 0;
    if (minutes <= BEHIND_MINUTES)
        w->named = 0;
    else if (w->named != source + 1) {
        w->named = source + 1;
        (void)fprintf(stderr, "peakline activity: partition %" PRIu32 " of the scans %s: the rules "
                      "wait for it\n", source,
                      minutes > UINT32_MAX / 2 ? "has told nothing yet" : "is minutes behind");
    }
}

/* ── What is read ─────────────────────────────────────────────────────────── */

static int read_lines(struct watching *w, FILE *from, const char *name)
{
    char    *line = NULL;
    size_t   size = 0;
    ssize_t  length;
    uint64_t number = 0;
    int      bad = 0;

    while (bad == 0 && (length = getline(&line, &size, from)) >= 0) {
        number++;
        if (length > 0 && line[length - 1] == '\n')
            line[--length] = '\0';
        if (length == 0)
            continue;
        bad = watch_take(w->watch, line, (size_t)length);
        if (++w->records >= watch_state(w->watch).streams)
            name_behind(w);
    }
    if (bad == 0 && ferror(from))
        bad = error_set("%s", strerror(errno));
    free(line);
    return bad == 0 ? 0 : error_add("%s:%" PRIu64, name, number);
}

static int read_file(struct watching *w, const char *name)
{
    bool  piped = strcmp(name, "-") == 0;
    FILE *from = piped ? stdin : fopen(name, "r");

    if (from == NULL)
        return error_set("%s: %s", name, strerror(errno));
    int bad = read_lines(w, from, piped ? "standard input" : name);

    if (!piped)
        (void)fclose(from);
    return bad;
}

static void print_end(const struct watching *w)
{
    struct watch_state state = watch_state(w->watch);
    char               when[PRINT_SIZE];

    if (w->json)
        return;
    (void)printf("%s%" PRIu64 " opened, %" PRIu64 " resolved; %" PRIu32 " subjects, judged to %s "
                 "UTC\n", w->opened > 0 ? "\n" : "", w->opened, w->resolved, state.subjects,
                 print_time(state.until_s, when));
}

static int watch_files(const struct config *config, char **files, bool json)
{
    struct rule_values values;
    struct watching    w = {.json = json};
    int                bad = 0;

    if (rule_values_read(&values, config) != 0)
        return command_failed(&command_activity, EX_CONFIG);
    w.watch = watch_create(&values, tell, &w);
    for (; *files != NULL && bad == 0; files++)
        bad = read_file(&w, *files);
    if (bad == 0) {
        name_behind(&w);
        print_end(&w);
    }
    watch_destroy(w.watch);
    return bad == 0 ? 0 : command_failed(&command_activity, 1);
}

static int run(int argc, char **argv)
{
    struct command_line line;
    struct config      *config;
    int                 code = command_options(&command_activity, NULL, argc, argv, &line);

    if (code != COMMAND_GO_ON)
        return code;
    if (line.operands_count == 0)
        return command_misused(&command_activity, "no FILE is named; - is standard input");
    code = command_config(&line, &config);
    if (code != COMMAND_GO_ON)
        return code;
    code = watch_files(config, line.operands, line.json);
    config_destroy(config);
    return code;
}

const struct command command_activity = {
    .name     = "activity",
    .operands = "FILE...",
    .summary  = "watch facilities, carriers, lanes and couriers, from records of topic activity",
    .about    = "Reads values of topic activity, one a line, and tells what the rules say of\n"
                "them: which facility or carrier has gone silent, where parcels pile up, which\n"
                "lane went bad, which courier delivers faster than anybody walks.  Each alert is\n"
                "printed as it opens and as it resolves.  FILE - is standard input:\n\n"
                "  kcat -C -b BROKERS -t activity -o beginning | peakline activity -\n\n"
                "A minute is judged once every partition has told of it; one that is over two\n"
                "minutes behind is named, and the rules wait.  Thresholds are the settings\n"
                "activity.TYPE.NAME.  Times are UTC.",
    .run      = run,
};
