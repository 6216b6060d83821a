/* trip.c - the pieces that a way is told with. */
#include "bench/peakload/labelled/trip.h"

#include "bench/peakload/times.h"

enum { SILENCE_S = 6 * 3600, LONG_S = 4 * 86400 };

static bool is_physical(enum code code)
{
    return code != CODE_LABEL && code != CODE_DECLARED && code != CODE_REROUTED &&
           code != CODE_LOST && code != CODE_CANCELLED && code != CODE_INFO;
}

/* The pause that this scan ends, where the cause has made it. */
static void tell_silence(struct trip *t)
{
    int64_t pause_s = t->now_s - t->seen_s;
    const struct step *last = &t->life->plan[t->life->steps - 1];
    struct truth *truth;

    if (pause_s < SILENCE_S)
        return;
    truth = trip_truth(t, "stalled");
    truth->start_s = t->seen_s;
    truth->end_s = t->now_s;
    truth->amount = trip_worked(t, t->seen_s);
    truth->usual = norms_usual_s(t->norms, t->life->service, last->code, t->city);
    if (pause_s < LONG_S)
        return;
    truth = trip_truth(t, "lost");
    truth->start_s = t->seen_s;
    truth->end_s = t->now_s;
    truth->amount = pause_s;
}

struct step *trip_scan(struct trip *t, enum code code, uint16_t facility, uint16_t next)
{
    struct life *l = t->life;
    struct step *s = &l->plan[l->steps < STEPS_MAX ? l->steps++ : STEPS_MAX - 1];
    int city = facility != FACILITY_NONE ? t->lanes->world->facility[facility].city : t->city;

    t->spoilt = t->spoilt || s == &l->plan[STEPS_MAX - 1];
    if (t->sampling && l->steps > 1 && t->seen_s != 0 && is_physical(code))
        norms_gap(t->norms, l->service, s[-1].code, t->city, t->now_s - t->seen_s);
    if ((is_physical(code) || code == CODE_LOST) && t->silent && t->seen_s != 0)
        tell_silence(t);
    t->silent = t->silent && !is_physical(code);
    t->border = t->border || code == CODE_EXPORT_IN;
    *s = (struct step) {
        .at_ms = (uint32_t)((t->now_s - t->base_s) * 1000 + random_below(t->random, 1000)),
        .code = (uint8_t)code, .facility = facility, .next = next,
        .delay = (uint8_t)random_below(t->random, 12)};
    if (is_physical(code))
        t->seen_s = t->now_s;
    t->city = city;
    return s;
}

void step_delay(struct step *s, int64_t delay_s)
{
    int64_t units = (delay_s + LONG_DELAY_UNIT_S - 1) / LONG_DELAY_UNIT_S;

    s->flags |= STEP_LONG;
    s->delay = (uint8_t)(units < UINT8_MAX ? units : UINT8_MAX);
}

int64_t step_arrival_s(const struct step *s)
{
    return s->at_ms / 1000 +
           (int64_t)s->delay * (s->flags & STEP_LONG ? LONG_DELAY_UNIT_S : DELAY_UNIT_S);
}

void trip_pass(struct trip *t, int from_minutes, int to_minutes)
{
    t->now_s += random_between(t->random, from_minutes * 60, to_minutes * 60) + 1;
}

void trip_until(struct trip *t, int64_t at_s)
{
    t->now_s = at_s > t->now_s ? at_s : t->now_s + 1;
}

void trip_strike(struct trip *t)
{
    t->began_s = t->now_s;
}

int64_t trip_spread(struct trip *t, int64_t least, int64_t most)
{
    int64_t share = 1 + random_below(t->random, 1 << 20);
    int64_t much = least * (1 << 20) / share;

    return much < most ? much : most;
}

int64_t trip_worked(const struct trip *t, int64_t from_s)
{
    int64_t worked_s = workdays_between(&t->lanes->days, t->city, from_s, t->now_s);

    return worked_s > 0 ? worked_s : 1;
}

struct truth *trip_truth(struct trip *t, const char *type)
{
    struct truth *truth = &t->truth[t->truths < TRUTHS_MAX - 1 ? t->truths++ : TRUTHS_MAX - 1];

    t->spoilt = t->spoilt || truth == &t->truth[TRUTHS_MAX - 1]; /* it would not be written */
    *truth = (struct truth) {.type = type, .start_s = t->now_s, .border = t->border};
    return truth;
}

void trip_may(struct trip *t, const char *const *types, int count)
{
    for (int i = 0; i < count; i++)
        trip_truth(t, types[i])->may = true;
}

void trip_arrive(struct trip *t)
{
    if (t->arrived_s == 0)
        t->arrived_s = t->now_s;
}

void trip_end(struct trip *t)
{
    t->terminal_s = t->now_s;
    for (int i = 0; i < t->truths; i++)
        if (t->truth[i].end_s == 0)
            t->truth[i].end_s = t->now_s;
}
