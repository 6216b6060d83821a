/* reading.h - one reference file, row after row, its columns found by name.
 *
 * Columns may stand in any order; those that nobody asks for are ignored.  The first
 * mistake refuses the whole file: half a reference would switch detectors on for half the
 * network.  Errors are -1 with the error trail "FILE:LINE: COLUMN: found …, accepted …".
 */
#ifndef STAGES_REFERENCE_READING_H
#define STAGES_REFERENCE_READING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stages/reference/csv.h"

enum { COLUMNS_MAX = 8 };

struct reading;

struct form {
    const char *columns[COLUMNS_MAX];   /* their names, NULL-ended                          */
    unsigned    must;                   /* set of columns that have to be there             */
    size_t      row_size;               /* of the table that it fills                       */
    int (*row)(struct reading *, void *self);   /* 0, or -1 with what is wrong                */
};

struct reading {
    struct csv         csv;
    const struct form *form;
    int                place[COLUMNS_MAX]; /* of a column in a record, -1 = not there         */
};

/* Calls form->row for each record. */
int reading_file(const char *file, const struct form *, void *self);

/* What stands in a column of this record; "" = nothing. */
const char *reading_field(const struct reading *, int column);

/* Text of less than `size` bytes, UTF-8; copied. */
int reading_text(const struct reading *, int column, char *text, size_t size);
/* A text that has to be there. */
int reading_code(const struct reading *, int column, char *text, size_t size);
/* Words between spaces, each of less than `size` bytes, `most` of them. */
int reading_words(const struct reading *, int column, char *words, size_t size, uint8_t most,
                  uint8_t *count);
int reading_degrees(const struct reading *, int column, double most, float *degrees);
/* Two capitals, or nothing. */
int reading_country(const struct reading *, int column, char country[3]);
/* A whole number from least to most; `fallback` where nothing stands. */
int reading_number(const struct reading *, int column, long least, long most, long fallback,
                   long *number);
/* "yes" or "no", which is also what nothing means. */
int reading_bool(const struct reading *, int column, bool *yes);
/* YYYY-MM-DD as days since 1970-01-01. */
int reading_date(const struct reading *, int column, int32_t *day);

/* "COLUMN: found "…", accepted …"; always -1. */
int reading_refuse(const struct reading *, int column, const char *accepted);

#endif
