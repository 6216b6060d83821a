/* config_value.c - one value: from text to number, and what would have been accepted.
 *
 * Numbers carry their unit, so that nobody has to guess one; only 0 needs none.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/check.h"
#include "pipeline/config_parts.h"
#include "pipeline/env.h"
#include "pipeline/error.h"

struct unit {
    const char *name;
    int64_t     size;
};

static const struct unit durations[] = {
    {"d", 86400000}, {"h", 3600000}, {"min", 60000}, {"s", 1000}, {"ms", 1}, {NULL, 0},
};
static const struct unit sizes[] = {
    {"TiB", INT64_C(1) << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1},
    {NULL, 0},
};

static const struct unit *units_of(enum config_kind kind)
{
    CHECK(kind == CONFIG_DURATION || kind == CONFIG_BYTES);
    CHECK(durations[0].size > 0 && sizes[0].size > 0);
    return kind == CONFIG_DURATION ? durations : sizes;
}

static bool parse_integer(const char *text, int64_t *number)
{
    const char *digits = text[0] == '-' ? text + 1 : text;

    CHECK(text != NULL);
    CHECK(number != NULL);
    if (digits[0] == '\0' || strspn(digits, "0123456789") != strlen(digits))
        return false;
    errno = 0;
    *number = strtoll(text, NULL, 10);
    return errno == 0;
}

static bool parse_real(const char *text, double *number)
{
    char *end = NULL;

    CHECK(text != NULL);
    CHECK(number != NULL);
    if (text[0] == '\0' || strspn(text, "0123456789+-.eE") != strlen(text))
        return false; /* neither hexadecimal, nor nan, nor blanks */
    *number = strtod(text, &end);
    return *end == '\0' && isfinite(*number);
}

static bool parse_scaled(const char *text, const struct unit *units, int64_t *number)
{
    char    digits[24] = "";
    size_t  length = strspn(text, "0123456789");
    int64_t count = 0;

    CHECK(units != NULL);
    CHECK(number != NULL);
    if (length == 0 || length >= sizeof digits)
        return false;
    memcpy(digits, text, length);
    if (!parse_integer(digits, &count))
        return false;
    *number = 0;
    if (count == 0 && text[length] == '\0')
        return true;
    for (; units->name != NULL; units++)
        if (strcmp(text + length, units->name) == 0)
            return !__builtin_mul_overflow(count, units->size, number);
    return false;
}

static bool parse_choice(const char *text, const char *choices)
{
    size_t length = strlen(text);

    CHECK(choices != NULL);
    CHECK(choices[0] != '\0');
    while (length > 0) {
        size_t choice = strcspn(choices, "|");

        if (choice == length && memcmp(choices, text, length) == 0)
            return true;
        if (choices[choice] == '\0')
            return false;
        choices += choice + 1;
    }
    return false;
}

static bool parse(const struct config_row *row, const char *text, struct config_value *value)
{
    bool good = false;

    CHECK(row != NULL);
    CHECK(value != NULL);
    switch (row->kind) {
    case CONFIG_TEXT:
        return true;
    case CONFIG_CHOICE:
        return parse_choice(text, row->choices);
    case CONFIG_BOOL:
        value->integer = strcmp(text, "true") == 0;
        good = value->integer != 0 || strcmp(text, "false") == 0;
        break;
    case CONFIG_INTEGER:
        good = parse_integer(text, &value->integer);
        break;
    case CONFIG_DURATION:
    case CONFIG_BYTES:
        good = parse_scaled(text, units_of(row->kind), &value->integer);
        break;
    case CONFIG_REAL:
        return parse_real(text, &value->real);
    }
    value->real = (double)value->integer;
    return good;
}

static bool is_number(enum config_kind kind)
{
    return kind == CONFIG_INTEGER || kind == CONFIG_REAL || kind == CONFIG_DURATION
           || kind == CONFIG_BYTES;
}

static bool within(const struct config_row *row, const struct config_value *value)
{
    CHECK(row != NULL);
    CHECK(value != NULL);
    if (!is_number(row->kind) || (row->least == 0 && row->most == 0))
        return true;
    return value->real >= row->least && (row->most < row->least || value->real <= row->most);
}

/* A bound in the largest unit that leaves it whole. */
static int print_bound(const struct config_row *row, double bound, char *text, size_t size)
{
    CHECK(row != NULL);
    CHECK(text != NULL);
    if (row->kind == CONFIG_INTEGER || row->kind == CONFIG_REAL)
        return snprintf(text, size, "%.15g", bound);
    int64_t whole = (int64_t)bound;
    for (const struct unit *unit = units_of(row->kind); unit->name != NULL; unit++)
        if (whole != 0 && whole % unit->size == 0)
            return snprintf(text, size, "%" PRId64 "%s", whole / unit->size, unit->name);
    return snprintf(text, size, "0");
}

void config_accepted(const struct config_row *row, char *text, size_t size)
{
    static const char *const words[] = {
        [CONFIG_TEXT]     = "text",
        [CONFIG_CHOICE]   = "",
        [CONFIG_BOOL]     = "true or false",
        [CONFIG_INTEGER]  = "a whole number",
        [CONFIG_REAL]     = "a number",
        [CONFIG_DURATION] = "a duration like 250ms, 1s, 30min, 12h or 10d",
        [CONFIG_BYTES]    = "a size like 64KiB, 512MiB or 2GiB",
    };
    char least[32], most[32];

    CHECK(row != NULL && row->kind <= CONFIG_BYTES);
    CHECK(text != NULL && size > 0);
    if (row->kind == CONFIG_CHOICE) {
        (void)snprintf(text, size, "one of %s", row->choices);
    } else if (!is_number(row->kind) || (row->least == 0 && row->most == 0)) {
        (void)snprintf(text, size, "%s", words[row->kind]);
    } else {
        (void)print_bound(row, row->least, least, sizeof least);
        (void)print_bound(row, row->most, most, sizeof most);
        if (row->most < row->least)
            (void)snprintf(text, size, "%s, at least %s", words[row->kind], least);
        else
            (void)snprintf(text, size, "%s from %s to %s", words[row->kind], least, most);
    }
}

int config_parse(const struct config_row *row, const char *text, struct config_value *value)
{
    char expanded[CONFIG_TEXT_SIZE], accepted[512];

    CHECK(row != NULL);
    CHECK(text != NULL && value != NULL);
    if (row->environment && row->kind == CONFIG_TEXT) {
        if (env_expand(text, expanded, sizeof expanded) != 0)
            return -1;
        text = expanded;
    }
    *value = (struct config_value) {0};
    if (!parse(row, text, value) || !within(row, value)) {
        config_accepted(row, accepted, sizeof accepted);
        if (row->secret)
            return error_set("found something else, accepted is %s", accepted);
        return error_set("found \"%s\", accepted is %s", text, accepted);
    }
    value->text = strdup(text);
    CHECK(value->text != NULL);
    return 0;
}

void config_canonical(const struct config_row *row, const struct config_value *value, char *text,
                      size_t size)
{
    CHECK(row != NULL && value != NULL);
    CHECK(text != NULL && size >= CONFIG_TEXT_SIZE);
    if (row->kind == CONFIG_TEXT || row->kind == CONFIG_CHOICE)
        (void)snprintf(text, size, "%s", value->text);
    else if (row->kind == CONFIG_REAL)
        (void)snprintf(text, size, "%.17g", value->real);
    else
        (void)snprintf(text, size, "%" PRId64, value->integer);
}
