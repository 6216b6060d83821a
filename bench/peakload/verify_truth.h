/* verify_truth.h - what `generate --truth` wrote, and what was told of it: one entry for each pair
 * of a subject and a type.
 */
#ifndef PEAKLOAD_VERIFY_TRUTH_H
#define PEAKLOAD_VERIFY_TRUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TYPES_MAX = 48, TYPE_TEXT = 24, SUBJECT_TEXT = 48 };

/* Times are Unix seconds, 0 = never. */
struct entry {
    char     subject[SUBJECT_TEXT];   /* "" = a free slot                                     */
    uint8_t  type;                    /* of truth.type                                       */
    bool     happened, may;           /* it did; it may be told                               */
    double   magnitude;               /* against its threshold: told from 1 on                */
    int64_t  start_s, end_s;
    int64_t  after_s;                 /* from the start: when it has lasted long enough        */
    bool     told, open, warning;     /* an alert; not resolved; ever more than info          */
    uint64_t id;                      /* of the latest alert                                 */
    int64_t  sequence;
    int64_t  told_s;                  /* when the first was opened                           */
    uint32_t confuser;                /* of a parcel: 1 + index, 0 = none                     */
    int64_t  began_s;                 /* of TYPE_LATE: when the cause began                  */
    bool     excused;
};

struct tallied {
    int64_t parcels, scans, repeats, near;
};

struct truth_table {
    struct entry *entry;
    size_t   slots, used;
    char     type[TYPES_MAX][TYPE_TEXT];
    int      types;
    char     confuser[TYPES_MAX][TYPE_TEXT];
    int      confusers;
    struct tallied tally;
};

/* Not types of alerts: what a parcel is said to be. */
#define TYPE_LATE     "(late)"
#define TYPE_CONFUSER "(confuser)"

void truth_table_make(struct truth_table *);
void truth_table_free(struct truth_table *);

/* Reads a file's lines.  0, or -1 having said what is wrong, with file and line. */
int truth_table_read(struct truth_table *, const char *file);

/* The index of a type, a new one if need be. */
int truth_table_type(struct truth_table *, const char *name, size_t length);

/* The entry, a new one if need be; valid until the next call. */
struct entry *truth_table_entry(struct truth_table *, const char *subject, size_t length, int type);

/* The entry; NULL = none. */
const struct entry *truth_table_find(const struct truth_table *, const char *subject, int type);

#endif
