/* csv.h - one record after another of a CSV text (RFC 4180), in place.
 *
 * Quoted fields may hold commas, line ends and doubled quotes.  A first line
 * beginning with a byte-order mark is read behind it.
 */
#ifndef STAGES_REFERENCE_CSV_H
#define STAGES_REFERENCE_CSV_H

#include <stddef.h>

enum { CSV_FIELDS_MAX = 32 };

struct csv {
    char        *at, *end;      /* text not yet read; changed while it is read             */
    unsigned     line;          /* that the record just read began in, from 1                */
    unsigned     next_line;
    size_t       count;
    const char  *fields[CSV_FIELDS_MAX]; /* NUL-terminated, inside the text                  */
};

/* `text` has one writable byte more than `length`.  owns: the caller keeps the text. */
void csv_begin(struct csv *, char *text, size_t length);

/* 1 = a record is in fields, 0 = the end, -1 with the error trail.  Empty lines are passed. */
int csv_next(struct csv *);

#endif
