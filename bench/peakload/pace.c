/* pace.c - waits, polls the sender meanwhile, and shows how far it is. */
#include "bench/peakload/pace.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

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

void pace_begin(struct pace *p, double per_s, double seconds, bool quiet)
{
    *p = (struct pace) {.per_s = per_s, .begun_ns = monotonic_ns(), .now_ms = wall_ms()};
    p->end_ns = seconds > 0 ? p->begun_ns + (uint64_t)(seconds * (double)SECOND_NS) : UINT64_MAX;
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

bool pace_slow(struct pace *p, struct sender *s)
{
    uint64_t now, due;

    for (;;) {
        if (!look(p, s, &now)) {
            p->done--;
            return false;
        }
        if (p->per_s <= 0) {
            p->allowed = p->done + LOOK_EVERY;
            return true;
        }
        due = (uint64_t)((double)(now - p->begun_ns) * p->per_s / (double)SECOND_NS);
        if (due >= p->done) {
            /* Behind, the backlog is sent in small lots, so that now_ms stays fresh. */
            p->allowed = due < p->done + LOOK_EVERY ? due : p->done + LOOK_EVERY;
            return true;
        }
        nap(s, (uint64_t)((double)SECOND_NS / p->per_s));
    }
}

bool pace_until(struct pace *p, struct sender *s, uint64_t ns)
{
    uint64_t now;

    while (look(p, s, &now)) {
        if (now - p->begun_ns >= ns)
            return true;
        nap(s, p->begun_ns + ns - now);
    }
    return false;
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
