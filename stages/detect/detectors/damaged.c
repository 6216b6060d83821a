/* damaged - somebody saw that it is damaged.
 *
 * Fires     at once: DAMAGED.
 * Resolves  a terminal state; or the event is taken back.
 * Severity  warning.
 * Quiet     nothing silences it; while it is open, stalled and promise-at-risk are.
 * Sources   X12 214 status A9 (shipment damaged).
 * Example   DAMAGED at CAN, "wet"  -> opened
 *           DELIVERED            -> resolved
 */
#include "stages/detect/detectors/all.h"
#include "stages/detect/detectors/common.h"

static void on_scan(const struct sighting *s, struct findings *found)
{
    open_by_code(s, found, SEVERITY_WARNING);
}

const struct detector detector_damaged = {
    .type      = "damaged",
    .summary   = "somebody saw that it is damaged",
    .action    = "inspect",
    .unit      = "",
    .owner     = OWNER_FACILITY,
    .codes     = ON(DAMAGED),
    .sentences = {
        "damaged at {at} ({note}): set it aside, repack it or return it, and keep photographs",
        "damaged at {at}: set it aside, repack it or return it, and keep photographs",
    },
    .on_scan   = on_scan,
};
