/* history.h - the last scans of a life: the dedup set and the timeline in one.
 *
 * Entries are exact, so nothing real is ever dropped, and duplicates are found
 * whatever the order of arrival.  An event that was taken back stays, followed by its
 * retraction; neither is near to anything, revisited or latest.
 * owns: nothing.  thread: any.
 */
#ifndef STAGES_PARCEL_HISTORY_H
#define STAGES_PARCEL_HISTORY_H

#include "stages/parcel/parcel.h"

/* Puts a scan in its place by time; moves the base when it is earlier; at HISTORY_MAX the
 * oldest entry goes, and so do entries more than 4.25 years (27 bits) before the latest. */
void history_add(struct parcel *, uint32_t at_s, name_id place, enum scan_code,
                 bool retracts, uint32_t flags);

enum sameness { SAME_NONE, SAME_EXACT, SAME_NEAR };

enum { NEAR_DUPLICATE_S = 600 };

/* Exact: same code, place, second and retracts.  Near: same code and place within
 * NEAR_DUPLICATE_S, neither retracts; never two ATTEMPT_FAILED, nor a re-arrival with a
 * DEPART of that place in between. */
enum sameness history_find(const struct parcel *, uint32_t at_s, name_id place,
                           enum scan_code, bool retracts);

/* Times `place` was entered again: ARRIVE where the parcel was before, and since then a
 * DEPART of it or a physical scan at another place. */
uint32_t history_revisits(const struct parcel *, name_id place);

/* Entry i: something that happened, was not taken back, and is no near duplicate. */
bool     history_counts(const struct parcel *, int i);
/* Latest entry with this code, or any (SCAN_NONE), that counts; 0 = none. */
uint64_t history_latest(const struct parcel *, enum scan_code);
/* The earliest one; 0 = none. */
uint64_t history_earliest(const struct parcel *, enum scan_code);
bool     history_has(const struct parcel *, enum scan_code);

#endif
