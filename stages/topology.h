/* topology.h - which stages there are, how they are joined, and on which runner. */
#ifndef STAGES_TOPOLOGY_H
#define STAGES_TOPOLOGY_H

#include "pipeline/config.h"
#include "pipeline/graph.h"

/* The plan for this configuration.  owns: static; the last call's. */
const struct graph_plan *topology_plan(const struct config *);

#endif
