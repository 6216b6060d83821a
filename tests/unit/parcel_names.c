/* names: beside a plain array of texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pipeline/error.h"
#include "stages/parcel/names.h"
#include "tests/unit/parcel_random.h"

enum { TEXTS = 20000 };

static size_t text_of(uint32_t which, char text[64])
{
    int length = snprintf(text, 64, "%u-abcdefghijklmnopqrstuvwxyz", which);

    return which % 3 == 0 ? strcspn(text, "-") : (size_t)(length < 32 ? length : 32);
}

static void equals_an_array(void **state)
{
    struct names  *names = names_create();
    name_id       *ids = calloc(TEXTS, sizeof *ids), highest = 0;
    struct random  r = {1};

    (void)state;
    assert_non_null(ids);
    for (int step = 0; step < 100000; step++) {
        uint32_t which = random_below(&r, TEXTS);
        char     text[64];
        size_t   length = text_of(which, text);

        assert_int_equal(names_find(names, NAME_PLACE, text, length), ids[which]);
        if (random_one_in(&r, 3))
            continue;
        name_id id = names_intern(names, NAME_PLACE, text, length);

        assert_int_equal(id, ids[which] != 0 ? ids[which] : highest + 1);
        if (ids[which] == 0)
            ids[which] = ++highest;
        assert_int_equal(names_last(names, NAME_PLACE), highest);
    }
    for (uint32_t which = 0; which < TEXTS; which++) {
        char text[64];

        text[text_of(which, text)] = '\0';
        assert_string_equal(names_text(names, NAME_PLACE, ids[which]),
                            ids[which] == 0 ? "" : text);
    }
    assert_int_equal(names_last(names, NAME_SERVICE), 0);
    assert_int_equal(names_refused(names), 0);
    free(ids);
    names_destroy(names);
}

/* Enough texts that some share their 32-bit hash (100 pairs expected). */
static void all_places(void **state)
{
    struct names *names = names_create();

    (void)state;
    for (uint32_t which = 0; which < REASONS_FIRST - 1; which++) {
        char   text[64];
        size_t length = text_of(which, text);

        if (names_intern(names, NAME_PLACE, text, length) != which + 1)
            fail_msg("%.*s", (int)length, text);
    }
    for (uint32_t which = 0; which < REASONS_FIRST - 1; which++) {
        char text[64];

        text[text_of(which, text)] = '\0';
        if (strcmp(names_text(names, NAME_PLACE, which + 1), text) != 0)
            fail_msg("%s", text);
    }
    names_destroy(names);
}

static void what_is_no_name(void **state)
{
    struct names *names = names_create();
    char          longest[NAME_LENGTH_MAX + 1];

    (void)state;
    memset(longest, 'x', sizeof longest);
    assert_int_equal(names_intern(names, NAME_PLACE, "", 0), NAME_NONE);
    assert_int_equal(names_refused(names), 0);
    assert_int_equal(names_intern(names, NAME_PLACE, longest, NAME_LENGTH_MAX + 1), NAME_NONE);
    assert_int_equal(names_refused(names), 1);
    assert_int_equal(names_intern(names, NAME_PLACE, longest, NAME_LENGTH_MAX), 1);
    assert_int_equal(strlen(names_text(names, NAME_PLACE, 1)), NAME_LENGTH_MAX);
    assert_string_equal(names_text(names, NAME_PLACE, NAME_NONE), "");
    assert_string_equal(names_text(names, NAME_PLACE, 2), "");
    assert_string_equal(names_text(names, NAME_PLACE, 5000), "");
    assert_string_equal(names_text(names, NAME_PLACE, UINT32_MAX), "");
    names_destroy(names);
}

static void full_dictionary_refuses(void **state)
{
    struct names *names = names_create();

    (void)state;
    for (uint32_t which = 0; which < 300; which++) {
        char   text[64];
        size_t length = text_of(which, text);

        assert_int_equal(names_intern(names, NAME_SERVICE, text, length),
                         which < SERVICES_MAX ? which + 1 : NAME_NONE);
    }
    assert_int_equal(names_refused(names), 300 - SERVICES_MAX);
    assert_int_equal(names_intern(names, NAME_SERVICE, "0", 1), 1);
    names_destroy(names);
}

