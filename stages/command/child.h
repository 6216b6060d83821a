/* child.h - programs the demo starts and ends: one at a time by id, never by name. */
#ifndef STAGES_COMMAND_CHILD_H
#define STAGES_COMMAND_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

struct child {
    pid_t pid;      /* 0 = none */
    char  name[32];
};

/* Starts argv[0] (found by PATH) with both outputs going to `log_file`; it ends when we die.
 * 0, or -1 with the error trail. */
int  child_start(struct child *, const char *const argv[], const char *log_file);

/* Has it ended by itself?  `status` is waitpid's. */
bool child_ended(struct child *, int *status);

/* SIGTERM, a grace of 5 s, SIGKILL; waits. */
void child_stop(struct child *);

/* A TCP port on loopback that was free a moment ago; -1 with the error trail. */
int  child_port_free(void);

#endif
