/* minutes.c - records wait here, as they came, until their minute is whole. */
#include "stages/activity/minutes.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline/check.h"
#include "pipeline/error.h"
#include "stages/scan/format.h"

enum { NUMBERS_MAX = 5, TIME_MAX = 32 };

struct source {
    bool     known;
    uint64_t epoch;
    uint32_t first, until;   /* minutes: the first it told of; it has told all before `until`  */
};

/* One record that waits. */
struct part {
    uint32_t source, minute;
    char    *counts;         /* "[[…],[…]],…", NUL-terminated                                */
};

struct share {
    bool          begun;
    uint32_t      next;      /* first minute that was not given out                          */
    uint32_t      sources_count;
    struct source sources[MINUTES_SOURCES_MAX];
    struct part  *parts;
    size_t        count, size;
};

struct minutes {
    uint32_t     shares_count;
    struct share *shares[MINUTES_SHARES_MAX];
};

struct minutes *minutes_create(void)
{
    struct minutes *m = calloc(1, sizeof *m);

    CHECK(m != NULL);
    return m;
}

void minutes_destroy(struct minutes *m)
{
    for (uint32_t s = 0; m != NULL && s < m->shares_count; s++) {
        struct share *share = m->shares[s];

        for (size_t i = 0; i < share->count; i++)
            free(share->parts[i].counts);
        free(share->parts);
        free(share);
    }
    free(m);
}

/* ── Reading a record ─────────────────────────────────────────────────────── */

struct head {
    int64_t     source, sources, epoch, share, shares, part;
    uint32_t    minute, until;
    bool        last;
    const char *counts;
};

/* What stands behind `"name":`, or NULL; the members before `counts` hold no other text. */
static const char *value_of(const char *json, const char *name)
{
    const char *at = strstr(json, name);

    return at != NULL ? at + strlen(name) : NULL;
}

static int number_of(const char *json, const char *name, int64_t least, int64_t most, int64_t *to)
{
    const char *at = value_of(json, name);
    char       *end = NULL;

    *to = at != NULL ? strtoll(at, &end, 10) : 0;
    if (at == NULL || end == at || *to < least || *to > most)
        return error_set("%s is no number from %lld to %lld", name, (long long)least,
                         (long long)most);
    return 0;
}

static int minute_of(const char *json, const char *name, uint32_t *to)
{
    const char *at = value_of(json, name);
    int64_t     unix_ms;

    if (at == NULL || *at != '"' || time_parse(at + 1, strcspn(at + 1, "\""), &unix_ms) != 0
        || unix_ms < 0 || unix_ms % MINUTE_MS != 0)
        return error_set("%s is no minute", name);
    *to = (uint32_t)(unix_ms / MINUTE_MS);
    return 0;
}

static int head_read(const char *json, struct head *h)
{
    if (number_of(json, "\"sources\":", 1, MINUTES_SOURCES_MAX, &h->sources) != 0 ||
        number_of(json, "\"source\":", 0, h->sources - 1, &h->source) != 0 ||
        number_of(json, "\"epoch\":", 0, INT64_MAX, &h->epoch) != 0 ||
        number_of(json, "\"shares\":", 1, MINUTES_SHARES_MAX, &h->shares) != 0 ||
        number_of(json, "\"share\":", 0, h->shares - 1, &h->share) != 0 ||
        number_of(json, "\"part\":", 0, INT32_MAX, &h->part) != 0 ||
        minute_of(json, "\"minute\":", &h->minute) != 0 ||
        minute_of(json, "\"until\":", &h->until) != 0)
        return -1;
    h->counts = value_of(json, "\"counts\":[");
    if (h->counts == NULL || h->until <= h->minute)
        return error_set("no counts, or `until` is not later than `minute`");
    size_t length = strlen(json);

    h->last = length > 12 && strcmp(json + length - 12, "\"last\":true}") == 0;
    return 0;
}

/* ── Rows ─────────────────────────────────────────────────────────────────── */

/* A text as we write it: escaped are only quotes, backslashes and control characters, which stay
 * as they stand: they only have to be told apart. */
static const char *text_read(const char *at, char to[MINUTES_SUBJECT_MAX])
{
    size_t length = 0;

    if (*at++ != '"')
        return NULL;
    for (; *at != '"'; at++) {
        if (*at == '\0' || length + 2 >= MINUTES_SUBJECT_MAX)
            return NULL;
        if (*at == '\\' && at[1] != '\0')
            to[length++] = *at++;
        to[length++] = *at;
    }
    to[length] = '\0';
    return at + 1;
}

