/* json_read.c - one pass over a JSON object (RFC 8259).
 *
 * Nothing is read twice but what is rare: UTF-8 is checked only where a byte above
 * 127 was seen.  Strings are searched 16 bytes at a time; a field's name is looked
 * up by one multiplication.
 */
#include "stages/scan/formats/json_read.h"

#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "pipeline/check.h"
#include "stages/scan/word.h"

enum { DEPTH_MAX = 64, NAME_SIZE = 15, BLOCK = 64 };

/* ── Names ──────────────────────────────────────────────────────────────────────────── */

#define NAME(name_) .name = #name_, .length = sizeof #name_ - 1

static const struct name {
    char    name[NAME_SIZE];
    uint8_t length;
} names[JSON_FIELDS + 1] = {
    [JSON_PARCEL] = {NAME(parcel)},
    [JSON_CODE] = {NAME(code)},
    [JSON_TIME] = {NAME(time)},
    [JSON_FACILITY] = {NAME(facility)},
    [JSON_NEXT] = {NAME(next)},
    [JSON_ORIGIN] = {NAME(origin)},
    [JSON_DEST] = {NAME(dest)},
    [JSON_CARRIER] = {NAME(carrier)},
    [JSON_SERVICE] = {NAME(service)},
    [JSON_CARRIER_NUMBER] = {NAME(carrier_number)},
    [JSON_PROMISE] = {NAME(promise)},
    [JSON_RAW] = {NAME(raw)},
    [JSON_COURIER] = {NAME(courier)},
    [JSON_BAG] = {NAME(bag)},
    [JSON_REASON] = {NAME(reason)},
    [JSON_EVENT_ID] = {NAME(event_id)},
    [JSON_WEIGHT_G] = {NAME(weight_g)},
    [JSON_DECLARED_G] = {NAME(declared_g)},
    [JSON_LAT] = {NAME(lat)},
    [JSON_LON] = {NAME(lon)},
    [JSON_DEST_LAT] = {NAME(dest_lat)},
    [JSON_DEST_LON] = {NAME(dest_lon)},
    [JSON_RETRACTS] = {NAME(retracts)},
    [JSON_UNKNOWN] = {.length = UINT8_MAX},
};

const char *json_field_name(unsigned field)
{
    CHECK(field <= JSON_UNKNOWN);
    return names[field].name;
}

#define MULTIPLIER 0x922766581e27a1c1u
#define SLOT(...)  WORD_SLOT(WORD(__VA_ARGS__), MULTIPLIER)

static const uint8_t slots[64] = {
    [SLOT('p', 'a', 'r', 'c', 'e', 'l')]           = JSON_PARCEL,
    [SLOT('c', 'o', 'd', 'e')]                     = JSON_CODE,
    [SLOT('t', 'i', 'm', 'e')]                     = JSON_TIME,
    [SLOT('f', 'a', 'c', 'i', 'l', 'i', 't', 'y')] = JSON_FACILITY,
    [SLOT('n', 'e', 'x', 't')]                     = JSON_NEXT,
    [SLOT('o', 'r', 'i', 'g', 'i', 'n')]           = JSON_ORIGIN,
    [SLOT('d', 'e', 's', 't')]                     = JSON_DEST,
    [SLOT('c', 'a', 'r', 'r', 'i', 'e', 'r')]      = JSON_CARRIER,
    [SLOT('s', 'e', 'r', 'v', 'i', 'c', 'e')]      = JSON_SERVICE,
    [SLOT('c', 'a', 'r', 'r', 'i', 'e', 'r', '_')] = JSON_CARRIER_NUMBER,
    [SLOT('p', 'r', 'o', 'm', 'i', 's', 'e')]      = JSON_PROMISE,
    [SLOT('r', 'a', 'w')]                          = JSON_RAW,
    [SLOT('c', 'o', 'u', 'r', 'i', 'e', 'r')]      = JSON_COURIER,
    [SLOT('b', 'a', 'g')]                          = JSON_BAG,
    [SLOT('r', 'e', 'a', 's', 'o', 'n')]           = JSON_REASON,
    [SLOT('e', 'v', 'e', 'n', 't', '_', 'i', 'd')] = JSON_EVENT_ID,
    [SLOT('w', 'e', 'i', 'g', 'h', 't', '_', 'g')] = JSON_WEIGHT_G,
    [SLOT('d', 'e', 'c', 'l', 'a', 'r', 'e', 'd')] = JSON_DECLARED_G,
    [SLOT('l', 'a', 't')]                          = JSON_LAT,
    [SLOT('l', 'o', 'n')]                          = JSON_LON,
    [SLOT('d', 'e', 's', 't', '_', 'l', 'a', 't')] = JSON_DEST_LAT,
    [SLOT('d', 'e', 's', 't', '_', 'l', 'o', 'n')] = JSON_DEST_LON,
    [SLOT('r', 'e', 't', 'r', 'a', 'c', 't', 's')] = JSON_RETRACTS,
};

