/* weave.c - what becomes of a trip's scans on their way to Kafka: said twice, late, in another
 * order. */
#include "bench/peakload/labelled/trip.h"

enum { NEAR_S = 600, FEEDS = 4, RESENT = 6 };
static const double repeats = 0.05;

/* A copy behind the others; sorted in later.  NULL: no room. */
static struct step *copy_of(struct life *l, int of)
{
    struct step *copy;

    if (l->steps == STEPS_MAX)
        return NULL;
    copy = &l->plan[l->steps++];
    *copy = l->plan[of];
    return copy;
}

static bool may_repeat(const struct step *s)
{
    return (s->flags & (STEP_RETRACTS | STEP_LONG)) == 0;
}

/* Says a scan again that is `after_s` later in Kafka. */
static void repeat(struct trip *t, int of, int64_t after_s, struct tally *tally)
{
    struct step *copy = copy_of(t->life, of);

    if (copy == NULL)
        return;
    copy->flags |= STEP_REPEAT;
    if (after_s <= UINT8_MAX * DELAY_UNIT_S)
        copy->delay = (uint8_t)(after_s / DELAY_UNIT_S);
    else
        step_delay(copy, after_s);
    tally->repeats++;
}

/* Scanned a second time some minutes later, where nothing else happens meanwhile. */
static bool scan_twice(struct trip *t, int of, struct tally *tally)
{
    struct step *s = &t->life->plan[of], *copy;

    if (s[1].at_ms < s->at_ms + 2 * NEAR_S * 1000 || s->flags != 0 ||
        (s->code != CODE_ARRIVE && s->code != CODE_SORT && s->code != CODE_DEPART))
        return false;
    copy = copy_of(t->life, of);
    if (copy == NULL)
        return false;
    copy->flags |= STEP_REPEAT | STEP_NEAR;
    copy->at_ms += (uint32_t)random_between(t->random, 60, NEAR_S - 60) * 1000;
    tally->near++;
    return true;
}

static void resend(struct trip *t, int steps, struct tally *tally)
{
    int last = steps * 2 / 3;
    int64_t now_s = step_arrival_s(&t->life->plan[last]) + random_between(t->random, 60, 3600);

    for (int i = last >= RESENT ? last - RESENT : 0; i <= last; i++)
        if (may_repeat(&t->life->plan[i]))
            repeat(t, i, now_s - t->life->plan[i].at_ms / 1000, tally);
    t->confused = true;
}

static void upload_late(struct trip *t, int steps)
{
    for (int i = 1; i < steps - 1; i++) {
        struct step *s = &t->life->plan[i];

        if ((s->code != CODE_SORT && s->code != CODE_LOAD) || s[1].code != CODE_DEPART)
            continue;
        step_delay(s, (int64_t)(s[1].at_ms - s->at_ms) / 1000 +
                      random_between(t->random, 600, 20000));
        t->confused = true;
        return;
    }
}

static void confuse(struct trip *t, int steps, struct tally *tally)
{
    int wanted = t->confuser == CONFUSER_NEAR ? 1 : t->confuser == CONFUSER_TWO_FEEDS ? FEEDS : 0;

    if (t->confuser == CONFUSER_RESENT)
        resend(t, steps, tally);
    if (t->confuser == CONFUSER_LATE_UPLOAD)
        upload_late(t, steps);
    for (int i = 2; i < steps - 1 && wanted > 0; i++)
        if (scan_twice(t, i, tally)) {
            t->confused = true;
            wanted--;
        }
}

static void sort_by_arrival(struct life *l)
{
    for (int i = 1; i < l->steps; i++) {
        struct step s = l->plan[i];
        int64_t arrival_s = step_arrival_s(&s);
        int at = i;

        for (; at > 0 && step_arrival_s(&l->plan[at - 1]) > arrival_s; at--)
            l->plan[at] = l->plan[at - 1];
        l->plan[at] = s;
    }
}

void weave_trip(struct trip *t, struct tally *tally)
{
    int steps = t->life->steps;

    confuse(t, steps, tally);
    for (int i = 0; i < steps && t->life->steps < STEPS_MAX; i++)
        if (random_chance(t->random, repeats) && may_repeat(&t->life->plan[i]))
            repeat(t, i, random_between(t->random, t->life->plan[i].delay * DELAY_UNIT_S, 1000),
                   tally);
    sort_by_arrival(t->life);
    tally->scans += t->life->steps;
    tally->parcels++;
}
