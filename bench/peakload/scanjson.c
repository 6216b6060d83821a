/* scanjson.c - writes a scan field by field, straight into the buffer. */
#include "bench/peakload/scanjson.h"

#include <string.h>

#include "bench/peakload/times.h"

const struct word code_words[CODES] = {
    [CODE_LABEL] = WORD("LABEL"), [CODE_DECLARED] = WORD("DECLARED"),
    [CODE_PICKUP] = WORD("PICKUP"), [CODE_ARRIVE] = WORD("ARRIVE"),
    [CODE_DEPART] = WORD("DEPART"), [CODE_SORT] = WORD("SORT"), [CODE_LOAD] = WORD("LOAD"),
    [CODE_UNLOAD] = WORD("UNLOAD"), [CODE_HANDOVER] = WORD("HANDOVER"),
    [CODE_EXPORT_IN] = WORD("EXPORT_IN"), [CODE_EXPORT_HELD] = WORD("EXPORT_HELD"),
    [CODE_EXPORT_OUT] = WORD("EXPORT_OUT"), [CODE_UPLIFT] = WORD("UPLIFT"),
    [CODE_LANDED] = WORD("LANDED"), [CODE_IMPORT_IN] = WORD("IMPORT_IN"),
    [CODE_IMPORT_HELD] = WORD("IMPORT_HELD"), [CODE_IMPORT_OUT] = WORD("IMPORT_OUT"),
    [CODE_OUT_FOR_DELIVERY] = WORD("OUT_FOR_DELIVERY"),
    [CODE_ATTEMPT_FAILED] = WORD("ATTEMPT_FAILED"), [CODE_STATION_IN] = WORD("STATION_IN"),
    [CODE_DELIVERED] = WORD("DELIVERED"), [CODE_RETURN_START] = WORD("RETURN_START"),
    [CODE_RETURNED] = WORD("RETURNED"), [CODE_REROUTED] = WORD("REROUTED"),
    [CODE_DAMAGED] = WORD("DAMAGED"), [CODE_REFUSED] = WORD("REFUSED"),
    [CODE_BAD_ADDRESS] = WORD("BAD_ADDRESS"), [CODE_LOST] = WORD("LOST"),
    [CODE_DESTROYED] = WORD("DESTROYED"), [CODE_CANCELLED] = WORD("CANCELLED"),
    [CODE_INFO] = WORD("INFO")};

static const struct word service_words[SERVICES] = {
    WORD("express"), WORD("standard"), WORD("economy"), WORD("global-72h")};

static const struct word carrier_words[8] = {
    WORD("ZTO"), WORD("YTO"), WORD("STO"), WORD("YUNDA"), WORD("SF"), WORD("JT"),
    WORD("CAINIAO"), WORD("CHINAPOST")};

static const struct word failure_words[4] = {
    WORD("nobody-home"), WORD("no-access"), WORD("refused-to-pay"), WORD("wrong-address")};

static const struct word held_words[4] = {
    WORD("invoice-missing"), WORD("value-doubted"), WORD("inspection"), WORD("duty-unpaid")};

/* Inlined with constant lengths, each of these becomes a few moves. */
static inline char *put(char *p, const char *text, size_t length)
{
    memcpy(p, text, length);
    return p + length;
}

#define PUT(p, literal) put(p, literal, sizeof(literal) - 1)

static inline char *put_word(char *p, const struct word *w)
{
    return put(p, w->text, w->length);
}

