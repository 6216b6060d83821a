/* alerts.c - what becomes of findings: an alert's life, kept in the parcel's record.
 *
 * OPENED → UPDATED (severity or a material value changed, nothing else) → RESOLVED, and
 * back to OPENED within ten minutes of it under the same id.  A parcel has at most one
 * alert of a type at a time.
 */
#include <string.h>

#include <xxhash.h>

#include "pipeline/check.h"
#include "stages/detect/detect.h"
#include "stages/detect/inhibition.h"

enum { REOPEN_S = 600, SEQUENCE_MAX = UINT16_MAX - 1, ID_BYTES_MAX = 160 };

/* One fold of findings into a parcel. */
struct fold {
    struct parcel        *parcel;
    const struct names   *names;
    bool                  by_deadline;
    uint32_t              at_s;     /* of the change being made                             */
    struct alert_changes *changes;
};

uint64_t alert_id(const struct detector *d, const struct parcel *p, const char *node,
                  uint32_t opened_s)
{
    char   bytes[ID_BYTES_MAX];
    size_t used = 0;

#define PUT(from, length)                                                   \
    do {                                                                    \
        CHECK((length) <= sizeof bytes - used);                             \
        memcpy(bytes + used, from, length);                                 \
        used += (length);                                                   \
    } while (0)
    PUT(d->type, strlen(d->type) + 1); /* with the NUL: no seams */
    PUT(p->number, (size_t)p->number_length);
    PUT("", (size_t)1);
    PUT(node, strlen(node) + 1);
    PUT(&p->life, sizeof p->life);
    PUT(&opened_s, sizeof opened_s);
#undef PUT
    return XXH64(bytes, used, 0);
}

/* ── Telling ─────────────────────────────────────────────────────────────────────────── */

/* Has a later unsent change of the same alert, or the one about to be added, overtaken i? */
static bool overtaken(const struct parcel *p, uint32_t i, uint64_t id)
{
    for (uint32_t k = i + 1; k < p->unsent_count; k++)
        if (p->unsent[k].id == p->unsent[i].id)
            return true;
    return p->unsent[i].id == id;
}

static void unsent_remove(struct fold *f, uint32_t i)
{
    struct parcel *p = f->parcel;

    p->unsent_count--;
    memmove(&p->unsent[i], &p->unsent[i + 1], (p->unsent_count - i) * sizeof p->unsent[0]);
    if (i < f->changes->unsent_first)
        f->changes->unsent_first--;
}

/* Room for one more unsent change of alert `id`: updates that were overtaken go first, then
 * any other change that was.  false: all that waits must be told. */
static bool unsent_room(struct fold *f, uint64_t id)
{
    const struct parcel *p = f->parcel;

    if (p->unsent_count < UNSENT_MAX)
        return true;
    for (int any = 0; any < 2; any++)
        for (uint32_t i = 0; i < p->unsent_count; i++)
            if ((any || p->unsent[i].state == ALERT_UPDATED) && overtaken(p, i, id)) {
                unsent_remove(f, i);
                return true;
            }
    return false;
}

/* May this alert change now, and the change be told? */
static bool may_change(struct fold *f, const struct alert *a)
{
    if (a->sequence < SEQUENCE_MAX
        && (!(f->by_deadline || a->flags & ALERT_BY_DEADLINE) || unsent_room(f, a->id)))
        return true;
    f->changes->refused++;
    return false;
}

static void change(struct fold *f, struct alert *a, enum alert_state state)
{
    a->state = (uint8_t)state;
    a->at_s = f->at_s;
    a->sequence++;
    if (f->by_deadline)
        a->flags |= ALERT_BY_DEADLINE;
    if (a->flags & ALERT_BY_DEADLINE) {
        CHECK(f->parcel->unsent_count < UNSENT_MAX);
        f->parcel->unsent[f->parcel->unsent_count++] = *a;
    } else {
        CHECK(f->changes->count < FINDINGS_MAX);
        f->changes->list[f->changes->count++] = *a;
    }
}

/* ── An alert's life ─────────────────────────────────────────────────────────────────── */

static struct alert *alert_of(struct parcel *p, uint8_t type)
{
    for (int i = 0; i < p->alerts_count; i++)
        if (p->alerts[i].type == type)
            return &p->alerts[i];
    return NULL;
}

static void alert_fill(struct alert *a, const struct finding *what)
{
    a->severity = what->severity;
    a->sentence = what->sentence;
    a->deadline_s = what->deadline_s;
    a->at = what->at;
    a->expected = what->expected;
    a->note = what->note != NAME_NONE ? what->note : a->note; /* a reason once given stays */
    a->value = what->value;
    a->threshold = what->threshold;
}

/* A duration grows by itself and a parcel moves on: neither is news, unless the alert is
 * about that place. */
static bool is_material(const struct alert *a, const struct finding *what)
{
    bool counts = strcmp(detector_table[a->type]->unit, "s") != 0;

    return a->severity != what->severity || (counts && a->value != what->value)
        || (what->node != NAME_NONE && a->at != what->at);
}

