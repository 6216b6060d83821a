/* history.h - files of scans for `backtest`: JSON lines, recordings, CSV; one scan after another.
 *
 *   {"parcel":…}                  the scan's own JSON, one a line
 *   {"topic":…,"payload":"…"}     what `kcat -J` writes
 *   parcel_id,event_code,…        CSV with a header: parcel_id, event_code and event_time must be
 *                                 there; facility, city, carrier, promised_time, extra may be.
 *                                 `extra` is NAME=value;…, of which dest, dest_region, next,
 *                                 origin and service or mode are read.  Codes of places begin
 *                                 with what is larger: where a city ends in -REGION, or a
 *                                 dest_region is given, that goes before the place's code.
 *                                 Times without a zone are taken as UTC.
 */
#ifndef STAGES_COMMAND_HISTORY_H
#define STAGES_COMMAND_HISTORY_H

#include "stages/outlet/buffer.h"
#include "stages/reference/csv.h"
#include "stages/scan/scan.h"

enum { HISTORY_COLUMNS = 8 };

struct history {
    const char   *file;
    char         *text;                    /* all of it                                  */
    char         *at, *end;                /* JSON lines not yet read                     */
    unsigned      line;
    struct csv    csv;
    int           column[HISTORY_COLUMNS]; /* -1 = not there                              */
    bool          is_csv;
    struct buffer scan;                    /* of a line that had to be written anew        */
};

/* Reads the file.  0; -1 with the error trail.  owns: the caller, until history_close. */
int  history_open(struct history *, const char *file);
/* 1 = a scan, whose texts are valid until the next call; 0 = the end; -1 with the error trail:
 * file, line, and what is wrong. */
int  history_next(struct history *, struct scan *);
void history_close(struct history *);

#endif
