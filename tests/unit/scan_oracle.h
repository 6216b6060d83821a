/* scan_oracle.h - the form of a scan event once more, written from its description and on top
 * of jansson, to compare the decoder with.  Used by unit and fuzz tests.
 */
#ifndef TESTS_UNIT_SCAN_ORACLE_H
#define TESTS_UNIT_SCAN_ORACLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "stages/scan/format.h"

#define ORACLE_WANT(condition)                                                          \
    do {                                                                                \
        if (!(condition)) {                                                             \
            (void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);       \
            abort();                                                                    \
        }                                                                               \
    } while (0)

struct oracle_text {
    const char *name;
    size_t      most, where;
};

static const struct oracle_text oracle_texts[] = {
    {"facility", 24, offsetof(struct scan, facility)},
    {"next", 24, offsetof(struct scan, next)},
    {"origin", 24, offsetof(struct scan, origin)},
    {"dest", 24, offsetof(struct scan, dest)},
    {"carrier", 16, offsetof(struct scan, carrier)},
    {"service", 16, offsetof(struct scan, service)},
    {"carrier_number", 40, offsetof(struct scan, carrier_number)},
    {"raw", 48, offsetof(struct scan, raw)},
    {"courier", 24, offsetof(struct scan, courier)},
    {"bag", 24, offsetof(struct scan, bag)},
    {"reason", 24, offsetof(struct scan, reason)},
    {"event_id", 64, offsetof(struct scan, event_id)},
};

/* RFC 3339 by way of the C library's calendar. */
static inline bool oracle_time(const json_t *value, int64_t *ms)
{
    int         y, mo, d, h, mi, s, used = 0, zone = 0, fraction = 0;
    const char *text = json_string_value(value);
    size_t      length = json_string_length(value);

    if (length > 64 || strlen(text) != length || strspn(text, "0123456789-:.TtZz+ ") != length)
        return false;
    for (int i = 0; i < 19; i++)
        if ((i == 4 || i == 7)     ? text[i] != '-'
            : i == 10              ? strchr("Tt ", text[i]) == NULL || text[i] == '\0'
            : (i == 13 || i == 16) ? text[i] != ':'
                                   : text[i] < '0' || text[i] > '9')
            return false;
    if (sscanf(text, "%4d-%2d-%2d%*c%2d:%2d:%2d", &y, &mo, &d, &h, &mi, &s) != 6)
        return false;
    text += 19;
    if (*text == '.') {
        char digits[4] = "000";

        used = (int)strspn(text + 1, "0123456789");
        if (used == 0)
            return false;
        memcpy(digits, text + 1, used < 3 ? (size_t)used : 3);
        fraction = (int)strtol(digits, NULL, 10);
        text += 1 + used;
    }
    if (strcmp(text, "Z") != 0 && strcmp(text, "z") != 0) {
        int zh, zm;

        if ((*text != '+' && *text != '-') || strlen(text) != 6 || text[3] != ':'
            || strspn(text + 1, "0123456789") != 2 || strspn(text + 4, "0123456789") != 2)
            return false;
        zh = (int)strtol(text + 1, NULL, 10);
        zm = (int)strtol(text + 4, NULL, 10);
        if (zh > 23 || zm > 59)
            return false;
        zone = (zh * 3600 + zm * 60) * (*text == '-' ? -1 : 1);
    }
    struct tm day = {.tm_year = y - 1900, .tm_mon = mo - 1, .tm_mday = d}, back;
    time_t    midnight = timegm(&day);
    gmtime_r(&midnight, &back);
    if (back.tm_year != y - 1900 || back.tm_mon != mo - 1 || back.tm_mday != d)
        return false;
    if (h > 23 || mi > 59 || s > 60)
        return false;
    *ms = ((int64_t)midnight + h * 3600 + mi * 60 + s - zone) * 1000 + fraction;
    return true;
}

static inline int oracle_code(const json_t *value)
{
    for (int code = SCAN_LABEL; code < SCAN_CODES; code++)
        if (strcmp(code_table[code].code, json_string_value(value)) == 0
            && strlen(code_table[code].code) == json_string_length(value))
            return code;
    return SCAN_NONE;
}

static inline bool oracle_has_nul(const json_t *text)
{
    return memchr(json_string_value(text), '\0', json_string_length(text)) != NULL;
}

static inline bool oracle_grams(const json_t *value)
{
    return value == NULL
           || (json_is_integer(value) && json_integer_value(value) >= 0
               && json_integer_value(value) <= INT32_MAX);
}

