/* graph - the topology table as a picture. */
#include <stdio.h>

#include "pipeline/config.h"
#include "pipeline/graph.h"
#include "stages/command/command.h"
#include "stages/topology.h"

static int run(int argc, char **argv)
{
    struct command_line line;
    struct config      *config;
    int                 code = command_options(&command_graph, NULL, argc, argv, &line);

    if (code != COMMAND_GO_ON)
        return code;
    if (line.operands_count > 0)
        return command_misused(&command_graph, "no operand is wanted: %s", line.operands[0]);
    code = command_config(&line, &config);
    if (code != COMMAND_GO_ON)
        return code;
    graph_print(topology_plan(config), stdout);
    config_destroy(config);
    return 0;
}

const struct command command_graph = {
    .name     = "graph",
    .operands = "",
    .summary  = "print stages, links and threads as Graphviz dot",
    .about    = "Prints what the configuration builds: every stage, the links between them with\n"
                "batch kind and depth, and which thread runs which stage, as Graphviz dot:\n\n"
                "  peakline graph | dot -Tsvg > peakline.svg",
    .run      = run,
};