/* `readable`: bytes from name on that may be read. */
static inline unsigned field_find(const char *name, size_t length, size_t readable)
{
    uint64_t word, known;

    if (readable >= 8) {
        memcpy(&word, name, 8);
        if (length < 8)
            word &= (UINT64_C(1) << 8 * length) - 1;
    } else {
        word = word_of(name, length);
    }
    unsigned           field = slots[WORD_SLOT(word, MULTIPLIER)];
    const struct name *n = &names[field];

    memcpy(&known, n->name, sizeof known);
    if (known != word || n->length != length)
        return JSON_UNKNOWN;
    return length <= 8 || memcmp(n->name + 8, name + 8, length - 8) == 0 ? field : JSON_UNKNOWN;
}

/* ── Read: where the values stand, and that all of it is JSON ───────────────────────── */

/* The common way is one function without a call; what is rare stays out of its registers. */
#define ALWAYS_INLINE inline __attribute__((always_inline))
#define RARE          __attribute__((noinline))

/* Functions below take the place they stand at and return the place behind what they read,
 * or NULL where it is not JSON: so the place stays in a register.
 *
 * The last byte is a brace, and has a bit of its own in `specials`.  Nothing but a brace is
 * ever stepped over without another character being wanted behind it, so that brace stops
 * every search; only words and closing braces look at `end`. */
struct reader {
    const char *start, *end;
    uint64_t    specials[SCAN_BYTES_MAX / BLOCK + 1]; /* bit i of n: byte 64 n + i is a quote,
                                                         a backslash or a control character */
};

/* The bits of 64 bytes; *high is not 0 when one of them is above 127. */
static ALWAYS_INLINE uint64_t specials_of(const char *block, unsigned *high)
{
    uint64_t bits = 0;

#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), escape = _mm_set1_epi8('\\'),
                  control = _mm_set1_epi8(0x1f);
    __m128i       all = _mm_setzero_si128();

    for (int i = 0; i < BLOCK; i += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(block + i));
        __m128i found = _mm_or_si128(
            _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, escape)),
            _mm_cmpeq_epi8(_mm_min_epu8(bytes, control), bytes));

        bits |= (uint64_t)(unsigned)_mm_movemask_epi8(found) << i;
        all = _mm_or_si128(all, bytes);
    }
    *high |= (unsigned)_mm_movemask_epi8(all);
#else
    for (int i = 0; i < BLOCK; i++) {
        unsigned char c = (unsigned char)block[i];

        bits |= (uint64_t)(c == '"' || c == '\\' || c <= 0x1f) << i;
        *high |= c & 0x80u;
    }
#endif
    return bits;
}

/* Finds all that can end a string, before anything else: independent of what stands where,
 * this takes the processor a fraction of what the same search does string by string. */
static unsigned find_specials(struct reader *r)
{
    size_t   length = (size_t)(r->end - r->start), whole = length / BLOCK;
    unsigned high = 0;
    char     rest[BLOCK] = {0};

    for (size_t i = 0; i < whole; i++)
        r->specials[i] = specials_of(r->start + i * BLOCK, &high);
    memcpy(rest, r->start + whole * BLOCK, length % BLOCK);
    r->specials[whole] = specials_of(rest, &high);
    r->specials[(length - 1) / BLOCK] |= UINT64_C(1) << (length - 1) % BLOCK;
    return high;
}

