/* codes.c - THE table of scan codes, and how a text finds its row.
 *
 * Sources: GS1 Core Business Vocabulary 2.0 (bizStep, disposition), UPU EMSEVT V3.
 * Where a vocabulary has no word for what happened, the place is empty: a wrong
 * word would be believed.
 *
 * Physical = somebody had the parcel in hand.  A label, a declaration, a change
 * of address, a message and a write-off are made at a desk.
 */
#include "stages/scan/codes.h"

#include <string.h>

#include "pipeline/check.h"
#include "stages/scan/word.h"

enum { DESK = 0, HAND = 1, ANYWHERE = 0, NAMED = 1 };

#define ROW(code_, name_, state_, physical_, facility_, step_, disposition_, emsevt_)       \
    [SCAN_##code_] = {                                                                      \
        .code = #code_, .name = name_, .state = STATE_##state_, .physical = physical_,      \
        .terminal = false, .facility = facility_, .biz_step = step_,                        \
        .disposition = disposition_, .emsevt = emsevt_}
#define END(code_, name_, state_, physical_, facility_, step_, disposition_, emsevt_)       \
    [SCAN_##code_] = {                                                                      \
        .code = #code_, .name = name_, .state = STATE_##state_, .physical = physical_,      \
        .terminal = true, .facility = facility_, .biz_step = step_,                         \
        .disposition = disposition_, .emsevt = emsevt_}

const struct code_info code_table[SCAN_CODES] = {
    [SCAN_NONE] = {.code = "", .name = "", .biz_step = "", .disposition = "", .emsevt = ""},
    ROW(LABEL, "labelled", LABELLED, DESK, ANYWHERE, "commissioning", "active", ""),
    ROW(DECLARED, "declared to customs", DECLARED, DESK, ANYWHERE, "", "in_progress", ""),
    ROW(PICKUP, "collected", COLLECTED, HAND, NAMED, "collecting", "in_transit", "EMA"),
    ROW(ARRIVE, "arrived", IN_TRANSIT, HAND, NAMED, "arriving", "in_transit", "EMJ"),
    ROW(DEPART, "departed", IN_TRANSIT, HAND, NAMED, "departing", "in_transit", "EMK"),
    ROW(SORT, "sorted", IN_TRANSIT, HAND, NAMED, "", "in_transit", "EDD"),
    ROW(LOAD, "loaded", IN_TRANSIT, HAND, NAMED, "loading", "in_transit", ""),
    ROW(UNLOAD, "unloaded", IN_TRANSIT, HAND, NAMED, "unloading", "in_transit", ""),
    ROW(HANDOVER, "handed over", IN_TRANSIT, HAND, NAMED, "shipping", "in_transit", ""),
    ROW(EXPORT_IN, "presented to export customs", EXPORT_CUSTOMS, HAND, NAMED, "inspecting",
        "in_progress", "EXA"),
    ROW(EXPORT_HELD, "held by export customs", EXPORT_CUSTOMS, HAND, NAMED, "holding",
        "in_progress", "EXB"),
    ROW(EXPORT_OUT, "released by export customs", IN_TRANSIT, HAND, NAMED, "inspecting",
        "in_transit", "EXC"),
    ROW(UPLIFT, "on the line-haul", LINE_HAUL, HAND, NAMED, "departing", "in_transit", "EMC"),
    ROW(LANDED, "landed", LINE_HAUL, HAND, NAMED, "arriving", "in_transit", "EMD"),
    ROW(IMPORT_IN, "presented to import customs", IMPORT_CUSTOMS, HAND, NAMED, "inspecting",
        "in_progress", "EDB"),
    ROW(IMPORT_HELD, "held by import customs", IMPORT_CUSTOMS, HAND, NAMED, "holding",
        "in_progress", "EME"),
    ROW(IMPORT_OUT, "released by import customs", IN_TRANSIT, HAND, NAMED, "inspecting",
        "in_transit", "EDC"),
    ROW(OUT_FOR_DELIVERY, "out for delivery", WITH_COURIER, HAND, NAMED, "transporting",
        "in_transit", "EDG"),
    ROW(ATTEMPT_FAILED, "delivery attempt failed", WITH_COURIER, HAND, NAMED, "",
        "in_transit", "EMH"),
    ROW(STATION_IN, "waiting at a station", AT_STATION, HAND, NAMED, "storing", "available",
        "EDH"),
    END(DELIVERED, "delivered", DELIVERED, HAND, NAMED, "accepting", "", "EMI"),
    ROW(RETURN_START, "on its way back", RETURNING, HAND, NAMED, "shipping", "returned", ""),
    END(RETURNED, "returned", RETURNED, HAND, NAMED, "accepting", "returned", ""),
    ROW(REROUTED, "rerouted", UNKNOWN, DESK, NAMED, "", "in_transit", ""),
    ROW(DAMAGED, "damaged", UNKNOWN, HAND, NAMED, "inspecting", "damaged", ""),
    ROW(REFUSED, "refused", UNKNOWN, HAND, NAMED, "", "in_transit", "EMH"),
    ROW(BAD_ADDRESS, "address not found", UNKNOWN, HAND, NAMED, "", "in_transit", "EMH"),
    END(LOST, "lost", LOST, DESK, NAMED, "", "unknown", ""),
    END(DESTROYED, "destroyed", DESTROYED, HAND, NAMED, "destroying", "destroyed", ""),
    END(CANCELLED, "cancelled", CANCELLED, DESK, ANYWHERE, "void_shipping", "inactive", ""),
    ROW(INFO, "noted", UNKNOWN, DESK, ANYWHERE, "", "", ""),
};