static inline bool oracle_degrees(const json_t *value, double most)
{
    return value == NULL
           || (json_is_number(value) && json_number_value(value) >= -most
               && json_number_value(value) <= most);
}

/* Is this object a scan by its description?  Its time, promise and code if so. */
static inline bool oracle_accepts(const json_t *o, const char *key, size_t key_length,
                                  int64_t now_ms, int64_t *time_ms, int64_t *promise_ms, int *code)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "0123456789-_.";
    const json_t     *parcel = json_object_get(o, "parcel"), *time = json_object_get(o, "time"),
                 *promise = json_object_get(o, "promise"), *name = json_object_get(o, "code"),
                 *retracts = json_object_get(o, "retracts");

    *promise_ms = 0;
    if (!json_is_string(parcel) || !json_is_string(time) || !json_is_string(name))
        return false;
    size_t length = json_string_length(parcel);
    if (length < 1 || length > 40 || strspn(json_string_value(parcel), allowed) != length)
        return false;
    if (key != NULL
        && (key_length != length || memcmp(key, json_string_value(parcel), length) != 0))
        return false;
    *code = oracle_code(name);
    if (*code == SCAN_NONE || !oracle_time(time, time_ms) || *time_ms < INT64_C(946684800000)
        || *time_ms > now_ms + INT64_C(30) * 86400000)
        return false;
    for (size_t i = 0; i < sizeof oracle_texts / sizeof *oracle_texts; i++) {
        const json_t *text = json_object_get(o, oracle_texts[i].name);

        if (text != NULL && (!json_is_string(text) || oracle_has_nul(text)
                             || json_string_length(text) > oracle_texts[i].most))
            return false;
    }
    if (promise != NULL && (!json_is_string(promise) || !oracle_time(promise, promise_ms)
                            || *promise_ms < INT64_C(946684800000)
                            || *promise_ms > INT64_C(4294967295000)))
        return false;
    if (retracts != NULL && !json_is_boolean(retracts))
        return false;
    bool free_of_place = *code == SCAN_LABEL || *code == SCAN_DECLARED || *code == SCAN_CANCELLED
                         || *code == SCAN_INFO;
    if (!free_of_place && json_string_length(json_object_get(o, "facility")) == 0)
        return false;
    return oracle_grams(json_object_get(o, "weight_g"))
           && oracle_grams(json_object_get(o, "declared_g"))
           && oracle_degrees(json_object_get(o, "lat"), 90)
           && oracle_degrees(json_object_get(o, "lon"), 180)
           && oracle_degrees(json_object_get(o, "dest_lat"), 90)
           && oracle_degrees(json_object_get(o, "dest_lon"), 180);
}

static inline bool oracle_same_text(const struct scan *scan, struct text text, const json_t *value)
{
    size_t length = value != NULL ? json_string_length(value) : 0;

    return text.length == length
           && (length == 0 || memcmp(scan_text(scan, text), json_string_value(value), length) == 0);
}

static inline double oracle_size(double number)
{
    return number < 0 ? -number : number;
}

static inline bool oracle_same_degrees(float number, const json_t *value)
{
    double exact = value != NULL ? json_number_value(value) : 0;

    return oracle_size(number - exact) <= oracle_size(exact) * 6.1e-8 + 1e-45; /* half a place */
}

static inline void oracle_compare(const struct scan *scan, const json_t *o, int64_t time_ms,
                                  int64_t promise_ms, int code)
{
    const json_t *parcel = json_object_get(o, "parcel"), *weight = json_object_get(o, "weight_g"),
                 *declared = json_object_get(o, "declared_g");
    bool          here = json_object_get(o, "lat") != NULL && json_object_get(o, "lon") != NULL;
    bool there = json_object_get(o, "dest_lat") != NULL && json_object_get(o, "dest_lon") != NULL;

    ORACLE_WANT(oracle_same_text(scan, scan->parcel, parcel));
    for (size_t i = 0; i < sizeof oracle_texts / sizeof *oracle_texts; i++) {
        struct text text;

        memcpy(&text, (const char *)scan + oracle_texts[i].where, sizeof text);
        ORACLE_WANT(oracle_same_text(scan, text, json_object_get(o, oracle_texts[i].name)));
    }
    ORACLE_WANT(scan->time_ms == time_ms && scan->promise_ms == promise_ms && scan->code == code);
    ORACLE_WANT(scan->weight_g == (weight != NULL ? json_integer_value(weight) : 0));
    ORACLE_WANT(scan->declared_g == (declared != NULL ? json_integer_value(declared) : 0));
    ORACLE_WANT(oracle_same_degrees(scan->lat, json_object_get(o, "lat")));
    ORACLE_WANT(oracle_same_degrees(scan->lon, json_object_get(o, "lon")));
    ORACLE_WANT(oracle_same_degrees(scan->dest_lat, json_object_get(o, "dest_lat")));
    ORACLE_WANT(oracle_same_degrees(scan->dest_lon, json_object_get(o, "dest_lon")));
    ORACLE_WANT(scan->flags == ((json_is_true(json_object_get(o, "retracts")) ? SCAN_RETRACTS : 0)
                                | (here ? SCAN_HAS_POSITION : 0) | (there ? SCAN_HAS_TARGET : 0)
                                | (weight != NULL ? SCAN_HAS_WEIGHT : 0)
                                | (declared != NULL ? SCAN_HAS_DECLARED : 0)));
    ORACLE_WANT(scan->hash == parcel_hash(json_string_value(parcel), json_string_length(parcel)));
    ORACLE_WANT(scan->home == parcel_home(json_string_value(parcel), json_string_length(parcel)));
}