static ALWAYS_INLINE const char *next_special(const struct reader *r, const char *at)
{
    size_t   place = (size_t)(at - r->start), block = place / BLOCK;
    uint64_t bits = r->specials[block] >> place % BLOCK;

    if (bits != 0)
        return at + __builtin_ctzll(bits);
    do
        bits = r->specials[++block];
    while (bits == 0);
    return r->start + block * BLOCK + __builtin_ctzll(bits);
}

static ALWAYS_INLINE bool is_space(char c)
{
    return (unsigned char)c <= ' ' && (c == ' ' || c == '\n' || c == '\r' || c == '\t');
}

static ALWAYS_INLINE const char *skip_space(const char *at)
{
    while (is_space(*at))
        at++;
    return at;
}

static const char *read_word(const struct reader *r, const char *at, const char *word,
                             size_t length)
{
    return (size_t)(r->end - at) > length && memcmp(at, word, length) == 0 ? at + length : NULL;
}

/* Four hexadecimal digits, or -1. */
static int32_t hex4(const char *text)
{
    int32_t number = 0;

    for (int i = 0; i < 4; i++) {
        char    c = text[i];
        int32_t digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
        if (digit < 0)
            return -1;
        number = number * 16 + digit;
    }
    return number;
}

/* The \uXXXX at `at`, a pair of surrogates as one character, in *c.  A lone surrogate is no
 * character, so no text can hold it. */
static const char *read_unicode(const char *at, const char *end, int32_t *c)
{
    int32_t high = end - at >= 6 && at[1] == 'u' ? hex4(at + 2) : -1;

    if (high < 0 || (high >= 0xdc00 && high <= 0xdfff))
        return NULL;
    at += 6;
    *c = high;
    if (high < 0xd800 || high > 0xdbff)
        return at;
    int32_t low = end - at >= 6 && at[0] == '\\' && at[1] == 'u' ? hex4(at + 2) : -1;
    if (low < 0xdc00 || low > 0xdfff)
        return NULL;
    *c = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
    return at + 6;
}

/* The escape at `at`; the character it stands for in *c. */
static const char *read_escape(const char *at, const char *end, int32_t *c)
{
    static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";

    if (end - at < 2)
        return NULL;
    const char *letter = memchr(letters, at[1], sizeof letters - 1);
    if (letter == NULL)
        return read_unicode(at, end, c);
    *c = meant[letter - letters];
    return at + 2;
}

struct string {
    const char *at;
    size_t      length;
    bool        escaped;
};

/* The end of a string in which a backslash or control character stands at `at`. */
static RARE const char *skip_escaped(const struct reader *r, const char *at)
{
    int32_t c;

    for (; *at != '"'; at = next_special(r, at))
        if (*at != '\\' || (at = read_escape(at, r->end, &c)) == NULL)
            return NULL;
    return at;
}

/* A string, behind its first quote. */
static ALWAYS_INLINE const char *read_string(const struct reader *r, const char *at,
                                             struct string *string)
{
    const char *end = next_special(r, at);
    bool        escaped = *end != '"';

    if (escaped && (end = skip_escaped(r, end)) == NULL)
        return NULL;
    *string = (struct string) {.at = at, .length = (size_t)(end - at), .escaped = escaped};
    return end + 1;
}

static inline struct text slice(const struct reader *r, const char *at, size_t length)
{
    return (struct text) {.at = (uint16_t)(at - r->start), .length = (uint16_t)length};
}

/* At least one digit. */
static const char *read_digits(const char *at)
{
    const char *from = at;

    while (*at >= '0' && *at <= '9')
        at++;
    return at > from ? at : NULL;
}

static const char *read_number(const struct reader *r, const char *at, struct json_value *value)
{
    const char *from = at;

    value->kind = JSON_INTEGER;
    at += *at == '-';
    at = *at == '0' ? at + 1 : read_digits(at);
    if (at != NULL && *at == '.') {
        value->kind = JSON_REAL;
        at = read_digits(at + 1);
    }
    if (at != NULL && (*at == 'e' || *at == 'E')) {
        value->kind = JSON_REAL;
        at++;
        at = read_digits(at + (*at == '+' || *at == '-'));
    }
    if (at != NULL)
        value->text = slice(r, from, (size_t)(at - from));
    return at;
}

