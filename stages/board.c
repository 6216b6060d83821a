/* board.c - where each partition stands, for whoever looks from outside. */
#include "stages/board.h"

#include <stddef.h>

#include "pipeline/check.h"

enum { STUCK_MS = 30000 };

struct board_row board[BOARD_PARTITIONS_MAX];
_Atomic int board_partitions;
_Atomic(const char *) board_held;
_Atomic int64_t board_lost_ms = -1;

const char *phase_name(enum phase phase)
{
    static const char *const names[] = {"none",    "claiming",  "loading",
                                        "running", "releasing", "stopped"};

    CHECK((size_t)phase < sizeof names / sizeof names[0]);
    return names[phase];
}

/* Where it stands still when nobody has said so. */
static const char *stuck_at(enum phase phase)
{
    switch (phase) {
    case PHASE_CLAIMING:
        return "the group or Redis does not confirm that the partition is ours";
    case PHASE_LOADING:
        return "its state does not come out of Redis";
    case PHASE_RELEASING:
        return "its last checkpoint is not through";
    default:
        return "no scans come from Kafka, though there are more";
    }
}

int board_healthy(int32_t partition, int64_t wall_ms, const char **why)
{
    CHECK(partition >= 0 && partition < BOARD_PARTITIONS_MAX);
    struct board_row *row = &board[partition];
    enum phase phase = (enum phase)row->phase;

    const char *waits = row->waits, *held = board_held;

    *why = row->why != NULL ? row->why : held != NULL ? held : waits;
    if (phase == PHASE_NONE)
        return 1;
    if (phase == PHASE_STOPPED)
        return 0;
    if (phase == PHASE_RUNNING && row->position >= row->high)
        return 1;
    if (wall_ms - row->moved_ms < STUCK_MS)
        return 1;
    if (*why == NULL)
        *why = stuck_at(phase);
    return 0;
}

const char *board_stuck(int64_t wall_ms)
{
    int64_t since_ms = board_lost_ms;

    if (since_ms < 0)
        return "the group has assigned nothing yet";
    return since_ms > 0 && wall_ms - since_ms >= STUCK_MS
               ? "the group took every partition away and answers no more" : NULL;
}

void board_clear(int32_t partition)
{
    CHECK(partition >= 0 && partition < BOARD_PARTITIONS_MAX);
    struct board_row *row = &board[partition];

    row->phase = PHASE_NONE;
    row->position = row->stored = row->committed = row->low = row->high = 0;
    row->clock_ms = row->records = row->epoch = row->moved_ms = 0;
    row->why = row->waits = NULL;
}
