/* passage.h - what travels between source_kafka, decode and track: scans of one
 * partition, or an event in a partition's ownership, with the answer on its way back.
 *
 * RAW and SCANS batches both have a struct passage as head; decode copies facts
 * forward and answers back.  Facts and events reach track in the order in which
 * the source saw them, so an ASSIGN always precedes the scans of its assignment.
 */
#ifndef STAGES_INTAKE_PASSAGE_H
#define STAGES_INTAKE_PASSAGE_H

#include <stdint.h>

#include "stages/kinds.h"
#include "stages/scan/scan.h"



enum passage_event {
    PASSAGE_SCANS = 0,  /* records; `facts` filled                                         */
    PASSAGE_ASSIGN,     /* claim this partition; returns when loaded, with ANSWER_START     */
    PASSAGE_PULSE,      /* once a second and when the end is reached: clock, lag; takes
                           COMMIT, RECLAIM and STOP answers home                           */
    PASSAGE_REVOKE,     /* checkpoint what is done, let go; returns with ANSWER_COMMIT or
                           ANSWER_NONE                                                     */
    PASSAGE_LOST        /* the group took it away: let go at once, write nothing           */
};

enum passage_answer {
    ANSWER_NONE = 0,
    ANSWER_START,       /* consume from `offset`; verify record offset − 1 against check_*  */
    ANSWER_COMMIT,      /* `offset` may be committed to the group                           */
    ANSWER_RECLAIM,     /* mark is not ours any more, or Redis went back: claim again        */
    ANSWER_STOP         /* refuses to go on; `text` says why; stays stopped until restart    */
};

/* What the group's commit found at assignment is. */
enum group_kind {
    GROUP_NONE,         /* no commit                                                        */
    GROUP_START,        /* metadata "peakline start": where a first start began              */
    GROUP_OURS,         /* "peakline <epoch> <hash>", our configuration's hash: suppresses   */
    GROUP_OURS_CHANGED, /* the same with another hash: suppresses nothing                    */
    GROUP_FOREIGN       /* anything else, a person's reset: suppresses nothing, says nothing   */
};

struct passage {
    uint8_t  event;            /* enum passage_event */
    uint8_t  answer;           /* enum passage_answer */
    uint8_t  group;            /* enum group_kind; with ASSIGN */

    /* facts, source → track */
    int32_t  partitions;       /* of the topic: a key's home is home % partitions          */
    int64_t  first;            /* ASSIGN: where a claim begins that finds no mark            */
    int64_t  low, high;        /* ASSIGN, PULSE: the log's ends as last known; -1 = unknown  */
    int64_t  complete_ms;      /* PULSE: all records before this wall time have been read
                                  (idle advance); 0 = unknown                               */
    int64_t  suppress_below;   /* SCANS: outputs of offsets below are not repeated           */
    int64_t  settled;          /* SCANS, PULSE: dead letters below are acknowledged (decode)  */
    uint32_t skipped, rejected; /* SCANS: null values and dead letters in this batch         */

    /* answers, track → source */
    int64_t  offset;           /* START, COMMIT                                              */
    uint64_t epoch;            /* START, COMMIT                                              */
    int64_t  check_kafka_ms;   /* START: of record offset − 1; check_valid says whether known */
    uint32_t check_home;
    uint8_t  check_valid;
    char     text[160];        /* STOP: a sentence                                           */
};

/* A record of a RAW batch: one Kafka message, as the consumer port gives it. */
struct raw {
    const char *value;         /* NULL = null value                                          */
    const char *key;           /* NULL = none                                                */
    uint32_t    length;
    uint32_t    key_length;
    int64_t     offset;
    int64_t     kafka_ms;      /* -1 = none                                                  */
    void       *message;       /* the port's handle: headers, release                         */
};

/* A record of a REJECTS batch. */
struct rejected {
    struct raw  raw;
    enum reject reject;
    const char *field;         /* static */
};

enum { RAW_RECORDS = 512, SCANS_RECORDS = 512, REJECTS_RECORDS = 64 };

#endif
