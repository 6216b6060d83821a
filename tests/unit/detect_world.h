/* detect_world.h - one world for each test of a file, and the words all of them use. */
#ifndef TESTS_UNIT_DETECT_WORLD_H
#define TESTS_UNIT_DETECT_WORLD_H

#include "tests/unit/detect_sequences.h"

static struct world w;

/* Without reference data. */
static inline int open_world(void **state)
{
    (void)state;
    world_open(&w, NULL, "");
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    world_close(&w);
    return 0;
}

static inline uint32_t at(double hours)
{
    return (uint32_t)(T0 + hours * HOUR);
}

static inline void expect_open(enum detector_number type, enum severity severity, double hours)
{
    (void)expect_change(&w, type, ALERT_OPENED, severity, at(hours));
}

#endif