static char *put_number(char *p, uint32_t value)
{
    char digits[10];
    int  n = 0;

    do {
        digits[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    while (n > 0)
        *p++ = digits[--n];
    return p;
}

/* Fixed width, zeros in front. */
static char *put_digits(char *p, uint32_t value, int width)
{
    for (int i = width - 1; i >= 0; i--, value /= 10)
        p[i] = (char)('0' + value % 10);
    return p + width;
}

static inline char *put_facility(char *p, const struct world *w, uint16_t facility)
{
    /* The whole field is copied, its length counts: a fixed-size move. */
    memcpy(p, w->facility[facility].code, sizeof w->facility[facility].code);
    return p + w->facility[facility].code_length;
}

static char *put_degrees(char *p, float degrees)
{
    int32_t micro = (int32_t)(degrees * 1e5F);

    if (micro < 0) {
        *p++ = '-';
        micro = -micro;
    }
    p = put_number(p, (uint32_t)micro / 100000);
    *p++ = '.';
    return put_digits(p, (uint32_t)micro % 100000, 5);
}

/* Where it was delivered and where it should have been: some 100 m apart, or 5 km. */
static char *put_position(char *p, const struct facility *f, const struct life *l, bool far)
{
    float lat = f->lat + (float)(l->chance % 997) * 1e-5F;
    float lon = f->lon + (float)(l->chance % 991) * 1e-5F;

    p = PUT(p, ",\"lat\":");
    p = put_degrees(p, lat + (far ? (float)l->off_e5 * 1e-5F : (float)(l->chance % 89) * 1e-5F));
    p = PUT(p, ",\"lon\":");
    p = put_degrees(p, lon);
    p = PUT(p, ",\"dest_lat\":");
    p = put_degrees(p, lat);
    p = PUT(p, ",\"dest_lon\":");
    return put_degrees(p, lon);
}

static char *put_courier(char *p, const struct life *l)
{
    p = PUT(p, ",\"courier\":\"C");
    p = put_digits(p, (uint32_t)l->dest * 20 + l->chance % 20, 6);
    *p++ = '"';
    return p;
}

/* A postal number of the Universal Postal Union's form S10, with its check digit. */
static char *put_postal(char *p, const struct life *l)
{
    static const uint8_t weight[8] = {8, 6, 4, 2, 3, 5, 9, 7};
    uint32_t sum = 0, check;

    p = PUT(p, ",\"carrier_number\":\"LP");
    p = put_digits(p, l->chance % 100000000, 8);
    for (int i = 0; i < 8; i++)
        sum += weight[i] * (uint32_t)(p[i - 8] - '0');
    check = 11 - sum % 11;
    *p++ = (char)('0' + (check == 10 ? 0 : check == 11 ? 5 : check));
    return PUT(p, "CN\"");
}

static char *put_reason(char *p, const struct word *w)
{
    p = PUT(p, ",\"reason\":\"");
    p = put_word(p, w);
    *p++ = '"';
    return p;
}

/* Fields that only some codes carry. */
static char *put_extras(char *p, const struct world *w, const struct life *l, const struct step *s)
{
    static const struct word document = WORD("CN23");

    switch (s->code) {
    case CODE_LABEL:
        p = PUT(p, ",\"declared_g\":");
        return put_number(p, (uint32_t)l->declared_g);
    case CODE_DECLARED:
        return put_reason(p, &document);
    case CODE_LOAD:
        p = PUT(p, ",\"bag\":\"B");
        p = put_digits(p, l->chance % 10000000, 7);
        *p++ = '"';
        return p;
    case CODE_HANDOVER:
    case CODE_UPLIFT:
    case CODE_LANDED:
        return put_postal(p, l);
    case CODE_EXPORT_HELD:
    case CODE_IMPORT_HELD:
        return put_reason(p, &held_words[l->chance % 4]);
    case CODE_OUT_FOR_DELIVERY:
        return put_courier(p, l);
    case CODE_ATTEMPT_FAILED:
        return put_reason(put_courier(p, l), &failure_words[l->chance % 4]);
    case CODE_DELIVERED:
        p = put_courier(p, l);
        if (l->chance % 4 == 0 || s->flags & STEP_FAR)
            p = put_position(p, &w->facility[s->facility], l, s->flags & STEP_FAR);
        return p;
    default:
        return p;
    }
}

static char *put_weight(char *p, const struct life *l, const struct step *s)
{
    if (s->code == CODE_PICKUP || s->code == CODE_SORT || s->flags & STEP_HEAVY) {
        p = PUT(p, ",\"weight_g\":");
        p = put_number(p, (uint32_t)l->weight_g);
    }
    if (s->flags & STEP_HEAVY && s->code != CODE_LABEL) {
        p = PUT(p, ",\"declared_g\":");
        p = put_number(p, (uint32_t)l->declared_g);
    }
    return p;
}

/* One carrier numbers its events: equal for a repeat, other for what was scanned anew. */
static char *put_event_id(char *p, const struct life *l, const struct step *s, int64_t time_ms)
{
    p = PUT(p, ",\"event_id\":\"");
    p = put_digits(p, l->chance, 10);
    *p++ = '-';
    p = put_digits(p, (uint32_t)(time_ms / 1000) ^ (uint32_t)(s->code << 24), 10);
    *p++ = '"';
    return p;
}

/* The next parcel of the same number has a promise of its own. */
static int64_t promise_ms(const struct life *l, const struct step *s)
{
    return l->again_ms == 0 || s->at_ms < l->again_ms ? l->promise_ms
                                                      : l->promise_ms + l->again_s * INT64_C(1000);
}

size_t scan_json(char out[SCAN_JSON_MAX], const struct world *w, const struct life *l,
                 const struct step *s, int64_t time_ms)
{
    char *p = PUT(out, "{\"parcel\":\"");
    bool has_facility = s->facility != FACILITY_NONE;
    int origin_zone = w->facility[l->origin].zone_minutes;

    memcpy(p, l->number, NUMBER_MAX);
    p = PUT(p + l->number_length, "\",\"code\":\"");
    p = PUT(put_word(p, &code_words[s->code]), "\",\"time\":\"");
    p = time_write(p, time_ms, has_facility ? w->facility[s->facility].zone_minutes : origin_zone,
                   l->carrier == 4);
    *p++ = '"';
    if (has_facility) {
        p = put_facility(PUT(p, ",\"facility\":\""), w, s->facility);
        *p++ = '"';
    }
    if (s->next != FACILITY_NONE) {
        p = put_facility(PUT(p, ",\"next\":\""), w, s->next);
        *p++ = '"';
    }
    p = put_facility(PUT(p, ",\"origin\":\""), w, l->origin);
    p = put_facility(PUT(p, "\",\"dest\":\""), w, l->dest);
    p = put_word(PUT(p, "\",\"carrier\":\""), &carrier_words[l->carrier]);
    p = put_word(PUT(p, "\",\"service\":\""), &service_words[l->service]);
    p = time_write(PUT(p, "\",\"promise\":\""), promise_ms(l, s), origin_zone, false);
    *p++ = '"';
    p = put_weight(p, l, s);
    p = put_extras(p, w, l, s);
    if (l->carrier == 5)
        p = put_event_id(p, l, s, time_ms);
    if (s->flags & STEP_RETRACTS)
        p = PUT(p, ",\"retracts\":true");
    *p++ = '}';
    return (size_t)(p - out);
}
