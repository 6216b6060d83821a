/* life.c - plans a parcel's life: its kind, its way, and which of the scans are kept.
 *
 * journey.c drafts every scan that could happen, each with a priority; the scans of
 * highest priority are kept up to the wanted length; repeats, disorder and retractions
 * are then woven in.
 */
#include "bench/peakload/life.h"

#include <string.h>

#include "bench/peakload/journey.h"
#include "bench/peakload/times.h"

/* Parts of a thousand odd parcels.  Failed attempts are by far the commonest trouble. */
static const uint16_t oddity_weight[ODDITIES] = {
    [ODD_FAILED] = 480, [ODD_MISROUTED] = 80, [ODD_LOOPED] = 15,
    [ODD_UNCOLLECTED] = 60, [ODD_FAR] = 20, [ODD_UNSEEN] = 15,
    [ODD_WEIGHT] = 60, [ODD_REUSED] = 10, [ODD_TELEPORT] = 10, [ODD_SKEWED] = 20,
    [ODD_DISORDERED] = 20, [ODD_OVERDUE] = 60, [ODD_LOST] = 10, [ODD_SILENT] = 50,
    [ODD_DAMAGED] = 15, [ODD_REFUSED] = 15, [ODD_BAD_ADDRESS] = 15, [ODD_NEVER] = 15,
    [ODD_CANCELLED] = 10, [ODD_REROUTED] = 10, [ODD_RETRACTED] = 5, [ODD_DESTROYED] = 5};

/* A life's usual length against the mean of all: eight in a hundred cross a border. */
static double usual_length(const struct life *l)
{
    if (l->oddity == ODD_LOOPED)
        return 1.5;
    if (l->service == SERVICE_GLOBAL)
        return 1.8;
    return 0.93;
}

/* Only a border has customs: a third of what is odd there. */
static enum oddity choose_oddity(struct random *r, double share, bool crosses)
{
    uint32_t at;

    if (!random_chance(r, share))
        return ODD_NONE;
    if (crosses && random_below(r, 3) == 0)
        return random_below(r, 3) == 0 ? ODD_UNDECLARED : ODD_HELD;
    at = random_below(r, 1000);
    for (int odd = ODD_NONE + 1; odd < ODDITIES; odd++) {
        if (at < oddity_weight[odd])
            return (enum oddity)odd;
        at -= oddity_weight[odd];
    }
    return ODD_NONE;
}

static enum service choose_service(struct random *r)
{
    uint32_t at = random_below(r, 100);

    return at < 8 ? SERVICE_GLOBAL : at < 30 ? SERVICE_EXPRESS : at < 82 ? SERVICE_STANDARD
                                                               : SERVICE_ECONOMY;
}

/* Two letters of the carrier, five digits of the seed, eight of the index; a parcel that
 * crosses a border has a platform number of sixteen. */
static void name_it(struct life *l, uint64_t seed, uint64_t index)
{
    static const char prefix[8][3] = {"ZT", "YT", "ST", "YD", "SF", "JT", "LP", "CN"};
    uint64_t digits = random_mix(seed) % 100000 * 100000000 + index % 100000000;
    int length = l->service == SERVICE_GLOBAL ? 16 : 15;

    for (int i = length - 1; i >= 2; i--, digits /= 10)
        l->number[i] = (char)('0' + digits % 10);
    memcpy(l->number, prefix[l->carrier], 2);
    l->number_length = (uint8_t)length;
}

static void choose_traits(struct life *l, const struct nature *nature, struct random *r)
{
    l->service = (uint8_t)choose_service(r);
    l->oddity = (uint8_t)choose_oddity(r, nature->oddities, l->service == SERVICE_GLOBAL);
    l->carrier = (uint8_t)(l->service == SERVICE_GLOBAL ? 6 + random_below(r, 2)
                                                        : random_below(r, 6));
    l->chance = (uint32_t)random_next(r);
    l->declared_g = 50 + random_between(r, 0, 60) * random_between(r, 1, 60);
    l->weight_g = l->declared_g + l->declared_g * random_between(r, -4, 4) / 100;
    if (l->oddity == ODD_WEIGHT)
        l->weight_g = l->declared_g * 2 + 800;
    l->skew_s = 8 * 3600;
    l->off_e5 = 5000;
    l->again_ms = 0;
}

