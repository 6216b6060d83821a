/* watch.c - the meters, who feeds them, and what they say in the end. */
#include "bench/peakload/watch.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/peakload/marks.h"
#include "bench/peakload/reader.h"
#include "bench/peakload/say.h"
#include "bench/peakload/times.h"

enum { STILL_MS = 1000, LISTEN_MS = 20, INTERVAL_MS = 1000, DEFAULT_SETTLE_MS = 15000 };

/* One thing measured: `interval` since the last line of the log, `total` before it. */
struct gauge {
    pthread_mutex_t lock;
    struct histogram interval, total;
};

struct watch {
    const struct watch_options *options;
    const struct output *output;
    struct reader *reader;       /* of the outputs                                           */
    struct marks  *marks;        /* NULL = no Redis named                                    */
    struct gauge  *gauge;        /* METERS of them                                           */
    struct histogram *interval;  /* a copy of one, to be written                             */
    FILE    *log;
    int64_t  log_start_ms, interval_ms;   /* when the log, and its interval, began           */
    int64_t  count_from_us;      /* what was due earlier does not count                      */
    bool     warm;               /* the first that counts was sent; the sender's thread       */
    int64_t  heard_ms;           /* the last output with a due time                          */
    bool     stop, failed;
    pthread_mutex_t lock;        /* of the four above                                         */
    pthread_t thread;
    bool     runs;
};

static int take_limit(void *self, const char *text)
{
    return limits_take(&((struct watch_options *)self)->limits, text);
}

#define AT(field) offsetof(struct watch_options, field)

const struct option_row watch_rows[WATCH_ROWS] = {
    {OPTION_HEADING, "Measuring (topics, group and Redis are those of --config):", NULL, NULL, 0, 0,
     0, NULL},
    {OPTION_FLAG, "measure", NULL, "latency from each message's due time to alerts and ETAs, and "
     "(with\nredis.address) until Redis shows it; needs a rate", AT(measure), 0, 0, NULL},
    {OPTION_INTEGER, "probe", "N", "one message in N carries its due time (default 1: all)",
     AT(every), 1, 1e9, NULL},
    {OPTION_DURATION, "warmup", "TIME", "what is due in it does not count (default 0)",
     AT(warmup_ms), 0, 0, NULL},
    {OPTION_DURATION, "settle", "TIME", "at most so long for the last outputs (default 15s)",
     AT(settle_ms), 0, 0, NULL},
    {OPTION_TEXT, "hlog", "FILE", "HdrHistogram's interval log, a line a second and meter",
     AT(hlog), 0, 0, NULL},
    {OPTION_TEXT, "percentiles", "FILE", "the outputs' latency as HdrHistogram's percentile text",
     AT(percentiles), 0, 0, NULL},
    {OPTION_OTHER, "limit", "NAME=VALUE", "fails (exit 1) beyond it: p99=1s, max=2s, "
     "visible.p99=1300ms,\nlag=100000 (records), slip=1% (the default)", 0, 0, 0, take_limit},
};

/* ── Recording ────────────────────────────────────────────────────────────── */

static void record(struct watch *w, enum meter meter, int64_t intended_us)
{
    struct gauge *g = &w->gauge[meter];
    int64_t ns = (wall_us() - intended_us) * 1000;

    pthread_mutex_lock(&g->lock);
    histogram_record(&g->interval, ns);
    pthread_mutex_unlock(&g->lock);
}

static bool counts(struct watch *w, int64_t intended_us)
{
    return intended_us >= __atomic_load_n(&w->count_from_us, __ATOMIC_RELAXED);
}

void watch_sent(struct watch *w, int64_t intended_us)
{
    if (!counts(w, intended_us))
        return;
    if (!w->warm && w->marks != NULL)
        marks_lag_forget(w->marks);
    w->warm = true;
    record(w, METER_SENT, intended_us);
}

void watch_acked(struct watch *w, int32_t partition, int64_t offset, int64_t intended_us)
{
    if (counts(w, intended_us))
        record(w, METER_ACKED, intended_us);
    if (w->marks != NULL)
        marks_expect(w->marks, partition, offset, intended_us);
}

static void on_seen(void *self, int64_t intended_us)
{
    struct watch *w = self;

    if (counts(w, intended_us))
        record(w, METER_VISIBLE, intended_us);
}

/* ── Listening to the outputs ─────────────────────────────────────────────── */

