/* sense.h - do the settings make sense together? */
#ifndef STAGES_COMMAND_SENSE_H
#define STAGES_COMMAND_SENSE_H

struct config;

/* Looks at what one value alone does not tell: limits that contradict each other, addresses,
 * librdkafka's settings, the files that these name.  It asks no server.  0; -1, error trail
 * "FILE:LINE: PATH: found …, accepted …".  thread: any. */
int sense_check(const struct config *);

#endif
