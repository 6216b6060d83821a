/* json.c - a scan as one JSON object (RFC 8259).
 *
 * Two steps.  Read: one pass over the bytes finds where each known field's value
 * stands and proves that the whole is JSON, unknown fields included.  Judge: the
 * fields found are converted in the order of the table below.  So the reason of
 * a reject does not depend on the order in which a producer writes its fields:
 *
 *   empty, too-large, unsupported-format, bad-json, bad-utf8, duplicate-field,
 *   missing-field, then field by field in table order, then key-mismatch.
 *
 * Nothing is read twice but what is rare: UTF-8 is checked only where a byte
 * above 127 was seen, escapes are undone only where a kept text has one.
 *
 * Confluent's serializers write 0x00 and a 4-byte schema id first; JSON behind
 * that is read, anything else is Avro or Protobuf.
 */
#include <stdbool.h>
#include <string.h>

#include "pipeline/check.h"
#include "stages/scan/format.h"
#include "stages/scan/formats/json_read.h"

enum { SCHEMA_BYTES = 5, TIME_MAX = 64, CODE_MAX = 16 };

/* ── Fields ─────────────────────────────────────────────────────────────────────────── */

enum {
    TEXTS     = JSON_BIT(JSON_FACILITY) | JSON_BIT(JSON_NEXT) | JSON_BIT(JSON_ORIGIN)
              | JSON_BIT(JSON_DEST) | JSON_BIT(JSON_CARRIER) | JSON_BIT(JSON_SERVICE)
              | JSON_BIT(JSON_CARRIER_NUMBER) | JSON_BIT(JSON_RAW) | JSON_BIT(JSON_COURIER)
              | JSON_BIT(JSON_BAG) | JSON_BIT(JSON_REASON) | JSON_BIT(JSON_EVENT_ID),
    MUST_HAVE = JSON_BIT(JSON_PARCEL) | JSON_BIT(JSON_CODE) | JSON_BIT(JSON_TIME),
    POSITION  = JSON_BIT(JSON_LAT) | JSON_BIT(JSON_LON),
    TARGET    = JSON_BIT(JSON_DEST_LAT) | JSON_BIT(JSON_DEST_LON)
};

enum form { FORM_TEXT, FORM_PARCEL, FORM_CODE, FORM_TIME, FORM_PROMISE, FORM_GRAMS, FORM_DEGREES,
            FORM_BOOL };

/* `most`: bytes of a text; degrees of a coordinate. */
static const struct field {
    uint8_t  form, most;
    uint16_t where; /* in struct scan */
} fields[JSON_FIELDS] = {
#define AT(member) offsetof(struct scan, member)
    [JSON_PARCEL]         = {FORM_PARCEL, PARCEL_MAX, AT(parcel)},
    [JSON_CODE]           = {FORM_CODE, CODE_MAX, 0},
    [JSON_TIME]           = {FORM_TIME, TIME_MAX, 0},
    [JSON_FACILITY]       = {FORM_TEXT, FACILITY_MAX, AT(facility)},
    [JSON_NEXT]           = {FORM_TEXT, FACILITY_MAX, AT(next)},
    [JSON_ORIGIN]         = {FORM_TEXT, FACILITY_MAX, AT(origin)},
    [JSON_DEST]           = {FORM_TEXT, FACILITY_MAX, AT(dest)},
    [JSON_CARRIER]        = {FORM_TEXT, CARRIER_MAX, AT(carrier)},
    [JSON_SERVICE]        = {FORM_TEXT, SERVICE_MAX, AT(service)},
    [JSON_CARRIER_NUMBER] = {FORM_TEXT, CARRIER_NUMBER_MAX, AT(carrier_number)},
    [JSON_PROMISE]        = {FORM_PROMISE, TIME_MAX, 0},
    [JSON_RAW]            = {FORM_TEXT, RAW_MAX, AT(raw)},
    [JSON_COURIER]        = {FORM_TEXT, COURIER_MAX, AT(courier)},
    [JSON_BAG]            = {FORM_TEXT, BAG_MAX, AT(bag)},
    [JSON_REASON]         = {FORM_TEXT, REASON_MAX, AT(reason)},
    [JSON_EVENT_ID]       = {FORM_TEXT, EVENT_ID_MAX, AT(event_id)},
    [JSON_WEIGHT_G]       = {FORM_GRAMS, 0, AT(weight_g)},
    [JSON_DECLARED_G]     = {FORM_GRAMS, 0, AT(declared_g)},
    [JSON_LAT]            = {FORM_DEGREES, 90, AT(lat)},
    [JSON_LON]            = {FORM_DEGREES, 180, AT(lon)},
    [JSON_DEST_LAT]       = {FORM_DEGREES, 90, AT(dest_lat)},
    [JSON_DEST_LON]       = {FORM_DEGREES, 180, AT(dest_lon)},
    [JSON_RETRACTS]       = {FORM_BOOL, 0, 0},
};

