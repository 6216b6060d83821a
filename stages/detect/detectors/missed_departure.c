/* missed-departure - it is still there though it should have left.
 *
 * Fires     30 min after the first planned departure that it could take, counted from its
 *           arrival at the facility; without a plan, when it has been silent there for longer
 *           than 99 of 100 parcels (of this service, code, place and next stop's region),
 *           and at least 12 h; not before 50 samples stand behind that and the model has
 *           learned for four times as long.
 * Resolves  DEPART or UPLIFT from there, or it is seen elsewhere or in a later state.
 * Severity  warning.
 * Quiet     at customs and stations, while a better explanation is open (inhibition.c), and
 *           after the hand-over by a service whose tracking ends there.
 * Sources   Line-haul plans: lorries and charter flights leave by the clock, and half an hour
 *           is what carriers allow between plan and scan.
 * Example   ARRIVE PVG next LGG Mon 08:00, the flight leaves at 18:00 -> opened Mon 18:30
 *           DEPART PVG Tue 18:00                                      -> resolved
 */
#include "stages/detect/detectors/all.h"
#include "stages/detect/detectors/common.h"
#include "stages/parcel/history.h"
#include "stages/reference/reference.h"

enum { GRACE, DWELL_MIN };
enum { PLANNED, LEARNED };
enum { UNKNOWN_S = 61 * DAY /* more than the model can answer */ };

static const uint32_t WAITING = ON(ARRIVE) | ON(SORT) | ON(LOAD) | ON(UNLOAD) | ON(HANDOVER)
                              | ON(EXPORT_OUT) | ON(LANDED) | ON(IMPORT_OUT);

static bool is_waiting(uint8_t code)
{
    return WAITING >> code & 1;
}

/* Since when it has been where it is, without a scan elsewhere or a DEPART in between. */
static uint32_t arrived_s(const struct parcel *p)
{
    uint32_t since_s = p->physical_s;

    for (int i = p->history_count - 1; i >= 0; i--) {
        enum scan_code code = entry_code(p->history[i]);

        if (!code_table[code].physical || !history_counts(p, i))
            continue;
        if (entry_place(p->history[i]) != p->at || !is_waiting((uint8_t)code))
            break;
        since_s = entry_s(p, p->history[i]);
    }
    return since_s;
}

/* When the departure it could take is late; 0 = none is planned. */
static uint32_t planned_s(const struct sighting *s)
{
    const struct parcel *p = s->parcel;

    if (!(reference_parts(s->reference) & REFERENCE_DEPARTURES))
        return 0;
    uint32_t leaves_s = reference_departure_s(s->reference,
                                              names_text(s->names, NAME_PLACE, p->at),
                                              names_text(s->names, NAME_PLACE, p->next),
                                              names_text(s->names, NAME_SERVICE, p->service),
                                              arrived_s(p));

    return leaves_s == 0 ? 0 : leaves_s + (uint32_t)s->thresholds[GRACE];
}

static uint32_t learned_s(const struct sighting *s)
{
    uint32_t dwell_s = sighting_dwell_s(s, (uint32_t)s->thresholds[DWELL_MIN], UNKNOWN_S);

    return dwell_s == UNKNOWN_S ? 0 : s->parcel->physical_s + dwell_s;
}

static void on_scan(const struct sighting *s, struct findings *found)
{
    uint8_t code = s->scan->code;
    bool    here = s->here == s->open->at;
    bool    left = code == SCAN_DEPART || code == SCAN_UPLIFT;

    if ((left && here && s->at_s >= arrived_s(s->parcel))
        || (!s->class->late && !(here && is_waiting(code))))
        findings_resolve(found);
}

static uint32_t deadline_s(const struct sighting *s)
{
    if (s->scan == NULL)
        return 0;
    if (!arms_silence(s))
        return DEADLINE_KEEP;
    if (s->open != NULL || !is_waiting(s->parcel->code) || s->parcel->at == NAME_NONE)
        return 0;
    uint32_t due_s = planned_s(s);

    return due_s != 0 ? due_s : learned_s(s);
}

static void on_deadline(const struct sighting *s, struct findings *found)
{
    const struct parcel *p = s->parcel;

    findings_open(found, &(struct finding) {
        .severity  = SEVERITY_WARNING,
        .sentence  = planned_s(s) == s->at_s ? PLANNED : LEARNED,
        .opened_s  = p->physical_s,
        .at        = p->at,
        .expected  = p->next,
        .value     = (int32_t)(s->at_s - arrived_s(p)),
        .threshold = (int32_t)s->thresholds[GRACE],
    });
}

const struct detector detector_missed_departure = {
    .type        = "missed-departure",
    .summary     = "still there though it should have left",
    .action      = "send-on",
    .unit        = "s",
    .needs       = NEEDS_TRACKING,
    .owner       = OWNER_FACILITY,
    .codes_open  = ON_PHYSICAL,
    .states      = IN(IN_TRANSIT) | IN(LINE_HAUL) | IN(EXPORT_CUSTOMS) | IN(IMPORT_CUSTOMS),
    .thresholds  = {
        {"grace", THRESHOLD_DURATION, 1800, "after a planned departure"},
        {"dwell_min", THRESHOLD_DURATION, 12 * HOUR, "without a plan: never sooner than this"},
    },
    .sentences   = {
        [PLANNED] = "still at {at} after its departure to {expected} has left, there for {value}: "
                    "find it, and put it on the next",
        [LEARNED] = "still at {at} after {value}, longer than nearly all: find it, and send it on",
    },
    .on_scan     = on_scan,
    .deadline_s  = deadline_s,
    .on_deadline = on_deadline,
};
