/* api_json.c - members of JSON objects, written into a buffer. */
#include "stages/serve/api_json.h"

#include <string.h>

#include "pipeline/check.h"
#include "pipeline/text.h"
#include "stages/outlet/text_out.h"
#include "stages/scan/format.h"

enum { ESCAPED_MAX = 6 };

void json_comma(struct buffer *buffer)
{
    char last = buffer->used > 0 ? buffer->bytes[buffer->used - 1] : '{';

    if (last != '{' && last != '[')
        json_raw(buffer, ",");
}

void json_name(struct buffer *buffer, const char *name)
{
    json_comma(buffer);
    json_raw(buffer, "\"");
    buffer_add(buffer, name, strlen(name));
    json_raw(buffer, "\":");
}

static void put_string(struct buffer *buffer, const char *text, size_t length)
{
    size_t          room = length * ESCAPED_MAX + 2;
    char           *at = buffer_room(buffer, room);
    struct text_out out = {.at = at, .end = at + room};

    out_string(&out, text, length);
    CHECK(!out.full);
    buffer->used += (size_t)(out.at - at);
}

/* A URL or a foreign Redis value may hold anything; our JSON stays UTF-8. */
void json_string(struct buffer *buffer, const char *text)
{
    char   clean[512];
    size_t used = 0;

    if (text_valid(text)) {
        put_string(buffer, text, strlen(text));
        return;
    }
    for (const char *at = text; *at != '\0' && used < sizeof clean - 4;) {
        const char *from = at;

        if (text_next(&at) == TEXT_INVALID) {
            clean[used++] = '?';
            continue;
        }
        memcpy(clean + used, from, (size_t)(at - from));
        used += (size_t)(at - from);
    }
    put_string(buffer, clean, used);
}

void json_text(struct buffer *buffer, const char *name, const char *text)
{
    if (text == NULL || text[0] == '\0')
        return;
    json_name(buffer, name);
    json_string(buffer, text);
}

void json_number(struct buffer *buffer, const char *name, int64_t number)
{
    char            text[DIGITS_MAX + 1];
    struct text_out out = {.at = text, .end = text + sizeof text};

    json_name(buffer, name);
    out_number(&out, number);
    buffer_add(buffer, text, (size_t)(out.at - text));
}

void json_bool(struct buffer *buffer, const char *name, bool yes)
{
    json_name(buffer, name);
    buffer_add(buffer, yes ? "true" : "false", yes ? 4 : 5);
}

void json_time(struct buffer *buffer, const char *name, int64_t unix_ms)
{
    char text[TIME_TEXT];

    if (unix_ms <= 0)
        return;
    json_name(buffer, name);
    json_raw(buffer, "\"");
    buffer_add(buffer, text, time_print(unix_ms, text));
    json_raw(buffer, "\"");
}
