/* text_out.c - JSON written straight into bytes that are there. */
#include "stages/outlet/text_out.h"

#include <math.h>

#include "pipeline/check.h"
#include "stages/scan/format.h"

static const char hex_digits[] = "0123456789abcdef";

void out_number(struct text_out *o, int64_t number)
{
    char digits[24];
    size_t n = sizeof digits;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

    do {
        digits[--n] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (number < 0)
        digits[--n] = '-';
    out_bytes(o, digits + n, sizeof digits - n);
}

void out_hex16(struct text_out *o, uint64_t number)
{
    char digits[16];

    for (int i = 15; i >= 0; i--, number >>= 4)
        digits[i] = hex_digits[number & 15];
    out_bytes(o, digits, sizeof digits);
}

static void out_escaped(struct text_out *o, unsigned char c)
{
    char escape[6] = {'\\', 'u', '0', '0', hex_digits[c >> 4], hex_digits[c & 15]};

    if (c == '"' || c == '\\') {
        escape[1] = (char)c;
        out_bytes(o, escape, 2);
    } else {
        out_bytes(o, escape, sizeof escape);
    }
}

void out_string(struct text_out *o, const char *text, size_t length)
{
    size_t plain = 0;

    out_literal(o, "\"");
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        out_bytes(o, text + plain, i - plain);
        out_escaped(o, c);
        plain = i + 1;
    }
    out_bytes(o, text + plain, length - plain);
    out_literal(o, "\"");
}

void out_time(struct text_out *o, uint32_t unix_s)
{
    char text[TIME_TEXT];

    if (unix_s == 0) {
        out_literal(o, "null");
        return;
    }
    size_t length = time_print((int64_t)unix_s * 1000, text);
    CHECK(length == TIME_TEXT);
    out_literal(o, "\"");
    out_bytes(o, text, 19); /* whole seconds: the fraction is always zero */
    out_literal(o, "Z\"");
}

void out_real(struct text_out *o, double number, int decimals)
{
    double scale = pow(10, decimals);
    int64_t fixed = llround(fabs(number) * scale);

    CHECK(decimals > 0 && decimals < 10);
    if (number < 0 && fixed != 0)
        out_literal(o, "-");
    out_number(o, fixed / (int64_t)scale);
    out_literal(o, ".");
    for (int64_t unit = (int64_t)scale / 10; unit > 0; unit /= 10)
        out_number(o, fixed / unit % 10);
}
