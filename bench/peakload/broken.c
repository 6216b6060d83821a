/* broken.c - breaks a good scan in one place.  The scans are peakload's own: flat, without
 * escapes, so that text surgery is enough. */
#include "bench/peakload/broken.h"

#include <string.h>

static void set_value(struct broken *b, const void *bytes, size_t length)
{
    memcpy(b->value, bytes, length);
    b->length = length;
}

#define SET_VALUE(b, literal) set_value(b, literal, sizeof(literal) - 1)

/* Replaces `cut` bytes at `at`. */
static void splice(struct broken *b, size_t at, size_t cut, const char *text, size_t length)
{
    memmove(b->value + at + length, b->value + at + cut, b->length - at - cut);
    memcpy(b->value + at, text, length);
    b->length = b->length - cut + length;
}

/* Appends members before the closing brace. */
static void append(struct broken *b, const char *members)
{
    splice(b, b->length - 1, 0, members, strlen(members));
}

static bool has(const struct broken *b, const char *opening)
{
    return memmem(b->value, b->length, opening, strlen(opening)) != NULL;
}

/* Where the text value of `"name":"` begins, and its length. */
static size_t find_text(const struct broken *b, const char *opening, size_t *length)
{
    const char *found = memmem(b->value, b->length, opening, strlen(opening));
    const char *text = found + strlen(opening);

    *length = (size_t)((char *)memchr(text, '"', (size_t)(b->value + b->length - text)) - text);
    return (size_t)(text - b->value);
}

static void replace_text(struct broken *b, const char *opening, const char *text)
{
    size_t length, at = find_text(b, opening, &length);

    splice(b, at, length, text, strlen(text));
}

/* The text and its quotes become another kind of value. */
static void replace_value(struct broken *b, const char *opening, const char *value)
{
    size_t length, at = find_text(b, opening, &length);

    splice(b, at - 1, length + 2, value, strlen(value));
}

static void set_key(struct broken *b, const char *key)
{
    b->key_length = strlen(key);
    memcpy(b->key, key, b->key_length);
}

static void make_empty(struct broken *b, uint64_t form)
{
    (void)form;
    b->length = 0;
}

/* Above what one scan may be: 66 kB, and at times a megabyte. */
static void make_too_large(struct broken *b, uint64_t form)
{
    size_t wanted = form % 8 == 7 ? BROKEN_BYTES_MAX : 66000, at;

    append(b, ",\"note\":\"\"");
    at = b->length - 2;
    memmove(b->value + wanted - 2, b->value + at, 2);
    memset(b->value + at, 'x', wanted - 2 - at);
    b->length = wanted;
}

static void make_bad_json(struct broken *b, uint64_t form)
{
    switch (form % 8) {
    case 0: case 1: case 2:     /* truncated */
        b->length = 1 + (form * 2654435761U) % (b->length - 1);
        break;
    case 3:                     /* trailing bytes */
        splice(b, b->length, 0, "}", 1);
        break;
    case 4:
        SET_VALUE(b, "[1,2,3]");
        break;
    case 5:
        SET_VALUE(b, "scan");
        break;
    case 6:                     /* a control character inside a text */
        replace_text(b, "\"carrier\":\"", "Z\nO");
        break;
    default:                    /* a comma too many */
        append(b, ",");
    }
}

static void make_bad_utf8(struct broken *b, uint64_t form)
{
    static const char *const forms[] = {"\xff", "\xc3(", "\xed\xa0\x80", "\xf0\x9f\x93"};

    append(b, ",\"raw\":\"@\"");
    splice(b, b->length - 3, 1, forms[form % 4], strlen(forms[form % 4]));
}

/* Behind a Confluent frame (0x00, schema id) stands Avro or Protobuf. */
static void make_unsupported(struct broken *b, uint64_t form)
{
    if (form % 2)
        SET_VALUE(b, "\0\0\0\0\007\036ZT0000000000001\006DEPART\016HGH-HUB");
    else
        SET_VALUE(b, "\0\0\0\0\011\000\012\017ZT0000000000001\022\006DEPART");
}

static void make_duplicate(struct broken *b, uint64_t form)
{
    append(b, form % 2 ? ",\"code\":\"ARRIVE\"" : ",\"origin\":\"HGH-D1\"");
}

static void make_missing(struct broken *b, uint64_t form)
{
    static const char *const openings[] = {"\"parcel\":\"", "\"code\":\"", "\"time\":\""};
    const char *opening = openings[form % 3];
    size_t length, at = find_text(b, opening, &length);

    /* The comma behind goes too: more fields always follow. */
    splice(b, at - strlen(opening), strlen(opening) + length + 2, "", 0);
}

