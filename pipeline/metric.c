/* metric.c - all series in one static array, found by hash, printed by name.
 *
 * A series fills a cache line, so that two threads' counters never share one.
 * The mutex guards opening, closing and printing; counting takes no lock.
 */
#include "pipeline/metric.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "pipeline/check.h"

static const char *const kind_names[] = {
    [METRIC_COUNTER] = "counter", [METRIC_GAUGE] = "gauge", [METRIC_HISTOGRAM] = "histogram",
};

enum { METRIC_MAGIC = 0x0E741C01, BUCKETS = METRIC_SERIES_MAX * 2 };

struct metric {
    _Alignas(64) _Atomic int64_t value;
    uint32_t                     magic;
    bool                         open;
    const struct metric_info    *info;
    const char                  *labels;
    struct spread               *spread; /* of a histogram */
    struct metric               *next; /* of the same name, in order of opening */
};

/* A histogram's counts, each of its own bound alone; they are added up when printed. */
enum { BOUNDS = 13 };
static const double bounds_s[BOUNDS] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                        0.25,  0.5,    1,     5,    15,    60};

struct spread {
    _Atomic uint64_t counts[BOUNDS + 1];
    _Atomic uint64_t sum_ns;
};

/* The first series of each name, in order of opening, for printing. */
struct group {
    struct metric *first, *last;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct metric   series[METRIC_SERIES_MAX];
static uint32_t        series_count;
static struct group    groups[METRIC_SERIES_MAX];
static uint32_t        groups_count;
static uint16_t        buckets[BUCKETS]; /* index + 1, 0 = free; open addressing */

_Static_assert(METRIC_SERIES_MAX < UINT16_MAX, "an index + 1 fits its bucket");
_Static_assert((BUCKETS & (BUCKETS - 1)) == 0, "a mask is enough");

/* The bucket that holds this series, or the free one where it belongs. */
static uint16_t *find(const char *name, const char *labels)
{
    CHECK(name != NULL);
    CHECK(labels != NULL);
    XXH64_hash_t hash = XXH3_64bits_withSeed(labels, strlen(labels),
                                             XXH3_64bits(name, strlen(name)));

    for (size_t i = hash & (BUCKETS - 1);; i = (i + 1) & (BUCKETS - 1)) {
        if (buckets[i] == 0)
            return &buckets[i];
        const struct metric *metric = &series[buckets[i] - 1];
        if (strcmp(metric->info->name, name) == 0 && strcmp(metric->labels, labels) == 0)
            return &buckets[i];
    }
}

static struct group *find_group(const char *name)
{
    CHECK(name != NULL);
    CHECK(groups_count <= METRIC_SERIES_MAX);
    for (uint32_t i = 0; i < groups_count; i++)
        if (strcmp(groups[i].first->info->name, name) == 0)
            return &groups[i];
    return NULL;
}

static struct metric *create(const struct metric_info *info, const char *labels)
{
    CHECK(series_count < METRIC_SERIES_MAX);
    struct metric *metric = &series[series_count];
    struct group  *group = find_group(info->name);

    metric->magic = METRIC_MAGIC;
    metric->info = info;
    metric->labels = strdup(labels);
    CHECK(metric->labels != NULL);
    if (info->kind == METRIC_HISTOGRAM)
        metric->spread = calloc(1, sizeof *metric->spread);
    CHECK((metric->spread != NULL) == (info->kind == METRIC_HISTOGRAM));
    if (group == NULL) {
        groups[groups_count++] = (struct group) {.first = metric, .last = metric};
    } else {
        CHECK(group->first->info->kind == info->kind); /* one name, one meaning */
        group->last->next = metric;
        group->last = metric;
    }
    series_count++;
    return metric;
}

static void clear(struct metric *metric)
{
    struct spread *spread = metric->spread;

    CHECK(metric->magic == METRIC_MAGIC);
    CHECK(!metric->open);
    atomic_store_explicit(&metric->value, 0, memory_order_relaxed);
    for (size_t i = 0; spread != NULL && i <= BOUNDS; i++)
        atomic_store_explicit(&spread->counts[i], 0, memory_order_relaxed);
    if (spread != NULL)
        atomic_store_explicit(&spread->sum_ns, 0, memory_order_relaxed);
}

struct metric *metric_open(const struct metric_info *info, const char *labels)
{
    CHECK(info != NULL && info->name != NULL && info->help != NULL);
    CHECK(labels != NULL);
    CHECK(pthread_mutex_lock(&lock) == 0);
    uint16_t      *bucket = find(info->name, labels);
    struct metric *metric = *bucket > 0 ? &series[*bucket - 1] : create(info, labels);