static int64_t intended_of(const rd_kafka_message_t *m)
{
    rd_kafka_headers_t *headers;
    const void *value;
    size_t size;
    char   text[24];

    if (rd_kafka_message_headers(m, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        rd_kafka_header_get_last(headers, INTENDED_HEADER, &value, &size) !=
            RD_KAFKA_RESP_ERR_NO_ERROR || value == NULL || size >= sizeof text)
        return 0;
    memcpy(text, value, size);
    text[size] = '\0';
    return strtoll(text, NULL, 10);
}

static void hear(struct watch *w, const rd_kafka_message_t *m)
{
    int64_t intended_us = intended_of(m);
    enum meter meter;

    if (intended_us == 0)
        return;
    pthread_mutex_lock(&w->lock);
    w->heard_ms = wall_ms();
    pthread_mutex_unlock(&w->lock);
    if (!counts(w, intended_us))
        return;
    record(w, METER_OUTPUTS, intended_us);
    meter = strcmp(rd_kafka_topic_name(m->rkt), w->output->alerts) == 0 ? METER_ALERTS : METER_ETAS;
    record(w, meter, intended_us);
}

/* Ends the interval: a line of the log for each meter.  The copy is written, not the gauge:
 * whoever records does not wait for zlib. */
static void turn_interval(struct watch *w)
{
    int64_t now_ms = wall_ms();

    for (int i = 0; i < METERS; i++) {
        struct gauge *g = &w->gauge[i];

        pthread_mutex_lock(&g->lock);
        *w->interval = g->interval;
        if (g->interval.count > 0)
            memset(&g->interval, 0, sizeof g->interval);
        pthread_mutex_unlock(&g->lock);
        histogram_add(&g->total, w->interval);
        if (w->log != NULL)
            histogram_log(w->log, meter_names[i], w->interval, w->log_start_ms, w->interval_ms,
                          now_ms);
    }
    w->interval_ms = now_ms;
}

static bool stopped(struct watch *w, bool failed)
{
    bool stop;

    pthread_mutex_lock(&w->lock);
    w->failed |= failed;
    stop = w->stop;
    pthread_mutex_unlock(&w->lock);
    return stop || failed;
}

static void *listen_to_outputs(void *opaque)
{
    struct watch *w = opaque;
    rd_kafka_message_t *messages[READER_LOT];
    int count = 0;

    while (!stopped(w, count < 0)) {
        count = reader_next(w->reader, messages, LISTEN_MS);
        for (int i = 0; i < count; i++) {
            hear(w, messages[i]);
            rd_kafka_message_destroy(messages[i]);
        }
        if (w->log != NULL && wall_ms() - w->interval_ms >= INTERVAL_MS)
            turn_interval(w);
    }
    return NULL;
}

/* ── Beginning and end ────────────────────────────────────────────────────── */

static int open_log(struct watch *w)
{
    w->log_start_ms = w->interval_ms = wall_ms();
    if (w->options->hlog == NULL)
        return 0;
    w->log = fopen(w->options->hlog, "w");
    if (w->log == NULL)
        return say("%s: %s", w->options->hlog, strerror(errno));
    histogram_log_begin(w->log, w->log_start_ms);
    return 0;
}

static int open_marks(struct watch *w)
{
    struct client c = {0};
    int32_t partitions;

    if (w->output->redis == NULL)
        return 0;
    if (client_open(&c, w->output, RD_KAFKA_PRODUCER, NULL, 0, NULL) != 0)
        return -1;
    partitions = client_partitions(&c, w->output->topic);
    client_close(&c);
    if (partitions < 0)
        return -1;
    w->marks = marks_open(w->output, partitions, on_seen, w);
    return w->marks == NULL ? -1 : 0;
}

static int begin(struct watch *w)
{
    struct reader_wish wish = {.topic = {w->output->alerts, w->output->etas}, .topics = 2,
                               .from = READER_FROM_END};

    if (open_log(w) != 0 || open_marks(w) != 0)
        return -1;
    w->reader = reader_open(w->output, &wish);
    if (w->reader == NULL)
        return -1;
    w->runs = pthread_create(&w->thread, NULL, listen_to_outputs, w) == 0;
    return w->runs ? 0 : say("no thread to listen with");
}

struct watch *watch_open(const struct watch_options *options, const struct output *output)
{
    struct watch *w = must(calloc(1, sizeof *w));

    w->options = options;
    w->output = output;
    w->gauge = must(calloc(METERS, sizeof *w->gauge));
    w->interval = must(calloc(1, sizeof *w->interval));
    for (int i = 0; i < METERS; i++)
        pthread_mutex_init(&w->gauge[i].lock, NULL);
    pthread_mutex_init(&w->lock, NULL);
    if (begin(w) != 0) {
        watch_close(w);
        return NULL;
    }
    return w;
}

void watch_begin(struct watch *w, int64_t us)
{
    __atomic_store_n(&w->count_from_us, us + w->options->warmup_ms * 1000, __ATOMIC_RELAXED);
}

/* Whether all that can be expected has come. */
static bool settled(struct watch *w, int64_t since_ms)
{
    int64_t heard_ms;
    bool failed;

    pthread_mutex_lock(&w->lock);
    heard_ms = w->heard_ms > since_ms ? w->heard_ms : since_ms;
    failed = w->failed;
    pthread_mutex_unlock(&w->lock);
    return failed || (wall_ms() - heard_ms >= STILL_MS &&
                      (w->marks == NULL || marks_pending(w->marks) == 0));
}

static void stop_listening(struct watch *w)
{
    if (w->runs) {
        pthread_mutex_lock(&w->lock);
        w->stop = true;
        pthread_mutex_unlock(&w->lock);
        pthread_join(w->thread, NULL);
        w->runs = false;
    }
}

static int write_percentiles(struct watch *w)
{
    FILE *out;
    bool  failed;

    if (w->options->percentiles == NULL)
        return 0;
    out = fopen(w->options->percentiles, "w");
    if (out == NULL)
        return say("%s: %s", w->options->percentiles, strerror(errno));
    histogram_print(out, &w->gauge[METER_OUTPUTS].total);
    failed = ferror(out) != 0;
    failed |= fclose(out) != 0;
    return failed ? say("%s: %s", w->options->percentiles, strerror(errno)) : 0;
}

static int close_log(struct watch *w)
{
    bool failed;

    if (w->log == NULL)
        return 0;
    failed = ferror(w->log) != 0;
    failed |= fclose(w->log) != 0;
    w->log = NULL;
    return failed ? say("%s: %s", w->options->hlog, strerror(errno)) : 0;
}

int watch_settle(struct watch *w)
{
    int64_t since_ms = wall_ms(), most_ms = w->options->settle_ms;
    struct timespec nap = {0, LISTEN_MS * 1000000L};
    int failed = 0;

    most_ms = most_ms > 0 ? most_ms : DEFAULT_SETTLE_MS;
    while (!settled(w, since_ms) && wall_ms() - since_ms < most_ms)
        nanosleep(&nap, NULL);
    stop_listening(w);
    turn_interval(w);
    failed |= close_log(w);
    failed |= write_percentiles(w);
    return failed || w->failed ? -1 : 0;
}

struct measured watch_measured(struct watch *w, double slip)
{
    struct measured m = {.slip = slip};

    for (int i = 0; i < METERS; i++)
        m.meter[i] = &w->gauge[i].total;
    m.lag = w->marks != NULL ? (double)marks_lag_most(w->marks) : 0;
    return m;
}

static double ms_at(const struct histogram *h, double share)
{
    return (double)histogram_at(h, share) / 1e6;
}

void watch_print(struct watch *w, double slip)
{
    fprintf(stderr, "%-10s %10s %10s %10s %10s %10s %10s\n", "ms", "count", "p50", "p90", "p99",
            "p99.9", "max");
    for (int i = 0; i < METERS; i++) {
        const struct histogram *h = &w->gauge[i].total;

        if (h->count > 0)
            fprintf(stderr, "%-10s %10lld %10.2f %10.2f %10.2f %10.2f %10.2f\n", meter_names[i],
                    (long long)h->count, ms_at(h, 0.5), ms_at(h, 0.9), ms_at(h, 0.99),
                    ms_at(h, 0.999), ms_at(h, 1));
    }
    fprintf(stderr, "slip %.3f %%", slip * 100);
    if (w->marks != NULL)
        fprintf(stderr, ", lag at most %lld records, %llu probes never visible",
                (long long)marks_lag_most(w->marks), (unsigned long long)marks_pending(w->marks));
    fputc('\n', stderr);
}

void watch_print_json(struct watch *w, FILE *out, double slip)
{
    const struct histogram *outputs = &w->gauge[METER_OUTPUTS].total;

    fprintf(out, ",\"slip\":%.6f", slip);
    if (outputs->count > 0)
        fprintf(out, ",\"p50_ms\":%.3f,\"p99_ms\":%.3f", ms_at(outputs, 0.5),
                ms_at(outputs, 0.99));
    else
        fputs(",\"p50_ms\":null,\"p99_ms\":null", out);
    if (w->marks != NULL)
        fprintf(out, ",\"lag_most\":%lld,\"never_visible\":%llu",
                (long long)marks_lag_most(w->marks), (unsigned long long)marks_pending(w->marks));
    for (int i = 0; i < METERS; i++) {
        const struct histogram *h = &w->gauge[i].total;

        fprintf(out, "%s\"%s\":{\"count\":%lld,\"mean_ms\":%.3f,\"p50_ms\":%.3f,\"p90_ms\":%.3f,"
                "\"p99_ms\":%.3f,\"p999_ms\":%.3f,\"max_ms\":%.3f}",
                i == 0 ? ",\"latency\":{" : ",", meter_names[i],
                (long long)h->count, histogram_mean(h) / 1e6, ms_at(h, 0.5), ms_at(h, 0.9),
                ms_at(h, 0.99), ms_at(h, 0.999), ms_at(h, 1));
    }
    fputc('}', out);
}

void watch_close(struct watch *w)
{
    stop_listening(w);
    if (w->marks != NULL)
        marks_close(w->marks);
    if (w->reader != NULL)
        reader_close(w->reader);
    (void)close_log(w);
    for (int i = 0; i < METERS; i++)
        pthread_mutex_destroy(&w->gauge[i].lock);
    pthread_mutex_destroy(&w->lock);
    free(w->gauge);
    free(w->interval);
    free(w);
}
