/* mapping.h - how the columns of a CSV file become the fields of a scan.
 *
 * A mapping is a YAML file.  Each name of a scan's field has a rule:
 *
 *   facility: {column: facility, take: 8, otherwise: UNKNOWN}
 *
 *   column: NAME     the value is this column's          (one of these
 *   extra: NAME      … NAME=value; in the extra column    three)
 *   constant: TEXT   … always this
 *   take: N          only its first N characters
 *   prefix: TEXT     put before it
 *   map: {A: B}      A becomes B; a value not listed is an error, or `otherwise`
 *   otherwise: TEXT  stands for an empty value
 *   only: [CODE]     the field is left out with other codes
 *
 * and beside the fields `settings: {extra: COLUMN, separator: ";", zone: "-03:00"}`.
 */
#ifndef PEAKLOAD_MAPPING_H
#define PEAKLOAD_MAPPING_H

#include <stdbool.h>
#include <stddef.h>

enum { FIELDS_MAX = 24, COLUMNS_MAX = 64, PAIRS_MAX = 64, RULE_TEXT_MAX = 64 };

enum field_kind { FIELD_TEXT, FIELD_TIME, FIELD_NUMBER };

enum rule_source { SOURCE_COLUMN, SOURCE_EXTRA, SOURCE_CONSTANT };

struct rule {
    const char      *field;                   /* of the scan; static */
    enum field_kind  kind;
    enum rule_source source;
    char             name[RULE_TEXT_MAX];     /* column's or extra's name, or the constant */
    int              column;                  /* SOURCE_COLUMN: found in the header         */
    size_t           take;                    /* 0 = all                                    */
    char             prefix[RULE_TEXT_MAX], otherwise[RULE_TEXT_MAX];
    bool             has_otherwise;
    int              pairs, onlys;
    char             from[PAIRS_MAX][RULE_TEXT_MAX], to[PAIRS_MAX][RULE_TEXT_MAX];
    char             only[PAIRS_MAX][RULE_TEXT_MAX];
};

struct mapping {
    const char *file;
    int         rules, extra;                 /* extra: its column, -1 = none */
    char        extra_name[RULE_TEXT_MAX], separator;
    int         zone_minutes;
    struct rule rule[FIELDS_MAX];
};

/* Rules `parcel`, `code` and `time` come first, in this order.  0, or -1 having said
 * FILE:LINE and what. */
int mapping_read(struct mapping *, const char *file);

/* Finds the rules' columns in the header.  0, or -1 having said which is missing. */
int mapping_bind(struct mapping *, const char *csv, char *const *columns, int count);

/* The value of a rule in a row, into out.  1: there is one; 0: none; -1: a value that `map`
 * does not list. */
int mapping_value(const struct mapping *, const struct rule *, char *const *row, char *out,
                  size_t size);

/* Is the rule's field wanted with this code? */
bool mapping_wants(const struct rule *, const char *code);

#endif
