/* record.c - a parcel in bytes.
 *
 *   live       struct fixed (48) | rest of the number | history, 8 each | deadlines |
 *              promise | eta | latest physical scan | carrier number | alerts | unsent |
 *              facts (facts.h)
 *   tombstone  struct tombstone (13) | number | alerts and unsent, when any is left
 *
 * A field that says nothing is not there, lists begin with their count, and unpacking
 * refuses whatever packing would not have written: so the same parcel is always the same
 * bytes.  Byte 1 of both forms holds the length of the number, and TOMBSTONE_BIT.
 */
#include "stages/parcel/record.h"

#include <string.h>

#include "pipeline/check.h"
#include "pipeline/error.h"
#include "stages/parcel/facts.h"
#include "stages/scan/word.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "records are copied, not converted");
_Static_assert(STATES == 16 && SCAN_CODES == 32 && NAMES_MAX == 0xFFFFF, "their bits");

enum { NUMBER_INSIDE = 16, LENGTH_MASK = 63, TAIL_BIT = 64, TOMBSTONE_BIT = 128 };

enum present {
    HAS_DEADLINES = 1, HAS_PROMISE = 2, HAS_ETA = 4, HAS_PHYSICAL = 8, HAS_CARRIER_NUMBER = 16,
    HAS_ALERTS = 32, HAS_UNSENT = 64, HAS_FACTS = 128
};

struct fixed {
    uint8_t  format, number_length;
    uint16_t flags, life;
    uint8_t  present, history_count;
    uint64_t ends;   /* from below: dest 20, carrier 20, code 5, attempts 8, service 8, 0 3 */
    uint64_t way;    /* from below: at 20, next 20, origin 20, state 4                      */
    uint32_t base_s, state_s;
    char     number[NUMBER_INSIDE];
};
_Static_assert(sizeof(struct fixed) == 48, "the format");

struct tombstone {
    uint8_t  format, number_length;
    uint16_t life;
    uint32_t state_s, house_s;
    uint8_t  end;    /* from below: which end 3, flags 5                                    */
} __attribute__((packed));
_Static_assert(sizeof(struct tombstone) == 13, "the format");

struct packed_deadline {
    uint32_t at_s;
    uint8_t  detector;
} __attribute__((packed));

struct packed_eta {
    uint32_t first_s, last_s;
    uint16_t sequence;
    uint8_t  at_risk;
} __attribute__((packed));

struct packed_alert {
    uint64_t id;
    uint64_t places; /* from below: at 20, expected 20, note 20, state 2, severity 2        */
    uint32_t opened_s, at_s, deadline_s;
    int32_t  value, threshold;
    uint16_t sequence;
    uint8_t  flags;
    uint8_t  type;   /* from below: type 5, sentence 3                                      */
};
_Static_assert(sizeof(struct packed_alert) == 40, "the format");

/* The ends of a parcel, numbered as in tombstone.end: never move one. */
static const struct { uint8_t state, code; } ends[] = {
    {STATE_DELIVERED, SCAN_DELIVERED}, {STATE_RETURNED, SCAN_RETURNED}, {STATE_LOST, SCAN_LOST},
    {STATE_DESTROYED, SCAN_DESTROYED}, {STATE_CANCELLED, SCAN_CANCELLED},
};
enum { ENDS = sizeof ends / sizeof ends[0] };

/* ── Sizes ─────────────────── */

static bool has_eta(const struct parcel *p)
{
    return (p->eta_first_s | p->eta_last_s | p->eta_sequence | p->at_risk) != 0;
}

static size_t list_size(uint8_t count, size_t bytes)
{
    return count == 0 ? 0 : 1 + count * bytes;
}

static size_t number_rest(size_t number_length)
{
    return number_length > NUMBER_INSIDE ? number_length - NUMBER_INSIDE : 0;
}

static bool is_tombstone(const uint8_t *bytes)
{
    return bytes[1] & TOMBSTONE_BIT;
}

static bool has_tail(const struct parcel *p)
{
    return p->alerts_count + p->unsent_count > 0;
}

static size_t tombstone_size(const struct parcel *p)
{
    size_t alerts = (size_t)p->alerts_count + p->unsent_count;

    return sizeof(struct tombstone) + p->number_length
         + (has_tail(p) ? 2 + alerts * sizeof(struct packed_alert) : 0);
}

