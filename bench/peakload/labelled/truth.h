/* truth.h - what really happens to a parcel, and the file that says so.
 *
 * JSON lines.  A happening:
 *   {"type","parcel","cause","start","end","amount","of","usual","border","may"}
 * `start` and `end` are moments of the world (null: it lasts to the world's end).  `amount` is
 * how much of it: seconds (of working time where that is what counts), metres, grams, attempts;
 * `of` what it is measured against; `usual` how long 99 of 100 untouched parcels take there;
 * `border`: customs had seen it by then; `may`: it follows from another happening of the parcel,
 * and may be told or not.
 *   {"confuser","parcel"}   looks like trouble and is none: nothing else may be told of it
 *   {"late","parcel","promise","arrival","began","excused"}   a parcel that misses its promise
 *   {"tally",…}             the last line: how many scans, repeats, parcels
 */
#ifndef PEAKLOAD_LABELLED_TRUTH_H
#define PEAKLOAD_LABELLED_TRUTH_H

#include <stdbool.h>
#include <stdint.h>

/* Times are Unix seconds; 0 = never. */
struct truth {
    const char *type;
    int64_t start_s, end_s;
    int64_t amount, of, usual;
    bool    may, border;         /* border: it has met customs by then                        */
};

struct lateness {
    int64_t promise_s, arrival_s, began_s;
    bool    excused;             /* a better explanation is open: held, returning, …          */
};

struct tally {
    uint64_t parcels, scans, repeats, near, caused, confused;
};

struct truth_file;

/* NULL having said why. */
struct truth_file *truth_open(const char *file);

void truth_write(struct truth_file *, const char *parcel, int length, const char *cause,
                 const struct truth *);
void truth_confuser(struct truth_file *, const char *parcel, int length, const char *confuser);
void truth_late(struct truth_file *, const char *parcel, int length, const char *cause,
                const struct lateness *);

/* Writes the tally, unless the run did not end (NULL), and closes.  0, or -1 having said why. */
int truth_close(struct truth_file *, const struct tally *);

#endif
