/* estimate.c - from the model's quantiles to moments, and from arrivals back to the model.
 *
 * Target: the first of DELIVERED and STATION_IN.  A question and what answers it
 * later are keyed alike: service, the code that gave the state, destination, and
 * the place of that scan.
 */
#include "stages/eta/estimate.h"

#include "pipeline/check.h"
#include "stages/eta/model.h"
#include "stages/eta/short.h"

enum { MOVED_S_MIN = 3600, MOVED_PERCENT = 10, MOVED_OF_SPREAD = 4, YOUNG_TIMES = 2 };

/* A stated P90 in ten bits of an entry's flags: sixteenths of a minute or so, with six bits of
 * mantissa. */
enum { STATED_SHIFT = 1, STATED_BITS = 6, STATED_UNIT_S = 16, STATED_MAX = 1023 };

const char *basis_name(enum estimate_basis basis)
{
    static const char *const names[] = {"none", "global", "service", "destination", "lane", "area"};

    CHECK((size_t)basis < sizeof names / sizeof names[0]);
    return names[basis];
}

static struct model_key key_of(const struct parcel *p, uint8_t code, name_id place)
{
    return (struct model_key) {
        .service = p->service, .code = code, .dest = p->dest, .place = place};
}

/* How long it takes to the next scan is a matter of the leg: where it goes from here, if that is
 * declared, and not where it goes in the end. */
static struct model_key leg_of(const struct parcel *p)
{
    struct model_key key = key_of(p, p->code, p->at);

    if (p->next != NAME_NONE)
        key.dest = p->next;
    return key;
}

static bool can_estimate(const struct parcel *p)
{
    return p->state != STATE_UNKNOWN && !state_terminal((enum parcel_state)p->state)
        && !(p->flags & (PARCEL_ARRIVED | PARCEL_RETURNING));
}

struct estimate estimate_make(const struct model *model, const struct parcel *p, uint32_t now_s)
{
    struct estimate  e = {.known = false};
    struct model_key key = key_of(p, p->code, p->at);

    uint32_t         elapsed_s = now_s > p->state_s ? now_s - p->state_s : 0;
    struct outlook   o = model_outlook(model, key, elapsed_s, now_s);

    e.dwell_s = model_dwell_s(model, leg_of(p));
    if (!can_estimate(p))
        return e;
    e.known = o.known;
    if (o.known) {
        e.p50_s = p->state_s + o.p50_s;
        e.p90_s = p->state_s + o.p90_s;
        e.raw_s = p->state_s + o.raw_s;
        e.basis = (uint8_t)(BASIS_GLOBAL + o.level);
        e.young = model_age_s(model, now_s) / YOUNG_TIMES < o.p90_s;
    }
    return e;
}

void estimate_state(struct parcel *p, const struct estimate *e)
{
    int i = p->history_count - 1;

    while (i >= 0 && entry_s(p, p->history[i]) > p->state_s)
        i--;
    if (!e->known || i < 0 || entry_s(p, p->history[i]) != p->state_s
        || entry_code(p->history[i]) != p->code || entry_flags(p->history[i]) != 0)
        return;
    uint32_t stated = short_pack((e->raw_s - p->state_s) / STATED_UNIT_S, STATED_BITS);

    stated = stated < 1 ? 1 : stated > STATED_MAX ? STATED_MAX : stated;
    p->history[i] |= stated << STATED_SHIFT;
}

bool estimate_moved(const struct parcel *p, const struct estimate *e, uint32_t now_s,
                    bool state_changed_class)
{
    if (!e->known)
        return false;
    uint32_t remaining_s = e->p50_s > now_s ? e->p50_s - now_s : 0;
    uint32_t moved_s = e->p50_s > p->eta_last_s ? e->p50_s - p->eta_last_s
                                                : p->eta_last_s - e->p50_s;
    uint32_t enough_s = remaining_s / 100 * MOVED_PERCENT;
    uint32_t spread_s = e->p90_s > e->p50_s ? (e->p90_s - e->p50_s) / MOVED_OF_SPREAD : 0;

    enough_s = enough_s > MOVED_S_MIN ? enough_s : MOVED_S_MIN;
    return p->eta_last_s == 0 || state_changed_class
        || moved_s > (enough_s > spread_s ? enough_s : spread_s);
}

uint8_t estimate_at_risk(const struct parcel *p, const struct estimate *e)
{
    if (!e->known || p->promise_s == 0)
        return AT_RISK_NO;
    return e->p50_s > p->promise_s ? AT_RISK_P50
         : e->p90_s > p->promise_s ? AT_RISK_P90 : AT_RISK_NO;
}

/* Entries that gave a state, as estimate_make asks for no other code.  An event taken back
 * has its retraction right behind it. */
static bool teaches(const struct parcel *p, int i)
{
    uint64_t entry = p->history[i];
    bool     taken_back = i + 1 < p->history_count && entry_retracts(p->history[i + 1])
                       && (p->history[i + 1] ^ entry) >> 12 == 0;

    return !entry_retracts(entry) && !taken_back && !(entry_flags(entry) & ENTRY_MERGED)
        && code_table[entry_code(entry)].state != STATE_UNKNOWN;
}

static void judge(struct model *model, const struct parcel *p, uint64_t entry, uint32_t took_s)
{
    uint32_t stated = entry_flags(entry) >> STATED_SHIFT;

    if (stated != 0)
        model_judge(model, p->service, (uint8_t)entry_code(entry),
                    short_unpack(stated, STATED_BITS) * STATED_UNIT_S, took_s);
}

void estimate_learn_arrival(struct model *model, const struct parcel *p, uint32_t arrived_s,
                            uint32_t now_s)
{
    struct model_sample samples[HISTORY_MAX];
    uint32_t            count = 0;

    _Static_assert((int)HISTORY_MAX <= (int)MODEL_SAMPLES_MAX, "one call learns a history");
    for (int i = 0; i < p->history_count; i++) {
        uint64_t entry = p->history[i];
        uint32_t at_s = entry_s(p, entry);

        if (at_s >= arrived_s)
            break;
        if (!teaches(p, i))
            continue;
        judge(model, p, entry, arrived_s - at_s);
        samples[count++] = (struct model_sample) {
            key_of(p, (uint8_t)entry_code(entry), entry_place(entry)), arrived_s - at_s};
    }
    model_learn_all(model, MODEL_REMAINING, samples, count, now_s);
}

void estimate_learn_dwell(struct model *model, const struct parcel *before, uint32_t at_s,
                          uint32_t now_s)
{
    if (before->physical_s != 0 && at_s > before->physical_s)
        model_learn(model, MODEL_DWELL, leg_of(before), at_s - before->physical_s, now_s);
}