static inline size_t oracle_depth(const json_t *value)
{
    size_t      deepest = 0, index;
    const char *name;
    json_t     *inner;

    if (!json_is_object(value) && !json_is_array(value))
        return 0;
    if (json_is_array(value)) {
        json_array_foreach(value, index, inner) {
            size_t depth = oracle_depth(inner);

            deepest = depth > deepest ? depth : deepest;
        }
    } else {
        json_object_foreach((json_t *)(uintptr_t)value, name, inner) {
            size_t depth = oracle_depth(inner);

            deepest = depth > deepest ? depth : deepest;
        }
    }
    return deepest + 1;
}

/* JSON that is beyond jansson, or beyond us, and no fault of either. */
static inline bool oracle_limits(const json_error_t *error, const json_t *root)
{
    if (root == NULL)
        return json_error_code(error) == json_error_numeric_overflow
               || json_error_code(error) == json_error_null_byte_in_key
               || json_error_code(error) == json_error_stack_overflow;
    return oracle_depth(root) > 65; /* 64 within the outermost */
}

/* Decodes the bytes both ways; aborts where the two differ.  Returns our verdict. */
static inline struct verdict oracle_check(const char *bytes, size_t length, const char *key,
                                          size_t key_length, int64_t now_ms)
{
    char           scratch_bytes[SCAN_SCRATCH];
    struct scratch scratch = {.bytes = scratch_bytes, .size = sizeof scratch_bytes};
    struct scan    scan;
    struct verdict ours = format_json.decode(bytes, length, key, key_length, now_ms, &scratch,
                                             &scan);
    size_t         frame = length == 0 || *bytes != '\0' ? 0 : length < 5 ? length : 5;
    json_error_t   error;

    ORACLE_WANT((unsigned)ours.reject < REJECTS && ours.field != NULL);
    if (length > SCAN_BYTES_MAX) {
        ORACLE_WANT(ours.reject == REJECT_TOO_LARGE);
        return ours;
    }
    if (length > frame && memchr(bytes + frame, '\0', length - frame) != NULL) {
        ORACLE_WANT(ours.reject == REJECT_BAD_JSON || ours.reject == REJECT_UNSUPPORTED_FORMAT);
        return ours; /* jansson overlooks a zero byte behind a number */
    }
    json_t *root = json_loadb(bytes + frame, length - frame, JSON_ALLOW_NUL, &error);
    int64_t time_ms, promise_ms;
    int     code;

    if (oracle_limits(&error, root)) {
        json_decref(root);
        return ours;
    }
    if (ours.reject == REJECT_DUPLICATE_FIELD) {
        ORACLE_WANT(json_is_object(root));
        json_t *unique = json_loadb(bytes + frame, length - frame,
                                    JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error);
        ORACLE_WANT(unique == NULL && json_error_code(&error) == json_error_duplicate_key);
    } else if (json_is_object(root)
               && oracle_accepts(root, key, key_length, now_ms, &time_ms, &promise_ms, &code)) {
        if (ours.reject != REJECT_NONE)
            (void)fprintf(stderr, "%s %s: %.*s\n", reject_name(ours.reject), ours.field,
                          (int)length, bytes);
        ORACLE_WANT(ours.reject == REJECT_NONE);
        oracle_compare(&scan, root, time_ms, promise_ms, code);
    } else {
        ORACLE_WANT(ours.reject != REJECT_NONE);
        ORACLE_WANT(root != NULL || ours.reject <= REJECT_UNSUPPORTED_FORMAT);
    }
    json_decref(root);
    return ours;
}

#endif
