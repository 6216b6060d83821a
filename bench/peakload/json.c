/* json.c - a shallow reader: nested values are stepped over, not looked into. */
#include "bench/peakload/json.h"

#include <stdlib.h>
#include <string.h>

struct reader {
    const char *p, *end;
};

static char look(struct reader *r)
{
    while (r->p < r->end && strchr(" \t\r\n", *r->p) != NULL && *r->p != '\0')
        r->p++;
    return r->p < r->end ? *r->p : '\0';
}

static bool step_over_text(struct reader *r)
{
    for (r->p++; r->p < r->end; r->p++) {
        if (*r->p == '"') {
            r->p++;
            return true;
        }
        if (*r->p == '\\')
            r->p++;
    }
    return false;
}

/* Brackets are counted, their kinds not matched: what lies inside is not ours to judge. */
static bool step_over_nested(struct reader *r)
{
    size_t depth = 0;

    while (r->p < r->end) {
        switch (*r->p) {
        case '"':
            if (!step_over_text(r))
                return false;
            continue;
        case '{': case '[':
            depth++;
            break;
        case '}': case ']':
            depth--;
            break;
        default:
            break;
        }
        r->p++;
        if (depth == 0)
            return true;
    }
    return false;
}

static bool take_value(struct reader *r, struct json_value *v)
{
    char first = look(r);
    bool whole = true;

    v->text = r->p;
    if (first == '"')
        whole = step_over_text(r);
    else if (first == '{' || first == '[')
        whole = step_over_nested(r);
    else
        while (r->p < r->end && (*r->p == '\0' || strchr(" \t\r\n,]}", *r->p) == NULL))
            r->p++;
    v->length = (size_t)(r->p - v->text);
    return whole && v->length > 0;
}

static bool take_name(struct reader *r, struct json_value *name)
{
    if (look(r) != '"' || !take_value(r, name) || look(r) != ':')
        return false;
    name->text++;
    name->length -= 2;
    r->p++;
    return true;
}

int json_each(const char *text, size_t length,
              int (*member)(void *self, struct json_value name, struct json_value value),
              void *self)
{
    struct reader r = {text, text + length};
    char open = look(&r), close = open == '{' ? '}' : ']';
    struct json_value name = {"", 0}, value;

    if (open != '{' && open != '[')
        return -1;
    r.p++;
    if (look(&r) == close)
        r.p++;
    else
        do {
            if ((open == '{' && !take_name(&r, &name)) || !take_value(&r, &value) ||
                member(self, name, value) != 0)
                return -1;
            if (look(&r) != ',' && look(&r) != close)
                return -1;
        } while (*r.p++ == ',');
    return look(&r) == '\0' && r.p == r.end ? 0 : -1;
}

/* The code unit of \uXXXX whose digits begin at p; -1: no such digits. */
static int code_unit(const char *p, const char *end)
{
    char digits[5] = {0}, *stop;
    long unit;

    if (end - p < 4)
        return -1;
    memcpy(digits, p, 4);
    unit = strtol(digits, &stop, 16);
    return stop == digits + 4 && digits[0] != '-' && digits[0] != '+' ? (int)unit : -1;
}

static char *put_utf8(char *out, unsigned c)
{
    if (c < 0x80) {
        *out++ = (char)c;
    } else if (c < 0x800) {
        *out++ = (char)(0xc0 | c >> 6);
        *out++ = (char)(0x80 | (c & 63));
    } else if (c < 0x10000) {
        *out++ = (char)(0xe0 | c >> 12);
        *out++ = (char)(0x80 | (c >> 6 & 63));
        *out++ = (char)(0x80 | (c & 63));
    } else {
        *out++ = (char)(0xf0 | c >> 18);
        *out++ = (char)(0x80 | (c >> 12 & 63));
        *out++ = (char)(0x80 | (c >> 6 & 63));
        *out++ = (char)(0x80 | (c & 63));
    }
    return out;
}

/* Reads the escape behind a backslash at *p, moves on.  NULL: none. */
static char *put_escape(char *out, const char **p, const char *end)
{
    static const char names[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
    const char *found;
    int unit, low;

    if (*p < end && **p == 'u') {
        unit = code_unit(*p + 1, end);
        *p += 5;
        if (unit < 0)
            return NULL;
        if (unit >= 0xd800 && unit < 0xdc00 && end - *p >= 6 && (*p)[0] == '\\' &&
            (*p)[1] == 'u') {
            low = code_unit(*p + 2, end);
            if (low >= 0xdc00 && low < 0xe000) {
                *p += 6;
                unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
            }
        }
        return put_utf8(out, (unsigned)unit);
    }
    found = *p < end && **p != '\0' ? strchr(names, **p) : NULL;
    if (found == NULL)
        return NULL;
    (*p)++;
    *out++ = bytes[found - names];
    return out;
}

int json_unescape(struct json_value v, char *out, size_t *length)
{
    const char *p = v.text + 1, *end = v.text + v.length - 1;
    char *start = out;

    if (v.length < 2 || v.text[0] != '"' || *end != '"')
        return -1;
    while (p < end) {
        const char *slash = memchr(p, '\\', (size_t)(end - p));
        size_t plain = (size_t)((slash != NULL ? slash : end) - p);

        memcpy(out, p, plain);
        out += plain;
        p += plain;
        if (p < end) {
            p++;
            out = put_escape(out, &p, end);
            if (out == NULL)
                return -1;
        }
    }
    *length = (size_t)(out - start);
    return 0;
}

int json_integer(struct json_value v, long long *value)
{
    char digits[24] = {0}, *end;

    if (v.length == 0 || v.length >= sizeof digits)
        return -1;
    memcpy(digits, v.text, v.length);
    *value = strtoll(digits, &end, 10);
    return *end == '\0' ? 0 : -1;
}

/* Bytes of the character at p, 0 = none: RFC 3629's table. */
static size_t character_length(const unsigned char *p, size_t left)
{
    size_t more = *p < 0x80 ? 0 : *p < 0xc2 ? 9 : *p < 0xe0 ? 1 : *p < 0xf0 ? 2 : *p < 0xf5 ? 3 : 9;

    if (more >= left)
        return 0;
    if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) ||
        (*p == 0xf0 && p[1] < 0x90) || (*p == 0xf4 && p[1] > 0x8f))
        return 0;
    for (size_t i = 1; i <= more; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return more + 1;
}

bool json_is_utf8(const char *bytes, size_t length)
{
    const unsigned char *p = (const unsigned char *)bytes;

    while (length > 0) {
        size_t step = character_length(p, length);

        if (step == 0)
            return false;
        p += step;
        length -= step;
    }
    return true;
}

bool json_is(struct json_value v, const char *literal)
{
    return v.length == strlen(literal) && memcmp(v.text, literal, v.length) == 0;
}

void json_put_text(FILE *out, const char *bytes, size_t length)
{
    const char *end = bytes + length;

    putc_unlocked('"', out);
    while (bytes < end) {
        const char *p = bytes;

        while (p < end && (unsigned char)*p >= 0x20 && *p != '"' && *p != '\\')
            p++;
        fwrite_unlocked(bytes, 1, (size_t)(p - bytes), out);
        if (p < end && (*p == '"' || *p == '\\'))
            fprintf(out, "\\%c", *p++);
        else if (p < end)
            fprintf(out, "\\u%04x", (unsigned char)*p++);
        bytes = p;
    }
    putc_unlocked('"', out);
}
