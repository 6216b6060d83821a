/* returning - on its way back to the shipper.
 *
 * Fires     at once: RETURN_START.
 * Resolves  a terminal state; or the event is taken back.
 * Severity  info.
 * Quiet     nothing silences it; while it is open, stalled and promise-at-risk are.
 * Sources   EasyPost's return_to_sender; X12 214 status A3 (returned to shipper).
 * Example   RETURN_START at SHA3     -> opened
 *           RETURNED             -> resolved
 */
#include "stages/detect/detectors/all.h"
#include "stages/detect/detectors/common.h"

static void on_scan(const struct sighting *s, struct findings *found)
{
    open_by_code(s, found, SEVERITY_INFO);
}

const struct detector detector_returning = {
    .type      = "returning",
    .summary   = "on its way back to the shipper",
    .action    = "return",
    .unit      = "",
    .owner     = OWNER_SHIPPER,
    .codes     = ON(RETURN_START),
    .sentences = {
        "going back to the shipper from {at} ({note}): expect it, and refund or send anew",
        "going back to the shipper from {at}: expect it, and refund or send anew",
    },
    .on_scan   = on_scan,
};