/* Free text has its share, and takes nothing of the places'; what is there is one dictionary. */
static void reasons_have_a_share(void **state)
{
    struct names *names = names_create();
    char          text[64];

    (void)state;
    assert_int_equal(names_intern(names, NAME_PLACE, "HGH", 3), 1);
    assert_int_equal(names_intern(names, NAME_REASON, "HGH", 3), 1);
    for (uint32_t which = 0; which < REASONS_MAX + 10; which++)
        assert_int_equal(names_intern(names, NAME_REASON, text, text_of(which, text)),
                         which < REASONS_MAX ? REASONS_FIRST + which : NAME_NONE);
    assert_int_equal(names_refused(names), 10);
    assert_int_equal(names_last(names, NAME_REASON), NAMES_MAX);
    assert_int_equal(names_last(names, NAME_PLACE), 1);
    assert_int_equal(names_intern(names, NAME_PLACE, "PVG", 3), 2);
    assert_int_equal(names_refused(names), 10);
    assert_int_equal(names_find(names, NAME_PLACE, text, text_of(7, text)), REASONS_FIRST + 7);
    assert_string_equal(names_text(names, NAME_PLACE, REASONS_FIRST), "0");
    names_destroy(names);

    names = names_create();   /* what comes back as a place, by its number, counts where it was */
    assert_int_equal(names_restore(names, NAME_PLACE, REASONS_FIRST + 4, "strike", 6), 0);
    assert_int_equal(names_dirty_first(names, NAME_REASON), REASONS_FIRST + 5);
    assert_int_equal(names_intern(names, NAME_PLACE, "HGH", 3), 1);
    assert_int_equal(names_intern(names, NAME_REASON, "rain", 4), REASONS_FIRST + 5);
    assert_int_equal(names_dirty_first(names, NAME_REASON), REASONS_FIRST + 5);
    names_destroy(names);
}

static void restored_in_any_order(void **state)
{
    struct names *names = names_create();
    struct random r = {2};
    uint32_t      order[3000];
    char          text[64];

    (void)state;
    for (uint32_t i = 0; i < 3000; i++)
        order[i] = i;
    for (uint32_t i = 2999; i > 0; i--) {
        uint32_t j = random_below(&r, i + 1), one = order[i];

        order[i] = order[j];
        order[j] = one;
    }
    for (uint32_t i = 0; i < 3000; i++) {
        size_t length = text_of(order[i], text);

        assert_int_equal(names_restore(names, NAME_PLACE, order[i] + 1, text, length), 0);
        assert_int_equal(names_dirty_first(names, NAME_PLACE),
                         names_last(names, NAME_PLACE) + 1);
    }
    for (uint32_t which = 0; which < 3000; which++) {
        size_t length = text_of(which, text);

        assert_int_equal(names_intern(names, NAME_PLACE, text, length), which + 1);
    }
    assert_int_equal(names_intern(names, NAME_PLACE, "new", 3), 3001);
    assert_int_equal(names_dirty_first(names, NAME_PLACE), 3001);
    names_destroy(names);
}

static void contradictions_are_refused(void **state)
{
    struct names *names = names_create();

    (void)state;
    assert_int_equal(names_restore(names, NAME_PLACE, 5, "HGH", 3), 0);
    assert_int_equal(names_restore(names, NAME_PLACE, 5, "HGH", 3), 0);
    assert_string_equal(names_text(names, NAME_PLACE, 4), "");
    assert_int_equal(names_restore(names, NAME_PLACE, 5, "PVG", 3), -1);
    assert_non_null(strstr(error_text(), "HGH"));
    assert_int_equal(names_restore(names, NAME_PLACE, 6, "HGH", 3), -1);
    assert_int_equal(names_restore(names, NAME_PLACE, 0, "CAN", 3), -1);
    assert_int_equal(names_restore(names, NAME_PLACE, NAMES_MAX + 1u, "CAN", 3), -1);
    assert_int_equal(names_restore(names, NAME_SERVICE, 256, "CAN", 3), -1);
    assert_int_equal(names_restore(names, NAME_PLACE, 7, "", 0), -1);
    assert_int_equal(names_restore(names, NAME_PLACE, REASONS_FIRST - 1, "CAN", 3), 0);
    assert_int_equal(names_last(names, NAME_PLACE), REASONS_FIRST - 1);
    assert_int_equal(names_intern(names, NAME_PLACE, "SZX", 3), NAME_NONE);
    assert_int_equal(names_restore(names, NAME_PLACE, NAMES_MAX, "SZX", 3), 0);
    assert_int_equal(names_intern(names, NAME_REASON, "strike", 6), NAME_NONE);
    names_destroy(names);
}

