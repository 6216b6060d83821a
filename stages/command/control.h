/* control.h - the control socket: who may open the file may tell the instance what to do.
 *
 * One line is asked ("reload", "drain"), one is answered ("ok: …" or "error: …").  There is
 * no control over HTTP.
 */
#ifndef STAGES_COMMAND_CONTROL_H
#define STAGES_COMMAND_CONTROL_H

/* Listens at the path, mode 0600.  A socket that nobody listens at any more is replaced.
 * The descriptor, or -1 with the error trail.  thread: any. */
int  control_listen(const char *path);
void control_close(int listener, const char *path);   /* thread: any; -1 = nothing */

/* Takes one caller, gives it a second to ask, answers.  thread: attend's. */
void control_answer(int listener);

#endif
