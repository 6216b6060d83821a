/* customs-held - customs keep the parcel, or have not said a word since it came in.
 *
 * Fires     at once: EXPORT_HELD, IMPORT_HELD; or EXPORT_IN, IMPORT_IN and then silence.
 * Resolves  EXPORT_OUT, IMPORT_OUT, or a scan beyond customs.
 * Severity  warning when held and after 24 h of silence, critical after 48 h.
 * Quiet     late scans open nothing.
 * Sources   UPU EMSEVT EXB and EME (held), EXA and EDB (presented), EXC and EDC (released).
 * Example   IMPORT_IN Mon 08:00               -> nothing
 *           IMPORT_HELD Mon 10:00, C14        -> opened, warning, reason kept
 *           nothing                           -> updated Wed 10:00, critical
 *           IMPORT_OUT Wed 16:00              -> resolved
 */
#include "stages/detect/detectors/all.h"
#include "stages/detect/detectors/common.h"

enum { HELD, HELD_WITHOUT_REASON, SILENT };

static bool is_at_customs(enum scan_code code)
{
    enum parcel_state state = code_table[code].state;

    return state == STATE_EXPORT_CUSTOMS || state == STATE_IMPORT_CUSTOMS;
}

static void on_scan(const struct sighting *s, struct findings *found)
{
    enum scan_code code = (enum scan_code)s->scan->code;

    if (s->class->late)
        return;
    if (!is_at_customs(code)) {
        if (code_table[code].state != STATE_UNKNOWN)
            findings_resolve(found);
        return;
    }
    if (code != SCAN_EXPORT_HELD && code != SCAN_IMPORT_HELD)
        return;
    name_id note = scan_note(s);

    findings_open(found, &(struct finding) {
        .severity   = SEVERITY_WARNING,
        .sentence   = note == NAME_NONE ? HELD_WITHOUT_REASON : HELD,
        .opened_s   = s->at_s,
        .deadline_s = s->at_s + (uint32_t)s->thresholds[1],
        .node       = s->here,
        .at         = s->here,
        .note       = note,
    });
}

static uint32_t deadline_s(const struct sighting *s)
{
    return step_next(s, s->parcel->state_s, false);
}

static void on_deadline(const struct sighting *s, struct findings *found)
{
    struct finding what = step_finding(s, s->parcel->state_s, false);

    what.sentence = SILENT;
    what.opened_s = s->parcel->physical_s;
    findings_open(found, &what);
}

const struct detector detector_customs_held = {
    .type        = "customs-held",
    .summary     = "held by customs, or silent there",
    .action      = "submit-documents",
    .unit        = "s",
    .owner       = OWNER_CUSTOMS,
    .codes       = ON(EXPORT_HELD) | ON(IMPORT_HELD),
    .codes_open  = ON_PHYSICAL,
    .states      = IN(EXPORT_CUSTOMS) | IN(IMPORT_CUSTOMS),
    .thresholds  = {
        {"warning_after", THRESHOLD_DURATION, 24 * HOUR, "of silence at customs: warning"},
        {"critical_after", THRESHOLD_DURATION, 48 * HOUR, "of silence at customs: critical"},
    },
    .sentences   = {
        [HELD] = "held by customs at {at} ({note}): submit what they ask for",
        [HELD_WITHOUT_REASON] = "held by customs at {at}: ask the broker what is missing",
        [SILENT] = "no word from customs at {at} for {value}: ask the broker what is missing",
    },
    .on_scan     = on_scan,
    .deadline_s  = deadline_s,
    .on_deadline = on_deadline,
};