/* A free place; an alert long resolved may have to go.  NULL: all are open. */
static struct alert *alert_place(struct parcel *p)
{
    struct alert *oldest = NULL;

    if (p->alerts_count < ALERTS_MAX)
        return &p->alerts[p->alerts_count];
    for (int i = 0; i < ALERTS_MAX; i++)
        if (p->alerts[i].state == ALERT_RESOLVED
            && (oldest == NULL || p->alerts[i].at_s < oldest->at_s))
            oldest = &p->alerts[i];
    return oldest;
}

static void alert_begin(struct fold *f, uint8_t type, const struct finding *what)
{
    struct parcel *p = f->parcel;
    struct alert  *a = alert_of(p, type);
    struct alert   fresh = {
        .type     = type,
        .opened_s = f->at_s,
        .id       = alert_id(detector_table[type], p, names_text(f->names, NAME_PLACE, what->node),
                             what->opened_s),
    };

    a = a != NULL ? a : alert_place(p);
    if (a == NULL) {
        f->changes->refused++;
        return;
    }
    if (!may_change(f, &fresh))
        return;
    if (a == &p->alerts[p->alerts_count])
        p->alerts_count++;
    *a = fresh;
    alert_fill(a, what);
    change(f, a, ALERT_OPENED);
}

static bool may_continue(const struct alert *a, uint32_t at_s)
{
    uint32_t apart_s = at_s > a->at_s ? at_s - a->at_s : a->at_s - at_s;

    return apart_s <= REOPEN_S && a->sequence < SEQUENCE_MAX;
}

static void alert_open(struct fold *f, uint8_t type, const struct finding *what)
{
    struct alert *a = alert_of(f->parcel, type);
    bool          is_open = a != NULL && a->state != ALERT_RESOLVED;

    if (a == NULL || (!is_open && !may_continue(a, f->at_s))) {
        alert_begin(f, type, what);
        return;
    }
    if ((is_open && !is_material(a, what)) || !may_change(f, a))
        return;
    alert_fill(a, what);
    change(f, a, is_open ? ALERT_UPDATED : ALERT_OPENED);
}

static void alert_resolve(struct fold *f, uint8_t type)
{
    struct alert *a = alert_of(f->parcel, type);

    if (a != NULL && a->state != ALERT_RESOLVED && may_change(f, a))
        change(f, a, ALERT_RESOLVED);
}

/* ── The fold ────────────────────────────────────────────────────────────────────────── */

static void forget(struct parcel *p, uint32_t at_s)
{
    int kept = 0;

    for (int i = 0; i < p->alerts_count; i++)
        if (p->alerts[i].state != ALERT_RESOLVED || p->alerts[i].at_s + REOPEN_S >= at_s)
            p->alerts[kept++] = p->alerts[i];
    p->alerts_count = (uint8_t)kept;
}

static uint32_t open_types(const struct parcel *p)
{
    uint32_t types = 0;

    for (int i = 0; i < p->alerts_count; i++)
        if (p->alerts[i].state != ALERT_RESOLVED)
            types |= 1u << p->alerts[i].type;
    return types;
}

/* Types that findings open, and may. */
static uint32_t opening_types(const struct parcel *p, const struct findings *found)
{
    uint32_t types = 0;

    for (int i = 0; i < found->count; i++)
        if (found->list[i].verb == FINDING_OPEN
            && alert_may_begin(found->list[i].detector, (enum parcel_state)p->state))
            types |= 1u << found->list[i].detector;
    return types;
}

void alerts_fold(struct parcel *after, const struct names *names, const struct findings *found,
                 uint32_t at_s, bool by_deadline, struct alert_changes *changes)
{
    struct fold f = {.parcel = after, .names = names, .by_deadline = by_deadline,
                     .changes = changes};

    changes->count = changes->refused = 0;
    changes->unsent_first = after->unsent_count;
    if (after->flags & PARCEL_HISTORIC)
        return;
    forget(after, at_s);
    for (int i = 0; i < found->count; i++) {
        f.at_s = found->list[i].at_s;
        if (found->list[i].verb == FINDING_RESOLVE)
            alert_resolve(&f, found->list[i].detector);
    }
    uint32_t opening = opening_types(after, found), silencing = opening | open_types(after);

    for (int i = 0; i < found->count; i++) {
        uint8_t type = found->list[i].detector;

        f.at_s = found->list[i].at_s;
        if (found->list[i].verb == FINDING_OPEN && opening >> type & 1
            && !alert_inhibited(type, silencing))
            alert_open(&f, type, &found->list[i].what);
    }
    f.at_s = at_s;
    for (uint32_t open = open_types(after), all = open; open != 0; open &= open - 1)
        if (alert_inhibited((uint8_t)__builtin_ctz(open), all))
            alert_resolve(&f, (uint8_t)__builtin_ctz(open));
}
