/* UTF-8, beside a reference: every code point goes in and comes out, all else is invalid. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/text.h"

/* RFC 3629, section 3, straight from its table. */
static int encode(int32_t code, char *text)
{
    if (code < 0x80) {
        text[0] = (char)code;
        return 1;
    }
    int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    for (int i = more; i > 0; i--) {
        text[i] = (char)(0x80 | (code & 0x3F));
        code >>= 6;
    }
    static const int leads[] = {0, 0xC0, 0xE0, 0xF0};
    text[0] = (char)(leads[more] | code);
    return more + 1;
}

static void every_character(void **state)
{
    (void)state;
    for (int32_t code = 1; code <= 0x10FFFF; code++) {
        char        text[8] = "";
        int         length = encode(code, text);
        const char *at = text;

        text[length] = '\0';
        if (code >= 0xD800 && code <= 0xDFFF) {
            assert_int_equal(text_next(&at), TEXT_INVALID);
            assert_false(text_valid(text));
            continue;
        }
        assert_int_equal(text_next(&at), code);
        assert_ptr_equal(at, text + length);
        assert_int_equal(text_next(&at), 0);
        assert_ptr_equal(at, text + length);
    }
}

static void what_is_none(void **state)
{
    static const char *const bad[] = {
        "\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xE0\x9F\xBF", "\xF0\x80\x80\x80",
        "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xC3", "\xE2\x82", "\xF0\x9F\x98",
        "a\xC3(", "\xED\xA0\x80",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *at = bad[i];
        int         steps = 0;

        assert_false(text_valid(bad[i]));
        while (text_next(&at) != 0)
            steps++;
        assert_true(steps >= 1 && steps <= (int)strlen(bad[i]));
    }
    assert_true(text_valid(""));
    assert_true(text_valid("Zürich 東京 📦"));
}

static void distances(void **state)
{
    (void)state;
    assert_int_equal(text_distance("", ""), 0);
    assert_int_equal(text_distance("", "abc"), 3);
    assert_int_equal(text_distance("broker", "brokers"), 1);
    assert_int_equal(text_distance("kafak", "kafka"), 2);
    assert_int_equal(text_distance("abc", "xyz"), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_character),
        cmocka_unit_test(what_is_none),
        cmocka_unit_test(distances),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
