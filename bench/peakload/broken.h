/* broken.h - messages that are no scan: one for every reason a consumer has to refuse one.
 *
 * Each is made from a good scan and has exactly one thing wrong with it; its header
 * `peakload-expect` names the reason to be found in the dead-letter topic, or "skipped"
 * for the null value, which is counted and no dead letter.
 */
#ifndef PEAKLOAD_BROKEN_H
#define PEAKLOAD_BROKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BROKEN_BYTES_MAX = 1000000, BROKEN_KEY_MAX = 64 };

struct broken {
    char  *value;               /* BROKEN_BYTES_MAX + 1024 bytes; owns: the caller           */
    size_t length;
    char   key[BROKEN_KEY_MAX];
    size_t key_length;
    const char *expect;         /* static */
    bool   null;                /* no value at all                                           */
    bool   stray;               /* to be sent to a partition that is not the key's home       */
};

/* Makes the n-th broken message of a run out of a good scan and its parcel number: reasons
 * take turns, and each has several forms.  Without `strayable` (one partition) no message
 * is stray. */
void broken_make(struct broken *, uint64_t n, const char *scan, size_t length, const char *number,
                 size_t number_length, bool strayable);

#endif
