/* detectors - which anomalies there are, and what each waits for. */
#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

#include "pipeline/config.h"
#include "stages/command/command.h"
#include "stages/command/print.h"
#include "stages/detect/detect.h"
#include "stages/detect/rulebook.h"
#include "stages/outlet/buffer.h"
#include "stages/reference/reference.h"
#include "stages/serve/api_json.h"

static const char *unit_of(enum threshold_kind kind)
{
    static const char *const units[] = {
        [THRESHOLD_DURATION] = "s", [THRESHOLD_COUNT] = "", [THRESHOLD_PERCENT] = "%",
        [THRESHOLD_GRAMS] = "g", [THRESHOLD_METRES] = "m"};

    return units[kind];
}

static void print_value(const struct threshold *threshold, int64_t value)
{
    char text[PRINT_SIZE];

    if (threshold->kind == THRESHOLD_DURATION)
        (void)printf("%-12s", print_duration(value, text));
    else
        (void)printf("%-12" PRId64, value);
}

/* `values` NULL: switched off. */
static void print_detector(const struct detector *detector, const int64_t *values, bool lacking)
{
    (void)printf("%-20s %s%s\n", detector->type, lacking ? "(off: reference.routes is not given) "
                 : values == NULL ? "(off) " : "",
                 detector->summary);
    (void)printf("%-20s   %s's work: %s%s\n", "", owner_name(detector->owner), detector->action,
                 detector->needs & NEEDS_ROUTES ? "; needs reference.routes" : "");
    for (int i = 0; i < THRESHOLDS_MAX && detector->thresholds[i].name != NULL; i++) {
        const struct threshold *threshold = &detector->thresholds[i];
        int64_t                 value = values != NULL ? values[i] : threshold->fallback;

        (void)printf("%-20s   %-16s ", "", threshold->name);
        print_value(threshold, value);
        (void)printf("%s%s\n", threshold->help, value != threshold->fallback ? " (set)" : "");
    }
}

static void write_detector(struct buffer *out, const struct detector *detector,
                           const int64_t *values, bool lacking)
{
    json_comma(out);
    json_raw(out, "{");
    json_text(out, "type", detector->type);
    json_text(out, "summary", detector->summary);
    json_text(out, "owner", owner_name(detector->owner));
    json_text(out, "action", detector->action);
    json_bool(out, "enabled", values != NULL);
    json_bool(out, "lacks_reference", lacking);
    json_bool(out, "needs_routes", detector->needs & NEEDS_ROUTES);
    json_name(out, "thresholds");
    json_raw(out, "[");
    for (int i = 0; i < THRESHOLDS_MAX && detector->thresholds[i].name != NULL; i++) {
        const struct threshold *threshold = &detector->thresholds[i];

        json_comma(out);
        json_raw(out, "{");
        json_text(out, "name", threshold->name);
        json_number(out, "value", values != NULL ? values[i] : threshold->fallback);
        json_number(out, "default", threshold->fallback);
        json_text(out, "unit", unit_of(threshold->kind));
        json_text(out, "help", threshold->help);
        json_raw(out, "}");
    }
    json_raw(out, "]}");
}

/* Needs reference data that is not there. */
static bool is_lacking(const struct rulebook *book, const struct detector *detector)
{
    return (detector->needs & NEEDS_REFERENCE & ~reference_parts(book->reference)) != 0;
}

static void print_all(const struct rulebook *book, const char *service, bool json)
{
    const struct rule_set *set = rules_of(book->rules, service);
    struct buffer          out = {0};

    json_raw(&out, "[");
    for (uint8_t id = 0; id < DETECTORS_MAX && detector_table[id] != NULL; id++) {
        if (json)
            write_detector(&out, detector_table[id], rules_thresholds(set, id),
                           is_lacking(book, detector_table[id]));
        else
            print_detector(detector_table[id], rules_thresholds(set, id),
                           is_lacking(book, detector_table[id]));
    }
    json_raw(&out, "]\n");
    if (json)
        (void)fwrite(out.bytes, 1, out.used, stdout);
    buffer_free(&out);
}

static int run(int argc, char **argv)
{
    const char                 *service = "";
    const struct command_option own[] = {
        {"service", "NAME", "as they hold for parcels of this service", &service, NULL}, {0}};
    struct command_line line;
    struct config      *config;
    int                 code = command_options(&command_detectors, own, argc, argv, &line);

    if (code != COMMAND_GO_ON)
        return code;
    if (line.operands_count > 0)
        return command_misused(&command_detectors, "no operand is wanted: %s", line.operands[0]);
    code = command_config(&line, &config);
    if (code != COMMAND_GO_ON)
        return code;
    struct rulebook *book = rulebook_create(config);
    if (book != NULL)
        print_all(book, service, line.json);
    code = book != NULL ? 0 : command_failed(&command_detectors, EX_CONFIG);
    rulebook_destroy(book);
    config_destroy(config);
    return code;
}

const struct command command_detectors = {
    .name     = "detectors",
    .operands = "",
    .summary  = "list the anomalies that are looked for, with their thresholds",
    .about    = "Lists every anomaly Peakline looks for, whose work an alert of it is, and its\n"
                "thresholds as the configuration sets them.  A threshold is set with\n\n"
                "  --set detectors.TYPE.NAME=VALUE               for all parcels\n"
                "  --set services.NAME.detectors.TYPE.NAME=VALUE  for those of one service\n\n"
                "and a detector is switched off with detectors.TYPE.enabled=false.",
    .run      = run,
};
