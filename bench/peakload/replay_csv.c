/* replay_csv.c - replays CSV: each row becomes a scan by the rules of a mapping.
 *
 * The first line names the columns.  Quotes follow RFC 4180, but for line breaks inside
 * them: a row is a line.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/peakload/json.h"
#include "bench/peakload/mapping.h"
#include "bench/peakload/replay.h"
#include "bench/peakload/say.h"
#include "bench/peakload/times.h"

enum { VALUE_MAX = 512 };

struct csv {
    struct mapping *mapping;
    struct replaying *r;
    int     columns;
    char   *row[COLUMNS_MAX];    /* of the current line, in `text` */
    char   *text;
    size_t  room;
    char   *scan;                /* the JSON written, by open_memstream */
    size_t  scan_size;
    char    parcel[VALUE_MAX], code[VALUE_MAX];
    int64_t event_ms;
};

/* One field, unquoted in place and NUL-terminated; returns where the next begins, NULL after
 * the last, and sets *ok false where a quote does not close. */
static char *split_field(char *p, bool *ok)
{
    char *out = p;

    if (*p == '"') {
        for (p++; *p != '\0' && (*p != '"' || p[1] == '"'); p++) {
            *out++ = *p;
            p += *p == '"';
        }
        *ok = *ok && *p == '"' && (p[1] == ',' || p[1] == '\0');
        p += *p == '"';
    } else {
        out = p += strcspn(p, ",");
    }
    if (*p == ',') {
        *out = '\0';
        return p + 1;
    }
    *out = '\0';
    return NULL;
}

/* Cuts a line into c->row.  -1 having said why. */
static int split(struct csv *c, const char *line, size_t length, int *count)
{
    bool ok = true;
    char *p;

    if (c->room <= length) {
        c->room = length + 1;
        c->text = must(realloc(c->text, c->room));
    }
    memcpy(c->text, line, length);
    c->text[length] = '\0';
    *count = 0;
    for (p = c->text; p != NULL; (*count)++) {
        if (*count == COLUMNS_MAX)
            return replay_fault(c->r, "too many columns");
        c->row[*count] = p;
        p = split_field(p, &ok);
    }
    return ok ? 0 : replay_fault(c->r, "a quote that does not close");
}

static int read_header(struct csv *c)
{
    size_t length;
    int    result;
    char  *line = lines_next(c->r->lines, &length, &result);

    if (line == NULL)
        return result != 0 ? -1 : say("%s: empty", c->r->options->file);
    if (split(c, line, length, &c->columns) != 0)
        return -1;
    return mapping_bind(c->mapping, c->r->options->file, c->row, c->columns);
}

/* Says which value is wrong. */
static int bad_value(struct csv *c, const char *field, const char *value, const char *why)
{
    char text[VALUE_MAX * 2];

    snprintf(text, sizeof text, "%s: %s: %s", field, value, why);
    return replay_fault(c->r, text);
}

static int put_time(struct csv *c, const struct rule *rule, const char *value, FILE *out)
{
    char text[TIME_TEXT_MAX];
    int64_t ms;

    if (time_read(value, strlen(value), c->mapping->zone_minutes, &ms) != 0)
        return bad_value(c, rule->field, value, "not a time");
    if (strcmp(rule->field, "time") == 0)
        c->event_ms = ms;
    json_put_text(out, text,
                  (size_t)(time_write(text, ms, c->mapping->zone_minutes, ms % 1000 != 0) - text));
    return 0;
}

static int put_number(struct csv *c, const struct rule *rule, const char *value, FILE *out)
{
    char *end;

    strtod(value, &end);
    if (end == value || *end != '\0')
        return bad_value(c, rule->field, value, "not a number");
    fputs(value, out);
    return 0;
}

static int put_field(struct csv *c, const struct rule *rule, FILE *out)
{
    char value[VALUE_MAX];
    int  has = mapping_value(c->mapping, rule, c->row, value, sizeof value);

    if (has < 0)
        return replay_fault(c->r, "a value that the mapping's `map` does not list");
    if (has > 0 && strlen(value) == sizeof value - 1)
        return replay_fault(c->r, "a value too long for any field");
    if (has == 0 || !mapping_wants(rule, c->code))
        return 0;
    fprintf(out, "%s\"%s\":", rule == c->mapping->rule ? "{" : ",", rule->field);
    if (rule->kind == FIELD_TIME)
        return put_time(c, rule, value, out);
    if (rule->kind == FIELD_NUMBER)
        return put_number(c, rule, value, out);
    if (rule == &c->mapping->rule[0])
        snprintf(c->parcel, sizeof c->parcel, "%s", value);
    if (rule == &c->mapping->rule[1])
        snprintf(c->code, sizeof c->code, "%s", value);
    json_put_text(out, value, strlen(value));
    return 0;
}

/* The row as a scan, in c->scan. */
static int write_scan(struct csv *c, FILE *out)
{
    c->event_ms = -1;
    c->parcel[0] = c->code[0] = '\0';
    rewind(out);
    for (int i = 0; i < c->mapping->rules; i++)
        if (put_field(c, &c->mapping->rule[i], out) != 0)
            return -1;
    if (c->parcel[0] == '\0' || c->code[0] == '\0' || c->event_ms < 0)
        return replay_fault(c->r, "parcel, code or time is empty");
    fputc('}', out);
    fflush(out);
    return 0;
}

static int send_row(struct csv *c, const char *line, size_t length, FILE *out)
{
    struct message m = {.key = c->parcel, .partition = -1};
    int count;

    if (split(c, line, length, &count) != 0)
        return -1;
    if (count != c->columns)
        return replay_fault(c->r, "not as many columns as the header");
    if (write_scan(c, out) != 0)
        return -1;
    m.key_length = strlen(c->parcel);
    m.value = c->scan;
    m.length = (size_t)ftell(out);
    return replay_send(c->r, &m, -1, c->event_ms);
}

static int replay_rows(struct csv *c, FILE *out)
{
    size_t length;
    char  *line;
    int    result;

    if (read_header(c) != 0)
        return -1;
    while ((line = replay_line(c->r, &length, &result)) != NULL) {
        if (lines_number(c->r->lines) == 1)
            continue;
        result = send_row(c, line, length, out);
        if (result != 0)
            break;
    }
    return result < 0 ? -1 : 0;
}

int replay_csv(struct replaying *r)
{
    static struct csv c;
    FILE *out;
    int   result;

    c.r = r;
    c.mapping = r->mapping;
    out = must(open_memstream(&c.scan, &c.scan_size));
    result = replay_rows(&c, out);
    fclose(out);
    free(c.scan);
    free(c.text);
    return result;
}
