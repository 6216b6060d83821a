/* The schedule beside its definition: the rate summed up in small steps. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/peakload/schedule.h"

enum { STEPS = 200000 };

static char file[] = "/tmp/peakload-schedule-XXXXXX";

static int make_file(void **state)
{
    int handle = mkstemp(file);

    *state = NULL;
    return handle < 0 ? -1 : close(handle);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(file);
}

static int open_curve(struct schedule *s, const char *text)
{
    FILE *out = fopen(file, "w");

    assert_non_null(out);
    fputs(text, out);
    fclose(out);
    s->curve = file;
    return schedule_open(s);
}

static const struct knot knots[] = {{0, 100, 0}, {2, 100, 0}, {3, 900, 0}, {5, 0, 0}, {7, 0, 0},
                                    {8, 400, 0}};
static const char *const curve = "# a remark\nseconds,rate\n0,100\n2,100\n3,900\n5,0\n7,0\n8,400\n";

static double rate_at(double s, bool step)
{
    int i = 0;

    while (i < 4 && knots[i + 1].s <= s)
        i++;
    return step ? knots[i].per_s
                : knots[i].per_s + (knots[i + 1].per_s - knots[i].per_s) * (s - knots[i].s) /
                                       (knots[i + 1].s - knots[i].s);
}

static void beside_a_sum(bool step)
{
    struct schedule s = {.step = step};
    double sum = 0, width = 8.0 / STEPS;

    assert_int_equal(open_curve(&s, curve), 0);
    assert_true(schedule_is_open(&s));
    for (int i = 0; i < STEPS; i++) {
        double at = i * width;

        if (i % 997 == 0)
            assert_true(fabs(schedule_count(&s, at) - sum) < 0.1);
        sum += rate_at(at + width / 2, step) * width;
    }
    assert_true(fabs(schedule_count(&s, 1e9) - sum) < 0.1);
    schedule_close(&s);
}

static void sums_up(void **state)
{
    (void)state;
    beside_a_sum(false);
    beside_a_sum(true);
}

/* The n-th is due at the moment at which n have been due; never earlier than the one before. */
static void due_is_the_inverse(void **state)
{
    (void)state;
    for (int step = 0; step < 2; step++) {
        struct schedule s = {.step = step != 0};
        double total, before = 0;

        assert_int_equal(open_curve(&s, curve), 0);
        total = schedule_count(&s, 8);
        for (double n = 0; n < total - 1; n++) {
            double due = schedule_due(&s, n);

            assert_true(due >= before);
            assert_true(fabs(schedule_count(&s, due) - n) < 1e-6);
            before = due;
        }
        assert_true(fabs(schedule_due(&s, 10) - 0.1) < 1e-9);    /* and back again */
        schedule_close(&s);
    }
}

static void scaled_and_squeezed(void **state)
{
    struct schedule s = {.scale = 2, .squeeze_ms = 4000};

    (void)state;
    assert_int_equal(open_curve(&s, curve), 0);
    assert_true(fabs(schedule_lasts(&s) - 4) < 1e-9);
    assert_true(fabs(schedule_count(&s, 1) - 200) < 1e-9);   /* two seconds of 100, twice */
    schedule_close(&s);
}

static void constant(void **state)
{
    struct schedule s = {.rate = 250};

    (void)state;
    assert_int_equal(schedule_open(&s), 0);
    assert_true(schedule_is_open(&s));
    assert_true(fabs(schedule_count(&s, 3) - 750) < 1e-9);
    assert_true(fabs(schedule_due(&s, 750) - 3) < 1e-12);
    assert_true(schedule_lasts(&s) <= 0);
}

static void refuses(void **state)
{
    static const char *const wrong[] = {
        "", "0,1\n", "1,5\n2,5\n", "0,1\n0,2\n", "0,1\n1\n", "0,1\n1,-2\n", "0,1\n1,x\n",
        "0,0\n5,0\n", "0,1\n1,2 3\n", "0,1\n1,nan\n"};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct schedule s = {0};

        assert_int_equal(open_curve(&s, wrong[i]), -1);
        schedule_close(&s);
    }
    struct schedule both = {.rate = 5};
    assert_int_equal(open_curve(&both, curve), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_up), cmocka_unit_test(due_is_the_inverse),
        cmocka_unit_test(scaled_and_squeezed), cmocka_unit_test(constant),
        cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