size_t record_size(const struct parcel *p)
{
    if (p->flags & PARCEL_TOMBSTONE)
        return tombstone_size(p);
    return sizeof(struct fixed) + number_rest(p->number_length)
         + p->history_count * sizeof *p->history
         + list_size(p->deadlines_count, sizeof(struct packed_deadline))
         + (p->promise_s != 0) * sizeof p->promise_s + has_eta(p) * sizeof(struct packed_eta)
         + (p->physical_s != p->state_s) * sizeof p->physical_s
         + list_size(p->carrier_number_length, 1)
         + list_size(p->alerts_count, sizeof(struct packed_alert))
         + list_size(p->unsent_count, sizeof(struct packed_alert)) + facts_size(p);
}

/* ── Packing ───────────────── */

static uint8_t *put(uint8_t *at, const void *from, size_t length)
{
    memcpy(at, from, length);
    return at + length;
}

static uint8_t *put_alert(uint8_t *at, const struct alert *a)
{
    CHECK(a->type < DEADLINE_HOUSE && a->sentence < 8 && a->state < 4 && a->severity < 4);
    const struct packed_alert packed = {
        .id = a->id,
        .places = (uint64_t)a->at | (uint64_t)a->expected << 20 | (uint64_t)a->note << 40
                | (uint64_t)a->state << 60 | (uint64_t)a->severity << 62,
        .opened_s = a->opened_s,
        .at_s = a->at_s,
        .deadline_s = a->deadline_s,
        .value = a->value,
        .threshold = a->threshold,
        .sequence = a->sequence,
        .flags = a->flags,
        .type = (uint8_t)(a->type | a->sentence << 5),
    };

    return put(at, &packed, sizeof packed);
}

static uint8_t *put_alerts(uint8_t *at, const struct alert *list, uint8_t count)
{
    *at++ = count;
    for (int i = 0; i < count; i++)
        at = put_alert(at, &list[i]);
    return at;
}

static uint32_t house_s(const struct parcel *p)
{
    for (int i = 0; i < p->deadlines_count; i++)
        if (p->deadlines[i].detector == DEADLINE_HOUSE)
            return p->deadlines[i].at_s;
    return 0;
}

static uint8_t *put_tombstone(uint8_t *at, const struct parcel *p)
{
    unsigned end = 0, flags = p->flags;

    while (end < ENDS && ends[end].state != p->state)
        end++;
    CHECK(end < ENDS);
    const struct tombstone t = {
        .format = RECORD_FORMAT,
        .number_length = (uint8_t)(p->number_length | TOMBSTONE_BIT | (has_tail(p) ? TAIL_BIT : 0)),
        .life = p->life,
        .state_s = p->state_s,
        .house_s = house_s(p),
        .end = (uint8_t)(end | (flags & 15) << 3 | (flags & PARCEL_HISTORIC) << 2),
    };

    at = put(at, &t, sizeof t);
    at = put(at, p->number, p->number_length);
    if (!has_tail(p))
        return at;
    at = put_alerts(at, p->alerts, p->alerts_count);
    return put_alerts(at, p->unsent, p->unsent_count);
}

static uint8_t *put_deadlines(uint8_t *at, const struct parcel *p)
{
    *at++ = p->deadlines_count;
    for (int i = 0; i < p->deadlines_count; i++) {
        const struct deadline       *d = &p->deadlines[i];
        const struct packed_deadline packed = {d->at_s, d->detector};

        CHECK(d->detector <= DEADLINE_HOUSE);
        at = put(at, &packed, sizeof packed);
    }
    return at;
}

static uint8_t present_of(const struct parcel *p)
{
    return (uint8_t)((p->deadlines_count > 0) * HAS_DEADLINES | (p->promise_s != 0) * HAS_PROMISE
                     | has_eta(p) * HAS_ETA | (p->physical_s != p->state_s) * HAS_PHYSICAL
                     | (p->carrier_number_length > 0) * HAS_CARRIER_NUMBER
                     | (p->alerts_count > 0) * HAS_ALERTS | (p->unsent_count > 0) * HAS_UNSENT
                     | (p->facts != 0) * HAS_FACTS);
}