static int choose_length(const struct life *l, struct random *r, struct length wanted)
{
    int n = (int)(wanted.mean * usual_length(l) + (double)random_between(r, -50, 150) / 100);

    return n < wanted.min ? wanted.min : n > wanted.max ? wanted.max : n;
}

/* Makes room at `at` for a copy of step `of`. */
static struct step *insert_copy(struct life *l, int at, int of, uint8_t flags)
{
    memmove(&l->plan[at + 1], &l->plan[at], (size_t)(l->steps - at) * sizeof l->plan[0]);
    l->steps++;
    for (int i = at + 1; i < l->steps; i++)
        if (l->plan[i].flags & (STEP_REPEAT | STEP_RETRACTS) && l->plan[i].of >= at)
            l->plan[i].of++;
    l->plan[at] = l->plan[of];
    l->plan[at].of = (uint8_t)of;
    l->plan[at].flags = (uint8_t)((l->plan[of].flags & ~STEP_LATE) | flags);
    return &l->plan[at];
}

/* Says again what was said at one of the last three scans; one in four a few minutes later. */
static void weave_repeat(struct life *l, struct random *r)
{
    int of = (int)random_below(r, l->steps), at;
    struct step *copy;

    while (l->plan[of].flags & (STEP_REPEAT | STEP_RETRACTS))
        of--;
    at = of + random_between(r, 1, 3);
    copy = insert_copy(l, at < l->steps ? at : l->steps, of, STEP_REPEAT);
    copy->delay = (uint8_t)random_below(r, 256);
    if (random_below(r, 4) == 0 && copy->code != CODE_ATTEMPT_FAILED) {
        copy->flags |= STEP_NEAR;
        copy->at_ms += (uint32_t)random_between(r, 60, 480) * 1000;
    }
}

/* Reports one scan after its successor. */
static void weave_disorder(struct life *l, int first)
{
    struct step swapped = l->plan[first];

    l->plan[first] = l->plan[first + 1];
    l->plan[first + 1] = swapped;
    l->plan[first + 1].flags |= STEP_LATE;
}

/* Its DELIVERED was a mistake: taken back, and delivered two hours later. */
static void weave_retraction(struct life *l)
{
    int last = l->steps - 1;

    if (l->plan[last].code != CODE_DELIVERED)
        return;
    insert_copy(l, last + 1, last, STEP_RETRACTS);
    insert_copy(l, last + 2, last, 0)->at_ms += 2 * HOUR_MS;
}

static void weave(struct life *l, struct random *r, int length)
{
    if (l->oddity == ODD_RETRACTED && l->steps + 2 <= length)
        weave_retraction(l);
    else if (l->oddity == ODD_DISORDERED && l->steps >= 2)
        weave_disorder(l, l->steps - 2);
    else if (l->steps >= 2 && random_chance(r, 0.03))
        weave_disorder(l, (int)random_below(r, l->steps - 1U));
    while (l->steps < length)
        weave_repeat(l, r);
}

static int count_repeats(struct random *r, double share, int length)
{
    int repeats = 0;

    for (int i = 1; i < length; i++)
        repeats += random_chance(r, share * length / (length - 1));
    return repeats;
}

void life_begin(struct life *l, const struct nature *nature, struct random *r, uint64_t index,
                int64_t base_ms)
{
    l->base_ms = base_ms;
    l->step = 0;
    choose_traits(l, nature, r);
    name_it(l, nature->seed, index);
}

void life_make(struct life *l, const struct world *world, const struct nature *nature,
               uint64_t index, int64_t base_ms, struct length wanted)
{
    struct random r = random_of(nature->seed, index);
    struct journey journey = {.world = world, .random = &r, .life = l};
    int length, repeats;

    life_begin(l, nature, &r, index, base_ms);
    length = choose_length(l, &r, wanted);
    repeats = count_repeats(&r, nature->repeats, length);
    journey_draft(&journey, length - repeats);
    journey_keep(&journey, length - repeats - (l->oddity == ODD_RETRACTED ? 2 : 0));
    weave(l, &r, length);
}
