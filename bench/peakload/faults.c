/* faults.c - a heap of held messages, by the count at which each is released. */
#include "bench/peakload/faults.h"

#include <stdlib.h>
#include <string.h>

#include "bench/peakload/edit.h"
#include "bench/peakload/random.h"
#include "bench/peakload/say.h"
#include "bench/peakload/times.h"

enum { REPEAT_WITHIN = 1000, DISORDER_WITHIN = 100, SKEW_UNIT_MS = 30 * MINUTE_MS, SKEW_UNITS = 16,
       DEFAULT_HOLD = 20000, SCAN_BYTES_MAX = 512, NUMBER_BYTES = 32 };

static const char *const names[FAULTS] = {"repeats", "disorder", "late", "broken", "skew",
                                          "offline"};

struct held {
    uint64_t release, order;
    struct message message;      /* its bytes follow it in one allocation                    */
};

struct faults {
    const struct fault_options *options;
    int    (*emit)(void *self, struct message *);
    void    *self;
    uint64_t count, order;       /* messages put; messages held in all                        */
    struct held **heap;
    size_t   used, room;
    struct broken broken;
    uint64_t done[FAULTS];
};

static int take_fault(void *self, const char *text)
{
    struct fault_options *o = self;
    const char *equals = strchr(text, '=');
    char  *end;
    double share = equals == NULL ? -1 : strtod(equals + 1, &end);

    for (int i = 0; i < FAULTS && share >= 0 && share <= 1 && *end == '\0'; i++)
        if (strlen(names[i]) == (size_t)(equals - text) &&
            strncmp(text, names[i], strlen(names[i])) == 0) {
            o->share[i] = share;
            return 0;
        }
    return say("--fault %s: want repeats, disorder, late, broken, skew or offline, as late=0.01",
               text);
}

#define AT(field) offsetof(struct fault_options, field)

const struct option_row fault_rows[FAULT_ROWS] = {
    {OPTION_HEADING, "What goes wrong (of messages; skew and offline: of devices):", NULL, NULL, 0,
     0, 0, NULL},
    {OPTION_OTHER, "fault", "NAME=SHARE", "repeats, disorder (overtaken by up to 100), late, "
     "broken (no scans),\nskew (clocks n x 30 min off), offline (silent, then a flood)", 0, 0, 0,
     take_fault},
    {OPTION_INTEGER, "late-by", "N", "late is so many messages (default 20000)", AT(late_by), 1,
     OPTION_MANY, NULL},
    {OPTION_INTEGER, "offline-for", "N", "offline is so many messages (default 20000)",
     AT(offline_for), 1, OPTION_MANY, NULL},
    {OPTION_INTEGER, "seed", "N", "decides which (default 1)", AT(seed), 0, OPTION_MANY, NULL},
};

struct faults *faults_open(const struct fault_options *o,
                           int (*emit)(void *self, struct message *), void *self)
{
    struct faults *f = must(calloc(1, sizeof *f));

    f->options = o;
    f->emit = emit;
    f->self = self;
    f->broken.value = must(malloc(BROKEN_BYTES_MAX + SCAN_BYTES_MAX));
    return f;
}

/* ── Chance ───────────────────────────────────────────────────────────────── */

/* A number of its own for each kind of fault and each thing it may befall. */
static struct random chance_of(const struct faults *f, enum fault fault, uint64_t thing)
{
    return random_of((uint64_t)f->options->seed * FAULTS + fault, thing);
}

static uint64_t hash_bytes(const char *bytes, size_t length)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (uint8_t)bytes[i]) * UINT64_C(1099511628211);
    return hash;
}

/* Who scanned it: 0 = not known. */
static uint64_t device_of(const struct message *m)
{
    struct json_value name;

    if (edit_find(m->value, m->length, "courier", &name) ||
        edit_find(m->value, m->length, "facility", &name))
        return hash_bytes(name.text, name.length) | 1;
    return 0;
}

