/* promises.c - the file of promises: how long after PICKUP a parcel is due. */
#include "pipeline/error.h"
#include "stages/reference/parts.h"

enum { ORIGIN, DESTINATION, SERVICE, HOURS, WORKING };
enum { HOUR_S = 3600, HOURS_MAX = 9600 };

struct promise_row {
    char     key[KEY_SIZE];
    uint32_t within_s;
    bool     working;    /* working time of the destination's country                       */
};

static int read_promise(struct reading *in, void *self)
{
    struct reference  *r = self;
    struct promise_row row = {.within_s = 0};
    long               hours = 0;

    if (key_read(in, 1u << ORIGIN | 1u << DESTINATION, row.key) != 0
        || reading_number(in, HOURS, 1, HOURS_MAX, 0, &hours) != 0
        || reading_bool(in, WORKING, &row.working) != 0)
        return -1;
    if (hours == 0)
        return reading_refuse(in, HOURS, "are 1 to 9600");
    row.within_s = (uint32_t)hours * HOUR_S;
    if (rows_add(&r->promises, &row) == NULL)
        return error_set("origin: this origin, destination and service are there twice");
    return 0;
}

const struct form promises_form = {
    .columns  = {"origin", "destination", "service", "hours", "working"},
    .must     = 1u << ORIGIN | 1u << DESTINATION | 1u << HOURS,
    .row_size = sizeof(struct promise_row),
    .row      = read_promise,
};

uint32_t reference_promise_s(const struct reference *r, const char *origin,
                             const char *destination, const char *service, uint32_t at_s)
{
    char key[KEY_SIZE];

    if (r->promises.count == 0)
        return 0;
    key_make(key, origin, destination, service);
    const struct promise_row *row = rows_find(&r->promises, key);

    if (row == NULL) {
        key_make(key, origin, destination, "");
        row = rows_find(&r->promises, key);
    }
    if (row == NULL)
        return 0;
    return facility_work_after(row->working ? reference_facility(r, destination) : NULL, at_s,
                               row->within_s);
}
