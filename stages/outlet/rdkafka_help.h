/* rdkafka_help.h - what librdkafka would have accepted: its reasons only say what it did not. */
#ifndef STAGES_OUTLET_RDKAFKA_HELP_H
#define STAGES_OUTLET_RDKAFKA_HELP_H

/* Adds to the error trail, which holds librdkafka's reason, the nearest property's name, or
 * the values that this one takes.  Always -1.  thread: any. */
int rdkafka_help(const char *property);

#endif