int64_t faults_skew_ms(struct faults *f, const struct message *m)
{
    uint64_t device = f->options->share[FAULT_SKEW] > 0 ? device_of(m) : 0;
    struct random r = chance_of(f, FAULT_SKEW, device);
    int units;

    if (device == 0 || !random_chance(&r, f->options->share[FAULT_SKEW]))
        return 0;
    f->done[FAULT_SKEW]++;
    units = random_between(&r, 1, SKEW_UNITS);
    return (int64_t)(random_next(&r) & 1 ? units : -units) * SKEW_UNIT_MS;
}

/* ── Holding back ─────────────────────────────────────────────────────────── */

static bool before(const struct held *a, const struct held *b)
{
    return a->release < b->release || (a->release == b->release && a->order < b->order);
}

static void sift_up(struct faults *f, size_t i)
{
    while (i > 0 && before(f->heap[i], f->heap[(i - 1) / 2])) {
        struct held *swap = f->heap[i];

        f->heap[i] = f->heap[(i - 1) / 2];
        f->heap[(i - 1) / 2] = swap;
        i = (i - 1) / 2;
    }
}

static struct held *take_first(struct faults *f)
{
    struct held *first = f->heap[0], *last = f->heap[--f->used];
    size_t i = 0, child;

    while ((child = 2 * i + 1) < f->used) {
        if (child + 1 < f->used && before(f->heap[child + 1], f->heap[child]))
            child++;
        if (!before(f->heap[child], last))
            break;
        f->heap[i] = f->heap[child];
        i = child;
    }
    f->heap[i] = last;
    return first;
}

/* Copies bytes behind those already there. */
static const void *place(char **at, const void *bytes, size_t length)
{
    void *here = *at;

    if (bytes == NULL)
        return NULL;
    memcpy(here, bytes, length);
    *at += length;
    return here;
}

static struct held *copy(const struct message *m)
{
    size_t size = sizeof(struct held) + sizeof(struct header) * (size_t)m->headers + m->key_length +
                  m->length + 1;
    struct header *headers;
    struct held *h;
    char  *at;

    for (int i = 0; i < m->headers; i++)
        size += m->header[i].name_length + m->header[i].length;
    h = must(malloc(size));
    h->message = *m;
    headers = (struct header *)(h + 1);
    at = (char *)(headers + m->headers);
    h->message.header = headers;
    for (int i = 0; i < m->headers; i++) {
        headers[i] = m->header[i];
        headers[i].name = place(&at, m->header[i].name, m->header[i].name_length);
        headers[i].value = place(&at, m->header[i].value, m->header[i].length);
    }
    h->message.key = place(&at, m->key, m->key_length);
    h->message.value = place(&at, m->value, m->length);
    return h;
}

static void hold(struct faults *f, const struct message *m, uint64_t release)
{
    struct held *h = copy(m);

    h->release = release;
    h->order = f->order++;
    if (f->used == f->room) {
        f->room = f->room * 2 + 64;
        f->heap = must(realloc(f->heap, sizeof *f->heap * f->room));
    }
    f->heap[f->used++] = h;
    sift_up(f, f->used - 1);
}

/* What is due at this count. */
static int release(struct faults *f)
{
    int result = 0;

    while (result == 0 && f->used > 0 && f->heap[0]->release <= f->count) {
        struct held *h = take_first(f);

        result = f->emit(f->self, &h->message);
        free(h);
    }
    return result;
}

/* ── The faults ───────────────────────────────────────────────────────────── */

static bool happens(struct faults *f, enum fault fault, struct random *r)
{
    if (f->options->share[fault] <= 0)
        return false;
    *r = chance_of(f, fault, f->count);
    if (!random_chance(r, f->options->share[fault]))
        return false;
    f->done[fault]++;
    return true;
}

