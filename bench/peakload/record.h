/* record.h - `peakload record`: what topics hold, as a file that replays. */
#ifndef PEAKLOAD_RECORD_H
#define PEAKLOAD_RECORD_H

/* The command.  Returns an exit code. */
int record_main(int argc, char **argv);

#endif
