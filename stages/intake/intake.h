/* intake.h - the stages of this room. */
#ifndef STAGES_INTAKE_INTAKE_H
#define STAGES_INTAKE_INTAKE_H

#include "pipeline/stage.h"

/* Most that decode takes for texts written with escapes; touched only as they come. */
enum { DECODE_SCRATCH = 80 << 20 };

extern const struct stage_type stage_source_kafka; /* scans out of Kafka, by partition     */
extern const struct stage_type stage_decode;       /* bytes to scans, or to the reject edge */
extern const struct stage_type stage_dead_letter;  /* what is no scan, with the reason      */

#endif
