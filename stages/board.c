/* board.c - where each partition stands, for whoever looks from outside. */
#include "stages/board.h"

#include <stddef.h>

#include "pipeline/check.h"

enum { STUCK_MS = 30000 };

struct board_row board[BOARD_PARTITIONS_MAX];
_Atomic int board_partitions;

const char *phase_name(enum phase phase)
{
    static const char *const names[] = {"none",    "claiming",  "loading",
                                        "running", "releasing", "stopped"};

    CHECK((size_t)phase < sizeof names / sizeof names[0]);
    return names[phase];
}

int board_healthy(int32_t partition, int64_t wall_ms, const char **why)
{
    CHECK(partition >= 0 && partition < BOARD_PARTITIONS_MAX);
    struct board_row *row = &board[partition];
    enum phase phase = (enum phase)row->phase;

    *why = row->why;
    if (phase == PHASE_NONE)
        return 1;
    if (phase == PHASE_STOPPED)
        return 0;
    if (phase == PHASE_RUNNING && row->position >= row->high)
        return 1;
    return wall_ms - row->moved_ms < STUCK_MS;
}

void board_clear(int32_t partition)
{
    CHECK(partition >= 0 && partition < BOARD_PARTITIONS_MAX);
    struct board_row *row = &board[partition];

    row->phase = PHASE_NONE;
    row->position = row->stored = row->committed = row->low = row->high = 0;
    row->clock_ms = row->records = row->epoch = row->moved_ms = 0;
    row->why = NULL;
}