/* A number or a word. */
static const char *read_bare(const struct reader *r, const char *at, struct json_value *value)
{
    switch (*at) {
    case 't':
        value->kind = JSON_TRUE;
        return read_word(r, at, "true", 4);
    case 'f':
        value->kind = JSON_FALSE;
        return read_word(r, at, "false", 5);
    case 'n':
        value->kind = JSON_NULL;
        return read_word(r, at, "null", 4);
    default:
        return read_number(r, at, value);
    }
}

/* "name" : with space around, up to the value. */
static ALWAYS_INLINE const char *read_name(const struct reader *r, const char *at,
                                           struct string *name)
{
    at = skip_space(at);
    if (*at != '"' || (at = read_string(r, at + 1, name)) == NULL)
        return NULL;
    at = skip_space(at);
    return *at == ':' ? skip_space(at + 1) : NULL;
}

/* What is nested where, 64 deep: bit 0 of `objects` says that the innermost is an object. */
struct nest {
    uint64_t objects;
    unsigned depth;
};

/* Behind a value inside nested ones: closes what ends here, and goes to the next value. */
static const char *close_nested(const struct reader *r, const char *at, struct nest *nest)
{
    struct string name;

    do {
        bool object = nest->objects & 1;

        at = skip_space(at);
        if (*at == ',')
            return object ? read_name(r, at + 1, &name) : skip_space(at + 1);
        if (*at != (object ? '}' : ']') || ++at == r->end)
            return NULL;
        nest->objects >>= 1;
        nest->depth--;
    } while (nest->depth > 0);
    return at;
}

/* Behind a brace or bracket: to the first value in it, or behind what closes it at once. */
static const char *open_nested(const struct reader *r, const char *at, bool object,
                               struct nest *nest)
{
    struct string name;

    if (++nest->depth > DEPTH_MAX)
        return NULL;
    nest->objects = nest->objects << 1 | object;
    at = skip_space(at);
    if (*at == (object ? '}' : ']'))
        return close_nested(r, at, nest);
    return object ? read_name(r, at, &name) : at;
}

/* An object or array nobody asked for, proved without recursion. */
static const char *read_nested(const struct reader *r, const char *at)
{
    struct nest       nest = {0};
    struct string     string;
    struct json_value bare;

    do {
        if (*at == '{' || *at == '[') {
            at = open_nested(r, at + 1, *at == '{', &nest);
            continue;
        }
        at = *at == '"' ? read_string(r, at + 1, &string) : read_bare(r, at, &bare);
        if (at != NULL)
            at = close_nested(r, at, &nest);
    } while (at != NULL && nest.depth > 0);
    return at;
}

/* Any value but a string. */
static RARE const char *read_other(const struct reader *r, const char *at,
                                   struct json_value *value)
{
    *value = (struct json_value) {.kind = JSON_NESTED};
    if (*at != '{' && *at != '[')
        return read_bare(r, at, value);
    return read_nested(r, at);
}

/* ── Escapes: rare ──────────────────────────────────────────────────────────────────── */

static size_t put_utf8(char *to, int32_t c)
{
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = (char)(0xc0 | c >> 6);
        to[1] = (char)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        to[0] = (char)(0xe0 | c >> 12);
        to[1] = (char)(0x80 | (c >> 6 & 63));
        to[2] = (char)(0x80 | (c & 63));
        return 3;
    }
    to[0] = (char)(0xf0 | c >> 18);
    to[1] = (char)(0x80 | (c >> 12 & 63));
    to[2] = (char)(0x80 | (c >> 6 & 63));
    to[3] = (char)(0x80 | (c & 63));
    return 4;
}

/* A string that read_string took, without its escapes; at most `room` bytes of it.  Returns
 * how many, or -1: U+0000, which no text of ours can hold. */
int json_unescape(const char *at, size_t length, char *to, size_t room)
{
    const char *end = at + length;
    size_t      used = 0;

    while (at < end && used < room) {
        char    character[4] = {*at};
        size_t  bytes = 1;

        if (*at == '\\') {
            int32_t c = 0;

            at = read_escape(at, end, &c);
            if (c == 0)
                return -1;
            bytes = put_utf8(character, c);
        } else {
            at++;
        }
        bytes = bytes < room - used ? bytes : room - used;
        memcpy(to + used, character, bytes);
        used += bytes;
    }
    return (int)used;
}

