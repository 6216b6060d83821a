/* alerts - what is wrong at the moment, the latest first; or somebody's work, by deadline. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "pipeline/config.h"
#include "stages/command/command.h"
#include "stages/command/print.h"
#include "stages/detect/detect.h"
#include "stages/outlet/envelope.h"
#include "stages/serve/api.h"
#include "stages/serve/view.h"

enum { TEXT_SIZE = 512, LIMIT = 50 };

static const char *member(const char *json, const char *name, char to[TEXT_SIZE])
{
    char raw[TEXT_SIZE];

    return view_member(json, name, raw, sizeof raw) ? print_text(raw, to, TEXT_SIZE) : "";
}

static void print_alert(const struct view_alert *alert, bool work)
{
    char severity[TEXT_SIZE], type[TEXT_SIZE], opened[TEXT_SIZE], parcel[TEXT_SIZE],
        facility[TEXT_SIZE], text[TEXT_SIZE], action[TEXT_SIZE], deadline[TEXT_SIZE];

    if (work) {
        (void)printf("%-20s  %-18s %-8s  %-18s  %-24s %s\n          %s\n",
                     member(alert->json, "deadline", deadline)[0] != '\0' ? deadline : "at once",
                     member(alert->json, "action", action),
                     member(alert->json, "severity", severity), member(alert->json, "type", type),
                     member(alert->json, "parcel", parcel),
                     member(alert->json, "facility", facility), member(alert->json, "text", text));
        return;
    }
    (void)printf("%-8s  %-18s  %s  %-24s %s\n          %s\n",
                 member(alert->json, "severity", severity), member(alert->json, "type", type),
                 member(alert->json, "opened_at", opened), member(alert->json, "parcel", parcel),
                 member(alert->json, "facility", facility), member(alert->json, "text", text));
}

static void print_alerts(const struct view_alerts *alerts, bool work)
{
    char when[PRINT_SIZE];

    for (size_t i = 0; i < alerts->count; i++)
        print_alert(&alerts->list[i], work);
    (void)printf("%s%zu open", alerts->count > 0 ? "\n" : "", alerts->matching);
    if (alerts->count < alerts->matching)
        (void)printf(work ? ", the first %zu shown" : ", the latest %zu shown", alerts->count);
    if (alerts->clock_ms > 0)
        (void)printf("; complete to %s UTC", print_time(alerts->clock_ms / 1000, when));
    (void)printf("\n");
}

static int show(struct view *view, const struct view_filter *filter, bool json)
{
    struct view_alerts alerts;
    struct buffer      out = {0};

    if (view_alerts(view, filter, &alerts) != VIEW_FOUND)
        return command_failed(&command_alerts, EX_UNAVAILABLE);
    if (json) {
        api_write_alerts(&out, &alerts);
        (void)fwrite(out.bytes, 1, out.used, stdout);
        (void)printf("\n");
        buffer_free(&out);
    } else {
        print_alerts(&alerts, filter->work != NULL);
    }
    view_alerts_free(&alerts);
    return 0;
}

static bool severity_known(const char *name)
{
    for (int i = SEVERITY_INFO; i <= SEVERITY_CRITICAL; i++)
        if (strcmp(severity_name((enum severity)i), name) == 0)
            return true;
    return false;
}

/* COMMAND_GO_ON, or what is wrong with the filter has been said. */
static int filter_judge(struct view_filter *filter, const char *limit)
{
    char *end = NULL;

    if (filter->type != NULL && detector_find(filter->type) == NULL)
        return command_misused(&command_alerts, "there is no type \"%s\" (peakline detectors)",
                               filter->type);
    if (filter->severity != NULL && !severity_known(filter->severity))
        return command_misused(&command_alerts, "--severity is info, warning or critical");
    filter->limit = LIMIT;
    if (limit != NULL) {
        errno = 0;
        long number = strtol(limit, &end, 10);

        if (errno != 0 || *end != '\0' || end == limit || number < 1 || number > VIEW_ALERTS_MAX)
            return command_misused(&command_alerts, "--limit is a number from 1 to %d",
                                   VIEW_ALERTS_MAX);
        filter->limit = (size_t)number;
    }
    return COMMAND_GO_ON;
}

static int run(int argc, char **argv)
{
    struct view_filter          filter = {0};
    const char                 *limit = NULL;
    const struct command_option own[] = {
        {"type", "TYPE", "only this anomaly, as `peakline detectors` names it", &filter.type, NULL},
        {"severity", "LEVEL", "only info, warning or critical", &filter.severity, NULL},
        {"parcel", "NUMBER", "only of this parcel", &filter.parcel, NULL},
        {"facility", "CODE", "only at this facility", &filter.facility, NULL},
        {"owner", "OWNER", "only the work of facility, courier, customs, shipper or carrier",
         &filter.owner, NULL},
        {"work", "SUBJECT", "only what this facility or courier has to do, oldest deadline first",
         &filter.work, NULL},
        {"limit", "N", "at most so many (50)", &limit, NULL},
        {0}};
    struct command_line line;
    struct config      *config;
    int                 code = command_options(&command_alerts, own, argc, argv, &line);

    if (code == COMMAND_GO_ON && line.operands_count > 0)
        code = command_misused(&command_alerts, "no operand is wanted: %s", line.operands[0]);
    if (code == COMMAND_GO_ON)
        code = filter_judge(&filter, limit);
    if (code == COMMAND_GO_ON)
        code = command_config(&line, &config);
    if (code != COMMAND_GO_ON)
        return code;
    struct view *view = view_open(config);
    code = view != NULL ? show(view, &filter, line.json)
                        : command_failed(&command_alerts, EX_UNAVAILABLE);
    if (view != NULL)
        view_close(view);
    config_destroy(config);
    return code;
}

const struct command command_alerts = {
    .name     = "alerts",
    .operands = "",
    .summary  = "list the open alerts of the whole cluster",
    .about    = "Lists what is wrong at the moment, the latest first, over all partitions, as of\n"
                "their last checkpoints.  With --work it is the work list of a facility or a\n"
                "courier: what to do, and by when.  Times are UTC.",
    .run      = run,
};
