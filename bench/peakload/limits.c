/* limits.c - reads limits and judges a run by them. */
#include "bench/peakload/limits.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bench/peakload/say.h"
#include "bench/peakload/times.h"

const char *const meter_names[METERS] = {"sent", "acked", "outputs", "alerts", "etas", "visible"};

/* "p99.9" → 0.999, "max" → 1.  0, or -1. */
static int read_share(const char *text, size_t length, double *share)
{
    char digits[16], *end;

    if (length == 3 && memcmp(text, "max", 3) == 0) {
        *share = 1;
        return 0;
    }
    if (length < 2 || length >= sizeof digits || text[0] != 'p')
        return -1;
    memcpy(digits, text + 1, length - 1);
    digits[length - 1] = '\0';
    *share = strtod(digits, &end) / 100;
    return *end == '\0' && *share > 0 && *share <= 1 ? 0 : -1;
}

/* "visible.p99", "p99".  0, or -1. */
static int read_latency_name(struct limit *l, const char *name, size_t length)
{
    l->kind = LIMIT_LATENCY;
    l->meter = METER_OUTPUTS;
    for (int i = 0; i < METERS; i++) {
        size_t prefix = strlen(meter_names[i]);

        if (length > prefix && strncmp(name, meter_names[i], prefix) == 0 && name[prefix] == '.') {
            l->meter = (enum meter)i;
            return read_share(name + prefix + 1, length - prefix - 1, &l->share);
        }
    }
    return read_share(name, length, &l->share);
}

static int read_value(struct limit *l, const char *text)
{
    int64_t ms;
    char   *end;

    if (l->kind == LIMIT_LATENCY) {
        if (duration_read(text, &ms) != 0)
            return -1;
        l->most = (double)ms * 1e6;
        return 0;
    }
    l->most = strtod(text, &end);
    if (end == text || !(l->most >= 0))
        return -1;
    if (l->kind == LIMIT_SLIP && *end == '%') {
        l->most /= 100;
        end++;
    }
    return *end == '\0' ? 0 : -1;
}

int limits_take(struct limits *limits, const char *text)
{
    struct limit l = {.text = text};
    const char *equals = strchr(text, '=');
    size_t length = equals == NULL ? 0 : (size_t)(equals - text);
    int bad = equals == NULL;

    if (length == 3 && memcmp(text, "lag", 3) == 0)
        l.kind = LIMIT_LAG;
    else if (length == 4 && memcmp(text, "slip", 4) == 0)
        l.kind = LIMIT_SLIP;
    else
        bad = bad || read_latency_name(&l, text, length) != 0;
    if (bad || read_value(&l, equals + 1) != 0)
        return say("--limit %s: want p99=1s, max=2s, visible.p99=1300ms, lag=100000 or slip=1%%",
                   text);
    if (limits->count == LIMITS_MAX)
        return say("more than %d limits", LIMITS_MAX);
    limits->limit[limits->count++] = l;
    return 0;
}

bool limits_has(const struct limits *limits, enum limit_kind kind)
{
    for (int i = 0; i < limits->count; i++)
        if (limits->limit[i].kind == kind)
            return true;
    return false;
}

static bool check_one(const struct limit *l, const struct measured *m)
{
    double is = l->kind == LIMIT_LAG ? m->lag : m->slip;

    if (l->kind == LIMIT_LATENCY) {
        const struct histogram *h = m->meter[l->meter];

        if (h == NULL || h->count == 0) {
            say("limit %s: nothing was measured", l->text);
            return false;
        }
        is = (double)histogram_at(h, l->share);
        if (is > l->most)
            say("limit %s: it was %.3f ms", l->text, is / 1e6);
    } else if (is > l->most) {
        say("limit %s: it was %.6g", l->text, is);
    }
    return is <= l->most;
}

int limits_check(const struct limits *limits, const struct measured *m)
{
    int exceeded = 0;

    for (int i = 0; i < limits->count; i++)
        exceeded += !check_one(&limits->limit[i], m);
    return exceeded;
}
