/* all.c - the table made from the list, and how a detector is found in it. */
#include "stages/detect/detectors/all.h"

#include <stddef.h>
#include <string.h>

#include "pipeline/check.h"

_Static_assert((int)DETECTORS <= (int)DETECTORS_MAX, "ids have five bits, and one is the house's");

const struct detector *const detector_table[DETECTORS_MAX + 1] = {
#define ROW_TABLE(name, NAME) [DETECTOR_##NAME] = &detector_##name,
    DETECTOR_LIST(ROW_TABLE)
#undef ROW_TABLE
};

const struct detector *detector_find(const char *type)
{
    for (int i = 0; i < DETECTORS; i++)
        if (strcmp(detector_table[i]->type, type) == 0)
            return detector_table[i];
    return NULL;
}

uint8_t detector_id(const struct detector *detector)
{
    uint8_t id = 0;

    while (id < DETECTORS && detector_table[id] != detector)
        id++;
    CHECK(id < DETECTORS);
    return id;
}

const char *owner_name(enum alert_owner owner)
{
    static const char *const names[] = {"facility", "courier", "customs", "shipper", "carrier"};

    CHECK((size_t)owner < sizeof names / sizeof names[0]);
    return names[owner];
}
