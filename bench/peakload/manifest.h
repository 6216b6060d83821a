/* manifest.h - what a run was: so that another can repeat it, and a sceptic compare. */
#ifndef PEAKLOAD_MANIFEST_H
#define PEAKLOAD_MANIFEST_H

#include "bench/peakload/output.h"

/* Writes a JSON object: versions, the command's arguments (NULL at their end), librdkafka's
 * settings with secrets masked, the machine, the time.  0, or -1 having said why. */
int manifest_write(const char *file, char *const *arguments, const struct output *);

#endif
