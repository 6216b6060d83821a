/* thresholds.c - one row a type. */
#include "bench/peakload/thresholds.h"

#include <string.h>

#include "bench/peakload/say.h"
#include "bench/peakload/times.h"

enum { HOUR_S = 3600, DAY_S = 86400, AT_ONCE = 9, CLOCKS_S = 600, LEAST_G = 100 };

enum kind {
    KIND_AT_ONCE,      /* any amount                                                          */
    KIND_LASTS,        /* seconds against `least`                                             */
    KIND_AMOUNT,       /* the same, of something else than seconds                            */
    KIND_USUAL,        /* seconds against what is usual, between `least` and `most`           */
    KIND_DEPARTURE,    /* seconds late; without a plan, what is usual and at least `most`     */
    KIND_WEIGHT,       /* grams apart against a share of `of`, in percent                     */
    KIND_SPEED         /* metres in `of` seconds against km/h                                 */
};

static struct {
    const char *type;
    enum kind   kind;
    bool        learned, endless;
    int64_t     least, most;                    /* at home                                    */
    int64_t     border_least, border_most;      /* once customs have seen it; 0 = the same    */
} rows[] = {
    {"never-collected",   KIND_LASTS, false, false, 24 * HOUR_S, 0, 0, 0},
    {"stalled",           KIND_USUAL, true, false, 12 * HOUR_S, 72 * HOUR_S, 48 * HOUR_S,
     120 * HOUR_S},
    {"missed-departure",  KIND_DEPARTURE, true, false, 1800, 12 * HOUR_S, 0, 0},
    {"customs-held",      KIND_LASTS, false, false, 24 * HOUR_S, 0, 0, 0},
    {"uncollected",       KIND_LASTS, false, false, 48 * HOUR_S, 0, 0, 0},
    {"lost",              KIND_LASTS, false, false, 10 * DAY_S, 0, 30 * DAY_S, 0},
    {"clock-skew",        KIND_AMOUNT, false, false, 300, 0, 0, 0},
    {"doubtful-delivery", KIND_AMOUNT, true, true, 500, 0, 0, 0},
    {"weight-mismatch",   KIND_WEIGHT, false, true, 10, 0, 0, 0},
    {"impossible-travel", KIND_SPEED, false, false, 130, 0, 0, 0},
    {"number-reused",     KIND_AT_ONCE, false, true, 0, 0, 0, 0},
    {"site-silent",       KIND_LASTS, true, false, 600, 0, 0, 0},
    {"carrier-silent",    KIND_LASTS, true, false, 600, 0, 0, 0},
    {"congested",         KIND_AT_ONCE, true, false, 0, 0, 0, 0},
    {"lane-degraded",     KIND_AT_ONCE, true, false, 0, 0, 0, 0},
    {"courier-burst",     KIND_AT_ONCE, true, false, 0, 0, 0, 0},
};
enum { ROWS = sizeof rows / sizeof rows[0] };

static int row_of(const char *type, size_t length)
{
    for (int i = 0; i < ROWS; i++)
        if (strlen(rows[i].type) == length && memcmp(rows[i].type, type, length) == 0)
            return i;
    return -1;
}

static int64_t clamp(int64_t value, int64_t least, int64_t most)
{
    return value < least ? least : value > most ? most : value;
}

static struct measure lasts(int64_t amount, int64_t threshold)
{
    return (struct measure) {(double)amount / (double)threshold, threshold};
}

static struct measure measure_row(int row, const struct happening *h)
{
    bool    border = h->border && rows[row].border_least != 0;
    int64_t least = border ? rows[row].border_least : rows[row].least;
    int64_t most = border ? rows[row].border_most : rows[row].most;
    int64_t share_g = h->of * least / 100;

    switch (rows[row].kind) {
    case KIND_LASTS:
        return lasts(h->amount, least);
    case KIND_USUAL:
        return lasts(h->amount, clamp(h->usual, least, most));
    case KIND_DEPARTURE:
        return lasts(h->amount, h->of == 0 ? least : h->usual > most ? h->usual : most);
    case KIND_AMOUNT:
        return (struct measure) {(double)h->amount / (double)least, 0};
    case KIND_WEIGHT:
        return (struct measure) {(double)h->amount /
                                 (double)(share_g > LEAST_G ? share_g : LEAST_G), 0};
    case KIND_SPEED:
        return (struct measure) {(double)h->amount * 3.6 / (double)(h->of + CLOCKS_S) /
                                 (double)least, 0};
    default:
        return (struct measure) {AT_ONCE, 0};
    }
}

struct measure thresholds_measure(const char *type, const struct happening *h)
{
    int row = row_of(type, strlen(type));

    /* What has no amount was said, not measured: DECLARED too late, a held parcel. */
    return row < 0 || h->amount == 0 ? (struct measure) {AT_ONCE, 0} : measure_row(row, h);
}

bool thresholds_learned(const char *type)
{
    int row = row_of(type, strlen(type));

    return row >= 0 && rows[row].learned;
}

bool thresholds_endless(const char *type)
{
    int row = row_of(type, strlen(type));

    return row >= 0 && rows[row].endless;
}

int thresholds_take(void *self, const char *text)
{
    const char *equals = strchr(text, '=');
    int row = equals == NULL ? -1 : row_of(text, (size_t)(equals - text));
    int64_t ms;

    (void)self;
    if (row < 0 || rows[row].kind == KIND_AT_ONCE)
        return say("--threshold %s: want TYPE=VALUE of a type that has one, as stalled=12h", text);
    if (duration_read(equals + 1, &ms) != 0 || ms < 1000)
        return say("--threshold %s: want a duration of a second or more, or a plain number", text);
    rows[row].least = ms / 1000;
    rows[row].border_least = 0;
    return 0;
}
