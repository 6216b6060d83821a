/* mark.h - the position a partition's Redis state is true for, and who wrote it.
 *
 * One Redis string per partition, plain words so that a person can read it:
 *   "1 12 512 <epoch> <owner> <sequence> <offset> <clock_ms> <records> <kafka_ms> <home>"
 * format, partitions, buckets, …; kafka_ms and home are those of record offset − 1
 * (home -1 = none).  Written by compare-and-set only; compared as text.
 */
#ifndef STAGES_OUTLET_MARK_H
#define STAGES_OUTLET_MARK_H

#include <stddef.h>
#include <stdint.h>

enum { MARK_FORMAT = 1, MARK_TEXT_MAX = 256, KEY_MAX = 768 /* of a key, with its NUL */ };

struct mark {
    uint32_t partitions;   /* of the topic, at creation                                */
    uint32_t buckets;      /* of this partition, at creation                           */
    uint64_t epoch;        /* max(stored + 1, Unix µs) at the claim                    */
    uint64_t owner;        /* random token of the claim                                */
    uint64_t sequence;     /* checkpoints under this epoch                             */
    int64_t  offset;       /* next offset to process                                   */
    int64_t  clock_ms;     /* partition clock                                          */
    uint64_t records;      /* parcels in the buckets                                   */
    int64_t  kafka_ms;     /* timestamp of record offset − 1, -1 = none                 */
    int64_t  home;         /* murmur2 of its key, -1 = none                            */
};

/* NUL-terminated; returns the length. */
size_t mark_print(const struct mark *, char text[MARK_TEXT_MAX]);

/* 0; -1 with the error trail: not a mark, or a format this binary does not know. */
int mark_parse(const char *text, size_t length, struct mark *);

/* Same epoch, owner and sequence. */
int mark_same(const struct mark *, const struct mark *);

/* "{GROUP:TOPIC:PARTITION}:SUFFIX"; NUL-terminated, returns the length. */
size_t key_print(char *text, size_t size, const char *group, const char *topic,
                 int32_t partition, const char *suffix);

#endif
