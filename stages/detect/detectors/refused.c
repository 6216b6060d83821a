/* refused - the recipient does not want it.
 *
 * Fires     at once: REFUSED.
 * Resolves  a terminal state; or the event is taken back.
 * Severity  warning.
 * Quiet     nothing silences it.
 * Sources   UPU EMSEVT EMH with the reason refused; X12 214 status A7 (refused by consignee).
 * Example   REFUSED, "cod"           -> opened
 *           RETURN_START         -> stays open
 *           RETURNED             -> resolved
 */
#include "stages/detect/detectors/all.h"
#include "stages/detect/detectors/common.h"

static void on_scan(const struct sighting *s, struct findings *found)
{
    open_by_code(s, found, SEVERITY_WARNING);
}

const struct detector detector_refused = {
    .type      = "refused",
    .summary   = "the recipient does not want it",
    .action    = "return",
    .unit      = "",
    .owner     = OWNER_SHIPPER,
    .codes     = ON(REFUSED),
    .sentences = {
        "refused at {at} ({note}): agree on the return with the shipper",
        "refused at {at}: agree on the return with the shipper",
    },
    .on_scan   = on_scan,
};