static uint8_t *put_fixed(uint8_t *at, const struct parcel *p, uint8_t present)
{
    struct fixed f = {
        .format = RECORD_FORMAT,
        .number_length = p->number_length,
        .flags = p->flags,
        .life = p->life,
        .present = present,
        .history_count = p->history_count,
        .ends = (uint64_t)p->dest | (uint64_t)p->carrier << 20 | (uint64_t)p->code << 40
              | (uint64_t)p->attempts << 45 | (uint64_t)p->service << 53,
        .way = (uint64_t)p->at | (uint64_t)p->next << 20 | (uint64_t)p->origin << 40
             | (uint64_t)p->state << 60,
        .base_s = p->base_s,
        .state_s = p->state_s,
    };
    size_t rest = number_rest(p->number_length);

    memcpy(f.number, p->number, p->number_length - rest);
    at = put(at, &f, sizeof f);
    return rest == 0 ? at : put(at, p->number + NUMBER_INSIDE, rest);
}

static uint8_t *put_optional(uint8_t *at, const struct parcel *p, uint8_t present)
{
    if (present & HAS_DEADLINES)
        at = put_deadlines(at, p);
    if (present & HAS_PROMISE)
        at = put(at, &p->promise_s, sizeof p->promise_s);
    if (present & HAS_ETA) {
        const struct packed_eta eta = {p->eta_first_s, p->eta_last_s, p->eta_sequence, p->at_risk};

        at = put(at, &eta, sizeof eta);
    }
    if (present & HAS_PHYSICAL)
        at = put(at, &p->physical_s, sizeof p->physical_s);
    if (present & HAS_CARRIER_NUMBER) {
        *at++ = p->carrier_number_length;
        at = put(at, p->carrier_number, p->carrier_number_length);
    }
    if (present & HAS_ALERTS)
        at = put_alerts(at, p->alerts, p->alerts_count);
    if (present & HAS_UNSENT)
        at = put_alerts(at, p->unsent, p->unsent_count);
    if (present & HAS_FACTS)
        at = facts_pack(at, p);
    return at;
}

size_t record_pack(const struct parcel *p, uint8_t *bytes)
{
    CHECK(p->number_length > 0 && p->number_length <= PARCEL_MAX);
    CHECK(p->state < STATES && p->code < SCAN_CODES && p->history_count <= HISTORY_MAX);
    CHECK((p->at | p->next | p->origin | p->dest | p->carrier) <= NAMES_MAX);
    if (p->flags & PARCEL_TOMBSTONE)
        return (size_t)(put_tombstone(bytes, p) - bytes);
    uint8_t  present = present_of(p);
    uint8_t *at = put_fixed(bytes, p, present);

    at = put(at, p->history, p->history_count * sizeof *p->history);
    return (size_t)(put_optional(at, p, present) - bytes);
}

/* ── Unpacking ─────────────── */

struct reader {
    const uint8_t *at;
    size_t         left;
};

static bool take(struct reader *r, void *to, size_t length)
{
    if (length > r->left)
        return false;
    memcpy(to, r->at, length);
    r->at += length;
    r->left -= length;
    return true;
}

static bool take_alert(struct reader *r, struct alert *a)
{
    struct packed_alert packed;

    if (!take(r, &packed, sizeof packed) || (packed.type & 31) >= DEADLINE_HOUSE)
        return false;
    *a = (struct alert) {
        .id = packed.id,
        .type = packed.type & 31,
        .state = packed.places >> 60 & 3,
        .severity = (uint8_t)(packed.places >> 62),
        .flags = packed.flags,
        .sentence = packed.type >> 5,
        .sequence = packed.sequence,
        .opened_s = packed.opened_s,
        .at_s = packed.at_s,
        .deadline_s = packed.deadline_s,
        .at = packed.places & NAMES_MAX,
        .expected = packed.places >> 20 & NAMES_MAX,
        .note = packed.places >> 40 & NAMES_MAX,
        .value = packed.value,
        .threshold = packed.threshold,
    };
    return true;
}

static bool take_alerts(struct reader *r, struct alert *list, uint8_t *count, uint8_t most)
{
    if (!take(r, count, 1) || *count > most)
        return false;
    for (int i = 0; i < *count; i++)
        if (!take_alert(r, &list[i]))
            return false;
    return true;
}

static bool take_deadlines(struct reader *r, struct parcel *p)
{
    if (!take(r, &p->deadlines_count, 1) || p->deadlines_count == 0
        || p->deadlines_count > DEADLINES_MAX)
        return false;
    for (int i = 0; i < p->deadlines_count; i++) {
        struct packed_deadline packed;

        if (!take(r, &packed, sizeof packed) || packed.detector > DEADLINE_HOUSE)
            return false;
        p->deadlines[i] = (struct deadline) {packed.detector, packed.at_s};
    }
    return true;
}