/* What escaped texts may take: each field's most and one byte more, which says "too long". */
_Static_assert(PARCEL_MAX + CODE_MAX + 2 * TIME_MAX + 4 * FACILITY_MAX + CARRIER_MAX + SERVICE_MAX
                   + CARRIER_NUMBER_MAX + RAW_MAX + COURIER_MAX + BAG_MAX + REASON_MAX
                   + EVENT_ID_MAX + JSON_FIELDS <= SCAN_SCRATCH, "SCAN_SCRATCH");

static bool is_text(unsigned field)
{
    return fields[field].form <= FORM_PROMISE;
}

/* Rewrites all texts found into the scratch, without escapes, and the values to slices of
 * it; *bytes moves with them.  Returns the field that cannot be, or JSON_UNKNOWN. */
static unsigned unescape_all(struct json_found *found, const char **bytes, struct scratch *scratch)
{
    char  *to = scratch->bytes + scratch->used;
    size_t used = 0;

    CHECK(scratch->size - scratch->used >= SCAN_SCRATCH);
    for (unsigned i = 0; i < JSON_FIELDS; i++) {
        struct json_value *value = &found->values[i];

        if (!(found->seen & JSON_BIT(i)) || value->kind != JSON_TEXT || !is_text(i))
            continue;
        int length = json_unescape(*bytes + value->text.at, value->text.length, to + used,
                                   fields[i].most + 1u);
        if (length < 0)
            return i;
        value->text = (struct text) {.at = (uint16_t)used, .length = (uint16_t)length};
        used += (size_t)length;
    }
    scratch->used += used;
    *bytes = to;
    return JSON_UNKNOWN;
}

/* ── Judge: from values to the scan ─────────────────────────────────────────────────── */

static const int64_t year_2000_ms = 946684800000, year_2106_ms = 4294967295000,
                     ahead_ms_max = INT64_C(30) * 86400 * 1000;

static bool parcel_valid(const char *text, size_t length)
{
    static const bool allowed[256] = {
        ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['0' ... '9'] = true,
        ['-'] = true, ['_'] = true, ['.'] = true,
    };
    bool valid = length > 0;

    for (size_t i = 0; i < length; i++)
        valid &= allowed[(unsigned char)text[i]];
    return valid;
}

/* Grams: 0 … 2³¹ − 1. */
static enum reject judge_grams(const char *text, size_t length, int32_t *grams)
{
    int64_t number = 0;

    for (size_t i = text[0] == '-'; i < length; i++) {
        number = number * 10 + (text[i] - '0');
        if (number > INT32_MAX)
            return REJECT_BAD_NUMBER;
    }
    if (text[0] == '-' && number != 0)
        return REJECT_BAD_NUMBER;
    *grams = (int32_t)number;
    return REJECT_NONE;
}

/* ±9…9: an exponent, kept within what can matter. */
static int exponent_of(const char *text, const char *end)
{
    bool negative = *text == '-';
    int  number = 0;

    for (text += negative || *text == '+'; text < end && number < 100000; text++)
        number = number * 10 + (*text - '0');
    return negative ? -number : number;
}

/* The decimal number text (a JSON number) as a double: exact to 17 digits, which a float
 * needs 9 of, without strtod, its locale and its need of a NUL. */
