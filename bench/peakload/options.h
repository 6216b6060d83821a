/* options.h - the options of a command as a table: reading and --help both follow it. */
#ifndef PEAKLOAD_OPTIONS_H
#define PEAKLOAD_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

enum option_kind {
    OPTION_HEADING,        /* its name is a line of the help                                 */
    OPTION_FLAG,           /* bool                                                           */
    OPTION_TEXT,           /* const char *; points into argv                                 */
    OPTION_INTEGER,        /* int64_t within from … to                                       */
    OPTION_REAL,           /* double within from … to                                        */
    OPTION_DURATION,       /* int64_t, ms                                                    */
    OPTION_OTHER           /* take() reads it; where argument is NULL, its text is NULL too  */
};

struct option_row {
    enum option_kind kind;
    const char *name;      /* without dashes; one letter = a short option                    */
    const char *argument;  /* in the help                                                    */
    const char *help;      /* lines                                                          */
    size_t      at;        /* where the value goes, within the group's `self`                */
    double      from, to;
    int       (*take)(void *self, const char *text);   /* 0, or -1 having said why           */
};

enum { OPTION_GROUPS_MAX = 12, OPTION_ROWS_MAX = 96 };

/* The rows that one struct takes. */
struct option_group {
    void       *self;
    const struct option_row *row;
    size_t      rows;
};

struct command {
    const char *name;
    const char *usage;     /* the help's head: synopsis and what it does                      */
    const char *closing;   /* its foot: exit codes                                           */
    int         operands_min, operands_max;
    struct option_group group[OPTION_GROUPS_MAX];
};

#define OPTION_ROWS(rows) (rows), sizeof(rows) / sizeof *(rows)
#define OPTION_MANY 1e15   /* a bound where there is none */

/* Reads the command line.  0, with the operands at argv[*operand …]; 1: help was shown;
 * -1 having said what is wrong. */
int options_read(const struct command *, int argc, char **argv, int *operand);

/* One of `count` words: its index, or -1 having said which there are. */
int option_choice(const char *name, const char *text, const char *const *words, int count);

#endif
