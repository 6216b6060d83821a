/* search.h - `peakload search`: the highest rate that keeps the limits. */
#ifndef PEAKLOAD_SEARCH_H
#define PEAKLOAD_SEARCH_H

/* The command.  Returns an exit code. */
int search_main(int argc, char **argv);

#endif
