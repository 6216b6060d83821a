/* mishaps.h - what causes do to a parcel at the places of its way, and the truths they leave.
 * Each does nothing unless the parcel has its cause. */
#ifndef PEAKLOAD_LABELLED_MISHAPS_H
#define PEAKLOAD_LABELLED_MISHAPS_H

#include "bench/peakload/labelled/trip.h"

/* The label is made; the shipper should hand it in at picked_s. */
void mishap_not_handed_in(struct trip *);

/* Its lorry, flight or round should leave at planned_s: when it does with the parcel in it. */
int64_t mishap_left_behind(struct trip *, int64_t planned_s);

/* On the road from a hub to the next, after DEPART: the drive takes so many seconds.  True: the
 * trip has ended. */
bool mishap_on_the_road(struct trip *, uint16_t from, uint16_t to, int64_t drive_s);

/* Before its visit to hub `from`, which would send it on to `to`. */
void mishap_go_round(struct trip *, uint16_t from, uint16_t to);

/* Between two scans at a hub. */
void mishap_second_pickup(struct trip *, uint16_t hub);

/* It has been scanned; the clock of that device may be wrong. */
void mishap_clock_ahead(struct trip *, struct step *);

/* At customs, after IN.  Inspection scans, the pile only takes time.  True: it is to be let out. */
bool mishap_at_customs(struct trip *, uint16_t office, bool export_side);
void mishap_clock_behind(struct trip *, struct step *, int64_t in_s);

/* It lies at the depot, sorted.  True: it is found only now. */
bool mishap_behind_belt(struct trip *);

/* It is out for delivery, or at the depot still.  True: the trip has ended. */
bool mishap_at_the_door(struct trip *, uint16_t depot);
bool mishap_at_depot(struct trip *, uint16_t depot);

/* It waits at the station.  True: it was sent back. */
bool mishap_nobody_comes(struct trip *, uint16_t station);

/* It is called delivered now. */
void mishap_delivered(struct trip *, struct step *, uint16_t depot);

/* Back to where it came from, from now on. */
void trip_return(struct trip *, uint16_t from);

#endif
