/* serve_rows.h - the settings that the room serve asks for, for tests of it by itself. */
#ifndef TESTS_UNIT_SERVE_ROWS_H
#define TESTS_UNIT_SERVE_ROWS_H

#include "pipeline/config.h"
#include "stages/outlet/redis_place.h"

static const struct config_row rows[] = {
    {"kafka.group", CONFIG_TEXT, "g", 0, 0, NULL, "group", false, false},
    {"kafka.topics.scans", CONFIG_TEXT, "scans", 0, 0, NULL, "topic", false, false},
    {"kafka.partitioner", CONFIG_CHOICE, "murmur2", 0, 0, "murmur2|any", "kind", false, false},
    REDIS_PLACE_ROWS("localhost:1"),
    {"redis.timeout", CONFIG_DURATION, "5s", 100, 600000, NULL, "timeout", false, false},
    {"http.listen", CONFIG_TEXT, "127.0.0.1:0", 0, 0, NULL, "address", false, false},
    {"http.token", CONFIG_TEXT, "", 0, 0, NULL, "token", false, false},
};

#endif
