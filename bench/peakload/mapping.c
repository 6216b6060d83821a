/* mapping.c - reads a mapping, applies its rules. */
#include "bench/peakload/mapping.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/peakload/say.h"
#include "bench/peakload/times.h"
#include "bench/peakload/yaml.h"

static const struct { const char *name; enum field_kind kind; bool needed; } fields[] = {
    {"parcel", FIELD_TEXT, true}, {"code", FIELD_TEXT, true}, {"time", FIELD_TIME, true},
    {"facility", FIELD_TEXT, false}, {"next", FIELD_TEXT, false}, {"origin", FIELD_TEXT, false},
    {"dest", FIELD_TEXT, false}, {"carrier", FIELD_TEXT, false}, {"service", FIELD_TEXT, false},
    {"carrier_number", FIELD_TEXT, false}, {"promise", FIELD_TIME, false},
    {"raw", FIELD_TEXT, false}, {"courier", FIELD_TEXT, false}, {"bag", FIELD_TEXT, false},
    {"reason", FIELD_TEXT, false}, {"event_id", FIELD_TEXT, false},
    {"weight_g", FIELD_NUMBER, false}, {"declared_g", FIELD_NUMBER, false},
    {"lat", FIELD_NUMBER, false}, {"lon", FIELD_NUMBER, false},
    {"dest_lat", FIELD_NUMBER, false}, {"dest_lon", FIELD_NUMBER, false},
};

enum { FIELDS = sizeof fields / sizeof fields[0] };

_Static_assert((int)FIELDS <= (int)FIELDS_MAX, "a rule for each field");

/* Copies a scalar's text.  -1 having said why. */
static int copy(const struct yaml *y, const yaml_node_t *node, char out[RULE_TEXT_MAX])
{
    const char *text = yaml_text(node);

    if (text == NULL || strlen(text) >= RULE_TEXT_MAX)
        return say("%s:%d: want a text of at most %d bytes", y->file, yaml_line(node),
                   RULE_TEXT_MAX - 1);
    snprintf(out, RULE_TEXT_MAX, "%s", text);
    return 0;
}

static int read_source(struct yaml *y, const yaml_node_t *node, struct rule *r)
{
    static const char *const names[] = {"column", "extra", "constant"};
    int found = 0;

    for (int i = 0; i < 3; i++) {
        const yaml_node_t *value = yaml_get(y, node, names[i]);

        if (value == NULL)
            continue;
        found++;
        r->source = (enum rule_source)i;
        if (copy(y, value, r->name) != 0)
            return -1;
    }
    if (found != 1)
        return say("%s:%d: %s: want one of column, extra, constant", y->file, yaml_line(node),
                   r->field);
    return 0;
}

static int read_map(struct yaml *y, const yaml_node_t *node, struct rule *r)
{
    if (node == NULL)
        return 0;
    if (node->type != YAML_MAPPING_NODE)
        return say("%s:%d: map: want {FROM: TO}", y->file, yaml_line(node));
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++, r->pairs++) {
        if (r->pairs == PAIRS_MAX)
            return say("%s:%d: map: more than %d", y->file, yaml_line(node), PAIRS_MAX);
        if (copy(y, yaml_document_get_node(&y->document, pair->key), r->from[r->pairs]) != 0 ||
            copy(y, yaml_document_get_node(&y->document, pair->value), r->to[r->pairs]) != 0)
            return -1;
    }
    return 0;
}

static int read_only(struct yaml *y, const yaml_node_t *node, struct rule *r)
{
    if (node == NULL)
        return 0;
    if (node->type != YAML_SEQUENCE_NODE)
        return say("%s:%d: only: want [CODE, …]", y->file, yaml_line(node));
    for (yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++, r->onlys++) {
        if (r->onlys == PAIRS_MAX)
            return say("%s:%d: only: more than %d", y->file, yaml_line(node), PAIRS_MAX);
        if (copy(y, yaml_document_get_node(&y->document, *item), r->only[r->onlys]) != 0)
            return -1;
    }
    return 0;
}

static int read_modifiers(struct yaml *y, const yaml_node_t *node, struct rule *r)
{
    const yaml_node_t *prefix = yaml_get(y, node, "prefix");
    const yaml_node_t *otherwise = yaml_get(y, node, "otherwise");
    const yaml_node_t *take = yaml_get(y, node, "take");

    if (prefix != NULL && copy(y, prefix, r->prefix) != 0)
        return -1;
    r->has_otherwise = otherwise != NULL;
    if (r->has_otherwise && copy(y, otherwise, r->otherwise) != 0)
        return -1;
    if (take != NULL) {
        const char *text = yaml_text(take);

        r->take = text != NULL ? strtoul(text, NULL, 10) : 0;
        if (r->take == 0)
            return say("%s:%d: take: want a number above 0", y->file, yaml_line(take));
    }
    return 0;
}

static int check_keys(struct yaml *y, const yaml_node_t *node, const char *const *known)
{
    if (node->type != YAML_MAPPING_NODE)
        return say("%s:%d: want {NAME: VALUE, …}", y->file, yaml_line(node));
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_document_get_node(&y->document, pair->key);
        const char *name = yaml_text(key);
        int i = 0;

        while (known[i] != NULL && (name == NULL || strcmp(known[i], name) != 0))
            i++;
        if (known[i] == NULL)
            return say("%s:%d: %s: not known here", y->file, yaml_line(key), name ? name : "?");
    }
    return 0;
}

static int read_rule(struct yaml *y, const yaml_node_t *node, struct rule *r)
{
    static const char *const known[] = {"column", "extra", "constant", "take", "prefix", "map",
                                        "otherwise", "only", NULL};

    if (check_keys(y, node, known) != 0 || read_source(y, node, r) != 0 ||
        read_map(y, yaml_get(y, node, "map"), r) != 0 ||
        read_only(y, yaml_get(y, node, "only"), r) != 0)
        return -1;
    return read_modifiers(y, node, r);
}

