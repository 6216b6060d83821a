/* calendar.c - the calendar queue. */
#include "bench/peakload/calendar.h"

#include <stdlib.h>
#include <string.h>

#include "bench/peakload/say.h"

enum { ROOM_FIRST = 4096 };

void calendar_make(struct calendar *c)
{
    *c = (struct calendar) {.room = ROOM_FIRST, .free = CALENDAR_END};
    c->life = must(malloc(sizeof *c->life * c->room));
    c->head = must(malloc(sizeof *c->head * CALENDAR_SECONDS));
    memset(c->head, 0xff, sizeof *c->head * CALENDAR_SECONDS);
}

void calendar_free(struct calendar *c)
{
    free(c->life);
    free(c->head);
}

uint32_t calendar_birth(struct calendar *c)
{
    uint32_t slot = c->free;

    c->alive++;
    if (slot != CALENDAR_END) {
        c->free = c->life[slot].link;
        return slot;
    }
    if (c->used == c->room) {
        c->room *= 2;
        c->life = must(realloc(c->life, sizeof *c->life * c->room));
    }
    return c->used++;
}

void calendar_death(struct calendar *c, uint32_t slot)
{
    c->alive--;
    c->life[slot].link = c->free;
    c->free = slot;
}

void calendar_put(struct calendar *c, uint32_t slot)
{
    uint32_t *head = &c->head[c->life[slot].due_s % CALENDAR_SECONDS];

    c->life[slot].link = *head;
    *head = slot;
}

uint32_t calendar_take(struct calendar *c, uint32_t second)
{
    uint32_t *head = &c->head[second % CALENDAR_SECONDS], first = *head;

    *head = CALENDAR_END;
    return first;
}
