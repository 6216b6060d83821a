/* verify.h - `peakload verify`: what came of a run, against what was sent. */
#ifndef PEAKLOAD_VERIFY_H
#define PEAKLOAD_VERIFY_H

/* The command.  Returns an exit code. */
int verify_main(int argc, char **argv);

#endif
