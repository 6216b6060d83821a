/* Unit tests of the table of codes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "stages/scan/codes.h"
#include "stages/scan/scan.h"

/* Every row is there, whole, and found by its own name. */
static void test_rows(void **state)
{
    (void)state;
    for (int code = SCAN_LABEL; code < SCAN_CODES; code++) {
        const struct code_info *row = &code_table[code];

        assert_non_null(row->code);
        assert_true(row->code[0] != '\0' && row->name[0] != '\0');
        assert_non_null(row->biz_step);
        assert_non_null(row->disposition);
        assert_non_null(row->emsevt);
        assert_true(strlen(row->emsevt) == 0 || strlen(row->emsevt) == 3);
        assert_int_equal(code_find(row->code, strlen(row->code)), code);
        assert_true(row->state < STATES);
        assert_int_equal(row->terminal, row->state != STATE_UNKNOWN && state_terminal(row->state));
    }
}

/* What is nearly a code is none. */
static void test_strangers(void **state)
{
    static const char *const strangers[] = {
        "", "X", "label", "LABELS", "LABE", "OUT_FOR_", "OUT_FOR_DELIVERX", "OUT_FOR_DELIVERYY",
        "EXPORT", "EXPORT_I", "EXPORT_INN", "DELIVERE", "RETURN_STOP"};
    char changed[32];

    (void)state;
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++)
        assert_int_equal(code_find(strangers[i], strlen(strangers[i])), SCAN_NONE);
    assert_int_equal(code_find("LOST\0", 5), SCAN_NONE);
    for (int code = SCAN_LABEL; code < SCAN_CODES; code++) {
        size_t length = strlen(code_table[code].code);

        for (size_t at = 0; at < length; at++) {
            memcpy(changed, code_table[code].code, length);
            changed[at] = '#';
            assert_int_equal(code_find(changed, length), SCAN_NONE);
        }
        assert_int_equal(code_find(code_table[code].code, length - 1), SCAN_NONE);
    }
}

/* The description of the domain, spelt out once more. */
static void test_meaning(void **state)
{
    static const enum scan_code terminal[] = {SCAN_DELIVERED, SCAN_RETURNED, SCAN_LOST,
                                              SCAN_DESTROYED, SCAN_CANCELLED},
                                anywhere[] = {SCAN_LABEL, SCAN_DECLARED, SCAN_CANCELLED, SCAN_INFO};
    int terminals = 0, anywheres = 0;

    (void)state;
    for (size_t i = 0; i < sizeof terminal / sizeof *terminal; i++)
        assert_true(code_table[terminal[i]].terminal);
    for (size_t i = 0; i < sizeof anywhere / sizeof *anywhere; i++)
        assert_false(code_table[anywhere[i]].facility);
    for (int code = SCAN_LABEL; code < SCAN_CODES; code++) {
        terminals += code_table[code].terminal;
        anywheres += !code_table[code].facility;
    }
    assert_int_equal(terminals, sizeof terminal / sizeof *terminal);
    assert_int_equal(anywheres, sizeof anywhere / sizeof *anywhere);
    assert_int_equal(code_table[SCAN_STATION_IN].state, STATE_AT_STATION); /* never delivered */
    assert_false(code_table[SCAN_LABEL].physical);
    assert_false(code_table[SCAN_DECLARED].physical);
    assert_false(code_table[SCAN_INFO].physical);
    assert_true(code_table[SCAN_PICKUP].physical);
    assert_int_equal(SCAN_CODES, 32); /* five bits in a record */
}

static void test_states(void **state)
{
    (void)state;
    for (unsigned i = 0; i < STATES; i++)
        assert_true(strlen(state_name(i)) > 0);
    assert_string_equal(state_name(STATE_IN_TRANSIT), "in transit");
    assert_true(state_terminal(STATE_DELIVERED));
    assert_false(state_terminal(STATE_AT_STATION));
}

static void test_rejects(void **state)
{
    (void)state;
    for (unsigned i = 0; i < REJECTS; i++)
        for (unsigned k = 0; k < i; k++)
            assert_string_not_equal(reject_name(i), reject_name(k));
    assert_string_equal(reject_name(REJECT_BAD_JSON), "bad-json");
    assert_string_equal(reject_name(REJECT_WRONG_PARTITION), "wrong-partition");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),   cmocka_unit_test(test_strangers),
        cmocka_unit_test(test_meaning), cmocka_unit_test(test_states),
        cmocka_unit_test(test_rejects),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
