/* outlet.h - the stages of this room. */
#ifndef STAGES_OUTLET_OUTLET_H
#define STAGES_OUTLET_OUTLET_H

#include "pipeline/stage.h"

extern const struct stage_type stage_checkpoint;  /* the gate: acknowledgements, mark, order */
extern const struct stage_type stage_store_redis; /* requests to Redis and their answers     */
extern const struct stage_type stage_sink_kafka;  /* outputs to Kafka and their receipts     */

#endif
