/* history.c - each line becomes the scan's own JSON, which the product's decoder reads. */
#include "stages/command/history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/check.h"
#include "pipeline/clock.h"
#include "pipeline/error.h"
#include "stages/scan/format.h"
#include "stages/serve/api_json.h"

enum { PARCEL, CODE, TIME, PLACE, CITY, CARRIER, PROMISE, EXTRA };
enum { REGION_MAX = 3 };

static const char *const columns[HISTORY_COLUMNS] = {
    [PARCEL] = "parcel_id", [CODE] = "event_code", [TIME] = "event_time", [PLACE] = "facility",
    [CITY] = "city",     [CARRIER] = "carrier", [PROMISE] = "promised_time", [EXTRA] = "extra"};

struct span {
    const char *text;
    size_t      length;
};

/* Words that shops and carriers use, beside our own. */
static const struct { const char *word; enum scan_code code; } words[] = {
    {"ORDERED", SCAN_LABEL}, {"APPROVED", SCAN_INFO}, {"CARRIER_ACCEPT", SCAN_HANDOVER},
    {"DEPARTURE", SCAN_DEPART}, {"ARRIVAL", SCAN_ARRIVE}};

static int read_all(struct history *h, FILE *file)
{
    size_t used = 0, size = 1 << 20;

    h->text = malloc(size + 1);
    CHECK(h->text != NULL);
    for (size_t n; (n = fread(h->text + used, 1, size - used, file)) > 0;) {
        used += n;
        if (used == size) {
            size *= 2;
            h->text = realloc(h->text, size + 1);
            CHECK(h->text != NULL);
        }
    }
    h->text[used] = '\0';
    h->at = h->text;
    h->end = h->text + used;
    return ferror(file) ? error_set("%s: cannot be read", h->file) : 0;
}

static int header_read(struct history *h)
{
    if (csv_next(&h->csv) != 1)
        return error_set("%s: empty: accepted are JSON lines, and CSV with a header", h->file);
    for (int c = 0; c < HISTORY_COLUMNS; c++) {
        h->column[c] = -1;
        for (size_t i = 0; i < h->csv.count; i++)
            if (strcmp(h->csv.fields[i], columns[c]) == 0)
                h->column[c] = (int)i;
        if (h->column[c] < 0 && c <= TIME)
            return error_set("%s:1: there is no column %s", h->file, columns[c]);
    }
    return 0;
}

int history_open(struct history *h, const char *name)
{
    FILE *file = fopen(name, "r");

    *h = (struct history) {.file = name};
    if (file == NULL)
        return error_set("%s: cannot be opened", name);
    int bad = read_all(h, file);

    (void)fclose(file);
    if (bad != 0)
        return -1;
    h->is_csv = *h->text != '{';
    if (!h->is_csv)
        return 0;
    csv_begin(&h->csv, h->text, (size_t)(h->end - h->text));
    return header_read(h);
}

void history_close(struct history *h)
{
    free(h->text);
    buffer_free(&h->scan);
}

/* ── CSV ──────────────────────────────────────────────────────────────────── */

static const char *field(const struct history *h, int column)
{
    int at = h->column[column];

    return at >= 0 && (size_t)at < h->csv.count ? h->csv.fields[at] : "";
}

static const char *code_word(const char *word)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(words[i].word, word) == 0)
            return code_table[words[i].code].code;
    return word;
}

/* A text of `length` bytes at most, cut to what the scan's field takes. */
static void put_text(struct buffer *to, const char *name, const char *text, size_t length,
                     size_t length_max)
{
    char cut[SCAN_SCRATCH];

    length = strnlen(text, length < length_max ? length : length_max);
    memcpy(cut, text, length);
    cut[length] = '\0';
    json_text(to, name, cut);
}

/* RFC 3339; without a zone, UTC. */
static void put_moment(struct buffer *to, const char *name, const char *text)
{
    const char *clock = strchr(text, 'T');
    char        zoned[64];

    if (*text == '\0')
        return;
    (void)snprintf(zoned, sizeof zoned, "%.40s%s", text,
                   clock != NULL && strpbrk(clock, "Z+-") == NULL ? "Z" : "");
    json_text(to, name, zoned);
}

/* NAME=value;… */
static struct span extra_of(const char *extra, const char *name)
{
    size_t length = strlen(name);

    for (const char *at = extra; *at != '\0'; at += strspn(at, ";")) {
        size_t all = strcspn(at, ";");

        if (all > length && at[length] == '=' && memcmp(at, name, length) == 0)
            return (struct span) {at + length + 1, all - length - 1};
        at += all;
    }
    return (struct span) {"", 0};
}

static void put_extra(struct buffer *to, const char *extra, const char *name, const char *as,
                      size_t length_max)
{
    struct span value = extra_of(extra, name);

    if (value.length > 0)
        put_text(to, as, value.text, value.length, length_max);
}

