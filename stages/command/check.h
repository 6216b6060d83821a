/* check.h - what the parts of `peakline check` share; nobody else includes it. */
#ifndef STAGES_COMMAND_CHECK_H
#define STAGES_COMMAND_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "stages/outlet/buffer.h"

struct config;

/* Lines as they are found, for people; or collected as JSON. */
struct report {
    bool          json;
    int           failures;
    struct buffer out;      /* JSON: members of the array `checks` */
    struct buffer costs;    /* JSON: members of the array `memory` */
};

/* "ok      WHAT: …" and "FAILED  WHAT: …" with how it is put right below it. */
void report_ok(struct report *, const char *what, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void report_failed(struct report *, const char *what, const char *fix, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* What a limit costs; `why`: which. */
void report_cost(struct report *, const char *what, int64_t bytes, const char *why);

/* What each limit costs.  `partitions`: so many are reckoned with.  Fails when the limits
 * together are more than the memory there is. */
void check_memory(struct report *, const struct config *, int64_t partitions);
int  check_memory_fits(const struct config *, int64_t partitions); /* -1 with the error trail */

/* Brokers and topics; returns the scan topic's partitions, 0 = not known. */
int64_t check_kafka(struct report *, const struct config *);

/* Redis: answers, keeps what it is given, takes our writes; its state fits the topic. */
void check_redis(struct report *, const struct config *, int64_t partitions);

#endif
