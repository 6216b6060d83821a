/* rules.c - thresholds from the configuration, by service and detector.
 *
 *   detectors.stalled.domestic_max: 72h                      for every service
 *   services.economy.detectors.stalled.enabled: false        for one
 *   services.economy.ends_at_handover: true                  the carrier's scans end there
 */
#include "stages/detect/rules.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/check.h"
#include "pipeline/config.h"
#include "pipeline/error.h"
#include "stages/detect/detect.h"

enum {
    RULE_PATH_MAX = 128,
    ROWS_MAX = 2 * DETECTORS_MAX * (THRESHOLDS_MAX + 1) + 1
};

#define ECONOMY "economy"

struct service_rules {
    char            name[SERVICE_MAX + 1];
    struct rule_set set;
};

struct rules {
    struct rule_set       base;
    size_t                count;
    struct service_rules *services;
};

/* ── The rows ────────────────────────────────────────────────────────────────────────── */

struct rows {
    struct config_row rows[ROWS_MAX];
    char              paths[ROWS_MAX][RULE_PATH_MAX];
    char              defaults[DETECTORS_MAX][THRESHOLDS_MAX][THRESHOLD_TEXT];
    size_t            count;
};

static void duration_print(int64_t seconds, char text[THRESHOLD_TEXT])
{
    static const struct { int64_t size; const char *name; } units[] = {
        {86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    int i = 0;

    while (seconds % units[i].size != 0)
        i++;
    (void)snprintf(text, THRESHOLD_TEXT, "%" PRId64 "%s", seconds / units[i].size, units[i].name);
}

void threshold_print(const struct threshold *t, char text[THRESHOLD_TEXT])
{
    static const char *const units[] = {
        [THRESHOLD_COUNT] = "", [THRESHOLD_PERCENT] = " %", [THRESHOLD_GRAMS] = " g",
        [THRESHOLD_METRES] = " m"};

    if (t->kind == THRESHOLD_DURATION)
        duration_print(t->fallback, text);
    else
        (void)snprintf(text, THRESHOLD_TEXT, "%" PRId64 "%s", t->fallback, units[t->kind]);
}

/* One setting, under prefix "" with its default, or "services.*." without. */
static void row_add(struct rows *r, const char *prefix, const struct detector *d,
                    const char *name, struct config_row row)
{
    CHECK(r->count < ROWS_MAX);
    int length = snprintf(r->paths[r->count], RULE_PATH_MAX, "%sdetectors.%s.%s", prefix, d->type,
                          name);

    CHECK(length > 0 && length < RULE_PATH_MAX);
    row.path = r->paths[r->count];
    row.fallback = prefix[0] == '\0' ? row.fallback : "";
    r->rows[r->count++] = row;
}

struct config_row threshold_row(const struct threshold *t, char fallback[THRESHOLD_TEXT])
{
    struct config_row row = {.kind = CONFIG_INTEGER, .fallback = fallback, .help = t->help};

    if (t->kind == THRESHOLD_DURATION)
        duration_print(t->fallback, fallback);
    else
        (void)snprintf(fallback, THRESHOLD_TEXT, "%" PRId64, t->fallback);
    switch (t->kind) {
    case THRESHOLD_DURATION:
        row.kind = CONFIG_DURATION;
        row.least = 1000;
        row.most = 400.0 * 86400000;
        break;
    case THRESHOLD_COUNT:
        row.least = 1;
        row.most = 10000;
        break;
    case THRESHOLD_PERCENT:
        row.most = 100;
        break;
    case THRESHOLD_GRAMS:
    case THRESHOLD_METRES:
        row.least = 1;
        row.most = 1e6;
        break;
    }
    return row;
}

static void detector_rows(struct rows *r, const char *prefix, int id)
{
    const struct detector *d = detector_table[id];

    row_add(r, prefix, d, "enabled",
            (struct config_row) {.kind = CONFIG_BOOL, .fallback = "true", .help = d->summary});
    for (int i = 0; i < THRESHOLDS_MAX && d->thresholds[i].name != NULL; i++) {
        const struct threshold *t = &d->thresholds[i];

        row_add(r, prefix, d, t->name, threshold_row(t, r->defaults[id][i]));
    }
}

const struct config_row *detect_rows(size_t *count)
{
    static struct rows made;
    static bool        done;

    if (made.count == 0) {
        for (int id = 0; detector_table[id] != NULL; id++)
            detector_rows(&made, "", id);
        for (int id = 0; detector_table[id] != NULL; id++)
            detector_rows(&made, "services.*.", id);
    }
    if (!done) {
        done = true;
        made.rows[made.count++] = (struct config_row) {
            .path = "services.*.ends_at_handover", .kind = CONFIG_BOOL, .fallback = "",
            .help = "tracking ends at HANDOVER: silence after it is none (economy: true)"};
    }
    *count = made.count;
    return made.rows;
}

/* ── What holds for whom ─────────────────────────────────────────────────────────────── */

static const char *path_of(char path[RULE_PATH_MAX], const char *service, const struct detector *d,
                           const char *name)
{
    bool one = service[0] != '\0';
    int  length = snprintf(path, RULE_PATH_MAX, "%s%s%sdetectors.%s.%s", one ? "services." : "",
                           service, one ? "." : "", d->type, name);

    CHECK(length > 0 && length < RULE_PATH_MAX);
    return path;
}

int64_t threshold_value(const struct config *config, const char *path, enum threshold_kind kind)
{
    return kind == THRESHOLD_DURATION ? config_ms(config, path) / 1000
                                      : config_integer(config, path);
}

/* Overwrites what is given for the service; with "" everything. */
static void set_read(struct rule_set *set, const struct config *config, const char *service)
{
    char path[RULE_PATH_MAX];

    for (int id = 0; detector_table[id] != NULL; id++) {
        const struct detector *d = detector_table[id];
        const char *enabled = path_of(path, service, d, "enabled");

        if (service[0] == '\0' || config_given(config, enabled))
            set->enabled = (set->enabled & ~(1u << id))
                         | (uint32_t)config_bool(config, enabled) << id;
        for (int i = 0; i < THRESHOLDS_MAX && d->thresholds[i].name != NULL; i++) {
            const char *one = path_of(path, service, d, d->thresholds[i].name);

            if (service[0] == '\0' || config_given(config, one))
                set->thresholds[id][i] = threshold_value(config, one, d->thresholds[i].kind);
        }
    }
}

/* Who is asked when, from the detectors' own sets. */
static void set_index(struct rule_set *set, uint32_t parts)
{
    memset(set->by_code, 0, sizeof set->by_code);
    memset(set->by_code_open, 0, sizeof set->by_code_open);
    memset(set->by_state, 0, sizeof set->by_state);
    memset(set->by_traits, 0, sizeof set->by_traits);
    set->needs_history = set->needs_tracking = 0;
    for (int id = 0; detector_table[id] != NULL; id++) {
        const struct detector *d = detector_table[id];
        uint32_t lacks = d->needs & NEEDS_REFERENCE & ~parts;
        uint32_t bit = lacks != 0 ? 0 : set->enabled & 1u << id;

        set->enabled = (set->enabled & ~(1u << id)) | bit;
        set->needs_tracking |= d->needs & NEEDS_TRACKING ? bit : 0;
        set->needs_history |= d->needs & NEEDS_HISTORY ? bit : 0;
        for (int c = 0; c < SCAN_CODES; c++) {
            set->by_code[c] |= d->on_scan != NULL && d->codes >> c & 1 ? bit : 0;
            set->by_code_open[c] |= d->on_scan != NULL && d->codes_open >> c & 1 ? bit : 0;
        }
        for (unsigned traits = 0; traits < TRAITS; traits++)
            set->by_traits[traits] |= (d->traits & ~traits) == 0 ? bit : 0;
        for (int s = 0; s < STATES; s++)
            set->by_state[s] |= d->deadline_s != NULL && d->states >> s & 1 ? bit : 0;
    }
}

static struct service_rules *service_find(const struct rules *rules, const char *name,
                                          size_t length)
{
    for (size_t i = 0; i < rules->count; i++)
        if (strlen(rules->services[i].name) == length
            && memcmp(rules->services[i].name, name, length) == 0)
            return &rules->services[i];
    return NULL;
}

static void service_add(struct rules *rules, const char *name, size_t length)
{
    size_t size = (rules->count + 1) * sizeof *rules->services;

    rules->services = realloc(rules->services, size);
    CHECK(rules->services != NULL);
    struct service_rules *s = &rules->services[rules->count++];

    memset(s, 0, sizeof *s);
    memcpy(s->name, name, length);
}

struct collecting {
    struct rules *rules;
    int           bad;
};

static void service_collect(void *self, const char *rest, const char *value)
{
    struct collecting *c = self;
    size_t             length = strcspn(rest, ".");

    (void)value;
    if (length > SERVICE_MAX)
        c->bad = error_set("services.%.*s: found a name of %zu bytes, accepted are %d",
                           (int)length, rest, length, SERVICE_MAX);
    if (c->bad != 0 || service_find(c->rules, rest, length) != NULL)
        return;
    service_add(c->rules, rest, length);
}

/* Does the tracking of this service end at its hand-over?  Those of `economy` do. */
static bool ends_at_handover(const struct config *config, const char *service)
{
    char path[RULE_PATH_MAX];

    (void)snprintf(path, sizeof path, "services.%s.ends_at_handover", service);
    return config_given(config, path) ? config_bool(config, path)
                                      : strcmp(service, ECONOMY) == 0;
}

/* Is b the name of a threshold that may not be below one named a?  "warning_after" and
 * "critical_after", "domestic_min" and "domestic_max". */
static bool is_above(const char *a, const char *b)
{
    static const struct { const char *lower, *upper; } words[] = {
        {"info_", "warning_"}, {"warning_", "critical_"}};
    size_t length = strlen(a);

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t lower = strlen(words[i].lower), upper = strlen(words[i].upper);

        if (strncmp(a, words[i].lower, lower) == 0 && strncmp(b, words[i].upper, upper) == 0
            && strcmp(a + lower, b + upper) == 0)
            return true;
    }
    return length > 4 && strcmp(a + length - 4, "_min") == 0 && strlen(b) == length
           && strncmp(a, b, length - 4) == 0 && strcmp(b + length - 4, "_max") == 0;
}

/* The setting that a service goes by: its own, or everybody's. */
static const char *given_path(char path[RULE_PATH_MAX], const struct config *config,
                              const char *service, const struct detector *d, const char *name)
{
    if (!config_given(config, path_of(path, service, d, name)))
        (void)path_of(path, "", d, name);
    return path;
}

static int check_pair(const struct config *config, const char *service,
                      const struct rule_set *set, int id, int low, int high)
{
    const struct detector *d = detector_table[id];
    char                   below[RULE_PATH_MAX], above[RULE_PATH_MAX];

    if (set->thresholds[id][low] <= set->thresholds[id][high])
        return 0;
    (void)given_path(below, config, service, d, d->thresholds[low].name);
    (void)given_path(above, config, service, d, d->thresholds[high].name);
    (void)error_set("found %s, accepted is at most %s, which is %s", config_text(config, below),
                    above, config_text(config, above));
    return config_blame(config, below);
}

/* A warning comes before what is critical, a least is below its most. */
static int set_check(const struct config *config, const char *service,
                     const struct rule_set *set)
{
    for (int id = 0; detector_table[id] != NULL; id++) {
        const struct threshold *t = detector_table[id]->thresholds;

        for (int a = 0; a < THRESHOLDS_MAX && t[a].name != NULL; a++)
            for (int b = 0; b < THRESHOLDS_MAX && t[b].name != NULL; b++)
                if (is_above(t[a].name, t[b].name)
                    && check_pair(config, service, set, id, a, b) != 0)
                    return -1;
    }
    return 0;
}

struct rules *rules_create(const struct config *config, uint32_t parts)
{
    struct collecting c = {.rules = calloc(1, sizeof *c.rules)};

    CHECK(c.rules != NULL);
    set_read(&c.rules->base, config, "");
    set_index(&c.rules->base, parts);
    service_add(c.rules, ECONOMY, strlen(ECONOMY));
    config_each(config, "services", service_collect, &c);
    if (c.bad == 0)
        c.bad = set_check(config, "", &c.rules->base);
    for (size_t i = 0; c.bad == 0 && i < c.rules->count; i++) {
        struct service_rules *s = &c.rules->services[i];

        s->set = c.rules->base;
        set_read(&s->set, config, s->name);
        set_index(&s->set, parts);
        s->set.ends_at_handover = ends_at_handover(config, s->name);
        c.bad = set_check(config, s->name, &s->set);
    }
    if (c.bad == 0)
        return c.rules;
    rules_destroy(c.rules);
    return NULL;
}

void rules_destroy(struct rules *rules)
{
    if (rules == NULL)
        return;
    free(rules->services);
    free(rules);
}

const struct rule_set *rules_of(const struct rules *rules, const char *service)
{
    const struct service_rules *found = service_find(rules, service, strlen(service));

    return found != NULL ? &found->set : &rules->base;
}

const int64_t *rules_thresholds(const struct rule_set *set, uint8_t detector)
{
    CHECK(detector < DETECTORS_MAX);
    return set->enabled >> detector & 1 ? set->thresholds[detector] : NULL;
}
