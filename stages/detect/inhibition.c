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
    {DETECTOR_PROMISE_AT_RISK, EXPLAINED},
};

bool alert_inhibited(uint8_t type, uint32_t open)
{
    for (unsigned i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].type == type)
            return (table[i].by & open) != 0;
    return false;
}

bool alert_survives(uint8_t type, enum parcel_state state)
{
    return type == DETECTOR_LOST && state == STATE_LOST;
}
