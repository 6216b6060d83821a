/* reload.h - SIGHUP: thresholds, calendars and reference data anew, while the pipeline runs.
 *
 * What the command line named is read again and checked whole; only then do the workers turn
 * to it, each between two batches (detect/rulebook.h).  A mistake is logged and leaves in
 * force what was.  Settings outside detectors, services and reference take effect at the
 * next start; that they differ is logged.
 */
#ifndef STAGES_COMMAND_RELOAD_H
#define STAGES_COMMAND_RELOAD_H

struct command_line;
struct config;

/* From now on SIGHUP reloads, in a thread of its own.  owns: the caller keeps both until
 * reload_stop.  thread: one, before the pipeline runs. */
void reload_start(const struct command_line *, const struct config *in_force);

/* Waits for one that is under way; SIGHUP is ignored again.  thread: as reload_start. */
void reload_stop(void);

#endif
