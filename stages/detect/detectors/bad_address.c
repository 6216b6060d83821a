/* bad-address - it cannot be delivered as addressed.
 *
 * Fires     at once: BAD_ADDRESS.
 * Resolves  a terminal state; or the event is taken back.
 * Severity  warning.
 * Quiet     nothing silences it.
 * Sources   UPU EMSEVT EMH with a reason about the address.
 * Example   BAD_ADDRESS at SHA3      -> opened
 *           DELIVERED            -> resolved
 */
#include "stages/detect/detectors/all.h"
#include "stages/detect/detectors/common.h"

static void on_scan(const struct sighting *s, struct findings *found)
{
    open_by_code(s, found, SEVERITY_WARNING);
}

const struct detector detector_bad_address = {
    .type      = "bad-address",
    .summary   = "it cannot be delivered as addressed",
    .action    = "correct-address",
    .unit      = "",
    .owner     = OWNER_SHIPPER,
    .codes     = ON(BAD_ADDRESS),
    .sentences = {
        "address not found from {at} ({note}): ask the shipper for a correct one",
        "address not found from {at}: ask the shipper for a correct one",
    },
    .on_scan   = on_scan,
};