static const char *numbers_read(const char *at, double *numbers, uint32_t most, uint32_t *count)
{
    for (*count = 0; *at == ',' && *count < most; (*count)++) {
        char *end;

        numbers[*count] = strtod(at + 1, &end);
        if (end == at + 1)
            return NULL;
        at = end;
    }
    return at;
}

static bool is_count(double n) { return n >= 0 && n <= UINT32_MAX; }

static bool kind_of(const char *subject, enum subject *kind)
{
    static const char *const names[SUBJECTS] = {
        [SUBJECT_FACILITY] = "facility:", [SUBJECT_CARRIER] = "carrier:",
        [SUBJECT_LANE] = "lane:", [SUBJECT_COURIER] = "courier:"};

    for (int k = SUBJECT_FACILITY; k < SUBJECTS; k++)
        if (strncmp(subject, names[k], strlen(names[k])) == 0) {
            *kind = (enum subject)k;
            return true;
        }
    return false;
}

static const char *delivery_read(const char *at, struct source_count *c)
{
    double   n[2];
    uint32_t count;

    if ((at = numbers_read(at, n, 2, &count)) == NULL || count != 2 || *at != ',' ||
        (at = text_read(at + 1, c->place)) == NULL)
        return NULL;
    if (!is_count(n[0]) || !is_count(n[1]))
        return NULL;
    c->events = (uint32_t)n[0];
    c->at_s = (uint32_t)n[1];
    if ((at = numbers_read(at, n, 2, &count)) == NULL || count == 1)
        return NULL;
    c->has_position = count == 2;
    c->lat = c->has_position ? n[0] : 0;
    c->lon = c->has_position ? n[1] : 0;
    return at;
}

/* One row, at "["; returns what stands behind it, or NULL: it is none. */
static const char *row_read(const char *at, char subject[MINUTES_SUBJECT_MAX],
                            struct source_count *c)
{
    double   n[NUMBERS_MAX];
    uint32_t count;

    *c = (struct source_count){.subject = subject};
    if (*at != '[' || (at = text_read(at + 1, subject)) == NULL || !kind_of(subject, &c->kind))
        return NULL;
    if (c->kind == SUBJECT_COURIER) {
        at = delivery_read(at, c);
    } else {
        at = numbers_read(at, n, NUMBERS_MAX, &count);
        if (at == NULL || count != NUMBERS_MAX || !is_count(n[0]) || !is_count(n[1]) ||
            !is_count(n[2]) || !is_count(n[4]) || n[3] < INT32_MIN || n[3] > INT32_MAX)
            return NULL;
        c->events = (uint32_t)n[0];
        c->in = (uint32_t)n[1];
        c->out = (uint32_t)n[2];
        c->on_hand = (int32_t)n[3];
        c->exceptions = (uint32_t)n[4];
    }
    return at != NULL && *at == ']' ? at + 1 : NULL;
}

/* Goes through all rows; what stands behind the last, or NULL: these are none. */
static const char *rows_each(const char *at, void (*each)(void *, const struct source_count *),
                             void *self)
{
    char                subject[MINUTES_SUBJECT_MAX];
    struct source_count count;

    while (at != NULL && *at == '[') {
        at = row_read(at, subject, &count);
        if (at != NULL && each != NULL)
            each(self, &count);
        at += at != NULL && *at == ',';
    }
    return at;
}

/* ── Gathering ────────────────────────────────────────────────────────────── */

static struct share *share_of(struct minutes *m, const struct head *h)
{
    if (m->shares_count == 0) {
        m->shares_count = (uint32_t)h->shares;
        for (uint32_t s = 0; s < m->shares_count; s++) {
            m->shares[s] = calloc(1, sizeof *m->shares[s]);
            CHECK(m->shares[s] != NULL);
            m->shares[s]->sources_count = (uint32_t)h->sources;
        }
    }
    struct share *share = h->shares == m->shares_count ? m->shares[h->share] : NULL;

    if (share == NULL || share->sources_count != h->sources) {
        (void)error_set("%lld shares of %lld sources, and before %u of %u: activity.shares or the "
                        "topic's partitions were changed in between; begin with the first record "
                        "after that", (long long)h->shares, (long long)h->sources,
                        m->shares_count, m->shares[0]->sources_count);
        return NULL;
    }
    return share;
}

