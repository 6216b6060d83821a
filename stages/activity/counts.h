/* counts.h - what happens at each facility, on each lane, with each carrier and courier, in
 * the minute that a partition's clock stands in.
 *
 * A partition knows a share of each subject's scans, so it judges nothing: once the clock has
 * left the minute its counts are told (topic activity), absolute, so that telling them again
 * after a replay changes nothing, and whoever has those of all partitions may judge.
 *
 * All but on_hand begin at 0 with each minute.  on_hand is a fact of the parcels' records: it
 * is counted again when they are streamed in, and is no part of what a checkpoint writes.
 */
#ifndef STAGES_ACTIVITY_COUNTS_H
#define STAGES_ACTIVITY_COUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stages/parcel/parcel.h"

/* Stored: the numbers never change. */
enum subject { SUBJECT_FACILITY = 1, SUBJECT_CARRIER, SUBJECT_LANE, SUBJECT_COURIER, SUBJECTS };

enum { TALLY_BYTES_MAX = 48 + COURIER_MAX, MINUTE_MS = 60000 };

/* The counts of one subject.  A courier has one for each second and place of a delivery: the
 * rule about couriers asks how close together those are. */
struct tally {
    uint32_t a, b;         /* names: the place; the carrier; from and to; of a courier's
                              deliveries the event time, Unix s, and the facility           */
    uint32_t events;       /* effective scans; of a lane, its ends: arrivals and exceptions;
                              of a courier, deliveries                                     */
    uint32_t in, out;      /* facility: parcels that came to be there, and that left it;
                              out: of a carrier or lane, parcels that arrived               */
    uint32_t exceptions;   /* scans that say something is wrong                            */
    int32_t  on_hand;      /* facility: parcels there                                      */
    int32_t  lat_e4, lon_e4; /* courier: where, in 1/10,000 degrees; both 0 = not known       */
    uint32_t home;         /* murmur2 of the subject, positive: who judges it               */
    uint32_t text;         /* courier: where its name stands                                */
    uint8_t  kind;         /* enum subject                                                 */
    uint8_t  text_length;
    bool     dirty;        /* since counts_clean                                           */
};

struct counts;

/* Empty, of minute 0, for at most so many subjects at a time.  owns: the caller.
 * thread (all): the partition's worker. */
struct counts *counts_create(uint32_t subjects_max);
void           counts_destroy(struct counts *);
size_t         counts_bytes_max(uint32_t subjects_max);   /* the memory that so many take */

/* An effective scan, and what it made of its parcel. */
struct counted {
    const struct scan *scan;
    name_id here, carrier, origin, dest; /* NAME_NONE = not known                           */
    name_id was_at, is_at;               /* counts_place before and after it                */
    bool    arrived;                     /* its first DELIVERED or STATION_IN                */
};
void counts_scan(struct counts *, const struct names *, const struct counted *);

/* The facility that has the parcel on hand, NAME_NONE = none: it is there until a scan says
 * that it went on, and stations and couriers hold nothing back. */
name_id counts_place(const struct parcel *);
/* A parcel on hand there was streamed in (1) or is forgotten (-1). */
void    counts_hold(struct counts *, const struct names *, name_id place, int32_t parcels);

/* The minute (Unix ms ÷ MINUTE_MS) that is counted; begins another, with nothing in it. */
uint32_t counts_minute(const struct counts *);
void     counts_begin(struct counts *, uint32_t minute);

/* The i-th subject, and the name of a courier; NULL behind the last. */
const struct tally *counts_at(const struct counts *, uint32_t i);
const char         *counts_courier(const struct counts *, const struct tally *);
/* "facility:PVG", "lane:HGH>LGG": without its end, at most SUBJECT_TEXT_MAX; its length. */
enum { SUBJECT_TEXT_MAX = 16 + 2 * NAME_LENGTH_MAX };
size_t counts_subject(const struct counts *, const struct names *, const struct tally *,
                      char text[SUBJECT_TEXT_MAX]);
/* Scans of this minute not counted in a subject, because there are subjects_max others. */
uint64_t counts_refused(const struct counts *);

/* ── What a checkpoint writes ── */

/* Those counted in since counts_clean, packed; of each minute what was packed adds up. */
uint32_t counts_dirty(const struct counts *);
size_t   counts_pack(const struct counts *, uint32_t dirty, uint8_t bytes[TALLY_BYTES_MAX]);
void     counts_clean(struct counts *);
/* Takes in what was packed, whole; parts of a minute may come in any order.  0; -1 with the
 * error trail: these are no packed counts. */
int      counts_restore(struct counts *, const struct names *, const uint8_t *bytes,
                        size_t length);

#endif
