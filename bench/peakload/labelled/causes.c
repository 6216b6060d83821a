/* causes.c - how often each cause and each confuser is met. */
#include "bench/peakload/labelled/causes.h"

enum { ANY = 0, ABROAD = 1, HOME = 2, FAR = 4, TRACKED = 8, MILLION = 1000000 };

/* Parts of a million of all parcels; `where` what a parcel must be for it.  FAR: its way has to
 * lead to another city; to who stays in his own such a cause does nothing. */
static const struct { const char *name; unsigned parts, where; } causes[CAUSES] = {
    [CAUSE_NONE]            = {"none", 0, ANY},
    [CAUSE_NOT_HANDED_IN]   = {"not-handed-in", 1100, ANY},
    [CAUSE_LEFT_BEHIND]     = {"left-behind", 1000, FAR},
    [CAUSE_BEHIND_BELT]     = {"behind-belt", 1300, HOME | TRACKED},
    [CAUSE_BREAKDOWN]       = {"breakdown", 500, FAR},
    [CAUSE_WRONG_CHUTE]     = {"wrong-chute", 600, HOME | FAR},
    [CAUSE_SORT_PLAN]       = {"sort-plan", 600, HOME | FAR},
    [CAUSE_INSPECTION]      = {"inspection", 400, ABROAD},
    [CAUSE_CUSTOMS_PILE]    = {"customs-pile", 800, ABROAD},
    [CAUSE_UNDECLARED]      = {"undeclared", 600, ABROAD},
    [CAUSE_NOBODY_HOME]     = {"nobody-home", 650, TRACKED},
    [CAUSE_NOBODY_COMES]    = {"nobody-comes", 1100, TRACKED},
    [CAUSE_CLOSED_AFAR]     = {"closed-afar", 600, TRACKED},
    [CAUSE_CLOSED_AT_DEPOT] = {"closed-at-depot", 200, HOME | TRACKED},
    [CAUSE_UNDERDECLARED]   = {"underdeclared", 1000, ANY},
    [CAUSE_NUMBER_AGAIN]    = {"number-again", 450, TRACKED},
    [CAUSE_LABEL_TWICE]     = {"label-twice", 200, HOME | FAR},
    [CAUSE_CLONED]          = {"cloned-label", 650, HOME | FAR},
    [CAUSE_CLOCK_AHEAD]     = {"clock-ahead", 850, FAR},
    [CAUSE_CLOCK_BEHIND]    = {"clock-behind", 600, ABROAD},
    [CAUSE_VANISHED]        = {"vanished", 750, HOME | FAR},
    [CAUSE_GIVEN_UP]        = {"given-up", 200, FAR},
    [CAUSE_CRUSHED]         = {"crushed", 600, TRACKED},
    [CAUSE_UNWANTED]        = {"unwanted", 600, TRACKED},
    [CAUSE_NO_SUCH_ADDRESS] = {"no-such-address", 600, TRACKED},
    [CAUSE_RECALLED]        = {"recalled", 200, TRACKED},
};

static const struct { const char *name; unsigned parts, where; } confusers[CONFUSERS] = {
    [CONFUSER_NONE]         = {"none", 0, ANY},
    [CONFUSER_REROUTED]     = {"rerouted", 1500, HOME | FAR},
    [CONFUSER_LATE_UPLOAD]  = {"late-upload", 2500, ANY},
    [CONFUSER_NEAR]         = {"near-duplicate", 2500, ANY},
    [CONFUSER_TWO_FEEDS]    = {"two-feeds", 2500, ANY},
    [CONFUSER_RESENT]       = {"history-resent", 2500, ANY},
    [CONFUSER_RECYCLED]     = {"number-recycled", 1500, TRACKED},
    [CONFUSER_LOCKER]       = {"waits-at-locker", 2500, TRACKED},
    [CONFUSER_ONE_RETURN]   = {"one-return", 1500, HOME | FAR},
    [CONFUSER_LATE_LORRY]   = {"late-lorry", 2500, FAR},
    [CONFUSER_FAST_LORRY]   = {"fast-lorry", 2500, HOME | FAR},
    [CONFUSER_SCALES]       = {"scales", 2500, ANY},
    [CONFUSER_INJECTED]     = {"injected", 2500, HOME | TRACKED},
    [CONFUSER_WEEKEND]      = {"weekend", 0, ANY},     /* as they come: noted, not planted */
    [CONFUSER_ECONOMY]      = {"economy-silence", 0, ANY},
};

const char *cause_name(enum cause cause)
{
    return causes[cause].name;
}

const char *confuser_name(enum confuser confuser)
{
    return confusers[confuser].name;
}

static unsigned met_by(struct chances c)
{
    return (c.abroad ? ABROAD : HOME) | FAR | (c.economy ? 0u : TRACKED);
}

/* Of parcels of that kind, so many parts of a million are so many more of those that may. */
static unsigned scaled(unsigned parts, unsigned where)
{
    unsigned share = where & ABROAD ? 80 : where == ANY ? 1000 : where == (HOME | FAR) ? 700
                   : where == (HOME | TRACKED) ? 750 : 780;

    return parts * 1000 / share;
}

enum cause causes_choose(struct random *r, struct chances c)
{
    unsigned at = random_below(r, MILLION), met = met_by(c);

    for (int i = CAUSE_NONE + 1; i < CAUSES; i++) {
        unsigned parts = causes[i].where & ~met ? 0 : scaled(causes[i].parts, causes[i].where);

        if (at < parts)
            return (enum cause)i;
        at -= parts;
    }
    return CAUSE_NONE;
}

enum confuser confusers_choose(struct random *r, struct chances c)
{
    unsigned at = random_below(r, MILLION), met = met_by(c);

    for (int i = CONFUSER_NONE + 1; i < CONFUSERS; i++) {
        unsigned parts = confusers[i].where & ~met ? 0 : scaled(confusers[i].parts,
                                                                confusers[i].where);
        if (at < parts)
            return (enum confuser)i;
        at -= parts;
    }
    return CONFUSER_NONE;
}
