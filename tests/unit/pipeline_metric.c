/* Series: the same for the same labels, grouped in print, closed and opened again. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/metric.h"

static const struct metric_info scans = {"scans_total", "Scans that were read.", METRIC_COUNTER};
static const struct metric_info lag = {"lag_ms", "How far behind.", METRIC_GAUGE};

static void same_labels_same_series(void **state)
{
    struct metric *a = metric_open(&scans, "partition=\"1\"");
    struct metric *b = metric_open(&scans, "partition=\"2\"");

    (void)state;
    assert_ptr_equal(metric_open(&scans, "partition=\"1\""), a);
    assert_ptr_not_equal(a, b);
    assert_ptr_not_equal(metric_open(&lag, "partition=\"1\""), a);
    metric_add(a, 3);
    metric_add(a, 4);
    metric_add(b, 10);
    assert_int_equal(metric_value(a), 7);
    assert_int_equal(metric_sum("scans_total"), 17);
    assert_int_equal(metric_sum("nobody"), 0);
    struct metric *gauge = metric_open(&lag, "partition=\"1\"");
    metric_set(gauge, -5);
    assert_int_equal(metric_value(gauge), -5);
}

static void prints_grouped(void **state)
{
    char text[1024];

    (void)state;
    metric_add(metric_open(&scans, ""), 1);
    size_t length = metric_print("peakline_", text, sizeof text);
    assert_int_equal(length, strlen(text));
    assert_string_equal(text, "# HELP peakline_scans_total Scans that were read.\n"
                              "# TYPE peakline_scans_total counter\n"
                              "peakline_scans_total{partition=\"1\"} 7\n"
                              "peakline_scans_total{partition=\"2\"} 10\n"
                              "peakline_scans_total 1\n"
                              "# HELP peakline_lag_ms How far behind.\n"
                              "# TYPE peakline_lag_ms gauge\n"
                              "peakline_lag_ms{partition=\"1\"} -5\n");
    char little[20];
    assert_int_equal(metric_print("peakline_", little, sizeof little), length);
    assert_int_equal(strlen(little), sizeof little - 1);
    assert_memory_equal(little, text, sizeof little - 1);
    assert_int_equal(metric_print("peakline_", NULL, 0), length);
}

static void spreads_durations(void **state)
{
    static const struct metric_info way = {"way_seconds", "How long.", METRIC_HISTOGRAM};
    static char                     text[8192];
    struct metric                  *metric = metric_open(&way, "stage=\"a\"");

    (void)state;
    metric_observe(metric, 1000000);      /* on a bound: within it */
    metric_observe(metric, 1000001);
    metric_observe(metric, 70000000000u); /* beyond all */
    assert_int_equal(metric_value(metric), 3);
    (void)metric_print("p_", text, sizeof text);
    assert_non_null(strstr(text, "# TYPE p_way_seconds histogram\n"
                                 "p_way_seconds_bucket{stage=\"a\",le=\"0.001\"} 1\n"
                                 "p_way_seconds_bucket{stage=\"a\",le=\"0.0025\"} 2\n"));
    assert_non_null(strstr(text, "p_way_seconds_bucket{stage=\"a\",le=\"60\"} 2\n"
                                 "p_way_seconds_bucket{stage=\"a\",le=\"+Inf\"} 3\n"
                                 "p_way_seconds_sum{stage=\"a\"} 70.002000001\n"
                                 "p_way_seconds_count{stage=\"a\"} 3\n"));
    metric_close(metric);
    assert_int_equal(metric_value(metric_open(&way, "stage=\"a\"")), 0);
    (void)metric_print("p_", text, sizeof text);
    assert_non_null(strstr(text, "p_way_seconds_count{stage=\"a\"} 0\n"));
    metric_close(metric);
}

static void closes_and_opens_again(void **state)
{
    char           text[1024];
    struct metric *a = metric_open(&scans, "partition=\"1\"");

    (void)state;
    metric_close(a);
    metric_close(metric_open(&lag, "partition=\"1\""));
    (void)metric_print("", text, sizeof text);
    assert_null(strstr(text, "partition=\"1\""));
    assert_null(strstr(text, "lag_ms"));
    assert_int_equal(metric_sum("scans_total"), 11);
    assert_ptr_equal(metric_open(&scans, "partition=\"1\""), a);
    assert_int_equal(metric_value(a), 0);
    (void)metric_print("", text, sizeof text);
    assert_non_null(strstr(text, "scans_total{partition=\"1\"} 0\n"));
}

static void *count(void *self)
{
    char           label[32];
    struct metric *mine;

    (void)snprintf(label, sizeof label, "thread=\"%d\"", *(int *)self);
    mine = metric_open(&scans, label);
    for (int i = 0; i < 100000; i++)
        metric_add(mine, 1);
    return NULL;
}

static void threads_count_apart(void **state)
{
    static char text[65536];
    pthread_t   threads[3];
    int         numbers[3] = {0, 1, 2};
    int64_t     before = metric_sum("scans_total");

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count, &numbers[i]), 0);
    for (int i = 0; i < 50; i++)
        (void)metric_print("", text, sizeof text);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(metric_sum("scans_total"), before + 300000);
}

static void many_series(void **state)
{
    static struct metric *all[4000];
    char                  label[32];

    (void)state;
    for (int i = 0; i < 4000; i++) {
        (void)snprintf(label, sizeof label, "n=\"%d\"", i);
        all[i] = metric_open(&lag, label);
        metric_set(all[i], i);
    }
    for (int i = 0; i < 4000; i++) {
        (void)snprintf(label, sizeof label, "n=\"%d\"", i);
        assert_ptr_equal(metric_open(&lag, label), all[i]);
        assert_int_equal(metric_value(all[i]), i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_labels_same_series),
        cmocka_unit_test(prints_grouped),
        cmocka_unit_test(spreads_durations),
        cmocka_unit_test(closes_and_opens_again),
        cmocka_unit_test(threads_count_apart),
        cmocka_unit_test(many_series),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