static bool take_eta(struct reader *r, struct parcel *p)
{
    struct packed_eta eta;

    if (!take(r, &eta, sizeof eta))
        return false;
    p->eta_first_s = eta.first_s;
    p->eta_last_s = eta.last_s;
    p->eta_sequence = eta.sequence;
    p->at_risk = eta.at_risk;
    return has_eta(p);
}

static bool take_carrier_number(struct reader *r, struct parcel *p)
{
    return take(r, &p->carrier_number_length, 1) && p->carrier_number_length > 0
        && p->carrier_number_length <= CARRIER_NUMBER_MAX
        && take(r, p->carrier_number, p->carrier_number_length);
}

static bool take_facts(struct reader *r, struct parcel *p)
{
    size_t taken = facts_unpack(r->at, r->left, p);

    r->at += taken;
    r->left -= taken;
    return taken > 0;
}

/* What is not stored, and what most parcels do not have. */
static void take_nothing(struct parcel *p)
{
    p->promise_s = p->eta_first_s = p->eta_last_s = 0;
    p->eta_sequence = 0;
    p->at_risk = 0;
    p->physical_s = p->state_s;
    p->carrier_number_length = 0;
    p->facts = p->documents_count = p->courier_length = 0;
    p->deadlines_count = p->alerts_count = p->unsent_count = 0;
}

static bool take_optional(struct reader *r, struct parcel *p, uint8_t present)
{
    take_nothing(p);
    if ((present & HAS_DEADLINES) && !take_deadlines(r, p))
        return false;
    if ((present & HAS_PROMISE)
        && (!take(r, &p->promise_s, sizeof p->promise_s) || p->promise_s == 0))
        return false;
    if ((present & HAS_ETA) && !take_eta(r, p))
        return false;
    if ((present & HAS_PHYSICAL)
        && (!take(r, &p->physical_s, sizeof p->physical_s) || p->physical_s == p->state_s))
        return false;
    if ((present & HAS_CARRIER_NUMBER) && !take_carrier_number(r, p))
        return false;
    if ((present & HAS_ALERTS)
        && (!take_alerts(r, p->alerts, &p->alerts_count, ALERTS_MAX) || p->alerts_count == 0))
        return false;
    if ((present & HAS_UNSENT)
        && (!take_alerts(r, p->unsent, &p->unsent_count, UNSENT_MAX) || p->unsent_count == 0))
        return false;
    return !(present & HAS_FACTS) || take_facts(r, p);
}

static bool take_number(struct reader *r, const struct fixed *f, struct parcel *p)
{
    static const char none[NUMBER_INSIDE];
    size_t rest = number_rest(f->number_length);

    memset(p->number, 0, sizeof p->number);
    memcpy(p->number, f->number, NUMBER_INSIDE);
    p->number_length = f->number_length;
    if (rest > 0)
        return f->number_length <= PARCEL_MAX && take(r, p->number + NUMBER_INSIDE, rest);
    return f->number_length > 0
        && memcmp(f->number + f->number_length, none, NUMBER_INSIDE - f->number_length) == 0;
}

static bool unpack_live(struct reader *r, struct parcel *p)
{
    struct fixed f;

    if (!take(r, &f, sizeof f) || !take_number(r, &f, p))
        return false;
    if ((f.format == RECORD_FORMAT_BEFORE && (f.present & HAS_FACTS))
        || f.history_count > HISTORY_MAX || (f.flags & PARCEL_TOMBSTONE) || f.ends >> 61 != 0)
        return false;
    p->flags = f.flags;
    p->life = f.life;
    p->dest = f.ends & NAMES_MAX;
    p->carrier = f.ends >> 20 & NAMES_MAX;
    p->code = f.ends >> 40 & 31;
    p->attempts = (uint8_t)(f.ends >> 45);
    p->service = (uint8_t)(f.ends >> 53);
    p->at = f.way & NAMES_MAX;
    p->next = f.way >> 20 & NAMES_MAX;
    p->origin = f.way >> 40 & NAMES_MAX;
    p->state = (uint8_t)(f.way >> 60);
    p->base_s = f.base_s;
    p->state_s = f.state_s;
    p->history_count = f.history_count;
    return take(r, p->history, f.history_count * sizeof *p->history)
        && take_optional(r, p, f.present);
}

