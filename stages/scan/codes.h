/* codes.h - the canonical scan codes, in one table.
 *
 * A code says what happened; the table says which state it leads to and how the
 * rest of the world names it (GS1 EPCIS bizStep and disposition, UPU EMSEVT).
 */
#ifndef STAGES_SCAN_CODES_H
#define STAGES_SCAN_CODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Five bits in a record's history: the numbers are stored, so they never change. */
enum scan_code {
    SCAN_NONE = 0,
    SCAN_LABEL, SCAN_DECLARED, SCAN_PICKUP,
    SCAN_ARRIVE, SCAN_DEPART, SCAN_SORT, SCAN_LOAD, SCAN_UNLOAD, SCAN_HANDOVER,
    SCAN_EXPORT_IN, SCAN_EXPORT_HELD, SCAN_EXPORT_OUT, SCAN_UPLIFT, SCAN_LANDED,
    SCAN_IMPORT_IN, SCAN_IMPORT_HELD, SCAN_IMPORT_OUT,
    SCAN_OUT_FOR_DELIVERY, SCAN_ATTEMPT_FAILED, SCAN_STATION_IN, SCAN_DELIVERED,
    SCAN_RETURN_START, SCAN_RETURNED, SCAN_REROUTED, SCAN_DAMAGED, SCAN_REFUSED,
    SCAN_BAD_ADDRESS, SCAN_LOST, SCAN_DESTROYED, SCAN_CANCELLED, SCAN_INFO,
    SCAN_CODES
};

/* Stored in records: the numbers never change. */
enum parcel_state {
    STATE_UNKNOWN = 0, STATE_LABELLED, STATE_DECLARED, STATE_COLLECTED, STATE_IN_TRANSIT,
    STATE_EXPORT_CUSTOMS, STATE_LINE_HAUL, STATE_IMPORT_CUSTOMS, STATE_WITH_COURIER,
    STATE_AT_STATION, STATE_DELIVERED, STATE_RETURNING, STATE_RETURNED, STATE_LOST,
    STATE_DESTROYED, STATE_CANCELLED,
    STATES
};

struct code_info {
    const char       *code;        /* "OUT_FOR_DELIVERY"                                */
    const char       *name;        /* "out for delivery"                                */
    enum parcel_state state;       /* state it leads to; STATE_UNKNOWN = leaves it       */
    bool              physical;    /* somebody had the parcel in hand                   */
    bool              terminal;
    bool              facility;    /* a facility must be named                          */
    const char       *biz_step;    /* EPCIS 2.0, short name                             */
    const char       *disposition; /* EPCIS 2.0, short name or ""                       */
    const char       *emsevt;      /* UPU EMSEVT, or ""                                 */
};

extern const struct code_info code_table[SCAN_CODES];

/* SCAN_NONE when the text is no canonical code. */
enum scan_code code_find(const char *text, size_t length);

const char *state_name(enum parcel_state);          /* "in transit" */
bool        state_terminal(enum parcel_state);

#endif
