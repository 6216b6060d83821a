/* options.c - getopt_long's rows and the help, from one table. */
#include "bench/peakload/options.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/peakload/say.h"
#include "bench/peakload/times.h"

enum { CODES = 256, HELP_COLUMN = 22 };

/* getopt's view of a command. */
struct rows {
    struct option long_row[OPTION_ROWS_MAX + 2];
    const struct option_row *row[OPTION_ROWS_MAX];
    void *self[OPTION_ROWS_MAX];
    char  letters[OPTION_ROWS_MAX * 2 + 2];
    int   count, longs;
};

static int read_integer(const struct option_row *row, const char *text, int64_t *value)
{
    char *end;
    long long read = strtoll(text, &end, 10);

    if (end == text || *end != '\0' || (double)read < row->from || (double)read > row->to)
        return say("--%s %s: want a whole number from %.0f to %.0f", row->name, text, row->from,
                   row->to);
    *value = read;
    return 0;
}

static int read_real(const struct option_row *row, const char *text, double *value)
{
    char  *end;
    double read = strtod(text, &end);

    if (end == text || *end != '\0' || !(read >= row->from) || !(read <= row->to))
        return say("--%s %s: want a number from %g to %g", row->name, text, row->from, row->to);
    *value = read;
    return 0;
}

static int take(const struct option_row *row, void *self, const char *text)
{
    void *target = (char *)self + row->at;

    switch (row->kind) {
    case OPTION_FLAG:
        *(bool *)target = true;
        return 0;
    case OPTION_TEXT:
        *(const char **)target = text;
        return 0;
    case OPTION_INTEGER:
        return read_integer(row, text, target);
    case OPTION_REAL:
        return read_real(row, text, target);
    case OPTION_DURATION:
        if (duration_read(text, target) == 0)
            return 0;
        return say("--%s %s: want a duration (250ms, 90, 90s, 15m, 12h, 3d)", row->name, text);
    case OPTION_OTHER:
        return row->take(self, text);
    default:
        return -1;
    }
}

int option_choice(const char *name, const char *text, const char *const *words, int count)
{
    char   list[256] = "";
    size_t used = 0;

    for (int i = 0; i < count; i++) {
        if (strcmp(text, words[i]) == 0)
            return i;
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i == 0 ? "" :
                                 i == count - 1 ? " or " : ", ", words[i]);
    }
    return say("--%s %s: want %s", name, text, list);
}

static void add_row(struct rows *r, const struct option_row *row, void *self)
{
    bool argument = row->argument != NULL;

    r->row[r->count] = row;
    r->self[r->count] = self;
    if (row->name[1] == '\0') {
        size_t used = strlen(r->letters);

        snprintf(r->letters + used, sizeof r->letters - used, "%s%s", row->name,
                 argument ? ":" : "");
    } else {
        r->long_row[r->longs++] = (struct option) {
            row->name, argument ? required_argument : no_argument, NULL, CODES + r->count};
    }
    r->count++;
}

static void gather(struct rows *r, const struct command *c)
{
    *r = (struct rows) {.letters = "h"};
    for (int g = 0; g < OPTION_GROUPS_MAX; g++)
        for (size_t i = 0; i < c->group[g].rows && r->count < OPTION_ROWS_MAX; i++)
            if (c->group[g].row[i].kind != OPTION_HEADING)
                add_row(r, &c->group[g].row[i], c->group[g].self);
    r->long_row[r->longs++] = (struct option) {"help", no_argument, NULL, 'h'};
    r->long_row[r->longs] = (struct option) {NULL, 0, NULL, 0};
}

/* The option's name and argument, then the help's lines in a column of their own. */
static void print_row(const struct option_row *row)
{
    const char *text = row->help;
    int used = printf("  %s%s%s%s", row->name[1] == '\0' ? "-" : "--", row->name,
                      row->argument ? " " : "", row->argument ? row->argument : "");

    if (used >= HELP_COLUMN) {
        putchar('\n');
        used = 0;
    }
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");

        printf("%*s%.*s\n", HELP_COLUMN - used, "", (int)length, text);
        used = 0;
        text += length + (text[length] != '\0');
    }
}

static void print_help(const struct command *c)
{
    fputs(c->usage, stdout);
    for (int g = 0; g < OPTION_GROUPS_MAX; g++)
        for (size_t i = 0; i < c->group[g].rows; i++) {
            const struct option_row *row = &c->group[g].row[i];

            if (row->kind == OPTION_HEADING)
                printf("%s\n", row->name);
            else
                print_row(row);
        }
    printf("  --help              this\n\n%s", c->closing);
}

/* The row of a code that getopt gave, or -1. */
static int row_of(const struct rows *r, int code)
{
    if (code >= CODES)
        return code - CODES;
    for (int i = 0; i < r->count; i++)
        if (r->row[i]->name[0] == code && r->row[i]->name[1] == '\0')
            return i;
    return -1;
}

static int check_operands(const struct command *c, int argc, char **argv)
{
    if (argc - optind > c->operands_max && c->operands_max == 0)
        return say("%s: %s takes options only", argv[optind], c->name);
    if (argc - optind < c->operands_min || argc - optind > c->operands_max)
        return say("%s wants %d FILE%s (peakload %s --help)", c->name, c->operands_min,
                   c->operands_min == 1 ? "" : "s", c->name);
    return 0;
}

int options_read(const struct command *c, int argc, char **argv, int *operand)
{
    struct rows r;
    int code;

    gather(&r, c);
    optind = 1;
    while ((code = getopt_long(argc, argv, r.letters, r.long_row, NULL)) != -1) {
        int i = row_of(&r, code);

        if (code == 'h') {
            print_help(c);
            return 1;
        }
        if (i < 0 || take(r.row[i], r.self[i], optarg) != 0)
            return -1;
    }
    *operand = optind;
    return check_operands(c, argc, argv);
}
