/* inhibition.h - which alerts silence which, and which outlive their parcel.
 *
 * A parcel held at customs is not stalled: who can help is the broker, and has
 * been told.  A promise that is broken is broken whatever the reason, so
 * promise-broken is never silenced.
 */
#ifndef STAGES_DETECT_INHIBITION_H
#define STAGES_DETECT_INHIBITION_H

#include <stdbool.h>
#include <stdint.h>

#include "stages/scan/codes.h"

/* Is this type silenced while the types of the set `open` are open?  thread: any. */
bool alert_inhibited(uint8_t type, uint32_t open);

/* Does an alert of this type stay open in a terminal state?  thread: any. */
bool alert_survives(uint8_t type, enum parcel_state state);

/* May one be opened in this state?  In a terminal one those that survive it, and those about
 * the scan that led there.  thread: any. */
bool alert_may_begin(uint8_t type, enum parcel_state state);

#endif