static int read_settings(struct yaml *y, const yaml_node_t *node, struct mapping *m)
{
    static const char *const known[] = {"extra", "separator", "zone", NULL};
    const yaml_node_t *extra, *separator, *zone;

    m->separator = ';';
    if (node == NULL)
        return 0;
    if (check_keys(y, node, known) != 0)
        return -1;
    extra = yaml_get(y, node, "extra");
    separator = yaml_get(y, node, "separator");
    zone = yaml_get(y, node, "zone");
    if (extra != NULL && copy(y, extra, m->extra_name) != 0)
        return -1;
    if (separator != NULL) {
        if (yaml_text(separator) == NULL || strlen(yaml_text(separator)) != 1)
            return say("%s:%d: separator: want one character", y->file, yaml_line(separator));
        m->separator = yaml_text(separator)[0];
    }
    if (zone != NULL && (yaml_text(zone) == NULL ||
                         zone_read(yaml_text(zone), &m->zone_minutes) != 0))
        return say("%s:%d: zone: want +HH:MM, -HH:MM or Z", y->file, yaml_line(zone));
    return 0;
}

static int read_rules(struct yaml *y, struct mapping *m)
{
    const char *known[FIELDS + 2] = {NULL};

    for (int i = 0; i < FIELDS; i++)
        known[i] = fields[i].name;
    known[FIELDS] = "settings";
    if (y->root == NULL)
        return say("%s: empty", y->file);
    if (check_keys(y, y->root, known) != 0)
        return -1;
    for (int i = 0; i < FIELDS; i++) {
        const yaml_node_t *node = yaml_get(y, y->root, fields[i].name);
        struct rule *r = &m->rule[m->rules];

        if (node == NULL && fields[i].needed)
            return say("%s: no rule for %s", y->file, fields[i].name);
        if (node == NULL)
            continue;
        r->field = fields[i].name;
        r->kind = fields[i].kind;
        if (read_rule(y, node, r) != 0)
            return -1;
        m->rules++;
    }
    return read_settings(y, yaml_get(y, y->root, "settings"), m);
}

int mapping_read(struct mapping *m, const char *file)
{
    struct yaml y;
    int result;

    memset(m, 0, sizeof *m);
    m->file = file;
    m->extra = -1;
    if (yaml_open(&y, file) != 0)
        return -1;
    result = read_rules(&y, m);
    yaml_close(&y);
    return result;
}

static int find_column(const struct mapping *m, const char *csv, char *const *columns, int count,
                       const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(columns[i], name) == 0)
            return i;
    return say("%s:1: no column %s, which %s names", csv, name, m->file);
}

int mapping_bind(struct mapping *m, const char *csv, char *const *columns, int count)
{
    for (int i = 0; i < m->rules; i++) {
        struct rule *r = &m->rule[i];

        if (r->source == SOURCE_EXTRA && *m->extra_name == '\0')
            return say("%s: %s: extra wants `settings: {extra: COLUMN}`", m->file, r->field);
        if (r->source == SOURCE_COLUMN &&
            (r->column = find_column(m, csv, columns, count, r->name)) < 0)
            return -1;
    }
    if (*m->extra_name != '\0' &&
        (m->extra = find_column(m, csv, columns, count, m->extra_name)) < 0)
        return -1;
    return 0;
}

/* The value of NAME=value among the extras; *length 0 = not there. */
static const char *find_extra(const struct mapping *m, const char *text, const char *name,
                              size_t *length)
{
    size_t name_length = strlen(name);

    for (const char *p = text; p != NULL && *p != '\0'; p = strchr(p, m->separator)) {
        if (*p == m->separator)
            p++;
        if (strncmp(p, name, name_length) == 0 && p[name_length] == '=') {
            const char *value = p + name_length + 1, *end = strchr(value, m->separator);

            *length = end != NULL ? (size_t)(end - value) : strlen(value);
            return value;
        }
    }
    *length = 0;
    return "";
}

static const char *raw_value(const struct mapping *m, const struct rule *r, char *const *row,
                             size_t *length)
{
    const char *text = r->source == SOURCE_COLUMN ? row[r->column] : r->name;

    if (r->source == SOURCE_EXTRA)
        return find_extra(m, row[m->extra], r->name, length);
    *length = strlen(text);
    return text;
}

static const char *translate(const struct rule *r, const char *text, size_t length)
{
    for (int i = 0; i < r->pairs; i++)
        if (strlen(r->from[i]) == length && memcmp(r->from[i], text, length) == 0)
            return r->to[i];
    return r->has_otherwise ? r->otherwise : NULL;
}

int mapping_value(const struct mapping *m, const struct rule *r, char *const *row, char *out,
                  size_t size)
{
    size_t length;
    const char *text = raw_value(m, r, row, &length);

    if (length > 0 && r->pairs > 0) {
        text = translate(r, text, length);
        if (text == NULL)
            return -1;
        length = strlen(text);
    }
    if (length == 0 && !r->has_otherwise)
        return 0;
    if (length == 0) {
        snprintf(out, size, "%s", r->otherwise);
        return 1;
    }
    if (r->take > 0 && length > r->take)
        length = r->take;
    snprintf(out, size, "%s%.*s", r->prefix, (int)length, text);
    return 1;
}

bool mapping_wants(const struct rule *r, const char *code)
{
    for (int i = 0; i < r->onlys; i++)
        if (strcmp(r->only[i], code) == 0)
            return true;
    return r->onlys == 0;
}
