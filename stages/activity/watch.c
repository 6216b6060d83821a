/* watch.c - whole minutes to the rules, and what becomes of their opinions. */
#include "stages/activity/watch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/check.h"
#include "stages/scan/scan.h"

enum { SLOTS_MIN = 1024, COURIER_FORGOTTEN_S = 7200 };

/* How one rule stands with one subject. */
struct stand {
    uint64_t id;
    bool     open;
    uint16_t sequence;
    uint32_t running;                  /* minutes in a row that something was wrong           */
    uint32_t opened, closed;           /* minutes                                           */
};

struct seen {
    struct site *site;
    uint32_t     share;
    struct stand stands[RULES_MAX];
};

struct watch {
    struct rule_values values;
    void             (*tell)(void *, const struct incident *);
    void              *self;
    struct minutes    *minutes;
    struct seen       *list;           /* all subjects                                      */
    uint32_t           count, size;
    uint32_t          *slots, slots_mask;   /* place in the list + 1, by subject; 0 = free    */
    uint32_t           share, minute;  /* being judged                                      */
    uint32_t           until;          /* judged to there                                   */
    uint64_t           judged;
};

struct watch *watch_create(const struct rule_values *values,
                           void (*tell)(void *, const struct incident *), void *self)
{
    struct watch *w = calloc(1, sizeof *w);

    CHECK(w != NULL);
    w->values = *values;
    w->tell = tell;
    w->self = self;
    w->minutes = minutes_create();
    w->slots = calloc(SLOTS_MIN, sizeof *w->slots);
    CHECK(w->slots != NULL);
    w->slots_mask = SLOTS_MIN - 1;
    return w;
}

void watch_destroy(struct watch *w)
{
    if (w == NULL)
        return;
    for (uint32_t i = 0; i < w->count; i++)
        site_destroy(w->list[i].site);
    minutes_destroy(w->minutes);
    free(w->list);
    free(w->slots);
    free(w);
}

/* ── Subjects ─────────────────────────────────────────────────────────────── */

static uint32_t *slot_of(const struct watch *w, const char *subject)
{
    uint32_t slot = (uint32_t)parcel_hash(subject, strlen(subject)) & w->slots_mask;

    while (w->slots[slot] != 0 && strcmp(w->list[w->slots[slot] - 1].site->subject, subject) != 0)
        slot = (slot + 1) & w->slots_mask;
    return &w->slots[slot];
}

static void slots_fill(struct watch *w)
{
    memset(w->slots, 0, (w->slots_mask + (size_t)1) * sizeof *w->slots);
    for (uint32_t i = 0; i < w->count; i++)
        *slot_of(w, w->list[i].site->subject) = i + 1;
}

static void list_grow(struct watch *w)
{
    w->size = w->size * 2 + 256;
    w->list = realloc(w->list, w->size * sizeof *w->list);
    CHECK(w->list != NULL);
    if (w->slots_mask + 1 >= 2 * w->size)
        return;
    free(w->slots);
    w->slots_mask = 2 * w->slots_mask + 1;
    w->slots = calloc(w->slots_mask + (size_t)1, sizeof *w->slots);
    CHECK(w->slots != NULL);
    slots_fill(w);
}

static void count_take(void *self, const struct source_count *count)
{
    struct watch *w = self;

    if (w->count == w->size)
        list_grow(w);
    uint32_t *slot = slot_of(w, count->subject);

    if (*slot == 0) {
        w->list[w->count++] = (struct seen){
            .site = site_create(count->kind, count->subject, w->minute), .share = w->share};
        *slot = w->count;
    }
    site_count(w->list[*slot - 1].site, count);
}

/* Couriers come and go with their bursts; what else there is stays. */
static void couriers_forget(struct watch *w)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < w->count; i++) {
        struct site *site = w->list[i].site;
        const struct site_deliveries *d = site->deliveries;
        bool open = false;

        for (int id = 0; id < RULES_MAX; id++)
            open = open || w->list[i].stands[id].open;
        if (d != NULL && !open &&
            d->list[d->count - 1].at_s + (int64_t)COURIER_FORGOTTEN_S < (int64_t)w->minute * 60)
            site_destroy(site);
        else
            w->list[kept++] = w->list[i];
    }
    if (kept == w->count)
        return;
    w->count = kept;
    slots_fill(w);
}

/* ── Alerts ───────────────────────────────────────────────────────────────── */

static size_t text_add(char *text, size_t used, const char *more, size_t length)
{
    length = used + length < INCIDENT_TEXT_MAX ? length : INCIDENT_TEXT_MAX - 1 - used;
    memcpy(text + used, more, length);
    text[used + length] = '\0';
    return used + length;
}