static void dirty_since_clean(void **state)
{
    struct names *names = names_create();

    (void)state;
    assert_int_equal(names_dirty_first(names, NAME_PLACE), 1);
    names_intern(names, NAME_PLACE, "A", 1);
    assert_int_equal(names_dirty_first(names, NAME_PLACE), 1);
    names_clean(names);
    assert_int_equal(names_dirty_first(names, NAME_PLACE), 2);
    names_intern(names, NAME_PLACE, "A", 1);
    assert_int_equal(names_last(names, NAME_PLACE), 1);
    names_intern(names, NAME_PLACE, "B", 1);
    assert_int_equal(names_last(names, NAME_PLACE), 2);
    assert_int_equal(names_dirty_first(names, NAME_PLACE), 2);
    assert_int_equal(names_dirty_first(names, NAME_SERVICE), 1);
    assert_int_equal(names_restore(names, NAME_PLACE, 9, "C", 1), 0);
    assert_int_equal(names_dirty_first(names, NAME_PLACE), 2); /* B is still to be written */
    names_destroy(names);
}

static struct name_codes codes(struct names *names, const char *text)
{
    return *names_codes(names, NAME_PLACE, names_intern(names, NAME_PLACE, text, strlen(text)));
}

static void places_share_an_area_by_their_first_part(void **state)
{
    struct names *names = names_create();
    uint32_t      here = codes(names, "CAN-D2").area;

    (void)state;
    assert_int_not_equal(here, 0);
    assert_int_equal(codes(names, "CAN-D3").area, here);
    assert_int_equal(codes(names, "CAN").area, here);
    assert_int_equal(codes(names, "CAN-D").area, here); /* at least three */
    assert_int_not_equal(codes(names, "SWA-D2").area, here);
    assert_int_not_equal(codes(names, "CA").area, here);
    assert_int_equal(codes(names, "ZIP01310").area, codes(names, "ZIP01999").area);
    assert_int_not_equal(codes(names, "ZIP01310").area, codes(names, "ZIP02310").area);
    assert_int_equal(names_codes(names, NAME_PLACE, NAME_NONE)->area, 0);
    assert_int_equal(names_codes(names, NAME_PLACE, 5000)->self, 0);
    names_destroy(names);
}

/* In two dictionaries a text has two numbers, but the same codes. */
static void codes_are_of_the_text_alone(void **state)
{
    struct names *names = names_create(), *others = names_create();
    uint32_t      region = codes(names, "SP-01310").region;

    (void)state;
    (void)codes(others, "before");
    assert_int_equal(codes(others, "SP-01310").self, codes(names, "SP-01310").self);
    assert_int_equal(codes(others, "SP-01310").area, codes(names, "SP-01310").area);
    assert_int_not_equal(codes(names, "SP-01310").self, codes(names, "SP-01311").self);
    assert_int_equal(codes(names, "SP-20000").region, region);
    assert_int_equal(codes(names, "SP.7").region, region);
    assert_int_equal(codes(names, "SP").region, region);
    assert_int_not_equal(codes(names, "RJ-01310").region, region);
    assert_int_equal(codes(names, "CNHGH").region, codes(names, "CNHXX").region);
    assert_int_equal(codes(names, "-7").region, codes(names, "-7").self);
    assert_int_not_equal(names_intern(names, NAME_SERVICE, "SP", 2), NAME_NONE);
    assert_int_equal(names_codes(names, NAME_SERVICE, 1)->self, region);
    names_destroy(names);
    names_destroy(others);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_an_array),
        cmocka_unit_test(all_places),
        cmocka_unit_test(what_is_no_name),
        cmocka_unit_test(full_dictionary_refuses),
        cmocka_unit_test(reasons_have_a_share),
        cmocka_unit_test(restored_in_any_order),
        cmocka_unit_test(contradictions_are_refused),
        cmocka_unit_test(dirty_since_clean),
        cmocka_unit_test(places_share_an_area_by_their_first_part),
        cmocka_unit_test(codes_are_of_the_text_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
