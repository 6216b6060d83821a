/* calendar.h - which parcel is scanned when: a calendar queue of one second's grain.
 *
 * A ring of 2^20 seconds (12 days), each a list linked through the lives themselves: put
 * and take are O(1) whatever the population.  Within a second the order is arbitrary.
 */
#ifndef PEAKLOAD_CALENDAR_H
#define PEAKLOAD_CALENDAR_H

#include <stdint.h>

#include "bench/peakload/life.h"

enum { CALENDAR_SECONDS = 1 << 20 };

#define CALENDAR_END UINT32_MAX

/* The parcels alive: slots of ended lives are used again.  owns: its memory. */
struct calendar {
    struct life *life;
    uint32_t    *head;      /* of each second's list */
    uint32_t     room, used, free;
    uint32_t     alive;
};

void calendar_make(struct calendar *);
void calendar_free(struct calendar *);

/* A slot for a new life; pointers into `life` are invalid afterwards. */
uint32_t calendar_birth(struct calendar *);
void     calendar_death(struct calendar *, uint32_t slot);

/* life[slot].due_s is set by the caller. */
void calendar_put(struct calendar *, uint32_t slot);

/* Takes the list of one second, linked by `link`, CALENDAR_END at its end.  Those due in a
 * later round of the ring are among them: put them back. */
uint32_t calendar_take(struct calendar *, uint32_t second);

#endif