static bool take_tail(struct reader *r, struct parcel *p)
{
    return take_alerts(r, p->alerts, &p->alerts_count, ALERTS_MAX)
        && take_alerts(r, p->unsent, &p->unsent_count, UNSENT_MAX) && has_tail(p);
}

static bool unpack_tombstone(struct reader *r, struct parcel *p)
{
    struct tombstone t;

    if (!take(r, &t, sizeof t) || (t.end & 7) >= ENDS)
        return false;
    p->number_length = t.number_length & LENGTH_MASK;
    memset(p->number, 0, sizeof p->number);
    if (p->number_length == 0 || p->number_length > PARCEL_MAX
        || !take(r, p->number, p->number_length))
        return false;
    p->life = t.life;
    p->flags = (uint16_t)((t.end >> 3 & 15) | (t.end >> 2 & PARCEL_HISTORIC) | PARCEL_TOMBSTONE);
    p->state = ends[t.end & 7].state;
    p->code = ends[t.end & 7].code;
    p->base_s = p->state_s = t.state_s;
    p->attempts = p->service = p->history_count = 0;
    p->at = p->next = p->origin = p->dest = p->carrier = NAME_NONE;
    take_nothing(p);
    if (t.house_s != 0)
        p->deadlines[p->deadlines_count++] = (struct deadline) {DEADLINE_HOUSE, t.house_s};
    return !(t.number_length & TAIL_BIT) || take_tail(r, p);
}

int record_unpack(const uint8_t *bytes, size_t length, struct parcel *p)
{
    struct reader r = {bytes, length};

    if (length < 2)
        return error_set("a record of %zu bytes", length);
    if (bytes[0] != RECORD_FORMAT && bytes[0] != RECORD_FORMAT_BEFORE)
        return error_set("record format %u, this binary reads %d and %d", bytes[0],
                         RECORD_FORMAT_BEFORE, RECORD_FORMAT);
    bool whole = is_tombstone(bytes) ? unpack_tombstone(&r, p) : unpack_live(&r, p);

    if (!whole || r.left > 0)
        return error_set("%zu bytes are no record of format %u", length, bytes[0]);
    return 0;
}

/* ── Questions to the packed form  */

/* Of a record known to be whole: the table holds no other. */
static size_t number_length_of(const uint8_t *bytes)
{
    return bytes[1] & LENGTH_MASK;
}

/* In one piece: it ends the fixed part and its rest follows. */
static const uint8_t *number_at(const uint8_t *bytes)
{
    return bytes + (is_tombstone(bytes) ? sizeof(struct tombstone)
                                        : offsetof(struct fixed, number));
}

size_t record_number(const uint8_t *bytes, char number[PARCEL_MAX])
{
    size_t length = number_length_of(bytes);

    memcpy(number, number_at(bytes), length);
    return length;
}

/* Of eight bytes at least, the ends together: numbers of one carrier differ at theirs. */
int record_is(const uint8_t *bytes, const char *number, size_t length)
{
    const char *ours = (const char *)number_at(bytes);

    if (number_length_of(bytes) != length)
        return 0;
    if (length < 8)
        return memcmp(ours, number, length) == 0;
    return word_of(ours + length - 8, 8) == word_of(number + length - 8, 8)
        && word_of(ours, 8) == word_of(number, 8)
        && (length <= 16 || memcmp(ours + 8, number + 8, length - 16) == 0);
}

uint32_t record_deadline_first(const uint8_t *bytes)
{
    uint32_t first_s = UINT32_MAX;

    if (is_tombstone(bytes)) {
        memcpy(&first_s, bytes + offsetof(struct tombstone, house_s), sizeof first_s);
        return first_s;
    }
    if (!(bytes[offsetof(struct fixed, present)] & HAS_DEADLINES))
        return 0;
    const uint8_t *at = bytes + sizeof(struct fixed) + number_rest(number_length_of(bytes))
                      + bytes[offsetof(struct fixed, history_count)] * sizeof(uint64_t);

    for (int count = *at++; count > 0; count--, at += sizeof(struct packed_deadline)) {
        struct packed_deadline d;

        memcpy(&d, at, sizeof d);
        first_s = d.at_s < first_s ? d.at_s : first_s;
    }
    return first_s;
}
