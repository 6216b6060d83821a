/* scanjson.h - one scan as JSON, the form of topic `scans`. */
#ifndef PEAKLOAD_SCANJSON_H
#define PEAKLOAD_SCANJSON_H

#include <stddef.h>
#include <stdint.h>

#include "bench/peakload/life.h"

enum { SCAN_JSON_MAX = 1024 };

/* Writes the scan of one step at `out`, not NUL-terminated; returns its length.  time_ms is
 * the event time. */
size_t scan_json(char out[SCAN_JSON_MAX], const struct world *, const struct life *,
                 const struct step *, int64_t time_ms);

#endif
