/* json_read.h - the first step of the JSON decoder: where each known field's value
 * stands in the bytes, and that all of them are JSON.
 */
#ifndef STAGES_SCAN_FORMATS_JSON_READ_H
#define STAGES_SCAN_FORMATS_JSON_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stages/scan/scan.h"

/* In the order in which they are judged. */
enum json_field {
    JSON_PARCEL, JSON_CODE, JSON_TIME, JSON_FACILITY, JSON_NEXT, JSON_ORIGIN, JSON_DEST,
    JSON_CARRIER, JSON_SERVICE, JSON_CARRIER_NUMBER, JSON_PROMISE, JSON_RAW, JSON_COURIER,
    JSON_BAG, JSON_REASON, JSON_EVENT_ID, JSON_WEIGHT_G, JSON_DECLARED_G, JSON_LAT, JSON_LON,
    JSON_DEST_LAT, JSON_DEST_LON, JSON_RETRACTS,
    JSON_FIELDS, JSON_UNKNOWN = JSON_FIELDS
};

#define JSON_BIT(field) (1u << (field))

enum json_kind { JSON_TEXT, JSON_INTEGER, JSON_REAL, JSON_TRUE, JSON_FALSE, JSON_NULL,
                 JSON_NESTED };

struct json_value {
    struct text text;     /* a text without its quotes; a number                      */
    uint8_t     kind;     /* enum json_kind                                          */
    bool        escaped;  /* a text in which a backslash stands                       */
};

struct json_found {
    struct json_value values[JSON_FIELDS + 1]; /* those in `seen`; the last: unknown ones */
    uint32_t seen, escaped;  /* JSON_BIT(field)                                     */
    uint16_t unknown;        /* fields with names of their own                        */
    uint8_t  twice;          /* a field that stands there twice, or JSON_UNKNOWN       */
};

/* Name of a field; "" for JSON_UNKNOWN.  Static. */
const char *json_field_name(unsigned field);

/* One JSON object and nothing else, or a reject.  length ≤ SCAN_BYTES_MAX.  thread: any. */
enum reject json_read(const char *bytes, size_t length, struct json_found *);

/* A text that json_read found, without its escapes; at most `room` bytes of it.  Returns
 * how many, or -1: U+0000, which no text of ours can hold. */
int json_unescape(const char *text, size_t length, char *to, size_t room);

#endif