static void make_bad_type(struct broken *b, uint64_t form)
{
    switch (form % 4) {
    case 0: replace_value(b, "\"carrier\":\"", "17"); break;
    case 1: replace_value(b, "\"code\":\"", "{\"is\":\"ARRIVE\"}"); break;
    case 2: replace_value(b, "\"service\":\"", "true"); break;
    default: append(b, has(b, "\"weight_g\":") ? ",\"raw\":[1]" : ",\"weight_g\":\"heavy\"");
    }
}

static void make_too_long(struct broken *b, uint64_t form)
{
    switch (form % 3) {
    case 0: replace_text(b, "\"origin\":\"", "A-FACILITY-CODE-OF-25-CHA"); break;
    case 1: replace_text(b, "\"service\":\"", "next-day-before-9"); break;
    default:
        replace_text(b, "\"parcel\":\"", "P1234567890123456789012345678901234567890");
        set_key(b, "P1234567890123456789012345678901234567890");
    }
}

static void make_bad_parcel(struct broken *b, uint64_t form)
{
    static const char *const forms[] = {"ZT 12345", "ZT12345#", "ZT/12345", "\xe5\x8c\x85"};

    replace_text(b, "\"parcel\":\"", forms[form % 4]);
    set_key(b, forms[form % 4]);
}

static void make_unknown_code(struct broken *b, uint64_t form)
{
    static const char *const forms[] = {"TELEPORTED", "arrive", "ARRIVED", "ARRIV"};

    replace_text(b, "\"code\":\"", forms[form % 4]);
}

static void make_bad_time(struct broken *b, uint64_t form)
{
    static const char *const forms[] = {
        "yesterday", "2025-11-11T10:00:00", "2025-13-11T10:00:00Z", "2025-11-11T10:00:00+0800",
        "1762790400000", "2025-02-30T10:00:00Z"};

    replace_text(b, "\"time\":\"", forms[form % 6]);
}

static void make_time_range(struct broken *b, uint64_t form)
{
    static const char *const forms[] = {"1999-12-31T23:59:59Z", "2099-01-01T00:00:00Z"};

    replace_text(b, "\"time\":\"", forms[form % 2]);
}

static void make_bad_number(struct broken *b, uint64_t form)
{
    static const char *const forms[] = {
        ",\"lat\":95.5,\"lon\":1.0", ",\"lat\":1.0,\"lon\":-181.0", ",\"lat\":-90.5,\"lon\":0.0"};

    if (has(b, "\"lat\":"))
        append(b, ",\"weight_g\":99999999999");
    else
        append(b, forms[form % 3]);
}

static void make_key_mismatch(struct broken *b, uint64_t form)
{
    set_key(b, form % 2 ? "ZT000000000000000" : "");
}

static void make_wrong_partition(struct broken *b, uint64_t form)
{
    (void)form;
    b->stray = true;
}

static void make_null(struct broken *b, uint64_t form)
{
    (void)form;
    b->null = true;
    b->length = 0;
}

static const struct {
    const char *reason;
    void      (*make)(struct broken *, uint64_t form);
} kinds[] = {
    {"wrong-partition", make_wrong_partition},   /* first: left out where there is only one */
    {"empty", make_empty}, {"too-large", make_too_large}, {"bad-json", make_bad_json},
    {"bad-utf8", make_bad_utf8}, {"unsupported-format", make_unsupported},
    {"duplicate-field", make_duplicate}, {"missing-field", make_missing},
    {"bad-type", make_bad_type}, {"too-long", make_too_long}, {"bad-parcel", make_bad_parcel},
    {"unknown-code", make_unknown_code}, {"bad-time", make_bad_time},
    {"time-range", make_time_range}, {"bad-number", make_bad_number},
    {"key-mismatch", make_key_mismatch}, {"skipped", make_null},
};

void broken_make(struct broken *b, uint64_t n, const char *scan, size_t length, const char *number,
                 size_t number_length, bool strayable)
{
    uint64_t first = strayable ? 0 : 1, count = sizeof kinds / sizeof kinds[0] - first;

    set_value(b, scan, length);
    memcpy(b->key, number, number_length);
    b->key_length = number_length;
    b->null = b->stray = false;
    b->expect = kinds[first + n % count].reason;
    kinds[first + n % count].make(b, n / count);
}