/* The rule's sentence with its places filled in. */
static void sentence(const struct rule *rule, const struct opinion *o, const char *subject,
                     char text[INCIDENT_TEXT_MAX])
{
    const struct { const char *name; int64_t number; } places[] = {
        {"{value}", o->value}, {"{threshold}", o->threshold}, {"{usual}", o->usual}};
    size_t used = 0;

    for (const char *at = rule->sentence; *at != '\0';) {
        size_t length = strcspn(at, "{");
        char   number[24];

        used = text_add(text, used, at, length);
        at += length;
        const char *brace = at;

        for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
            if (strncmp(at, places[i].name, strlen(places[i].name)) == 0) {
                used = text_add(text, used, number, (size_t)snprintf(
                    number, sizeof number, "%" PRId64, places[i].number));
                at += strlen(places[i].name);
            }
        if (strncmp(at, "{subject}", 9) == 0) {
            used = text_add(text, used, subject, strlen(subject));
            at += 9;
        }
        CHECK(at > brace || *at == '\0');   /* a place that no rule has */
    }
}

static uint64_t id_of(const struct rule *rule, const char *subject, uint32_t minute)
{
    char text[64 + MINUTES_SUBJECT_MAX];
    int  length = snprintf(text, sizeof text, "%s %s %" PRIu32, rule->type, subject, minute);

    CHECK(length > 0 && (size_t)length < sizeof text);
    return parcel_hash(text, (size_t)length);
}

static void change(struct watch *w, struct seen *seen, const struct rule *rule,
                   struct stand *stand, const struct opinion *o)
{
    struct incident incident = {.rule = rule, .subject = seen->site->subject};

    stand->open = o->wrong;
    if (!o->wrong) {
        stand->closed = w->minute;
    } else if (stand->sequence == 0 || w->minute - stand->closed > REOPEN_MINUTES) {
        stand->id = id_of(rule, seen->site->subject, w->minute);
        stand->opened = w->minute;
        stand->sequence = 0;
    }
    incident.id = stand->id;
    incident.state = o->wrong ? ALERT_OPENED : ALERT_RESOLVED;
    incident.sequence = ++stand->sequence;
    incident.opened_s = (stand->opened + 1) * 60;
    incident.at_s = (w->minute + 1) * 60;
    incident.value = o->value;
    incident.threshold = o->threshold;
    sentence(rule, o, seen->site->subject, incident.text);
    w->tell(w->self, &incident);
}

/* One rule, one subject, one minute; true: something is wrong. */
static bool judge(struct watch *w, struct seen *seen, int id)
{
    const struct rule *rule = rule_table[id];
    struct stand      *stand = &seen->stands[id];
    const int64_t     *thresholds = w->values.thresholds[id];

    if (!w->values.enabled[id] || (rule->kinds >> seen->site->kind & 1) == 0)
        return false;
    struct opinion o = rule->judge(seen->site, thresholds);
    uint32_t lasting = rule->lasting < 0 ? 1 : (uint32_t)(thresholds[rule->lasting] / 60);

    stand->running = o.wrong ? stand->running + 1 : 0;
    if (o.wrong ? !stand->open && stand->running >= lasting : stand->open)
        change(w, seen, rule, stand, &o);
    return o.wrong;
}

static void minute_judge(struct watch *w)
{
    for (uint32_t i = 0; i < w->count; i++)
        if (w->list[i].share == w->share)
            site_turn(w->list[i].site, w->minute);
    minutes_give(w->minutes, w->share, count_take, w);
    for (uint32_t i = 0; i < w->count; i++) {
        struct seen *seen = &w->list[i];
        bool         wrong = false;

        for (int id = 0; seen->share == w->share && rule_table[id] != NULL; id++)
            wrong = judge(w, seen, id) || wrong;
        if (seen->share == w->share)
            site_learn(seen->site, wrong);
    }
    couriers_forget(w);
    w->judged++;
    w->until = w->minute >= w->until ? w->minute + 1 : w->until;
}

int watch_take(struct watch *w, const char *json, size_t length)
{
    if (minutes_take(w->minutes, json, length) != 0)
        return -1;
    while (minutes_whole(w->minutes, &w->share, &w->minute))
        minute_judge(w);
    return 0;
}

uint32_t watch_behind(const struct watch *w, uint32_t *source)
{
    return minutes_behind(w->minutes, source);
}

struct watch_state watch_state(const struct watch *w)
{
    return (struct watch_state){.minutes = w->judged, .subjects = w->count,
                                .until_s = w->until * 60,
                                .streams = minutes_streams(w->minutes)};
}
