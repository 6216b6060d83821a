/* reading.c - records into fields, and fields into values. */
#include "stages/reference/reading.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/check.h"
#include "pipeline/error.h"
#include "pipeline/text.h"

enum { FIRST_SIZE = 65536, SHOWN_MAX = 40 };

const char *reading_field(const struct reading *in, int column)
{
    int at = in->place[column];

    return at >= 0 && (size_t)at < in->csv.count ? in->csv.fields[at] : "";
}

int reading_refuse(const struct reading *in, int column, const char *accepted)
{
    const char *found = reading_field(in, column);

    return error_set("%s: found \"%.*s\", accepted %s", in->form->columns[column], SHOWN_MAX,
                     text_valid(found) ? found : "?", accepted);
}

int reading_text(const struct reading *in, int column, char *text, size_t size)
{
    const char *found = reading_field(in, column), *name = in->form->columns[column];

    if (strlen(found) >= size)
        return error_set("%s: found %zu bytes, accepted are %zu", name, strlen(found), size - 1);
    if (!text_valid(found))
        return error_set("%s: found bytes that are not UTF-8", name);
    memcpy(text, found, strlen(found) + 1);
    return 0;
}

int reading_code(const struct reading *in, int column, char *text, size_t size)
{
    if (*reading_field(in, column) == '\0')
        return error_set("%s: found nothing, accepted are 1 to %zu bytes",
                         in->form->columns[column], size - 1);
    return reading_text(in, column, text, size);
}

int reading_words(const struct reading *in, int column, char *words, size_t size, uint8_t most,
                  uint8_t *count)
{
    const char *at = reading_field(in, column), *name = in->form->columns[column];

    *count = 0;
    for (at += strspn(at, " "); *at != '\0'; at += strspn(at, " ")) {
        size_t length = strcspn(at, " ");

        if (*count == most)
            return error_set("%s: found more than %u words", name, most);
        if (length >= size)
            return error_set("%s: found a word of %zu bytes, accepted are %zu", name, length,
                             size - 1);
        memcpy(words + *count * size, at, length);
        words[*count * size + length] = '\0';
        if (!text_valid(words + *count * size))
            return error_set("%s: found bytes that are not UTF-8", name);
        (*count)++;
        at += length;
    }
    return 0;
}

int reading_degrees(const struct reading *in, int column, double most, float *degrees)
{
    const char *found = reading_field(in, column);
    char       *end = NULL;
    double      number = strtod(found, &end);

    if (*found == '\0' || *end != '\0' || !isfinite(number) || fabs(number) > most)
        return reading_refuse(in, column, most > 90 ? "are degrees from -180 to 180"
                                                    : "are degrees from -90 to 90");
    *degrees = (float)number;
    return 0;
}

int reading_country(const struct reading *in, int column, char country[3])
{
    const char *found = reading_field(in, column);
    bool        good = strlen(found) == 2;

    for (int i = 0; good && i < 2; i++)
        good = found[i] >= 'A' && found[i] <= 'Z';
    if (*found != '\0' && !good)
        return reading_refuse(in, column, "are two letters A-Z");
    memcpy(country, found, strlen(found) + 1);
    return 0;
}

int reading_number(const struct reading *in, int column, long least, long most, long fallback,
                   long *number)
{
    const char *found = reading_field(in, column);
    char       *end = NULL, accepted[64];

    *number = fallback;
    if (*found == '\0')
        return 0;
    *number = strtol(found, &end, 10);
    if (*end == '\0' && *number >= least && *number <= most)
        return 0;
    (void)snprintf(accepted, sizeof accepted, "are %ld to %ld", least, most);
    return reading_refuse(in, column, accepted);
}

int reading_bool(const struct reading *in, int column, bool *yes)
{
    const char *found = reading_field(in, column);

    *yes = strcmp(found, "yes") == 0;
    return *yes || *found == '\0' || strcmp(found, "no") == 0
               ? 0 : reading_refuse(in, column, "are yes and no");
}

/* Days since 1970-01-01 of a date in the proleptic Gregorian calendar (Hinnant). */
static int32_t day_of(int year, int month, int day)
{
    int y = year - (month <= 2), era = y / 400, of_era = y - era * 400;
    int of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

int reading_date(const struct reading *in, int column, int32_t *day)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const char *found = reading_field(in, column);
    int         y = 0, m = 0, d = 0, end = 0;
    bool        form = strlen(found) == 10
                    && sscanf(found, "%4d-%2d-%2d%n", &y, &m, &d, &end) == 3 && end == 10;
    bool        leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;

    if (!form || y < 1970 || m < 1 || m > 12 || d < 1
        || d > days[m - 1] + (m == 2 && leap))
        return reading_refuse(in, column, "is YYYY-MM-DD");
    *day = day_of(y, m, d);
    return 0;
}

/* ── The file ────────────────────────────────────────────────────────────────────────── */

static int read_header(struct reading *in)
{
    for (int c = 0; c < COLUMNS_MAX; c++)
        in->place[c] = -1;
    for (int c = 0; c < COLUMNS_MAX && in->form->columns[c] != NULL; c++) {
        for (size_t i = 0; i < in->csv.count; i++)
            if (strcmp(in->csv.fields[i], in->form->columns[c]) == 0)
                in->place[c] = (int)i;
        if (in->place[c] < 0 && in->form->must >> c & 1)
            return error_set("found no column \"%s\" in the header line", in->form->columns[c]);
    }
    return 0;
}

static int read_records(struct reading *in, void *self)
{
    int more = csv_next(&in->csv);

    if (more == 0)
        return error_set("found an empty file, accepted is a header line and what it heads");
    if (more > 0 && read_header(in) != 0)
        return -1;
    while (more > 0) {
        more = csv_next(&in->csv);
        if (more > 0 && in->form->row(in, self) != 0)
            return -1;
    }
    return more;
}

/* The whole file and one byte more; NULL with the error trail.  owns: the caller. */
static char *read_whole(const char *file, size_t *length)
{
    FILE  *f = fopen(file, "rb");
    char  *text = NULL;
    size_t size = 0, got = 1;

    *length = 0;
    while (f != NULL && got > 0) {
        size = size == 0 ? FIRST_SIZE : 2 * size;
        text = realloc(text, size);
        CHECK(text != NULL);
        got = fread(text + *length, 1, size - 1 - *length, f);
        *length += got;
    }
    if (f == NULL || ferror(f)) {
        (void)error_set("%s: %s", file, strerror(errno));
        free(text);
        text = NULL;
    }
    if (f != NULL)
        (void)fclose(f);
    return text;
}

int reading_file(const char *file, const struct form *form, void *self)
{
    struct reading in = {.form = form};
    size_t         length = 0;
    char          *text = read_whole(file, &length);

    if (text == NULL)
        return -1;
    csv_begin(&in.csv, text, length);
    int bad = read_records(&in, self);

    if (bad != 0)
        (void)error_add("%s:%u", file, in.csv.line);
    free(text);
    return bad;
}
