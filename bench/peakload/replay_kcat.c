/* replay_kcat.c - replays lines as `kcat -J` writes them. */
#include "bench/peakload/json.h"
#include "bench/peakload/kcat.h"
#include "bench/peakload/replay.h"
#include "bench/peakload/times.h"

static int take_time(void *self, struct json_value name, struct json_value value)
{
    int64_t *ms = self;

    if (json_is(name, "time") && value.length >= 2 && value.text[0] == '"' &&
        time_read(value.text + 1, value.length - 2, 0, ms) != 0)
        *ms = -1;
    return 0;
}

/* The scan's own time, -1 where it has none. */
static int64_t event_ms(const struct message *m)
{
    int64_t ms = -1;

    if (m->value != NULL)
        (void)json_each(m->value, m->length, take_time, &ms);
    return ms;
}

/* Whether the scan's own time is of any use here: finding it costs a look at every member. */
static bool wants_event(const struct replaying *r, const struct message *m)
{
    return r->options->stamps == STAMPS_EVENT || reshape_wants_times(r->reshape) ||
           (r->options->speed > 0 && m->kafka_ms < 0);
}

/* Sent again under the same key and headers.  -1 having said why, 1: stop. */
static int send_again(struct replaying *r, const struct kcat *k)
{
    struct message m = k->message;
    int64_t recorded_ms = m.kafka_ms;

    if (recorded_ms >= 0 &&
        (recorded_ms < r->options->from_ms || recorded_ms >= r->options->to_ms))
        return 0;
    if (m.key != NULL && !r->options->recorded_partitions)
        m.partition = -1;
    return replay_send(r, &m, recorded_ms, wants_event(r, &m) ? event_ms(&m) : -1);
}

int replay_kcat(struct replaying *r)
{
    struct kcat k = {0};
    size_t length;
    char  *line;
    int    result;

    while ((line = replay_line(r, &length, &result)) != NULL) {
        result = kcat_read(&k, line, length);
        if (result != 0)
            replay_fault(r, k.fault);
        else
            result = send_again(r, &k);
        if (result != 0)
            break;
    }
    kcat_free(&k);
    return result < 0 ? -1 : 0;
}