#define SLOT(...) WORD_SLOT(WORD(__VA_ARGS__), 0xb2ed5c4d97381c93u)

static const uint8_t slots[64] = {
    [SLOT('L', 'A', 'B', 'E', 'L')]                = SCAN_LABEL,
    [SLOT('D', 'E', 'C', 'L', 'A', 'R', 'E', 'D')] = SCAN_DECLARED,
    [SLOT('P', 'I', 'C', 'K', 'U', 'P')]           = SCAN_PICKUP,
    [SLOT('A', 'R', 'R', 'I', 'V', 'E')]           = SCAN_ARRIVE,
    [SLOT('D', 'E', 'P', 'A', 'R', 'T')]           = SCAN_DEPART,
    [SLOT('S', 'O', 'R', 'T')]                     = SCAN_SORT,
    [SLOT('L', 'O', 'A', 'D')]                     = SCAN_LOAD,
    [SLOT('U', 'N', 'L', 'O', 'A', 'D')]           = SCAN_UNLOAD,
    [SLOT('H', 'A', 'N', 'D', 'O', 'V', 'E', 'R')] = SCAN_HANDOVER,
    [SLOT('E', 'X', 'P', 'O', 'R', 'T', '_', 'I')] = SCAN_EXPORT_IN,
    [SLOT('E', 'X', 'P', 'O', 'R', 'T', '_', 'H')] = SCAN_EXPORT_HELD,
    [SLOT('E', 'X', 'P', 'O', 'R', 'T', '_', 'O')] = SCAN_EXPORT_OUT,
    [SLOT('U', 'P', 'L', 'I', 'F', 'T')]           = SCAN_UPLIFT,
    [SLOT('L', 'A', 'N', 'D', 'E', 'D')]           = SCAN_LANDED,
    [SLOT('I', 'M', 'P', 'O', 'R', 'T', '_', 'I')] = SCAN_IMPORT_IN,
    [SLOT('I', 'M', 'P', 'O', 'R', 'T', '_', 'H')] = SCAN_IMPORT_HELD,
    [SLOT('I', 'M', 'P', 'O', 'R', 'T', '_', 'O')] = SCAN_IMPORT_OUT,
    [SLOT('O', 'U', 'T', '_', 'F', 'O', 'R', '_')] = SCAN_OUT_FOR_DELIVERY,
    [SLOT('A', 'T', 'T', 'E', 'M', 'P', 'T', '_')] = SCAN_ATTEMPT_FAILED,
    [SLOT('S', 'T', 'A', 'T', 'I', 'O', 'N', '_')] = SCAN_STATION_IN,
    [SLOT('D', 'E', 'L', 'I', 'V', 'E', 'R', 'E')] = SCAN_DELIVERED,
    [SLOT('R', 'E', 'T', 'U', 'R', 'N', '_', 'S')] = SCAN_RETURN_START,
    [SLOT('R', 'E', 'T', 'U', 'R', 'N', 'E', 'D')] = SCAN_RETURNED,
    [SLOT('R', 'E', 'R', 'O', 'U', 'T', 'E', 'D')] = SCAN_REROUTED,
    [SLOT('D', 'A', 'M', 'A', 'G', 'E', 'D')]      = SCAN_DAMAGED,
    [SLOT('R', 'E', 'F', 'U', 'S', 'E', 'D')]      = SCAN_REFUSED,
    [SLOT('B', 'A', 'D', '_', 'A', 'D', 'D', 'R')] = SCAN_BAD_ADDRESS,
    [SLOT('L', 'O', 'S', 'T')]                     = SCAN_LOST,
    [SLOT('D', 'E', 'S', 'T', 'R', 'O', 'Y', 'E')] = SCAN_DESTROYED,
    [SLOT('C', 'A', 'N', 'C', 'E', 'L', 'L', 'E')] = SCAN_CANCELLED,
    [SLOT('I', 'N', 'F', 'O')]                     = SCAN_INFO,
};

enum scan_code code_find(const char *text, size_t length)
{
    uint64_t       word = word_of(text, length);
    enum scan_code code = slots[WORD_SLOT(word, 0xb2ed5c4d97381c93u)];
    const char    *name = code_table[code].code;

    return length > 0 && strlen(name) == length && memcmp(name, text, length) == 0 ? code
                                                                                   : SCAN_NONE;
}

static const struct {
    const char *name;
    bool        terminal;
} states[STATES] = {
    [STATE_UNKNOWN]        = {"unknown", false},
    [STATE_LABELLED]       = {"labelled", false},
    [STATE_DECLARED]       = {"declared to customs", false},
    [STATE_COLLECTED]      = {"collected", false},
    [STATE_IN_TRANSIT]     = {"in transit", false},
    [STATE_EXPORT_CUSTOMS] = {"in export customs", false},
    [STATE_LINE_HAUL]      = {"on the line-haul", false},
    [STATE_IMPORT_CUSTOMS] = {"in import customs", false},
    [STATE_WITH_COURIER]   = {"with the courier", false},
    [STATE_AT_STATION]     = {"waiting at a station", false},
    [STATE_DELIVERED]      = {"delivered", true},
    [STATE_RETURNING]      = {"returning", false},
    [STATE_RETURNED]       = {"returned", true},
    [STATE_LOST]           = {"lost", true},
    [STATE_DESTROYED]      = {"destroyed", true},
    [STATE_CANCELLED]      = {"cancelled", true},
};

const char *state_name(enum parcel_state state)
{
    CHECK((unsigned)state < STATES);
    return states[state].name;
}

bool state_terminal(enum parcel_state state)
{
    CHECK((unsigned)state < STATES);
    return states[state].terminal;
}
