/* world.c - makes the network from the table of cities. */
#include "bench/peakload/world.h"

#include <math.h>
#include <string.h>

static const struct { const char *suffix, *name, *kind; } kinds[KINDS] = {
    [KIND_HUB]     = {"", "sorting hub", "hub"},
    [KIND_AIRPORT] = {"-AIR", "airport", "airport"},
    [KIND_EXPORT]  = {"-EXP", "export customs", "export-customs"},
    [KIND_IMPORT]  = {"-IMP", "import customs", "import-customs"},
    [KIND_DEPOT]   = {"-D", "depot", "depot"},
    [KIND_STATION] = {"-S", "station", "station"},
};

/* `number` 0 = the city has only one of this kind.  `away` in degrees. */
static uint16_t add(struct world *w, size_t city, enum facility_kind kind, int number, float away,
                    struct random *r)
{
    struct facility *f = &w->facility[w->facilities];
    const struct city *c = &city_table[city];
    int length;

    length = number == 0
        ? snprintf(f->code, sizeof f->code, "%s%s", c->code, kinds[kind].suffix)
        : snprintf(f->code, sizeof f->code, "%s%s%d", c->code, kinds[kind].suffix, number);
    f->code_length = (uint8_t)length;
    f->kind = (uint8_t)kind;
    f->city = (uint8_t)city;
    f->zone_minutes = c->zone_minutes;
    f->lat = c->lat + away * (float)random_between(r, -1000, 1000) / 1000;
    f->lon = c->lon + away * (float)random_between(r, -1000, 1000) / 1000;
    return w->facilities++;
}

static void add_city(struct world *w, size_t city, uint64_t seed)
{
    struct random r = random_of(seed, city);
    struct place *p = &w->place[city];
    uint8_t flags = city_table[city].flags;

    memset(p, 0xff, sizeof *p);
    p->hub = add(w, city, KIND_HUB, 0, 0.0F, &r);
    if (flags & (CITY_GATEWAY | CITY_ABROAD))
        p->airport = add(w, city, KIND_AIRPORT, 0, 0.2F, &r);
    if (flags & CITY_GATEWAY)
        p->export_customs = add(w, city, KIND_EXPORT, 0, 0.2F, &r);
    if (flags & CITY_ABROAD)
        p->import_customs = add(w, city, KIND_IMPORT, 0, 0.2F, &r);
    for (int i = 0; i < DEPOTS; i++)
        p->depot[i] = add(w, city, KIND_DEPOT, i + 1, 0.15F, &r);
    for (int i = 0; i < STATIONS; i++)
        p->station[i] = add(w, city, KIND_STATION, i + 1, 0.15F, &r);
}

static float distance_km(const struct city *a, const struct city *b)
{
    const float rad = 0.01745329F;
    float dlat = (b->lat - a->lat) * rad, dlon = (b->lon - a->lon) * rad;
    float h = sinf(dlat / 2) * sinf(dlat / 2) +
              cosf(a->lat * rad) * cosf(b->lat * rad) * sinf(dlon / 2) * sinf(dlon / 2);

    return 2 * 6371.0F * asinf(sqrtf(h));
}

/* By lorry at 60 km/h of straight line within China, else by air at 700 km/h with four
 * hours on the ground. */
static uint16_t travel_minutes(const struct city *a, const struct city *b)
{
    float km = distance_km(a, b);

    if ((a->flags | b->flags) & CITY_ABROAD)
        return (uint16_t)(240 + km * 60 / 700);
    return (uint16_t)(20 + km);
}

static void fill_wheel(uint8_t wheel[256], uint8_t abroad)
{
    size_t at = 0;

    while (at < 256)
        for (size_t i = 0; i < city_count; i++)
            if ((city_table[i].flags & CITY_ABROAD) == abroad)
                for (int n = 0; n < city_table[i].weight && at < 256; n++)
                    wheel[at++] = (uint8_t)i;
}

void world_make(struct world *w, uint64_t seed)
{
    memset(w, 0, sizeof *w);
    for (size_t i = 0; i < city_count; i++)
        add_city(w, i, seed);
    for (size_t i = 0; i < city_count; i++)
        for (size_t j = 0; j < city_count; j++) {
            w->minutes[i][j] = travel_minutes(&city_table[i], &city_table[j]);
            if (strcmp(city_table[i].gateway, city_table[j].code) == 0)
                w->gateway[i] = (uint8_t)j;
        }
    fill_wheel(w->home_wheel, 0);
    fill_wheel(w->abroad_wheel, CITY_ABROAD);
}

int city_at_home(const struct world *w, struct random *r)
{
    return w->home_wheel[random_below(r, 256)];
}

int city_abroad(const struct world *w, struct random *r)
{
    return w->abroad_wheel[random_below(r, 256)];
}

int city_export(struct random *r)
{
    static const uint8_t often[] = {0, 0, 0, 1, 1, 2, 3, 4};  /* the table's first five */

    return often[random_below(r, sizeof often)];
}

void world_print(const struct world *w, FILE *out)
{
    fputs("code,name,kind,country,lat,lon,zone\n", out);
    for (uint16_t i = 0; i < w->facilities; i++) {
        const struct facility *f = &w->facility[i];
        const struct city *c = &city_table[f->city];
        const char *number = f->code + strcspn(f->code, "123456789");

        fprintf(out, "%s,%s %s%s%s,%s,%s,%.4f,%.4f,%s\n", f->code, c->name,
                f->kind == KIND_HUB && c->flags & CITY_EHUB ? "eHub" : kinds[f->kind].name,
                *number ? " " : "", number, kinds[f->kind].kind, c->country, (double)f->lat,
                (double)f->lon, c->zone);
    }
}
