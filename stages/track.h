/* track.h - the stage that owns parcels. */
#ifndef STAGES_TRACK_H
#define STAGES_TRACK_H

#include "pipeline/stage.h"

extern const struct stage_type stage_track;

#endif