/* REGION of "town-REGION": capitals behind the last hyphen. */
static struct span region_of(const char *city)
{
    const char *hyphen = strrchr(city, '-');
    size_t length = hyphen != NULL ? strlen(hyphen + 1) : 0;

    if (length == 0 || length > REGION_MAX
        || strspn(hyphen + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != length)
        return (struct span) {"", 0};
    return (struct span) {hyphen + 1, length};
}

static void put_place(struct buffer *to, const char *name, struct span region, struct span code)
{
    char whole[REGION_MAX + 1 + FACILITY_MAX + 1];
    int  region_length = (int)(region.length < REGION_MAX ? region.length : (size_t)REGION_MAX);
    int  code_length = (int)(code.length < FACILITY_MAX ? code.length : (size_t)FACILITY_MAX);

    if (code_length == 0)
        return;
    (void)snprintf(whole, sizeof whole, "%.*s%s%.*s", region_length, region.text,
                   region_length > 0 ? "-" : "", code_length, code.text);
    put_text(to, name, whole, SIZE_MAX, FACILITY_MAX);
}

static void row_write(struct history *h)
{
    struct buffer *to = &h->scan;
    const char    *extra = field(h, EXTRA);

    to->used = 0;
    json_raw(to, "{");
    json_text(to, "parcel", field(h, PARCEL));
    json_text(to, "code", code_word(field(h, CODE)));
    put_moment(to, "time", field(h, TIME));
    put_moment(to, "promise", field(h, PROMISE));
    const char *place = *field(h, PLACE) != '\0' ? field(h, PLACE) : "UNKNOWN";

    put_place(to, "facility", region_of(field(h, CITY)), (struct span) {place, strlen(place)});
    put_text(to, "carrier", field(h, CARRIER), strlen(field(h, CARRIER)), CARRIER_MAX);
    put_place(to, "dest", extra_of(extra, "dest_region"), extra_of(extra, "dest"));
    put_extra(to, extra, "origin", "origin", FACILITY_MAX);
    put_extra(to, extra, "next", "next", FACILITY_MAX);
    put_extra(to, extra, "service", "service", SERVICE_MAX);
    put_extra(to, extra, "mode", "service", SERVICE_MAX);
    json_raw(to, "}");
}

/* ── JSON lines ───────────────────────────────────────────────────────────── */

/* The string at `at`, its escapes undone, into the scan buffer; -1: none we read. */
static int unescape(struct buffer *to, const char *at)
{
    static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";

    to->used = 0;
    for (; *at != '"' && *at != '\0'; at++) {
        const char *known = *at == '\\' && at[1] != '\0' ? strchr(from, at[1]) : NULL;

        if (*at == '\\' && known == NULL)
            return -1;
        buffer_add(to, known != NULL ? &into[known - from] : at, 1);
        at += known != NULL;
    }
    return *at == '"' ? 0 : -1;
}

/* The next line that holds a scan, as the scan's own JSON.  1, 0, -1. */
static int line_next(struct history *h, const char **value, size_t *length)
{
    static const char payload[] = "\"payload\":";

    for (; h->at < h->end; ) {
        char *line = h->at, *stop = memchr(line, '\n', (size_t)(h->end - line));
        char *end = stop != NULL ? stop : h->end;

        *end = '\0';
        h->at = end + 1;
        h->line++;
        const char *inside = strncmp(line, "{\"topic\":", 9) == 0 ? strstr(line, payload) : NULL;

        if (*line == '\0' || (inside != NULL && inside[sizeof payload - 1] != '"'))
            continue; /* an empty line; a null value */
        *value = line;
        *length = (size_t)(end - line);
        if (inside == NULL)
            return 1;
        if (unescape(&h->scan, inside + sizeof payload) != 0)
            return error_set("%s:%u: payload is no text we can read", h->file, h->line);
        *value = h->scan.bytes;
        *length = h->scan.used;
        return 1;
    }
    return 0;
}

int history_next(struct history *h, struct scan *scan)
{
    static char    bytes[SCAN_SCRATCH];
    struct scratch scratch = {.bytes = bytes, .size = sizeof bytes};
    const char    *value = NULL;
    size_t         length = 0;
    int            more = h->is_csv ? csv_next(&h->csv) : line_next(h, &value, &length);

    if (more < 0)
        return h->is_csv ? error_add("%s:%u", h->file, h->csv.line) : -1;
    if (more == 0)
        return 0;
    if (h->is_csv) {
        row_write(h);
        value = h->scan.bytes;
        length = h->scan.used;
        h->line = h->csv.line;
    }
    struct verdict verdict = format_json.decode(value, length, NULL, 0, clock_wall_ms(), &scratch,
                                                scan);

    if (verdict.reject != REJECT_NONE)
        return error_set("%s:%u: no scan: %s%s%s", h->file, h->line, reject_name(verdict.reject),
                         *verdict.field != '\0' ? " " : "", verdict.field);
    return 1;
}