/* Which field a name is that has escapes: unusual, and still JSON. */
static RARE unsigned field_escaped(const struct string *name)
{
    char plain[NAME_SIZE + 1];
    int  length = json_unescape(name->at, name->length, plain, sizeof plain);

    return length < 0 ? JSON_UNKNOWN : field_find(plain, (size_t)length, sizeof plain);
}

/* ── The object ─────────────────────────────────────────────────────────────────────── */

static ALWAYS_INLINE const char *read_value(const struct reader *r, const char *at,
                                            struct json_value *value)
{
    struct string string;

    if (*at != '"')
        return read_other(r, at, value);
    at = read_string(r, at + 1, &string);
    if (at != NULL)
        *value = (struct json_value) {.text = slice(r, string.at, string.length),
                                      .kind = JSON_TEXT, .escaped = string.escaped};
    return at;
}

/* The fields of the outermost object, behind its brace; to the brace that closes it. */
static const char *read_object(const struct reader *r, const char *at, struct json_found *found)
{
    struct string name;
    uint32_t      seen = 0, escaped = 0, unknown = 0;

    for (;; at++) {
        at = read_name(r, at, &name);
        if (at == NULL)
            return NULL;
        unsigned field = name.escaped ? field_escaped(&name)
                                      : field_find(name.at, name.length,
                                                   (size_t)(r->end - name.at));
        at = read_value(r, at, &found->values[field]);
        if (at == NULL)
            return NULL;
        if (seen & JSON_BIT(field) && field != JSON_UNKNOWN)
            found->twice = (uint8_t)field;
        unknown += field == JSON_UNKNOWN;
        seen |= JSON_BIT(field);
        escaped |= (uint32_t)found->values[field].escaped << field;
        at = skip_space(at);
        if (*at != ',')
            break;
    }
    found->seen = seen & ~JSON_BIT(JSON_UNKNOWN);
    found->escaped = escaped & ~JSON_BIT(JSON_UNKNOWN);
    found->unknown = (uint16_t)unknown;
    return at;
}

/* Well-formed by RFC 3629: no over-long form, no surrogate, nothing above U+10FFFF. */
static bool utf8_valid(const char *text, size_t length)
{
    const unsigned char *at = (const unsigned char *)text, *end = at + length;

    while (at < end) {
        unsigned more = *at < 0x80 ? 0 : *at < 0xe0 ? 1 : *at < 0xf0 ? 2 : 3;

        if ((*at >= 0x80 && *at < 0xc2) || *at > 0xf4 || end - at <= (ptrdiff_t)more)
            return false;
        if ((*at == 0xe0 && at[1] < 0xa0) || (*at == 0xed && at[1] > 0x9f)
            || (*at == 0xf0 && at[1] < 0x90) || (*at == 0xf4 && at[1] > 0x8f))
            return false;
        for (at++; more > 0; more--, at++)
            if ((*at & 0xc0) != 0x80)
                return false;
    }
    return true;
}

enum reject json_read(const char *bytes, size_t length, struct json_found *found)
{
    struct reader r;

    CHECK(length <= SCAN_BYTES_MAX);
    found->seen = found->escaped = 0; /* the values need no cleaning: `seen` guards them */
    found->unknown = 0;
    found->twice = JSON_UNKNOWN;
    while (length > 0 && is_space(bytes[length - 1]))
        length--;
    if (length == 0 || bytes[length - 1] != '}')
        return REJECT_BAD_JSON;
    r.start = bytes;
    r.end = bytes + length;
    unsigned    high = find_specials(&r);
    const char *at = skip_space(bytes);
    if (*at != '{')
        return REJECT_BAD_JSON;
    at = skip_space(at + 1);
    if (*at != '}')
        at = read_object(&r, at, found);
    if (at == NULL || at + 1 != r.end || *at != '}')
        return REJECT_BAD_JSON;
    return high != 0 && !utf8_valid(bytes, length) ? REJECT_BAD_UTF8 : REJECT_NONE;
}
