/* api_parcel.c - a parcel and lists of alerts as JSON. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/error.h"
#include "stages/detect/detect.h"
#include "stages/outlet/envelope.h"
#include "stages/scan/codes.h"
#include "stages/serve/api.h"
#include "stages/serve/api_json.h"

enum { SENTENCE_SIZE = 512 };

static void put_place(struct buffer *out, const struct view_parcel *found, const char *name,
                      name_id id)
{
    json_text(out, name, names_text(found->names, NAME_PLACE, id));
}

static const char *code_text(uint32_t code)
{
    return code > SCAN_NONE && code < SCAN_CODES ? code_table[code].code : "";
}

static void put_flags(struct buffer *out, uint16_t flags)
{
    static const char *const names[] = {"returning", "partial",   "cross-border",
                                        "arrived",   "tombstone", "historic"};

    json_name(out, "flags");
    json_raw(out, "[");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if ((flags >> i & 1) == 0)
            continue;
        json_comma(out);
        json_string(out, names[i]);
    }
    json_raw(out, "]");
}

static void put_timeline(struct buffer *out, const struct view_parcel *found)
{
    const struct parcel *parcel = &found->parcel;

    json_name(out, "timeline");
    json_raw(out, "[");
    for (uint8_t i = 0; i < parcel->history_count; i++) {
        uint64_t entry = parcel->history[i];

        json_comma(out);
        json_raw(out, "{");
        json_time(out, "time", (int64_t)entry_s(parcel, entry) * 1000);
        json_text(out, "code", code_text(entry_code(entry)));
        put_place(out, found, "facility", entry_place(entry));
        if (entry_retracts(entry))
            json_bool(out, "retracts", true);
        if (entry_flags(entry) & ENTRY_MERGED)
            json_bool(out, "merged", true);
        json_raw(out, "}");
    }
    json_raw(out, "]");
}

static void put_alert(struct buffer *out, const struct view_parcel *found,
                      const struct alert *alert)
{
    const struct detector *detector = alert->type < DETECTORS_MAX ? detector_table[alert->type]
                                                                  : NULL;
    char id[17], sentence[SENTENCE_SIZE] = "";

    (void)snprintf(id, sizeof id, "%016" PRIx64, alert->id);
    if (detector != NULL) /* else a newer binary's */
        (void)alert_sentence(alert, &found->parcel, found->names, sentence, sizeof sentence);
    json_comma(out);
    json_raw(out, "{");
    json_text(out, "id", id);
    json_text(out, "type", detector != NULL ? detector->type : "unknown");
    if (alert->severity >= SEVERITY_INFO && alert->severity <= SEVERITY_CRITICAL)
        json_text(out, "severity", severity_name((enum severity)alert->severity));
    if (alert->state >= ALERT_OPENED && alert->state <= ALERT_RESOLVED)
        json_text(out, "state", alert_state_name((enum alert_state)alert->state));
    json_number(out, "sequence", alert->sequence);
    json_time(out, "opened_at", (int64_t)alert->opened_s * 1000);
    json_time(out, "at", (int64_t)alert->at_s * 1000);
    json_time(out, "deadline", (int64_t)alert->deadline_s * 1000);
    json_text(out, "text", sentence);
    json_raw(out, "}");
}

static void put_eta(struct buffer *out, const struct parcel *parcel)
{
    if (parcel->eta_last_s == 0)
        return;
    json_name(out, "eta");
    json_raw(out, "{");
    json_time(out, "p50", (int64_t)parcel->eta_last_s * 1000);
    json_number(out, "sequence", parcel->eta_sequence);
    json_raw(out, "}");
}

static void put_state(struct buffer *out, const struct view_parcel *found)
{
    const struct parcel *parcel = &found->parcel;
    char                 carrier_number[CARRIER_NUMBER_MAX + 1] = "";

    memcpy(carrier_number, parcel->carrier_number, parcel->carrier_number_length);
    json_number(out, "life", parcel->life);
    if (parcel->state < STATES)
        json_text(out, "state", state_name((enum parcel_state)parcel->state));
    json_text(out, "code", code_text(parcel->code));
    json_time(out, "since", (int64_t)parcel->state_s * 1000);
    json_text(out, "service", names_text(found->names, NAME_SERVICE, parcel->service));
    put_place(out, found, "carrier", parcel->carrier);
    json_text(out, "carrier_number", carrier_number);
    put_place(out, found, "at", parcel->at);
    put_place(out, found, "next", parcel->next);
    put_place(out, found, "origin", parcel->origin);
    put_place(out, found, "dest", parcel->dest);
    json_time(out, "promise", (int64_t)parcel->promise_s * 1000);
    put_eta(out, parcel);
    json_number(out, "attempts", parcel->attempts);
    put_flags(out, parcel->flags);
}

void api_write_parcel(struct buffer *out, const struct view_parcel *found)
{
    const struct parcel *parcel = &found->parcel;
    char                 number[PARCEL_MAX + 1] = "";

    memcpy(number, parcel->number, parcel->number_length);
    json_raw(out, "{\"scope\":\"cluster\"");
    json_time(out, "complete_to", found->mark.clock_ms);
    json_number(out, "partition", found->partition);
    json_number(out, "offset", found->mark.offset);
    json_text(out, "number", number);
    put_state(out, found);
    put_timeline(out, found);
    json_name(out, "alerts");
    json_raw(out, "[");
    for (uint8_t i = 0; i < parcel->alerts_count; i++)
        put_alert(out, found, &parcel->alerts[i]);
    json_raw(out, "]}");
}

void api_write_alerts(struct buffer *out, const struct view_alerts *alerts)
{
    json_raw(out, "{\"scope\":\"cluster\"");
    json_time(out, "complete_to", alerts->clock_ms);
    json_number(out, "matching", (int64_t)alerts->matching);
    json_name(out, "alerts");
    json_raw(out, "[");
    for (size_t i = 0; i < alerts->count; i++) {
        json_comma(out);
        buffer_add(out, alerts->list[i].json, strlen(alerts->list[i].json));
    }
    json_raw(out, "]}");
}

static void unavailable(struct api_answer *answer)
{
    api_problem(answer, 503, "Service Unavailable", error_text());
}

void api_parcel(struct view *view, const char *number, struct api_answer *answer)
{
    struct view_parcel found;

    switch (view_parcel(view, number, &found)) {
    case VIEW_FAILED:
        unavailable(answer);
        return;
    case VIEW_ABSENT:
        api_problem(answer, 404, "Not Found", "no parcel has this number, nor carrier's number");
        return;
    case VIEW_FOUND:
        break;
    }
    answer->status = 200;
    answer->type = "application/json";
    api_write_parcel(&answer->body, &found);
    json_raw(&answer->body, "\n");
    view_parcel_free(&found);
}

void api_alerts(struct view *view, const struct view_filter *filter, struct api_answer *answer)
{
    struct view_alerts alerts;

    if (view_alerts(view, filter, &alerts) != VIEW_FOUND) {
        unavailable(answer);
        return;
    }
    answer->status = 200;
    answer->type = "application/json";
    api_write_alerts(&answer->body, &alerts);
    json_raw(&answer->body, "\n");
    view_alerts_free(&alerts);
}
