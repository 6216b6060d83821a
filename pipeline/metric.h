/* metric.h - counters, gauges and histograms: defined once, with a sentence; written by one
 * thread, read by any.
 *
 * Who counts declares `static const struct metric_info` beside the code that
 * counts and asks at init for one metric per label set.  metric_add costs a
 * plain load and store (one writer), so it may stand on the hot path.
 */
#ifndef PIPELINE_METRIC_H
#define PIPELINE_METRIC_H

#include <stddef.h>
#include <stdint.h>

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric_info {
    const char      *name; /* without prefix, Prometheus style: "scans_total"   */
    const char      *help; /* one sentence                                       */
    enum metric_kind kind;
};

struct metric; /* one time series */

/* A series of `info` with `labels`, Prometheus syntax without braces
 * ("stage=\"decode\",reason=\"bad-json\"") or "".  The same info and labels give
 * the same series.  Never NULL: beyond METRIC_SERIES_MAX it CHECKs.
 * owns: the registry, for the life of the process.  thread: any, init only. */
struct metric *metric_open(const struct metric_info *info, const char *labels);

/* The series is no longer exported (a partition was revoked); opening it again
 * brings it back, from zero.  thread: its one writer. */
void metric_close(struct metric *);

void     metric_add(struct metric *, uint64_t count); /* thread: its one writer */
void     metric_set(struct metric *, int64_t value);  /* thread: its one writer */
int64_t  metric_value(const struct metric *);         /* thread: any            */

/* Counts a duration in a METRIC_HISTOGRAM, whose name ends in "_seconds": bounds from 1 ms to
 * 60 s.  A few loads and stores; metric_value is how many there were.
 * thread: its one writer. */
void     metric_observe(struct metric *, uint64_t ns);

/* Writes all open series in Prometheus text format with `prefix` before each name
 * ("peakline_").  Returns the length needed, which may exceed `size` (like snprintf).
 * thread: any. */
size_t metric_print(const char *prefix, char *text, size_t size);

/* Sum over the open series of one name; for tests and the end-of-run summary.
 * thread: any. */
int64_t metric_sum(const char *name);

enum { METRIC_SERIES_MAX = 16384 };

#endif
