/* attend.h - a thread beside a running pipeline, for what wants doing now and then.
 *
 * It puts the Redis Function library in place as soon as Redis lets it; tells systemd that the
 * program is ready, is stopping, and, as long as it makes progress, that it lives; and answers
 * at the control socket.
 */
#ifndef STAGES_COMMAND_ATTEND_H
#define STAGES_COMMAND_ATTEND_H

#include <stdbool.h>

struct config;

/* What control asks of the instance.  thread: attend's; none may block. */
struct attend_hooks {
    bool (*healthy)(void *self);   /* runners turn, and each partition moves or is at its end */
    bool (*stopping)(void *self);
    void  *self;
};

/* 0, or -1 with the error trail: control.socket cannot be made.
 * owns: the caller keeps the configuration until attend_stop.  thread: one. */
int  attend_start(const struct config *, const struct attend_hooks *);
void attend_stop(void);

/* One line to systemd ("READY=1"); nothing where systemd did not start us.  thread: any. */
void attend_notify(const char *line);

#endif
