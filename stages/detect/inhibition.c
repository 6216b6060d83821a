/* inhibition.c - the inhibition table. */
#include "stages/detect/inhibition.h"

#include "stages/detect/detectors/all.h"

#define TYPE(name) (1u << DETECTOR_##name)

/* Who says better what is the matter. */
#define EXPLAINED \
    (TYPE(CUSTOMS_HELD) | TYPE(UNCOLLECTED) | TYPE(DAMAGED) | TYPE(RETURNING) | TYPE(LOST))

static const struct {
    uint8_t  type;
    uint32_t by;
} table[] = {
    {DETECTOR_STALLED, EXPLAINED},
    {DETECTOR_MISSED_DEPARTURE, EXPLAINED},
    {DETECTOR_PROMISE_AT_RISK, EXPLAINED},
};

/* What only closes with the parcel. */
#define OUTLIVES (TYPE(WEIGHT_MISMATCH) | TYPE(NUMBER_REUSED) | TYPE(DOUBTFUL_DELIVERY))
/* What the last scan itself may show. */
#define ABOUT_A_SCAN (TYPE(CLOCK_SKEW) | TYPE(OUT_OF_ORDER) | TYPE(IMPOSSIBLE_TRAVEL))

bool alert_inhibited(uint8_t type, uint32_t open)
{
    for (unsigned i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].type == type)
            return (table[i].by & open) != 0;
    return false;
}

bool alert_survives(uint8_t type, enum parcel_state state)
{
    return (OUTLIVES >> type & 1) || (type == DETECTOR_LOST && state == STATE_LOST);
}

bool alert_may_begin(uint8_t type, enum parcel_state state)
{
    return !state_terminal(state) || alert_survives(type, state) || (ABOUT_A_SCAN >> type & 1);
}
