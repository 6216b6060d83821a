/* api.c - health, metrics, version, and this instance's partitions. */
#include "stages/serve/api.h"

#include "pipeline/clock.h"
#include "stages/serve/api_json.h"

/* A runner turns at least each RUNNER_SLEEP_MS_MAX; so long without a turn, it hangs. */
#define LIVE_NS (UINT64_C(10) * 1000000000)

static void begin(struct api_answer *answer, unsigned int status)
{
    answer->status = status;
    answer->type = "application/json";
}

void api_problem(struct api_answer *answer, unsigned int status, const char *title,
                 const char *detail)
{
    answer->status = status;
    answer->type = "application/problem+json";
    answer->body.used = 0;
    json_raw(&answer->body, "{\"type\":\"about:blank\"");
    json_text(&answer->body, "title", title);
    json_number(&answer->body, "status", status);
    json_text(&answer->body, "detail", detail);
    json_raw(&answer->body, "}\n");
}

void api_live(const struct serve_hooks *hooks, struct api_answer *answer)
{
    struct buffer *out = &answer->body;
    uint64_t       now_ns = clock_monotonic_ns();
    uint32_t       runners = hooks->runners(hooks->self), hanging = 0;

    json_raw(out, "{");
    json_number(out, "runners", runners);
    json_name(out, "hanging");
    json_raw(out, "[");
    for (uint32_t i = 0; i < runners; i++) {
        uint64_t turned_ns = hooks->turned_ns(hooks->self, i);

        if (now_ns < turned_ns || now_ns - turned_ns < LIVE_NS)
            continue;
        hanging++;
        json_comma(out);
        json_raw(out, "{");
        json_number(out, "runner", i);
        json_number(out, "seconds", (int64_t)((now_ns - turned_ns) / 1000000000));
        json_raw(out, "}");
    }
    json_raw(out, "]}\n");
    begin(answer, hanging == 0 ? 200 : 503);
}

static void put_partition(struct buffer *out, int32_t number, const struct serve_partition *p)
{
    json_comma(out);
    json_raw(out, "{");
    json_number(out, "partition", number);
    json_text(out, "phase", p->phase);
    json_bool(out, "healthy", p->healthy);
    json_text(out, "why", p->why);
    json_number(out, "position", p->position);
    json_number(out, "stored", p->stored);
    json_number(out, "committed", p->committed);
    json_number(out, "low", p->low);
    json_number(out, "high", p->high);
    if (p->high >= p->position)
        json_number(out, "lag", p->high - p->position);
    json_time(out, "clock", p->clock_ms);
    json_number(out, "records", p->records);
    json_number(out, "epoch", p->epoch);
    json_raw(out, "}");
}

/* Those of this instance, or only the unhealthy ones; how many were written. */
static uint32_t put_partitions(struct buffer *out, const struct serve_hooks *hooks, bool all)
{
    int32_t  partitions = hooks->partitions(hooks->self);
    uint32_t count = 0;

    json_name(out, "partitions");
    json_raw(out, "[");
    for (int32_t i = 0; i < partitions; i++) {
        struct serve_partition one = {.phase = NULL};

        if (!hooks->partition(hooks->self, i, &one) || (one.healthy && !all))
            continue;
        put_partition(out, i, &one);
        count++;
    }
    json_raw(out, "]");
    return count;
}

void api_ready(const struct serve_hooks *hooks, struct api_answer *answer)
{
    struct buffer *out = &answer->body;
    bool           draining = hooks->draining(hooks->self);

    json_raw(out, "{");
    json_bool(out, "draining", draining);
    const char *why = hooks->stuck != NULL ? hooks->stuck(hooks->self) : NULL;

    if (why != NULL)
        json_text(out, "stuck", why);
    bool stuck = put_partitions(out, hooks, false) > 0;
    json_raw(out, "}\n");
    begin(answer, draining || stuck || why != NULL ? 503 : 200);
}

void api_partitions(const struct serve_hooks *hooks, struct api_answer *answer)
{
    struct buffer *out = &answer->body;

    json_raw(out, "{\"scope\":\"instance\"");
    json_bool(out, "draining", hooks->draining(hooks->self));
    json_number(out, "of", hooks->partitions(hooks->self));
    (void)put_partitions(out, hooks, true);
    json_raw(out, "}\n");
    begin(answer, 200);
}

void api_version(struct api_answer *answer)
{
    json_raw(&answer->body, "{\"name\":\"peakline\"");
    json_text(&answer->body, "version", PEAKLINE_VERSION);
    json_raw(&answer->body, "}\n");
    begin(answer, 200);
}