static double decimal(const char *text, const char *end)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    bool     negative = *text == '-', fraction = false;
    uint64_t digits = 0;
    int      exponent = 0;

    for (text += negative; text < end && (*text | 32) != 'e'; text++) {
        if (*text == '.') {
            fraction = true;
        } else if (digits < UINT64_C(100000000000000000)) {
            digits = digits * 10 + (uint64_t)(*text - '0');
            exponent -= fraction;
        } else {
            exponent += !fraction;
        }
    }
    if (text < end)
        exponent += exponent_of(text + 1, end);
    double number = (double)digits;
    for (; exponent > 0 && number != 0 && number < 1e30; exponent -= exponent > 22 ? 22 : exponent)
        number *= powers[exponent > 22 ? 22 : exponent];
    for (; exponent < 0 && number > 1e-60; exponent += exponent < -22 ? 22 : -exponent)
        number /= powers[exponent < -22 ? 22 : -exponent];
    return negative ? -number : number;
}

static enum reject judge_degrees(const char *text, size_t length, double most, float *degrees)
{
    double number = decimal(text, text + length);

    if (number < -most || number > most)
        return REJECT_BAD_NUMBER;
    *degrees = (float)number;
    return REJECT_NONE;
}

static enum reject judge_time(const char *text, size_t length, int64_t ms_max, int64_t *ms)
{
    if (length > TIME_MAX || time_parse(text, length, ms) != 0)
        return REJECT_BAD_TIME;
    return *ms < year_2000_ms || *ms > ms_max ? REJECT_TIME_RANGE : REJECT_NONE;
}

static enum reject judge_parcel(const char *text, const struct text *where)
{
    if (where->length > PARCEL_MAX)
        return REJECT_TOO_LONG;
    return parcel_valid(text, where->length) ? REJECT_NONE : REJECT_BAD_PARCEL;
}

static enum reject judge_code(const char *text, size_t length, struct scan *scan)
{
    scan->code = (uint8_t)code_find(text, length);
    return scan->code == SCAN_NONE ? REJECT_UNKNOWN_CODE : REJECT_NONE;
}

/* Which kinds of value a form takes. */
static const uint8_t form_kinds[] = {
    [FORM_TEXT]    = 1 << JSON_TEXT,
    [FORM_PARCEL]  = 1 << JSON_TEXT,
    [FORM_CODE]    = 1 << JSON_TEXT,
    [FORM_TIME]    = 1 << JSON_TEXT,
    [FORM_PROMISE] = 1 << JSON_TEXT,
    [FORM_GRAMS]   = 1 << JSON_INTEGER,
    [FORM_DEGREES] = 1 << JSON_INTEGER | 1 << JSON_REAL,
    [FORM_BOOL]    = 1 << JSON_TRUE | 1 << JSON_FALSE,
};

static inline void *member(struct scan *scan, unsigned field)
{
    return (char *)scan + fields[field].where;
}

/* `bytes`: where numbers stand; texts stand in scan->bytes, which may be the scratch. */
static enum reject judge(unsigned field, const struct json_value *value, const char *bytes,
                         int64_t now_ms, struct scan *scan)
{
    enum form   form = fields[field].form;
    const char *text = scan_text(scan, value->text), *number = bytes + value->text.at;
    size_t      length = value->text.length;

    if ((form_kinds[form] >> value->kind & 1) == 0)
        return REJECT_BAD_TYPE;
    switch (form) {
    case FORM_PARCEL:
        scan->parcel = value->text;
        return judge_parcel(text, &value->text);
    case FORM_CODE:
        return judge_code(text, length, scan);
    case FORM_TIME:
        return judge_time(text, length, now_ms + ahead_ms_max, &scan->time_ms);
    case FORM_PROMISE: /* records keep it as 32 bits of seconds */
        return judge_time(text, length, year_2106_ms, &scan->promise_ms);
    case FORM_GRAMS:
        return judge_grams(number, length, member(scan, field));
    case FORM_DEGREES:
        return judge_degrees(number, length, fields[field].most, member(scan, field));
    case FORM_BOOL:
        scan->flags |= value->kind == JSON_TRUE ? SCAN_RETRACTS : 0;
        return REJECT_NONE;
    case FORM_TEXT:
        break;
    }
    *(struct text *)member(scan, field) = value->text;
    return length <= fields[field].most ? REJECT_NONE : REJECT_TOO_LONG;
}

