/* csv.c - RFC 4180, read in place: quotes are taken off by moving bytes forward. */
#include "stages/reference/csv.h"

#include <string.h>

#include "pipeline/error.h"

void csv_begin(struct csv *csv, char *text, size_t length)
{
    *csv = (struct csv) {.at = text, .end = text + length, .next_line = 1};
    text[length] = '\0';
    if (length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
        csv->at += 3;
}

/* The text between quotes, at csv->at; moved behind the closing quote. */
static int read_quoted(struct csv *csv)
{
    char *to = csv->at++;

    csv->fields[csv->count++] = to;
    for (; csv->at < csv->end; csv->at++) {
        if (*csv->at == '"' && csv->at[1] != '"') {
            csv->at++;
            *to = '\0';
            return 0;
        }
        csv->at += *csv->at == '"'; /* doubled: one is meant */
        csv->next_line += *csv->at == '\n';
        *to++ = *csv->at;
    }
    return error_set("a quote is never closed");
}

/* Leaves csv->at on what ends the field: a comma, a line end, or the end. */
static int read_field(struct csv *csv)
{
    if (csv->count == CSV_FIELDS_MAX)
        return error_set("found more than %d fields", CSV_FIELDS_MAX);
    if (*csv->at == '"')
        return read_quoted(csv);
    csv->fields[csv->count++] = csv->at;
    csv->at += strcspn(csv->at, ",\r\n");
    if (csv->at < csv->end && *csv->at == '\0')
        return error_set("found a zero byte");
    return 0;
}

/* Ends the field just read; 1 = another follows, 0 = the record ends. */
static int end_field(struct csv *csv)
{
    char end = *csv->at;

    if (csv->at == csv->end)
        return 0;
    if (end != ',' && end != '\n' && !(end == '\r' && csv->at[1] == '\n'))
        return error_set("found \"%.10s\" behind a field, accepted is a comma or the line's end",
                         csv->at);
    *csv->at = '\0';
    csv->at += end == '\r' ? 2 : 1;
    csv->next_line += end != ',';
    return end == ',';
}

int csv_next(struct csv *csv)
{
    int more;

    do {
        csv->line = csv->next_line;
        csv->count = 0;
        if (csv->at >= csv->end)
            return 0;
        do {
            if (read_field(csv) != 0)
                return -1;
            more = end_field(csv);
        } while (more == 1);
        if (more != 0)
            return -1;
    } while (csv->count == 1 && csv->fields[0][0] == '\0');
    return 1;
}
