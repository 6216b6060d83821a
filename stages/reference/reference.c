/* reference.c - the five files into one reference, or none. */
#include "stages/reference/reference.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/check.h"
#include "pipeline/config.h"
#include "pipeline/error.h"
#include "stages/reference/parts.h"

/* In the order of enum reference_part. */
static const struct {
    const char        *name, *setting, *lack;
    const struct form *form;
} parts[REFERENCE_PARTS] = {
    {"facilities", "reference.facilities",
     "places have no country, position or calendar: misrouted stays a warning, "
     "impossible-travel looks at devices only",
     &facilities_form},
    {"routes", "reference.routes",
     "documents-missing is off, misrouted goes by next alone",
     &routes_form},
    {"departures", "reference.departures",
     "missed-departure goes by what was learned alone",
     &departures_form},
    {"promises", "reference.promises",
     "only what scans promise is promised",
     &promises_form},
    {"calendars", "reference.calendars",
     "never-collected, stalled and uncollected count every day",
     &calendars_form},
};

void key_make(char key[KEY_SIZE], const char *one, const char *two, const char *three)
{
    int length = snprintf(key, KEY_SIZE, "%s\n%s\n%s", one, two, three);

    CHECK(length < KEY_SIZE);
}

int key_read(const struct reading *in, unsigned must, char key[KEY_SIZE])
{
    char texts[2][CODE_SIZE], service[SERVICE_SIZE];

    for (int c = 0; c < 2; c++)
        if ((must >> c & 1 ? reading_code : reading_text)(in, c, texts[c], CODE_SIZE) != 0)
            return -1;
    if (reading_text(in, 2, service, sizeof service) != 0)
        return -1;
    key_make(key, texts[0], texts[1], service);
    return 0;
}

static struct reference *reference_create(void)
{
    struct reference *r = calloc(1, sizeof *r);

    CHECK(r != NULL);
    r->facilities.row_size = facilities_form.row_size;
    r->routes.row_size = routes_form.row_size;
    r->departures.row_size = departures_form.row_size;
    r->promises.row_size = promises_form.row_size;
    r->calendars.row_size = calendars_form.row_size;
    return r;
}

/* All files, or none; `failed` is the part whose file it was. */
static struct reference *read_parts(const char *const files[REFERENCE_PARTS], int *failed)
{
    struct reference *r = reference_create();

    for (int i = 0; i < REFERENCE_PARTS; i++) {
        if (files[i] == NULL || files[i][0] == '\0')
            continue;
        if (reading_file(files[i], parts[i].form, r) != 0) {
            *failed = i;
            reference_destroy(r);
            return NULL;
        }
        r->parts |= 1u << i;
    }
    calendars_settle(r);
    return r;
}

struct reference *reference_read(const char *const files[REFERENCE_PARTS])
{
    int failed = 0;

    return read_parts(files, &failed);
}

struct reference *reference_load(const struct config *config)
{
    const char *files[REFERENCE_PARTS];

    for (int i = 0; i < REFERENCE_PARTS; i++)
        files[i] = config_text(config, parts[i].setting);
    int               failed = 0;
    struct reference *r = read_parts(files, &failed);

    if (r == NULL)
        (void)config_blame(config, parts[failed].setting);
    return r;
}

void reference_destroy(struct reference *r)
{
    if (r == NULL)
        return;
    rows_free(&r->facilities);
    rows_free(&r->routes);
    departures_free(r);
    rows_free(&r->promises);
    calendars_free(r);
    free(r);
}

uint32_t reference_parts(const struct reference *r)
{
    return r->parts;
}

const char *reference_part_name(enum reference_part part)
{
    CHECK(part != 0 && (size_t)__builtin_ctz(part) < REFERENCE_PARTS);
    return parts[__builtin_ctz(part)].name;
}

const char *reference_part_lack(enum reference_part part)
{
    CHECK(part != 0 && (size_t)__builtin_ctz(part) < REFERENCE_PARTS);
    return parts[__builtin_ctz(part)].lack;
}

size_t reference_count(const struct reference *r, enum reference_part part)
{
    switch (part) {
    case REFERENCE_FACILITIES: return r->facilities.count;
    case REFERENCE_ROUTES:     return r->routes.count;
    case REFERENCE_DEPARTURES: return r->departures_count;
    case REFERENCE_PROMISES:   return r->promises.count;
    case REFERENCE_CALENDARS:  return r->calendars.count;
    }
    CHECK(false);
    return 0;
}
