/* start.c - where a first start begins. */
#include "stages/intake/start.h"

#include <string.h>

#include "pipeline/config.h"
#include "pipeline/error.h"
#include "stages/scan/format.h"

int start_read(const struct config *config, struct start *start)
{
    const char *text = config_text(config, "kafka.start");

    *start = (struct start){.kind = START_EARLIEST};
    if (strcmp(text, "earliest") == 0)
        return 0;
    start->kind = START_LATEST;
    if (strcmp(text, "latest") == 0)
        return 0;
    start->kind = START_TIME;
    if (time_parse(text, strlen(text), &start->unix_ms) == 0)
        return 0;
    (void)error_set("found \"%s\", accepted is earliest, latest, or a time like "
                    "2026-11-11T00:00:00+08:00", text);
    return config_blame(config, "kafka.start");
}
