/* settings.h - every setting of Peakline, declared once. */
#ifndef STAGES_SETTINGS_H
#define STAGES_SETTINGS_H

#include <stddef.h>

#include "pipeline/config.h"

/* The product's rows followed by those of the detectors.  owns: static. */
const struct config_row *settings_rows(size_t *count);

/* Hash of every setting that decides what outputs say; metadata of each group commit. */
uint64_t settings_hash(const struct config *);

#endif
