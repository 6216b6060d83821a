/* pace.c - waits, polls the sender meanwhile, and shows how far it is. */
#include "bench/peakload/pace.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/peakload/say.h"
#include "bench/peakload/times.h"

#define SECOND_NS UINT64_C(1000000000)

enum { LOOK_EVERY = 256, NAP_NS = 1000000 };

volatile sig_atomic_t stop_wanted;

static void on_signal(int number)
{
    (void)number;
    stop_wanted = 1;
}

void stop_on_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static int take_begin(void *self, const char *text)
{
    if (time_read(text, strlen(text), 0, &((struct span *)self)->begin_ms) != 0)
        return say("--begin %s: want a time as 2025-11-11T00:00:00+08:00", text);
    return 0;
}

static int take_worker(void *self, const char *text)
{
    struct span *s = self;
    long long one, of;
    char rest;

    if (sscanf(text, "%lld/%lld%c", &one, &of, &rest) != 2 || one < 1 || of < one || of > 1000)
        return say("--worker %s: want I/N, as 1/4 … 4/4", text);
    s->worker = one - 1;
    s->workers = of;
    return 0;
}

const struct option_row span_rows[SPAN_ROWS] = {
    {OPTION_REAL, "seconds", "S", "stops after S seconds, whatever is under way",
     offsetof(struct span, seconds), 0.001, 1e9, NULL},
    {OPTION_OTHER, "begin", "TIME", "sends nothing before TIME: the common start of several "
     "workers", 0, 0, 0, take_begin},
    {OPTION_OTHER, "worker", "I/N", "this one is the I-th of N: it takes its share of parcels and "
     "rate", 0, 0, 0, take_worker},
};

static void wait_for_begin(int64_t begin_ms)
{
    while (!stop_wanted && wall_ms() < begin_ms) {
        int64_t left_ms = begin_ms - wall_ms(), nap_ms = left_ms < 20 ? left_ms : 20;
        struct timespec t = {0, (long)nap_ms * 1000000};

        nanosleep(&t, NULL);
    }
}

void pace_begin(struct pace *p, struct schedule *schedule, const struct span *span, bool quiet)
{
    double lasts = schedule_lasts(schedule);

    wait_for_begin(span->begin_ms);
    *p = (struct pace) {.schedule = schedule, .begun_ns = monotonic_ns(), .begun_us = wall_us(),
                        .share = 1 / (double)(span->workers > 0 ? span->workers : 1)};
    p->now_ms = p->begun_us / 1000;
    if (span->seconds > 0 && (lasts <= 0 || span->seconds < lasts))
        lasts = span->seconds;
    p->end_ns = lasts > 0 ? p->begun_ns + (uint64_t)(lasts * (double)SECOND_NS) : UINT64_MAX;
    p->shown_ns = p->begun_ns;
    p->shows = !quiet && isatty(STDERR_FILENO);
}

static void show(struct pace *p, struct sender *s, uint64_t now)
{
    struct sender_totals t;

    if (!p->shows || now - p->shown_ns < SECOND_NS)
        return;
    p->shown_ns = now;
    t = sender_totals(s);
    fprintf(stderr, "\r%llu sent, %llu acknowledged, %.0f/s ", (unsigned long long)t.sent,
            (unsigned long long)t.acked, (double)t.sent * 1e9 / (double)(now - p->begun_ns));
    fflush(stderr);
}

/* False: stop. */
static bool look(struct pace *p, struct sender *s, uint64_t *now)
{
    *now = monotonic_ns();
    p->now_ms = wall_ms();
    show(p, s, *now);
    return !stop_wanted && *now < p->end_ns;
}

static void nap(struct sender *s, uint64_t ns)
{
    struct timespec t = {0, (long)(ns < NAP_NS ? ns : NAP_NS)};

    sender_poll(s, 0);
    nanosleep(&t, NULL);
}

static double due_by(const struct pace *p, uint64_t now)
{
    return schedule_count(p->schedule, (double)(now - p->begun_ns) / 1e9) * p->share;
}

bool pace_slow(struct pace *p, struct sender *s)
{
    uint64_t now, due;

    for (;;) {
        if (!look(p, s, &now)) {
            p->done--;
            return false;
        }
        if (p->by_clock || !schedule_is_open(p->schedule)) {
            p->allowed = p->done + LOOK_EVERY;
            return true;
        }
        due = (uint64_t)due_by(p, now);
        if (due >= p->done) {
            /* Behind, the backlog is sent in small lots, so that now_ms stays fresh. */
            p->allowed = due < p->done + LOOK_EVERY ? due : p->done + LOOK_EVERY;
            return true;
        }
        nap(s, NAP_NS);
    }
}

bool pace_until(struct pace *p, struct sender *s, uint64_t ns)
{
    uint64_t now;

    p->by_clock = true;
    p->due_ns = ns;
    while (look(p, s, &now)) {
        if (now - p->begun_ns >= ns)
            return true;
        nap(s, p->begun_ns + ns - now);
    }
    return false;
}

int64_t pace_intended_us(struct pace *p)
{
    if (p->by_clock)
        return p->begun_us + (int64_t)(p->due_ns / 1000);
    if (!schedule_is_open(p->schedule))
        return 0;
    return p->begun_us +
           (int64_t)(schedule_due(p->schedule, (double)(p->done - 1) / p->share) * 1e6);
}

double pace_slip(const struct pace *p)
{
    uint64_t now = monotonic_ns();
    double due;

    if (p->by_clock || !schedule_is_open(p->schedule))
        return 0;
    due = due_by(p, now < p->end_ns ? now : p->end_ns);
    return due > (double)p->done + 1 ? 1 - (double)p->done / due : 0;
}

void pace_end(struct pace *p, struct sender *s)
{
    if (p->shows && p->shown_ns != p->begun_ns) {
        p->shown_ns = 0;
        show(p, s, monotonic_ns());
        fputc('\n', stderr);
    }
}

void summary_print(const char *what, const struct sender_totals *t)
{
    double seconds = (double)t->wall_ns / 1e9, each = t->sent > 0 ? (double)t->sent : 1;

    fprintf(stderr, "%s: %llu sent, %llu acknowledged, %llu failed in %.2f s: %.0f/s, "
            "%.0f bytes each, %.0f ns of CPU each\n", what, (unsigned long long)t->sent,
            (unsigned long long)t->acked, (unsigned long long)t->failed, seconds,
            (double)t->sent / seconds, (double)t->bytes / each, (double)t->cpu_ns / each);
}
