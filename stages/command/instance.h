/* instance.h - one running pipeline: what `run` and `demo` share. */
#ifndef STAGES_COMMAND_INSTANCE_H
#define STAGES_COMMAND_INSTANCE_H

#include <stdint.h>

struct config;

/* Builds the graph, opens HTTP, runs until a signal or instance_stop, drains.
 * 0 = drained clean; -1 with the error trail.  thread: blocks the caller. */
int instance_run(const struct config *);

/* Asks a running instance to drain; again: at once.  thread: any; async-signal-safe. */
void instance_stop(void);

/* SIGTERM and SIGINT call instance_stop; SIGPIPE and, until reload.h takes it, SIGHUP are
 * ignored. */
void instance_signals(void);

/* Records of the scan topic not yet processed, over all partitions that are ours; -1 while
 * none is.  thread: any. */
int64_t instance_lag(void);

#endif