/* Made of a scan of our own, since a recording's may be anything. */
static int send_broken(struct faults *f, int64_t kafka_ms)
{
    struct broken *b = &f->broken;
    struct header expect = {"peakload-expect", NULL, 15, 0};
    struct message extra = {.kafka_ms = kafka_ms, .partition = -1, .headers = 1,
                            .header = &expect};
    char scan[SCAN_BYTES_MAX], when[TIME_TEXT_MAX], number[NUMBER_BYTES];
    int  length = snprintf(number, sizeof number, "BROKEN%09llu",
                           (unsigned long long)(f->done[FAULT_BROKEN] % 1000000000));
    int  size = snprintf(scan, sizeof scan, "{\"parcel\":\"%s\",\"code\":\"ARRIVE\",\"time\":"
                         "\"%.*s\",\"facility\":\"HGH-HUB\",\"origin\":\"HGH-D1\",\"carrier\":"
                         "\"ZT\",\"service\":\"express\"}", number,
                         (int)(time_write(when, wall_ms(), 0, false) - when), when);

    broken_make(b, f->done[FAULT_BROKEN] - 1, scan, (size_t)size, number, (size_t)length, false);
    expect.value = b->expect;
    expect.length = strlen(b->expect);
    extra.key = b->key;
    extra.key_length = b->key_length;
    extra.value = b->null ? NULL : b->value;
    extra.length = b->length;
    return f->emit(f->self, &extra);
}

/* When the message's device is back: 0 = it is not away. */
static uint64_t away_until(struct faults *f, const struct message *m)
{
    int64_t  wanted = f->options->offline_for;
    uint64_t away = wanted > 0 ? (uint64_t)wanted : DEFAULT_HOLD;
    uint64_t window = f->count / away, device;
    struct random r;

    if (f->options->share[FAULT_OFFLINE] <= 0 || (device = device_of(m)) == 0)
        return 0;
    r = chance_of(f, FAULT_OFFLINE, device + random_mix(window));
    if (!random_chance(&r, f->options->share[FAULT_OFFLINE]))
        return 0;
    f->done[FAULT_OFFLINE]++;
    return (window + 1) * away;
}

/* Sent now, or held back for one reason. */
static int pass_on(struct faults *f, struct message *m)
{
    int64_t late_by = f->options->late_by > 0 ? f->options->late_by : DEFAULT_HOLD;
    uint64_t until = away_until(f, m);
    struct random r;

    if (until == 0 && happens(f, FAULT_LATE, &r))
        until = f->count + (uint64_t)late_by;
    else if (until == 0 && happens(f, FAULT_DISORDER, &r))
        until = f->count + 1 + random_below(&r, DISORDER_WITHIN);
    if (until == 0)
        return f->emit(f->self, m);
    hold(f, m, until);
    return 0;
}

int faults_put(struct faults *f, struct message *m)
{
    struct random r;
    int result;

    f->count++;
    result = release(f);
    if (result == 0 && happens(f, FAULT_REPEATS, &r))
        hold(f, m, f->count + 1 + random_below(&r, REPEAT_WITHIN));
    if (result == 0 && happens(f, FAULT_BROKEN, &r))
        result = send_broken(f, m->kafka_ms);
    return result != 0 ? result : pass_on(f, m);
}

int faults_end(struct faults *f)
{
    f->count = UINT64_MAX;
    return release(f);
}

uint64_t faults_count(const struct faults *f, enum fault fault)
{
    return f->done[fault];
}

void faults_print_json(const struct faults *f, FILE *out)
{
    fputs(",\"faults\":{", out);
    for (int i = 0; i < FAULTS; i++)
        fprintf(out, "%s\"%s\":%llu", i > 0 ? "," : "", names[i], (unsigned long long)f->done[i]);
    fputc('}', out);
}

void faults_close(struct faults *f)
{
    while (f->used > 0)
        free(take_first(f));
    free(f->heap);
    free(f->broken.value);
    free(f);
}