    if (*bucket == 0)
        *bucket = (uint16_t)series_count;
    if (!metric->open)
        clear(metric);
    metric->open = true;
    CHECK(pthread_mutex_unlock(&lock) == 0);
    return metric;
}

void metric_close(struct metric *metric)
{
    CHECK_MAGIC(metric, METRIC_MAGIC);
    CHECK(pthread_mutex_lock(&lock) == 0);
    metric->open = false;
    CHECK(pthread_mutex_unlock(&lock) == 0);
}

void metric_add(struct metric *metric, uint64_t count)
{
    CHECK_MAGIC(metric, METRIC_MAGIC);
    int64_t before = atomic_load_explicit(&metric->value, memory_order_relaxed);

    atomic_store_explicit(&metric->value, (int64_t)((uint64_t)before + count),
                          memory_order_relaxed);
}

void metric_set(struct metric *metric, int64_t value)
{
    CHECK_MAGIC(metric, METRIC_MAGIC);
    atomic_store_explicit(&metric->value, value, memory_order_relaxed);
}

static void count_up(_Atomic uint64_t *counter, uint64_t by)
{
    CHECK(counter != NULL);
    uint64_t before = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, before + by, memory_order_relaxed);
}

void metric_observe(struct metric *metric, uint64_t ns)
{
    size_t which = 0;

    CHECK_MAGIC(metric, METRIC_MAGIC);
    CHECK(metric->spread != NULL);
    while (which < BOUNDS && (double)ns > bounds_s[which] * 1e9)
        which++;
    count_up(&metric->spread->counts[which], 1);
    count_up(&metric->spread->sum_ns, ns);
    metric_add(metric, 1);
}

int64_t metric_value(const struct metric *metric)
{
    CHECK_MAGIC(metric, METRIC_MAGIC);
    return atomic_load_explicit(&metric->value, memory_order_relaxed);
}

struct page {
    char  *text;
    size_t size;
    size_t length; /* needed so far, may exceed size */
};

__attribute__((format(printf, 2, 3)))
static void put(struct page *page, const char *format, ...)
{
    va_list arguments;
    size_t  left = page->length < page->size ? page->size - page->length : 0;

    CHECK(format != NULL);
    va_start(arguments, format);
    int length = vsnprintf(left > 0 ? page->text + page->length : NULL, left, format, arguments);
    va_end(arguments);
    CHECK(length >= 0);
    page->length += (size_t)length;
}

/* Its count is what the buckets hold, so that both agree whoever counts meanwhile. */
static void put_spread(struct page *page, const char *prefix, const struct metric *metric)
{
    const char *name = metric->info->name, *labels = metric->labels;
    const char *comma = labels[0] != '\0' ? "," : "";
    const char *open = labels[0] != '\0' ? "{" : "", *shut = labels[0] != '\0' ? "}" : "";
    uint64_t    total = 0;

    CHECK(metric->spread != NULL);
    for (size_t i = 0; i <= BOUNDS; i++) {
        char bound[16] = "+Inf";

        if (i < BOUNDS)
            (void)snprintf(bound, sizeof bound, "%g", bounds_s[i]);
        total += atomic_load_explicit(&metric->spread->counts[i], memory_order_relaxed);
        put(page, "%s%s_bucket{%s%sle=\"%s\"} %" PRIu64 "\n", prefix, name, labels, comma, bound,
            total);
    }
    uint64_t sum_ns = atomic_load_explicit(&metric->spread->sum_ns, memory_order_relaxed);
    CHECK(total < UINT64_MAX);
    put(page, "%s%s_sum%s%s%s %.9f\n", prefix, name, open, labels, shut, (double)sum_ns / 1e9);
    put(page, "%s%s_count%s%s%s %" PRIu64 "\n", prefix, name, open, labels, shut, total);
}

static void put_group(struct page *page, const char *prefix, const struct group *group)
{
    const struct metric_info *info = group->first->info;
    bool                      headed = false;

    CHECK(page != NULL);
    CHECK(prefix != NULL);
    for (const struct metric *metric = group->first; metric != NULL; metric = metric->next) {
        if (!metric->open)
            continue;
        if (!headed)
            put(page, "# HELP %s%s %s\n# TYPE %s%s %s\n", prefix, info->name, info->help, prefix,
                info->name, kind_names[info->kind]);
        headed = true;
        if (metric->spread != NULL) {
            put_spread(page, prefix, metric);
            continue;
        }
        const char *labels = metric->labels;
        put(page, "%s%s%s%s%s %" PRId64 "\n", prefix, info->name, labels[0] != '\0' ? "{" : "",
            labels, labels[0] != '\0' ? "}" : "", metric_value(metric));
    }
}

size_t metric_print(const char *prefix, char *text, size_t size)
{
    struct page page = {.text = text, .size = size};

    CHECK(prefix != NULL);
    CHECK(text != NULL || size == 0);
    if (size > 0)
        text[0] = '\0';
    CHECK(pthread_mutex_lock(&lock) == 0);
    for (uint32_t i = 0; i < groups_count; i++)
        put_group(&page, prefix, &groups[i]);
    CHECK(pthread_mutex_unlock(&lock) == 0);
    return page.length;
}

int64_t metric_sum(const char *name)
{
    int64_t sum = 0;

    CHECK(name != NULL);
    CHECK(pthread_mutex_lock(&lock) == 0);
    const struct group *group = find_group(name);
    for (const struct metric *metric = group != NULL ? group->first : NULL; metric != NULL;
         metric = metric->next)
        if (metric->open)
            sum += metric_value(metric);
    CHECK(pthread_mutex_unlock(&lock) == 0);
    return sum;
}