/* What the source told of this minute and later ones is told again. */
static void parts_drop(struct share *share, uint32_t source, uint32_t minute)
{
    size_t kept = 0;

    for (size_t i = 0; i < share->count; i++) {
        if (share->parts[i].source == source && share->parts[i].minute >= minute)
            free(share->parts[i].counts);
        else
            share->parts[kept++] = share->parts[i];
    }
    share->count = kept;
}

static void part_add(struct share *share, const struct head *h)
{
    if (share->count == share->size) {
        share->size = share->size * 2 + 64;
        share->parts = realloc(share->parts, share->size * sizeof *share->parts);
        CHECK(share->parts != NULL);
    }
    share->parts[share->count++] = (struct part){
        .source = (uint32_t)h->source, .minute = h->minute, .counts = strdup(h->counts)};
    CHECK(share->parts[share->count - 1].counts != NULL);
}

int minutes_take(struct minutes *m, const char *json, size_t length)
{
    struct head h;

    if (memchr(json, '\0', length) != NULL || head_read(json, &h) != 0)
        return error_add("a record of counts");
    const char *end = rows_each(h.counts, NULL, NULL);

    if (end == NULL || *end != ']')
        return error_set("a record of counts: a row of `counts` is none");
    struct share *share = share_of(m, &h);

    if (share == NULL)
        return -1;
    struct source *source = &share->sources[h.source];

    if (source->known && (uint64_t)h.epoch < source->epoch)
        return 0;
    if (!source->known)
        *source = (struct source){.known = true, .first = h.minute, .until = h.minute};
    source->epoch = (uint64_t)h.epoch;
    if (h.part == 0) {
        parts_drop(share, (uint32_t)h.source, h.minute);
        source->until = h.minute;
    }
    if (!share->begun || h.minute >= share->next)
        part_add(share, &h);
    if (h.last)
        source->until = h.until;
    return 0;
}

/* ── Whole minutes ────────────────────────────────────────────────────────── */

/* All sources have told everything before this minute; 0 = not all have told anything. */
static uint32_t whole_until(const struct share *share)
{
    uint32_t least = UINT32_MAX;

    for (uint32_t s = 0; s < share->sources_count; s++) {
        const struct source *source = &share->sources[s];

        if (!source->known)
            return 0;
        least = source->until < least ? source->until : least;
    }
    return least;
}

/* Before the first of these, some source's counts are not known. */
static uint32_t first_of_all(const struct share *share)
{
    uint32_t first = 0;

    for (uint32_t s = 0; s < share->sources_count; s++)
        first = share->sources[s].first > first ? share->sources[s].first : first;
    return first;
}

bool minutes_whole(struct minutes *m, uint32_t *share, uint32_t *minute)
{
    for (*share = 0; *share < m->shares_count; ++*share) {
        struct share *s = m->shares[*share];
        uint32_t      until = whole_until(s);

        if (until > 0 && !s->begun) {
            s->begun = true;
            s->next = first_of_all(s);
        }
        *minute = s->next;
        if (s->begun && s->next < until)
            return true;
    }
    return false;
}

void minutes_give(struct minutes *m, uint32_t share,
                  void (*each)(void *self, const struct source_count *), void *self)
{
    struct share *s = m->shares[share];
    size_t        kept = 0;

    CHECK(share < m->shares_count && s->begun && s->next < whole_until(s));
    for (size_t i = 0; i < s->count; i++) {
        struct part *part = &s->parts[i];

        if (part->minute > s->next) {
            s->parts[kept++] = *part;
            continue;
        }
        if (part->minute == s->next)
            (void)rows_each(part->counts, each, self);
        free(part->counts);
    }
    s->count = kept;
    s->next++;
}

uint32_t minutes_streams(const struct minutes *m)
{
    return m->shares_count > 0 ? m->shares_count * m->shares[0]->sources_count : 0;
}

uint32_t minutes_behind(const struct minutes *m, uint32_t *source)
{
    uint32_t most = 0;

    for (uint32_t i = 0; i < m->shares_count; i++) {
        const struct share *share = m->shares[i];
        uint32_t            newest = 0;

        for (uint32_t s = 0; s < share->sources_count; s++)
            newest = share->sources[s].until > newest ? share->sources[s].until : newest;
        for (uint32_t s = 0; s < share->sources_count && newest > 0; s++) {
            uint32_t until = share->sources[s].known ? share->sources[s].until : 0;

            if (newest - until > most) {
                most = newest - until;
                *source = s;
            }
        }
    }
    return most;
}