static uint8_t flags_of(uint32_t seen)
{
    return (uint8_t)(((seen & POSITION) == POSITION ? SCAN_HAS_POSITION : 0)
                     | ((seen & TARGET) == TARGET ? SCAN_HAS_TARGET : 0)
                     | (seen & JSON_BIT(JSON_WEIGHT_G) ? SCAN_HAS_WEIGHT : 0)
                     | (seen & JSON_BIT(JSON_DECLARED_G) ? SCAN_HAS_DECLARED : 0));
}

static inline struct verdict verdict_of(enum reject reject, unsigned field)
{
    return (struct verdict) {.reject = reject, .field = json_field_name(field)};
}

/* The object is JSON; is it a scan? */
static struct verdict judge_all(struct json_found *found, const char *bytes, int64_t now_ms,
                                struct scratch *scratch, struct scan *scan)
{
    uint32_t missing = MUST_HAVE & ~found->seen;

    if (found->twice != JSON_UNKNOWN)
        return verdict_of(REJECT_DUPLICATE_FIELD, found->twice);
    if (missing != 0)
        return verdict_of(REJECT_MISSING_FIELD, (unsigned)__builtin_ctz(missing));
    const char *texts = bytes;
    if (found->escaped != 0) {
        unsigned field = unescape_all(found, &texts, scratch);

        if (field != JSON_UNKNOWN)
            return verdict_of(REJECT_BAD_UTF8, field);
    }
    /* In two parts, because as a whole compilers clear it with `rep stos`: 20 times slower. */
    memset(scan, 0, offsetof(struct scan, parcel));
    memset(&scan->parcel, 0, sizeof *scan - offsetof(struct scan, parcel));
    scan->bytes = texts;
    scan->unknown = found->unknown;
    scan->flags = flags_of(found->seen);
    for (uint32_t left = found->seen; left != 0; left &= left - 1) {
        unsigned    field = (unsigned)__builtin_ctz(left);
        enum reject reject = judge(field, &found->values[field], bytes, now_ms, scan);

        if (reject != REJECT_NONE)
            return verdict_of(reject, field);
    }
    if (scan->facility.length == 0 && code_table[scan->code].facility)
        return verdict_of(REJECT_MISSING_FIELD, JSON_FACILITY);
    return verdict_of(REJECT_NONE, JSON_UNKNOWN);
}

/* Spaces and a brace: JSON, where Confluent's header stands before it. */
static bool starts_object(const char *bytes, size_t length)
{
    while (length > 0 && (*bytes == ' ' || *bytes == '\n' || *bytes == '\r' || *bytes == '\t'))
        bytes++, length--;
    return length > 0 && *bytes == '{';
}

static struct verdict decode(const char *value, size_t length, const char *key, size_t key_length,
                             int64_t now_ms, struct scratch *scratch, struct scan *scan)
{
    struct json_found found;

    if (length == 0)
        return verdict_of(REJECT_EMPTY, JSON_UNKNOWN);
    if (length > SCAN_BYTES_MAX)
        return verdict_of(REJECT_TOO_LARGE, JSON_UNKNOWN);
    if (*value == '\0') {
        size_t frame = length < SCHEMA_BYTES ? length : SCHEMA_BYTES;

        value += frame;
        length -= frame;
        if (!starts_object(value, length))
            return verdict_of(REJECT_UNSUPPORTED_FORMAT, JSON_UNKNOWN);
    }
    enum reject reject = json_read(value, length, &found);
    if (reject != REJECT_NONE)
        return verdict_of(reject, JSON_UNKNOWN);
    struct verdict verdict = judge_all(&found, value, now_ms, scratch, scan);
    if (verdict.reject != REJECT_NONE)
        return verdict;

    const char *number = scan_text(scan, scan->parcel);
    if (key != NULL
        && (key_length != scan->parcel.length || memcmp(key, number, key_length) != 0))
        return verdict_of(REJECT_KEY_MISMATCH, JSON_PARCEL);
    scan->hash = parcel_hash(number, scan->parcel.length);
    scan->home = parcel_home(number, scan->parcel.length);
    return verdict;
}

const struct format format_json = {.name = "json", .decode = decode};
