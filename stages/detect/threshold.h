/* threshold.h - a number that decides when a detector speaks: a setting with a default.
 *
 * It stands in the detector's own struct; configuration (rules.c), `peakline detectors`
 * and the pages of README.md follow.
 */
#ifndef STAGES_DETECT_THRESHOLD_H
#define STAGES_DETECT_THRESHOLD_H

#include <stdint.h>

enum { THRESHOLDS_MAX = 4, THRESHOLD_TEXT = 32 };

/* What configuration accepts of each; anything else is a mistake that it names. */
enum threshold_kind {
    THRESHOLD_DURATION,   /* seconds; written "1s" to "400d"                               */
    THRESHOLD_COUNT,      /* 1 to 10,000                                                   */
    THRESHOLD_PERCENT,    /* 0 to 100                                                      */
    THRESHOLD_GRAMS,      /* 1 to 1,000,000                                                */
    THRESHOLD_METRES      /* 1 to 1,000,000                                                */
};

struct threshold {
    const char         *name;      /* configuration: detectors.TYPE.NAME                      */
    enum threshold_kind kind;
    int64_t             fallback;  /* its default, in the kind's unit                       */
    const char         *help;
};

/* Its default as people write it: "12h", "30 %", "500 g".  thread: any. */
void threshold_print(const struct threshold *, char text[THRESHOLD_TEXT]);

struct config;
struct config_row;

/* The setting that it is, but for its path; its default goes into `fallback`, as configuration
 * has it, which must live as long as the row.  And what such a setting says, in the kind's unit. */
struct config_row threshold_row(const struct threshold *, char fallback[THRESHOLD_TEXT]);
int64_t threshold_value(const struct config *, const char *path, enum threshold_kind);

#endif
