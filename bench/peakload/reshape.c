/* reshape.c - edits parcel, carrier_number, time and promise in a scan. */
#include "bench/peakload/reshape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/peakload/edit.h"
#include "bench/peakload/say.h"
#include "bench/peakload/times.h"

enum { SUFFIX_BYTES = 24 };

struct reshape {
    const struct reshape_options *options;
    double  speed;
    int64_t origin_ms, first_ms;       /* first_ms INT64_MIN = no event yet                  */
    struct bytes key, value;
    char    suffix[SUFFIX_BYTES];      /* of the copy being made; "" for the original         */
    int64_t skew_ms;
};

static int take_times(void *self, const char *text)
{
    static const char *const words[] = {"kept", "rebased", "scaled"};
    int times = option_choice("times", text, words, 3);

    ((struct reshape_options *)self)->times = (enum event_times)(times < 0 ? 0 : times);
    return times < 0 ? -1 : 0;
}

const struct option_row reshape_rows[RESHAPE_ROWS] = {
    {OPTION_INTEGER, "multiply", "N", "N parcels for each: \"-1\", \"-2\", … behind its number, "
     "order kept", offsetof(struct reshape_options, multiply), 1, 1000000, NULL},
    {OPTION_OTHER, "times", "KIND", "event times: kept (default), rebased (the first is now), or "
     "scaled\n(and as fast as --speed)", 0, 0, 0, take_times},
};

struct reshape *reshape_open(const struct reshape_options *o, double speed, int64_t origin_ms)
{
    struct reshape *r = must(calloc(1, sizeof *r));

    r->options = o;
    r->speed = o->times == EVENT_SCALED && speed > 0 ? speed : 1;
    r->origin_ms = origin_ms;
    r->first_ms = INT64_MIN;
    return r;
}

bool reshape_wants_times(const struct reshape *r)
{
    return r->options->times != EVENT_KEPT;
}

int64_t reshape_time(struct reshape *r, int64_t event_ms)
{
    if (r->options->times == EVENT_KEPT || event_ms < 0)
        return event_ms;
    if (r->first_ms == INT64_MIN)
        r->first_ms = event_ms;
    return r->origin_ms + (int64_t)((double)(event_ms - r->first_ms) / r->speed);
}

static bool put_suffixed(struct reshape *r, struct json_value value, struct bytes *out)
{
    bytes_put(out, value.text, value.length - 1);
    bytes_put(out, r->suffix, strlen(r->suffix));
    bytes_put(out, "\"", 1);
    return true;
}

/* A time in the zone and with the digits that it had. */
static bool put_time(struct reshape *r, struct json_value value, struct bytes *out)
{
    const char *text = value.text + 1;
    size_t length = value.length - 2;
    int    zone = 0;
    int64_t ms;
    char   moved[TIME_TEXT_MAX + 2] = "\"", end[8], *p;

    if (time_read(text, length, 0, &ms) != 0)
        return false;
    if (length > 6 && text[length - 3] == ':' && strchr("+-", text[length - 6]) != NULL) {
        snprintf(end, sizeof end, "%.6s", text + length - 6);
        (void)zone_read(end, &zone);
    }
    p = time_write(moved + 1, reshape_time(r, ms) + r->skew_ms, zone,
                   memchr(text, '.', length) != NULL);
    *p++ = '"';
    bytes_put(out, moved, (size_t)(p - moved));
    return true;
}

static bool replace(void *self, struct json_value name, struct json_value value,
                    struct bytes *out)
{
    struct reshape *r = self;

    if (value.length < 2 || value.text[0] != '"')
        return false;
    if (r->suffix[0] != '\0' && (json_is(name, "parcel") || json_is(name, "carrier_number")))
        return put_suffixed(r, value, out);
    if (json_is(name, "time"))
        return put_time(r, value, out);
    if (r->options->times != EVENT_KEPT && json_is(name, "promise")) {
        int64_t skew_ms = r->skew_ms;
        bool    put;

        r->skew_ms = 0;     /* the promise was not made by the device */
        put = put_time(r, value, out);
        r->skew_ms = skew_ms;
        return put;
    }
    return false;
}

void reshape_make(struct reshape *r, struct message *copy, const struct message *original,
                  int64_t copy_number, int64_t event_ms, int64_t skew_ms)
{
    *copy = *original;
    (void)reshape_time(r, event_ms);      /* the first event, whatever happens to it */
    if (copy_number == 0 && skew_ms == 0 && r->options->times == EVENT_KEPT)
        return;
    r->skew_ms = skew_ms;
    r->suffix[0] = '\0';
    if (copy_number > 0)
        snprintf(r->suffix, sizeof r->suffix, "-%lld", (long long)copy_number);
    if (original->key != NULL && copy_number > 0) {
        r->key.length = 0;
        bytes_put(&r->key, original->key, original->key_length);
        bytes_put(&r->key, r->suffix, strlen(r->suffix));
        copy->key = r->key.at;
        copy->key_length = r->key.length;
    }
    if (original->value != NULL &&
        edit_object(&r->value, original->value, original->length, replace, r) == 0) {
        copy->value = r->value.at;
        copy->length = r->value.length;
    }
}

void reshape_close(struct reshape *r)
{
    bytes_free(&r->key);
    bytes_free(&r->value);
    free(r);
}
