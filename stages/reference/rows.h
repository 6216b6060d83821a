/* rows.h - a table read from a file: rows of one size, found by the text they begin with. */
#ifndef STAGES_REFERENCE_ROWS_H
#define STAGES_REFERENCE_ROWS_H

#include <stddef.h>
#include <stdint.h>

struct rows {
    size_t    row_size;      /* set by the owner; a row begins with its key, NUL-ended       */
    size_t    count, size;
    char     *list;
    uint32_t *slots;         /* index + 1; 0 = empty                                        */
    size_t    slots_mask;
};

/* NULL = not there.  owns: the table, until the next rows_add. */
void *rows_find(const struct rows *, const char *key);

/* Copies the row; NULL: its key is there already. */
void *rows_add(struct rows *, const void *row);
void *rows_at(const struct rows *, size_t index);
void  rows_free(struct rows *);

#endif
