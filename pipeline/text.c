/* text.c - UTF-8, one character at a time.
 *
 * Source  RFC 3629: shortest form only, no surrogates, nothing above U+10FFFF.
 */
#include "pipeline/text.h"

#include <stddef.h>
#include <string.h>

#include "pipeline/check.h"

/* How many bytes follow a lead byte; -1 when it cannot lead. */
static int followers(uint8_t lead)
{
    if (lead < 0x80)
        return 0;
    if (lead >= 0xC2 && lead <= 0xDF)
        return 1;
    if (lead >= 0xE0 && lead <= 0xEF)
        return 2;
    if (lead >= 0xF0 && lead <= 0xF4)
        return 3;
    return -1;
}

int32_t text_next(const char **at)
{
    static const int32_t least[4] = {0, 0x80, 0x800, 0x10000};

    CHECK(at != NULL);
    CHECK(*at != NULL);
    const uint8_t *byte = (const uint8_t *)*at;
    int more = followers(byte[0]);

    if (byte[0] == 0)
        return 0;
    *at += 1;
    if (more < 0)
        return TEXT_INVALID;
    int32_t code = more == 0 ? byte[0] : byte[0] & (0x3F >> more);
    for (int i = 1; i <= more; i++) {
        if ((byte[i] & 0xC0) != 0x80) /* stops at the final NUL too */
            return TEXT_INVALID;
        code = (int32_t)((uint32_t)code << 6 | (byte[i] & 0x3Fu));
    }
    if (code < least[more] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
        return TEXT_INVALID;
    *at += more;
    CHECK(code > 0);
    return code;
}

bool text_valid(const char *text)
{
    CHECK(text != NULL);
    for (int32_t code = text_next(&text); code != 0; code = text_next(&text))
        if (code == TEXT_INVALID)
            return false;
    CHECK(*text == '\0');
    return true;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t text_distance(const char *a, const char *b)
{
    size_t row[TEXT_DISTANCE_SIZE];
    size_t a_length = strlen(a), b_length = strlen(b);

    CHECK(a_length < TEXT_DISTANCE_SIZE);
    CHECK(b_length < TEXT_DISTANCE_SIZE);
    for (size_t j = 0; j <= b_length; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t changed = diagonal + (a[i - 1] != b[j - 1]);

            diagonal = row[j];
            row[j] = least(changed, least(row[j], row[j - 1]) + 1);
        }
    }
    return row[b_length];
}
