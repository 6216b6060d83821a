/* all.c - THE table of rules, and their settings. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/check.h"
#include "pipeline/config.h"
#include "pipeline/error.h"
#include "stages/activity/rule.h"

extern const struct rule rule_site_silent, rule_carrier_silent, rule_congested,
    rule_lane_degraded, rule_courier_burst;

/* A rule's place is its index in rule_values; nothing stores it. */
const struct rule *const rule_table[RULES_MAX + 1] = {
    &rule_site_silent,   &rule_carrier_silent, &rule_congested,
    &rule_lane_degraded, &rule_courier_burst,
};

enum { PATH_MAX_ = 64 };

static const char *path_of(char path[PATH_MAX_], const struct rule *rule, const char *name)
{
    int length = snprintf(path, PATH_MAX_, "activity.%s.%s", rule->type, name);

    CHECK(length > 0 && length < PATH_MAX_);
    return path;
}

struct rows {
    struct config_row rows[RULES_MAX * (THRESHOLDS_MAX + 1)];
    char   paths[RULES_MAX * (THRESHOLDS_MAX + 1)][PATH_MAX_];
    char   fallbacks[RULES_MAX * (THRESHOLDS_MAX + 1)][THRESHOLD_TEXT];
    size_t count;
};

static void rows_of(struct rows *made, const struct rule *rule)
{
    size_t n = made->count++;

    made->rows[n] = (struct config_row){.path = path_of(made->paths[n], rule, "enabled"),
                                        .kind = CONFIG_BOOL, .fallback = "true",
                                        .help = rule->summary};
    for (int i = 0; i < THRESHOLDS_MAX && rule->thresholds[i].name != NULL; i++) {
        const struct threshold *t = &rule->thresholds[i];

        n = made->count++;
        made->rows[n] = threshold_row(t, made->fallbacks[n]);
        made->rows[n].path = path_of(made->paths[n], rule, t->name);
    }
}

const struct config_row *rule_rows(size_t *count)
{
    static struct rows made;
    static bool done;

    for (int id = 0; !done && rule_table[id] != NULL; id++)
        rows_of(&made, rule_table[id]);
    done = true;
    *count = made.count;
    return made.rows;
}

static int window_judge(const struct config *config, const struct rule *rule, const char *path,
                        int64_t seconds)
{
    if (rule->window < 0 || (seconds >= 60 && seconds <= 3600))
        return 0;
    (void)error_set("found %" PRId64 " s, accepted is 1min to 1h", seconds);
    return config_blame(config, path);
}

int rule_values_read(struct rule_values *values, const struct config *config)
{
    char path[PATH_MAX_];

    for (int id = 0; rule_table[id] != NULL; id++) {
        const struct rule *rule = rule_table[id];

        values->enabled[id] = config_bool(config, path_of(path, rule, "enabled"));
        for (int i = 0; i < THRESHOLDS_MAX && rule->thresholds[i].name != NULL; i++) {
            const struct threshold *t = &rule->thresholds[i];
            int64_t value = threshold_value(config, path_of(path, rule, t->name), t->kind);

            values->thresholds[id][i] = value;
            if (i == rule->window && window_judge(config, rule, path, value) != 0)
                return -1;
        }
    }
    return 0;
}
