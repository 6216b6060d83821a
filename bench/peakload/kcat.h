/* kcat.h - the envelope of `kcat -J`: one JSON object a line, the message inside.
 *
 *   {"topic":"scans","partition":3,"offset":17,"tstype":"create","ts":1762790400000,
 *    "broker":0,"headers":["name","value"],"key":"ZT1","payload":"{\"parcel\":…}"}
 *
 * Bytes that are no UTF-8 stand as base64, which kcat does not know: "key_base64",
 * "payload_base64", and {"base64":"…"} as a header's value.
 */
#ifndef PEAKLOAD_KCAT_H
#define PEAKLOAD_KCAT_H

#include <stdio.h>

#include "bench/peakload/sender.h"

/* A line read.  key, payload and headers point into `text`, which is reused.
 * owns: kcat_free(). */
struct kcat {
    char   *text;
    size_t  room, used;
    struct message message;       /* kafka_ms -1 = the line had no ts; partition -1 = none   */
    struct header  header[HEADERS_MAX];
    const char *header_name;      /* while reading: a name that waits for its value           */
    size_t  header_name_length;
    const char *fault;            /* why a line was refused; static */
};

/* 0, or -1 with errno: the stream does not take it. */
int kcat_write(FILE *, const char *topic, int32_t partition, int64_t offset,
               const struct message *);

/* Reads one line into k->message.  0; -1 with k->fault. */
int kcat_read(struct kcat *k, const char *line, size_t length);

void kcat_free(struct kcat *);

#endif
